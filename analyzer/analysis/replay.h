/*
 * What would be if something took less time: the threads' lives are replayed.
 *
 * A life becomes a list of steps: run for so long, sleep for so long, tell that this
 * point is reached, wait until another thread has reached a point, take a lock, give
 * it back. Points and sleeps are the trace's. Locks whose holds are in the trace are
 * not bound to its order: who comes to a free lock gets it, as with glibc's mutexes,
 * unless it waited in the trace and another is on its way to the lock.
 * Running threads share the CPUs that the trace saw; time for which a thread was ready
 * while the program itself did not use all of them is taken as it was.
 */
#ifndef CT_REPLAY_H
#define CT_REPLAY_H

#include "lives.h"

/* What is changed. Each may be NULL: nothing of that kind is. */
struct ct_change {
	const bool *lock;       /* by ct_wakes.object: its critical sections */
	const bool *site;       /* by ct_wakes.site: waits there that no thread ended */
	const bool *stack;      /* by stack of the model: what is held and released there */
	const bool *thread;     /* by thread: its running time */
	double scale;           /* 0: gone */
	uint32_t split;         /* the locks become so many each; 0, 1: they stay one */
};

struct ct_prediction {
	uint64_t wall_ns;       /* when the thread that the path ends in has ended */
	uint64_t broken;        /* waits that had to be cut short: they were for each other */
	uint64_t steps;
	bool complete;          /* that thread came to its end */
};

struct ct_step {
	uint64_t ns;            /* of a lock: whether it had to be waited for in the trace */
	uint32_t what;          /* point, lock */
	uint32_t delay_ns;      /* until it runs, when it had to wait */
	uint8_t kind;
};

struct ct_point {
	uint64_t ns;
	uint32_t what;
	uint8_t kind;
};

struct ct_replayed_thread {
	CT_ARRAY(struct ct_point, point);
	CT_ARRAY(struct ct_step, step);
};

struct ct_replay {
	const struct ct_lives *lives;
	struct ct_replayed_thread *thread;
	bool placed;            /* the points are there */
	uint32_t points;        /* in all */
	uint32_t cpus;          /* 0: as many as are wanted */
	uint32_t end;           /* the thread whose end counts */
	uint64_t from_ns;
	/* For how long the program itself had used all CPUs, by time. */
	CT_ARRAY(struct ct_full, full);
};

struct ct_full {
	uint64_t ns, before_ns;
	bool is_full;
};

/* Memory: 24 bytes a step, about four a stop. 0 or -ENOMEM. Close in either case. */
int ct_replay_open(struct ct_replay *r, const struct ct_lives *l, uint32_t end, uint64_t from_ns);
void ct_replay_close(struct ct_replay *r);
int ct_replay_run(struct ct_replay *r, const struct ct_change *change, struct ct_prediction *ret);

/* --- between replay.c and replay_steps.c --- */

enum ct_step_kind {
	CT_STEP_RUN,
	CT_STEP_SLEEP,
	CT_STEP_POINT,  /* reached */
	CT_STEP_WAIT,   /* for a point */
	CT_STEP_TAKE,   /* a lock */
	CT_STEP_SHARE,  /* a lock, for reading: until nobody has it */
	CT_STEP_GIVE,
	CT_STEP_STAY,   /* for ever */
};

int ct_replay_steps(struct ct_replay *r, const struct ct_change *change);

#endif
