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
/* For a mutex whose holds are short, NULL if it is not one, or not hot: its waiters
 * are not counted. They keep it hot, and say that it is held, if it is for long. */
struct ct_hot *ct_hot_find_brief(const void *lock);
void ct_hot_keep(struct ct_hot *hot, uint64_t now, bool held);
void ct_hot_wait_end(struct ct_hot *hot, const void *lock);

/* For locks other than mutexes. The calling thread has got the lock, alone. */
void ct_hot_acquired(const void *lock);
/* It is about to release it. surely: somebody sleeps and is woken by that; other
 * releases are told at most once in the time from which on waits are written, however
 * often they are. True: event is to be written, with a stack, when that is done. */
bool ct_hot_release(const void *lock, uint16_t call, bool alone, bool surely, struct ct_event *event);

/* What threads counted by themselves: see held.h. */
void ct_hot_add(const void *lock, uint64_t acquisitions, uint64_t hold_ticks);
/* Whether its holds are short. */
void ct_hot_set_brief(const void *lock, bool brief);
/* Whether the lock has cooled down and become hot again since a moment. */
bool ct_hot_is_younger(const void *lock, uint64_t moment);
/* The holder takes what its waiters told it: since when it is waited for, 0: not
 * known. False: nobody waits, of those who would have told. */
bool ct_hot_told(const void *lock, uint64_t *since);

#pragma GCC visibility pop

#endif
