/* Checks of slices. See rules.h. */
#include <errno.h>
#include <inttypes.h>

#include "rules.h"

/* What is remembered of a CPU, or of a thread: where its last slice ended. */
static struct ct_check_line *line_of(struct ct_check *k, struct ct_table *by_number, uint32_t number)
{
	uint32_t at = ct_table_get(by_number, number);

	if (at)
		return &k->line[at - 1];
	struct ct_check_line *l = CT_APPEND(k, line);

	return l && !ct_table_put(by_number, number, k->line_count) ? l : NULL;
}

struct found {
	uint64_t count, disorder, backward, early, on_cpu, on_thread, broken, late_wakes, ends;
	uint64_t first_ns, last_ns;
};

static int check_slice(struct ct_check *k, struct found *f, const struct ct_slice *s)
{
	const struct ct_switches_task *task = &k->switches.task[s->task];
	struct ct_check_line *line = line_of(k, &k->cpus, s->cpu);

	if (!line)
		return -ENOMEM;
	f->count++;
	f->backward += s->end_ns < s->start_ns;
	f->ends += s->end >= CT_SLICE_KINDS;
	/* When one ended in a gap is seen at the gap's end. */
	f->disorder += s->end_ns < k->last_slice_ns && s->end != CT_SLICE_LOST && !(s->flags & CT_SL_LATE);
	f->late_wakes += s->flags & CT_SL_WOKEN && s->woken_ns > s->start_ns;
	f->on_cpu += s->start_ns < line->end_ns;
	line->end_ns = s->end_ns;
	line = line_of(k, &k->tasks, task->tid);
	if (!line)
		return -ENOMEM;
	f->on_thread += s->start_ns < line->end_ns;
	f->early += s->flags & CT_SL_WOKEN && s->woken_ns < line->end_ns;
	/* The next part of a slice begins where this one ends, on the same CPU. */
	f->broken += line->open && (s->start_ns != line->end_ns || s->cpu != line->cpu);
	*line = (struct ct_check_line){ s->end_ns, s->cpu, s->end == CT_SLICE_CONTINUED };
	if (s->end_ns > k->last_slice_ns)
		k->last_slice_ns = s->end_ns;
	if (s->start_ns < f->first_ns)
		f->first_ns = s->start_ns;
	if (s->end_ns > f->last_ns)
		f->last_ns = s->end_ns;
	return 0;
}

static void note(struct ct_check *k, uint64_t n, const char *what)
{
	if (n)
		ct_violation(k, "%" PRIu64 " slice%s %s", n, n == 1 ? "" : "s", what);
}

static void check_gaps(struct ct_check *k, struct found *f)
{
	for (uint32_t i = 0; i < k->switches.gap_count; i++) {
		const struct ct_gap *g = &k->switches.gap[i];

		if (g->to_ns < g->from_ns)
			ct_violation(k, "a gap ends before it begins");
		k->lost_in_gaps += g->lost;
		if (g->from_ns < f->first_ns)
			f->first_ns = g->from_ns;
		if (g->to_ns > f->last_ns)
			f->last_ns = g->to_ns;
	}
}

int ct_check_switches(struct ct_check *k, const struct ct_chunk *chunk, struct ct_span payload)
{
	struct ct_switches_decoder *d = &k->switches;
	struct found f = { .first_ns = UINT64_MAX };
	struct ct_slice s;
	uint64_t count;
	int error = ct_switches_open(d, payload);

	if (!error)
		error = ct_switches_count(d, &count);
	if (error == -EBADMSG)
		ct_violation(k, "its slices cannot be read");
	if (error)
		return error == -EBADMSG ? 0 : error;
	while (ct_switches_next(d, &s) > 0)
		if (check_slice(k, &f, &s))
			return -ENOMEM;
	check_gaps(k, &f);
	note(k, f.backward, "end before they begin");
	note(k, f.ends, "end in an unknown way");
	note(k, f.disorder, "end before the one before them");
	note(k, f.late_wakes, "were woken after their begin");
	note(k, f.early, "were woken before the end of their thread's slice before");
	note(k, f.on_cpu, "overlap another one on their CPU");
	note(k, f.on_thread, "overlap another one of their thread");
	note(k, f.broken, "do not begin where the part before them ends");
	if (f.count != chunk->header.count)
		ct_violation(k, "the header says %u slices, there are %" PRIu64, chunk->header.count, f.count);
	if ((f.count || d->gap_count) && (f.first_ns != chunk->header.first_ns || f.last_ns != chunk->header.last_ns))
		ct_violation(k, "first_ns or last_ns of its header is wrong");
	k->slices += f.count;
	return 0;
}
