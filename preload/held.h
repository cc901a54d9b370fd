/*
 * What a thread knows of the hot mutexes that it takes, in its own memory: how
 * often, and for how long it held them.
 *
 * Every hold is timed until so many in a row were short that the clock would
 * cost as much as what it measures. From then on one in about 64 is timed and
 * stands for those since the one before. A hold that others waited for is told
 * by a HOLD event, timed or not: glibc marks a mutex that a waiter sleeps on, and
 * to release it takes a system call anyway.
 */
#ifndef CT_HELD_H
#define CT_HELD_H

#include <pthread.h>

#include "hot.h"
#include "record.h"

#pragma GCC visibility push(hidden)

#define CT_HELD_SHORTS 64u /* short holds in a row, after which not every one is timed */

/* Bits of __data.__kind: see glibc's nptl/pthreadP.h. */
#define CT_KIND_RECURSIVE 1
#define CT_KIND_TYPE      3
#define CT_KIND_ROBUST    16
#define CT_KIND_INHERIT   32
#define CT_KIND_PROTECT   64

/* glibc keeps the holder's tid in the lock. */
static inline uint32_t ct_mutex_owner(const pthread_mutex_t *m)
{
	return (uint32_t)ct_load(&m->__data.__owner);
}

/* Held by the calling thread, and once only: the next unlock releases it. */
static inline bool ct_held_once(const struct ct_slot *slot, const pthread_mutex_t *m)
{
	return ct_mutex_owner(m) == slot->tid &&
	       ((m->__data.__kind & CT_KIND_TYPE) != CT_KIND_RECURSIVE || m->__data.__count == 1);
}

static inline struct ct_held *ct_held_of(struct ct_slot *slot, const void *lock)
{
	return &slot->held[ct_hot_hash((uint64_t)lock) % CT_HELD];
}

/* The calling thread took the hot mutex; now: ticks, 0: not read yet. */
void ct_held_took(struct ct_slot *slot, const void *lock, uint64_t now);
/* The same for one that is about to be tried, where it can be said without
 * looking at the clock: false if not. What is done before the mutex is taken keeps
 * nobody waiting. */
static inline bool ct_held_takes(struct ct_slot *slot, const void *lock)
{
	struct ct_held *h = ct_held_of(slot, lock);

	if (CT_UNLIKELY(h->lock != (uint64_t)lock) || CT_UNLIKELY(!h->left))
		return false;
	h->left--;
	h->acquisitions++;
	h->timed = 0;
	return true;
}

static inline void ct_held_takes_not(struct ct_slot *slot, const void *lock)
{
	struct ct_held *h = ct_held_of(slot, lock);

	/* A handler may have taken the line for another lock meanwhile. */
	if (h->lock != (uintptr_t)lock || !h->acquisitions)
		return;
	h->left++;
	h->acquisitions--;
}

/* The same after a wait: this hold is timed. marked: glibc may have marked the mutex
 * as slept on without looking whether it is. */
void ct_held_waited(struct ct_slot *slot, const void *lock, uint64_t now, bool marked);

/* Whether to release the hot mutex is a word: it is slept on, as it may seem of those
 * kinds that keep the holder there, or this hold is timed. */
static inline bool ct_held_tells(struct ct_slot *slot, const pthread_mutex_t *m)
{
	return (uint32_t)ct_load(&m->__data.__lock) > 1 || ct_held_of(slot, m)->timed == (uint64_t)m;
}

/* The calling thread releases the hot mutex. What must be known before it does so; what
 * follows when it has, since all that is done before it keeps others waiting. */
struct ct_release {
	uint64_t now;   /* ticks */
	uint64_t since; /* what waiters told, 0: nothing, or not asked yet */
	bool tell;      /* of the hold, since somebody may wait */
};
void ct_held_release(struct ct_slot *slot, const pthread_mutex_t *m, struct ct_release *r);
/* stack: 0: to be captured. */
void ct_held_released(struct ct_slot *slot, const pthread_mutex_t *m, uint16_t call, uint32_t stack,
		      const struct ct_release *r);

/*
 * Where the thread took the locks that it holds alone: for the collector, which asks
 * when others wait for one of them. What is noted counts only as far as the lock itself
 * says that the thread holds it: nothing is lost but a place where a lock is released
 * by another thread, or by a handler that leaves with longjmp, or where more are held
 * than there is room for. Their number is that of the calls, since those are counted
 * anyway: pthread_mutex_lock and pthread_mutex_unlock change it by themselves. First
 * comes the count, then the note: a handler in between goes on above it.
 */
static inline void ct_taken_note(struct ct_slot *slot, const void *lock, const void *ip)
{
	struct ct_taken *t = &slot->taken[(ct_taken_depth(slot) - 1) % CT_TAKEN];

	ct_store(&t->lock, (uint64_t)lock);
	ct_store(&t->ip, (uint64_t)ip);
}

static inline bool ct_taken_counts(uint16_t call)
{
	return call == CT_CALL_pthread_mutex_lock || call == CT_CALL_pthread_mutex_unlock;
}

/* The call took the lock, and is counted. */
static inline void ct_taken(struct ct_slot *slot, uint16_t call, const void *lock, const void *ip)
{
	if (!ct_taken_counts(call))
		ct_inc_local(&slot->taken_more);
	ct_taken_note(slot, lock, ip);
}

/* The lock that was taken last, most often the next to be released. */
static inline bool ct_taken_is_last(const struct ct_slot *slot, const void *lock)
{
	return slot->taken[(ct_taken_depth(slot) - 1) % CT_TAKEN].lock == (uint64_t)lock;
}

/* For a lock that is not the last one taken. */
void ct_taken_release(struct ct_slot *slot, uint16_t call, const void *lock);
/* The call, which is not counted yet, is about to release the lock. */
static inline void ct_taken_leave(struct ct_slot *slot, uint16_t call, const void *lock)
{
	if (CT_UNLIKELY(!ct_taken_is_last(slot, lock)))
		ct_taken_release(slot, call, lock);
	else if (!ct_taken_counts(call))
		ct_add_local(&slot->taken_more, -1ull);
}

/* A condition's wait has released the mutex and taken it again. */
void ct_taken_again(struct ct_slot *slot, const void *lock, const void *ip);

/* The mutex is taken by the calling thread, which did not wait for it. */
static inline void ct_mutex_got(struct ct_slot *slot, uint16_t call, const pthread_mutex_t *m, const void *ip)
{
	ct_inc_local(&slot->calls[call]);
	ct_taken(slot, call, m, ip);
	if (CT_UNLIKELY(ct_hot_maybe(m)) && ct_held_once(slot, m))
		ct_held_took(slot, m, 0);
}

/* A wait for the mutex, from an attempt that failed. */
struct ct_mutex_wait {
	struct ct_hot *hot; /* NULL: not hot */
	bool counted;       /* the thread is among the waiters there */
};
struct ct_mutex_wait ct_mutex_begin(struct ct_interval *v, uint16_t call, const pthread_mutex_t *m, const void *ip);
void ct_mutex_end(struct ct_interval *v, struct ct_mutex_wait w, const pthread_mutex_t *m, const void *ip, int r);

/* Around a condition's wait, inside of which the mutex is released and taken again. */
void ct_mutex_leave(struct ct_interval *v, uint16_t call, const pthread_mutex_t *m);

/* The same where it is not recorded: the hold ends here, and the next one is not timed. */
void ct_mutex_leave_silent(const pthread_mutex_t *m);

/* Adds what is not added yet: the thread ends. */
void ct_held_end(struct ct_slot *slot);

#pragma GCC visibility pop

#endif
