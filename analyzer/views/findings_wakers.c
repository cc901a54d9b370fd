/* Who ended waits, and who waited for whom. See findings.h. */
#include <errno.h>
#include <stdlib.h>

#include "findings.h"
#include "objects.h"

/* A thread is busy if it does not wait for work for at least this part of its life. */
#define BUSY 0.6
/* A thread that was woken once or twice in its life, as a helper that is asleep until the end, is not
 * one that gets its work from another. */
#define BEHIND_WAITS 3u

/* The call stack of the report at which a row's waits were. */
static int callstack_of(struct ct_findings *f, const struct ct_waker_row *row, uint32_t *ret)
{
	const struct ct_site_info *s = &f->wakers.wakes.site[row->site];

	return ct_callstack_of(&f->report.callstacks, s->site.stack ? ct_model_stack(f->m, s->process, s->site.stack) : CT_NO,
			       ret);
}

static int add_tally(struct ct_tallies *t, uint32_t key, const struct ct_waker_row *row)
{
	struct ct_tally *item = ct_tally_of(t, 0, key);

	if (!item)
		return -ENOMEM;
	item->count += row->count;
	item->total_ns += row->total_ns;
	return 0;
}

static bool is_in(const struct ct_finding *x, uint32_t thread)
{
	for (uint32_t i = 0; i < x->threads.item_count; i++)
		if (x->threads.item[i].key == thread)
			return true;
	return false;
}

/* Notes who ended the waits of a finding. Threads that the report of wakers puts together (it does so where
 * there are many) count as the first of them. */
static int add_waker(struct ct_findings *f, struct ct_finding *x, const struct ct_waker_row *row)
{
	if (row->waker == CT_NO)
		return 0;
	x->ended_ns += row->total_ns;
	if (row->waker < f->m->thread_count && ct_findings_alike(f, row->waker, row->waiter) &&
	    is_in(x, row->waker))
		x->peers_ns += row->total_ns;
	return add_tally(&x->wakers, row->waker, row);
}

static int take_row(struct ct_findings *f, const struct ct_waker_row *row)
{
	const struct ct_site_info *s = &f->wakers.wakes.site[row->site];
	const struct ct_known *known;
	uint32_t callstack;
	uint64_t key;
	int error = callstack_of(f, row, &callstack);
	char *object = error ? NULL : ct_object_label(&f->report.symbols, f->m, s);

	if (!object)
		return -ENOMEM;
	error = ct_finding_key(f, s->site.cause, s->site.call, callstack, object, &known, &key);
	free(object);
	for (uint32_t i = 0; i < f->finding_count && !error; i++)
		if (f->finding[i].key == key && f->finding[i].kind != CT_FINDING_LOCK)
			return add_waker(f, &f->finding[i], row);
	return error;
}

/* Waiting for work counts as waiting for a thread only where that thread is busy: what it does is in the way. */
static bool is_busy(const struct ct_findings *f, uint32_t thread)
{
	const struct ct_thread_info *t = &f->m->thread[thread];

	return (double)(t->lifetime_ns - f->idle_ns[thread]) >= BUSY * (double)t->lifetime_ns;
}

/* Threads of a kind wait for each other, and together they do no more than one could. */
static bool is_turns(const struct ct_findings *f, const struct ct_finding *x)
{
	uint64_t ran_ns = 0, ready_ns = 0, covers_ns = f->sched.covers_ns;

	if (x->threads.item_count < 2 || !x->ended_ns || x->peers_ns < x->ended_ns - x->ended_ns / 4 ||
	    x->ended_ns < x->ns / 10)
		return false;
	for (uint32_t i = 0; i < x->threads.item_count; i++) {
		uint32_t thread = (uint32_t)x->threads.item[i].key;

		ran_ns += ct_findings_ran(f, thread);
		ready_ns += f->m->thread[thread].runnable_ns;
	}
	return ran_ns < covers_ns + covers_ns / 10 && ran_ns + ready_ns > covers_ns / 10 * 6;
}

static void make_turns(struct ct_findings *f, struct ct_finding *x)
{
	x->kind = CT_FINDING_TURNS;
	for (uint32_t i = 0; i < x->threads.item_count; i++) {
		const struct ct_tally *t = &x->threads.item[i];

		f->idle_ns[t->key] -= t->total_ns < f->idle_ns[t->key] ? t->total_ns : f->idle_ns[t->key];
		f->active_ns += t->total_ns;
	}
}

/* --- who waits for whom --- */

/* Nobody needs what such a thread waits for. */
static int is_helper(struct ct_findings *f, const struct ct_waker_row *row, bool *ret)
{
	const struct ct_site_info *s = &f->wakers.wakes.site[row->site];
	const struct ct_known *known;
	uint32_t callstack;
	uint64_t key;
	int error = callstack_of(f, row, &callstack);

	if (!error)
		error = ct_finding_key(f, s->site.cause, s->site.call, callstack, NULL, &known, &key);
	*ret = !error && known && known->idle;
	return error;
}

/* For each finding: for how long others, of another kind, waited for its threads to do something. */
static int add_behind(struct ct_findings *f, struct ct_finding *x)
{
	uint64_t most_ns = 0;

	for (uint32_t i = 0; i < f->wakers.row_count; i++) {
		const struct ct_waker_row *row = &f->wakers.row[i];
		const struct ct_site_info *s = &f->wakers.wakes.site[row->site];

		if (row->waker >= f->m->thread_count || !is_in(x, row->waker) || is_in(x, row->waiter) ||
		    row->ended == CT_ENDED_EXIT || !is_busy(f, row->waker) || !ct_cause_is_idle(f->m, s->site.cause) ||
		    row->count < BEHIND_WAITS || row->total_ns < f->m->thread[row->waiter].lifetime_ns / 4)
			continue;
		bool helper;

		if (is_helper(f, row, &helper))
			return -ENOMEM;
		if (helper)
			continue;
		x->behind_ns += row->total_ns;
		if (add_tally(&x->behind, row->waiter, row))
			return -ENOMEM;
		if (row->total_ns > most_ns) {
			most_ns = row->total_ns;
			if (callstack_of(f, row, &x->behind_stack))
				return -ENOMEM;
		}
	}
	return 0;
}

/* The place from which a finding's waits were mostly ended. */
static int find_waker_place(struct ct_findings *f, struct ct_finding *x)
{
	uint64_t most_ns = 0;
	uint32_t stack = CT_NO;

	for (uint32_t i = 0; i < f->wakers.row_count; i++) {
		const struct ct_waker_row *row = &f->wakers.row[i];
		uint32_t callstack;

		if (row->waker_stack == CT_NO || row->total_ns <= most_ns || !is_in(x, row->waiter))
			continue;
		if (callstack_of(f, row, &callstack))
			return -ENOMEM;
		if (callstack != x->callstack)
			continue;
		most_ns = row->total_ns;
		stack = row->waker_stack;
	}
	x->holder = stack;
	x->holder_ns = most_ns;
	return 0;
}

int ct_findings_wakers(struct ct_findings *f)
{
	int error = 0;

	if (!f->wakers.m)
		return 0;
	for (uint32_t i = 0; i < f->wakers.row_count && !error; i++)
		error = take_row(f, &f->wakers.row[i]);
	for (uint32_t i = 0; i < f->finding_count && !error; i++) {
		struct ct_finding *x = &f->finding[i];

		if (x->kind == CT_FINDING_IDLE && is_turns(f, x))
			make_turns(f, x);
		if (x->kind != CT_FINDING_IDLE && x->kind != CT_FINDING_LOCK)
			error = find_waker_place(f, x);
	}
	return error;
}

int ct_findings_behind(struct ct_findings *f)
{
	int error = 0;

	for (uint32_t i = 0; i < f->finding_count && f->wakers.m && !error; i++) {
		enum ct_finding_kind kind = f->finding[i].kind;

		if (kind == CT_FINDING_WAIT || kind == CT_FINDING_LOCK || kind == CT_FINDING_CPU)
			error = add_behind(f, &f->finding[i]);
	}
	return error;
}
