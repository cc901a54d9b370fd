/* The merge of the rings, and what becomes of each record. See slices.h. */
#include "slices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "proc.h"

#define CHUNK_SLICES   32768u
#define CHUNK_NS       1000000000ull
#define FIRST_CHUNK_NS 100000000ull
#define PART_NS        1000000000ull /* a longer slice is written in parts */
/* How old a record must be to be taken. The kernel's fast clock and ours may differ by
 * some ns while it is adjusted; and a virtual CPU can stand still for ms between the
 * moment that a record tells of and its appearance in the ring. */
#define SLACK_NS       5000000u
#define SLACK_FULL_NS  100000u /* with rings that fill up */
#define FULL_PART      64u     /* of 256: from there on */
#define WAKES_NS       1000000000ull
#define WAKES_MOST     500000u /* of others in that time: some percent of a CPU */
#define FULL           512u /* with less room than this a record may have found none */

int ct_sched_start(struct ct_sched *s)
{
	s->cpu = calloc(s->perf.ring_count, sizeof(*s->cpu));
	if (!s->cpu)
		return -ENOMEM;
	for (size_t i = 0; i < s->perf.ring_count; i++)
		s->cpu[i].last_ns = s->cpu[i].unknown_since_ns = s->perf.ring[i].opened_ns;
	s->chunk = 1;
	ct_switches_reset(&s->encoder, CT_GRAIN_NS);
	return 0;
}

int ct_sched_open(struct ct_sched *s, pid_t pid, bool waking, char ret_wrong[CT_PERF_WRONG])
{
	int error = ct_perf_open(&s->perf, pid, waking, ret_wrong);

	if (error)
		return error;
	error = ct_sched_start(s);
	if (error) {
		snprintf(ret_wrong, CT_PERF_WRONG, "%s", strerror(-error));
		ct_sched_close(s);
		return error;
	}
	/* The others' names come with their records. */
	struct ct_sched_task *t = ct_sched_task(s, (uint32_t)pid, (uint32_t)pid);

	if (t)
		ct_proc_comm(pid, pid, t->name);
	return 0;
}

void ct_sched_close(struct ct_sched *s)
{
	ct_perf_close(&s->perf);
	free(s->cpu);
	free(s->task);
	ct_map_free(&s->by_tid);
	ct_map_free(&s->wakers);
	ct_switches_free(&s->encoder);
	*s = (struct ct_sched){ 0 };
}

/* --- the chunk --- */

void ct_sched_flush(struct ct_sched *s, struct ct_writer *w)
{
	if (!s->encoder.count && !s->encoder.gap_count)
		return;
	uint64_t lost = s->lost - s->lost_written;

	ct_writer_switches(w, &s->encoder);
	ct_switches_reset(&s->encoder, CT_GRAIN_NS);
	ct_map_free(&s->wakers);
	s->chunk++;
	s->chunk_since_ns = 0;
	s->flushed = true;
	if (!lost)
		return;
	struct ct_record r = { .type = CT_RECORD_LOSS, .loss = { .what = CT_LOSS_SWITCHES, .count = lost } };

	ct_writer_record(w, &r);
	s->lost_written = s->lost;
}

static uint32_t task_index(struct ct_sched *s, struct ct_sched_task *t)
{
	if (t->chunk != s->chunk) {
		t->index = ct_switches_task(&s->encoder, t->pid, t->tid, ct_text_of(t->name));
		t->chunk = s->chunk;
	}
	return t->index;
}

/* Who wakes need not be traced. */
static uint32_t waker_index(struct ct_sched *s, const struct ct_sched_wake *wake)
{
	struct ct_sched_task *t = ct_sched_find(s, wake->tid);

	if (t)
		return task_index(s, t);
	uint64_t key = (uint64_t)wake->tid + 1;
	uint32_t index = ct_map_get(&s->wakers, key);

	if (index)
		return index - 1;
	index = ct_switches_task(&s->encoder, wake->pid, wake->tid, (struct ct_text){ "", 0 });
	/* Without memory it is named once more next time. */
	ct_map_put(&s->wakers, key, index + 1);
	return index;
}

/* Writes what t ran until now, and lets the next part begin there. */
static void put_slice(struct ct_sched *s, struct ct_sched_task *t, uint64_t end_ns, enum ct_slice_end end)
{
	struct ct_slice slice = {
		.task = task_index(s, t),
		.cpu = s->perf.ring[t->cpu].cpu,
		.end = end,
		.flags = t->flags,
		.start_ns = t->since_ns,
		.end_ns = end_ns > t->since_ns ? end_ns : t->since_ns,
	};

	if (t->flags & CT_SL_WOKEN) {
		slice.woken_ns = t->woken.ns;
		slice.waker = waker_index(s, &t->woken);
	}
	/* Its record came late, or its CPU's clock lags a little: those that went before it cannot
	 * be taken back. */
	if (end != CT_SLICE_LOST && slice.end_ns < s->last_end_ns)
		slice.flags |= CT_SL_LATE;
	if (slice.end_ns > s->last_end_ns)
		s->last_end_ns = slice.end_ns;
	ct_switches_add(&s->encoder, &slice);
	t->since_ns = slice.end_ns;
	t->flags = 0;
}

static void put_gap(struct ct_sched *s, uint32_t cpu, uint64_t from_ns, uint64_t to_ns, uint64_t lost)
{
	struct ct_gap gap = { s->perf.ring[cpu].cpu, from_ns, to_ns > from_ns ? to_ns : from_ns, lost };

	ct_switches_gap(&s->encoder, &gap);
	if (gap.to_ns > s->gap_end_ns)
		s->gap_end_ns = gap.to_ns;
	s->lost += lost;
}

/* --- what becomes of a record --- */

static void stop(struct ct_sched *s, struct ct_sched_task *t, uint64_t ns, enum ct_slice_end end)
{
	put_slice(s, t, ns, end);
	s->cpu[t->cpu].running = 0;
	t->running = false;
	t->ready = end == CT_SLICE_PREEMPTED;
	t->gone = end == CT_SLICE_EXITED;
	t->out_ns = t->since_ns;
	/* What was lost may have been another wake-up. */
	if (end == CT_SLICE_LOST)
		t->wake.ns = 0;
}

static void begin(struct ct_sched *s, struct ct_sched_task *t, uint32_t cpu, uint64_t ns, uint32_t flags)
{
	t->running = t->ran = true;
	t->gone = false;
	t->cpu = cpu;
	t->since_ns = ns > t->out_ns ? ns : t->out_ns;
	t->flags = flags;
	s->cpu[cpu].running = (uint32_t)(t - s->task) + 1;
	s->cpu[cpu].unknown_since_ns = 0;
}

/* Records are missing on a CPU since its last one, and who runs there is not known. */
static void lose(struct ct_sched *s, uint32_t cpu, uint64_t to_ns, uint64_t lost)
{
	struct ct_sched_cpu *c = &s->cpu[cpu];
	uint64_t from_ns = c->last_ns;

	if (c->running) {
		struct ct_sched_task *t = &s->task[c->running - 1];

		stop(s, t, from_ns, CT_SLICE_LOST);
		from_ns = t->out_ns;
	}
	put_gap(s, cpu, from_ns, to_ns, lost);
	c->unknown_since_ns = to_ns > from_ns ? to_ns : from_ns;
}

/* A record that t wrote itself: it runs here. */
static bool occupy(struct ct_sched *s, struct ct_sched_task *t, uint32_t cpu, uint64_t ns)
{
	struct ct_sched_cpu *c = &s->cpu[cpu];

	if (t->running && t->cpu == cpu)
		return true;
	if (t->running)
		lose(s, t->cpu, ns, 0);
	if (c->running && s->task[c->running - 1].pid == t->pid) {
		/* A thread that calls exec takes over the number of the first one. */
		stop(s, &s->task[c->running - 1], ns, CT_SLICE_EXITED);
		begin(s, t, cpu, ns, 0);
		return true;
	}
	if (c->running)
		lose(s, cpu, ns, 0);
	if (!c->unknown_since_ns)
		return false;
	begin(s, t, cpu, c->unknown_since_ns, CT_SL_NO_START);
	return true;
}

static void take_in(struct ct_sched *s, struct ct_sched_task *t, uint32_t cpu, uint64_t ns)
{
	uint32_t flags = 0;

	/* Neither happens unless records are missing. */
	if (t->running)
		lose(s, t->cpu, ns, 0);
	if (s->cpu[cpu].running)
		lose(s, cpu, ns, 0);
	if (t->wake.ns && !t->ready && t->wake.ns <= ns && t->wake.ns >= s->gap_end_ns) {
		t->woken = t->wake;
		/* It was woken while it was still about to leave. */
		if (t->woken.ns < t->out_ns)
			t->woken.ns = t->out_ns;
		flags = CT_SL_WOKEN | t->wake.flags;
	}
	t->wake.ns = 0;
	begin(s, t, cpu, ns, flags);
}

static void take_waking(struct ct_sched *s, const struct ct_perf_record *r)
{
	struct ct_sched_task *t = ct_sched_find(s, r->tid);

	if (!t || t->gone) {
		s->foreign_wakes++;
		return;
	}
	/* One wake-up ends a wait. While it runs: the last one, which may find it
	 * about to leave. */
	if (!t->running && t->wake.ns && t->wake.ns >= t->out_ns)
		return;
	t->wake = (struct ct_sched_wake){ r->ns, r->by_pid, r->by_tid, r->flags };
}

static void take_fork(struct ct_sched *s, const struct ct_perf_record *r)
{
	struct ct_sched_task *t = ct_sched_task(s, r->pid, r->tid), *parent;

	if (!t || t->running)
		return;
	*t = (struct ct_sched_task){
		.pid = r->pid,
		.tid = r->tid,
		.out_ns = r->ns,
		.wake = { r->ns, r->by_pid, r->by_tid, 0 },
	};
	parent = ct_sched_find(s, r->by_tid);
	if (parent)
		memcpy(t->name, parent->name, sizeof(t->name));
}

static void take(struct ct_sched *s, uint32_t cpu, const struct ct_perf_record *r)
{
	struct ct_sched_task *t = NULL;

	if (r->kind == CT_PERF_FORK)
		take_fork(s, r);
	else if (r->kind == CT_PERF_WAKING)
		take_waking(s, r);
	else if (r->kind == CT_PERF_LOST)
		lose(s, cpu, r->ns, r->lost);
	else
		t = ct_sched_task(s, r->pid, r->tid);
	if (t) {
		t->pid = r->pid;
		switch (r->kind) {
		case CT_PERF_IN:
			take_in(s, t, cpu, r->ns);
			break;
		case CT_PERF_BLOCKED:
		case CT_PERF_PREEMPTED:
			if (occupy(s, t, cpu, r->ns))
				stop(s, t, r->ns, r->kind == CT_PERF_BLOCKED ? CT_SLICE_BLOCKED : CT_SLICE_PREEMPTED);
			break;
		case CT_PERF_EXIT:
			if (occupy(s, t, cpu, r->ns))
				stop(s, t, r->ns, CT_SLICE_EXITED);
			t->gone = true;
			break;
		default: /* NAME */
			memcpy(t->name, r->name, sizeof(t->name));
			t->chunk = 0;
			if (r->by_tid == t->tid)
				occupy(s, t, cpu, r->ns);
		}
	}
	if (r->ns > s->cpu[cpu].last_ns)
		s->cpu[cpu].last_ns = r->ns;
}

/* --- passes --- */

static const struct ct_perf_record *peek(struct ct_sched *s, size_t i)
{
	return ct_perf_peek(&s->perf.ring[i], &s->perf.layout);
}

/* The ring with the earliest record before limit_ns; ret_second: the earliest of
 * the others. False: there is none. */
static bool earliest(struct ct_sched *s, uint64_t limit_ns, size_t *ret, uint64_t *ret_second)
{
	uint64_t first_ns = limit_ns, second_ns = limit_ns;

	for (size_t i = 0; i < s->perf.ring_count; i++) {
		const struct ct_perf_record *r = peek(s, i);

		if (!r || r->ns >= second_ns)
			continue;
		if (r->ns < first_ns) {
			second_ns = first_ns;
			first_ns = r->ns;
			*ret = i;
		} else {
			second_ns = r->ns;
		}
	}
	*ret_second = second_ns;
	return first_ns < limit_ns;
}

static void merge(struct ct_sched *s, struct ct_writer *w, uint64_t limit_ns)
{
	const struct ct_perf_record *r;
	uint64_t second_ns;
	size_t i = 0;

	while (earliest(s, limit_ns, &i, &second_ns))
		do {
			r = peek(s, i);
			take(s, (uint32_t)i, r);
			ct_perf_take(&s->perf.ring[i]);
			/* Had there been a loss, its record would have come before. */
			if (s->perf.ring[i].at > s->cpu[i].suspect_at)
				s->cpu[i].suspect_at = 0;
			if (s->encoder.count >= CHUNK_SLICES)
				ct_sched_flush(s, w);
			r = peek(s, i);
		} while (r && r->ns <= second_ns && r->ns < limit_ns);
}

static unsigned int begin_pass(struct ct_sched *s)
{
	unsigned int fullest = 0;

	for (size_t i = 0; i < s->perf.ring_count; i++) {
		struct ct_perf_ring *r = &s->perf.ring[i];
		unsigned int fill = ct_perf_begin(r);

		if (r->data_bytes - (r->limit - r->at) < FULL)
			s->cpu[i].suspect_at = r->limit;
		if (fill > fullest)
			fullest = fill;
	}
	return fullest;
}

/* Long slices in parts, so that a reader need not wait for their end. A ring that
 * was full may have lost it. */
static void put_parts(struct ct_sched *s, uint64_t limit_ns)
{
	for (size_t i = 0; i < s->perf.ring_count; i++) {
		const struct ct_sched_cpu *c = &s->cpu[i];

		if (!c->running || c->suspect_at)
			continue;
		struct ct_sched_task *t = &s->task[c->running - 1];

		if (limit_ns > t->since_ns && limit_ns - t->since_ns >= PART_NS)
			put_slice(s, t, limit_ns, CT_SLICE_CONTINUED);
	}
}

/* On a large and busy machine the wake-ups of others may cost more than those of
 * the program are worth. */
static void bound_wakes(struct ct_sched *s, struct ct_writer *w, uint64_t now_ns)
{
	struct ct_record r = { .type = CT_RECORD_META, .meta = { ct_text_of("wakes"), ct_text_of("stopped") } };

	if (!s->perf.waking)
		return;
	if (s->foreign_wakes > s->bearable_wakes && s->bearable_ns) {
		ct_perf_stop_waking(&s->perf);
		s->wakes_stopped = true;
		ct_writer_record(w, &r);
		return;
	}
	if (now_ns < s->bearable_ns)
		return;
	s->bearable_ns = now_ns + WAKES_NS;
	s->bearable_wakes = s->foreign_wakes + WAKES_MOST;
}

unsigned int ct_sched_pass(struct ct_sched *s, struct ct_writer *w, uint64_t now_ns)
{
	/* Before the heads are read: what was written before this is there. */
	uint64_t limit_ns = ct_now_ns();
	unsigned int fullest = begin_pass(s);

	limit_ns -= fullest < FULL_PART ? SLACK_NS : SLACK_FULL_NS;
	if (limit_ns < s->merged_ns)
		limit_ns = s->merged_ns;
	merge(s, w, limit_ns);
	s->merged_ns = limit_ns;
	bound_wakes(s, w, now_ns);
	put_parts(s, limit_ns);
	for (size_t i = 0; i < s->perf.ring_count; i++)
		ct_perf_end(&s->perf.ring[i]);
	if (!s->encoder.count && !s->encoder.gap_count)
		return fullest;
	if (!s->chunk_since_ns)
		s->chunk_since_ns = now_ns;
	if (now_ns - s->chunk_since_ns >= (s->flushed ? CHUNK_NS : FIRST_CHUNK_NS))
		ct_sched_flush(s, w);
	return fullest;
}

void ct_sched_catch_up(struct ct_sched *s, struct ct_writer *w)
{
	uint64_t limit_ns = ct_now_ns();

	begin_pass(s);
	if (limit_ns < s->merged_ns)
		limit_ns = s->merged_ns;
	merge(s, w, limit_ns);
	s->merged_ns = limit_ns;
	for (size_t i = 0; i < s->perf.ring_count; i++)
		ct_perf_end(&s->perf.ring[i]);
	ct_sched_flush(s, w);
}

void ct_sched_finish(struct ct_sched *s, struct ct_writer *w, uint64_t now_ns)
{
	begin_pass(s);
	merge(s, w, UINT64_MAX);
	for (size_t i = 0; i < s->perf.ring_count; i++) {
		ct_perf_end(&s->perf.ring[i]);
		if (s->cpu[i].suspect_at)
			lose(s, (uint32_t)i, now_ns, 0);
		else if (s->cpu[i].running)
			stop(s, &s->task[s->cpu[i].running - 1], now_ns, CT_SLICE_TRACE);
	}
	ct_sched_flush(s, w);
}
