/* See lock_details.h. */
#include "lock_details.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* When a lock has so many waits, all but the last are counted. */
#define SPANS_MAX  65536u
#define SPANS_KEPT 4096u

static uint32_t find(const struct ct_lock_details *d, uint32_t process, uint64_t address, uint64_t *ret_key)
{
	uint64_t key = ct_mix(address ^ ct_mix(process + 1ull));
	uint32_t at;

	for (; (at = ct_table_get(&d->lock_by_hash, key)); key++)
		if (d->lock[at - 1].process == process && d->lock[at - 1].address == address)
			return at - 1;
	*ret_key = key;
	return CT_NO;
}

uint32_t ct_lock_detail_of(const struct ct_lock_details *d, uint32_t process, uint64_t address)
{
	uint64_t key;

	return find(d, process, address, &key);
}

static uint32_t make(struct ct_lock_details *d, uint32_t process, uint64_t address)
{
	uint64_t key;
	uint32_t at = find(d, process, address, &key);

	if (at != CT_NO)
		return at;
	struct ct_lock_detail *l = CT_APPEND(d, lock);

	if (!l || ct_table_put(&d->lock_by_hash, key, d->lock_count))
		return CT_NO;
	l->process = process;
	l->address = address;
	l->first_ns = UINT64_MAX;
	return d->lock_count - 1;
}

/* --- how many wait --- */

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

static void end_convoy(struct ct_lock_detail *l, uint64_t ns)
{
	struct ct_convoy *c = &l->current;

	c->to_ns = ns;
	l->convoys += c->hand_overs > 1;
	if (c->hand_overs > l->longest.hand_overs)
		l->longest = *c;
	*c = (struct ct_convoy){ 0 };
}

static void pass(struct ct_lock_detail *l, uint64_t ns)
{
	if (l->depth && ns > l->now_ns)
		l->waited_ns += ns - l->now_ns;
	if (ns > l->now_ns)
		l->now_ns = ns;
}

static void come(struct ct_lock_detail *l, uint64_t ns)
{
	pass(l, ns);
	if (!l->depth++)
		l->current = (struct ct_convoy){ .from_ns = l->now_ns };
	if (l->depth > l->current.waiters)
		l->current.waiters = l->depth;
	if (l->depth > l->waiters)
		l->waiters = l->depth;
}

static void go(struct ct_lock_detail *l, uint64_t ns)
{
	pass(l, ns);
	l->current.hand_overs++;
	if (l->depth && !--l->depth)
		end_convoy(l, l->now_ns);
}

/* Counts all that ended up to a moment, and those that began before it. */
static int count_spans(struct ct_lock_detail *l, uint64_t until_ns)
{
	uint64_t *starts = malloc((l->span_count + 1u) * sizeof(*starts));
	uint64_t *ends = malloc((l->span_count + 1u) * sizeof(*ends));
	uint32_t s = 0, e = 0, i = 0, k = 0, kept = 0;

	if (!starts || !ends) {
		free(starts);
		free(ends);
		return -ENOMEM;
	}
	for (uint32_t n = 0; n < l->span_count; n++) {
		struct ct_lock_span span = l->span[n];

		if (span.start_ns && span.start_ns <= until_ns) {
			starts[s++] = span.start_ns;
			span.start_ns = 0;
		}
		if (span.end_ns <= until_ns)
			ends[e++] = span.end_ns;
		else
			l->span[kept++] = span;
	}
	l->span_count = kept;
	qsort(starts, s, sizeof(*starts), by_number);
	qsort(ends, e, sizeof(*ends), by_number);
	/* Who comes when another goes finds the lock taken already. */
	while (i < s || k < e)
		if (i < s && (k == e || starts[i] <= ends[k]))
			come(l, starts[i++]);
		else
			go(l, ends[k++]);
	free(starts);
	free(ends);
	return 0;
}

/* --- taking waits --- */

static struct ct_lock_pair *pair_of(struct ct_lock_details *d, uint32_t lock, uint32_t holder, uint32_t waiter)
{
	uint64_t key = ct_mix(ct_pair(holder, waiter) ^ ct_mix(lock + 1ull));
	uint32_t at;

	for (; (at = ct_table_get(&d->pair_by_hash, key)); key++) {
		struct ct_lock_pair *p = &d->pair[at - 1];

		if (p->lock == lock && p->holder == holder && p->waiter == waiter)
			return p;
	}
	struct ct_lock_pair *p = CT_APPEND(d, pair);

	if (!p || ct_table_put(&d->pair_by_hash, key, d->pair_count))
		return NULL;
	p->lock = lock;
	p->holder = holder;
	p->waiter = waiter;
	return p;
}

static int add_pairs(struct ct_lock_details *d, uint32_t lock, const struct ct_site_info *s,
		     const struct ct_share *shares, uint32_t count)
{
	struct ct_callstacks *c = &d->report->callstacks;
	uint32_t waiter, holder;

	if (ct_callstack_of(c, s->site.stack ? ct_model_stack(d->m, s->process, s->site.stack) : CT_NO, &waiter))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (ct_callstack_of(c, shares[i].stack, &holder))
			return -ENOMEM;
		struct ct_lock_pair *p = pair_of(d, lock, holder, waiter);

		if (!p)
			return -ENOMEM;
		p->count += !i;
		p->total_ns += shares[i].ns;
	}
	return 0;
}

static int take_wait(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
		     uint32_t count)
{
	struct ct_lock_details *d = self;
	const struct ct_model *m = d->m;
	const struct ct_site_info *s = &w->site[wait->site];
	uint64_t start_ns = wait->start_ns > m->from_ns ? wait->start_ns : m->from_ns;
	uint64_t end_ns = wait->end_ns < m->to_ns ? wait->end_ns : m->to_ns;

	if (s->site.object_kind != CT_OBJECT_ADDRESS || !ct_is_lock(m, s->site.cause) || start_ns >= end_ns ||
	    !wait->inside ||
	    ct_model_selects(m, s->process, &s->site) <= 0 || !m->process[s->process].selected)
		return 0;
	uint32_t at = make(d, s->process, s->site.object);

	if (at == CT_NO)
		return -ENOMEM;
	struct ct_lock_detail *l = &d->lock[at];
	struct ct_lock_span *span = CT_APPEND(l, span);

	if (!span)
		return -ENOMEM;
	*span = (struct ct_lock_span){ start_ns, end_ns };
	if (start_ns < l->first_ns)
		l->first_ns = start_ns;
	if (end_ns > l->last_ns)
		l->last_ns = end_ns;
	if (s->site.call < CT_CALLS_MAX && w->reads[s->site.call]) {
		l->read_waits++;
		l->read_wait_ns += end_ns - start_ns;
	} else {
		l->write_waits++;
		l->write_wait_ns += end_ns - start_ns;
	}
	int error = add_pairs(d, at, s, shares, count);

	if (!error && l->span_count >= SPANS_MAX)
		error = count_spans(l, l->span[l->span_count - SPANS_KEPT].end_ns);
	return error;
}

/* --- all --- */

static int by_lock_and_time(const void *x, const void *y)
{
	const struct ct_lock_pair *a = x, *b = y;

	if (a->lock != b->lock)
		return a->lock < b->lock ? -1 : 1;
	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return a->holder != b->holder ? (a->holder < b->holder ? -1 : 1) : (a->waiter > b->waiter) - (a->waiter < b->waiter);
}

int ct_lock_details_make(struct ct_lock_details *d, struct ct_report *r, struct ct_reader *reader)
{
	*d = (struct ct_lock_details){ .m = r->model, .report = r };
	int error = ct_wakes_read(&d->wakes, r->model, reader, false, take_wait, d);

	for (uint32_t i = 0; i < d->lock_count && !error; i++) {
		error = count_spans(&d->lock[i], UINT64_MAX);
		if (d->lock[i].depth)
			end_convoy(&d->lock[i], d->lock[i].now_ns);
	}
	if (d->pair_count)
		qsort(d->pair, d->pair_count, sizeof(*d->pair), by_lock_and_time);
	return error;
}

void ct_lock_details_close(struct ct_lock_details *d)
{
	ct_wakes_close(&d->wakes);
	for (uint32_t i = 0; i < d->lock_count; i++)
		free(d->lock[i].span);
	free(d->lock);
	free(d->pair);
	ct_table_free(&d->lock_by_hash);
	ct_table_free(&d->pair_by_hash);
	*d = (struct ct_lock_details){ 0 };
}

const struct ct_lock_pair *ct_lock_pairs(const struct ct_lock_details *d, uint32_t lock, uint32_t *ret_count)
{
	uint32_t low = 0, high = d->pair_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (d->pair[middle].lock < lock)
			low = middle + 1;
		else
			high = middle;
	}
	for (*ret_count = 0; low + *ret_count < d->pair_count && d->pair[low + *ret_count].lock == lock;)
		++*ret_count;
	return *ret_count ? &d->pair[low] : NULL;
}
