/*
 * The scheduler as ftrace would have told it: sched_switch and sched_waking, in bundles
 * by CPU. See perfetto.h.
 *
 * The trace knows when its own threads had a CPU: in between, the CPU is told to be
 * idle, whoever else may have had it. A CPU's slices come in order, so that what it
 * runs is known, and a switch always leaves the thread that it came to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "perfetto.h"

enum { BUNDLE_CPU = 1, BUNDLE_EVENT = 2 };
enum { EVENT_NS = 1, EVENT_PID = 2, EVENT_SWITCH = 4, EVENT_FLAGS = 5, EVENT_WAKING = 20 };
enum { PREV_COMM = 1, PREV_PID = 2, PREV_PRIO = 3, PREV_STATE = 4, NEXT_COMM = 5, NEXT_PID = 6, NEXT_PRIO = 7 };
enum { STATS_PHASE = 1, STATS_CPU = 2, STATS_BEGIN = 1, STATS_END = 2 };
enum { CPU_NUMBER = 1, CPU_OVERRUN = 3 };
enum { WAKING_COMM = 1, WAKING_PID = 2, WAKING_PRIO = 3, WAKING_SUCCESS = 4, WAKING_CPU = 5 };

#define PRIO         120u
#define BUNDLE_BYTES (32u << 10)
/* Readers refuse higher numbers. */
#define CPUS_MAX     1024u
/* TASK_COMM_LEN without the NUL. */
#define COMM_BYTES   15u

/* Kernel's task states. */
#define STATE_RUNNABLE 0x0000u
#define STATE_SLEEPS   0x0001u
#define STATE_DEAD     0x0010u
#define STATE_UNKNOWN  0x8000u /* none: readers show a question mark */

#define FLAG_HARDIRQ   0x08u
#define FLAG_SOFTIRQ   0x10u

struct ct_pf_cpu {
	uint32_t number;
	struct ct_turn_on_cpu last; /* not left yet, if busy */
	bool busy;
	uint64_t lost;              /* records */
	struct ct_buf events;
};

static struct ct_pf_cpu *cpu_of(struct ct_perfetto *p, uint32_t number)
{
	uint32_t at = ct_table_get(&p->cpu_by_number, number);

	if (at)
		return p->cpu[at - 1];
	struct ct_pf_cpu **slot = CT_APPEND(p, cpu);

	if (!slot)
		return NULL;
	*slot = calloc(1, sizeof(**slot));
	if (!*slot) {
		p->cpu_count--;
		return NULL;
	}
	if (ct_table_put(&p->cpu_by_number, number, p->cpu_count))
		return NULL;
	(*slot)->number = number;
	return *slot;
}

static int flush(struct ct_perfetto *p, struct ct_pf_cpu *c)
{
	if (c->events.failed)
		return -ENOMEM;
	if (!c->events.size)
		return 0;
	size_t packet = ct_pf_begin(p), bundle = ct_pb_begin(&p->out, PF_FTRACE_EVENTS);

	ct_pb_uint(&p->out, BUNDLE_CPU, c->number);
	ct_put_bytes(&p->out, c->events.data, c->events.size);
	ct_pb_end(&p->out, bundle);
	ct_buf_clear(&c->events);
	return ct_pf_end(p, packet);
}

static void put_comm(struct ct_perfetto *p, struct ct_buf *b, uint32_t field, uint32_t thread)
{
	const char *name = thread == CT_NO ? "swapper" : p->source.m.thread[thread].name;
	size_t n = strlen(name);

	if (n > COMM_BYTES)
		for (n = COMM_BYTES; n && ((uint8_t)name[n] & 0xc0) == 0x80; n--)
			;
	ct_pb_bytes(b, field, name, n);
}

static uint64_t tid_of(const struct ct_perfetto *p, uint32_t thread)
{
	return thread == CT_NO ? 0 : p->source.m.thread[thread].tid;
}

/* CT_NO: the idle thread. */
static void put_switch(struct ct_perfetto *p, struct ct_pf_cpu *c, uint64_t ns, uint32_t from, uint32_t state, uint32_t to)
{
	struct ct_buf *b = &c->events;
	size_t event = ct_pb_begin(b, BUNDLE_EVENT), change;

	ct_pb_uint(b, EVENT_NS, ns + (uint64_t)p->boot_ns);
	ct_pb_uint(b, EVENT_PID, tid_of(p, from));
	change = ct_pb_begin(b, EVENT_SWITCH);
	put_comm(p, b, PREV_COMM, from);
	ct_pb_uint(b, PREV_PID, tid_of(p, from));
	ct_pb_uint(b, PREV_PRIO, PRIO);
	ct_pb_uint(b, PREV_STATE, state);
	put_comm(p, b, NEXT_COMM, to);
	ct_pb_uint(b, NEXT_PID, tid_of(p, to));
	ct_pb_uint(b, NEXT_PRIO, PRIO);
	ct_pb_end(b, change);
	ct_pb_end(b, event);
}

static void put_waking(struct ct_perfetto *p, struct ct_pf_cpu *c, const struct ct_turn_on_cpu *t)
{
	uint32_t flags = (t->flags & CT_SL_HARDIRQ ? FLAG_HARDIRQ : 0) | (t->flags & CT_SL_SOFTIRQ ? FLAG_SOFTIRQ : 0);
	struct ct_buf *b = &c->events;
	size_t event = ct_pb_begin(b, BUNDLE_EVENT), waking;
	/* One who was woken while the kernel switched it out was so at the end of its slice. Readers
	 * forget a waking of what has a CPU, and of one time they may take it for the first. */
	uint64_t woken_ns = t->woken_ns + (t->woken_ns < t->start_ns);

	ct_pb_uint(b, EVENT_NS, woken_ns + (uint64_t)p->boot_ns);
	ct_pb_uint(b, EVENT_PID, t->waker_tid);
	waking = ct_pb_begin(b, EVENT_WAKING);
	put_comm(p, b, WAKING_COMM, t->thread);
	ct_pb_uint(b, WAKING_PID, tid_of(p, t->thread));
	ct_pb_uint(b, WAKING_PRIO, PRIO);
	ct_pb_uint(b, WAKING_SUCCESS, 1);
	ct_pb_uint(b, WAKING_CPU, t->cpu);
	ct_pb_end(b, waking);
	if (flags)
		ct_pb_uint(b, EVENT_FLAGS, flags);
	ct_pb_end(b, event);
}

static uint32_t state_after(uint8_t end)
{
	switch (end) {
	case CT_SLICE_BLOCKED:
		return STATE_SLEEPS;
	case CT_SLICE_EXITED:
		return STATE_DEAD;
	case CT_SLICE_LOST:
		return STATE_UNKNOWN;
	}
	return STATE_RUNNABLE;
}

static int take_turn(void *self, const struct ct_turn_on_cpu *t)
{
	struct ct_perfetto *p = self;
	struct ct_pf_cpu *c = t->cpu < CPUS_MAX ? cpu_of(p, t->cpu) : NULL;
	int error = t->cpu < CPUS_MAX ? 0 : 1;

	if (error || !c)
		return error ? 0 : -ENOMEM;
	error = ct_pf_tell_thread(p, t->thread);
	if (t->woken_ns)
		put_waking(p, c, t);
	if (c->busy && c->last.end == CT_SLICE_CONTINUED && c->last.thread == t->thread && c->last.end_ns == t->start_ns) {
		c->last = *t;
		return error;
	}
	if (c->busy && c->last.end_ns < t->start_ns) {
		put_switch(p, c, c->last.end_ns, c->last.thread, state_after(c->last.end), CT_NO);
		c->busy = false;
	}
	put_switch(p, c, t->start_ns, c->busy ? c->last.thread : CT_NO, c->busy ? state_after(c->last.end) : STATE_RUNNABLE,
		   t->thread);
	c->last = *t;
	c->busy = true;
	if (!error && c->events.size >= BUNDLE_BYTES)
		error = flush(p, c);
	return error;
}

static int take_gap(void *self, const struct ct_gap *g)
{
	struct ct_perfetto *p = self;
	uint64_t from_ns = g->from_ns > p->source.m.from_ns ? g->from_ns : p->source.m.from_ns;
	uint64_t to_ns = g->to_ns < p->source.m.to_ns ? g->to_ns : p->source.m.to_ns;
	uint64_t track = ct_pf_lost_track(p, g->cpu);
	char name[64];

	struct ct_pf_cpu *c = g->cpu < CPUS_MAX ? cpu_of(p, g->cpu) : NULL;

	if (!c)
		return g->cpu < CPUS_MAX ? -ENOMEM : 0;
	c->lost += g->lost;
	snprintf(name, sizeof(name), "scheduler records lost, CPU %u", g->cpu);
	int error = ct_pf_tell_track(p, track, ct_pf_lost_track(p, CT_NO), name);
	size_t packet, event;

	if (error)
		return error;
	event = ct_pf_begin_event(p, &packet, from_ns, PF_SLICE_BEGIN, track);
	ct_pb_uint(&p->out, PF_EVENT_CATEGORY, PF_CATEGORY_LOST);
	ct_pb_text(&p->out, PF_EVENT_NAME, "records lost");
	ct_pf_annotate_uint(&p->out, PF_KEY_COUNT, g->lost);
	error = ct_pf_end_event(p, packet, event);
	if (error)
		return error;
	event = ct_pf_begin_event(p, &packet, to_ns, PF_SLICE_END, track);
	return ct_pf_end_event(p, packet, event);
}

/* What was lost, where readers look for it: as ftrace's own losses. */
static int put_stats(struct ct_perfetto *p, uint32_t phase)
{
	size_t packet = ct_pf_begin(p), stats = ct_pb_begin(&p->out, PF_FTRACE_STATS);

	ct_pb_uint(&p->out, STATS_PHASE, phase);
	for (uint32_t i = 0; i < p->cpu_count; i++) {
		size_t cpu = ct_pb_begin(&p->out, STATS_CPU);

		ct_pb_uint(&p->out, CPU_NUMBER, p->cpu[i]->number);
		ct_pb_uint(&p->out, CPU_OVERRUN, phase == STATS_END ? p->cpu[i]->lost : 0);
		ct_pb_end(&p->out, cpu);
	}
	ct_pb_end(&p->out, stats);
	return ct_pf_end(p, packet);
}

int ct_pf_sched(struct ct_perfetto *p)
{
	int error = ct_source_slices(&p->source, take_turn, take_gap, p);

	for (uint32_t i = 0; i < p->cpu_count && !error; i++) {
		struct ct_pf_cpu *c = p->cpu[i];

		if (c->busy)
			put_switch(p, c, c->last.end_ns, c->last.thread, state_after(c->last.end), CT_NO);
		error = flush(p, c);
	}
	if (!error && p->cpu_count)
		error = put_stats(p, STATS_BEGIN);
	return error || !p->cpu_count ? error : put_stats(p, STATS_END);
}

void ct_pf_sched_free(struct ct_perfetto *p)
{
	for (uint32_t i = 0; i < p->cpu_count; i++) {
		ct_buf_free(&p->cpu[i]->events);
		free(p->cpu[i]);
	}
	free(p->cpu);
	ct_table_free(&p->cpu_by_number);
}
