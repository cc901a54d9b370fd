/*
 * One pass over a trace for several who want its joined waits (wakes.h). Each is a thread of its
 * own, with its own copy of the model; the pass begins when all of them have asked, or have said
 * that they will not.
 */
#ifndef CT_WAKES_TOGETHER_H
#define CT_WAKES_TOGETHER_H

#include <pthread.h>

#include "wakes.h"

#define CT_TOGETHER_MOST 4u

struct ct_wakes_member {
	struct ct_wakes_together *all;
	bool came;
	/* Private: what it asked for. */
	struct ct_wakes *w;
	const struct ct_model *m;
	ct_wait_taker *take;
	void *self;
	int error;
};

struct ct_wakes_together {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct ct_wakes_member member[CT_TOGETHER_MOST];
	uint32_t count, waiting; /* waiting: have asked, or will not */
	bool begun, done;
	struct ct_wakes wakes;   /* the real one; the members' borrow from it until the close */
};

/* count: at most CT_TOGETHER_MOST. A member's model refers to it by ct_model.together. */
void ct_wakes_together_open(struct ct_wakes_together *t, uint32_t count);
void ct_wakes_together_close(struct ct_wakes_together *t);
/* A member that has ended, whether it has asked or not. */
void ct_wakes_together_leave(struct ct_wakes_member *k);

/* --- for wakes.c --- */
int ct_wakes_together_read(struct ct_wakes_member *k, struct ct_wakes *w, const struct ct_model *m, struct ct_reader *r,
			   ct_wait_taker *take, void *self);

#endif
