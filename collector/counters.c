/* Counters in shared memory as differences in the trace: calls, locks, losses. */
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "process.h"

#define COUNTED_MAX (1u << 19) /* of all threads of a process; what comes then is not counted */
#define HOT_NS_MS 1000.0 /* a lock that nobody waited for this long is not hot */

/* --- calls --- */

static uint64_t ticks_to_ns(const struct ct_trace *t, const struct ct_process *p, uint64_t ticks)
{
	double rate = p->clock == CT_CLOCK_TSC ? ct_clock_rate(&t->clock) : 1e9;

	if (rate <= 0)
		rate = p->ticks_per_ms * 1e3;
	double ns = (double)ticks / rate * 1e9;

	return ns < 9e18 ? (uint64_t)ns : 0;
}

/* What was counted of a call so far; NULL without memory. */
static struct ct_counted *counted_of(struct ct_process *p, struct ct_thread *th, uint32_t call)
{
	if (!th->counted_index[call]) {
		if (th->counted_used == th->counted_size) {
			uint16_t size = th->counted_size ? (uint16_t)(th->counted_size * 2) : 4;

			if (p->counted + size - th->counted_size > COUNTED_MAX)
				return NULL;
			struct ct_counted *larger = realloc(th->counted, size * sizeof(*larger));

			if (!larger)
				return NULL;
			p->counted += size - th->counted_size;
			th->counted = larger;
			th->counted_size = size;
		}
		th->counted[th->counted_used] = (struct ct_counted){ 0 };
		th->counted_index[call] = ++th->counted_used;
	}
	return &th->counted[th->counted_index[call] - 1];
}

static void count_call(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint32_t call)
{
	const struct ct_slot *s = &p->region->slots[th->slot];
	uint64_t calls = ct_load(&s->calls[call]), buckets[CT_SHORT_BUCKETS] = { 0 };

	struct ct_counted *c = counted_of(p, th, call);

	/* Short calls are only added to when calls is. */
	if (!c || calls <= c->calls) {
		th->damaged += c && calls < c->calls;
		return;
	}
	uint64_t ticks = ct_load(&s->short_[call].ticks), n = 0;

	for (uint32_t b = 0; b < CT_SHORT_BUCKETS; b++) {
		uint32_t count = ct_load(&s->short_[call].count[b]);

		buckets[b] = count - c->short_.count[b];
		c->short_.count[b] = count;
		if (buckets[b])
			n = b + 1;
	}
	struct ct_record r = { .type = CT_RECORD_COUNTERS, .counters = {
		.thread = th->id,
		.call = call,
		.calls = calls - c->calls,
		.short_ns = ticks >= c->short_.ticks ? ticks_to_ns(t, p, ticks - c->short_.ticks) : 0,
		.short_ticks = { .v = buckets, .n = n },
	} };

	c->calls = calls;
	c->short_.ticks = ticks;
	ct_writer_record(&t->writer, &r);
}

void ct_counters_thread(struct ct_trace *t, struct ct_process *p, struct ct_thread *th)
{
	const uint64_t *calls = p->region->slots[th->slot].calls;

	/* Most are not called: threads may be many. */
	for (uint32_t call = 1; call < CT_CALL_COUNT; call++)
		if (ct_load(&calls[call]))
			count_call(t, p, th, call);
}

/* --- locks --- */

static void uncount_filter(struct ct_region *r, uint64_t address)
{
	uint8_t *entry = &r->hot_filter[ct_hot_hash(address)].hot;
	uint8_t n = ct_load(entry);

	/* One that was full once has forgotten its count. */
	while (n && n != UINT8_MAX && !ct_cas(entry, &n, (uint8_t)(n - 1)))
		;
}

static void lock_pass(struct ct_trace *t, struct ct_process *p, uint32_t i)
{
	struct ct_hot *hot = &p->region->hot[i];
	struct ct_lock_seen *seen = &p->locks[i];
	uint64_t word = ct_load_acquire(&hot->word), address = word >> 16;

	if (!word)
		return;
	/* The app begins anew with every lock that enters the table. */
	uint64_t acquisitions = ct_load(&hot->acquisitions), hold = ct_load(&hot->hold_ticks);

	if (acquisitions < seen->acquisitions || hold < seen->hold_ticks)
		*seen = (struct ct_lock_seen){ 0 };
	if (acquisitions > seen->acquisitions) {
		uint64_t cause = ct_load(&hot->kind);
		struct ct_record r = { .type = CT_RECORD_LOCK, .lock = {
			.process = p->id,
			.address = address,
			.cause = cause < CT_CAUSE_COUNT ? cause : CT_CAUSE_NONE,
			.acquisitions = acquisitions - seen->acquisitions,
			.hold_ns = ticks_to_ns(t, p, hold - seen->hold_ticks),
		} };

		ct_writer_record(&t->writer, &r);
		*seen = (struct ct_lock_seen){ acquisitions, hold };
	}
	uint64_t last_wait = ct_load(&hot->last_wait), latest = ct_process_latest(t, p);

	if (word & 0xffff || last_wait > latest ||
	    latest - last_wait < (uint64_t)(p->ticks_per_ms * HOT_NS_MS))
		return;
	/* What was counted is taken. Zero before the entry is free, so that the
	 * next lock's counters are not ours even before its owner clears them. */
	ct_store(&hot->acquisitions, 0);
	ct_store(&hot->hold_ticks, 0);
	ct_store(&hot->acquired, 0);
	ct_store(&hot->brief, 0);
	ct_store(&hot->told, 0);
	*seen = (struct ct_lock_seen){ 0 };
	if (ct_cas(&hot->word, &word, 0))
		uncount_filter(p->region, address);
}

void ct_counters_locks(struct ct_trace *t, struct ct_process *p)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const word *filter = (const word *)p->region->hot_filter;
	uint64_t any = 0;

	/* No lock is hot: leave the table's memory untouched. */
	for (uint32_t i = 0; i < sizeof(p->region->hot_filter) / (sizeof(word)); i++)
		any |= ct_load(&filter[i]);
	if (!any)
		return;
	if (!t->synced)
		ct_trace_sync(t);
	for (uint32_t i = 0; i < CT_HOT_LOCKS; i++)
		lock_pass(t, p, i);
}

/* --- losses --- */

static void write_loss(struct ct_trace *t, uint32_t process, uint32_t thread, uint32_t what, uint64_t count)
{
	struct ct_record r = { .type = CT_RECORD_LOSS, .loss = {
		.process = process,
		.thread = thread,
		.what = what,
		.count = count,
	} };

	if (count)
		ct_writer_record(&t->writer, &r);
}

/* How much a counter grew since *seen; a counter that shrank is damage. */
static uint64_t grown(uint64_t now, uint64_t *seen, uint64_t *damaged)
{
	uint64_t n = now - *seen;

	if (now < *seen) {
		(*damaged)++;
		n = 0;
	}
	*seen = now;
	return n;
}

void ct_counters_loss(struct ct_trace *t, struct ct_process *p, struct ct_thread *th)
{
	const struct ct_region *r = p->region;

	if (th) {
		uint64_t dropped = grown(ct_load(&r->slots[th->slot].dropped), &th->dropped, &th->damaged);

		t->lost += dropped;
		p->lost += dropped;
		write_loss(t, p->id, th->id, CT_LOSS_EVENTS, dropped + th->lost);
		write_loss(t, p->id, th->id, CT_LOSS_DAMAGED, th->damaged);
		th->lost = th->damaged = 0;
		return;
	}
	uint64_t modules = ct_load(&r->modules_used);

	modules = modules > CT_MODULES ? modules - CT_MODULES : 0;
	write_loss(t, p->id, 0, CT_LOSS_STACKS, grown(ct_load(&r->stacks_lost), &p->stacks_lost, &p->damaged));
	write_loss(t, p->id, 0, CT_LOSS_THREADS, grown(ct_load(&r->threads_lost), &p->threads_lost, &p->damaged));
	write_loss(t, p->id, 0, CT_LOSS_MODULES, grown(modules, &p->modules_lost, &p->damaged));
	write_loss(t, p->id, 0, CT_LOSS_DAMAGED, p->damaged);
	p->damaged = 0;
}
