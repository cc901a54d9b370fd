/* What the values of options can be. See generate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

static char *joined(char *to, const char *word)
{
	char *text;

	if (asprintf(&text, "%s%s%s", to, *to ? " " : "", word) < 0)
		exit(1);
	free(to);
	return text;
}

const char *cause_words(void)
{
	static char *words;

	if (words)
		return words;
	words = strdup("contention io idle runtime");
#define CT_CAUSE(id, name, category, text) \
	if (strcmp(category, "cpu"))       \
		words = joined(words, name);
#include "causes.def"
#undef CT_CAUSE
	return words;
}

static const char *format_words(void)
{
	static char *words;

	if (words)
		return words;
	words = strdup("");
	for (const struct ct_export_format *f = ct_export_formats; f->name; f++)
		words = joined(words, f->name);
	return words;
}

static const char *group_words(void)
{
	static char *words;

	if (words)
		return words;
	words = strdup("");
	for (enum ct_group_by g = CT_GROUP_THREAD; g <= CT_GROUP_CAUSE; g++)
		words = joined(words, ct_group_by_name(g));
	return words;
}

const char *value_words(const struct ct_option *option)
{
	const struct {
		const char *value, *words;
	} known[] = {
		{ "FILE", NULL },
		{ "CAUSE,...", cause_words() },
		{ "FORMAT", format_words() },
		{ "GROUP", group_words() },
		{ "PROFILE", "all io sync syscall sched malloc" },
		{ "WHEN", "auto always never" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && option->value; i++)
		if (!strcmp(option->value, known[i].value))
			return known[i].words;
	return "";
}

bool is_list(const struct ct_option *option)
{
	return option->value && strstr(option->value, ",...");
}

char *one_line(const char *text, const char *special)
{
	char *line = malloc(strlen(text) * 4 + 1), *to = line;

	if (!line)
		exit(1);
	for (; *text; text++) {
		if (*text == '\'') { /* within single quotes */
			memcpy(to, "'\\''", 4);
			to += 4;
			continue;
		}
		if (strchr(special, *text))
			*to++ = '\\';
		*to++ = *text == '\n' ? ' ' : *text;
	}
	*to = 0;
	return line;
}
