/*
 * What a trace has to tell, in order of weight: waits for locks and for what other threads do, input and
 * output, threads that had no CPU, threads that never stop computing, deadlocks. Idle pools, accept loops and
 * timers are none: a wait for work to arrive is one only where a program makes a lock of it (known.h), or
 * where threads of a kind wait for each other and no more than one of them runs.
 *
 * The weight of a finding is the time of all threads in it. Shares are of the lives of its threads.
 */
#ifndef CT_FINDINGS_H
#define CT_FINDINGS_H

#include "known.h"
#include "lock_details.h"
#include "report.h"
#include "report_sched.h"
#include "report_wakers.h"
#include "stuck.h"

enum ct_finding_kind {
	CT_FINDING_DEADLOCK,
	CT_FINDING_LOCK,
	CT_FINDING_WAIT,        /* contention of other kinds, io, runtime */
	CT_FINDING_TURNS,       /* threads of a kind that wait for each other */
	CT_FINDING_READY,       /* ready, but no CPU */
	CT_FINDING_CPU,         /* never stop computing */
	CT_FINDING_UNEXPLAINED,
	CT_FINDING_IDLE,        /* what the busiest thread waits for when it has nothing to do */
	CT_FINDING_KINDS
};

struct ct_finding {
	enum ct_finding_kind kind;
	uint32_t cause, call;           /* cause CT_CAUSES: of none */
	const struct ct_known *known;   /* or NULL */
	const struct ct_lock_row *lock; /* LOCK: with the most waits */
	uint32_t callstack;             /* of the report: where most was waited, or CT_NO */
	uint32_t holder;                /* where it was released (LOCK: of the report), or woken (of the wakers); CT_NO */
	uint64_t callstack_ns, holder_ns;
	char *object;                   /* label of the most waited for, or NULL; owned */
	uint32_t objects;
	uint64_t ns, count, max_ns;
	uint64_t lifetime_ns, idle_ns;  /* of its threads */
	struct ct_tallies threads;      /* key: index; after ct_findings_make those that matter, most time first */
	struct ct_tallies wakers;       /* key: index; of waits that a thread ended */
	uint64_t ended_ns, peers_ns;    /* by a thread; by one that waits there itself */
	/* Others that waited for its threads meanwhile. */
	struct ct_tallies behind;       /* key: index */
	uint64_t behind_ns;
	uint32_t behind_stack;
	uint64_t path_ns;               /* LOCK, WAIT: on the critical path */
	bool most;                      /* IDLE: nearly all of the busiest thread's life */
	bool outside, last;             /* READY: others had the CPUs; and it is not most of the time */
	uint64_t key;                   /* private: what makes places one finding */
	char *text;                     /* sentences; owned */
	char *hint;                     /* what to do about it, or NULL; owned */
	char *next;                     /* the command line that shows more; owned */
};

/* Threads of a kind: program, main thread or not, start routine, name but for a number; processes that one of
 * the same program started are told from those that it did not. */
struct ct_thread_kind {
	uint32_t first, count;          /* a thread; how many are selected */
	bool main, child, same_name;
	uint64_t lifetime_ns, running_ns, runnable_ns, idle_ns, other_ns; /* other: unexplained, unknown */
	uint64_t contention_ns, io_ns;  /* idle places that are contention count with it; io: with the runtime's */
};

struct ct_findings {
	const struct ct_options *options;
	const struct ct_model *m;
	struct ct_report report;
	struct ct_wakers_report wakers; /* m NULL: not made */
	struct ct_lock_details details;
	struct ct_sched_sum sched;
	uint32_t *kind;                 /* of each thread: index into kinds */
	CT_ARRAY(struct ct_thread_kind, kinds); /* after ct_findings_make: see order */
	uint32_t *order;                /* of kinds: most time that is not idle first */
	struct ct_stuck stuck;
	uint64_t *idle_ns;              /* of each thread: waiting for work */
	uint64_t active_ns;             /* of all: not idle */
	uint64_t running_ns;            /* of all; where it is not known, what is unexplained */
	uint64_t path_ns;               /* the critical path's length; 0: not known */
	uint32_t cpus;                  /* 0: not known */
	bool skipped;                   /* too many events to look for who ended the waits */
	CT_ARRAY(struct ct_finding, finding);
};

/* Reads the trace of a loaded model again. 0, -ENOMEM, -errno. Close in either case. */
int ct_findings_make(struct ct_findings *f, const struct ct_model *m, struct ct_reader *reader);
void ct_findings_close(struct ct_findings *f);

/* --- parts --- */

/* Waits, by place: findings_waits.c. Who ended them, and who waited for whom: findings_wakers.c. CPUs and
 * the rest: findings_states.c. 0 or -ENOMEM. */
int ct_findings_waits(struct ct_findings *f);
int ct_findings_wakers(struct ct_findings *f);
int ct_findings_states(struct ct_findings *f);
/* Who waited meanwhile, once all findings are there: findings_wakers.c. */
int ct_findings_behind(struct ct_findings *f);
/* How much of the critical path they are, if the trace is not too long: findings_path.c. 0, -errno. */
int ct_findings_path(struct ct_findings *f, struct ct_reader *reader);
/* The sentences: findings_text.c. */
int ct_findings_texts(struct ct_findings *f);

/* A new finding with a key, or the one that there is. NULL without memory. */
struct ct_finding *ct_finding_of(struct ct_findings *f, enum ct_finding_kind kind, uint32_t cause, uint64_t key);
int ct_finding_add_thread(struct ct_finding *x, const struct ct_model *m, uint32_t thread, uint64_t count, uint64_t ns);
/* What makes places one finding: of a wait for an object at a call stack of the report. Sets *ret_known.
 * 0 or -ENOMEM. */
int ct_finding_key(struct ct_findings *f, uint32_t cause, uint32_t call, uint32_t callstack, const char *object,
		   const struct ct_known **ret_known, uint64_t *ret_key);
/* findings_kinds.c: makes kinds; adds up their times once findings are there. 0 or -ENOMEM. */
int ct_findings_kinds(struct ct_findings *f);
int ct_findings_times(struct ct_findings *f);
/* Whether two threads are of a kind. */
bool ct_findings_alike(const struct ct_findings *f, uint32_t a, uint32_t b);
/* Threads of the same kind that are selected. */
uint32_t ct_findings_kin(const struct ct_findings *f, uint32_t thread);
/* Time on a CPU; where that is not known, in no call. */
uint64_t ct_findings_ran(const struct ct_findings *f, uint32_t thread);

#endif
