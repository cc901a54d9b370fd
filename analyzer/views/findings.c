/* Findings in order. See findings.h. */
#include "findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many places are looked at: what is behind them weighs nothing. */
#define SITES 64u
/* With more events the search for wakers takes too long for a summary. */
#define EVENTS_MAX 20000000u

struct ct_finding *ct_finding_of(struct ct_findings *f, enum ct_finding_kind kind, uint32_t cause, uint64_t key)
{
	for (uint32_t i = 0; i < f->finding_count && key; i++)
		if (f->finding[i].kind == kind && f->finding[i].key == key)
			return &f->finding[i];
	struct ct_finding *x = CT_APPEND(f, finding);

	if (x)
		*x = (struct ct_finding){ .kind = kind, .cause = cause, .key = key, .callstack = CT_NO, .holder = CT_NO,
					  .behind_stack = CT_NO };
	return x;
}

int ct_finding_add_thread(struct ct_finding *x, const struct ct_model *m, uint32_t thread, uint64_t count, uint64_t ns)
{
	struct ct_tally *t = ct_tally_of(&x->threads, m->thread[thread].process, thread);

	if (!t)
		return -ENOMEM;
	t->tid = m->thread[thread].tid;
	t->count += count;
	t->total_ns += ns;
	return 0;
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return ct_mix(h);
}

int ct_finding_key(struct ct_findings *f, uint32_t cause, uint32_t call, uint32_t callstack, const char *object,
		   const struct ct_known **ret_known, uint64_t *ret_key)
{
	struct ct_frame *frames;
	uint32_t count;

	if (ct_callstack_frames(&f->report.callstacks, &f->report.symbols, callstack, &frames, &count))
		return -ENOMEM;
	const struct ct_known *k = ct_known_find(frames, count, object ? object : "", ct_model_cause_name(f->m, cause));
	uint32_t at = ct_frame_telling(frames, count);
	uint64_t key = ct_mix(ct_pair(cause, call) + 1);

	if (k)
		key = hash_text(1, k->what);
	else if (at != CT_NO && frames[at].function)
		key = hash_text(key, frames[at].function);
	else if (at != CT_NO)
		key = ct_mix(key ^ frames[at].offset);
	free(frames);
	*ret_known = k;
	*ret_key = key | 1;
	return 0;
}

uint64_t ct_findings_ran(const struct ct_findings *f, uint32_t thread)
{
	const struct ct_thread_info *t = &f->m->thread[thread];

	return f->m->has_sched ? t->running_ns : t->unexplained_ns;
}

/* --- what all have in common --- */

static int add_up(struct ct_findings *f)
{
	const struct ct_model *m = f->m;

	f->idle_ns = calloc(m->thread_count + 1u, sizeof(*f->idle_ns));
	if (!f->idle_ns)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_site *s = &m->site[m->cell[i].site].site;

		if (s->kind == CT_EVENT_INTERVAL && ct_cause_is_idle(m, s->cause))
			f->idle_ns[m->cell[i].thread] += m->cell[i].total_ns;
	}
	for (uint32_t i = 0; i < f->report.thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[f->report.thread[i]];
		uint64_t idle_ns = f->idle_ns[f->report.thread[i]];

		f->active_ns += t->lifetime_ns > idle_ns ? t->lifetime_ns - idle_ns : 0;
		f->running_ns += ct_findings_ran(f, f->report.thread[i]);
	}
	ct_sched_sum(&f->sched, m);
	f->cpus = (uint32_t)strtoul(ct_model_meta(m, "cpus"), NULL, 10);
	return 0;
}

/* Leaves the threads of a finding that have a part in it worth a word, and adds up their lives. */
static void keep_threads(struct ct_findings *f, struct ct_finding *x)
{
	struct ct_tallies *t = &x->threads;
	uint32_t n = 0;

	ct_tallies_sort(t);
	while (n < t->item_count && t->item[n].total_ns >= t->item[0].total_ns / 4)
		n++;
	for (uint32_t i = n; i < t->item_count; i++)
		free(t->item[i].label);
	t->item_count = n;
	x->lifetime_ns = x->idle_ns = 0;
	for (uint32_t i = 0; i < n; i++) {
		x->lifetime_ns += f->m->thread[t->item[i].key].lifetime_ns;
		x->idle_ns += f->idle_ns[t->item[i].key];
	}
	ct_tallies_sort(&x->wakers);
	ct_tallies_sort(&x->behind);
}

static void free_finding(struct ct_finding *x)
{
	ct_tallies_free(&x->threads);
	ct_tallies_free(&x->wakers);
	ct_tallies_free(&x->behind);
	free(x->object);
	free(x->text);
	free(x->hint);
	free(x->next);
}

/* What is too small to be told: a part of the time in which threads had something to do. */
static bool is_small(const struct ct_findings *f, const struct ct_finding *x)
{
	if (x->kind == CT_FINDING_DEADLOCK)
		return false;
	return !x->ns || x->ns < f->active_ns / 50 || x->ns < x->lifetime_ns / 200;
}

/* That a program is idle comes first where it hardly does anything, and otherwise last; so does what others on
 * the machine took from it, unless that is most of its time. */
static int rank(const struct ct_finding *x)
{
	if (x->kind == CT_FINDING_DEADLOCK)
		return 0;
	if (x->kind == CT_FINDING_READY)
		return x->last ? 3 : 2;
	return x->kind != CT_FINDING_IDLE ? 2 : x->most ? 1 : 4;
}

static int by_weight(const void *x, const void *y)
{
	const struct ct_finding *a = x, *b = y;

	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return (a->key > b->key) - (a->key < b->key);
}

static void put_in_order(struct ct_findings *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->finding_count; i++) {
		struct ct_finding *x = &f->finding[i];

		keep_threads(f, x);
		if (is_small(f, x))
			free_finding(x);
		else
			f->finding[n++] = *x;
	}
	f->finding_count = n;
	if (n)
		qsort(f->finding, n, sizeof(*f->finding), by_weight);
}

static int add_deadlocks(struct ct_findings *f, struct ct_reader *reader)
{
	int error = ct_stuck_maybe(f->m) ? ct_stuck_find(&f->stuck, f->m, reader) : 0;

	for (uint32_t i = 0; i < f->stuck.cycle_count && !error; i++) {
		const struct ct_cycle *c = &f->stuck.cycle[i];
		struct ct_finding *x = ct_finding_of(f, CT_FINDING_DEADLOCK, CT_CAUSES, i + 1);

		if (!x)
			return -ENOMEM;
		for (uint32_t k = 0; k < c->count && !error; k++) {
			const struct ct_pending *p = &f->stuck.pending[f->stuck.member[c->first + k]];

			error = ct_finding_add_thread(x, f->m, p->thread, 1, ct_pending_ns(p));
			x->ns += ct_pending_ns(p);
			x->count++;
		}
	}
	return error;
}

int ct_findings_make(struct ct_findings *f, const struct ct_model *m, struct ct_reader *reader)
{
	*f = (struct ct_findings){ .options = m->options, .m = m };
	int error = ct_report_make(&f->report, m, SITES);

	if (!error)
		error = ct_findings_kinds(f);
	if (!error)
		error = add_up(f);
	f->skipped = m->events > EVENTS_MAX;
	if (!error && !f->skipped && f->report.site_count)
		error = ct_wakers_make(&f->wakers, m, reader);
	if (!error && !f->skipped && f->report.lock_count)
		error = ct_lock_details_make(&f->details, &f->report, reader);
	if (!error)
		error = add_deadlocks(f, reader);
	if (!error)
		error = ct_findings_waits(f);
	if (!error)
		error = ct_findings_wakers(f);
	if (!error)
		error = ct_findings_states(f);
	if (!error)
		error = ct_findings_behind(f);
	if (error)
		return error;
	put_in_order(f);
	error = ct_findings_path(f, reader);
	if (error || ct_findings_times(f))
		return error ? error : -ENOMEM;
	return ct_findings_texts(f);
}

void ct_findings_close(struct ct_findings *f)
{
	for (uint32_t i = 0; i < f->finding_count; i++)
		free_finding(&f->finding[i]);
	free(f->finding);
	free(f->idle_ns);
	free(f->kind);
	free(f->kinds);
	free(f->order);
	ct_stuck_close(&f->stuck);
	ct_lock_details_close(&f->details);
	ct_wakers_close(&f->wakers);
	ct_report_close(&f->report);
	*f = (struct ct_findings){ 0 };
}
