/* Waits, by place. See findings.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

static bool is_lock_cause(const struct ct_model *m, uint32_t cause)
{
	return ct_is_lock(m, cause);
}

/* Takes a site into a finding. */
static int add_site(struct ct_findings *f, struct ct_finding *x, const struct ct_site_row *row)
{
	int error = 0;

	x->ns += row->total_ns;
	x->count += row->count;
	if (row->max_ns > x->max_ns)
		x->max_ns = row->max_ns;
	if (x->callstack == CT_NO || row->total_ns > x->callstack_ns) {
		x->callstack = row->callstack;
		x->callstack_ns = row->total_ns;
		x->cause = row->cause;
		x->call = row->call;
		free(x->object);
		x->object = row->objects.item_count ? strdup(row->objects.item[0].label) : NULL;
		if (row->objects.item_count && !x->object)
			return -ENOMEM;
	}
	if (row->objects.item_count > x->objects)
		x->objects = row->objects.item_count;
	for (uint32_t i = 0; i < row->waiters.item_count && !error; i++) {
		const struct ct_tally *w = &row->waiters.item[i];

		error = ct_finding_add_thread(x, f->m, (uint32_t)w->key, w->count, w->total_ns);
	}
	return error;
}

static int take_site(struct ct_findings *f, const struct ct_site_row *row)
{
	const char *object = row->objects.item_count ? row->objects.item[0].label : NULL;
	const struct ct_known *known;
	uint64_t key;
	int error = ct_finding_key(f, row->cause, row->call, row->callstack, object, &known, &key);

	if (error)
		return error;
	/* Locks are counted by lock, from wherever they are taken. */
	bool contention = known && known->contention;

	if ((known && known->idle) || (is_lock_cause(f->m, row->cause) && !contention))
		return 0;
	/* Idle places are kept for now: who ended the waits tells what they are. */
	struct ct_finding *x = ct_finding_of(f, row->idle && !contention ? CT_FINDING_IDLE : CT_FINDING_WAIT, row->cause, key);

	if (!x)
		return -ENOMEM;
	x->known = known;
	error = add_site(f, x, row);
	/* Time in it is no idle time. */
	for (uint32_t i = 0; i < row->waiters.item_count && row->idle && contention; i++) {
		const struct ct_tally *w = &row->waiters.item[i];

		f->idle_ns[w->key] -= w->total_ns < f->idle_ns[w->key] ? w->total_ns : f->idle_ns[w->key];
		f->active_ns += w->total_ns;
	}
	return error;
}

/* --- locks --- */

static uint64_t hash_label(const char *label)
{
	uint64_t h = 7;

	for (; *label; label++)
		h = (h ^ (uint8_t)*label) * 0x100000001b3ull;
	return ct_mix(h) | 1;
}

static int take_lock(struct ct_findings *f, const struct ct_lock_row *row)
{
	struct ct_finding *x = ct_finding_of(f, CT_FINDING_LOCK, row->cause, hash_label(row->label));
	uint32_t callstack, count;
	int error = 0;

	if (!x)
		return -ENOMEM;
	x->ns += row->wait_ns;
	x->count += row->contended;
	x->objects++;
	if (row->max_wait_ns > x->max_ns)
		x->max_ns = row->max_wait_ns;
	for (uint32_t i = 0; i < row->pairs.item_count && !error; i++) {
		const struct ct_tally *p = &row->pairs.item[i];

		error = ct_finding_add_thread(x, f->m, (uint32_t)(p->key >> 32), p->count, p->total_ns);
	}
	if (error || (x->lock && x->lock->wait_ns >= row->wait_ns))
		return error;
	x->lock = row;
	error = ct_callstack_of(&f->report.callstacks, row->stack, &callstack);
	if (error)
		return error;
	x->callstack = callstack;
	x->callstack_ns = row->stack_ns;
	uint32_t at = f->details.m ? ct_lock_detail_of(&f->details, row->process, row->address) : CT_NO;
	const struct ct_lock_pair *pairs = at == CT_NO ? NULL : ct_lock_pairs(&f->details, at, &count);

	/* Pairs are of two places: add up by the holder's. */
	for (uint32_t i = 0; pairs && i < count && i < 64; i++) {
		uint64_t ns = 0;

		for (uint32_t k = 0; k < count && k < 64; k++)
			ns += pairs[k].holder == pairs[i].holder ? pairs[k].total_ns : 0;
		if (ns > x->holder_ns && pairs[i].holder != CT_NO) {
			x->holder = pairs[i].holder;
			x->holder_ns = ns;
		}
	}
	return 0;
}

int ct_findings_waits(struct ct_findings *f)
{
	int error = 0;

	for (uint32_t i = 0; i < f->report.site_count && !error; i++)
		if (f->report.site[i].waiters.item_count)
			error = take_site(f, &f->report.site[i]);
	for (uint32_t i = 0; i < f->report.lock_count && i < 64 && !error; i++)
		error = take_lock(f, &f->report.lock[i]);
	return error;
}
