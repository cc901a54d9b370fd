/*
 * The thread's ring: room in it is reserved, filled in and published, entry by entry. A thread
 * that fills its ring faster than the collector empties it gets a large one: see abi/region.h.
 */
#ifndef CT_RINGS_H
#define CT_RINGS_H

#include "state.h"

#pragma GCC visibility push(hidden)

/* The ring is half full, or a large one. Whether n entries find room, in a large ring if need be. */
bool ct_ring_room(struct ct_slot *slot, uint64_t n);

/* Reserves n entries, with numbers from *ret_number on; false: there is no room, and that has been counted. */
static inline bool ct_reserve(struct ct_slot *slot, uint64_t n, uint64_t *ret_number)
{
	/* Beyond all with CT_ON_LARGE. */
	uint64_t pending = ct_load(&slot->reserved_events) - ct_load(&slot->consumed);

	if (CT_UNLIKELY(pending >= CT_RING_EVENTS / 2) && !ct_ring_room(slot, n)) {
		ct_inc_local(&slot->dropped);
		return false;
	}
	/* One instruction: a handler takes the next number. */
	*ret_number = ct_fetch_add_local(&slot->reserved_events, n);
	return true;
}

/* The entry of a number that was reserved. Never out of bounds: a handler that forked leaves us with another
 * process's slot. */
static inline struct ct_event *ct_entry(struct ct_slot *slot, uint64_t number)
{
	if (CT_UNLIKELY(number & CT_ON_LARGE))
		return &ct_state.region->large[(slot->large - 1) % CT_LARGE_RINGS][number % CT_LARGE_EVENTS];
	return &slot->ring[number % CT_RING_EVENTS];
}

/* What an entry's seq is to be. */
static inline uint64_t ct_seq(uint64_t number)
{
	return (number & ~CT_ON_LARGE) + 1;
}

#pragma GCC visibility pop

#endif
