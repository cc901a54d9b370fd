/* Who ended whose waits, where, how often and after how long: for people and JSON. */
#ifndef CT_REPORT_WAKERS_H
#define CT_REPORT_WAKERS_H

#include "report_group_by.h"
#include "wakes.h"

/* Waits of one group of threads at one site, ended by another group at another. */
struct ct_waker_row {
	uint32_t waiter, waker;      /* one thread of the group; waker as in struct ct_wait */
	uint32_t site;               /* in ct_wakes.site: one of them */
	uint32_t waiter_stack, waker_stack; /* of the model; in the report's rows: call stacks */
	uint8_t ended;               /* enum ct_ended */
	uint64_t count, agree, disagree; /* by the kernel's word */
	uint64_t total_ns, max_ns;
	uint64_t release_ns;         /* part of total: until it was ended; the rest until it went on */
	uint64_t blame_ns;           /* for how long it was this waker's doing */
};

/* For how long others waited because of a thread, or of what is done at a site. */
struct ct_blame_row {
	uint32_t waker, stack;
	uint64_t count;
	uint64_t blame_ns;           /* for what it held, or had to do */
	uint64_t idle_ns;            /* for work to arrive from it: that is no blame */
};

struct ct_wakers_report {
	const struct ct_model *m;
	struct ct_wakes wakes;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	uint32_t *group;             /* of each thread: the first one that counts with it */
	uint32_t *members;           /* of each group's first thread */
	bool grouped;
	struct ct_grouping grouping; /* of wakers --group-by, where it groups threads */
	struct ct_grouped by_place;  /* where it does not: the waits that a thread ended */
	CT_ARRAY(struct ct_waker_row, row);   /* most time first */
	struct ct_table row_by_hash;
	CT_ARRAY(struct ct_blame_row, thread); /* most blame first */
	CT_ARRAY(struct ct_blame_row, site);
	uint64_t waits, known, by[CT_ENDED_KINDS];
	uint64_t total_ns, known_ns;
};

/* Threads count by name if there are more. */
#define CT_WAKERS_THREADS 16u

/* Reads the trace once more. 0, -ENOMEM, -errno. Close in either case. */
int ct_wakers_make(struct ct_wakers_report *r, const struct ct_model *m, struct ct_reader *reader);
void ct_wakers_close(struct ct_wakers_report *r);
/* "worker (101)", "worker-* (8 threads)"; with --group-by the group's. NULL without memory. */
char *ct_group_label(const struct ct_wakers_report *r, uint32_t waker);
const char *ct_ended_name(enum ct_ended ended);

#endif
