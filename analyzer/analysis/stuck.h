/*
 * Waits that have not ended: which of them never can.
 *
 * A thread that waits may go on if those can whom it waits for: the holder of its
 * lock (all of them, where readers hold it), the thread that it joins; or, where
 * anybody may end its wait (a condition, a semaphore, a lock whose holder is not
 * known), any thread of a process that is still there. Waits for the world
 * outside and those with a time limit may always end. Threads that may not go on
 * by these rules are stuck for good: those that wait for each other are a
 * deadlock, the others stall. What is not known counts as able to go on.
 */
#ifndef CT_STUCK_H
#define CT_STUCK_H

#include "model.h"

enum ct_stuck_how {
	CT_HOW_OUTSIDE,  /* may end at any time */
	CT_HOW_THREADS,  /* when all of its edges do something */
	CT_HOW_ANYBODY,  /* that, and any thread can end it */
	CT_HOW_CHILDREN, /* when a child process ends */
};

enum ct_stuck_why {
	CT_STUCK_NOT,    /* it may end */
	CT_STUCK_CYCLE,
	CT_STUCK_ENDED,  /* the holder of its lock has ended */
	CT_STUCK_BEHIND, /* it waits for a thread that is stuck */
	CT_STUCK_NOBODY, /* no thread is left that could end it */
	CT_STUCK_HOLDER, /* it may end, but the holder of its lock waits for something else */
};

enum ct_edge_kind {
	CT_EDGE_HOLDER,
	CT_EDGE_READER,
	CT_EDGE_WRITER,  /* queues before it */
	CT_EDGE_MUTEX,   /* holds the mutex of its condition */
	CT_EDGE_END,     /* must end */
};

/* Whom a wait is for. */
struct ct_edge {
	uint32_t to;     /* thread */
	enum ct_edge_kind kind;
	uint32_t stack;  /* the model's: where it took the lock; CT_NO: not known */
};

struct ct_pending {
	uint32_t thread;
	struct ct_site_info info;
	uint64_t start_ns, seen_ns;
	enum ct_stuck_how how;
	bool limited;    /* a call with a time limit */
	bool stale;      /* the owner that it noted has released the lock since */
	bool hedged;     /* a signal handler, or a limit that is not known, may end it */
	uint32_t edge, edge_count;   /* in struct ct_stuck */
	uint64_t wakes, last_wake_ns; /* calls that ended others' waits for the object since */
	uint32_t waker;  /* thread of the last one, or CT_NO */
	uint32_t next;   /* 1 + index: another wait for the same object */
	enum ct_stuck_why why;
	uint32_t cycle;  /* or CT_NO */
};

struct ct_cycle {
	uint32_t first, count; /* in member */
};

struct ct_stuck {
	const struct ct_model *model;
	CT_ARRAY(struct ct_pending, pending);
	CT_ARRAY(struct ct_edge, edge);
	CT_ARRAY(struct ct_cycle, cycle);
	CT_ARRAY(uint32_t, member); /* of cycles: index into pending, each waits for the next where that can be */
	uint32_t *pending_of;       /* 1 + index by thread; 0: none */
	uint8_t *may_go;            /* by thread */
	struct ct_table by_object;  /* 1 + index of the first by hash of process and object */
	uint64_t events;            /* in the trace */
};

/* Finds them in a trace whose records are loaded. 0, -ENOMEM, -errno. Close in
 * either case. */
int ct_stuck_find(struct ct_stuck *s, const struct ct_model *m, struct ct_reader *r);
void ct_stuck_close(struct ct_stuck *s);
/* Of a loaded model: whether looking for them is worth the time. */
bool ct_stuck_maybe(const struct ct_model *m);

/* Parts. stuck_waits.c: reads the waits. stuck_edges.c: whom they are for. */
int ct_stuck_waits(struct ct_stuck *s, struct ct_reader *r);
int ct_stuck_edges(struct ct_stuck *s);
/* Whether a thread was there when the trace, or its process, ended. */
bool ct_stuck_is_there(const struct ct_stuck *s, uint32_t thread);
/* Whether a process was there when another one ended, or the trace. */
bool ct_stuck_outlives(const struct ct_model *m, uint32_t process, uint32_t other);
/* The first wait for an object of a process, 1 + index, or 0. */
uint32_t ct_stuck_for(const struct ct_stuck *s, uint32_t process, uint64_t object);
uint64_t ct_pending_ns(const struct ct_pending *p);

#endif
