/* See held.h. */
#include "held.h"

#define PERIOD      64u
#define ADD_AT      1024u      /* acquisitions */
#define WAITERS_BIT 0x80000000u /* FUTEX_WAITERS */
#define CEILING     0xfff80000u /* PTHREAD_MUTEX_PRIO_CEILING_MASK */

static uint64_t microsecond(void)
{
	return ct_state.ticks_per_ms / 1000 + 1;
}

static void add(struct ct_held *h, uint64_t now)
{
	if (h->acquisitions || h->hold_ticks)
		ct_hot_add((const void *)h->lock, h->acquisitions, h->hold_ticks);
	h->acquisitions = 0;
	h->hold_ticks = 0;
	h->added = now;
}

static void time_it(struct ct_held *h, uint64_t now, uint8_t weight)
{
	h->acquired = now;
	h->weight = weight;
	h->acquisitions++;
	ct_barrier_local();
	h->timed = h->lock;
}

/* The thread's line for the mutex, which another may have had. */
static struct ct_held *line_of(struct ct_slot *slot, const void *lock, uint64_t now)
{
	struct ct_held *h = ct_held_of(slot, lock);

	if (h->lock == (uint64_t)lock)
		return h;
	if (h->lock)
		add(h, now);
	*h = (struct ct_held){ .lock = (uint64_t)lock, .added = now, .period = 1 };
	return h;
}

CT_COLD void ct_held_took(struct ct_slot *slot, const void *lock, uint64_t now)
{
	if (ct_held_takes(slot, lock))
		return;
	if (!now)
		now = ct_ticks();
	struct ct_held *h = line_of(slot, lock, now);

	time_it(h, now, h->period);
	h->marked = 0;
	h->since = now - h->sampled < UINT32_MAX ? (uint32_t)(now - h->sampled) : UINT32_MAX;
	h->sampled = now;
	/* The clock's last bits make it irregular, as what is measured may be regular. */
	h->period = h->shorts >= CT_HELD_SHORTS ? (uint8_t)(PERIOD / 2 + now % PERIOD) : 1;
	h->left = h->period - 1u;
}

CT_COLD void ct_held_waited(struct ct_slot *slot, const void *lock, uint64_t now, bool marked)
{
	struct ct_held *h = line_of(slot, lock, now);

	time_it(h, now, 1);
	h->marked = marked;
}

/* Now each is timed again. */
static void long_one(struct ct_held *h)
{
	if (h->shorts)
		ct_hot_set_brief((const void *)h->lock, false);
	h->shorts = 0;
	h->left = 0;
}

/* The timed hold ends. The holds that it stands for took no longer than they can have. */
static void account(struct ct_held *h, uint64_t now)
{
	uint64_t hold = now > h->acquired ? now - h->acquired : 0, ticks = hold * h->weight;
	uint64_t most = hold + h->since;

	h->hold_ticks += ticks < most ? ticks : most;
	if (hold > microsecond()) {
		long_one(h);
	} else if (h->shorts < CT_HELD_SHORTS) {
		h->shorts++;
	} else if (h->weight > 1) {
		ct_hot_set_brief((const void *)h->lock, true);
	}
	h->timed = 0;
	h->marked = 0;
	if (h->acquisitions >= ADD_AT || now - h->added > 1000 * microsecond())
		add(h, now);
}

/* Whether a thread may sleep on the mutex that the caller holds. */
static bool slept_on(const pthread_mutex_t *m)
{
	uint32_t word = (uint32_t)ct_load(&m->__data.__lock);
	int kind = ct_load(&m->__data.__kind);

	if (kind & (CT_KIND_ROBUST | CT_KIND_INHERIT))
		return word & WAITERS_BIT;
	return (kind & CT_KIND_PROTECT ? word & ~CEILING : word) > 1;
}

CT_COLD void ct_held_release(struct ct_slot *slot, const pthread_mutex_t *m, struct ct_release *r)
{
	const struct ct_held *h = ct_held_of(slot, m);

	r->since = 0;
	r->tell = slept_on(m);
	bool ours = h->lock == (uint64_t)m;

	/* Where holds are short nobody says that he waits. */
	if (r->tell && !(ours && h->shorts >= CT_HELD_SHORTS) && !ct_hot_told(m, &r->since) && ours && h->marked)
		r->tell = false;
	r->now = ct_ticks();
}

/* The lock cooled down in a hold that was timed, whose end nobody saw then: this is another one. */
static bool is_earlier(const struct ct_held *h, uint64_t now)
{
	return now - h->acquired > 1000 * microsecond() && ct_hot_is_younger((const void *)h->lock, h->acquired);
}

CT_COLD void ct_held_released(struct ct_slot *slot, const pthread_mutex_t *m, uint16_t call, uint32_t stack,
			      const struct ct_release *r)
{
	struct ct_held *h = ct_held_of(slot, m);
	uint64_t start = r->since;

	if (r->tell && !start)
		ct_hot_told(m, &start);
	if (h->timed == (uint64_t)m && is_earlier(h, r->now)) {
		h->timed = 0;
		h->marked = 0;
	} else if (h->timed == (uint64_t)m) {
		start = h->acquired;
		account(h, r->now);
	} else if (h->lock == (uint64_t)m && start && start + microsecond() < r->now) {
		/* A long one among the short ones, and at least that long. */
		h->hold_ticks += r->now - start;
		long_one(h);
	}
	if (!r->tell)
		return;
	bool known = start && start <= r->now;
	struct ct_event e = {
		.start = known ? start : r->now,
		.end = r->now,
		.object = (uint64_t)m,
		.stack = stack ? stack : ct_stack(slot),
		.call = call,
		.kind = CT_EVENT_HOLD,
		.cause = CT_CAUSE_MUTEX,
		.flags = known ? 0 : CT_EV_NO_START,
		.object_kind = CT_OBJECT_ADDRESS,
	};

	ct_write_event(slot, &e);
}

CT_COLD void ct_mutex_leave(struct ct_interval *v, uint16_t call, const pthread_mutex_t *m)
{
	struct ct_release r;

	if (!ct_held_tells(v->slot, m))
		return;
	ct_held_release(v->slot, m, &r);
	ct_held_released(v->slot, m, call, v->stack, &r);
}

CT_COLD void ct_mutex_leave_silent(const pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_thread.slot;

	if (!slot)
		return;
	struct ct_held *h = ct_held_of(slot, m);

	if (h->timed == (uint64_t)m)
		h->timed = 0;
}

CT_COLD void ct_held_end(struct ct_slot *slot)
{
	for (uint32_t i = 0; i < CT_HELD; i++)
		if (slot->held[i].lock)
			add(&slot->held[i], 0);
}

/* The entry of the lock, by its distance from the last one; CT_TAKEN: none. */
static uint32_t distance(const struct ct_slot *slot, const void *lock, uint64_t depth)
{
	uint32_t n = 0;

	while (n < CT_TAKEN && slot->taken[(depth - 1 - n) % CT_TAKEN].lock != (uint64_t)lock)
		n++;
	return n;
}

CT_COLD void ct_taken_release(struct ct_slot *slot, uint16_t call, const void *lock)
{
	uint64_t depth = ct_taken_depth(slot);
	uint32_t n = distance(slot, lock, depth);

	/* Those that were taken after it and are still held. */
	for (; n && n < CT_TAKEN; n--) {
		struct ct_taken *to = &slot->taken[(depth - 1 - n) % CT_TAKEN];
		const struct ct_taken *from = &slot->taken[(depth - n) % CT_TAKEN];

		ct_store(&to->lock, from->lock);
		ct_store(&to->ip, from->ip);
	}
	if (!ct_taken_counts(call) && !n)
		ct_add_local(&slot->taken_more, -1ull);
	else if (ct_taken_counts(call) && n)
		ct_inc_local(&slot->taken_more);
}

CT_COLD void ct_taken_again(struct ct_slot *slot, const void *lock, const void *ip)
{
	uint64_t depth = ct_taken_depth(slot);
	uint32_t n = distance(slot, lock, depth);

	if (n < CT_TAKEN)
		ct_store(&slot->taken[(depth - 1 - n) % CT_TAKEN].ip, (uint64_t)ip);
}
