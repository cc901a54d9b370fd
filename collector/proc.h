/* What /proc says about processes and threads. All return 0 or -errno. */
#ifndef CT_PROC_H
#define CT_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The command line, arguments separated by spaces; cut off at size - 1. */
int ct_proc_command(pid_t pid, char *ret, size_t size);
/* The name that a process was run by, argv[0], without its arguments. Of a process that has written
 * a title over them ("nginx: worker process"), in which arguments may stand, the first word.
 * executable: its file, whose name may have blanks in it. -ENODATA, -errno. */
int ct_proc_program(pid_t pid, const char *executable, char *ret, size_t size);
/* The thread's name: at most 15 bytes and a NUL. */
int ct_proc_comm(pid_t pid, pid_t tid, char ret[16]);
/* Time on a CPU, and time ready to run without one. */
int ct_proc_schedstat(pid_t pid, pid_t tid, uint64_t *ret_cpu_ns, uint64_t *ret_delay_ns);
/* The wait() status of a process that has ended, reaped or not. pidfd may be -1.
 * -ENODATA when the kernel does not tell. */
int ct_proc_exit_status(pid_t pid, int pidfd, int *ret_status);

/* In namespaces.c. The number of a task in its own pid namespace, which may lie below ours. */
int ct_proc_own_number(pid_t pid, pid_t tid, pid_t *ret);
/* The number here of the thread that has this number there. It is looked for first among those that
 * are younger than newest. -ESRCH: there is none; another error: it is not known. */
int ct_proc_task(pid_t pid, pid_t own, pid_t newest, pid_t *ret);
int ct_proc_parent(pid_t pid, pid_t *ret);

/* The process that had its preloaded library start us: the parent of our parent,
 * if that is the library's helper. -ESRCH: somebody else did. */
int ct_proc_starter(pid_t *ret_pid);
/* A variable of the environment that a process was started with. -ENOENT, -errno. */
int ct_proc_environment(pid_t pid, const char *name, char *ret, size_t size);

#endif
