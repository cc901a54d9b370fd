/*
 * Calls functions in a process that runs, by ptrace: one of its threads is held at the entry
 * of a system call, where it is no more in the middle of anything than its own code says, and
 * runs the functions on a stack of its own; then it makes its system call, with all registers,
 * its vector registers, its signal mask and errno as they were. Others run on meanwhile.
 */
#ifndef CT_INJECT_H
#define CT_INJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CT_INJECT_WRONG 256

struct ct_inject;

/* Holds a thread of the process in which dlopen can be called. 0, or -1 and why not, with the
 * process as it was. The caller must not be killed until ct_inject_end. */
int ct_inject_begin(pid_t pid, struct ct_inject **ret, char ret_wrong[CT_INJECT_WRONG]);
/* Address of a function of libc in the process; 0: it is not there. */
uint64_t ct_inject_libc(struct ct_inject *i, const char *name);
/* Room of that many bytes in the process, until ct_inject_end; 0: there is none left. */
uint64_t ct_inject_room(struct ct_inject *i, size_t bytes);
/* Calls function(a, b). 0, or -1: the thread ended, or the call did not come back. */
int ct_inject_call(struct ct_inject *i, uint64_t function, uint64_t a, uint64_t b, uint64_t *ret_result);
int ct_inject_read(struct ct_inject *i, uint64_t at, void *to, size_t bytes);
int ct_inject_write(struct ct_inject *i, uint64_t at, const void *from, size_t bytes);
/* Lets the thread go on. 0, or -1: it has ended. */
int ct_inject_end(struct ct_inject *i);

#endif
