/* The command line of a tool, by the table of its options. */
#ifndef CT_TOOL_OPTIONS_H
#define CT_TOOL_OPTIONS_H

#include <stdbool.h>

#include "tool.h"

#define CT_OPTIONS_WRONG 256

struct ct_options_taken {
	const struct ct_tool_option *table; /* up to one without a name */
	bool program;                       /* stops at the first word that is no option: what follows is a program's */
	/* Takes one. -1, and why not. */
	int (*take)(void *self, const struct ct_tool_option *option, const char *value, char ret_wrong[CT_OPTIONS_WRONG]);
};

/* Takes all options from word optind on; optind is then the first word that is none. ret_given, by
 * letter: it was given. 0, or -1 after ret_wrong says what is wrong. */
int ct_options_take(const struct ct_options_taken *o, void *self, int argc, char **argv, bool ret_given[256],
		    char ret_wrong[CT_OPTIONS_WRONG]);
/* The row of an option that there is. */
const struct ct_tool_option *ct_options_row(const struct ct_tool_option *table, const char *name);

#endif
