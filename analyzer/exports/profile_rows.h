/*
 * Time with a call stack and whose it was: what profiles, folded stacks and flame graphs
 * have in common. Sums over the cells of a loaded model: memory grows with them, not with
 * events.
 *
 * Rows of one state, cause, call stack, region and thread name (of one process; with --group-by
 * of one thread) are one. The rows
 * add up to what the reports say: CT_SPENT_BLOCKED to blocked_ns of the threads,
 * CT_SPENT_READY to runnable_ns, CT_SPENT_UNEXPLAINED to unexplained_ns.
 */
#ifndef CT_PROFILE_ROWS_H
#define CT_PROFILE_ROWS_H

#include "callstacks.h"

enum ct_spent {
	CT_SPENT_BLOCKED,
	CT_SPENT_READY,       /* without a CPU; after a wait: at its site */
	CT_SPENT_UNEXPLAINED, /* off the CPU in no call */
	CT_SPENT_KINDS
};

struct ct_profile_row {
	uint8_t spent;        /* enum ct_spent */
	uint8_t cause;        /* BLOCKED, and READY after a wait; otherwise 0 */
	uint32_t thread;      /* index of one of that name */
	uint32_t callstack;   /* CT_NO: none */
	uint32_t call;        /* id: where there is no call stack it says the place; 0: none */
	uint32_t region;      /* in ct_model.name: the innermost of the program's; CT_NO: none, or not known */
	uint32_t site;        /* of the model: has the object; CT_NO: several, or none */
	uint64_t count, ns;
};

struct ct_profile_rows {
	const struct ct_model *model;
	struct ct_callstacks callstacks;
	CT_ARRAY(struct ct_profile_row, row);
	uint32_t *who;        /* of each thread: the first of its name in its process */
	uint64_t unknown;     /* waits of a duration that is not known; part of count */
	uint64_t estimated_ns; /* part of READY that is an estimate: see model_books.c */
};

/* Places with more objects than that do not tell them apart. */
#define CT_PROFILE_OBJECTS 16u

/* objects: rows of different objects are different. 0 or -ENOMEM; close in either case. */
int ct_profile_rows_make(struct ct_profile_rows *p, const struct ct_model *m, bool objects);
void ct_profile_rows_close(struct ct_profile_rows *p);
/* Most time first. */
void ct_profile_rows_sort(struct ct_profile_rows *p);
/* The name of a thread; "thread" if it has none. */
const char *ct_profile_thread_name(const struct ct_model *m, uint32_t thread);

#endif
