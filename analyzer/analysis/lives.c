/* See lives.h. */
#include "lives.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The waits of one thread, by their ends. */
struct chain {
	uint32_t *wait;         /* places in ct_wakes.wait */
	uint32_t count;
};

static int add_stop(struct ct_life *l, struct ct_stop stop)
{
	struct ct_stop *last = l->stop_count ? &l->stop[l->stop_count - 1] : NULL;

	/* Nested calls come before those around them, which keep the rest. */
	if (last && stop.from_ns < last->to_ns)
		stop.from_ns = last->to_ns;
	if (stop.to_ns <= stop.from_ns)
		return 0;
	if (stop.release_ns < stop.from_ns)
		stop.release_ns = stop.from_ns;
	if (stop.release_ns > stop.to_ns)
		stop.release_ns = stop.to_ns;
	struct ct_stop *new = CT_APPEND(l, stop);

	if (!new)
		return -ENOMEM;
	*new = stop;
	return 0;
}

static int stops_of_waits(struct ct_lives *l, uint32_t thread, const struct chain *c)
{
	int error = 0;

	for (uint32_t i = 0; i < c->count && !error; i++) {
		const struct ct_wait *w = &l->wakes.wait[c->wait[i]];

		if (w->left)
			error = add_stop(&l->life[thread],
					 (struct ct_stop){ w->start_ns, w->release_ns, w->end_ns,
							   w->waker < CT_OUTSIDE ? w->waker : CT_NO, w->waker_stack,
							   w->site, c->wait[i], w->ended });
	}
	return error;
}

/* A sleep in a call. Who ended the call's wait ended this sleep if it was then. */
static void explain(const struct ct_lives *l, struct ct_stop *s, const struct ct_run *run, uint32_t at)
{
	const struct ct_wakes *w = &l->wakes;
	const struct ct_wait *wait = at == CT_NO ? NULL : &w->wait[at];
	uint32_t by = !run->woken_ns ? CT_NO : ct_kernel_waker(w, run, wait ? w->site[wait->site].site.cause : CT_CAUSES);

	s->wait = at;
	s->site = wait ? wait->site : CT_NO;
	s->waker_stack = CT_NO;
	s->waker = by < CT_OUTSIDE ? by : CT_NO;
	s->ended = s->waker == CT_NO ? CT_ENDED_TIME : CT_ENDED_KERNEL;
	if (wait && wait->waker < CT_OUTSIDE && wait->release_ns + w->slack_ns >= s->from_ns &&
	    wait->release_ns <= s->to_ns + w->slack_ns) {
		s->waker = wait->waker;
		s->waker_stack = wait->waker_stack;
		s->ended = wait->ended;
		if (wait->ended != CT_ENDED_EXIT && wait->release_ns >= s->from_ns && wait->release_ns < s->release_ns)
			s->release_ns = wait->release_ns;
	}
}

/* All sleeps in one wait for a lock are one stop: until it was released for good. */
static bool goes_on(const struct ct_lives *l, const struct ct_life *life, uint32_t at)
{
	return life->stop_count && at != CT_NO && life->stop[life->stop_count - 1].wait == at &&
	       l->wakes.wait[at].ended == CT_ENDED_RELEASE;
}

static int stops_of_runs(struct ct_lives *l, uint32_t thread, const struct chain *c)
{
	const struct ct_thread_runs *t = &l->wakes.runs[thread];
	struct ct_life *life = &l->life[thread];
	const uint64_t slack_ns = l->wakes.slack_ns;
	uint32_t k = 0;

	for (uint32_t i = 0; i < t->run_count; i++) {
		const struct ct_run *run = &t->run[i];
		uint32_t at = CT_NO;

		if (!run->slept_ns || run->slept_ns >= run->start_ns)
			continue;
		struct ct_stop s = { run->slept_ns, run->woken_ns ? run->woken_ns : run->start_ns, run->start_ns, CT_NO, CT_NO, CT_NO, CT_NO, 0 };

		while (k < c->count && l->wakes.wait[c->wait[k]].end_ns + slack_ns < s.to_ns)
			k++;
		if (k < c->count && l->wakes.wait[c->wait[k]].start_ns <= s.from_ns + slack_ns)
			at = c->wait[k];
		explain(l, &s, run, at);
		if (goes_on(l, life, at)) {
			s.from_ns = life->stop[--life->stop_count].from_ns;
			/* Of a lock whoever released it last. */
			s.waker = l->wakes.wait[at].waker;
			s.waker_stack = l->wakes.wait[at].waker_stack;
			s.ended = CT_ENDED_RELEASE;
		}
		if (add_stop(life, s))
			return -ENOMEM;
	}
	/* What has not ended. */
	for (; k < c->count; k++) {
		const struct ct_wait *w = &l->wakes.wait[c->wait[k]];
		uint64_t from_ns = t->last_end_ns > w->start_ns ? t->last_end_ns : w->start_ns;

		if (w->ended == CT_ENDED_NOT && add_stop(life, (struct ct_stop){ from_ns, w->end_ns, w->end_ns, CT_NO,
						CT_NO, w->site, c->wait[k], CT_ENDED_NOT }))
			return -ENOMEM;
	}
	return 0;
}

/* --- what was held --- */

static int by_begin(const void *x, const void *y)
{
	const struct ct_held *a = x, *b = y;

	return (a->from_ns > b->from_ns) - (a->from_ns < b->from_ns);
}

static int make_held(struct ct_lives *l)
{
	for (uint32_t i = 0; i < l->wakes.object_count; i++) {
		const struct ct_wait_object *o = &l->wakes.object[i];

		for (uint32_t k = 0; k < o->ender_count; k++) {
			const struct ct_ender *e = &o->ender[k];

			if (e->kind != CT_EVENT_HOLD || e->flags & CT_EV_NO_START)
				continue;
			struct ct_held *held = CT_APPEND(&l->life[e->thread], held);

			if (!held)
				return -ENOMEM;
			*held = (struct ct_held){ e->other_ns, e->moment_ns, i, e->stack };
		}
	}
	for (uint32_t i = 0; i < l->m->thread_count; i++)
		if (l->life[i].held_count)
			qsort(l->life[i].held, l->life[i].held_count, sizeof(struct ct_held), by_begin);
	return 0;
}

/* --- lives --- */

static uint32_t main_thread(const struct ct_model *m, uint32_t process)
{
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (m->thread[i].process == process && m->thread[i].tid == m->process[process].pid)
			return i;
	return CT_NO;
}

static uint32_t maker_of(const struct ct_lives *l, uint32_t thread)
{
	const struct ct_model *m = l->m;
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_thread_runs *runs = &l->wakes.runs[thread];
	const struct ct_process_info *p = &m->process[t->process];

	if (t->tid != p->pid) {
		/* Its first slice says who made it. */
		if (runs->run_count && !runs->run[0].slept_ns && runs->run[0].woken_ns &&
		    runs->run[0].waker < CT_OUTSIDE && runs->run[0].waker != thread)
			return runs->run[0].waker;
		return main_thread(m, t->process);
	}
	for (uint32_t i = 0; i < m->process_count; i++)
		if (i != t->process && m->process[i].pid == p->parent_pid && m->process[i].start_ns <= p->start_ns)
			return main_thread(m, i);
	return CT_NO;
}

static void make_span(struct ct_lives *l, uint32_t thread)
{
	const struct ct_model *m = l->m;
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_thread_runs *runs = &l->wakes.runs[thread];
	struct ct_life *life = &l->life[thread];

	life->from_ns = t->started ? t->start_ns : m->start_ns;
	life->to_ns = t->ended ? t->end_ns : m->process[t->process].ended ? m->process[t->process].end_ns : m->end_ns;
	if (runs->run_count && runs->run[0].start_ns < life->from_ns)
		life->from_ns = runs->run[0].woken_ns ? runs->run[0].woken_ns : runs->run[0].start_ns;
	if (life->stop_count && life->stop[0].from_ns < life->from_ns)
		life->from_ns = life->stop[0].from_ns;
	if (runs->run_count && runs->run[runs->run_count - 1].end == CT_SLICE_EXITED)
		life->to_ns = runs->last_end_ns;
	if (life->to_ns > m->end_ns)
		life->to_ns = m->end_ns;
	life->maker = maker_of(l, thread);
}

static int make_chains(const struct ct_wakes *w, struct chain *chains)
{
	for (uint32_t i = 0; i < w->wait_count; i++)
		chains[w->wait[i].thread].count++;
	for (uint32_t i = 0; i < w->m->thread_count; i++) {
		chains[i].wait = malloc((chains[i].count + 1u) * sizeof(uint32_t));
		if (!chains[i].wait)
			return -ENOMEM;
		chains[i].count = 0;
	}
	for (uint32_t i = 0; i < w->wait_count; i++) {
		struct chain *c = &chains[w->wait[i].thread];

		if (w->wait[i].left)
			c->wait[c->count++] = i;
	}
	return 0;
}

/* Measured, with what the path takes for its own sums. */
#define EVENT_BYTES 140u
#define SLICE_BYTES 80u
#define BYTES_MOST  (4ull << 30)

static uint64_t begin_of(const struct ct_model *m)
{
	return m->from_ns > m->start_ns ? m->from_ns : m->start_ns;
}

static uint64_t end_of(const struct ct_model *m)
{
	return m->to_ns < m->end_ns ? m->to_ns : m->end_ns;
}

static uint64_t bytes_of(const struct ct_model *m)
{
	double whole = (double)m->events * EVENT_BYTES + (double)m->slices * SLICE_BYTES;
	uint64_t from_ns = begin_of(m), to_ns = end_of(m);

	if (m->end_ns <= m->start_ns || to_ns <= from_ns)
		return 0;
	return (uint64_t)(whole * (double)(to_ns - from_ns) / (double)(m->end_ns - m->start_ns));
}

uint64_t ct_lives_fit(struct ct_model *m)
{
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	uint64_t limit = half < BYTES_MOST ? half : BYTES_MOST, bytes = bytes_of(m);

	if (m->options->lives_bytes && m->options->lives_bytes < limit)
		limit = m->options->lives_bytes;

	if (bytes <= limit)
		return 0;
	uint64_t to_ns = end_of(m), length_ns = (uint64_t)((double)(to_ns - begin_of(m)) * (double)limit / (double)bytes);

	m->from_ns = to_ns - length_ns;
	m->window = m->clip = true;
	return bytes;
}

int ct_lives_make(struct ct_lives *l, const struct ct_model *m, struct ct_reader *reader)
{
	*l = (struct ct_lives){ .m = m };
	int error = ct_wakes_read(&l->wakes, m, reader, true, NULL, NULL);
	struct chain *chains = calloc(m->thread_count + 1u, sizeof(*chains));

	l->life = calloc(m->thread_count + 1u, sizeof(*l->life));
	if (!chains || !l->life)
		error = error ? error : -ENOMEM;
	if (!error)
		error = make_chains(&l->wakes, chains);
	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		error = l->wakes.wakes && l->wakes.runs[i].run_count ? stops_of_runs(l, i, &chains[i]) :
								       stops_of_waits(l, i, &chains[i]);
		make_span(l, i);
	}
	for (uint32_t i = 0; i < m->thread_count && chains; i++)
		free(chains[i].wait);
	free(chains);
	return error ? error : make_held(l);
}

void ct_lives_close(struct ct_lives *l)
{
	for (uint32_t i = 0; l->m && l->life && i < l->m->thread_count; i++) {
		free(l->life[i].stop);
		free(l->life[i].held);
	}
	free(l->life);
	ct_wakes_close(&l->wakes);
	*l = (struct ct_lives){ 0 };
}

uint32_t ct_stop_after(const struct ct_life *l, uint64_t ns)
{
	uint32_t low = 0, high = l->stop_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (l->stop[middle].to_ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t ct_ran_ns(const struct ct_lives *l, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	const struct ct_thread_runs *t = &l->wakes.runs[thread];
	uint32_t low = 0, high = t->run_count;
	uint64_t ran_ns = 0;

	if (!t->run_count)
		return to_ns > from_ns ? to_ns - from_ns : 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->run[middle].end_ns <= from_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->run_count && t->run[low].start_ns < to_ns; low++) {
		uint64_t begin_ns = t->run[low].start_ns > from_ns ? t->run[low].start_ns : from_ns;
		uint64_t end_ns = t->run[low].end_ns < to_ns ? t->run[low].end_ns : to_ns;

		if (end_ns > begin_ns)
			ran_ns += end_ns - begin_ns;
	}
	return ran_ns;
}
