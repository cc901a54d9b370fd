/* ctrace-run -p: attaching to a process that runs. See docs/attach.md. */
#ifndef CT_RUN_ATTACH_H
#define CT_RUN_ATTACH_H

#include <sys/types.h>

#include "run.h"

/* --- run-attach-check.c --- */

/* Whether the library can be brought into the process. 0, or -1 and why not. */
int ct_attach_check(pid_t pid, const char *library, char ret_wrong[256]);
/* Adds to what ptrace said why it may have. */
void ct_attach_explain(pid_t pid, const char *why, char ret_wrong[256]);

/* --- run-attach-calls.c --- */

/* Brings the library into the process and has it traced by the collector of that socket.
 * 0, or -1 and why not: then the process is as it was, but for what is mapped. */
int ct_attach_process(pid_t pid, const struct ct_parts *parts, const char *socket, const struct ct_run_options *o,
		      char ret_wrong[256]);
/* Ends that. 0, or -1 and why not; a process that has ended is no failure. */
int ct_detach_process(pid_t pid, const struct ct_parts *parts, char ret_wrong[256]);

/* --- run-attach-tree.c --- */

/* Ends the tracing of the process and of those that it forked meanwhile; says on stderr of
 * which ones it cannot. */
void ct_detach_all(pid_t pid, const struct ct_parts *parts);
/* The process's name. */
void ct_attach_name(pid_t pid, char ret_name[16]);

#endif
