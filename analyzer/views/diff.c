/* See diff.h. */
#include "diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "report_groups.h"

/* Smaller differences are none, whatever the noise: 0.01 % of the time. */
#define CHANGE_MIN 100e3

const char *ct_diff_kind_name(enum ct_diff_kind kind)
{
	static const char *const names[CT_DIFF_KINDS] = {
		[CT_DIFF_STATE] = "state", [CT_DIFF_CAUSE] = "cause", [CT_DIFF_SITE] = "site", [CT_DIFF_LOCK] = "lock",
		[CT_DIFF_THREAD] = "thread",
	};

	return names[kind];
}

static uint64_t hash_text(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return ct_mix(h);
}

/* Adds to the last run. */
static int add(struct ct_diff *d, enum ct_diff_kind kind, const char *what, bool idle, uint64_t ns, uint64_t count)
{
	uint32_t run = d->runs[0] + d->runs[1] - 1, at;
	uint64_t key = hash_text(what, kind + 1u);

	if (!ns && !count)
		return 0;
	for (; (at = ct_table_get(&d->by_hash, key)); key++)
		if (d->row[at - 1].kind == kind && !strcmp(d->row[at - 1].what, what))
			break;
	struct ct_diff_row *row = at ? &d->row[at - 1] : CT_APPEND(d, row);

	if (!row)
		return -ENOMEM;
	if (!at) {
		*row = (struct ct_diff_row){ .kind = kind, .what = strdup(what), .idle = idle,
					     .ns = calloc(2 * CT_DIFF_RUNS, sizeof(*row->ns)),
					     .count = calloc(2 * CT_DIFF_RUNS, sizeof(*row->count)) };
		if (!row->what || !row->ns || !row->count || ct_table_put(&d->by_hash, key, d->row_count))
			return -ENOMEM;
	}
	row->ns[run] += ns;
	row->count[run] += count;
	return 0;
}

static int add_states(struct ct_diff *d, const struct ct_report *r)
{
	uint64_t running_ns = 0, runnable_ns = 0, unexplained_ns = 0, idle_ns = 0;

	for (uint32_t i = 0; i < r->thread_count; i++) {
		const struct ct_thread_info *t = &r->model->thread[r->thread[i]];

		running_ns += t->running_ns;
		runnable_ns += t->runnable_ns;
		unexplained_ns += t->unexplained_ns;
	}
	for (uint32_t i = 0; i < r->cause_count; i++)
		if (ct_cause_is_idle(r->model, r->cause[i].cause))
			idle_ns += r->cause[i].total_ns;
	if (add(d, CT_DIFF_STATE, "running", false, running_ns, 0) ||
	    add(d, CT_DIFF_STATE, "ready, without a CPU", false, runnable_ns, 0) ||
	    add(d, CT_DIFF_STATE, "blocked", false, r->blocked_ns - idle_ns, 0) ||
	    add(d, CT_DIFF_STATE, "unexplained", false, unexplained_ns, 0))
		return -ENOMEM;
	return add(d, CT_DIFF_STATE, "idle", true, idle_ns, 0);
}

static int add_causes(struct ct_diff *d, const struct ct_report *r)
{
	int error = 0;

	for (uint32_t i = 0; i < r->cause_count && !error; i++)
		error = add(d, CT_DIFF_CAUSE, ct_model_cause_name(r->model, r->cause[i].cause),
			    ct_cause_is_idle(r->model, r->cause[i].cause), r->cause[i].total_ns, r->cause[i].count);
	return error;
}

/* The same in another build of the program: function and file, not addresses, and no line, which moves. */
static int add_site(struct ct_diff *d, struct ct_report *r, const struct ct_site_row *row)
{
	struct ct_frame *frames;
	uint32_t count;
	char *what = NULL;
	int n;

	if (ct_callstack_frames(&r->callstacks, &r->symbols, row->callstack, &frames, &count))
		return -ENOMEM;
	uint32_t at = ct_frame_telling(frames, count);
	const struct ct_frame *f = at == CT_NO ? NULL : &frames[at];
	const char *call = ct_model_call_name(r->model, row->call), *cause = ct_model_cause_name(r->model, row->cause);

	if (f && f->function)
		n = asprintf(&what, "%s: %s in %s%s%s", cause, call, f->function, f->file ? ", " : "",
			     f->file ? ct_base_name(f->file) : "");
	else if (f)
		n = asprintf(&what, "%s: %s in %s+0x%llx", cause, call, f->module ? ct_base_name(f->module) : "",
			     (unsigned long long)f->offset);
	else
		n = asprintf(&what, "%s: %s", cause, call);
	free(frames);
	int error = n < 0 ? -ENOMEM : add(d, CT_DIFF_SITE, what, row->idle, row->total_ns, row->count);

	if (n >= 0)
		free(what);
	return error;
}

/* Running, and held up: ready without a CPU, or blocked by what is not idle. */
static int add_groups(struct ct_diff *d, struct ct_report *r)
{
	struct ct_groups groups;
	int error = ct_groups_make(&groups, r, CT_GROUP_NONE);

	for (uint32_t i = 0; i < groups.group_count && !error; i++) {
		const struct ct_group *g = &groups.group[i];
		uint64_t held_ns = g->runnable_ns;
		char name[80], what[160];

		for (uint32_t k = 0; k < r->cause_count; k++)
			if (!ct_cause_is_idle(r->model, r->cause[k].cause))
				held_ns += g->by_cause[k];
		/* One of many and one alone have the same name. */
		snprintf(name, sizeof(name), "%.*s%s", g->stem > 64 ? 64 : g->stem, r->model->thread[g->first].name,
			 r->model->thread[g->first].name[g->stem] ? "*" : "");
		snprintf(what, sizeof(what), "%s%s: running", *name ? name : "(no name)", g->main ? ", main" : "");
		error = add(d, CT_DIFF_THREAD, what, false, g->running_ns, 0);
		snprintf(what, sizeof(what), "%s%s: held up", *name ? name : "(no name)", g->main ? ", main" : "");
		if (!error)
			error = add(d, CT_DIFF_THREAD, what, false, held_ns, 0);
	}
	ct_groups_close(&groups);
	return error;
}

int ct_diff_add(struct ct_diff *d, struct ct_report *r, const char *file, int side)
{
	const struct ct_model *m = r->model;
	struct ct_diff_run *run = &d->run[d->runs[0] + d->runs[1]];
	uint64_t from_ns = m->from_ns > m->start_ns ? m->from_ns : m->start_ns;
	uint64_t to_ns = m->to_ns < m->end_ns ? m->to_ns : m->end_ns;

	*run = (struct ct_diff_run){ .file = strdup(file), .duration_ns = to_ns > from_ns ? to_ns - from_ns : 0,
				     .events = m->events, .lost = ct_model_lost_events(m),
				     .processes = m->process_count, .threads = m->thread_count };
	d->runs[side]++;
	int error = run->file ? add_states(d, r) : -ENOMEM;

	if (!error)
		error = add_causes(d, r);
	for (uint32_t i = 0; i < r->site_count && !error; i++)
		error = add_site(d, r, &r->site[i]);
	for (uint32_t i = 0; i < r->lock_count && !error; i++)
		error = add(d, CT_DIFF_LOCK, r->lock[i].label, false, r->lock[i].wait_ns, r->lock[i].contended);
	return error ? error : add_groups(d, r);
}

/* --- both sides --- */

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static struct ct_diff_side side_of(const struct ct_diff *d, const struct ct_diff_row *row, int side)
{
	uint32_t first = side ? d->runs[0] : 0, n = d->runs[side];
	struct ct_diff_side s = { 0 };
	double v[CT_DIFF_RUNS] = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		uint64_t duration_ns = d->run[first + i].duration_ns;

		v[i] = duration_ns ? (double)row->ns[first + i] * 1e9 / (double)duration_ns : 0;
		s.total_ns += row->ns[first + i];
		s.count += row->count[first + i];
		s.runs += row->ns[first + i] || row->count[first + i];
	}
	qsort(v, n, sizeof(*v), by_value);
	s.median = n % 2 ? v[n / 2] : n ? (v[n / 2 - 1] + v[n / 2]) / 2 : 0;
	s.min = v[0];
	s.max = n ? v[n - 1] : 0;
	return s;
}

static int by_weight(const void *x, const void *y)
{
	const struct ct_diff_row *a = x, *b = y;
	double size_a = fabs(a->change), size_b = fabs(b->change);

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->noise != b->noise)
		return a->noise ? 1 : -1;
	if (a->idle != b->idle)
		return a->idle ? 1 : -1;
	if (size_a != size_b)
		return size_a < size_b ? 1 : -1;
	return strcmp(a->what, b->what);
}

void ct_diff_finish(struct ct_diff *d)
{
	d->repeated = d->runs[0] > 1 && d->runs[1] > 1;
	for (uint32_t i = 0; i < d->row_count; i++) {
		struct ct_diff_row *row = &d->row[i];

		for (int s = 0; s < 2; s++)
			row->side[s] = side_of(d, row, s);
		double spread_a = row->side[0].max - row->side[0].min, spread_b = row->side[1].max - row->side[1].min;

		row->change = row->side[1].median - row->side[0].median;
		/* A side of one run has none of its own. */
		row->noise = fabs(row->change) < CHANGE_MIN ||
			     ((d->runs[0] > 1 || d->runs[1] > 1) &&
			      fabs(row->change) <= (spread_a > spread_b ? spread_a : spread_b));
	}
	if (d->row_count)
		qsort(d->row, d->row_count, sizeof(*d->row), by_weight);
	ct_table_free(&d->by_hash);
}

void ct_diff_free(struct ct_diff *d)
{
	for (uint32_t i = 0; i < d->runs[0] + d->runs[1]; i++)
		free((void *)(uintptr_t)d->run[i].file);
	for (uint32_t i = 0; i < d->row_count; i++) {
		free(d->row[i].what);
		free(d->row[i].ns);
		free(d->row[i].count);
	}
	free(d->row);
	ct_table_free(&d->by_hash);
	*d = (struct ct_diff){ 0 };
}
