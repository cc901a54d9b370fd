/* Sums over slices. See report_sched.h. */
#include "report_sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

void ct_sched_sum(struct ct_sched_sum *s, const struct ct_model *m)
{
	uint64_t from_ns = m->from_ns > m->start_ns ? m->from_ns : m->start_ns;
	uint64_t to_ns = m->to_ns < m->end_ns ? m->to_ns : m->end_ns;

	*s = (struct ct_sched_sum){ .covers_ns = to_ns > from_ns ? to_ns - from_ns : 0 };
	for (uint32_t i = 0; i < m->thread_count; i++) {
		if (!m->thread[i].selected)
			continue;
		s->running_ns += m->thread[i].running_ns;
		s->runnable_ns += m->thread[i].runnable_ns;
		if (i >= m->states_count)
			continue;
		const struct ct_states *st = &m->states[i];

		s->switches += st->sleeps + st->preemptions;
		s->preemptions += st->preemptions;
		s->migrations += st->migrations;
		if (st->ready) {
			ct_delays_merge(&s->wakes, &st->ready->wakes);
			ct_delays_merge(&s->preempted, &st->ready->preempted);
		}
	}
	for (uint32_t i = 0; i < m->gaps.gap_count; i++) {
		const struct ct_span_ns *g = &m->gaps.gap[i];
		uint64_t from = g->from_ns > from_ns ? g->from_ns : from_ns;
		uint64_t to = g->to_ns < to_ns ? g->to_ns : to_ns;

		s->gap_ns += to > from ? to - from : 0;
	}
}

char *ct_sched_waker_label(const struct ct_model *m, const struct ct_waker_info *w)
{
	char *text;
	int n;

	if (w->flags & CT_SL_HARDIRQ)
		return strdup("interrupts (timers, disks)");
	if (!w->tid)
		return strdup(w->flags ? "the network, on idle CPUs" : "idle CPUs");
	for (uint32_t i = 0; i < m->process_count; i++)
		if (ct_model_tid(m, i, w->tid) != CT_NO)
			return ct_thread_label(m, i, w->tid);
	n = w->pid == w->tid ? asprintf(&text, "process %u, not traced", w->pid) :
			       asprintf(&text, "thread %u, not traced", w->tid);
	return n < 0 ? NULL : text;
}

const char *ct_sched_text(const struct ct_model *m)
{
	switch (m->sched) {
	case CT_SCHED_NONE:
		return m->window ? "nothing of a part of the trace" : "nothing";
	case CT_SCHED_STAT:
		return "the kernel's totals of each thread only";
	case CT_SCHED_SWITCHES:
		break;
	}
	if (m->wakes)
		return "context switches and wake-ups";
	return m->window ? "context switches; waits last until the thread ran again" :
			   "context switches; wake-ups estimated from the kernel's totals";
}

const char *ct_sched_reason(const struct ct_model *m, char *to, size_t bytes)
{
	const char *refused = ct_model_meta(m, "sched_refused"), *sched = ct_model_meta(m, "sched");

	*to = 0;
	if (*refused)
		snprintf(to, bytes, "%s", refused);
	else if (!strcmp(sched, "off"))
		snprintf(to, bytes, "not wanted: --sched off");
	return to;
}
