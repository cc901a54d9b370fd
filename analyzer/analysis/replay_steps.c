/* From lives to steps. See replay.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static int by_time(const void *x, const void *y)
{
	const struct ct_point *a = x, *b = y;

	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return (a->what > b->what) - (a->what < b->what);
}

static int add_point(struct ct_replay *r, uint32_t thread, uint8_t kind, uint32_t what, uint64_t ns)
{
	struct ct_point *p = CT_APPEND(&r->thread[thread], point);

	if (!p)
		return -ENOMEM;
	*p = (struct ct_point){ ns, what, kind };
	return 0;
}

/* The lock that a stop was for, if whoever had it is known; CT_NO. */
static uint32_t lock_of(const struct ct_lives *l, const struct ct_stop *s, bool *ret_reads)
{
	const struct ct_wakes *w = &l->wakes;

	*ret_reads = false;
	if (s->ended != CT_ENDED_RELEASE || s->site == CT_NO)
		return CT_NO;
	const struct ct_site_info *site = &w->site[s->site];
	const struct ct_wait_object *o = ct_wakes_object(w, site->process, site->site.object);

	if (!o)
		return CT_NO;
	*ret_reads = site->site.call < CT_CALLS_MAX && w->reads[site->site.call];
	/* A reader's hold has no begin: it cannot be replayed. */
	const struct ct_life *by = s->waker == CT_NO ? NULL : &l->life[s->waker];
	uint32_t object = (uint32_t)(o - w->object);

	uint32_t low = 0, high = by ? by->held_count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (by->held[middle].from_ns <= s->to_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t look = 0; low-- && look < 64; look++)
		if (by->held[low].lock == object && by->held[low].to_ns >= s->from_ns)
			return object;
	return CT_NO;
}

/* The hold that a stop led to, CT_NO: nobody waited when it ended, so it was not written. */
static uint32_t hold_after(const struct ct_life *life, const struct ct_stop *s, uint32_t lock, uint64_t slack_ns)
{
	uint32_t low = 0, high = life->held_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (life->held[middle].from_ns + slack_ns < s->release_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < life->held_count && life->held[low].from_ns <= s->to_ns + 200000; low++)
		if (life->held[low].lock == lock)
			return low;
	return CT_NO;
}

/* How long such a lock was held on average. */
static uint64_t average_hold(const struct ct_lives *l, uint32_t lock)
{
	const struct ct_wait_object *o = &l->wakes.object[lock];

	for (uint32_t i = 0; i < l->m->lock_count; i++) {
		const struct ct_lock_info *k = &l->m->lock[i];

		if (k->process == o->process && k->address == o->address && k->acquisitions)
			return k->hold_ns / k->acquisitions;
	}
	return 0;
}

/* Where threads take locks without a stop, and give them back. */
static int put_holds(struct ct_replay *r, uint32_t thread, const uint64_t *average)
{
	const struct ct_lives *l = r->lives;
	const struct ct_life *life = &l->life[thread];
	bool *stopped = calloc(life->held_count + 1u, sizeof(*stopped)), reads;
	int error = stopped ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < life->stop_count && !error; i++) {
		const struct ct_stop *s = &life->stop[i];
		uint32_t lock = lock_of(l, s, &reads);
		uint32_t at = lock == CT_NO || reads ? CT_NO : hold_after(life, s, lock, l->wakes.slack_ns);

		if (at != CT_NO) {
			stopped[at] = true;
		} else if (lock != CT_NO && !reads) {
			uint64_t next_ns = i + 1 < life->stop_count ? s[1].from_ns : life->to_ns;
			uint64_t give_ns = s->to_ns + average[lock];

			error = add_point(r, thread, CT_STEP_GIVE, lock, give_ns < next_ns ? give_ns : next_ns);
		}
	}
	for (uint32_t i = 0; i < life->held_count && !error; i++) {
		const struct ct_held *h = &life->held[i];

		if (!stopped[i])
			error = add_point(r, thread, CT_STEP_TAKE, h->lock, h->from_ns);
		if (!error)
			error = add_point(r, thread, CT_STEP_GIVE, h->lock, h->to_ns);
	}
	free(stopped);
	return error;
}

/* All points: one for each wait that another thread ended, numbered in the waiters' order. */
static int put_points(struct ct_replay *r)
{
	const struct ct_lives *l = r->lives;
	uint64_t *average = calloc(l->wakes.object_count + 1u, sizeof(*average));
	int error = average ? 0 : -ENOMEM;
	bool reads;

	for (uint32_t i = 0; i < l->wakes.object_count && !error; i++)
		average[i] = average_hold(l, i);
	r->points = 0;
	for (uint32_t t = 0; t < l->m->thread_count && !error; t++) {
		const struct ct_life *life = &l->life[t];

		if (life->maker != CT_NO && life->from_ns > r->from_ns)
			error = add_point(r, life->maker, CT_STEP_POINT, r->points++, life->from_ns);
		for (uint32_t i = 0; i < life->stop_count && !error; i++) {
			const struct ct_stop *s = &life->stop[i];

			if (s->waker != CT_NO && s->waker != t && lock_of(l, s, &reads) == CT_NO)
				error = add_point(r, s->waker, CT_STEP_POINT, r->points++, s->release_ns);
		}
		if (!error)
			error = put_holds(r, t, average);
	}
	free(average);
	for (uint32_t t = 0; t < l->m->thread_count && !error; t++)
		if (r->thread[t].point_count)
			qsort(r->thread[t].point, r->thread[t].point_count, sizeof(struct ct_point), by_time);
	return error;
}

/* --- steps --- */

static int add_step(struct ct_replayed_thread *t, uint8_t kind, uint64_t ns, uint32_t what, uint64_t delay_ns)
{
	struct ct_step *last = t->step_count ? &t->step[t->step_count - 1] : NULL;

	if (kind <= CT_STEP_SLEEP && !ns)
		return 0;
	if (last && kind <= CT_STEP_SLEEP && last->kind == kind) {
		last->ns += ns;
		return 0;
	}
	struct ct_step *s = CT_APPEND(t, step);

	if (!s)
		return -ENOMEM;
	*s = (struct ct_step){ ns, what, delay_ns < UINT32_MAX ? (uint32_t)delay_ns : UINT32_MAX, kind };
	return 0;
}

/* For how long in a time the program's own threads had all CPUs. */
static uint64_t full_before(const struct ct_replay *r, uint64_t ns)
{
	uint32_t low = 0, high = r->full_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (r->full[middle].ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return 0;
	const struct ct_full *f = &r->full[low - 1];

	return f->before_ns + (f->is_full ? ns - f->ns : 0);
}

static uint64_t full_ns(const struct ct_replay *r, uint64_t from_ns, uint64_t to_ns)
{
	return r->full_count ? full_before(r, to_ns) - full_before(r, from_ns) : 0;
}

/* What an active time costs: what it ran, and what other programs took of it. */
static double cost(const struct ct_replay *r, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t ran_ns = ct_ran_ns(r->lives, thread, from_ns, to_ns), ready_ns = to_ns - from_ns - ran_ns;
	uint64_t own_ns = full_ns(r, from_ns, to_ns);

	/* While it ran itself the CPUs were full, too. */
	own_ns = own_ns < ready_ns ? own_ns : ready_ns;
	return (double)(ran_ns + ready_ns - own_ns);
}

/* The part of a time in which the thread held what is changed. */
static double changed_part(const struct ct_replay *r, const struct ct_change *c, uint32_t thread, uint64_t from_ns,
			   uint64_t to_ns, bool active)
{
	const struct ct_life *life = &r->lives->life[thread];
	uint32_t low = 0, high = life->held_count;
	uint64_t done_ns = from_ns;
	double sum = 0;

	if (c->thread && c->thread[thread] && active)
		return cost(r, thread, from_ns, to_ns);
	if (!c->lock && !c->stack)
		return 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (life->held[middle].from_ns < to_ns)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t first = low;

	for (uint32_t look = 0; first && look < 64; look++)
		if (life->held[--first].to_ns > from_ns)
			look = 0;
	for (; first < low; first++) {
		const struct ct_held *h = &life->held[first];
		uint64_t begin_ns = h->from_ns > done_ns ? h->from_ns : done_ns;
		uint64_t end_ns = h->to_ns < to_ns ? h->to_ns : to_ns;

		if (!((c->lock && c->lock[h->lock]) || (c->stack && h->stack != CT_NO && c->stack[h->stack])) ||
		    begin_ns >= end_ns)
			continue;
		sum += active ? cost(r, thread, begin_ns, end_ns) : (double)(end_ns - begin_ns);
		done_ns = end_ns;
	}
	return sum;
}

static int put_active(struct ct_replay *r, const struct ct_change *c, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns >= to_ns)
		return 0;
	double ns = cost(r, thread, from_ns, to_ns);
	double part = changed_part(r, c, thread, from_ns, to_ns, true);

	return add_step(&r->thread[thread], CT_STEP_RUN, ct_whole_ns(ns - (1 - c->scale) * part), 0, 0);
}

static int put_stop(struct ct_replay *r, const struct ct_change *c, uint32_t thread, const struct ct_stop *s,
		    uint32_t *point)
{
	struct ct_replayed_thread *t = &r->thread[thread];
	bool reads, changed = c->site && s->site != CT_NO && c->site[s->site];
	uint32_t lock = lock_of(r->lives, s, &reads);
	uint64_t delay_ns = s->to_ns - s->release_ns - full_ns(r, s->release_ns, s->to_ns);

	if (lock != CT_NO)
		return add_step(t, reads ? CT_STEP_SHARE : CT_STEP_TAKE, 1, lock, delay_ns);
	if (s->waker != CT_NO && s->waker != thread) {
		uint32_t what = (*point)++;

		/* It lasts as long as that thread makes it last, whatever it is for. */
		return add_step(t, CT_STEP_WAIT, 0, what, delay_ns);
	}
	if (s->ended == CT_ENDED_NOT)
		return add_step(t, CT_STEP_STAY, 0, 0, 0);
	double ns = (double)(s->release_ns - s->from_ns);
	double part = changed ? ns : changed_part(r, c, thread, s->from_ns, s->release_ns, false);

	/* Who does not sleep at all need not come back either. */
	if (c->scale == 0 && part >= ns)
		return 0;
	return add_step(t, CT_STEP_SLEEP, ct_whole_ns(ns - (1 - c->scale) * part) + delay_ns, 0, 0);
}

static int put_thread(struct ct_replay *r, const struct ct_change *c, uint32_t thread, uint32_t *point)
{
	const struct ct_life *life = &r->lives->life[thread];
	struct ct_replayed_thread *t = &r->thread[thread];
	uint64_t now_ns = life->from_ns > r->from_ns ? life->from_ns : r->from_ns;
	uint32_t k = 0;
	int error = 0;

	if (life->from_ns > r->from_ns)
		error = life->maker != CT_NO ? add_step(t, CT_STEP_WAIT, 0, (*point)++, 0) :
					       add_step(t, CT_STEP_SLEEP, life->from_ns - r->from_ns, 0, 0);
	for (uint32_t i = 0; i <= life->stop_count && !error; i++) {
		const struct ct_stop *s = i < life->stop_count ? &life->stop[i] : NULL;
		uint64_t until_ns = s ? s->from_ns : life->to_ns;
		/* Points in a stop belong to what is nearer. */
		uint64_t limit_ns = s ? s->from_ns + (s->to_ns - s->from_ns) / 2 : UINT64_MAX;

		for (; k < t->point_count && t->point[k].ns <= limit_ns && !error; k++) {
			uint64_t ns = t->point[k].ns < until_ns ? t->point[k].ns : until_ns;

			error = put_active(r, c, thread, now_ns, ns);
			if (!error)
				error = add_step(t, t->point[k].kind, 0, t->point[k].what, 0);
			now_ns = ns > now_ns ? ns : now_ns;
		}
		if (!error)
			error = put_active(r, c, thread, now_ns, until_ns);
		if (!error && s) {
			error = put_stop(r, c, thread, s, point);
			now_ns = s->to_ns;
		}
	}
	return error;
}

int ct_replay_steps(struct ct_replay *r, const struct ct_change *change)
{
	uint32_t point = 0;
	int error = 0;

	if (!r->placed)
		error = put_points(r);
	r->placed = true;
	for (uint32_t t = 0; t < r->lives->m->thread_count && !error; t++) {
		r->thread[t].step_count = 0;
		error = put_thread(r, change, t, &point);
	}
	return error;
}
