/* The payload of SWITCHES chunks. See switches.h and trace.h. */
#include "switches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_BIT (1u << CT_SLICE_FLAG_SHIFT)

void ct_switches_reset(struct ct_switches_encoder *e, uint64_t unit_ns)
{
	ct_buf_clear(&e->tasks);
	ct_buf_clear(&e->cpus);
	ct_buf_clear(&e->gaps);
	for (int i = 0; i < CT_SLICES_COLUMNS; i++)
		ct_buf_clear(&e->columns[i]);
	if (e->cpu_index)
		memset(e->cpu_index, 0, e->cpu_room * sizeof(*e->cpu_index));
	e->task_count = e->cpu_count = e->gap_count = e->count = 0;
	e->unit_ns = unit_ns;
	e->base = e->first_ns = e->last_ns = 0;
	e->based = e->failed = false;
}

void ct_switches_free(struct ct_switches_encoder *e)
{
	ct_buf_free(&e->tasks);
	ct_buf_free(&e->cpus);
	ct_buf_free(&e->gaps);
	for (int i = 0; i < CT_SLICES_COLUMNS; i++)
		ct_buf_free(&e->columns[i]);
	free(e->cpu_index);
	free(e->cpu_end);
	*e = (struct ct_switches_encoder){ 0 };
}

static void put_text(struct ct_buf *b, struct ct_text t)
{
	ct_put_varint(b, t.n);
	ct_put_bytes(b, t.p, t.n);
}

uint32_t ct_switches_task(struct ct_switches_encoder *e, uint32_t pid, uint32_t tid, struct ct_text name)
{
	ct_put_varint(&e->tasks, pid);
	ct_put_varint(&e->tasks, tid);
	put_text(&e->tasks, name);
	return e->task_count++;
}

static bool grow_cpus(struct ct_switches_encoder *e, uint32_t cpu)
{
	uint32_t room = e->cpu_room ? e->cpu_room : 16;

	while (room <= cpu)
		room *= 2;
	uint32_t *index = realloc(e->cpu_index, room * sizeof(*index));

	if (!index)
		return false;
	e->cpu_index = index;
	uint64_t *end = realloc(e->cpu_end, room * sizeof(*end));

	if (!end)
		return false;
	e->cpu_end = end;
	memset(index + e->cpu_room, 0, (room - e->cpu_room) * sizeof(*index));
	e->cpu_room = room;
	return true;
}

/* The CPU's index in the chunk, or -1 without memory. */
static int64_t intern_cpu(struct ct_switches_encoder *e, uint32_t cpu)
{
	if (cpu >= e->cpu_room && (cpu >= 1u << 20 || !grow_cpus(e, cpu))) {
		e->failed = true;
		return -1;
	}
	if (!e->cpu_index[cpu]) {
		ct_put_varint(&e->cpus, cpu);
		e->cpu_index[cpu] = ++e->cpu_count;
		e->cpu_end[cpu] = e->base;
	}
	return e->cpu_index[cpu] - 1;
}

/* Notes the bounds of what is added. */
static void extend(struct ct_switches_encoder *e, uint64_t start, uint64_t end)
{
	uint64_t start_ns = start * e->unit_ns, end_ns = end * e->unit_ns;

	if (!e->based) {
		e->base = start;
		e->based = true;
		e->first_ns = start_ns;
		e->last_ns = end_ns;
	}
	if (start_ns < e->first_ns)
		e->first_ns = start_ns;
	if (end_ns > e->last_ns)
		e->last_ns = end_ns;
}

void ct_switches_add(struct ct_switches_encoder *e, const struct ct_slice *s)
{
	struct ct_buf *c = e->columns;
	uint64_t start = s->start_ns / e->unit_ns, end = s->end_ns / e->unit_ns;

	extend(e, start, end);
	int64_t cpu = intern_cpu(e, s->cpu);

	if (cpu < 0)
		return;
	ct_put_varint(&c[CT_SLICES_TASK], s->task);
	ct_put_varint(&c[CT_SLICES_CPU], (uint64_t)cpu);
	ct_put_varint(&c[CT_SLICES_HOW], s->end + s->flags * FLAG_BIT);
	ct_put_varint(&c[CT_SLICES_GAP], ct_zigzag((int64_t)(start - e->cpu_end[s->cpu])));
	ct_put_varint(&c[CT_SLICES_DURATION], end - start);
	if (s->flags & CT_SL_WOKEN) {
		ct_put_varint(&c[CT_SLICES_DELAY], start - s->woken_ns / e->unit_ns);
		ct_put_varint(&c[CT_SLICES_WAKER], s->waker);
	}
	e->cpu_end[s->cpu] = end;
	e->count++;
}

void ct_switches_gap(struct ct_switches_encoder *e, const struct ct_gap *g)
{
	uint64_t from = g->from_ns / e->unit_ns, to = g->to_ns / e->unit_ns;

	extend(e, from, to);
	int64_t cpu = intern_cpu(e, g->cpu);

	if (cpu < 0)
		return;
	ct_put_varint(&e->gaps, (uint64_t)cpu);
	ct_put_varint(&e->gaps, ct_zigzag((int64_t)(from - e->base)));
	ct_put_varint(&e->gaps, to - from);
	ct_put_varint(&e->gaps, g->lost);
	e->gap_count++;
}

static bool put_list(struct ct_buf *out, uint32_t count, const struct ct_buf *list)
{
	ct_put_varint(out, count);
	ct_put_bytes(out, list->data, list->size);
	return list->failed;
}

int ct_switches_finish(struct ct_switches_encoder *e, struct ct_buf *out)
{
	bool failed = e->failed;

	ct_put_varint(out, e->unit_ns);
	ct_put_varint(out, e->base);
	failed |= put_list(out, e->task_count, &e->tasks);
	failed |= put_list(out, e->cpu_count, &e->cpus);
	failed |= put_list(out, e->gap_count, &e->gaps);
	for (int i = 0; i < CT_SLICES_COLUMNS; i++)
		failed |= put_list(out, (uint32_t)e->columns[i].size, &e->columns[i]);
	return failed || out->failed ? -ENOMEM : 0;
}

/* --- decoding --- */

/* Ensures room for n elements of size bytes in *array. */
static bool make_room(void **array, uint32_t *room, uint64_t n, size_t size)
{
	if (n <= *room)
		return true;
	void *larger = realloc(*array, n * size);

	if (!larger)
		return false;
	*array = larger;
	*room = (uint32_t)n;
	return true;
}

static int get_u32(struct ct_span *s, uint32_t *ret)
{
	uint64_t v;

	if (ct_get_varint(s, &v) || v > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)v;
	return 0;
}

/* The length of a list whose elements take at least least bytes, which bounds
 * what a damaged count can make us allocate. */
static int get_count(struct ct_span *s, uint64_t least, uint64_t *ret)
{
	return ct_get_varint(s, ret) || *ret > (uint64_t)(s->end - s->p) / least ? -EBADMSG : 0;
}

static int get_tasks(struct ct_switches_decoder *d, struct ct_span *s)
{
	uint64_t n;

	if (get_count(s, 3, &n))
		return -EBADMSG;
	if (!make_room((void **)&d->task, &d->task_room, n, sizeof(*d->task)))
		return -ENOMEM;
	for (d->task_count = 0; d->task_count < n; d->task_count++) {
		struct ct_switches_task *t = &d->task[d->task_count];
		struct ct_span name;

		if (get_u32(s, &t->pid) || get_u32(s, &t->tid) || ct_get_span(s, &name))
			return -EBADMSG;
		t->name = (struct ct_text){ (const char *)name.p, (size_t)(name.end - name.p) };
	}
	return 0;
}

static int get_cpus(struct ct_switches_decoder *d, struct ct_span *s)
{
	uint64_t n;

	if (get_count(s, 1, &n))
		return -EBADMSG;
	if (!make_room((void **)&d->cpu, &d->cpu_room, n, sizeof(*d->cpu)))
		return -ENOMEM;
	for (d->cpu_count = 0; d->cpu_count < n; d->cpu_count++)
		if (get_u32(s, &d->cpu[d->cpu_count].number))
			return -EBADMSG;
	return 0;
}

static int get_gaps(struct ct_switches_decoder *d, struct ct_span *s)
{
	uint64_t n;

	if (get_count(s, 4, &n))
		return -EBADMSG;
	if (!make_room((void **)&d->gap, &d->gap_room, n, sizeof(*d->gap)))
		return -ENOMEM;
	for (d->gap_count = 0; d->gap_count < n; d->gap_count++) {
		struct ct_gap *g = &d->gap[d->gap_count];
		uint64_t from, duration;
		uint32_t cpu;

		if (get_u32(s, &cpu) || cpu >= d->cpu_count || ct_get_varint(s, &from) ||
		    ct_get_varint(s, &duration) || ct_get_varint(s, &g->lost))
			return -EBADMSG;
		from = d->base + (uint64_t)ct_unzigzag(from);
		g->cpu = d->cpu[cpu].number;
		g->from_ns = from * d->unit_ns;
		g->to_ns = (from + duration) * d->unit_ns;
	}
	return 0;
}

int ct_switches_open(struct ct_switches_decoder *d, struct ct_span s)
{
	int error;

	d->task_count = d->cpu_count = d->gap_count = 0;
	memset(d->columns, 0, sizeof(d->columns));
	if (ct_get_varint(&s, &d->unit_ns) || !d->unit_ns || ct_get_varint(&s, &d->base))
		return -EBADMSG;
	error = get_tasks(d, &s);
	if (!error)
		error = get_cpus(d, &s);
	if (!error)
		error = get_gaps(d, &s);
	for (int i = 0; i < CT_SLICES_COLUMNS && !error; i++)
		error = ct_get_span(&s, &d->first[i]);
	if (!error && s.p != s.end)
		error = -EBADMSG;
	if (!error)
		ct_switches_rewind(d);
	return error;
}

void ct_switches_rewind(struct ct_switches_decoder *d)
{
	memcpy(d->columns, d->first, sizeof(d->columns));
	for (uint32_t i = 0; i < d->cpu_count; i++)
		d->cpu[i].end = d->base;
}

static int at_end(const struct ct_switches_decoder *d)
{
	for (int i = 0; i < CT_SLICES_COLUMNS; i++)
		if (d->columns[i].p != d->columns[i].end)
			return -EBADMSG;
	return 0;
}

int ct_switches_next(struct ct_switches_decoder *d, struct ct_slice *ret)
{
	struct ct_span *c = d->columns;
	uint64_t task, cpu, how, gap, duration, delay = 0, waker = 0;

	if (c[CT_SLICES_TASK].p == c[CT_SLICES_TASK].end)
		return at_end(d);
	if (ct_get_varint_fast(&c[CT_SLICES_TASK], &task) || task >= d->task_count ||
	    ct_get_varint_fast(&c[CT_SLICES_CPU], &cpu) || cpu >= d->cpu_count ||
	    ct_get_varint_fast(&c[CT_SLICES_HOW], &how) || how > UINT32_MAX ||
	    ct_get_varint_fast(&c[CT_SLICES_GAP], &gap) || ct_get_varint_fast(&c[CT_SLICES_DURATION], &duration))
		return -EBADMSG;
	uint32_t flags = (uint32_t)(how >> CT_SLICE_FLAG_SHIFT);

	if (flags & CT_SL_WOKEN &&
	    (ct_get_varint_fast(&c[CT_SLICES_DELAY], &delay) || ct_get_varint_fast(&c[CT_SLICES_WAKER], &waker) ||
	     waker >= d->task_count))
		return -EBADMSG;
	struct ct_switches_cpu *on = &d->cpu[cpu];
	uint64_t start = on->end + (uint64_t)ct_unzigzag(gap);

	on->end = start + duration;
	*ret = (struct ct_slice){
		.task = (uint32_t)task,
		.cpu = on->number,
		.waker = (uint32_t)waker,
		.end = (uint32_t)how % FLAG_BIT,
		.flags = flags,
		.start_ns = start * d->unit_ns,
		.end_ns = on->end * d->unit_ns,
		.woken_ns = flags & CT_SL_WOKEN ? (start - delay) * d->unit_ns : 0,
	};
	return 1;
}

int ct_switches_count(struct ct_switches_decoder *d, uint64_t *ret)
{
	struct ct_slice slice;
	uint64_t n = 0;
	int found;

	ct_switches_rewind(d);
	while ((found = ct_switches_next(d, &slice)) == 1)
		n++;
	ct_switches_rewind(d);
	if (found)
		return found;
	*ret = n;
	return 0;
}

void ct_switches_close(struct ct_switches_decoder *d)
{
	free(d->task);
	free(d->cpu);
	free(d->gap);
	*d = (struct ct_switches_decoder){ 0 };
}
