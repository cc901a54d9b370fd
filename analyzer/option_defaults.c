/* See option_defaults.h. */
#include "option_defaults.h"

#include <stdio.h>
#include <string.h>

#include "defaults.h"

#define OPTIONS_MAX 128u

struct state {
	struct ct_options *o;
	const char *command;
	const bool *given;
};

static size_t find(const char *name)
{
	size_t i = 0;

	while (strcmp(ct_options_table[i].name, name))
		i++;
	return i;
}

static int kind(void *self, const char *option)
{
	(void)self;
	if (!strcmp(option, "help") || !strcmp(option, "version"))
		return -1;
	return ct_options_table[find(option)].value != NULL;
}

static bool settled(void *self, const char *option)
{
	const struct state *s = self;
	size_t i = find(option);

	/* These two exclude each other. */
	if ((!strcmp(option, "json") && s->o->csv) || (!strcmp(option, "csv") && s->o->json))
		return true;
	return s->given[i] || !ct_option_is_for(&ct_options_table[i], s->command);
}

static int take(void *self, const char *option, const char *value, char wrong[CT_DEFAULTS_WRONG])
{
	const struct state *s = self;
	const struct ct_option *row = &ct_options_table[find(option)];

	if (!row->take(s->o, value))
		return 0;
	snprintf(wrong, CT_DEFAULTS_WRONG, "'%.100s' is no value for --%s%s%s", value ? value : "", option,
		 row->wants ? ": it takes " : "", row->wants ? row->wants : "");
	return -1;
}

void ct_option_defaults(struct ct_options *o, const char *command, const bool *given)
{
	const char *names[OPTIONS_MAX] = { NULL };
	const struct ct_defaults d = { "analyze", "CTRACE_ANALYZE_", kind, settled, take, names };
	struct state s = { o, command, given };

	for (size_t i = 0; ct_options_table[i].name && i < OPTIONS_MAX - 1; i++)
		names[i] = ct_options_table[i].name;
	ct_defaults_take(&d, &s);
}
