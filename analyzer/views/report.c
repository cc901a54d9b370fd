/* Causes and threads in order. See report.h. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool ct_cause_is_idle(const struct ct_model *m, uint32_t cause)
{
	return !strcmp(ct_model_category(m, cause), "idle");
}

static int by_cause_time(const void *x, const void *y)
{
	const struct ct_cause_row *a = x, *b = y;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return (a->cause > b->cause) - (a->cause < b->cause);
}

static int make_causes(struct ct_report *r)
{
	const struct ct_model *m = r->model;
	struct ct_cause_row rows[CT_CAUSES] = { 0 };

	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;
		struct ct_cause_row *row = &rows[site->cause];

		if (site->kind != CT_EVENT_INTERVAL)
			continue;
		row->count += cell->count;
		row->total_ns += cell->total_ns;
		row->elapsed_ns += cell->elapsed_ns;
		row->unknown += cell->unknown;
		if ((site->flags & (CT_EV_OPEN | CT_EV_NO_TIME)) == CT_EV_OPEN)
			row->open += cell->count;
		if (cell->max_ns > row->max_ns)
			row->max_ns = cell->max_ns;
	}
	for (uint32_t c = 0; c < CT_CAUSES; c++) {
		if (!rows[c].count)
			continue;
		struct ct_cause_row *row = CT_APPEND(r, cause);

		if (!row)
			return -ENOMEM;
		*row = rows[c];
		row->cause = (uint8_t)c;
		if (m->cause[c].times) {
			row->p50_ns = ct_histogram_quantile(m->cause[c].times, 0.5);
			row->p99_ns = ct_histogram_quantile(m->cause[c].times, 0.99);
		}
		/* The middle of the last bucket can lie behind the largest value. */
		if (row->p50_ns > row->max_ns)
			row->p50_ns = row->max_ns;
		if (row->p99_ns > row->max_ns)
			row->p99_ns = row->max_ns;
	}
	if (r->cause_count)
		qsort(r->cause, r->cause_count, sizeof(*r->cause), by_cause_time);
	return 0;
}

static int by_blocked_time(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_thread_info *a = &m->thread[*(const uint32_t *)x], *b = &m->thread[*(const uint32_t *)y];

	if (a->blocked_ns != b->blocked_ns)
		return a->blocked_ns < b->blocked_ns ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

static int make_threads(struct ct_report *r)
{
	const struct ct_model *m = r->model;
	uint32_t columns[CT_CAUSES] = { 0 };

	r->thread = calloc(m->thread_count + 1u, sizeof(*r->thread));
	r->by_cause = calloc((size_t)m->thread_count * r->cause_count + 1, sizeof(*r->by_cause));
	if (!r->thread || !r->by_cause)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->cause_count; i++)
		columns[r->cause[i].cause] = i;
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;

		if (site->kind == CT_EVENT_INTERVAL)
			r->by_cause[(size_t)cell->thread * r->cause_count + columns[site->cause]] += cell->total_ns;
	}
	for (uint32_t i = 0; i < m->thread_count; i++) {
		if (!m->thread[i].selected)
			continue;
		r->thread[r->thread_count++] = i;
		r->blocked_ns += m->thread[i].blocked_ns;
		r->lifetime_ns += m->thread[i].lifetime_ns;
	}
	qsort_r(r->thread, r->thread_count, sizeof(*r->thread), by_blocked_time, (void *)(uintptr_t)m);
	return 0;
}

int ct_report_make(struct ct_report *r, const struct ct_model *m, uint32_t top)
{
	*r = (struct ct_report){ .model = m };
	int error = ct_symbols_open(&r->symbols, m);

	if (!error)
		error = ct_callstacks_open(&r->callstacks, m);
	if (!error)
		error = make_causes(r);
	if (!error)
		error = make_threads(r);
	if (!error)
		error = ct_report_sites(r, top);
	if (!error)
		error = ct_report_locks(r);
	return error;
}

void ct_report_close(struct ct_report *r)
{
	if (!r->model)
		return;
	for (uint32_t i = 0; i < r->site_count; i++) {
		ct_tallies_free(&r->site[i].objects);
		ct_tallies_free(&r->site[i].waiters);
		ct_tallies_free(&r->site[i].owners);
	}
	for (uint32_t i = 0; i < r->lock_count; i++) {
		ct_tallies_free(&r->lock[i].owners);
		ct_tallies_free(&r->lock[i].pairs);
		free(r->lock[i].label);
	}
	free(r->cause);
	free(r->site);
	free(r->lock);
	free(r->thread);
	free(r->by_cause);
	ct_callstacks_close(&r->callstacks);
	ct_symbols_close(&r->symbols);
	*r = (struct ct_report){ 0 };
}
