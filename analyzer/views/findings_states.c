/* CPUs, and what else threads did. See findings.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

/* A thread whose life is a smaller part of the time is not worth a sentence. */
#define LIFE_MIN(covers) ((covers) / 5)

/* Who uses less of the CPUs, and still has none when it wants one, was kept from them by others. */
#define OUTSIDE 0.75

static int add_ready(struct ct_findings *f)
{
	uint64_t ready_ns = f->sched.runnable_ns;

	if (!f->m->has_sched || !ready_ns || ready_ns < f->active_ns / 10)
		return 0;
	struct ct_finding *x = ct_finding_of(f, CT_FINDING_READY, CT_CAUSES, 1);

	if (!x)
		return -ENOMEM;
	x->ns = ready_ns;
	x->outside = f->cpus && (double)f->running_ns < OUTSIDE * f->cpus * (double)f->sched.covers_ns;
	x->last = x->outside && ready_ns < f->active_ns / 10 * 6;
	x->count = f->sched.wakes.count + f->sched.preempted.count;
	x->max_ns = f->sched.wakes.max_ns > f->sched.preempted.max_ns ? f->sched.wakes.max_ns : f->sched.preempted.max_ns;
	for (uint32_t i = 0; i < f->report.thread_count; i++) {
		uint32_t thread = f->report.thread[i];

		if (f->m->thread[thread].runnable_ns &&
		    ct_finding_add_thread(x, f->m, thread, 1, f->m->thread[thread].runnable_ns))
			return -ENOMEM;
	}
	return 0;
}

static bool computes(const struct ct_findings *f, uint32_t thread)
{
	const struct ct_thread_info *t = &f->m->thread[thread];
	uint64_t ran_ns = ct_findings_ran(f, thread);

	if (t->lifetime_ns < LIFE_MIN(f->sched.covers_ns))
		return false;
	/* On a busy machine it would have run while it was ready. */
	return ran_ns >= t->lifetime_ns / 10 * 6 ||
	       (f->m->has_sched && ran_ns >= t->lifetime_ns / 25 && ran_ns + t->runnable_ns >= t->lifetime_ns / 20 * 17);
}

static int add_computing(struct ct_findings *f)
{
	for (uint32_t i = 0; i < f->report.thread_count; i++) {
		uint32_t thread = f->report.thread[i];

		if (!computes(f, thread))
			continue;
		struct ct_finding *x = ct_finding_of(f, CT_FINDING_CPU, CT_CAUSES, f->kind[thread] + 1ull);

		if (!x || ct_finding_add_thread(x, f->m, thread, 1, ct_findings_ran(f, thread)))
			return -ENOMEM;
		x->ns += ct_findings_ran(f, thread);
	}
	return 0;
}

static int add_unexplained(struct ct_findings *f)
{
	uint64_t sum_ns = 0;

	for (uint32_t i = 0; i < f->report.thread_count && f->m->has_sched; i++)
		sum_ns += f->m->thread[f->report.thread[i]].unexplained_ns;
	if (!sum_ns || sum_ns < f->active_ns / 20)
		return 0;
	struct ct_finding *x = ct_finding_of(f, CT_FINDING_UNEXPLAINED, CT_CAUSES, 1);

	if (!x)
		return -ENOMEM;
	x->ns = sum_ns;
	for (uint32_t i = 0; i < f->report.thread_count; i++) {
		uint32_t thread = f->report.thread[i];

		if (f->m->thread[thread].unexplained_ns &&
		    ct_finding_add_thread(x, f->m, thread, 1, f->m->thread[thread].unexplained_ns))
			return -ENOMEM;
	}
	return 0;
}

static uint64_t time_of(const struct ct_finding *x, uint32_t thread)
{
	for (uint32_t i = 0; i < x->threads.item_count; i++)
		if (x->threads.item[i].key == thread)
			return x->threads.item[i].total_ns;
	return 0;
}

/* Others may be idle at the same place all the time. */
static void keep_kind(const struct ct_findings *f, struct ct_finding *x, uint32_t thread)
{
	uint32_t n = 0;

	x->ns = x->count = 0;
	for (uint32_t i = 0; i < x->threads.item_count; i++) {
		struct ct_tally *t = &x->threads.item[i];

		if (!ct_findings_alike(f, (uint32_t)t->key, thread))
			continue;
		x->ns += t->total_ns;
		x->count += t->count;
		x->threads.item[n++] = *t;
	}
	x->threads.item_count = n;
}

/* Of the idle places only the one is kept where the busiest thread was idle most: and only if it was so for
 * a large part of its life. */
static void choose_idle(struct ct_findings *f)
{
	uint64_t wanted_ns = f->running_ns;
	uint32_t busiest = CT_NO, best = CT_NO;
	uint64_t most_ns = 0, best_ns = 0;

	for (uint32_t i = 0; i < f->report.thread_count; i++) {
		uint32_t thread = f->report.thread[i];
		uint64_t life_ns = f->m->thread[thread].lifetime_ns;
		uint64_t rest_ns = f->idle_ns[thread] + f->m->thread[thread].runnable_ns;
		uint64_t busy_ns = life_ns > rest_ns ? life_ns - rest_ns : 0;

		wanted_ns += f->m->thread[thread].runnable_ns;
		if (busiest == CT_NO || busy_ns > most_ns) {
			busiest = thread;
			most_ns = busy_ns;
		}
	}
	/* Where none does anything the main thread says what the program is for. */
	if (busiest != CT_NO && most_ns < f->m->thread[busiest].lifetime_ns / 20) {
		const struct ct_thread_info *t = &f->m->thread[busiest];
		uint32_t main = ct_model_tid(f->m, t->process, f->m->process[t->process].pid);

		busiest = main != CT_NO && f->m->thread[main].selected ? main : busiest;
	}
	for (uint32_t i = 0; i < f->finding_count && busiest != CT_NO; i++) {
		uint64_t ns = f->finding[i].kind == CT_FINDING_IDLE ? time_of(&f->finding[i], busiest) : 0;

		if (ns > best_ns) {
			best = i;
			best_ns = ns;
		}
	}
	for (uint32_t i = 0; i < f->finding_count; i++) {
		struct ct_finding *x = &f->finding[i];

		if (x->kind != CT_FINDING_IDLE)
			continue;
		/* Without time it is dropped later. */
		if (i != best || best_ns < f->m->thread[busiest].lifetime_ns / 3)
			x->ns = 0;
		else
			keep_kind(f, x, busiest);
		/* Where its threads want to run, one that waits for them is not what to know first. */
		x->most = best_ns >= f->m->thread[busiest].lifetime_ns / 10 * 8 && wanted_ns < f->sched.covers_ns / 2;
	}
}

int ct_findings_states(struct ct_findings *f)
{
	int error = add_ready(f);

	if (!error)
		error = add_computing(f);
	if (!error)
		error = add_unexplained(f);
	if (!error)
		choose_idle(f);
	return error;
}
