/*
 * The life of each thread as a chain: it goes on, it stops, somebody lets it go on.
 * All in memory, for what has to look back: 56 bytes a wait, 40 bytes a slice, 32 bytes
 * a HOLD or WAKE as wakes.h keeps them, and here 48 bytes a stop and 24 bytes a HOLD.
 */
#ifndef CT_LIVES_H
#define CT_LIVES_H

#include "wakes.h"

/* A thread could not go on from from_ns; at release_ns its waker let it; at to_ns it did. */
struct ct_stop {
	uint64_t from_ns, release_ns, to_ns; /* release: to, where it is not known */
	uint32_t waker;         /* a thread, or CT_NO */
	uint32_t waker_stack;   /* of the model, or CT_NO */
	uint32_t site;          /* in ct_wakes.site; CT_NO: in no call that is recorded */
	uint32_t wait;          /* place of the wait, or CT_NO */
	uint8_t ended;          /* enum ct_ended */
};

/* A lock was held while others waited for it. */
struct ct_held {
	uint64_t from_ns, to_ns;
	uint32_t lock;          /* place in ct_wakes.object */
	uint32_t stack;         /* of the model: where it was released */
};

struct ct_life {
	uint64_t from_ns, to_ns;
	uint32_t maker;         /* the thread that made it, or CT_NO */
	CT_ARRAY(struct ct_stop, stop); /* in order, disjoint */
	CT_ARRAY(struct ct_held, held); /* by begin */
};

struct ct_lives {
	const struct ct_model *m;
	struct ct_wakes wakes;
	struct ct_life *life;   /* one a thread of the model */
};

/* Where lives would take more memory than they may (4 GB, half of the machine's), makes a
 * window of the last part of the time that was asked for. What the whole would take,
 * about; 0: it may. */
uint64_t ct_lives_fit(struct ct_model *m);
/* Reads the trace once more. 0, -ENOMEM, -errno. Close in either case. */
int ct_lives_make(struct ct_lives *l, const struct ct_model *m, struct ct_reader *reader);
void ct_lives_close(struct ct_lives *l);
/* The first stop that ends after a moment: an index, stop_count if there is none. */
uint32_t ct_stop_after(const struct ct_life *l, uint64_t ns);
/* For how long a thread had a CPU in a time; all of it where there are no slices. */
uint64_t ct_ran_ns(const struct ct_lives *l, uint32_t thread, uint64_t from_ns, uint64_t to_ns);

#endif
