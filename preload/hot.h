/*
 * Hot locks: those that threads waited for within the last second. While a
 * lock is hot its acquisitions are timed, and its holder publishes how long
 * others waited for it; all other locks pay for the look into a byte.
 */
#ifndef CT_HOT_H
#define CT_HOT_H

#include "state.h"

#pragma GCC visibility push(hidden)

/* May the lock be hot? */
static inline bool ct_hot_maybe(const void *lock)
{
	return ct_load(&ct_state.region->hot_filter[ct_hot_hash((uint64_t)lock)].hot) != 0;
}

/* A thread begins to wait for the lock: it becomes hot. Returns its entry for
 * ct_hot_wait_end, NULL where there is no room. */
struct ct_hot *ct_hot_wait_begin(const void *lock, enum ct_cause kind);
void ct_hot_wait_end(struct ct_hot *hot, const void *lock);

/* The calling thread has got the lock, or is about to release it. The latter
 * writes a HOLD event when others wait. */
void ct_hot_acquired(const void *lock);
void ct_hot_release(struct ct_slot *slot, const void *lock, uint16_t call, bool exclusive);

#pragma GCC visibility pop

#endif
