/* The table of hot locks. See hot.h and struct ct_hot in abi/region.h. */
#include "hot.h"

#include "record.h"

#define WAITERS 0xffffu
#define KEEP_MS 50u /* of the second for which a lock stays hot */

static struct ct_hot *entry(uint64_t address, uint32_t probe)
{
	return &ct_state.region->hot[(ct_hot_hash(address) + probe) % CT_HOT_LOCKS];
}

static struct ct_hot *find(const void *lock)
{
	uint64_t address = (uint64_t)lock;

	for (uint32_t i = 0; i < CT_HOT_PROBES; i++) {
		struct ct_hot *h = entry(address, i);

		if (ct_load_acquire(&h->word) >> 16 == address)
			return h;
	}
	return NULL;
}

static bool add_waiter(struct ct_hot *h, uint64_t address)
{
	uint64_t word = ct_load(&h->word);

	while (word >> 16 == address && (word & WAITERS) < WAITERS)
		if (ct_cas(&h->word, &word, word + 1)) {
			ct_store(&h->last_wait, ct_ticks());
			return true;
		}
	return false;
}

CT_COLD struct ct_hot *ct_hot_wait_begin(const void *lock, enum ct_cause kind)
{
	uint64_t address = (uint64_t)lock;
	struct ct_hot *h = find(lock);

	if (address >> 48)
		return NULL;
	if (h && add_waiter(h, address))
		return h;
	for (uint32_t i = 0; i < CT_HOT_PROBES; i++) {
		uint64_t word = 0;

		h = entry(address, i);
		if (!ct_cas(&h->word, &word, address << 16 | 1)) {
			/* Another thread may have been faster with the same lock. */
			if (word >> 16 == address && add_waiter(h, address))
				return h;
			continue;
		}
		/* The collector left the counters zero. When the holder got the lock
		 * is not known; that it has it now is. */
		uint64_t now = ct_ticks(), unknown = 0;

		h->kind = kind;
		ct_store(&h->born, now);
		ct_cas(&h->acquired, &unknown, now);
		ct_store(&h->last_wait, now);
		__atomic_fetch_add(&ct_state.region->hot_filter[ct_hot_hash(address)].hot, 1, __ATOMIC_RELAXED);
		return h;
	}
	return NULL;
}

CT_COLD void ct_hot_wait_end(struct ct_hot *h, const void *lock)
{
	uint64_t word = ct_load(&h->word);

	while (word >> 16 == (uint64_t)lock && (word & WAITERS))
		if (ct_cas(&h->word, &word, word - 1))
			break;
}

CT_COLD struct ct_hot *ct_hot_find_brief(const void *lock)
{
	struct ct_hot *h = ct_hot_maybe(lock) ? find(lock) : NULL;

	return h && ct_load(&h->brief) ? h : NULL;
}

CT_COLD void ct_hot_set_brief(const void *lock, bool brief)
{
	struct ct_hot *h = find(lock);

	if (h && ct_load(&h->brief) != brief)
		ct_store(&h->brief, brief);
}

CT_COLD void ct_hot_keep(struct ct_hot *h, uint64_t now, bool held)
{
	uint64_t unknown = 0;

	/* Rarely: all who look for the lock read this line. */
	if (now - ct_load(&h->last_wait) > ct_state.ticks_per_ms * KEEP_MS)
		ct_store(&h->last_wait, now);
	if (held && !ct_load(&h->acquired))
		ct_cas(&h->acquired, &unknown, now);
}

CT_COLD void ct_hot_add(const void *lock, uint64_t acquisitions, uint64_t hold_ticks)
{
	struct ct_hot *h = find(lock);

	if (!h)
		return;
	ct_fetch_add(&h->acquisitions, acquisitions);
	ct_fetch_add(&h->hold_ticks, hold_ticks);
}

CT_COLD bool ct_hot_is_younger(const void *lock, uint64_t moment)
{
	const struct ct_hot *h = find(lock);

	return h && ct_load(&h->born) > moment;
}

CT_COLD bool ct_hot_told(const void *lock, uint64_t *since)
{
	struct ct_hot *h = find(lock);

	*since = h ? ct_load(&h->acquired) : 0;
	if (*since)
		ct_store(&h->acquired, 0);
	return h && (ct_load(&h->word) & WAITERS || ct_load(&h->brief));
}

CT_COLD void ct_hot_acquired(const void *lock)
{
	struct ct_hot *h = find(lock);

	if (!h)
		return;
	/* We hold the lock: nobody else writes these. */
	h->acquisitions++;
	h->acquired = ct_ticks();
}

CT_COLD bool ct_hot_release(const void *lock, uint16_t call, bool alone, bool surely, struct ct_event *event)
{
	struct ct_hot *h = find(lock);

	if (!h)
		return false;
	uint64_t now = ct_ticks(), acquired = alone ? h->acquired : 0;

	if (alone) {
		h->acquired = 0;
		if (acquired && acquired < now)
			h->hold_ticks += now - acquired;
	}
	if (!(ct_load(&h->word) & WAITERS))
		return false;
	if (!surely && now - ct_load(&h->told) < ct_load(&ct_live.min_ticks) &&
	    (!acquired || now - acquired < ct_load(&ct_live.min_ticks)))
		return false;
	ct_store(&h->told, now);
	*event = (struct ct_event){
		.start = acquired ? acquired : now,
		.end = now,
		.object = (uint64_t)lock,
		.call = call,
		.kind = CT_EVENT_HOLD,
		.cause = (uint8_t)h->kind,
		.flags = acquired ? 0 : CT_EV_NO_START,
		.object_kind = CT_OBJECT_ADDRESS,
	};
	return true;
}
