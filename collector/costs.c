/*
 * What ctrace's own work costs on this machine: see costs.h.
 *
 * Three things are measured here, each in some tries of a few microseconds. What follows from them was fitted to paired runs with and
 * without ctrace of programs that do nothing but one thing (tests/bench/micro.c).
 */
#include "costs.h"

#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "clock.h"
#include "region.h"
#include "ticks.h"

#define TRIES  8
#define ROUNDS 512
#define LINES  1024 /* more than a first-level cache holds */

/* In units of a counted call. */
#define TIMED_CALLS   14  /* beside its two time stamps: the wait is published and taken back, and its time counted */
#define WRITTEN_CALLS 5   /* beside the line of its event */
#define STACK_CALLS   25  /* a stack of ten frames that was seen before */

/* Of the system's; in units of a counted call too, as it goes with the speed of the processor. */
#define SWITCH_CALLS  300    /* a context switch: the kernel's record of it */
#define THREAD_CALLS  6000   /* its slot, memory that is touched for the first time; the kernel notes it */
#define PROCESS_CALLS 450000 /* the library is loaded, symbols are looked up, the region is made */

/* What a wrapper of a call that is only counted adds to it. */
struct counted {
	uint64_t calls;
	uint64_t armed;
	uint32_t off, waits;
	void (*real)(struct counted *);
};

static __attribute__((noinline)) void nothing(struct counted *c)
{
	__asm__ volatile("" : : "r"(c) : "memory");
}

static __attribute__((noinline)) void wrapper(struct counted *c)
{
	if (!ct_load(&c->off) && !ct_load(&c->waits)) {
		ct_inc_local(&c->calls);
		ct_store(&c->armed, (uint64_t)c);
	}
	c->real(c);
	if (!ct_load(&c->armed))
		ct_store(&c->waits, 1);
}

static void call_wrapped(void)
{
	static struct counted c = { .real = nothing };

	for (int i = 0; i < ROUNDS; i++)
		wrapper(&c);
}

static void call_bare(void)
{
	static struct counted c;

	for (int i = 0; i < ROUNDS; i++)
		nothing(&c);
}

static void read_clock(void)
{
	for (int i = 0; i < ROUNDS; i++)
		__asm__ volatile("" : : "r"(ct_read_ticks()));
}

static void write_lines(void)
{
	static struct ct_event ring[LINES];

	for (uint64_t i = 0; i < ROUNDS; i++) {
		struct ct_event *e = &ring[i % LINES];

		memset(e, (int)i, offsetof(struct ct_event, reserved));
		ct_store_release(&e->seq, i + 1);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of one round, in ps: the median. The best would be that of a machine without others. */
static uint64_t measure(void (*work)(void))
{
	uint64_t ns[TRIES];

	work();
	for (int i = 0; i < TRIES; i++) {
		uint64_t start_ns = ct_now_ns();

		work();
		ns[i] = ct_now_ns() - start_ns;
	}
	qsort(ns, TRIES, sizeof(*ns), compare);
	return ns[TRIES / 2] * 1000 / ROUNDS;
}

void ct_costs_measure(struct ct_costs *ret)
{
	uint64_t tick = measure(read_clock), bare = measure(call_bare), call = measure(call_wrapped);
	uint64_t line = measure(write_lines);

	call = call > bare ? call - bare : 1;
	*ret = (struct ct_costs){ .ps = {
		[CT_COST_CLOCK] = tick,
		[CT_COST_COUNTED] = call,
		[CT_COST_TIMED] = 2 * tick + TIMED_CALLS * call,
		[CT_COST_WRITTEN] = line + WRITTEN_CALLS * call,
		[CT_COST_STACK] = STACK_CALLS * call,
		[CT_COST_SWITCH] = SWITCH_CALLS * call,
		[CT_COST_THREAD] = THREAD_CALLS * call,
		[CT_COST_PROCESS] = PROCESS_CALLS * call,
	} };
}

void ct_costs_write(const struct ct_costs *c, struct ct_writer *w)
{
	for (uint32_t i = 0; i < CT_COST_KINDS; i++) {
		struct ct_record r = { .type = CT_RECORD_COST, .cost = { .what = i, .ps = c->ps[i] } };

		ct_writer_record(w, &r);
	}
}
