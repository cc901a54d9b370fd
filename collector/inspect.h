/* Can this program be traced? Looked at before it is run, to say so in one line. */
#ifndef CT_INSPECT_H
#define CT_INSPECT_H

#include <limits.h>

/* Exit statuses of ctrace-run's own, as of env(1) and nohup(1). */
#define CT_EXIT_FAILED         125
#define CT_EXIT_NOT_EXECUTABLE 126
#define CT_EXIT_NOT_FOUND      127

struct ct_refusal {
	int status;               /* CT_EXIT_* */
	char text[PATH_MAX + 160]; /* PROGRAM: what is wrong */
};

/* Finds the file that execvp() would run: PATH is searched for a name without
 * '/'. 0, or -1 with *ret_refusal. */
int ct_resolve(const char *program, char ret_path[PATH_MAX], struct ct_refusal *ret_refusal);
/* Whether libctrace.so would be loaded into it. 0, or -1 with *ret_refusal. */
int ct_inspect(const char *path, struct ct_refusal *ret_refusal);

#endif
