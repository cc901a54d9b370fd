/* Who ended a wait, the critical path, and replays: small traces with known answers. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "lock_details.h"
#include "make_trace.h"
#include "path.h"
#include "replay.h"
#include "report_wakers.h"
#include "unit.h"

#define MS 1000000ull
#define AT(ms) (MAKE_START_NS + (ms) * MS)

static const struct ct_site lock = { .cause = CT_CAUSE_MUTEX, .object_kind = CT_OBJECT_ADDRESS, .object = 0x408000,
				     .call = CT_CALL_pthread_mutex_lock, .stack = 1, .flags = CT_EV_OFF_CPU };
static const struct ct_site cond = { .cause = CT_CAUSE_COND, .object_kind = CT_OBJECT_ADDRESS, .object = 0x409000,
				     .call = CT_CALL_pthread_cond_wait, .stack = 2, .flags = CT_EV_OFF_CPU };
static const struct ct_site nap = { .cause = CT_CAUSE_SLEEP, .call = CT_CALL_nanosleep, .stack = 3,
				    .flags = CT_EV_OFF_CPU };

static char path[64];
static int file = -1;

struct loaded {
	struct ct_reader reader;
	struct ct_model model;
};

static void put_file(const void *data, size_t n)
{
	if (file < 0) {
		file = memfd_create("trace", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(pwrite(file, data, n, 0), (ssize_t)n);
}

static void load(struct loaded *l, struct make_trace *t, const struct ct_options *o)
{
	static const struct ct_options all = { .top = 0 };

	put_file(t->file.data, t->file.size);
	memset(l, 0, sizeof(*l));
	ck_assert_int_eq(ct_reader_open(&l->reader, path), 0);
	ck_assert_int_eq(ct_model_load(&l->model, &l->reader, o ? o : &all), 0);
}

static void unload(struct loaded *l, struct make_trace *t)
{
	ct_model_free(&l->model);
	ct_reader_close(&l->reader);
	make_free(t);
}

/* A process with threads 1 to n, tids from 100 on, all of whose lives last so long. */
static void begin(struct make_trace *t, uint32_t threads, const char *wakes)
{
	const uint64_t stack[] = { 0x400100, 0x400200, 0x400300, 0x400400 };
	char name[24];

	make_begin(t);
	if (wakes) {
		make_meta(t, "sched", "switches");
		make_meta(t, "wakes", wakes);
	}
	make_process(t, 1, 100, "program");
	for (uint32_t i = 0; i < threads; i++) {
		snprintf(name, sizeof(name), "thread-%u", i);
		make_thread(t, i + 1, 1, 100 + i, 0, name);
	}
	for (uint32_t i = 0; i < 4; i++)
		make_stack(t, i + 1, 1, stack + i, 4 - i);
	make_records_chunk(t);
}

static void end(struct make_trace *t, uint32_t threads, uint64_t ms)
{
	make_switches_chunk(t);
	make_events_chunk(t, 1);
	for (uint32_t i = 0; i < threads; i++)
		make_thread_end(t, i + 1, ms * MS, 1, 0);
	make_record(t, &(struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = 1, .end_ns = MAKE_START_NS + ms * MS } });
	make_end(t, ms * MS);
}

static void hold(struct make_trace *t, uint32_t thread, uint64_t from, uint64_t to, bool reader)
{
	struct ct_site s = lock;

	s.kind = CT_EVENT_HOLD;
	s.stack = 4;
	s.flags = reader ? CT_EV_NO_START : 0;
	s.call = CT_CALL_pthread_mutex_unlock;
	make_wait(t, thread, s, reader ? to : from, to);
}

static void wake(struct make_trace *t, uint32_t thread, uint64_t from, uint64_t to)
{
	struct ct_site s = cond;

	s.kind = CT_EVENT_WAKE;
	s.stack = 4;
	s.flags = 0;
	s.call = CT_CALL_pthread_cond_signal;
	make_wait(t, thread, s, from, to);
}

/* What the joined waits were, in order. */
struct taken {
	struct ct_wait wait[64];
	struct ct_share share[64][4];
	uint32_t shares[64], count;
};

static int take(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
		uint32_t count)
{
	struct taken *t = self;

	(void)w;
	ck_assert_uint_lt(t->count, 64);
	t->shares[t->count] = count;
	for (uint32_t i = 0; i < count && i < 4; i++)
		t->share[t->count][i] = shares[i];
	t->wait[t->count++] = *wait;
	return 0;
}

static void join_all(struct taken *taken, struct make_trace *t, struct loaded *l, struct ct_wakes *w)
{
	load(l, t, NULL);
	memset(taken, 0, sizeof(*taken));
	ck_assert_int_eq(ct_wakes_read(w, &l->model, &l->reader, false, take, taken), 0);
}

static void expect(const struct ct_wait *w, enum ct_ended ended, uint32_t waker, uint64_t release_ms)
{
	ck_assert_uint_eq(w->ended, ended);
	ck_assert_uint_eq(w->waker, waker);
	ck_assert_uint_eq(w->release_ns, AT(release_ms));
}

/* Two waiters, two holders one after the other: the last one ends the wait, each has its share. */
START_TEST(a_lock_is_released)
{
	struct make_trace t = { 0 };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	begin(&t, 4, NULL);
	hold(&t, 1, 10 * MS, 30 * MS, false);
	hold(&t, 2, 31 * MS, 40 * MS, false);
	make_wait(&t, 2, lock, 20 * MS, 31 * MS);
	make_wait(&t, 3, lock, 20 * MS, 41 * MS);
	/* Nobody released it in this one. */
	make_wait(&t, 4, lock, 60 * MS, 70 * MS);
	end(&t, 4, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 3);
	expect(&x.wait[0], CT_ENDED_RELEASE, 0, 30);
	ck_assert_uint_eq(w.m->stack[x.wait[0].waker_stack].depth, 1);
	expect(&x.wait[1], CT_ENDED_RELEASE, 1, 40);
	ck_assert_uint_eq(x.shares[1], 2);
	ck_assert_uint_eq(x.share[1][0].waker, 1);
	ck_assert_uint_eq(x.share[1][0].ns, 9 * MS);
	ck_assert_uint_eq(x.share[1][1].waker, 0);
	ck_assert_uint_eq(x.share[1][1].ns, 11 * MS);
	expect(&x.wait[2], CT_ENDED_UNKNOWN, CT_NO, 70);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

START_TEST(readers_wait_for_writers)
{
	struct make_trace t = { 0 };
	struct ct_site reads = lock, writes = lock;
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	reads.cause = writes.cause = CT_CAUSE_RWLOCK;
	reads.call = CT_CALL_pthread_rwlock_rdlock;
	writes.call = CT_CALL_pthread_rwlock_wrlock;
	begin(&t, 4, NULL);
	hold(&t, 1, 10 * MS, 30 * MS, false);
	/* A reader that came and went before the other one was back. */
	hold(&t, 2, 0, 31 * MS, true);
	make_wait(&t, 3, reads, 20 * MS, 32 * MS);
	make_wait(&t, 4, writes, 20 * MS, 33 * MS);
	end(&t, 4, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 2);
	expect(&x.wait[0], CT_ENDED_RELEASE, 0, 30);
	expect(&x.wait[1], CT_ENDED_RELEASE, 1, 31);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

START_TEST(a_condition_is_signalled)
{
	struct make_trace t = { 0 };
	struct ct_site late = cond, timed = cond;
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	late.object = 0x409100;
	timed.kind = CT_EVENT_INTERVAL;
	begin(&t, 4, NULL);
	wake(&t, 1, 10 * MS, 11 * MS);
	wake(&t, 2, 30 * MS, 33 * MS);
	wake(&t, 1, 50 * MS, 51 * MS);
	/* The waiter was back before the call returned. */
	make_wait(&t, 3, cond, 20 * MS, 32 * MS);
	make_wait(&t, 4, late, 20 * MS, 60 * MS);
	ct_events_add(&t.encoder, 4, &timed, AT(70), AT(80), -110);
	end(&t, 4, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 3);
	expect(&x.wait[0], CT_ENDED_WAKE, 1, 30);
	expect(&x.wait[1], CT_ENDED_UNKNOWN, CT_NO, 60);
	ck_assert_uint_eq(x.wait[2].ended, CT_ENDED_TIME);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

/* The last to come has the serial thread's value; one that is early for the next round is not it. */
START_TEST(a_barrier_has_a_last_one)
{
	struct make_trace t = { 0 };
	struct ct_site barrier = { .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_BARRIER,
				   .object_kind = CT_OBJECT_ADDRESS, .object = 0x40a000,
				   .call = CT_CALL_pthread_barrier_wait, .flags = CT_EV_OFF_CPU };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	begin(&t, 3, NULL);
	ct_events_add(&t.encoder, 1, &barrier, AT(10), AT(41), 0);
	ct_events_add(&t.encoder, 2, &barrier, AT(20), AT(43), 0);
	ct_events_add(&t.encoder, 1, &barrier, AT(42), AT(80), 0);
	barrier.flags = 0;
	ct_events_add(&t.encoder, 3, &barrier, AT(40), AT(40) + 1000, -1);
	end(&t, 3, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 3);
	expect(&x.wait[0], CT_ENDED_ARRIVAL, 2, 40);
	expect(&x.wait[1], CT_ENDED_ARRIVAL, 2, 40);
	expect(&x.wait[2], CT_ENDED_UNKNOWN, CT_NO, 80);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

/* pthread_t are used again. */
START_TEST(threads_and_children_end)
{
	struct make_trace t = { 0 };
	struct ct_site join = { .cause = CT_CAUSE_JOIN, .object_kind = CT_OBJECT_THREAD, .object = 0x7f0000000000ull + 101,
				.call = CT_CALL_pthread_join, .flags = CT_EV_OFF_CPU };
	struct ct_site child = { .cause = CT_CAUSE_CHILD, .object_kind = CT_OBJECT_PID, .call = CT_CALL_waitpid,
				 .flags = CT_EV_OFF_CPU };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	make_begin(&t);
	make_process(&t, 1, 100, "program");
	make_record(&t, &(struct ct_record){ .type = CT_RECORD_PROCESS_START, .process_start = {
		.process = 2, .pid = 200, .parent_pid = 100, .start_ns = MAKE_START_NS + 40 * MS } });
	make_thread(&t, 1, 1, 100, 0, "main");
	make_thread(&t, 2, 1, 101, 1 * MS, "first");
	make_thread(&t, 3, 1, 101, 30 * MS, "second");
	make_thread(&t, 4, 2, 200, 40 * MS, "child");
	make_thread_end(&t, 2, 20 * MS, 0, 0);
	make_thread_end(&t, 3, 50 * MS, 0, 0);
	make_wait(&t, 1, join, 10 * MS, 21 * MS);
	make_wait(&t, 1, join, 40 * MS, 51 * MS);
	make_wait(&t, 1, child, 60 * MS, 71 * MS);
	make_events_chunk(&t, 1);
	make_record(&t, &(struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = 2, .end_ns = AT(70) } });
	make_end(&t, 100 * MS);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 3);
	expect(&x.wait[0], CT_ENDED_EXIT, 1, 20);
	expect(&x.wait[1], CT_ENDED_EXIT, 2, 50);
	expect(&x.wait[2], CT_ENDED_EXIT, 3, 70);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

/* Another thread took the lock before the woken one ran: it did not wake it. */
START_TEST(a_lock_is_taken_in_between)
{
	struct make_trace t = { 0 };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	begin(&t, 3, "sched_waking");
	make_slice(&t, (struct make_slice){ 100, 0, 1 * MS, 10 * MS, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 60 * MS, 99 * MS, CT_SLICE_TRACE, 40 * MS, 101, 0 });
	make_wait(&t, 1, lock, 9 * MS, 61 * MS);
	hold(&t, 2, 5 * MS, 40 * MS, false);
	hold(&t, 3, 45 * MS, 50 * MS, false);
	end(&t, 3, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 1);
	expect(&x.wait[0], CT_ENDED_RELEASE, 1, 40);
	ck_assert_uint_eq(x.wait[0].agrees, CT_AGREES);
	ck_assert_uint_eq(x.shares[0], 1);
	ck_assert_uint_eq(x.share[0][0].waker, 1);
	ck_assert_uint_eq(x.share[0][0].ns, 31 * MS);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

/* Slices: who woke a reader; an interrupt; a wait that was none; which signal of two it was. */
START_TEST(the_kernel_knows)
{
	struct make_trace t = { 0 };
	struct ct_site pipe = { .cause = CT_CAUSE_PIPE, .call = CT_CALL_read, .flags = CT_EV_OFF_CPU };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;

	begin(&t, 3, "sched_waking");
	make_slice(&t, (struct make_slice){ 100, 0, 1 * MS, 10 * MS, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 22 * MS, 30 * MS, CT_SLICE_BLOCKED, 20 * MS, 101, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 40 * MS, 50 * MS, CT_SLICE_PREEMPTED, 39 * MS, 101, CT_SL_HARDIRQ });
	make_slice(&t, (struct make_slice){ 100, 0, 60 * MS, 70 * MS, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 81 * MS, 99 * MS, CT_SLICE_TRACE, 80 * MS, 101, 0 });
	make_wait(&t, 1, pipe, 9 * MS, 23 * MS);
	make_wait(&t, 1, pipe, 29 * MS, 41 * MS);
	make_wait(&t, 1, pipe, 49 * MS, 61 * MS);
	make_wait(&t, 1, cond, 69 * MS, 90 * MS);
	wake(&t, 2, 79 * MS, 81 * MS);
	wake(&t, 3, 85 * MS, 86 * MS);
	end(&t, 3, 100);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 3);
	expect(&x.wait[0], CT_ENDED_KERNEL, 1, 20);
	expect(&x.wait[1], CT_ENDED_TIME, CT_NO, 39);
	expect(&x.wait[2], CT_ENDED_WAKE, 1, 80);
	ck_assert_uint_eq(x.wait[2].agrees, CT_AGREES);
	ck_assert_uint_eq(w.preempted, 1);
	ct_wakes_close(&w);
	unload(&l, &t);
}
END_TEST

/* A wake-up that is not in the records; a slice that goes on in the next program. */
START_TEST(sleeps_are_seen)
{
	struct make_trace t = { 0 };
	struct taken x;
	struct loaded l;
	struct ct_wakes w;
	struct ct_lives lives;

	make_begin(&t);
	make_meta(&t, "sched", "switches");
	make_meta(&t, "wakes", "sched_waking");
	make_process(&t, 1, 100, "shell");
	make_thread(&t, 1, 1, 100, 0, "shell");
	make_thread_end(&t, 1, 20 * MS, 0, 0);
	make_record(&t, &(struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = 1, .end_ns = AT(20), .how = CT_END_EXEC } });
	make_process(&t, 2, 100, "program");
	make_thread(&t, 2, 2, 100, 20 * MS, "main");
	make_records_chunk(&t);
	make_slice(&t, (struct make_slice){ 100, 0, 1 * MS, 30 * MS, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 40 * MS, 50 * MS, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(&t, (struct make_slice){ 100, 0, 60 * MS, 90 * MS, CT_SLICE_EXITED, 59 * MS, 0, CT_SL_HARDIRQ });
	make_switches_chunk(&t);
	make_wait(&t, 2, nap, 29 * MS, 41 * MS);
	make_wait(&t, 2, nap, 49 * MS, 61 * MS);
	make_events_chunk(&t, 2);
	make_thread_end(&t, 2, 90 * MS, 0, 0);
	make_end(&t, 90 * MS);
	join_all(&x, &t, &l, &w);
	ck_assert_uint_eq(x.count, 2);
	ck_assert_uint_eq(w.preempted, 0);
	expect(&x.wait[0], CT_ENDED_TIME, CT_NO, 41);
	expect(&x.wait[1], CT_ENDED_TIME, CT_NO, 59);
	ct_wakes_close(&w);
	ck_assert_int_eq(ct_lives_make(&lives, &l.model, &l.reader), 0);
	ck_assert_uint_eq(lives.life[1].stop_count, 2);
	ck_assert_uint_eq(lives.life[1].stop[0].from_ns, AT(30));
	ck_assert_uint_eq(lives.life[1].stop[0].to_ns, AT(40));
	ck_assert_uint_eq(lives.life[1].stop[1].release_ns, AT(59));
	ck_assert_uint_eq(ct_ran_ns(&lives, 1, AT(20), AT(90)), 50 * MS);
	ck_assert_uint_eq(ct_ran_ns(&lives, 0, AT(0), AT(20)), 19 * MS);
	ct_lives_close(&lives);
	unload(&l, &t);
}
END_TEST

/* Three threads queue for a lock: 10 ms each, one after the other, then main joins. */
static void make_convoy(struct make_trace *t, const char *wakes)
{
	struct ct_site join = { .cause = CT_CAUSE_JOIN, .object_kind = CT_OBJECT_THREAD, .object = 0x7f0000000000ull + 103,
				.call = CT_CALL_pthread_join, .flags = CT_EV_OFF_CPU };

	begin(t, 4, wakes);
	for (uint32_t i = 0; i < 3; i++) {
		if (i)
			make_wait(t, 2 + i, lock, 10 * MS, (10 + 10 * i) * MS);
		hold(t, 2 + i, (10 + 10 * i) * MS, (20 + 10 * i) * MS, false);
	}
	make_wait(t, 1, join, 5 * MS, 50 * MS);
	make_events_chunk(t, 1);
	make_thread_end(t, 4, 50 * MS, 0, 0);
	make_thread_end(t, 2, 40 * MS, 0, 0);
	make_thread_end(t, 3, 45 * MS, 0, 0);
	make_thread_end(t, 1, 60 * MS, 0, 0);
	make_end(t, 60 * MS);
}

START_TEST(the_path_leads_through_the_convoy)
{
	struct make_trace t = { 0 };
	struct loaded l;
	struct ct_path p;

	make_convoy(&t, NULL);
	load(&l, &t, NULL);
	ck_assert_int_eq(ct_path_make(&p, &l.model, &l.reader, true), 0);
	/* main 10, the last 10 + 10, the one before 10, the first 10 + 10: no wait is on it. */
	ck_assert_uint_eq(p.state_ns[CT_PATH_RUNNING], 60 * MS);
	ck_assert_uint_eq(p.state_ns[CT_PATH_BLOCKED] + p.state_ns[CT_PATH_RESUMING] + p.unknown_ns, 0);
	ck_assert_uint_eq(p.lock_count, 1);
	/* Nobody on the path waited for the last hold. */
	ck_assert_uint_eq(p.lock[0].path_ns, 20 * MS);
	ck_assert_uint_eq(p.lock[0].held_ns, 30 * MS);
	ck_assert_uint_eq(p.lock[0].wait_ns, 30 * MS);
	ck_assert_uint_eq(p.thread_count, 4);
	ck_assert_uint_eq(p.thread[0].total_ns, 20 * MS);
	ct_path_close(&p);
	unload(&l, &t);
}
END_TEST

static uint64_t replay(const struct ct_replay *r, struct ct_change change)
{
	struct ct_prediction p;

	ck_assert_int_eq(ct_replay_run((struct ct_replay *)(uintptr_t)r, &change, &p), 0);
	ck_assert(p.complete);
	ck_assert_uint_eq(p.broken, 0);
	return p.wall_ns / 10000;
}

START_TEST(replays_scale)
{
	struct make_trace t = { 0 };
	struct loaded l;
	struct ct_path p;
	struct ct_replay r;
	bool locks[8] = { true, true, true, true, true, true, true, true }, threads[4] = { false, false, false, true };

	make_convoy(&t, NULL);
	load(&l, &t, NULL);
	ck_assert_int_eq(ct_path_make(&p, &l.model, &l.reader, false), 0);
	ck_assert_uint_le(p.lives.wakes.object_count, 8);
	ck_assert_int_eq(ct_replay_open(&r, &p.lives, p.end, p.from_ns), 0);
	ck_assert_uint_eq(replay(&r, (struct ct_change){ .scale = 1 }), 6000);
	/* Three sections of 10 ms that take 5 each, one after the other. */
	ck_assert_uint_eq(replay(&r, (struct ct_change){ .scale = 0.5, .lock = locks }), 4500);
	/* 10 ms before, then what thread 4 has left, and main. */
	ck_assert_uint_eq(replay(&r, (struct ct_change){ .scale = 0, .lock = locks }), 3000);
	ck_assert_uint_eq(replay(&r, (struct ct_change){ .scale = 2, .thread = threads }), 8000);
	ck_assert_uint_eq(replay(&r, (struct ct_change){ .scale = 1 }), 6000);
	ct_replay_close(&r);
	ct_path_close(&p);
	unload(&l, &t);
}
END_TEST

START_TEST(locks_have_details)
{
	struct make_trace t = { 0 };
	struct loaded l;
	struct ct_report r;
	struct ct_lock_details d;
	uint32_t count;

	make_convoy(&t, NULL);
	load(&l, &t, NULL);
	ck_assert_int_eq(ct_report_make(&r, &l.model, 0), 0);
	ck_assert_int_eq(ct_lock_details_make(&d, &r, &l.reader), 0);
	ck_assert_uint_eq(d.lock_count, 1);
	ck_assert_uint_eq(d.lock[0].waited_ns, 20 * MS);
	ck_assert_uint_eq(d.lock[0].waiters, 2);
	ck_assert_uint_eq(d.lock[0].longest.hand_overs, 2);
	const struct ct_lock_pair *pair = ct_lock_pairs(&d, 0, &count);

	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(pair->total_ns, 30 * MS);
	ck_assert_uint_eq(pair->count, 2);
	ct_lock_details_close(&d);
	ct_report_close(&r);
	unload(&l, &t);
}
END_TEST

/* Waits for work count as idle, not as blame. */
START_TEST(blame)
{
	struct make_trace t = { 0 };
	struct loaded l;
	struct ct_wakers_report r;

	begin(&t, 4, NULL);
	hold(&t, 1, 10 * MS, 30 * MS, false);
	make_wait(&t, 3, lock, 20 * MS, 31 * MS);
	wake(&t, 2, 90 * MS, 91 * MS);
	make_wait(&t, 4, cond, 1 * MS, 92 * MS);
	make_wait(&t, 1, nap, 40 * MS, 50 * MS);
	end(&t, 4, 100);
	load(&l, &t, NULL);
	ck_assert_int_eq(ct_wakers_make(&r, &l.model, &l.reader), 0);
	ck_assert_uint_eq(r.waits, 3);
	ck_assert_uint_eq(r.known, 2);
	ck_assert_uint_eq(r.thread_count, 2);
	ck_assert_uint_eq(r.thread[0].waker, 0);
	ck_assert_uint_eq(r.thread[0].blame_ns, 10 * MS);
	ck_assert_uint_eq(r.thread[1].idle_ns, 89 * MS);
	ct_wakers_close(&r);
	unload(&l, &t);
}
END_TEST

/* Damaged and hostile payloads: none of the commands may fail. */
static void run_all(const void *data, size_t n, const struct ct_options *o)
{
	int (*const commands[])(struct ct_context *) = { ct_cmd_wakers, ct_cmd_locks, ct_cmd_path, ct_cmd_whatif };
	static FILE *null;

	if (!null)
		null = fopen("/dev/null", "w");
	put_file(data, n);
	for (size_t i = 0; i < 4; i++) {
		struct ct_context c = { .options = o, .out = { null, true, 80 } };

		if (ct_reader_open(&c.reader, path))
			return;
		int error = commands[i](&c);

		ck_assert_msg(!error, "command %zu: %s", i, strerror(-error));
		ct_reader_close(&c.reader);
	}
}

static void reseal(struct ct_buf *file_, size_t at, const uint8_t *payload, size_t n)
{
	struct ct_chunk_header h;

	memcpy(&h, file_->data + at, sizeof(h));
	file_->size = at;
	h.codec = CT_CODEC_RAW;
	h.raw_bytes = h.stored_bytes = (uint32_t)n;
	h.stored_crc = ct_crc32c(payload, n);
	h.crc = ct_crc32c(&h, offsetof(struct ct_chunk_header, crc));
	ct_put_bytes(file_, &h, sizeof(h));
	ct_put_bytes(file_, payload, n);
}

START_TEST(hostile_payloads_do_no_harm)
{
	static const struct ct_options text = { .top = 10 }, json = { .top = 0, .json = true };
	uint64_t state = 7;

	for (uint32_t which = 0; which < 3; which++) {
		struct make_trace t = { 0 };
		struct ct_reader r;
		struct ct_chunk chunks[16];
		uint32_t count = 0;

		if (which == 0)
			make_small(&t);
		else if (which == 1)
			make_scheduled(&t);
		else
			make_convoy(&t, NULL);
		put_file(t.file.data, t.file.size);
		ck_assert_int_eq(ct_reader_open(&r, path), 0);
		while (count < 16 && ct_reader_next(&r, &chunks[count]) > 0)
			count++;
		for (size_t n = 64; n < t.file.size; n += 37)
			run_all(t.file.data, n, n % 2 ? &text : &json);
		for (uint32_t round = 0; round < 300; round++) {
			const struct ct_chunk *c = &chunks[round % count];
			struct ct_buf copy = { 0 }, bad = { 0 };
			struct ct_span payload;

			if (c->header.kind < CT_CHUNK_RECORDS || c->header.kind > CT_CHUNK_SWITCHES ||
			    c->header.kind == CT_CHUNK_INDEX)
				continue;
			put_file(t.file.data, t.file.size);
			ck_assert_int_eq(ct_reader_payload(&r, c, &payload), 0);
			ct_put_bytes(&copy, payload.p, (size_t)(payload.end - payload.p));
			for (uint64_t k = unit_random(&state) % 4; k != UINT64_MAX; k--) {
				size_t at = unit_random(&state) % copy.size;

				copy.data[at] = k % 2 ? (uint8_t)unit_random(&state) : copy.data[at] ^ 0x80;
			}
			ct_put_bytes(&bad, t.file.data, t.file.size);
			reseal(&bad, c->offset, copy.data, copy.size);
			size_t next = c->offset + sizeof(c->header) + c->header.stored_bytes;

			ct_put_bytes(&bad, t.file.data + next, t.file.size - next);
			run_all(bad.data, bad.size, round % 2 ? &text : &json);
			ct_buf_free(&bad);
			ct_buf_free(&copy);
		}
		ct_reader_close(&r);
		make_free(&t);
	}
}
END_TEST

TEST_MAIN("analyzer wakes", a_lock_is_released, readers_wait_for_writers, a_condition_is_signalled,
	  a_barrier_has_a_last_one, threads_and_children_end, a_lock_is_taken_in_between, the_kernel_knows, sleeps_are_seen,
	  the_path_leads_through_the_convoy, replays_scale, locks_have_details, blame, hostile_payloads_do_no_harm)
