/* See model_partial.h. */
#include "model_partial.h"

#include <errno.h>

#include "model_join.h"

/* Real traces have some thousand threads and some hundred switches. */
#define LOOKS_MAX 100000000u

/* Time off the CPU, or of which it is not known, that no call has explained up to a moment. */
static int unexplained(struct ct_model *m, uint32_t thread, uint64_t ns, int64_t *ret)
{
	const struct ct_thread_info *t = &m->thread[thread];
	struct ct_states *st = ct_states_of(m, thread);
	uint64_t off_ns, ready_ns;

	if (st) {
		if (ns > st->line.now_ns && ct_timeline_until(&st->line, ns, &m->gaps, m->wakes, m->exact_ns))
			return -ENOMEM;
		ct_timeline_at(&st->line, ns, &off_ns, &ready_ns);
		*ret = (int64_t)(off_ns - t->nesting.covered_ns);
		return 0;
	}
	uint64_t from_ns = t->started && t->start_ns > m->from_ns ? t->start_ns : m->from_ns;
	uint64_t to_ns = t->ended && t->end_ns < m->to_ns ? t->end_ns : m->to_ns;

	if (ns > to_ns)
		ns = to_ns;
	off_ns = ns > from_ns ? ns - from_ns : 0;
	*ret = (int64_t)(off_ns - (t->nesting.covered_ns - t->in_call_ns));
	return 0;
}

/* off: some of the process's families are not recorded from now on. */
static int switch_at(struct ct_model *m, uint32_t process, uint64_t ns, bool off)
{
	struct ct_process_info *p = &m->process[process];

	if (m->partial_looks > LOOKS_MAX)
		return 0;
	m->partial_looks += m->thread_count;
	for (uint32_t i = 0; i < m->thread_count && (off || p->partial); i++) {
		struct ct_thread_info *t = &m->thread[i];
		int64_t now_ns;

		if (t->process != process || !t->selected)
			continue;
		if (unexplained(m, i, ns, &now_ns))
			return -ENOMEM;
		if (p->partial && now_ns > t->unexplained_before_ns)
			t->partial_ns += (uint64_t)(now_ns - t->unexplained_before_ns);
		t->unexplained_before_ns = now_ns;
	}
	p->partial = off;
	return 0;
}

int ct_partial_until(struct ct_model *m, uint32_t process, uint64_t ns)
{
	struct ct_process_info *p = &m->process[process];
	uint32_t i = p->next_recording;
	int error = 0;

	for (; i < m->recording_count && !error; i++) {
		const struct ct_recording_info *r = &m->recording[i];

		if (r->process != process)
			continue;
		if (r->at_ns >= ns)
			break;
		error = switch_at(m, process, r->at_ns, r->off != 0);
	}
	p->next_recording = i;
	return error;
}

int ct_partial_finish(struct ct_model *m)
{
	int error = 0;

	for (uint32_t i = 0; i < m->process_count && m->recording_count && !error; i++) {
		error = ct_partial_until(m, i, UINT64_MAX);
		if (!error && m->process[i].partial)
			error = switch_at(m, i, m->process[i].ended ? m->process[i].end_ns : m->end_ns, false);
	}
	return error;
}

void ct_partial_books(struct ct_thread_info *t)
{
	uint64_t ns = t->partial_ns < t->unexplained_ns ? t->partial_ns : t->unexplained_ns;

	t->unexplained_ns -= ns;
	t->unrecorded_ns += ns;
	t->unknown_ns += ns;
}
