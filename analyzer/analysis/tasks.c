/* See tasks.h. */
#include "tasks.h"

#include <errno.h>
#include <stdlib.h>

#include "clean.h"

#define BUCKETS 65536u

struct ct_open_task {
	struct ct_task task;
	struct ct_open_task *next;
	bool begun, ended;
};

static struct ct_open_task **find(struct ct_tasks *t, uint64_t number)
{
	struct ct_open_task **at = &t->bucket[ct_mix(number) % BUCKETS];

	while (*at && (*at)->task.number != number)
		at = &(*at)->next;
	return at;
}

static struct ct_open_task **make(struct ct_tasks *t, uint64_t number)
{
	struct ct_open_task **at = find(t, number);

	if (*at)
		return at;
	*at = calloc(1, sizeof(**at));
	if (*at)
		(*at)->task = (struct ct_task){ .number = number, .thread = CT_NO, .end_thread = CT_NO };
	return at;
}

static bool is_wanted(const struct ct_model *m, const struct ct_task *task)
{
	if (m->clip && (task->end_ns < m->from_ns || task->begin_ns >= m->to_ns))
		return false;
	if (m->options->task && !m->name[task->name].task)
		return false;
	return (task->thread != CT_NO && m->thread[task->thread].selected) ||
	       (task->end_thread != CT_NO && m->thread[task->end_thread].selected);
}

/* Both ends are known. */
static int finish(struct ct_tasks *t, struct ct_open_task **at)
{
	struct ct_open_task *o = *at;
	int error = 0;

	*at = o->next;
	if (o->task.end_ns < o->task.begin_ns)
		o->task.end_ns = o->task.begin_ns;
	if (t->task && is_wanted(t->m, &o->task))
		error = t->task(t->self, &o->task);
	free(o);
	return error;
}

static uint64_t end_of_process(const struct ct_model *m, uint32_t thread)
{
	const struct ct_process_info *p = thread == CT_NO ? NULL : &m->process[m->thread[thread].process];

	return p && p->ended ? p->end_ns : m->end_ns;
}

static int take_begin(struct ct_tasks *t, const struct ct_record_task_begin *r, uint32_t thread)
{
	struct ct_open_task **at = make(t, r->task);

	if (!*at)
		return -ENOMEM;
	if ((*at)->begun) {
		/* The number of one that another program image left behind. */
		(*at)->task.end_ns = end_of_process(t->m, (*at)->task.thread);
		int error = finish(t, at);

		if (error)
			return error;
		at = make(t, r->task);
		if (!*at)
			return -ENOMEM;
	}
	struct ct_open_task *o = *at;

	o->begun = true;
	o->task.begin_ns = r->time_ns;
	o->task.parent = r->parent;
	o->task.name = ct_model_name(t->m, r->name);
	o->task.thread = thread;
	return o->ended ? finish(t, at) : 0;
}

/* Records of several threads come in any order: the begin may be still to come. */
static int take_end(struct ct_tasks *t, const struct ct_record_task_end *r, uint32_t thread)
{
	struct ct_open_task **at = make(t, r->task);

	if (!*at)
		return -ENOMEM;
	if ((*at)->ended) {
		t->unbalanced++;
		return 0;
	}
	(*at)->ended = true;
	(*at)->task.end_ns = r->time_ns;
	(*at)->task.end_thread = thread;
	return (*at)->begun ? finish(t, at) : 0;
}

static int take_log(struct ct_tasks *t, const struct ct_record_log *r, uint32_t thread)
{
	const struct ct_model *m = t->m;

	if (!t->log || thread == CT_NO || !m->thread[thread].selected || r->time_ns < m->from_ns || r->time_ns >= m->to_ns)
		return 0;
	char *message = ct_clean(r->message.p, r->message.n);

	if (!message)
		return -ENOMEM;
	struct ct_log_line line = { r->time_ns, r->task, thread, ct_model_name(m, r->category), message };
	int error = t->log(t->self, &line);

	free(message);
	return error;
}

static int take_records(struct ct_tasks *t, struct ct_span payload)
{
	struct ct_record r;
	int error = 0;

#define THREAD(id) (ct_table_get(&t->m->thread_by_id, id) - 1)
	while (!error && ct_get_record(&payload, &r) > 0) {
		if (r.type == CT_RECORD_TASK_BEGIN && r.task_begin.task)
			error = take_begin(t, &r.task_begin, THREAD(r.task_begin.thread));
		else if (r.type == CT_RECORD_TASK_END && r.task_end.task)
			error = take_end(t, &r.task_end, THREAD(r.task_end.thread));
		else if (r.type == CT_RECORD_LOG)
			error = take_log(t, &r.log, THREAD(r.log.thread));
	}
	return error;
}

/* What is left is open, or has no begin. */
static int finish_all(struct ct_tasks *t, int error)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		while (t->bucket[i]) {
			struct ct_open_task *o = t->bucket[i];

			if (o->begun && !error) {
				o->task.end_ns = end_of_process(t->m, o->task.thread);
				error = finish(t, &t->bucket[i]);
				continue;
			}
			t->unbalanced += !o->begun;
			t->bucket[i] = o->next;
			free(o);
		}
	return error;
}

int ct_tasks_read(struct ct_tasks *t, const struct ct_model *m, const struct ct_reader *reader)
{
	struct ct_reader r; /* of its own: damage has been counted */
	struct ct_chunk c;
	struct ct_span payload;
	int found = 0, error;

	t->m = m;
	t->unbalanced = 0;
	if (!m->name_count)
		return 0;
	error = ct_reader_dup(&r, reader);
	if (error)
		return error;
	t->bucket = calloc(BUCKETS, sizeof(struct ct_open_task *));
	if (!t->bucket)
		error = -ENOMEM;
	while (!error && (found = ct_reader_next(&r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_RECORDS)
			continue;
		error = ct_reader_payload(&r, &c, &payload);
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
		else if (!error)
			error = take_records(t, payload);
	}
	if (t->bucket)
		error = finish_all(t, error ? error : found);
	free(t->bucket);
	ct_reader_close(&r);
	return error;
}

int ct_mark_sum_add(struct ct_mark_sum *sum, uint64_t start_ns, uint64_t ns, uint32_t thread, bool open)
{
	if (!sum->times)
		sum->times = calloc(1, sizeof(*sum->times));
	if (!sum->times)
		return -ENOMEM;
	ct_histogram_add(sum->times, ns);
	sum->total_ns += ns;
	sum->open += open;
	if (sum->count++ && ns <= sum->max_ns)
		return 0;
	sum->max_ns = ns;
	sum->longest_ns = start_ns;
	sum->longest_thread = thread;
	return 0;
}
