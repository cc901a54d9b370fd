/*
 * The books: for every thread running + runnable + blocked + unexplained
 * (+ unknown) is its lifetime. What was not recorded is unknown.
 *
 * With slices that holds by construction: each moment has one state, and what
 * blocked is the calls' part of the time off the CPU. Without, running and
 * runnable are the kernel's totals, as far as the time outside of calls allows.
 *
 * Where the slices do not say when threads were woken, the time from there
 * until they ran is in their waits. How much it was in all the kernel knows
 * (run_delay less what followed preemptions). It is the same few microseconds
 * whatever was waited for, so each wait is cut by the average; what short ones
 * do not have, all the rest gives in proportion to its length. Sums become right
 * by that; single waits, their longest and their percentiles stay as they are.
 */
#include <errno.h>
#include <stdlib.h>

#include "model_partial.h"
#include "model_parts.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the kernel's totals say of a time that is not blocked. */
static void by_totals(struct ct_thread_info *t, uint64_t rest_ns)
{
	t->running_ns = least(t->cpu_ns, rest_ns);
	rest_ns -= t->running_ns;
	t->runnable_ns = least(t->run_delay_ns, rest_ns);
	t->unexplained_ns = rest_ns - t->runnable_ns;
}

static void make_books(const struct ct_model *m, struct ct_thread_info *t)
{
	const struct ct_process_info *p = &m->process[t->process];
	uint64_t start_ns = t->started ? t->start_ns : t->first_ns;
	uint64_t end_ns = t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns;

	/* A call may have begun before its thread was first seen. */
	if (t->first_ns < start_ns)
		start_ns = t->first_ns;
	if (t->last_ns > end_ns)
		end_ns = t->last_ns;
	if (start_ns < m->from_ns)
		start_ns = m->from_ns;
	if (end_ns > m->to_ns)
		end_ns = m->to_ns;
	t->lifetime_ns = end_ns > start_ns ? end_ns - start_ns : 0;
	uint64_t off_ns = t->nesting.covered_ns - t->in_call_ns;

	if (t->lifetime_ns < off_ns)
		t->lifetime_ns = off_ns;
	t->blocked_ns = off_ns - t->excluded_ns - t->unrecorded_ns;
	t->unknown_ns = t->unrecorded_ns;
	t->unexplained_ns = t->lifetime_ns - off_ns;
	if (m->has_sched && !m->window)
		by_totals(t, t->unexplained_ns);
}

static void make_books_of_slices(const struct ct_model *m, struct ct_thread_info *t, const struct ct_states *st)
{
	const struct ct_timeline *line = &st->line;
	uint64_t covered_ns = t->nesting.covered_ns, off_ns = line->off_ns;

	/* Calls that overlap without being nested, which no thread makes. */
	if (off_ns < covered_ns)
		off_ns = covered_ns;
	t->lifetime_ns = line->running_ns + line->ready_ns + line->unknown_ns + off_ns;
	t->running_ns = line->running_ns;
	t->runnable_ns = line->ready_ns;
	t->unknown_ns = line->unknown_ns + t->unrecorded_ns;
	t->blocked_ns = covered_ns - t->excluded_ns - t->unrecorded_ns;
	t->unexplained_ns = off_ns - covered_ns;
	/* Of a thread of another pid namespace there are totals only. */
	if (!line->begun && !m->window && t->cpu_ns)
		by_totals(t, t->unexplained_ns);
}

/* --- wake-ups that are not in the records --- */

/* What is taken from a thread's waits. */
struct cut {
	uint64_t want_ns;          /* in all */
	uint64_t each_ns;          /* first from each wait */
	uint64_t rest_ns, left_ns; /* what that did not give, and of how much it is to be taken */
};

static uint64_t first_cut(const struct cut *c, uint64_t waits, uint64_t ns)
{
	return waits && c->each_ns > ns / waits ? ns : c->each_ns * waits;
}

static uint64_t cut_of(const struct cut *c, uint64_t waits, uint64_t ns)
{
	uint64_t first_ns = first_cut(c, waits, ns);

	if (!c->left_ns)
		return first_ns;
	return first_ns + (uint64_t)((unsigned __int128)(ns - first_ns) * c->rest_ns / c->left_ns);
}

/* Times off the CPU that were in no call. */
static uint64_t other_sleeps(const struct ct_states *st)
{
	return st->sleeps > st->waits ? st->sleeps - st->waits : 0;
}

static void want(struct cut *c, const struct ct_thread_info *t, const struct ct_states *st)
{
	uint64_t all_ns = t->blocked_ns + t->excluded_ns + t->unexplained_ns;
	uint64_t delay_ns = t->run_delay_ns > t->runnable_ns ? t->run_delay_ns - t->runnable_ns : 0;
	uint64_t sleeps = st->sleeps > st->waits ? st->sleeps : st->waits;

	c->want_ns = least(delay_ns, all_ns);
	c->each_ns = sleeps ? c->want_ns / sleeps : 0;
	c->rest_ns = c->want_ns;
}

/* Notes what the first cut gives, so that the second can be in proportion. */
static void note(struct cut *c, uint64_t waits, uint64_t ns)
{
	uint64_t first_ns = first_cut(c, waits, ns);

	c->rest_ns -= least(first_ns, c->rest_ns);
	c->left_ns += ns - first_ns;
}

static void take(struct ct_thread_info *t, uint64_t *from_ns, uint64_t ns)
{
	*from_ns -= ns;
	t->runnable_ns += ns;
	t->estimated_ns += ns;
}

static bool is_wait(const struct ct_model *m, const struct ct_cell *cell)
{
	return m->site[cell->site].site.kind == CT_EVENT_INTERVAL && cell->thread < m->states_count;
}

static int estimate_wakes(struct ct_model *m)
{
	struct cut *cuts = calloc(m->states_count + 1u, sizeof(*cuts));

	if (!cuts)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->states_count; i++)
		if (m->states[i].line.begun)
			want(&cuts[i], &m->thread[i], &m->states[i]);
	for (uint32_t i = 0; i < m->cell_count; i++)
		if (is_wait(m, &m->cell[i]))
			note(&cuts[m->cell[i].thread], m->cell[i].count, m->cell[i].total_ns);
	for (uint32_t i = 0; i < m->states_count; i++) {
		struct ct_thread_info *t = &m->thread[i];
		uint64_t others = other_sleeps(&m->states[i]);

		note(&cuts[i], 0, t->excluded_ns);
		note(&cuts[i], others, t->unexplained_ns);
		uint64_t excluded_ns = cut_of(&cuts[i], 0, t->excluded_ns);

		take(t, &t->unexplained_ns, cut_of(&cuts[i], others, t->unexplained_ns));
		take(t, &t->excluded_ns, excluded_ns);
		m->estimated |= t->estimated_ns != 0;
	}
	for (uint32_t i = 0; i < m->cell_count; i++) {
		struct ct_cell *cell = &m->cell[i];

		if (!is_wait(m, cell))
			continue;
		struct ct_thread_info *t = &m->thread[cell->thread];
		uint64_t ns = cut_of(&cuts[cell->thread], cell->count, cell->total_ns);

		take(t, &t->blocked_ns, ns);
		cell->total_ns -= ns;
		if (cell->max_ns > cell->total_ns)
			cell->max_ns = cell->total_ns;
		m->estimated |= ns != 0;
	}
	free(cuts);
	return 0;
}

static int by_number(const void *x, const void *y)
{
	const struct ct_cpu_info *a = x, *b = y;

	return (a->number > b->number) - (a->number < b->number);
}

int ct_model_finish(struct ct_model *m)
{
	int error = 0;

	/* The totals are of whole lives: nothing is known of a part. */
	for (uint32_t i = 0; i < m->thread_count && !m->window; i++)
		if (m->thread[i].cpu_ns || m->thread[i].run_delay_ns)
			m->sched = CT_SCHED_STAT;
	if (m->states)
		m->sched = CT_SCHED_SWITCHES;
	m->has_sched = m->sched != CT_SCHED_NONE;
	if (m->cpu_count)
		qsort(m->cpu, m->cpu_count, sizeof(*m->cpu), by_number);
	ct_table_free(&m->cpu_by_number); /* wrong from now on */
	for (uint32_t i = 0; i < m->thread_count; i++) {
		if (i < m->states_count && m->thread[i].selected && m->thread[i].started)
			make_books_of_slices(m, &m->thread[i], &m->states[i]);
		else
			make_books(m, &m->thread[i]);
		ct_partial_books(&m->thread[i]);
		/* Threads that did not live in the window are not part of the answer. */
		if (m->window && !m->thread[i].lifetime_ns)
			m->thread[i].selected = false;
	}
	if (m->states && !m->wakes && !m->window)
		error = estimate_wakes(m);
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;
		uint32_t call = ct_table_get(&m->call_by_id, site->call);

		if (site->kind != CT_EVENT_INTERVAL)
			continue;
		if (cell->max_ns > m->thread[cell->thread].longest_ns)
			m->thread[cell->thread].longest_ns = cell->max_ns;
		if (!call)
			continue;
		m->call[call - 1].written += cell->count;
		m->call[call - 1].written_ns += cell->total_ns;
	}
	return error;
}
