/*
 * Calls and slices together: for how long a call blocked its thread.
 *
 * In the thread's time off the CPU (timeline.h), instead of the time of day, a
 * call's length is its blocked time, and nested calls are nested as before: so
 * own times add up to the part of the time off the CPU that calls explain.
 */
#ifndef CT_MODEL_JOIN_H
#define CT_MODEL_JOIN_H

#include "model.h"

/* How a call was spent. */
struct ct_joined {
	uint64_t own_ns;     /* blocked, without nested calls */
	uint64_t elapsed_ns; /* from call to return */
	uint64_t ready_ns;   /* woken, or preempted, and without a CPU */
	bool wait;           /* it blocked, or may have: records are missing */
};

/* A call of a thread that has states. said: the kernel said that it left the CPU.
 * 0 or -ENOMEM. */
int ct_join(struct ct_model *m, uint32_t thread, uint64_t start_ns, uint64_t end_ns, bool said,
	    struct ct_joined *ret);
/* A call of which only the end is known: it began before the thread last lost its
 * CPU, if that was after the call before it. 1; 0: cannot be said; -ENOMEM. */
int ct_join_end(struct ct_model *m, uint32_t thread, uint64_t end_ns, struct ct_joined *ret);
/* Counts a call that, as the kernel said, ran all the time. -ENOMEM or 0. */
int ct_join_ran(struct ct_model *m, uint32_t thread, uint64_t start_ns, uint64_t end_ns);

/* The states of a thread, or NULL. */
static inline struct ct_states *ct_states_of(const struct ct_model *m, uint32_t thread)
{
	return thread < m->states_count && m->thread[thread].started ? &m->states[thread] : NULL;
}

#endif
