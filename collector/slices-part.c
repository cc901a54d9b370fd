/* Where a part of the context switches begins and ends that is to be read alone. See slices.h. */
#include <stdlib.h>

#include "clock.h"
#include "slices.h"

static int by_out(const void *x, const void *y)
{
	const struct ct_sched_task *const *a = x, *const *b = y;

	return ((*a)->out_ns > (*b)->out_ns) - ((*a)->out_ns < (*b)->out_ns);
}

static void put(struct ct_switches_encoder *e, const struct ct_sched *s, const struct ct_sched_task *t,
		struct ct_slice slice)
{
	slice.task = ct_switches_task(e, t->pid, t->tid, ct_text_of(t->name));
	slice.cpu = s->perf.ring[t->cpu].cpu;
	ct_switches_add(e, &slice);
}

void ct_sched_part_begin(const struct ct_sched *s, struct ct_writer *w)
{
	const struct ct_sched_task **out = calloc(s->task_count + 1u, sizeof(*out));
	struct ct_switches_encoder e = { 0 };
	uint32_t n = 0;

	ct_switches_reset(&e, CT_GRAIN_NS);
	for (uint32_t i = 0; i < s->task_count && out; i++)
		if (s->task[i].ran && !s->task[i].running && !s->task[i].gone)
			out[n++] = &s->task[i];
	if (n)
		qsort(out, n, sizeof(*out), by_out);
	for (uint32_t i = 0; i < n; i++)
		put(&e, s, out[i], (struct ct_slice){
			.end = out[i]->ready ? CT_SLICE_PREEMPTED : CT_SLICE_BLOCKED,
			.start_ns = out[i]->out_ns,
			.end_ns = out[i]->out_ns,
		});
	if (n)
		ct_writer_switches(w, &e);
	ct_switches_free(&e);
	free(out);
}

void ct_sched_part_end(const struct ct_sched *s, struct ct_writer *w)
{
	struct ct_switches_encoder e = { 0 };

	ct_switches_reset(&e, CT_GRAIN_NS);
	for (size_t i = 0; i < s->perf.ring_count; i++) {
		const struct ct_sched_task *t = s->cpu[i].running ? &s->task[s->cpu[i].running - 1] : NULL;
		struct ct_slice slice = { .end = CT_SLICE_TRACE };

		if (!t)
			continue;
		slice.start_ns = t->since_ns;
		slice.end_ns = s->merged_ns > t->since_ns ? s->merged_ns : t->since_ns;
		slice.flags = t->flags | (slice.end_ns < s->last_end_ns ? CT_SL_LATE : 0);
		if (t->flags & CT_SL_WOKEN) {
			slice.woken_ns = t->woken.ns;
			slice.waker = ct_switches_task(&e, t->woken.pid, t->woken.tid, (struct ct_text){ "", 0 });
		}
		put(&e, s, t, slice);
	}
	if (e.count)
		ct_writer_switches(w, &e);
	ct_switches_free(&e);
}
