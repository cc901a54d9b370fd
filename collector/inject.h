/*
 * Has a process that runs load a library and call a function of it, by ptrace.
 *
 * One of its threads is held at the entry of a system call. In that call's place it makes an
 * mmap, and comes back from it into a few instructions which load the library, call the
 * function, put everything as it was and make the thread's own call. They need nobody: who
 * holds the thread may be killed at any moment, and it goes on by itself.
 */
#ifndef CT_INJECT_H
#define CT_INJECT_H

#include <stddef.h>
#include <sys/types.h>

#define CT_INJECT_WRONG 256

/* Calls function(pointer to a copy of data), which is read back, in the process. 0, or -1 and
 * why not. It is done by a process of its own, at whose end the kernel lets go of whatever that
 * may still hold; a signal to the caller does not end it. */
int ct_inject(pid_t pid, const char *library, const char *function, void *data, size_t bytes,
	      char ret_wrong[CT_INJECT_WRONG]);

#endif
