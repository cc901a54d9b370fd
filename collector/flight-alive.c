/* What a part of a trace begins and ends with: all that is alive then. See flight.h. */
#include <errno.h>

#include "atomics.h"
#include "collector.h"
#include "flight.h"

#define POLLS_MAX 256 /* threads whose CPU time is read for a snapshot: without context switches only */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Where a thread's life begins. One that has ended already, which is only noticed later, must not end
 * before it begins. */
static uint64_t begin_of(struct ct_trace *t, struct ct_process *p, const struct ct_thread *th, uint64_t begin_ns)
{
	uint64_t end = ct_load(&p->region->slots[th->slot].end), end_ns = end ? ct_process_ns(t, p, end) : 0;

	if (end_ns && end_ns < begin_ns)
		begin_ns = end_ns;
	if (th->dead_since_ns && th->dead_since_ns < begin_ns)
		begin_ns = th->dead_since_ns;
	return later(th->start_ns, begin_ns);
}

static void begin_thread(struct ct_trace *t, struct ct_process *p, const struct ct_thread *th, struct ct_writer *to,
			 uint64_t begin_ns)
{
	const struct ct_slot *s = &p->region->slots[th->slot];
	struct ct_record r = { .type = CT_RECORD_THREAD_START, .thread_start = {
		.thread = th->id,
		.process = p->id,
		.tid = (uint64_t)(uint32_t)(th->tid ? th->tid : th->own_tid),
		.start_ns = begin_of(t, p, th, begin_ns),
		.pthread = ct_load(&s->pthread),
		.routine = ct_load(&s->routine),
		.name = ct_text_of(th->name),
		.cpu_ns = th->cpu_ns,
		.run_delay_ns = th->run_delay_ns,
	} };

	ct_writer_record(to, &r);
}

void ct_alive_begin(struct ct_collector *c, struct ct_writer *to, uint64_t begin_ns)
{
	for (size_t i = 0; i < c->process_count; i++) {
		struct ct_process *p = c->process[i];
		struct ct_record r = { .type = CT_RECORD_PROCESS_START, .process_start = p->declared };

		r.process_start.start_ns = later(r.process_start.start_ns, begin_ns);
		ct_writer_record(to, &r);
		if (p->recording.off) {
			ct_recording_record(p, begin_ns, &r);
			ct_writer_record(to, &r);
		}
		for (uint32_t k = 0, left = p->thread_count; k < p->slot_count && left; k++) {
			if (!p->threads[k])
				continue;
			left--;
			begin_thread(&c->trace, p, p->threads[k], to, begin_ns);
		}
	}
	ct_writer_flush(to);
	if (ct_sched_is_open(&c->sched))
		ct_sched_part_begin(&c->sched, to);
}

void ct_alive_gather(struct ct_collector *c, uint64_t now_ns)
{
	struct ct_trace *t = &c->trace;

	for (size_t i = 0; i < c->process_count; i++) {
		t->synced = false;
		ct_trace_sync(t);
		ct_process_pass(t, c->process[i], now_ns);
		ct_process_counters(t, c->process[i], now_ns);
		ct_recording_now(c->process[i], now_ns);
		ct_process_flush(t, c->process[i]);
		ct_waiting_last(t, c->process[i], now_ns, true);
	}
	/* Later than the events: nothing that they tell of is missing. */
	if (ct_sched_is_open(&c->sched))
		ct_sched_catch_up(&c->sched, &t->writer);
}

/* The waits in progress, as events that stand in the snapshot only. */
static void end_waits(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	for (uint32_t i = 0, left = p->thread_count; i < p->slot_count && left; i++) {
		struct ct_thread *th = p->threads[i];

		if (!th)
			continue;
		left--;
		uint64_t last_ns = th->last_end_ns, damaged = th->damaged;

		ct_drain_wait(t, p, th, CT_EV_OPEN, now_ns);
		/* A wait may have begun since. */
		th->cut_ns = later(now_ns, th->last_end_ns);
		th->last_end_ns = last_ns;
		th->damaged = damaged;
	}
}

static void end_process(struct ct_collector *c, struct ct_process *p, struct ct_writer *to, uint64_t now_ns)
{
	bool poll = !ct_sched_is_open(&c->sched) && p->thread_count <= POLLS_MAX;
	uint64_t end_ns = now_ns;
	struct ct_record r;

	for (uint32_t i = 0, left = p->thread_count; i < p->slot_count && left; i++) {
		struct ct_thread *th = p->threads[i];

		if (!th)
			continue;
		left--;
		if (poll)
			ct_thread_poll(p, th);
		ct_thread_end_record(p, th, CT_END_TRACE, th->cut_ns, &r);
		end_ns = later(end_ns, th->cut_ns);
		ct_writer_record(to, &r);
	}
	r = (struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = p->id,
		.end_ns = end_ns,
		.how = CT_END_TRACE,
		.status = -1,
	} };
	ct_writer_record(to, &r);
}

void ct_alive_end(struct ct_collector *c, struct ct_writer *to, uint64_t now_ns)
{
	struct ct_trace *t = &c->trace;

	/* Stacks of these are declared among the others. */
	for (size_t i = 0; i < c->process_count; i++)
		end_waits(t, c->process[i], now_ns);
	ct_writer_flush(&t->writer);
	for (size_t i = 0; i < c->process_count; i++)
		ct_writer_events(to, c->process[i]->id, &c->process[i]->encoder);
	if (ct_sched_is_open(&c->sched))
		ct_sched_part_end(&c->sched, to);
	for (size_t i = 0; i < c->process_count; i++)
		end_process(c, c->process[i], to, now_ns);
	ct_writer_flush(to);
}
