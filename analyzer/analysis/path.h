/*
 * The critical path: what the end of a time had to wait for. Walked back from there: a
 * thread's running time is on the path; where it had stopped, the path goes over to the
 * thread that let it go on, at that moment. So time in which a thread waits for another
 * is never on the path, only what the other did; a wait that no thread ended is.
 */
#ifndef CT_PATH_H
#define CT_PATH_H

#include "lives.h"
#include "report.h"

enum ct_path_state {
	CT_PATH_RUNNING,
	CT_PATH_READY,     /* ready, but no CPU was free */
	CT_PATH_BLOCKED,   /* by no known thread: time, a device, the world outside */
	CT_PATH_RESUMING,  /* let go on, but not running yet */
	CT_PATH_STATES
};

/* A sum of path time. */
struct ct_path_row {
	uint32_t thread;
	uint8_t state, cause;    /* cause: of BLOCKED and RESUMING */
	uint32_t stack;          /* call stack: where it waited, or where what it held was released; CT_NO */
	uint64_t count, total_ns;
};

/* A lock, by the path's time in its critical sections. */
struct ct_path_lock {
	uint32_t object;         /* in ct_wakes.object */
	uint32_t cause;
	uint32_t stack;          /* of the model: where most of the path's time in it was released */
	char *label;
	uint64_t stack_ns;
	uint64_t claim_ns;       /* the path has come from a thread that waited since then; UINT64_MAX: it has not */
	uint64_t path_ns;        /* held by the path's thread while a thread where the path had been waited for it */
	uint64_t held_ns;        /* held by the path's thread while any thread waited */
	uint64_t resume_ns;      /* from release until the next holder ran */
	uint64_t wait_ns;        /* of all threads, on the path or not */
	uint64_t count;          /* critical sections on the path */
};

/* A time in which the path was in one thread. */
struct ct_path_leg {
	uint64_t from_ns, to_ns;
	uint32_t thread;
};

#define CT_PATH_PARTS 40u
#define CT_PATH_THREADS 256u

struct ct_path {
	const struct ct_model *m;
	struct ct_lives lives;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	uint64_t from_ns, to_ns; /* what was walked */
	uint32_t begin, end;     /* the threads where the path begins and ends */
	uint64_t state_ns[CT_PATH_STATES], unknown_ns;
	uint64_t jumps;
	CT_ARRAY(struct ct_path_leg, leg);   /* from the end to the begin */
	CT_ARRAY(struct ct_path_row, row);   /* most time first */
	CT_ARRAY(struct ct_path_row, thread); /* the same by thread alone */
	CT_ARRAY(struct ct_path_lock, lock); /* most path time first */
	struct ct_table row_by_hash, lock_by_object;
	/* How many threads ran at once, or were ready to. */
	uint64_t running_ns[CT_PATH_THREADS], active_ns[CT_PATH_THREADS]; /* time by number of threads */
	double running, active;              /* on average */
	double part[CT_PATH_PARTS];          /* running, in equal parts of the time */
	uint64_t alone_ns;                   /* at most one thread ran or was ready */
};

/* chosen: it ends in one of the threads that --thread selects. 0, -ENOMEM, -errno. Close in
 * either case. */
int ct_path_make(struct ct_path *p, const struct ct_model *m, struct ct_reader *reader, bool chosen);
void ct_path_close(struct ct_path *p);
/* path_parallel.c */
int ct_path_parallel(struct ct_path *p);

#endif
