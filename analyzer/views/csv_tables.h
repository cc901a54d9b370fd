/* The tables of blocks, threads, locks and sched as CSV; the columns of all. */
#ifndef CT_CSV_TABLES_H
#define CT_CSV_TABLES_H

#include "commands.h"
#include "csv.h"
#include "report_groups.h"

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
#define CT_CSV_SCHED_GROUPS                                                                              \
	"name threads running_ns runnable_ns wakes wake_delay_ns wake_delay_p50_ns wake_delay_p99_ns "   \
	"wake_delay_max_ns preemptions preempted_ns preempted_max_ns migrations"
#define CT_CSV_WAKERS                                                                                    \
	"waiter waker cause category object ended_by count total_ns max_ns release_ns resume_ns "        \
	"blame_ns waiter_site waker_site"
#define CT_CSV_IO                                                                                        \
	"object kind idle descriptors calls errors read_bytes write_bytes elapsed_ns p50_ns p99_ns "     \
	"max_ns waits blocked_ns max_blocked_ns"
#define CT_CSV_LATENCY "cause call from_ns to_ns count"
#define CT_CSV_MALLOC  "call part calls short_ns waits blocked_ns"
#define CT_CSV_SUMMARY                                                                                   \
	"rank kind cause call object function file line threads count total_ns max_ns lifetime_ns "      \
	"share_permille text next"
#define CT_CSV_DIFF                                                                                      \
	"kind what idle noise a_ns_per_s a_min a_max a_total_ns a_count b_ns_per_s b_min b_max "         \
	"b_total_ns b_count"
#define CT_CSV_DEADLOCKS                                                                                 \
	"reason cycle pid tid name cause object call wait_ns held_by_tid held_by certain wakes site"
#define CT_CSV_WHATIF "what predicted_ns replay_ns speed_up complete broken"
#define CT_CSV_GROUPED "count total_ns average_ns max_ns unknown open" /* after the group's label */
#define CT_CSV_WAITS "pid tid name start_ns duration_ns cause call object site"
#define CT_CSV_PATH  "pid tid name state cause count path_ns site"
#define CT_CSV_CALLS "call family made written blocked_ns short_ns"

/* The header of a table by --group-by: the group stands for the first of the names. */
void ct_csv_group_header(struct ct_csv *csv, enum ct_group_by by, const char *names);

/* Each writes the table with as many rows as --top says. 0 or -ENOMEM. */
int ct_csv_blocks(const struct ct_context *c, struct ct_report *r);
int ct_csv_threads(const struct ct_context *c, struct ct_report *r);
int ct_csv_groups(const struct ct_context *c, struct ct_report *r);
int ct_csv_locks(const struct ct_context *c, struct ct_report *r);
/* order: threads of the model. */
int ct_csv_sched(const struct ct_context *c, const struct ct_report *r, const uint32_t *order);
/* groups: by --group-by. */
void ct_csv_sched_groups(const struct ct_context *c, const struct ct_groups *groups);

/* The next cell: "function file:line" of the innermost frame. 0 or -ENOMEM. */
int ct_csv_site(struct ct_csv *csv, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack);

#endif
