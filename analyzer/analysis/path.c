/* Walks back from the end of a time. See path.h. */
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A path that does not get on: clocks differ by a little, threads wake each other. */
#define JUMPS_AT_ONCE 64u

static uint32_t callstack(struct ct_path *p, uint32_t stack)
{
	uint32_t at;

	return ct_callstack_of(&p->callstacks, stack, &at) ? CT_NO : at;
}

static int add(struct ct_path *p, uint32_t thread, enum ct_path_state state, uint32_t cause, uint32_t stack,
	       uint64_t ns)
{
	uint64_t key = ct_mix(ct_pair(thread, stack) ^ (uint64_t)state << 56 ^ (uint64_t)cause << 48);
	uint32_t at;

	if (!ns)
		return 0;
	p->state_ns[state] += ns;
	for (; (at = ct_table_get(&p->row_by_hash, key)); key++) {
		const struct ct_path_row *r = &p->row[at - 1];

		if (r->thread == thread && r->stack == stack && r->state == state && r->cause == cause)
			break;
	}
	struct ct_path_row *row = at ? &p->row[at - 1] : CT_APPEND(p, row);

	if (!row || (!at && ct_table_put(&p->row_by_hash, key, p->row_count)))
		return -ENOMEM;
	row->thread = thread;
	row->state = (uint8_t)state;
	row->cause = (uint8_t)cause;
	row->stack = stack;
	row->count++;
	row->total_ns += ns;
	return 0;
}

static struct ct_path_lock *lock_of(struct ct_path *p, uint32_t object)
{
	uint32_t at = ct_table_get(&p->lock_by_object, object + 1ull);

	if (at)
		return &p->lock[at - 1];
	struct ct_path_lock *l = CT_APPEND(p, lock);

	if (!l || ct_table_put(&p->lock_by_object, object + 1ull, p->lock_count))
		return NULL;
	l->object = object;
	l->stack = CT_NO;
	l->cause = CT_CAUSES;
	l->claim_ns = UINT64_MAX;
	return l;
}

/* The longest time for which the thread held something, in a part of the path. */
struct longest {
	uint64_t from_ns, to_ns;
	uint32_t stack;          /* call stack: where it was released */
};

/* Adds what the thread held in a part of the path. */
static int add_held(struct ct_path *p, uint32_t thread, uint64_t from_ns, uint64_t to_ns, struct longest *ret)
{
	const struct ct_life *life = &p->lives.life[thread];
	uint32_t low = 0, high = life->held_count;

	*ret = (struct longest){ to_ns, to_ns, CT_NO };
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (life->held[middle].from_ns < to_ns)
			low = middle + 1;
		else
			high = middle;
	}
	/* Locks that are held in another's critical section began later and ended before. */
	for (uint32_t look = 0; low-- && look < 64; look++) {
		const struct ct_held *h = &life->held[low];
		uint64_t begin_ns = h->from_ns > from_ns ? h->from_ns : from_ns;
		uint64_t end_ns = h->to_ns < to_ns ? h->to_ns : to_ns;

		if (end_ns <= begin_ns)
			continue;
		look = 0;
		struct ct_path_lock *l = lock_of(p, h->lock);

		if (!l)
			return -ENOMEM;
		l->count++;
		l->held_ns += end_ns - begin_ns;
		if (l->claim_ns < end_ns)
			l->path_ns += end_ns - (begin_ns > l->claim_ns ? begin_ns : l->claim_ns);
		if (end_ns - begin_ns > l->stack_ns || l->stack == CT_NO) {
			l->stack = h->stack;
			l->stack_ns = end_ns - begin_ns;
		}
		if (end_ns - begin_ns > ret->to_ns - ret->from_ns)
			*ret = (struct longest){ begin_ns, end_ns, callstack(p, h->stack) };
	}
	return 0;
}

static int add_ran(struct ct_path *p, uint32_t thread, uint64_t from_ns, uint64_t to_ns, uint32_t stack)
{
	uint64_t ran_ns = from_ns < to_ns ? ct_ran_ns(&p->lives, thread, from_ns, to_ns) : 0;

	if (from_ns >= to_ns)
		return 0;
	if (add(p, thread, CT_PATH_RUNNING, CT_CAUSES - 1, stack, ran_ns))
		return -ENOMEM;
	return add(p, thread, CT_PATH_READY, CT_CAUSES - 1, stack, to_ns - from_ns - ran_ns);
}

/* The thread was not stopped. Where it held a lock that others waited for, that is
 * where it was; otherwise it is not known. */
static int add_active(struct ct_path *p, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	struct longest held;

	if (to_ns <= from_ns)
		return 0;
	if (add_held(p, thread, from_ns, to_ns, &held) || add_ran(p, thread, from_ns, held.from_ns, CT_NO) ||
	    add_ran(p, thread, held.from_ns, held.to_ns, held.stack))
		return -ENOMEM;
	return add_ran(p, thread, held.to_ns, to_ns, CT_NO);
}

static uint32_t cause_of(const struct ct_path *p, const struct ct_stop *s)
{
	return s->site == CT_NO ? CT_CAUSES - 1 : p->lives.wakes.site[s->site].site.cause;
}

static uint32_t stack_of(struct ct_path *p, const struct ct_stop *s)
{
	const struct ct_site_info *site = s->site == CT_NO ? NULL : &p->lives.wakes.site[s->site];

	return site && site->site.stack ? callstack(p, ct_model_stack(p->m, site->process, site->site.stack)) : CT_NO;
}

/* The lock that a stop was for, NULL: none. *ret_error: without memory. */
static struct ct_path_lock *lock_of_stop(struct ct_path *p, const struct ct_stop *s, int *ret_error)
{
	const struct ct_site_info *site = s->site == CT_NO ? NULL : &p->lives.wakes.site[s->site];
	const struct ct_wait_object *o = site && s->ended == CT_ENDED_RELEASE ?
		ct_wakes_object(&p->lives.wakes, site->process, site->site.object) : NULL;
	struct ct_path_lock *l = o ? lock_of(p, (uint32_t)(o - p->lives.wakes.object)) : NULL;

	*ret_error = o && !l ? -ENOMEM : 0;
	return l;
}

/* Until the thread ran again. */
static int add_resume(struct ct_path *p, uint32_t thread, const struct ct_stop *s, uint64_t from_ns, uint64_t to_ns)
{
	struct longest held;
	int error;

	if (from_ns >= to_ns)
		return 0;
	/* Also time in which whoever holds a lock gets no CPU is time that it is held. */
	if (add_held(p, thread, from_ns, to_ns, &held))
		return -ENOMEM;
	struct ct_path_lock *l = lock_of_stop(p, s, &error);

	if (l)
		l->resume_ns += to_ns - from_ns;
	if (error)
		return error;
	return add(p, thread, CT_PATH_RESUMING, cause_of(p, s), stack_of(p, s), to_ns - from_ns);
}

/* A part of a stop that no thread ended. */
static int add_blocked(struct ct_path *p, uint32_t thread, const struct ct_stop *s, uint64_t from_ns, uint64_t to_ns)
{
	struct longest held;

	if (from_ns >= to_ns)
		return 0;
	if (add_held(p, thread, from_ns, to_ns, &held))
		return -ENOMEM;
	return add(p, thread, CT_PATH_BLOCKED, cause_of(p, s), stack_of(p, s), to_ns - from_ns);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* One step back from a moment in a thread's life. */
static int step(struct ct_path *p, uint32_t *thread, uint64_t *now_ns)
{
	const struct ct_life *life = &p->lives.life[*thread];
	uint32_t at = ct_stop_after(life, *now_ns - 1);
	const struct ct_stop *s = NULL;

	/* The stop that the moment is in, or the last before it. */
	if (at < life->stop_count && life->stop[at].from_ns < *now_ns)
		s = &life->stop[at];
	else if (at)
		s = &life->stop[at - 1];
	if (!s || s->to_ns < p->from_ns || s->to_ns <= life->from_ns) {
		uint64_t from_ns = later(life->from_ns, p->from_ns);
		int error = from_ns < *now_ns ? add_active(p, *thread, from_ns, *now_ns) : 0;

		if (from_ns < *now_ns)
			*now_ns = from_ns;
		if (life->from_ns > p->from_ns) {
			if (life->maker == CT_NO || life->maker == *thread) {
				p->unknown_ns += *now_ns - p->from_ns;
				*now_ns = p->from_ns;
			} else {
				*thread = life->maker;
				p->jumps++;
			}
		}
		return error;
	}
	int error = s->to_ns < *now_ns ? add_active(p, *thread, s->to_ns, *now_ns) : 0;

	if (s->to_ns < *now_ns)
		*now_ns = s->to_ns;
	uint64_t release_ns = s->release_ns < *now_ns ? s->release_ns : *now_ns;

	if (!error)
		error = add_resume(p, *thread, s, later(release_ns, p->from_ns), *now_ns);
	*now_ns = later(release_ns, p->from_ns);
	if (*now_ns == p->from_ns || error)
		return error;
	if (s->waker != CT_NO && s->waker != *thread) {
		struct ct_path_lock *l = lock_of_stop(p, s, &error);

		if (l && s->from_ns < l->claim_ns)
			l->claim_ns = s->from_ns;
		*thread = s->waker;
		p->jumps++;
		return error;
	}
	error = add_blocked(p, *thread, s, later(s->from_ns, p->from_ns), *now_ns);
	*now_ns = later(s->from_ns, p->from_ns);
	return error;
}

static int add_leg(struct ct_path *p, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	struct ct_path_leg *last = p->leg_count ? &p->leg[p->leg_count - 1] : NULL;

	if (from_ns >= to_ns)
		return 0;
	if (last && last->thread == thread) {
		last->from_ns = from_ns;
		return 0;
	}
	last = CT_APPEND(p, leg);
	if (!last)
		return -ENOMEM;
	*last = (struct ct_path_leg){ from_ns, to_ns, thread };
	return 0;
}

static int walk(struct ct_path *p)
{
	uint32_t thread = p->end, stuck = 0;
	uint64_t now_ns = p->to_ns;

	while (now_ns > p->from_ns) {
		uint64_t before_ns = now_ns;
		uint32_t before = thread;
		int error = step(p, &thread, &now_ns);

		if (!error)
			error = add_leg(p, before, now_ns, before_ns);
		if (error)
			return error;
		stuck = now_ns < before_ns ? 0 : stuck + 1;
		if (stuck > JUMPS_AT_ONCE) {
			/* In a circle: the thread itself goes on for a while. */
			const struct ct_life *life = &p->lives.life[thread];
			uint32_t at = ct_stop_after(life, now_ns - 1);
			uint64_t to_ns = at < life->stop_count && life->stop[at].from_ns < now_ns ?
						 later(life->stop[at].from_ns, p->from_ns) : now_ns - 1;

			p->unknown_ns += now_ns - to_ns;
			now_ns = to_ns;
			stuck = 0;
		}
	}
	p->begin = thread;
	return 0;
}

/* --- where it ends --- */

static bool may_end(const struct ct_path *p, uint32_t thread, bool chosen)
{
	const struct ct_thread_info *t = &p->m->thread[thread];

	return (chosen ? t->selected : p->m->process[t->process].selected) && p->lives.life[thread].from_ns < p->to_ns;
}

/* The main thread where it lives to the end, else the thread that ended last. */
static uint32_t last_thread(const struct ct_path *p, bool chosen)
{
	const struct ct_model *m = p->m;
	uint32_t last = CT_NO;
	uint64_t slack_ns = (p->to_ns - p->from_ns) / 1000 + 1000000;

	for (uint32_t i = 0; i < m->thread_count; i++) {
		if (may_end(p, i, chosen) && (last == CT_NO || p->lives.life[i].to_ns > p->lives.life[last].to_ns))
			last = i;
	}
	for (uint32_t i = 0; i < m->thread_count && last != CT_NO; i++)
		if (may_end(p, i, chosen) && m->thread[i].tid == m->process[m->thread[i].process].pid &&
		    p->lives.life[i].to_ns + slack_ns >= p->lives.life[last].to_ns)
			return i;
	return last;
}

/* --- putting in order --- */

static int by_total(const void *x, const void *y)
{
	const struct ct_path_row *a = x, *b = y;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return (a->thread > b->thread) - (a->thread < b->thread);
}

static int by_path(const void *x, const void *y)
{
	const struct ct_path_lock *a = x, *b = y;
	uint64_t m = a->path_ns + a->resume_ns, n = b->path_ns + b->resume_ns;

	if (m != n)
		return m < n ? 1 : -1;
	if (a->held_ns != b->held_ns)
		return a->held_ns < b->held_ns ? 1 : -1;
	return (a->object > b->object) - (a->object < b->object);
}

static int sum_threads(struct ct_path *p)
{
	uint32_t *place = calloc(p->m->thread_count + 1u, sizeof(*place));

	if (!place)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->row_count; i++) {
		const struct ct_path_row *from = &p->row[i];
		struct ct_path_row *to = place[from->thread] ? &p->thread[place[from->thread] - 1] : CT_APPEND(p, thread);

		if (!to) {
			free(place);
			return -ENOMEM;
		}
		if (!place[from->thread])
			place[from->thread] = p->thread_count;
		to->thread = from->thread;
		to->stack = CT_NO;
		to->count += from->count;
		to->total_ns += from->total_ns;
	}
	free(place);
	if (p->thread_count)
		qsort(p->thread, p->thread_count, sizeof(*p->thread), by_total);
	return 0;
}

static int name_locks(struct ct_path *p)
{
	const struct ct_wakes *w = &p->lives.wakes;

	for (uint32_t i = 0; i < w->wait_count; i++) {
		const struct ct_site_info *s = &w->site[w->wait[i].site];
		const struct ct_wait_object *o = s->site.object_kind == CT_OBJECT_ADDRESS ?
			ct_wakes_object(w, s->process, s->site.object) : NULL;
		uint32_t at = o ? ct_table_get(&p->lock_by_object, (uint64_t)(o - w->object) + 1) : 0;

		if (!at || !ct_is_lock(p->m, s->site.cause))
			continue;
		p->lock[at - 1].cause = s->site.cause;
		p->lock[at - 1].wait_ns += w->wait[i].end_ns - w->wait[i].start_ns;
	}
	for (uint32_t i = 0; i < p->lock_count; i++) {
		const struct ct_wait_object *o = &w->object[p->lock[i].object];

		if (p->lock[i].cause == CT_CAUSES)
			p->lock[i].cause = CT_CAUSE_MUTEX;
		p->lock[i].label = ct_lock_name(&p->callstacks, &p->symbols, p->m, o->process, p->lock[i].cause,
						o->address, o->first_stack);
		if (!p->lock[i].label)
			return -ENOMEM;
	}
	if (p->lock_count)
		qsort(p->lock, p->lock_count, sizeof(*p->lock), by_path);
	if (p->row_count)
		qsort(p->row, p->row_count, sizeof(*p->row), by_total);
	return 0;
}

int ct_path_make(struct ct_path *p, const struct ct_model *m, struct ct_reader *reader, bool chosen)
{
	*p = (struct ct_path){ .m = m, .begin = CT_NO, .end = CT_NO };
	int error = ct_symbols_open(&p->symbols, m);

	if (!error)
		error = ct_callstacks_open(&p->callstacks, m);
	if (!error)
		error = ct_lives_make(&p->lives, m, reader);
	if (error)
		return error;
	p->from_ns = later(m->start_ns, m->from_ns);
	p->to_ns = m->end_ns < m->to_ns ? m->end_ns : m->to_ns;
	p->end = last_thread(p, chosen);
	if (p->end == CT_NO || p->to_ns <= p->from_ns)
		return 0;
	if (p->lives.life[p->end].to_ns < p->to_ns)
		p->to_ns = later(p->lives.life[p->end].to_ns, p->from_ns);
	error = walk(p);
	if (!error)
		error = sum_threads(p);
	if (!error)
		error = name_locks(p);
	return error ? error : ct_path_parallel(p);
}

void ct_path_close(struct ct_path *p)
{
	if (!p->m)
		return;
	for (uint32_t i = 0; i < p->lock_count; i++)
		free(p->lock[i].label);
	free(p->leg);
	free(p->row);
	free(p->thread);
	free(p->lock);
	ct_table_free(&p->row_by_hash);
	ct_table_free(&p->lock_by_object);
	ct_lives_close(&p->lives);
	ct_callstacks_close(&p->callstacks);
	ct_symbols_close(&p->symbols);
	*p = (struct ct_path){ 0 };
}
