/* See rings.h. */
#include "rings.h"

#define ALL_TAKEN ((uint32_t)((1ull << CT_LARGE_RINGS) - 1))

/* Gives a slot a large ring; false: there is none left. Handlers may do the same in between. */
static bool grow(struct ct_slot *slot)
{
	struct ct_region *r = ct_state.region;
	uint32_t taken = ct_load(&r->large_taken), bit;
	uint64_t none = 0, place;

	do {
		if (taken == ALL_TAKEN || !ct_map_large())
			return false;
		place = (uint64_t)__builtin_ctz(~taken);
		bit = 1u << place;
	} while (!ct_cas(&r->large_taken, &taken, taken | bit));
	if (!ct_cas(&slot->large, &none, place + 1))
		ct_release_bits(&r->large_taken, bit); /* a handler was faster */
	else if (!(ct_load(&r->large_taken) & bit)) {
		/* A handler forked: this is the child's region, in which nothing was taken. */
		ct_store(&slot->large, 0);
		return false;
	}
	ct_or_local(&slot->reserved_events, CT_ON_LARGE);
	return true;
}

__attribute__((noinline)) bool ct_ring_room(struct ct_slot *slot, uint64_t n)
{
	bool large = ct_load(&slot->reserved_events) & CT_ON_LARGE || grow(slot);
	uint64_t pending = (ct_load(&slot->reserved_events) & ~CT_ON_LARGE) - ct_load(&slot->consumed);

	return pending + n <= (large ? CT_LARGE_EVENTS : CT_RING_EVENTS) - CT_RING_SLACK;
}
