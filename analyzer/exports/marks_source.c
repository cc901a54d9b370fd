/* See marks_source.h. */
#include "marks_source.h"

#include <errno.h>

struct walk {
	struct ct_timeline_source *s;
	int (*take)(void *self, const struct ct_region_slice *slice);
	void *self;
};

static bool is_meant(const struct ct_model *m, const struct ct_open_region *r)
{
	if (m->options->region && !m->name[r->name].region)
		return false;
	return !m->options->task || (r->task != CT_NO && m->name[r->task].task);
}

static int ended(void *self, uint32_t thread, const struct ct_open_region *r, uint32_t depth, uint64_t end_ns)
{
	struct walk *k = self;
	const struct ct_model *m = &k->s->m;
	struct ct_region_slice slice = { r->start_ns, end_ns, thread, r->name, r->task, depth };

	if (slice.end_ns < m->from_ns || slice.start_ns >= m->to_ns || !m->thread[thread].selected || !is_meant(m, r))
		return 0;
	slice.start_ns = slice.start_ns < m->from_ns ? m->from_ns : slice.start_ns;
	slice.end_ns = slice.end_ns > m->to_ns ? m->to_ns : slice.end_ns;
	return k->take(k->self, &slice);
}

static int take_events(struct ct_timeline_source *s, struct ct_marks *marks, struct ct_events_decoder *d,
		       struct ct_span payload)
{
	struct ct_events_cursor c;
	int error = ct_events_open(d, payload);

	if (error)
		return error == -EBADMSG ? 0 : error;
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&s->m.thread_by_id, d->batch[i].thread) - 1;

		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[i].events && !error; k++) {
			if (ct_events_next(&c))
				return 0; /* damage, which was counted */
			if (thread != CT_NO && ct_is_mark(&d->site[c.site]) && c.start_ns <= INT64_MAX)
				error = ct_marks_event(marks, &s->m, thread, &d->site[c.site], c.start_ns);
		}
	}
	return error;
}

int ct_source_regions(struct ct_timeline_source *s, int (*take)(void *self, const struct ct_region_slice *slice), void *self)
{
	struct walk k = { s, take, self };
	struct ct_events_decoder d = { 0 };
	struct ct_reader r; /* of its own: damage has been counted */
	struct ct_chunk c;
	struct ct_span payload;
	struct ct_marks *marks;
	int found = 0, error;

	if (!s->m.name_count)
		return 0;
	error = ct_reader_dup(&r, &s->context->reader);
	if (error)
		return error;
	marks = ct_marks_open(&s->m, false);
	if (!marks)
		error = -ENOMEM;
	else
		ct_marks_tell(marks, ended, &k);
	while (!error && (found = ct_reader_next(&r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_EVENTS)
			continue;
		error = ct_reader_payload(&r, &c, &payload);
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
		else if (!error)
			error = take_events(s, marks, &d, payload);
	}
	if (!error)
		error = found < 0 ? found : ct_marks_finish(marks, &s->m);
	ct_marks_close(marks);
	ct_events_close(&d);
	ct_reader_close(&r);
	return error > 0 ? 0 : error;
}

struct clip {
	const struct ct_model *m;
	int (*task)(void *self, const struct ct_task *task);
	int (*log)(void *self, const struct ct_log_line *line);
	void *self;
};

static int clip_task(void *self, const struct ct_task *task)
{
	struct clip *k = self;
	struct ct_task t = *task;

	t.begin_ns = t.begin_ns < k->m->from_ns ? k->m->from_ns : t.begin_ns;
	t.end_ns = t.end_ns > k->m->to_ns ? k->m->to_ns : t.end_ns;
	return k->task(k->self, &t);
}

static int pass_log(void *self, const struct ct_log_line *line)
{
	struct clip *k = self;

	return k->log(k->self, line);
}

int ct_source_tasks(struct ct_timeline_source *s, int (*task)(void *self, const struct ct_task *task),
		    int (*log)(void *self, const struct ct_log_line *line), void *self)
{
	struct clip k = { &s->m, task, log, self };
	struct ct_tasks t = { .task = task ? clip_task : NULL, .log = log ? pass_log : NULL, .self = &k };
	int error = ct_tasks_read(&t, &s->m, &s->context->reader);

	return error > 0 ? 0 : error;
}
