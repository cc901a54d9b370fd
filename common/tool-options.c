/* See tool-options.h. */
#include "tool-options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 64u

const struct ct_tool_option *ct_options_row(const struct ct_tool_option *table, const char *name)
{
	while (strcmp(table->name, name))
		table++;
	return table;
}

static const struct ct_tool_option *row_of_letter(const struct ct_tool_option *table, int letter)
{
	while (table->letter != letter)
		table++;
	return table;
}

int ct_options_take(const struct ct_options_taken *o, void *self, int argc, char **argv, bool ret_given[256],
		    char ret_wrong[CT_OPTIONS_WRONG])
{
	struct option options[OPTIONS_MAX + 1] = { 0 };
	char letters[2 * OPTIONS_MAX + 3] = "", *at = letters;

	if (o->program)
		*at++ = '+';
	/* A missing value is told apart. */
	*at++ = ':';
	for (size_t i = 0; o->table[i].name && i < OPTIONS_MAX; i++) {
		const struct ct_tool_option *row = &o->table[i];

		options[i] = (struct option){ row->name, row->value ? required_argument : no_argument, NULL, row->letter };
		if (!row->is_short)
			continue;
		*at++ = row->letter;
		if (row->value)
			*at++ = ':';
	}
	for (int option; (option = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
		if (option == '?' || option == ':') {
			snprintf(ret_wrong, CT_OPTIONS_WRONG, "%.100s: %s (--help shows the options)", argv[optind - 1],
				 option == '?' ? "unknown option" : "a value is missing");
			return -1;
		}
		if (o->take(self, row_of_letter(o->table, option), optarg, ret_wrong))
			return -1;
		ret_given[option] = true;
	}
	return 0;
}
