/* Slices and calls together: each moment has one state, whatever comes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "make_trace.h"
#include "unit.h"

#define MS 1000000ull

static const struct ct_site lock = { .cause = CT_CAUSE_MUTEX, .object_kind = CT_OBJECT_ADDRESS, .object = 0x408000,
				     .call = CT_CALL_pthread_mutex_lock, .flags = CT_EV_OFF_CPU };
static const struct ct_site nap = { .cause = CT_CAUSE_SLEEP, .call = CT_CALL_nanosleep, .flags = CT_EV_OFF_CPU };

struct loaded {
	struct ct_reader reader;
	struct ct_model model;
};

static char path[64];
static int file = -1;

static void load(struct loaded *l, struct make_trace *t, const struct ct_options *o)
{
	static const struct ct_options all = { .top = 0 };

	if (file < 0) {
		file = memfd_create("trace", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(pwrite(file, t->file.data, t->file.size, 0), (ssize_t)t->file.size);
	memset(l, 0, sizeof(*l));
	ck_assert_int_eq(ct_reader_open(&l->reader, path), 0);
	ck_assert_int_eq(ct_model_load(&l->model, &l->reader, o ? o : &all), 0);
	ck_assert_uint_eq(l->reader.damaged, 0);
	uint64_t by_cell_ns = 0, by_thread_ns = 0;

	for (uint32_t i = 0; i < l->model.cell_count; i++)
		by_cell_ns += l->model.cell[i].total_ns;
	for (uint32_t i = 0; i < l->model.thread_count; i++) {
		const struct ct_thread_info *x = &l->model.thread[i];

		by_thread_ns += x->blocked_ns;
		ck_assert_uint_eq(x->running_ns + x->runnable_ns + x->blocked_ns + x->excluded_ns + x->unexplained_ns +
				  x->unknown_ns, x->lifetime_ns);
	}
	ck_assert_uint_eq(by_cell_ns, by_thread_ns);
}

static void unload(struct loaded *l, struct make_trace *t)
{
	ct_model_free(&l->model);
	ct_reader_close(&l->reader);
	if (t)
		make_free(t);
}

/* A process with a thread, tid 100, that lives for so long. */
static void begin(struct make_trace *t, const char *wakes)
{
	make_begin(t);
	make_meta(t, "sched", "switches");
	make_meta(t, "wakes", wakes);
	make_process(t, 1, 100, "program");
	make_thread(t, 1, 1, 100, 0, "main");
	make_records_chunk(t);
}

static void end(struct make_trace *t, uint64_t end_ns, uint64_t run_delay_ns)
{
	make_switches_chunk(t);
	make_events_chunk(t, 1);
	make_thread_end(t, 1, end_ns, 1, run_delay_ns);
	make_record(t, &(struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = 1, .end_ns = MAKE_START_NS + end_ns } });
	make_end(t, end_ns);
}

/* Whether the trace is a valid one, too. */
static uint64_t violations(const struct make_trace *t)
{
	static const struct ct_options o = { .top = 10 };
	struct ct_context c = { .options = &o, .out = { fopen("/dev/null", "w"), false, 80 } };

	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(pwrite(file, t->file.data, t->file.size, 0), (ssize_t)t->file.size);
	ck_assert_int_eq(ct_reader_open(&c.reader, path), 0);
	ck_assert_int_eq(ct_cmd_check(&c), 0);
	ct_reader_close(&c.reader);
	fclose(c.out.file);
	return c.violations;
}

static void expect(const struct ct_thread_info *t, uint64_t running, uint64_t runnable, uint64_t blocked,
		   uint64_t unexplained, uint64_t unknown)
{
	ck_assert_uint_eq(t->running_ns, running);
	ck_assert_uint_eq(t->runnable_ns, runnable);
	ck_assert_uint_eq(t->blocked_ns, blocked);
	ck_assert_uint_eq(t->unexplained_ns, unexplained);
	ck_assert_uint_eq(t->unknown_ns, unknown);
}

START_TEST(a_small_trace)
{
	struct make_trace t = { 0 };
	struct loaded l;

	make_scheduled(&t);
	load(&l, &t, NULL);
	/* main: 20 + 7 + 5 + 20 run, 3 + 1 ready, 20 + 19 blocked, 5 in the gap. */
	expect(&l.model.thread[0], 52 * MS, 4 * MS, 39 * MS, 0, 5 * MS);
	/* The worker's end is that of its last slice. The gap is of a CPU where it may have run. */
	expect(&l.model.thread[1], 28 * MS, 3 * MS, 16 * MS, 0, 5 * MS);
	ck_assert_uint_eq(l.model.thread[1].lifetime_ns, 52 * MS);
	expect(&l.model.thread[2], 1 * MS, 15 * MS, 0, 24 * MS, 50 * MS);
	ck_assert(l.model.sched == CT_SCHED_SWITCHES && l.model.wakes);
	ck_assert_uint_eq(ct_ready_of(&l.model.states[0])->wakes.count, 2);
	ck_assert_uint_eq(l.model.states[1].preemptions, 1);
	ck_assert_uint_eq(violations(&t), 0);
	unload(&l, NULL);
	/* Parts make the whole. */
	uint64_t sum[3] = { 0 };

	for (uint64_t at = 0; at < 100; at += 7) {
		struct ct_options o = { .from = { true, false, at * MS, 0 }, .to = { true, false, (at + 7) * MS, 0 } };

		load(&l, &t, &o);
		sum[0] += l.model.thread[0].running_ns;
		sum[1] += l.model.thread[0].runnable_ns;
		sum[2] += l.model.thread[0].blocked_ns;
		unload(&l, NULL);
	}
	ck_assert_uint_eq(sum[0], 52 * MS);
	ck_assert_uint_eq(sum[1], 4 * MS);
	ck_assert_uint_eq(sum[2], 39 * MS);
	make_free(&t);
}
END_TEST

/* A wait in which the thread runs, is preempted, and wakes for nothing. */
START_TEST(what_a_wait_is_made_of)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct loaded m;

	begin(&t, "sched_waking");
	make_run(&t, &l, 10 * MS, CT_SLICE_BLOCKED);
	make_off(&l, 5 * MS, 1 * MS, 1);
	make_run(&t, &l, 2 * MS, CT_SLICE_PREEMPTED);
	make_off(&l, 0, 3 * MS, 0);
	make_run(&t, &l, 1 * MS, CT_SLICE_BLOCKED);
	make_off(&l, 4 * MS, 2 * MS, 1);
	make_run(&t, &l, 12 * MS, CT_SLICE_BLOCKED);
	make_off(&l, 6 * MS, 0, 1);
	make_run(&t, &l, 4 * MS, CT_SLICE_TRACE);
	make_wait(&t, 1, lock, 9 * MS, 30 * MS);
	end(&t, 50 * MS, 0);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 29 * MS, 6 * MS, 9 * MS, 6 * MS, 0);
	ck_assert_uint_eq(m.model.cell[0].total_ns, 9 * MS);
	ck_assert_uint_eq(m.model.cell[0].elapsed_ns, 21 * MS);
	ck_assert_uint_eq(m.model.cell[0].delay_ns, 6 * MS);
	ck_assert_uint_eq(m.model.thread[0].longest_ns, 9 * MS);
	ck_assert_uint_eq(violations(&t), 0);
	unload(&m, &t);
}
END_TEST

/* Preempted only: that is no wait. */
START_TEST(preemption_is_no_wait)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct loaded m;

	begin(&t, "sched_waking");
	make_run(&t, &l, 10 * MS, CT_SLICE_PREEMPTED);
	make_off(&l, 0, 5 * MS, 0);
	make_run(&t, &l, 5 * MS, CT_SLICE_TRACE);
	make_wait(&t, 1, lock, 9 * MS, 16 * MS);
	end(&t, 20 * MS, 0);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 15 * MS, 5 * MS, 0, 0, 0);
	ck_assert_uint_eq(m.model.cell[0].count, 0);
	unload(&m, &t);
}
END_TEST

START_TEST(a_call_without_its_start)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct ct_site site = lock;
	struct loaded m;

	site.flags |= CT_EV_NO_START;
	begin(&t, "sched_waking");
	make_run(&t, &l, 10 * MS, CT_SLICE_BLOCKED);
	make_off(&l, 5 * MS, 1 * MS, 1);
	make_run(&t, &l, 4 * MS, CT_SLICE_PREEMPTED);  /* 16 to 20 */
	make_off(&l, 0, 5 * MS, 0);
	make_run(&t, &l, 5 * MS, CT_SLICE_BLOCKED);    /* 25 to 30 */
	make_off(&l, 10 * MS, 0, 1);
	make_run(&t, &l, 10 * MS, CT_SLICE_TRACE);     /* 40 to 50 */
	make_wait(&t, 1, site, 16 * MS + 100, 16 * MS + 100);
	make_wait(&t, 1, site, 17 * MS, 17 * MS);      /* a signal, perhaps: not known */
	make_wait(&t, 1, site, 25 * MS + 100, 25 * MS + 100); /* was preempted */
	make_wait(&t, 1, site, 49 * MS, 49 * MS);      /* long after: the wait is longer */
	end(&t, 50 * MS, 0);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 29 * MS, 6 * MS, 15 * MS, 0, 0);
	ck_assert_uint_eq(m.model.cell[0].count, 3);
	ck_assert_uint_eq(m.model.cell[0].unknown, 1);
	unload(&m, &t);
}
END_TEST

/* A signal handler's wait inside another: own times add up to what both cover. */
START_TEST(nested_waits)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct loaded m;

	begin(&t, "sched_waking");
	make_run(&t, &l, 10 * MS, CT_SLICE_BLOCKED);
	make_off(&l, 20 * MS, 1 * MS, 1);             /* the outer wait, until the signal */
	make_run(&t, &l, 1 * MS, CT_SLICE_BLOCKED);   /* 31 to 32 */
	make_off(&l, 7 * MS, 1 * MS, 1);              /* the handler's */
	make_run(&t, &l, 1 * MS, CT_SLICE_BLOCKED);   /* 40 to 41 */
	make_off(&l, 30 * MS, 2 * MS, 1);             /* the outer one again */
	make_run(&t, &l, 7 * MS, CT_SLICE_TRACE);     /* 73 to 80 */
	make_wait(&t, 1, nap, 31 * MS + 500000, 40 * MS + 500000);
	make_wait(&t, 1, lock, 9 * MS, 74 * MS);
	end(&t, 80 * MS, 0);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 19 * MS, 4 * MS, 57 * MS, 0, 0);
	ck_assert_uint_eq(m.model.cell[0].total_ns, 7 * MS);
	ck_assert_uint_eq(m.model.cell[1].total_ns, 50 * MS);
	unload(&m, &t);
}
END_TEST

/* Longer than what is remembered piece by piece. */
START_TEST(a_long_wait_with_many_slices)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct loaded m;
	uint64_t inside_ns = 0, start = 0;

	begin(&t, "sched_waking");
	for (uint32_t i = 0; i < 60000; i++) {
		make_run(&t, &l, MS / 4, CT_SLICE_BLOCKED);
		if (i == 5000)
			start = l.now - 1000;
		if (i >= 5000)
			inside_ns += MS;
		make_off(&l, MS, MS / 10, 1);
		if (i % 1000 == 0)
			make_switches_chunk(&t);
	}
	make_run(&t, &l, MS, CT_SLICE_TRACE);
	make_switches_chunk(&t);
	make_wait(&t, 1, lock, start, l.now - MS / 2);
	end(&t, l.now, 0);
	load(&m, &t, NULL);
	/* The whole is right to the nanosecond, the part to a percent. */
	ck_assert_uint_eq(m.model.thread[0].blocked_ns + m.model.thread[0].unexplained_ns, 60000 * MS);
	ck_assert_uint_eq(m.model.thread[0].running_ns, 60000 * (MS / 4) + MS);
	int64_t off = (int64_t)(m.model.thread[0].blocked_ns - inside_ns);

	ck_assert_msg(llabs(off) < (int64_t)(inside_ns / 100), "off by %lld ns", (long long)off);
	ck_assert_uint_lt(m.model.states[0].line.piece_capacity, 20000);
	ck_assert_uint_eq(violations(&t), 0);
	unload(&m, &t);
}
END_TEST

/* Events that come much later than their slices, and before. */
START_TEST(order_of_chunks_does_not_matter)
{
	uint64_t blocked[2];

	for (int late = 0; late < 2; late++) {
		struct make_trace t = { 0 };
		struct make_life l = { 100, 0, 0, 0 };
		struct loaded m;

		begin(&t, "sched_waking");
		for (uint32_t i = 0; i < 3000; i++) {
			uint64_t from = l.now + 1000;

			make_run(&t, &l, 2000, CT_SLICE_BLOCKED);
			make_off(&l, 5000 + i, 300, 1);
			make_wait(&t, 1, lock, from, l.now + 100);
			if (i % 500 == 0 && late)
				make_switches_chunk(&t);
			if (i % 500 == 0 && !late)
				make_events_chunk(&t, 1);
		}
		make_run(&t, &l, 2000, CT_SLICE_TRACE);
		if (!late)
			make_events_chunk(&t, 1);
		end(&t, l.now, 0);
		load(&m, &t, NULL);
		blocked[late] = m.model.thread[0].blocked_ns;
		ck_assert_uint_eq(m.model.thread[0].unexplained_ns, 0);
		ck_assert_uint_eq(m.model.cell[0].count, 3000);
		ck_assert_uint_eq(violations(&t), 0);
		unload(&m, &t);
	}
	ck_assert_uint_eq(blocked[0], blocked[1]);
	ck_assert_uint_eq(blocked[0], 3000 * 5000 + 3000 * 2999 / 2);
}
END_TEST

START_TEST(not_over_at_the_end)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct ct_site open = lock;
	struct loaded m;

	open.flags = CT_EV_OPEN;
	begin(&t, "sched_waking");
	make_run(&t, &l, 10 * MS, CT_SLICE_BLOCKED);
	make_wait(&t, 1, open, 9 * MS, 5000 * MS);
	end(&t, 5000 * MS, 0);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 10 * MS, 0, 4990 * MS, 0, 0);
	ck_assert_uint_eq(m.model.cell[0].count, 1);
	unload(&m, &t);
}
END_TEST

/* Threads that have no slice at all: the kernel's totals. */
START_TEST(without_slices_of_a_thread)
{
	struct make_trace t = { 0 };
	struct make_life l = { 500, 0, 0, 0 };
	struct loaded m;

	begin(&t, "sched_waking");
	make_run(&t, &l, 100 * MS, CT_SLICE_TRACE);
	make_wait(&t, 1, lock, 10 * MS, 60 * MS);
	make_switches_chunk(&t);
	make_events_chunk(&t, 1);
	make_thread_end(&t, 1, 100 * MS, 30 * MS, 5 * MS);
	make_end(&t, 100 * MS);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 30 * MS, 5 * MS, 50 * MS, 15 * MS, 0);
	unload(&m, &t);
}
END_TEST

/* Who was woken when is not in the trace, but how long it took in all. */
START_TEST(wakes_are_estimated)
{
	struct make_trace t = { 0 };
	struct make_life l = { 100, 0, 0, 0 };
	struct loaded m;

	begin(&t, "none");
	for (int i = 0; i < 10; i++) {
		uint64_t from = l.now + MS / 2;

		make_run(&t, &l, MS, CT_SLICE_BLOCKED);
		make_off(&l, i ? MS : 100 * MS, MS / 10, 0);
		if (i % 2 == 0)
			make_wait(&t, 1, i ? nap : lock, from, l.now + 1000);
	}
	make_run(&t, &l, MS, CT_SLICE_PREEMPTED);
	make_off(&l, 0, MS, 0);
	make_run(&t, &l, MS, CT_SLICE_TRACE);
	end(&t, l.now, 2 * MS);
	load(&m, &t, NULL);
	/* 10 wake-ups took 1 ms, a preemption the other. */
	expect(&m.model.thread[0], 12 * MS, 2 * MS, 104 * MS, 5 * MS, 0);
	ck_assert_uint_eq(m.model.thread[0].estimated_ns, MS);
	ck_assert_uint_eq(m.model.cell[0].total_ns, 100 * MS);
	ck_assert_uint_eq(m.model.cell[1].total_ns, 4 * MS);
	ck_assert(m.model.estimated);
	unload(&m, &t);
}
END_TEST

/* A number that is used again, and one that exec keeps. */
START_TEST(numbers_come_again)
{
	struct make_trace t = { 0 };
	struct loaded m;

	begin(&t, "sched_waking");
	make_process(&t, 2, 100, "after exec");
	make_thread(&t, 2, 2, 100, 40 * MS, "second");
	make_thread(&t, 3, 1, 101, 5 * MS, "early");
	make_thread(&t, 4, 1, 101, 20 * MS, "late");
	make_slice(&t, (struct make_slice){ 101, 1, 5 * MS, 10 * MS, CT_SLICE_EXITED, 5 * MS, 100, 0 });
	make_slice(&t, (struct make_slice){ 101, 1, 20 * MS, 27 * MS, CT_SLICE_BLOCKED, 19 * MS, 100, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 0, 90 * MS, CT_SLICE_EXITED, 0, 0, 0 });
	make_switches_chunk(&t);
	make_thread_end(&t, 1, 40 * MS, 40 * MS, 0);
	make_thread_end(&t, 2, 100 * MS, 50 * MS, 0);
	make_thread_end(&t, 3, 30 * MS, 0, 0); /* noticed late */
	make_thread_end(&t, 4, 30 * MS, 0, 0);
	make_end(&t, 100 * MS);
	load(&m, &t, NULL);
	expect(&m.model.thread[0], 40 * MS, 0, 0, 0, 0);
	expect(&m.model.thread[1], 50 * MS, 0, 0, 0, 0);
	expect(&m.model.thread[2], 5 * MS, 0, 0, 0, 0);
	expect(&m.model.thread[3], 7 * MS, 1 * MS, 0, 3 * MS, 0);
	unload(&m, &t);
}
END_TEST

START_TEST(broken_slices_are_found)
{
	for (int rule = 0; rule < 7; rule++) {
		struct make_trace t = { 0 };
		struct ct_site ran = lock;
		struct loaded m;

		ran.flags = 0;
		begin(&t, "sched_waking");
		make_record(&t, &(struct ct_record){ .type = CT_RECORD_PROCESS_START, .process_start = {
			.process = 2, .pid = 300, .features = CT_FEATURE_OFF_CPU } });
		make_thread(&t, 2, 2, 300, 0, "main");
		make_records_chunk(&t);
		make_slice(&t, (struct make_slice){ 300, 0, 0, 10 * MS, rule == 1 ? CT_SLICE_CONTINUED : CT_SLICE_BLOCKED,
						    0, 0, 0 });
		make_slice(&t, (struct make_slice){ 300, rule == 2, rule == 2 ? 9 * MS : 20 * MS, 30 * MS,
						    rule == 3 ? 7 : CT_SLICE_BLOCKED, rule == 4 ? 5 * MS : 0, 1, 0 });
		make_slice(&t, (struct make_slice){ 301, 0, rule == 5 ? 29 * MS : 30 * MS, 40 * MS, CT_SLICE_BLOCKED,
						    0, 0, 0 });
		make_switches_chunk(&t);
		/* One such call may be: see cmd_check.c. */
		if (rule == 6)
			make_wait(&t, 2, ran, 5 * MS, 12 * MS);
		make_wait(&t, 2, ran, rule == 6 ? 12 * MS : 21 * MS, 25 * MS);
		make_events_chunk(&t, 2);
		end(&t, 50 * MS, 0);
		load(&m, &t, NULL);
		unload(&m, NULL);
		if (rule)
			ck_assert_msg(violations(&t) > 0, "rule %d", rule);
		else
			ck_assert_uint_eq(violations(&t), 0);
		make_free(&t);
	}
}
END_TEST

/* Whatever slices come, in whatever order: the books balance. */
START_TEST(any_slices_balance)
{
	uint64_t state = 77;

	for (int round = 0; round < 300; round++) {
		struct make_trace t = { 0 };
		struct loaded m;

		begin(&t, round % 2 ? "none" : "sched_waking");
		for (uint32_t i = 0; i < 200; i++) {
			uint64_t start = unit_random(&state) % (50 * MS), woken = unit_random(&state) % (start + 2);

			make_slice(&t, (struct make_slice){ 100 + (uint32_t)(unit_random(&state) % 2),
							    (uint32_t)(unit_random(&state) % 3), start,
							    start + unit_random(&state) % MS,
							    (uint32_t)(unit_random(&state) % 8),
							    unit_random(&state) % 2 && woken <= start ? woken : 0, 100,
							    unit_random(&state) % 16 ? 0 : CT_SL_NO_START });
			if (unit_random(&state) % 20 == 0)
				make_gap(&t, 0, start, start + unit_random(&state) % (5 * MS), 1);
			struct ct_site site = unit_random(&state) % 2 ? lock : nap;

			site.flags = (uint8_t)(unit_random(&state) % 8);
			start = unit_random(&state) % (50 * MS);
			make_wait(&t, 1, site, start, site.flags & CT_EV_NO_START ? start : start + MS / 3);
			if (unit_random(&state) % 30 == 0)
				make_switches_chunk(&t);
			if (unit_random(&state) % 30 == 0)
				make_events_chunk(&t, 1);
		}
		end(&t, 50 * MS, 3 * MS);
		load(&m, &t, NULL);
		unload(&m, NULL);
		struct ct_options o = { .from = { true, false, 10 * MS, 0 }, .to = { true, false, 30 * MS, 0 },
					.min_ns = round % 3 ? 0 : 100000 };

		load(&m, &t, &o);
		unload(&m, &t);
	}
}
END_TEST

START_TEST(gaps_join)
{
	struct ct_gaps g = { 0 };

	ck_assert_int_eq(ct_gaps_add(&g, 10, 20), 0);
	ck_assert_int_eq(ct_gaps_add(&g, 40, 50), 0);
	ck_assert_int_eq(ct_gaps_add(&g, 25, 30), 0);
	ck_assert_int_eq(ct_gaps_add(&g, 7, 7), 0);
	ck_assert_uint_eq(g.gap_count, 3);
	ck_assert_uint_eq(g.gap[1].from_ns, 25);
	ck_assert_int_eq(ct_gaps_add(&g, 18, 26), 0);
	ck_assert_uint_eq(g.gap_count, 2);
	ck_assert_uint_eq(g.gap[0].from_ns, 10);
	ck_assert_uint_eq(g.gap[0].to_ns, 30);
	ck_assert_uint_eq(ct_gaps_after(&g, 30)->from_ns, 40);
	ck_assert_ptr_null(ct_gaps_after(&g, 50));
	ck_assert_int_eq(ct_gaps_add(&g, 0, 100), 0);
	ck_assert_uint_eq(g.gap_count, 1);
	free(g.gap);
}
END_TEST

START_TEST(delays_have_quantiles)
{
	struct ct_delays d = { 0 };

	for (uint64_t i = 1; i <= 1000; i++)
		ct_delays_add(&d, i * 1000);
	ck_assert_uint_eq(d.count, 1000);
	ck_assert_uint_eq(d.max_ns, 1000000);
	ck_assert(llabs((long long)ct_delays_quantile(&d, 0.5) - 500000) < 500000 / 16);
	ck_assert(llabs((long long)ct_delays_quantile(&d, 0.99) - 990000) < 990000 / 16);
	ct_delays_add(&d, UINT64_MAX);
	ct_delays_add(&d, 0);
	ck_assert_uint_eq(ct_delays_quantile(&d, 0), 0);
}
END_TEST

TEST_MAIN("analyzer states", a_small_trace, what_a_wait_is_made_of, preemption_is_no_wait, a_call_without_its_start,
	  nested_waits, a_long_wait_with_many_slices, order_of_chunks_does_not_matter, not_over_at_the_end,
	  without_slices_of_a_thread, wakes_are_estimated, numbers_come_again, broken_slices_are_found,
	  any_slices_balance, gaps_join, delays_have_quantiles)
