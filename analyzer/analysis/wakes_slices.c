/* Threads by their numbers, and when they had a CPU. See wakes.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "objects.h"
#include "wakes.h"

#define OUTSIDERS_MAX 4096u

/* --- threads by number --- */

static int by_number(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_thread_info *a = &m->thread[*(const uint32_t *)x], *b = &m->thread[*(const uint32_t *)y];

	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static int by_pthread(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_thread_info *a = &m->thread[*(const uint32_t *)x], *b = &m->thread[*(const uint32_t *)y];

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->pthread != b->pthread)
		return a->pthread < b->pthread ? -1 : 1;
	return by_number(x, y, model);
}

void ct_wakes_order(struct ct_wakes *w)
{
	void *m = (void *)(uintptr_t)w->m;

	for (uint32_t i = 0; i < w->runs_count; i++)
		w->by_tid[i] = w->by_pthread[i] = i;
	qsort_r(w->by_tid, w->runs_count, sizeof(*w->by_tid), by_number, m);
	qsort_r(w->by_pthread, w->runs_count, sizeof(*w->by_pthread), by_pthread, m);
}

static int by_start(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	uint64_t a = m->process[*(const uint32_t *)x].start_ns, b = m->process[*(const uint32_t *)y].start_ns;

	return (a > b) - (a < b);
}

int ct_wakes_families(struct ct_wakes *w)
{
	const struct ct_model *m = w->m;
	uint32_t *order = calloc(m->process_count + 1u, sizeof(*order));
	struct ct_table by_pid = { 0 }; /* of those so far, the last one: index + 1 */
	int error = 0;

	w->family = calloc(m->process_count + 1u, sizeof(*w->family));
	if (!w->family || !order)
		error = -ENOMEM;
	for (uint32_t i = 0; i < m->process_count && !error; i++)
		order[i] = i;
	if (!error)
		qsort_r(order, m->process_count, sizeof(*order), by_start, (void *)(uintptr_t)m);
	for (uint32_t i = 0; i < m->process_count && !error; i++) {
		const struct ct_process_info *p = &m->process[order[i]];
		uint32_t before = ct_table_get(&by_pid, p->pid), parent = ct_table_get(&by_pid, p->parent_pid);
		bool exec = before && m->process[before - 1].how == CT_END_EXEC;

		w->family[order[i]] = exec || !parent ? order[i] : w->family[parent - 1];
		error = ct_table_put(&by_pid, p->pid, order[i] + 1);
	}
	ct_table_free(&by_pid);
	free(order);
	return error;
}

static uint64_t end_of(const struct ct_model *m, const struct ct_thread_info *t)
{
	const struct ct_process_info *p = &m->process[t->process];

	return t->ended && t->how != CT_END_TRACE ? t->end_ns : p->ended && p->how != CT_END_TRACE ? p->end_ns : UINT64_MAX;
}

uint32_t ct_wakes_tid(const struct ct_wakes *w, uint64_t tid, uint64_t ns)
{
	const struct ct_model *m = w->m;
	uint32_t low = 0, high = w->runs_count, found = CT_NO;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->thread[w->by_tid[middle]].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	/* The first that lives on after the moment: numbers are used again. */
	for (; low < w->runs_count && m->thread[w->by_tid[low]].tid == tid; low++) {
		found = w->by_tid[low];
		if (end_of(m, &m->thread[found]) + w->slack_ns >= ns)
			break;
	}
	return found;
}

static uint32_t outsider_of(struct ct_wakes *w, const struct ct_switches_task *task)
{
	uint32_t at = ct_table_get(&w->outsider_by_tid, task->tid);

	if (at)
		return CT_OUTSIDE + at - 1;
	if (!task->tid || w->outsider_count >= OUTSIDERS_MAX)
		return CT_NO;
	struct ct_outsider *o = CT_APPEND(w, outsider);

	if (!o || ct_table_put(&w->outsider_by_tid, task->tid, w->outsider_count))
		return CT_NO;
	*o = (struct ct_outsider){ task->pid, task->tid, ct_clean(task->name.p, task->name.n) };
	return CT_OUTSIDE + w->outsider_count - 1;
}

char *ct_waker_label(const struct ct_wakes *w, uint32_t waker)
{
	char *text = NULL;

	if (waker < w->m->thread_count)
		return ct_thread_label(w->m, w->m->thread[waker].process, w->m->thread[waker].tid);
	if (waker < CT_OUTSIDE || waker - CT_OUTSIDE >= w->outsider_count)
		return strdup("unknown");
	const struct ct_outsider *o = &w->outsider[waker - CT_OUTSIDE];

	if (asprintf(&text, "%s (%u, not traced)", o->name && *o->name ? o->name : "thread", o->tid) < 0)
		return NULL;
	return text;
}

/* --- slices --- */

static uint32_t place_of(const struct ct_wakes *w, uint32_t thread)
{
	const struct ct_model *m = w->m;
	uint32_t low = 0, high = w->runs_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2, at = w->by_tid[middle];

		if (by_number(&at, &thread, (void *)(uintptr_t)m) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A slice goes on in the next program through exec: the tid stays. */
static int go_on_after_exec(struct ct_wakes *w, const struct ct_slice *s, uint32_t thread)
{
	const struct ct_model *m = w->m;
	uint64_t end_ns = end_of(m, &m->thread[thread]);
	uint32_t at = end_ns < s->end_ns ? place_of(w, thread) + 1 : w->runs_count;

	if (at >= w->runs_count || m->thread[w->by_tid[at]].tid != m->thread[thread].tid)
		return 0;
	struct ct_thread_runs *t = &w->runs[w->by_tid[at]];

	t->last_end_ns = s->end_ns;
	t->last_end = (uint8_t)s->end;
	if (!w->keep)
		return 0;
	struct ct_run *run = CT_APPEND(t, run);

	if (!run)
		return -ENOMEM;
	*run = (struct ct_run){ 0, 0, end_ns > s->start_ns ? end_ns : s->start_ns, s->end_ns, CT_NO, 0, (uint8_t)s->end };
	return 0;
}

static int add_run(struct ct_wakes *w, const struct ct_switches_decoder *d, const struct ct_slice *s, uint32_t thread)
{
	bool woken = s->flags & CT_SL_WOKEN && s->woken_ns <= s->start_ns;
	struct ct_thread_runs *t = &w->runs[thread];
	struct ct_run *last = t->run_count ? &t->run[t->run_count - 1] : NULL;
	bool slept = woken || (t->last_end_ns && t->last_end == CT_SLICE_BLOCKED && !(s->flags & CT_SL_NO_START));
	uint64_t slept_ns = slept ? t->last_end_ns : 0;

	t->last_end_ns = s->end_ns;
	t->last_end = (uint8_t)s->end;
	if (last && w->keep && last->end == CT_SLICE_CONTINUED && last->end_ns == s->start_ns && !woken) {
		last->end_ns = s->end_ns;
		last->end = (uint8_t)s->end;
		return 0;
	}
	if ((!slept && !w->keep) || s->end_ns < w->from_ns || s->start_ns > w->to_ns)
		return 0;
	struct ct_run *run = CT_APPEND(t, run);

	if (!run)
		return -ENOMEM;
	*run = (struct ct_run){ slept_ns, woken ? s->woken_ns : 0, s->start_ns, s->end_ns, CT_NO, (uint8_t)s->flags,
				(uint8_t)s->end };
	if (!woken)
		return 0;
	uint32_t waker = ct_wakes_tid(w, d->task[s->waker].tid, s->woken_ns);

	run->waker = waker != CT_NO ? waker : w->task[s->waker];
	if (run->waker == CT_NO)
		run->waker = w->task[s->waker] = outsider_of(w, &d->task[s->waker]);
	return 0;
}

static int take_slice(struct ct_wakes *w, const struct ct_switches_decoder *d, const struct ct_slice *s)
{
	if (s->end_ns < s->start_ns || s->end_ns > INT64_MAX)
		return 0;
	uint32_t thread = ct_wakes_tid(w, d->task[s->task].tid, s->start_ns);
	int error = thread == CT_NO ? 0 : add_run(w, d, s, thread);

	return error || thread == CT_NO ? error : go_on_after_exec(w, s, thread);
}

int ct_wakes_slices(struct ct_wakes *w, struct ct_switches_decoder *d, struct ct_span payload)
{
	int error = ct_switches_open(d, payload);
	struct ct_slice s;

	if (error)
		return error == -EBADMSG ? 0 : error;
	/* Each takes a byte of this column at least. */
	w->kept += (uint64_t)(d->first[CT_SLICES_TASK].end - d->first[CT_SLICES_TASK].p);
	if (w->keep && w->kept > w->most)
		return -EFBIG;
	uint32_t *task = ct_grow(w->task, &w->task_capacity, d->task_count + 1u, sizeof(*task));

	if (!task)
		return -ENOMEM;
	w->task = task;
	memset(task, 0xff, d->task_count * sizeof(*task));
	while (!error && ct_switches_next(d, &s) > 0)
		error = take_slice(w, d, &s);
	return error;
}
