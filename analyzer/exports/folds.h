/*
 * Folded stacks: a thread, its frames, the cause, and how much time. What export --format
 * folded prints a line each, and flame draws.
 *
 *   blocked  thread;frames...;cause                     blocked time, as blocks sums it up
 *   off-cpu  and thread;frames...;runnable, thread;unexplained: all time off the CPU
 *   waker    thread;frames...;cause;--;waker's frames, innermost first...;waker
 *            whole waits, as wakers sums them up; without the -- where none is known
 *
 * With --group-by the group stands for the thread: "name (tid)", a process, a start routine,
 * a cause. Not by waker.
 */
#ifndef CT_FOLDS_H
#define CT_FOLDS_H

#include "commands.h"

struct ct_fold {
	const char *const *frame; /* outermost first */
	uint32_t depth;
	const char *cause;        /* one of the frames; "runnable", "unexplained" */
	uint64_t count, ns;
};

/* 0, or -errno, which ends it. */
typedef int ct_fold_taker(void *self, const struct ct_fold *fold);

/* Loads the trace into m and gives its folds, most time first; by is --by, NULL: blocked.
 * Symbolises only what it gives. 0; -EINVAL: context->usage says why; -errno. m is to be
 * freed in either case. */
int ct_folds(struct ct_context *c, struct ct_model *m, const char *by, ct_fold_taker *take, void *self);

#endif
