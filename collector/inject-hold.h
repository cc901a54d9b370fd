/* Holding a thread of another process at the entry of a system call. */
#ifndef CT_INJECT_HOLD_H
#define CT_INJECT_HOLD_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "inject-frames.h"

struct ct_hold {
	pid_t pid, tid;
	struct user_regs_struct regs; /* at the entry of its call */
};

/* The thread's next stop. 1; 0: none in that time; -1: it has ended. SIGCHLD must be blocked. */
int ct_stop_wait(pid_t tid, int ms, int *ret_status);
/* Whether the thread stands at a system call; if so, whether at its entry. */
bool ct_stop_is_call(int status);
bool ct_stop_is_entry(pid_t tid);
/* The signal that the thread is to get when it goes on from a stop. */
int ct_stop_signal(int status);
/* Stops a thread that runs and lets it go for good. False: it does not stop; then the end of the calling process lets it go. */
bool ct_hold_drop(pid_t pid, pid_t tid);
/* Finds and holds a thread in which dlopen can be called. 0, or -1 and why not. */
int ct_hold_find(pid_t pid, struct ct_frames *frames, struct ct_hold *ret, char ret_wrong[256]);

long ct_now_ms(void);

#endif
