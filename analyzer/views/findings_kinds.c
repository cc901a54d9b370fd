/* Threads of a kind, and how they spent their time. See findings.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "report_groups.h"

static uint64_t hash_text(uint64_t h, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return ct_mix(h + 1);
}

/* Whether a process of the same program that is in the trace has started it. */
static bool is_child(const struct ct_model *m, const struct ct_table *pids, const struct ct_process_info *p)
{
	uint32_t at = ct_table_get(pids, p->parent_pid + 1);

	return at && !strcmp(m->process[at - 1].executable, p->executable);
}

static int take_thread(struct ct_findings *f, struct ct_table *kinds, const struct ct_table *pids, uint32_t thread)
{
	const struct ct_model *m = f->m;
	const struct ct_process_info *p = &m->process[m->thread[thread].process];
	const char *routine = ct_routine_of(&f->report.symbols, m, thread), *name = m->thread[thread].name;
	bool main = m->thread[thread].tid == p->pid, child = main && is_child(m, pids, p);
	size_t n = strlen(name);

	if (!routine)
		return -ENOMEM;
	while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	uint64_t key = hash_text((uint64_t)main << 1 | child, p->executable, strlen(p->executable));

	key = hash_text(hash_text(key, routine, strlen(routine)), name, n) | 1;
	uint32_t at = ct_table_get(kinds, key);

	if (!at) {
		struct ct_thread_kind *k = CT_APPEND(f, kinds);

		if (!k || ct_table_put(kinds, key, f->kinds_count))
			return -ENOMEM;
		*k = (struct ct_thread_kind){ .first = thread, .main = main, .child = child,
						  .same_name = true };
		at = f->kinds_count;
	}
	f->kind[thread] = at - 1;
	f->kinds[at - 1].same_name &= !strcmp(m->thread[f->kinds[at - 1].first].name, name);
	f->kinds[at - 1].count += m->thread[thread].selected;
	return 0;
}

int ct_findings_kinds(struct ct_findings *f)
{
	const struct ct_model *m = f->m;
	struct ct_table kinds = { 0 }, pids = { 0 };
	int error = 0;

	f->kind = calloc(m->thread_count + 1u, sizeof(*f->kind));
	if (!f->kind)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->process_count && !error; i++)
		error = ct_table_put(&pids, m->process[i].pid + 1, i + 1);
	for (uint32_t i = 0; i < m->thread_count && !error; i++)
		error = take_thread(f, &kinds, &pids, i);
	ct_table_free(&kinds);
	ct_table_free(&pids);
	return error;
}

bool ct_findings_alike(const struct ct_findings *f, uint32_t a, uint32_t b)
{
	return f->kind[a] == f->kind[b];
}

uint32_t ct_findings_kin(const struct ct_findings *f, uint32_t thread)
{
	return f->kinds[f->kind[thread]].count;
}

static int by_active(const void *x, const void *y, void *kinds)
{
	const struct ct_thread_kind *a = (const struct ct_thread_kind *)kinds + *(const uint32_t *)x;
	const struct ct_thread_kind *b = (const struct ct_thread_kind *)kinds + *(const uint32_t *)y;
	uint64_t active_a = a->lifetime_ns - a->idle_ns, active_b = b->lifetime_ns - b->idle_ns;

	if (active_a != active_b)
		return active_a < active_b ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

int ct_findings_times(struct ct_findings *f)
{
	const struct ct_report *r = &f->report;
	const struct ct_model *m = f->m;

	f->order = calloc(f->kinds_count + 1u, sizeof(*f->order));
	if (!f->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[r->thread[i]];
		struct ct_thread_kind *k = &f->kinds[f->kind[r->thread[i]]];
		uint64_t idle_ns = f->idle_ns[r->thread[i]], waits_ns = 0;

		for (uint32_t c = 0; c < r->cause_count; c++) {
			uint64_t ns = r->by_cause[(size_t)r->thread[i] * r->cause_count + c];
			const char *category = ct_model_category(m, r->cause[c].cause);

			if (!strcmp(category, "idle"))
				waits_ns += ns;
			else if (!strcmp(category, "contention"))
				k->contention_ns += ns;
			else
				k->io_ns += ns;
		}
		if (idle_ns > t->lifetime_ns)
			idle_ns = t->lifetime_ns;
		/* Waits of idle causes that are no idle time. */
		k->contention_ns += waits_ns > idle_ns ? waits_ns - idle_ns : 0;
		k->idle_ns += idle_ns;
		k->lifetime_ns += t->lifetime_ns;
		k->running_ns += ct_findings_ran(f, r->thread[i]);
		k->runnable_ns += t->runnable_ns;
		k->other_ns += (m->has_sched ? t->unexplained_ns : 0) + t->unknown_ns + t->excluded_ns;
	}
	for (uint32_t i = 0; i < f->kinds_count; i++)
		f->order[i] = i;
	if (f->kinds_count)
		qsort_r(f->order, f->kinds_count, sizeof(*f->order), by_active, f->kinds);
	return 0;
}
