/* Writing events into the thread's ring. See record.h and abi/region.h. */
#include "record.h"

#include <stddef.h>

#include "descriptors.h"
#include "rings.h"
#include "wakes.h"

/* A fork that we did not see left us with our parent's slot. */
static bool is_parents(void)
{
	if (CT_LIKELY(*ct_state.alive))
		return false;
	ct_forked();
	return true;
}

void ct_write_event(struct ct_slot *slot, const struct ct_event *event)
{
	/* After a fork in a signal handler the interrupted wrapper comes here
	 * with its parent's slot. */
	if (CT_UNLIKELY(is_parents() || slot != ct_thread.slot))
		return;
	/* A call that began before the switch is written, what it tells of others' waits is not. */
	if (CT_UNLIKELY(ct_is_off(event->cause)) && event->kind != CT_EVENT_INTERVAL)
		return;

	uint64_t number;

	if (!ct_reserve(slot, 1, &number))
		return;
	struct ct_event *e = ct_entry(slot, number);

	e->start = event->start;
	e->end = event->end;
	e->object = event->object;
	e->aux = event->aux;
	e->result = event->result;
	e->stack = event->stack;
	e->owner = event->owner;
	e->call = event->call;
	e->kind = event->kind;
	e->cause = event->cause;
	e->flags = event->flags;
	e->object_kind = event->object_kind;
	e->reserved = 0;
	/* Publishes the event; the collector acquires seq. */
	ct_store_release(&e->seq, ct_seq(number));
}

CT_COLD void ct_write(struct ct_interval *v, uint64_t end, int left, int64_t result)
{
	struct ct_event e = {
		.start = v->start,
		.end = end,
		.object = v->object,
		.aux = v->aux,
		.result = result,
		.owner = v->owner,
		.call = v->call,
		.kind = CT_EVENT_INTERVAL,
		.cause = v->cause,
		.flags = left ? CT_EV_OFF_CPU : 0,
		.object_kind = v->object_kind,
		.stack = v->stack,
	};

	/* It began when the process was traced the time before. */
	if (CT_UNLIKELY(e.start < ct_state.begun)) {
		e.start = ct_state.begun;
		e.stack = 0;
	}
	if (!e.stack)
		e.stack = ct_stack(v->slot);

	if (v->object_kind == CT_OBJECT_FD)
		ct_descriptor(&e, false);
	ct_write_event(v->slot, &e);
}

void ct_identify(struct ct_interval *v)
{
	struct ct_event e = { .object = v->object, .call = v->call, .cause = v->cause };

	if (v->object_kind != CT_OBJECT_FD)
		return;
	ct_descriptor(&e, true);
	v->object = e.object;
	v->cause = e.cause;
}

CT_COLD void ct_write_left(struct ct_slot *slot, uint16_t call, uint8_t cause, uint8_t object_kind, uint64_t object,
			   int64_t result)
{
	/* A handler may have forked meanwhile. */
	if (slot != ct_thread.slot)
		return;
	uint64_t now = ct_ticks();
	struct ct_event e = {
		.start = now,
		.end = now,
		.object = object,
		.result = result,
		.call = call,
		.kind = CT_EVENT_INTERVAL,
		.cause = cause,
		.flags = CT_EV_OFF_CPU | CT_EV_NO_START,
		.object_kind = object_kind,
		.stack = ct_stack(slot),
	};

	if (object_kind == CT_OBJECT_FD)
		ct_descriptor(&e, false);
	ct_write_event(slot, &e);
}

static void write_waking(uint8_t kind, uint8_t flags, uint16_t call, uint8_t cause, const void *object, uint64_t start,
			 int64_t result)
{
	struct ct_slot *slot = ct_thread.slot;

	/* None where the thread may not read the clock either. */
	if (!slot)
		return;
	struct ct_event e = {
		.start = start,
		.end = ct_ticks(),
		.object = (uint64_t)object,
		.result = result,
		.stack = ct_stack(slot),
		.call = call,
		.kind = kind,
		.flags = flags,
		.cause = cause,
		.object_kind = CT_OBJECT_ADDRESS,
	};

	ct_write_event(slot, &e);
}

CT_COLD void ct_write_wake(uint16_t call, uint8_t cause, const void *object, uint64_t start, int64_t woken)
{
	write_waking(CT_EVENT_WAKE, 0, call, cause, object, start, woken);
}

CT_COLD void ct_write_waiting_wake(uint16_t call, uint8_t cause, const void *object, uint64_t start)
{
	write_waking(CT_EVENT_INTERVAL, CT_EV_OFF_CPU, call, cause, object, start, 0);
}

/* When calls with a cause were switched on; 0: they are off. The collector wrote the one
 * before the other. */
static uint64_t since_switch(uint8_t cause)
{
	return ct_load_acquire(&ct_live.off) & ct_family_bit(cause) ? 0 : ct_load(&ct_live.on_ticks[ct_family_number(cause)]);
}

_Static_assert(sizeof(struct ct_what) == 4 && offsetof(struct ct_wait, call) == 4 && offsetof(struct ct_wait, cause) == 6 &&
	       offsetof(struct ct_wait, object_kind) == 7, "they are published at once");

CT_COLD bool ct_silent_may(struct ct_slot *slot)
{
	struct ct_wait *w = &slot->wait;

	/* In a handler: the wait that it interrupted is recorded, and stays. */
	if (w->call)
		return false;
	w->start = w->aux = w->ip = 0;
	w->stack = w->owner = 0;
	return true;
}

__attribute__((noinline)) int ct_prepare_silent(struct ct_interval *v, uint16_t call, uint8_t cause, uint8_t object_kind,
						uint64_t object)
{
	v->slot = NULL;
	v->call = call;
	v->silent = ct_silent_begin(call, cause, object_kind, object);
	/* Of this call, where a handler's takes its place. */
	if (v->silent)
		v->silent->wait.frame = (uint64_t)v;
	return 0;
}

CT_COLD void ct_silent_stack(struct ct_interval *v)
{
	if (v->silent)
		v->silent->wait.stack = ct_stack(v->silent);
}

CT_COLD void ct_silent_switched(struct ct_slot *slot, uint16_t call, int64_t result)
{
	struct ct_wait *w = &slot->wait;

	/* A handler may have forked meanwhile, or made a silent call. */
	if (slot != ct_thread.slot || w->call != call || w->start)
		return;
	/* Part of the wait is recorded: since the switch. */
	uint64_t start = since_switch(w->cause), end = ct_ticks();
	struct ct_interval part = { .slot = slot, .start = start, .object = w->object, .call = w->call, .cause = w->cause,
				    .object_kind = w->object_kind, .stack = w->stack };

	w->stack = 0;
	ct_store(&w->call, CT_CALL_NONE);
	if (start && end >= start && end - start >= ct_load(&ct_live.min_ticks))
		ct_write(&part, end, 1, result);
}

__attribute__((noinline)) void ct_end_silent(struct ct_interval *v, int64_t result)
{
	struct ct_wait *w = &v->silent->wait;

	if (CT_LIKELY((ct_load(&ct_live.off) & CT_FAMILIES_ALL) == CT_FAMILIES_ALL && w->call == v->call && !w->stack))
		ct_store(&w->call, CT_CALL_NONE);
	else
		ct_silent_switched(v->silent, v->call, result);
}

/* Writes the published wait, which its wrapper will not. */
static void write_left(struct ct_slot *slot, uint64_t end, uint8_t flags)
{
	struct ct_wait *w = &slot->wait;
	/* One that is not recorded: at most from the switch on. */
	uint64_t start = w->start ? w->start : since_switch(w->cause);
	struct ct_event e = {
		.start = start,
		.end = end,
		.object = w->object,
		.aux = w->aux,
		.result = -EINTR,
		.stack = w->stack ? w->stack : ct_stack_of(w->ip),
		.owner = w->owner,
		.call = w->call,
		.kind = CT_EVENT_INTERVAL,
		.cause = w->cause,
		.flags = flags,
		.object_kind = w->object_kind,
	};

	ct_store(&w->call, CT_CALL_NONE);
	if (!start || end < start)
		return;
	if (e.object_kind == CT_OBJECT_FD)
		ct_descriptor(&e, false);
	ct_write_event(slot, &e);
}

CT_COLD void ct_leave_wait(struct ct_slot *slot)
{
	write_left(slot, ct_ticks(), CT_EV_OFF_CPU);
}

/*
 * A wait is published while another begins. Either a signal handler runs while
 * the thread blocks: its frames are below those of the interrupted wrapper, or
 * on another stack. Or the wrapper was left by longjmp: its frame is gone, that
 * is, below ours.
 */
CT_COLD void ct_begin_nested(struct ct_interval *v)
{
	struct ct_wait *w = &v->slot->wait;
	uint64_t here = (uint64_t)v;
	bool same_stack = here >= ct_thread.stack_low && here < ct_thread.stack_high &&
			  w->frame >= ct_thread.stack_low && w->frame < ct_thread.stack_high;

	if (!same_stack || w->frame > here) {
		/* The kernel clears the field before a handler runs; where the outer
		 * call itself came back to us, as fopen does to malloc, it is as it was. */
		v->outer_left = ct_rseq_left() != 0;
		v->outer = *w;
		v->nested = 1;
		return;
	}

	write_left(v->slot, w->start, CT_EV_ABANDONED);
}

CT_COLD void ct_end_nested(struct ct_interval *v, int left)
{
	struct ct_wait *w = &v->slot->wait;

	if (left || v->outer_left)
		ct_rseq_clear();
	else
		ct_rseq_arm();
	ct_store(&w->seq, (w->seq + 1) | 1);
	ct_store(&w->call, CT_CALL_NONE);
	ct_fence_write();
	w->cause = v->outer.cause;
	w->object_kind = v->outer.object_kind;
	w->start = v->outer.start;
	w->object = v->outer.object;
	w->aux = v->outer.aux;
	w->ip = v->outer.ip;
	w->frame = v->outer.frame;
	w->stack = v->outer.stack;
	w->owner = v->outer.owner;
	ct_store_release(&w->call, v->outer.call);
	ct_store_release(&w->seq, (w->seq | 1) + 1);
}
