/* ctrace-ctl: what its parts hand to each other. */
#ifndef CT_CTL_H
#define CT_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tool.h"

#define CT_CTL_PIDS 256u

struct ct_ctl_options {
	const struct ct_ctl_command *command;
	pid_t pid[CT_CTL_PIDS];
	unsigned int pid_count;
	bool json, all, tree, min_given;
	uint64_t min_ns;
	const char *families, *stacks; /* NULL: not given */
	const char *out;               /* likewise */
};

struct ct_ctl_command {
	const char *name, *arguments, *summary;
	const char *options;           /* those that it takes, beside json and help; with blanks around each */
	const char *help;
};
extern const struct ct_ctl_command ct_ctl_commands[];    /* up to one without a name */
extern const struct ct_tool_option ct_ctl_option_table[]; /* likewise */
extern const char ct_ctl_exit[];

/* options.c. Exits for --help and --version. 0, or -1 after ret_wrong says what is wrong. */
int ct_ctl_parse(int argc, char **argv, struct ct_ctl_options *ret, char ret_wrong[256]);
bool ct_ctl_takes(const struct ct_ctl_command *command, const char *option);

/* print.c: processes as list answers with them, each with "collector" and "output" from its collector. */
void ct_ctl_print_list(const json_t *processes);
void ct_ctl_print_status(const json_t *answer);
/* What start, stop and set answer. */
void ct_ctl_print_recording(const json_t *processes);

#endif
