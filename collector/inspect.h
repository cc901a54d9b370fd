/* Can this program be traced? Looked at before it is run, to say so in one line. */
#ifndef CT_INSPECT_H
#define CT_INSPECT_H

#include <limits.h>

/* Exit statuses of ctrace-run's own, as of env(1) and nohup(1). */
#define CT_EXIT_FAILED         125
#define CT_EXIT_NOT_EXECUTABLE 126
#define CT_EXIT_NOT_FOUND      127

/* What libctrace.so is built for: the only programs that can load it. */
#if defined(__x86_64__)
#define CT_MACHINE      EM_X86_64
#define CT_MACHINE_NAME "64-bit x86"
#else
#define CT_MACHINE      EM_AARCH64
#define CT_MACHINE_NAME "64-bit Arm"
#endif

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
