/*
 * What threads did when a window begins, without reading all before it: walks back over
 * the SWITCHES chunks until of each thread that lives then a slice was seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "model_switches.h"

/* Threads come to the writer's notice a little after their first slice. */
#define NOTICE_NS 100000000u

/* The last slice of a thread before the window. */
struct last {
	struct ct_switches_task task;
	struct ct_slice slice;
	bool found;
};

struct before {
	struct ct_slice_pass *pass;
	struct ct_model *m;
	CT_ARRAY(uint64_t, chunk);  /* offsets */
	CT_ARRAY(struct last, last);
	struct ct_table by_tid;     /* tid -> 1 + place in last, of those that are looked for */
	uint32_t left;              /* not found yet */
	uint32_t *place;            /* of the chunk's tasks: 1 + place in last; 0: not looked for */
	uint32_t place_capacity;
};

static int list_chunks(struct before *b)
{
	struct ct_chunk c;
	int found;

	while ((found = ct_reader_next(&b->pass->reader, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_SWITCHES || c.header.last_ns >= b->m->from_ns)
			continue;
		uint64_t *offset = CT_APPEND(b, chunk);

		if (!offset)
			return -ENOMEM;
		*offset = c.offset;
	}
	return found;
}

static int list_threads(struct before *b)
{
	const struct ct_model *m = b->m;

	for (const uint32_t *at = b->pass->order; *at != CT_NO; at++) {
		const struct ct_thread_info *t = &m->thread[*at];
		const struct ct_timeline *line = &m->states[*at].line;

		if (line->to_ns <= line->from_ns || t->start_ns >= m->from_ns + NOTICE_NS ||
		    ct_table_get(&b->by_tid, t->tid))
			continue;
		struct last *l = CT_APPEND(b, last);

		if (!l || ct_table_put(&b->by_tid, t->tid, b->last_count))
			return -ENOMEM;
	}
	b->left = b->last_count;
	return 0;
}

/* Looks which of the chunk's tasks are still looked for. */
static int find_tasks(struct before *b, bool *ret_any)
{
	const struct ct_switches_decoder *d = &b->pass->decoder;
	uint32_t *place = ct_grow(b->place, &b->place_capacity, d->task_count + 1u, sizeof(*place));

	if (!place)
		return -ENOMEM;
	b->place = place;
	*ret_any = false;
	for (uint32_t i = 0; i < d->task_count; i++) {
		uint32_t at = ct_table_get(&b->by_tid, d->task[i].tid);

		place[i] = at && !b->last[at - 1].found ? at : 0;
		*ret_any |= place[i] != 0;
	}
	return 0;
}

static int look_in(struct before *b, struct ct_span payload)
{
	struct ct_switches_decoder *d = &b->pass->decoder;
	struct ct_slice s;
	uint64_t count;
	bool any;
	int error = ct_switches_open(d, payload);

	if (!error)
		error = find_tasks(b, &any);
	if (error || !any || !ct_slices_sound(d, &count))
		return error == -EBADMSG ? 0 : error; /* that is damage outside of the window */
	while (count--) {
		ct_slices_next(d, &s);
		struct last *l = b->place[s.task] ? &b->last[b->place[s.task] - 1] : NULL;

		if (!l || s.end_ns < s.start_ns || s.end_ns > INT64_MAX ||
		    (s.flags & CT_SL_WOKEN && s.woken_ns > s.start_ns))
			continue;
		b->left -= !l->found;
		l->found = true;
		l->task = d->task[s.task];
		l->slice = s;
	}
	return 0;
}

static int by_end(const void *x, const void *y)
{
	const struct last *a = x, *b = y;

	return (a->slice.end_ns > b->slice.end_ns) - (a->slice.end_ns < b->slice.end_ns);
}

/* As if they all stood in one chunk. */
static int take(struct before *b)
{
	struct ct_switches_decoder *d = &b->pass->decoder;
	struct ct_switches_task *task = ct_grow(d->task, &d->task_room, b->last_count + 1u, sizeof(*task));

	if (!task)
		return -ENOMEM;
	d->task = task;
	d->task_count = b->last_count;
	if (b->last_count)
		qsort(b->last, b->last_count, sizeof(*b->last), by_end);
	for (uint32_t i = 0; i < b->last_count; i++) {
		d->task[i] = (struct ct_switches_task){ .pid = b->last[i].task.pid, .tid = b->last[i].task.tid };
		b->last[i].slice.task = i;
		/* Not counted before the window; a chunk whose header lies can have it in it. */
		b->last[i].slice.waker = i;
	}
	int error = ct_slices_tasks(b->pass);

	for (uint32_t i = 0; i < b->last_count && !error; i++)
		if (b->last[i].found)
			error = ct_slices_take(b->pass, b->m, &b->last[i].slice);
	return error;
}

int ct_slices_before(struct ct_slice_pass *p, struct ct_model *m)
{
	struct before b = { .pass = p, .m = m };
	struct ct_span payload;
	struct ct_chunk c;
	int error = list_chunks(&b);

	if (!error)
		error = list_threads(&b);
	for (uint32_t i = b.chunk_count; i-- && b.left && !error;) {
		int found = ct_reader_at(&p->reader, b.chunk[i], &c);

		error = found > 0 ? ct_reader_payload(&p->reader, &c, &payload) : found;
		if (found > 0 && !error)
			error = look_in(&b, payload);
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
	}
	if (!error)
		error = take(&b);
	free(b.chunk);
	free(b.last);
	free(b.place);
	ct_table_free(&b.by_tid);
	return error;
}
