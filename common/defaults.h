/*
 * Defaults of the tools' options: what is not on the command line is as a variable says, then
 * as the user's file does, then as it is built in.
 *
 *   variable   PREFIX and the option's name in capitals, with _ for -: CTRACE_WATCHDOG,
 *              CTRACE_ANALYZE_COLOR, CTRACE_CTL_JSON; CTRACE_OUT for --output of ctrace-run
 *   file       $XDG_CONFIG_HOME/ctrace/config, or ~/.config/ctrace/config. A line each:
 *              TOOL.OPTION = VALUE, such as run.min = 1ms; # begins a comment
 *
 * An option without a value is yes or no. The file must be the user's own, and nobody else
 * may write it. What is wrong is told in a line of its own on standard error and left out:
 * the tool runs all the same.
 */
#ifndef CT_DEFAULTS_H
#define CT_DEFAULTS_H

#include <stdbool.h>
#include <stddef.h>

#define CT_DEFAULTS_WRONG 256

struct ct_defaults {
	const char *tool;   /* as in the file: run, analyze, ctl, top */
	const char *prefix; /* of variables */
	/* Whether it is an option that can have a default, and takes a value: 1; takes none: 0;
	 * -1: it cannot. */
	int (*kind)(void *self, const char *option);
	/* Whether the command line has it, or it does not matter to what the tool is to do. */
	bool (*settled)(void *self, const char *option);
	/* Takes it, as from the command line; the value stays valid. -1, and why not. */
	int (*take)(void *self, const char *option, const char *value, char ret_wrong[CT_DEFAULTS_WRONG]);
	const char *const *options; /* all their names, up to NULL */
};

/* Takes all defaults that there are. */
void ct_defaults_take(const struct ct_defaults *d, void *self);
/* The variable of an option. */
void ct_defaults_variable(const char *prefix, const char *option, char *to, size_t size);

#endif
