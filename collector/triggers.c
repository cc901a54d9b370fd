/* What makes the flight recorder take a snapshot by itself. See flight.h. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector.h"

/* Waits in progress are looked at so often, or more often where the bound is short. */
#define LOOK_MAX_NS 100000000ull
#define LOOK_MIN_NS 10000000ull

void ct_trigger_open(struct ct_flight *f)
{
	f->least_wait_ns = UINT64_MAX;
	for (uint32_t i = 0; i < f->options.trigger_count; i++) {
		const struct ct_trigger *t = &f->options.trigger[i];

		if (t->kind == CT_TRIGGER_WAIT && t->more_than < f->least_wait_ns)
			f->least_wait_ns = t->more_than;
	}
}

static bool is_meant(const struct ct_trigger *t, const struct ct_thread *th, uint16_t cause, uint64_t ns)
{
	if (t->kind != CT_TRIGGER_WAIT || ns <= t->more_than || (!t->any_cause && !t->cause[cause]))
		return false;
	return !*t->thread || !fnmatch(t->thread, th->name, 0) || strtol(t->thread, NULL, 10) == th->tid;
}

/* Whether a trigger would be heard now. */
static bool is_armed(const struct ct_flight *f, uint64_t now_ns)
{
	return !*f->asked.why && !f->writing && now_ns >= f->pause_until_ns &&
	       (!f->options.max_snapshots || f->by_triggers < f->options.max_snapshots);
}

void ct_trigger_wait(struct ct_flight *f, struct ct_process *p, struct ct_thread *th, uint16_t cause,
		     uint64_t start_ticks, uint64_t start_ns, uint64_t end_ns)
{
	if (th->told_start == start_ticks || cause >= CT_CAUSE_COUNT || !is_armed(f, end_ns))
		return;
	for (uint32_t i = 0; i < f->options.trigger_count; i++) {
		const struct ct_trigger *t = &f->options.trigger[i];

		if (!is_meant(t, th, cause, end_ns - start_ns))
			continue;
		f->asked = (struct ct_reason){ .pid = (uint32_t)p->pid, .tid = (uint32_t)th->tid, .cause = cause,
					       .start_ns = start_ns, .end_ns = end_ns };
		memcpy(f->asked.thread, th->name, CT_NAME);
		snprintf(f->asked.why, sizeof(f->asked.why), "trigger %s", t->text);
		th->told_start = start_ticks;
		return;
	}
}

static void look_at_thread(struct ct_flight *f, struct ct_process *p, struct ct_thread *th, uint64_t now_ns)
{
	struct ct_trace *t = &f->c->trace;
	struct ct_wait w;

	if (!ct_drain_waits(&p->region->slots[th->slot]) || !ct_drain_waiting(t, p, th, &w))
		return;
	uint64_t start_ns = ct_process_ns(t, p, w.start);

	if (now_ns > start_ns && now_ns - start_ns > f->least_wait_ns)
		ct_trigger_wait(f, p, th, w.cause, w.start, start_ns, now_ns);
}

static void look_at_waits(struct ct_flight *f, uint64_t now_ns)
{
	uint64_t period_ns = f->least_wait_ns / 4;

	if (f->least_wait_ns == UINT64_MAX || now_ns < f->look_ns)
		return;
	f->look_ns = now_ns + (period_ns < LOOK_MIN_NS ? LOOK_MIN_NS : period_ns > LOOK_MAX_NS ? LOOK_MAX_NS : period_ns);
	if (!is_armed(f, now_ns))
		return;
	for (size_t i = 0; i < f->c->process_count; i++) {
		struct ct_process *p = f->c->process[i];

		for (uint32_t k = 0, left = p->thread_count; k < p->slot_count && left; k++)
			if (p->threads[k]) {
				left--;
				look_at_thread(f, p, p->threads[k], now_ns);
			}
	}
}

/* A circle that is there twice is there for good. */
static void look_for_deadlock(struct ct_flight *f, const struct ct_trigger *t, uint64_t now_ns)
{
	struct ct_deadlock_seen *seen = &f->deadlock;
	struct ct_reason reason = { .tid = 0 };

	if (now_ns < seen->next_ns || !is_armed(f, now_ns))
		return;
	seen->next_ns = now_ns + LOOK_MAX_NS * 2;
	uint64_t mark = ct_deadlock_find(f->c, &reason), before = seen->mark;

	seen->mark = mark;
	if (!mark || mark != before || mark == seen->told)
		return;
	seen->told = mark;
	reason.end_ns = now_ns;
	snprintf(reason.why, sizeof(reason.why), "trigger %s", t->text);
	f->asked = reason;
}

static void look_at_losses(struct ct_flight *f, const struct ct_trigger *t, uint64_t now_ns)
{
	uint64_t lost = f->c->trace.lost + f->c->trace.writer.events_dropped;

	if (lost - f->lost_told <= t->more_than || !is_armed(f, now_ns))
		return;
	f->asked = (struct ct_reason){ .tid = 0 };
	snprintf(f->asked.why, sizeof(f->asked.why), "trigger %s: %llu events lost", t->text,
		 (unsigned long long)(lost - f->lost_told));
	f->lost_told = lost;
}

void ct_trigger_pass(struct ct_flight *f, uint64_t now_ns)
{
	for (uint32_t i = 0; i < f->options.trigger_count; i++) {
		if (f->options.trigger[i].kind == CT_TRIGGER_DEADLOCK)
			look_for_deadlock(f, &f->options.trigger[i], now_ns);
		if (f->options.trigger[i].kind == CT_TRIGGER_LOST)
			look_at_losses(f, &f->options.trigger[i], now_ns);
	}
	look_at_waits(f, now_ns);
}
