/* Tables of what the tools take: --help, manual pages and completions come from them. */
#ifndef CT_TOOL_H
#define CT_TOOL_H

#include <stdbool.h>

struct ct_tool_option {
	char letter;
	bool is_short;        /* the letter is an option, too */
	const char *name;
	const char *value;    /* what it takes; NULL: nothing */
	const char *help;     /* part of a line, or some */
	const char *words;    /* what the value can be, with spaces between; NULL: anything */
};

#endif
