/* A loaded model, put in order for people and for JSON. */
#ifndef CT_REPORT_H
#define CT_REPORT_H

#include "callstacks.h"
#include "objects.h"
#include "tally.h"

struct ct_cause_row {
	uint8_t cause;
	uint64_t count, unknown, open; /* unknown: without a known duration; both are part of count */
	uint64_t total_ns, max_ns, p50_ns, p99_ns;
	uint64_t elapsed_ns;           /* of whole calls */
};

/* A cause at a call stack. */
struct ct_site_row {
	uint8_t cause;
	bool idle;                     /* by its cause's category */
	uint32_t callstack;            /* CT_NO: none */
	uint32_t call;                 /* id of the call with the most time */
	uint64_t call_ns;
	uint64_t count, unknown, open, total_ns, max_ns;
	uint64_t owned;                /* waits whose object had a known owner */
	uint64_t elapsed_ns;           /* of whole calls */
	uint64_t delays, delay_ns, max_delay_ns; /* then ready, without a CPU */
	struct ct_tallies objects, waiters, owners; /* only of the rows that are detailed */
	uint32_t object_count;         /* before equal labels were merged */
};

struct ct_lock_row {
	uint32_t process;
	uint8_t cause;
	uint64_t address;
	uint32_t stack;                /* of the model: where most was waited, or CT_NO */
	uint64_t stack_ns;
	char *label;
	uint64_t acquisitions, contended, unknown, open, wait_ns, max_wait_ns;
	uint64_t hold_ns, holds, max_hold_ns;
	uint64_t shared_holds;         /* part of holds: readers', of unknown duration */
	uint32_t first_stack;          /* of the model: where it was first waited for */
	struct ct_tallies owners;      /* by tid: count and time of waits for them, and their holds */
	struct ct_tallies pairs;       /* key: waiter's thread index; tid: the owner's */
};

struct ct_report {
	const struct ct_model *model;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	CT_ARRAY(struct ct_cause_row, cause);  /* most time first */
	CT_ARRAY(struct ct_site_row, site);    /* those that are not idle first, then most time first */
	CT_ARRAY(struct ct_lock_row, lock);    /* most wait time first */
	uint32_t *thread;                      /* selected threads, most blocked time first */
	uint32_t thread_count;
	uint64_t *by_cause;                    /* ns: [thread of the model * cause_count + row in cause] */
	uint64_t blocked_ns, lifetime_ns;      /* of the selected threads */
	const struct ct_lock_details *details; /* what locks alone asks for; NULL: not known */
};

/* Makes all parts; details for the sites among the first top of the idle ones
 * and of the others (0: all). 0 or -ENOMEM. Close in either case. */
int ct_report_make(struct ct_report *r, const struct ct_model *m, uint32_t top);
void ct_report_close(struct ct_report *r);

/* Whether the category says that a thread waits for work to arrive. */
bool ct_cause_is_idle(const struct ct_model *m, uint32_t cause);
/* Parts of ct_report_make. */
int ct_report_sites(struct ct_report *r, uint32_t top);
int ct_report_locks(struct ct_report *r);

#endif
