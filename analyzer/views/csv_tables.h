/* The tables of blocks, threads, locks and sched as CSV; the columns of all. */
#ifndef CT_CSV_TABLES_H
#define CT_CSV_TABLES_H

#include "commands.h"
#include "csv.h"

#define CT_CSV_BLOCKS                                                                                    \
	"cause category object call count total_ns average_ns max_ns unknown open elapsed_ns delay_ns "  \
	"function file line module stack"
#define CT_CSV_THREADS                                                                                   \
	"pid tid name routine lifetime_ns running_ns runnable_ns blocked_ns unexplained_ns unknown_ns "  \
	"excluded_ns longest_ns mostly mostly_ns events lost_events"
#define CT_CSV_GROUPS                                                                                    \
	"name routine threads blocked_throughout lifetime_ns running_ns runnable_ns blocked_ns "         \
	"unexplained_ns unknown_ns longest_ns"
#define CT_CSV_LOCKS                                                                                     \
	"object kind pid address site acquisitions contended wait_ns max_wait_ns hold_ns holds "         \
	"max_hold_ns unknown waited_ns max_waiters convoys"
#define CT_CSV_SCHED                                                                                     \
	"pid tid name running_ns runnable_ns wakes wake_delay_ns wake_delay_p50_ns wake_delay_p99_ns "   \
	"wake_delay_max_ns preemptions preempted_ns preempted_max_ns migrations"
#define CT_CSV_WAKERS                                                                                    \
	"waiter waker cause category object ended_by count total_ns max_ns release_ns resume_ns "        \
	"blame_ns waiter_site waker_site"
#define CT_CSV_WAITS "pid tid name start_ns duration_ns cause call object site"
#define CT_CSV_PATH  "pid tid name state cause count path_ns site"
#define CT_CSV_CALLS "call family made written blocked_ns short_ns"

/* Each writes the table with as many rows as --top says. 0 or -ENOMEM. */
int ct_csv_blocks(const struct ct_context *c, struct ct_report *r);
int ct_csv_threads(const struct ct_context *c, struct ct_report *r);
int ct_csv_groups(const struct ct_context *c, struct ct_report *r);
int ct_csv_locks(const struct ct_context *c, struct ct_report *r);
/* order: threads of the model. */
int ct_csv_sched(const struct ct_context *c, const struct ct_report *r, const uint32_t *order);

/* The next cell: "function file:line" of the innermost frame. 0 or -ENOMEM. */
int ct_csv_site(struct ct_csv *csv, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack);

#endif
