/* What only the table of commands can say of the command line. See commands.h. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "suggest.h"

const struct ct_command *ct_command_find(const char *name)
{
	for (const struct ct_command *c = ct_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

void ct_command_unknown(const char *name, char *error, size_t bytes)
{
	struct ct_suggestion s = { .typed = name };

	for (const struct ct_command *c = ct_commands; c->name; c++)
		ct_suggest(&s, c->name);
	if (s.best)
		snprintf(error, bytes, "unknown command '%.100s'; did you mean %s?", name, s.best);
	else
		snprintf(error, bytes, "unknown command '%.100s'; see ctrace-analyze --help", name);
}

/* Its place among words with spaces between; UINT32_MAX: it is none of them. */
static uint32_t place_among(const char *words, const char *word)
{
	size_t n = strlen(word);
	uint32_t place = 0;

	for (const char *at = words, *end; *at; at = *end ? end + 1 : end, place++) {
		end = strchrnul(at, ' ');
		if ((size_t)(end - at) == n && !strncmp(at, word, n))
			return place;
	}
	return UINT32_MAX;
}

static int check_group(const struct ct_command *command, const struct ct_options *o, char *error, size_t bytes)
{
	const char *name = ct_group_by_name(o->group_by);

	if (!o->group_by || (command->groups && place_among(command->groups, name) != UINT32_MAX))
		return 0;
	snprintf(error, bytes, "%s has no --group-by %s; groups: %s", command->name, name,
		 command->groups ? command->groups : "none");
	return -EINVAL;
}

int ct_command_check(const struct ct_command *command, struct ct_options *o, char *error, size_t bytes)
{
	/* A program that reads a table wants all of it. */
	if (o->csv && !o->top_given)
		o->top = 0;
	if (check_group(command, o, error, bytes))
		return -EINVAL;
	if (!o->sort)
		return 0;
	if (!command->sort_keys) {
		snprintf(error, bytes, "--sort is no option of %s", command->name);
		return -EINVAL;
	}
	o->sort_key = place_among(command->sort_keys, o->sort);
	if (o->sort_key != UINT32_MAX)
		return 0;
	snprintf(error, bytes, "%s cannot be sorted by '%.40s'; keys: %s", command->name, o->sort, command->sort_keys);
	return -EINVAL;
}
