/* The collector from end to end: real processes write, what is in the file is compared. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomics.h"
#include "test_collector.h"

static char out[128];

static void setup(void)
{
	snprintf(out, sizeof(out), "/tmp/ctrace-test-collector.%d.bin", getpid());
}

static void teardown(void)
{
	unlink(out);
}

/* Memory that the test shares with the processes it forks. */
static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static void join_child(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#define THREADS 3
#define EVENTS  100000

static struct ct_region *region;
static uint64_t *issued; /* a thread */

static void *write_events(void *argument)
{
	uint32_t slot = (uint32_t)(uintptr_t)argument;
	char name[CT_NAME];
	uint64_t frames[3] = { 0x401000 + slot, 0x402000, 0x403000 };

	snprintf(name, sizeof(name), "writer-%u", slot);
	struct ct_slot *s = tc_claim(region, slot, name);
	struct ct_event e = {
		.object = 0x7f0000001000 + slot * 64,
		.stack = tc_stack(region, frames, 3),
		.owner = 7,
		.call = CT_CALL_pthread_mutex_lock,
		.kind = CT_EVENT_INTERVAL,
		.cause = CT_CAUSE_MUTEX,
		.flags = CT_EV_OFF_CPU,
		.object_kind = CT_OBJECT_ADDRESS,
	};

	for (uint32_t i = 0; i < EVENTS; i++) {
		e.result = i;
		tc_event(s, 1000, &e);
		issued[slot]++;
		s->calls[CT_CALL_pthread_mutex_lock] += 2;
		s->short_[CT_CALL_pthread_mutex_lock].ticks += 100;
		s->short_[CT_CALL_pthread_mutex_lock].count[3]++;
		if (i % 500 == 0)
			sched_yield();
	}
	tc_leave(region, slot);
	return NULL;
}

static void check_threads(const struct tc_trace *t)
{
	int64_t last[THREADS + 1] = { -1, -1, -1, -1 };
	uint64_t last_end[THREADS + 1] = { 0 };

	for (size_t i = 0; i < t->events; i++) {
		const struct tc_event_seen *e = &t->event[i];

		ck_assert_uint_ge(e->thread, 1);
		ck_assert_uint_le(e->thread, THREADS);
		ck_assert_int_gt(e->result, last[e->thread]);
		ck_assert_uint_ge(e->end_ns, last_end[e->thread]);
		ck_assert_uint_le(e->end_ns - e->start_ns, 2000);
		ck_assert_uint_eq(e->site.owner, 7);
		ck_assert_uint_ne(e->site.stack, 0);
		last[e->thread] = e->result;
		last_end[e->thread] = e->end_ns;
	}
}

START_TEST(every_event_is_written_or_counted)
{
	struct tc_collector c;
	struct tc_trace t;

	issued = shared(4096);
	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		pthread_t thread[THREADS];

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		if (!region)
			_exit(1);
		for (uintptr_t i = 0; i < THREADS; i++)
			pthread_create(&thread[i], NULL, write_events, (void *)i);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		_exit(0);
	}
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_int_eq(m.kind, CT_CONTROL_SUMMARY);
	ck_assert_int_eq(m.error, 0);
	tc_read(&t, out);
	ck_assert(t.complete);
	ck_assert_uint_eq(t.events, m.events);
	ck_assert_uint_eq(tc_lost(&t, CT_LOSS_EVENTS), m.lost);
	ck_assert_uint_eq(tc_lost(&t, CT_LOSS_DAMAGED), 0);
	ck_assert_uint_eq(t.events + m.lost, issued[0] + issued[1] + issued[2]);
	ck_assert_uint_gt(t.events, THREADS * EVENTS / 100);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_THREAD_START), THREADS);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_THREAD_END), THREADS);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_STACK), THREADS);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_PROCESS_END), 1);
	check_threads(&t);

	const struct ct_record *r;
	uint64_t calls = 0, shorter = 0;

	for (size_t i = 0; (r = tc_next(&t, &i, CT_RECORD_COUNTERS));) {
		uint64_t v[CT_SHORT_BUCKETS] = { 0 };

		calls += r->counters.calls;
		for (size_t b = 0; b < r->counters.short_ticks.n; b++) {
			struct ct_span s = r->counters.short_ticks.packed;

			for (size_t k = 0; k <= b; k++)
				ct_get_varint(&s, &v[b]);
		}
		shorter += v[3];
	}
	ck_assert_uint_eq(calls, 2 * THREADS * EVENTS);
	ck_assert_uint_eq(shorter, THREADS * EVENTS);
	tc_free(&t);
}
END_TEST

START_TEST(killed_process_leaves_whole_events_and_its_wait)
{
	struct tc_collector c;
	struct tc_trace t;

	issued = shared(4096);
	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "victim"), *blocked = tc_claim(region, 1, "blocked");
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE,
				      .object_kind = CT_OBJECT_FD, .object = 5 };

		/* Two slots of one thread: the second one's owner has another tid. */
		blocked->tid = (uint32_t)getppid();
		tc_wait(blocked, &(struct ct_wait){ .call = CT_CALL_pthread_mutex_lock, .cause = CT_CAUSE_MUTEX,
						    .object_kind = CT_OBJECT_ADDRESS, .object = 0x1234,
						    .owner = 99, .ip = 0x405060 });
		for (;;) {
			tc_event(s, 500, &e);
			issued[0]++;
			if (issued[0] % 100 == 0)
				sleep_ms(1);
		}
	}
	sleep_ms(100);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	struct ct_control m = tc_stop(&c);

	tc_read(&t, out);
	ck_assert(t.complete);
	uint64_t n = t.events - 1 + m.lost;

	ck_assert_uint_ge(n, issued[0]);
	ck_assert_uint_le(n, issued[0] + 1);
	size_t open = 0;

	for (size_t i = 0; i < t.events; i++)
		if (t.event[i].site.flags & CT_EV_OPEN) {
			open++;
			ck_assert_uint_eq(t.event[i].site.object, 0x1234);
			ck_assert_uint_eq(t.event[i].site.owner, 99);
			ck_assert_uint_ne(t.event[i].site.stack, 0);
			ck_assert_uint_gt(t.event[i].end_ns - t.event[i].start_ns, 50000000);
		}
	ck_assert_uint_eq(open, 1);
	size_t i = 0;
	const struct ct_record *end = tc_next(&t, &i, CT_RECORD_PROCESS_END);

	ck_assert_int_eq(end->process_end.how, CT_END_EXIT);
	ck_assert_msg(end->process_end.status == SIGKILL || end->process_end.status == -1, "%d",
		      (int)end->process_end.status);
	tc_free(&t);
}
END_TEST

START_TEST(file_limit_ends_the_trace_and_nothing_else)
{
	struct tc_collector c;
	struct tc_trace t;

	issued = shared(4096);
	tc_start(&c, out, 65536);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "writer");
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

		for (uint32_t i = 0; i < 200000; i++) {
			e.object = i * 0x9e3779b97f4a7c15ull;
			e.result = (int64_t)e.object;
			while (!tc_event(s, 500, &e))
				sched_yield();
			issued[0]++;
		}
		_exit(0);
	}
	/* The writer waits for room, so it ends only if the rings are drained. */
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_int_eq(m.error, EFBIG);
	tc_read(&t, out);
	ck_assert(!t.complete);
	ck_assert_uint_eq(t.events, m.events);
	ck_assert_uint_eq(t.bytes, m.file_bytes);
	ck_assert_uint_le(t.bytes, 65536);
	tc_free(&t);
}
END_TEST

#define MANY 30000u

START_TEST(large_ring_holds_more)
{
	struct tc_collector c;
	struct tc_trace t;
	struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };
	int status;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		if (!region)
			_exit(1);
		struct ct_slot *s = tc_claim(region, 0, "busy");

		kill(c.pid, SIGSTOP);
		for (uint32_t i = 0; i < MANY; i++) {
			if (i == CT_RING_EVENTS / 2)
				tc_grow(region, s, 0);
			e.result = i;
			if (!tc_event(s, 10, &e))
				_exit(2);
		}
		/* Until there is no room. */
		for (e.result = MANY; tc_event(s, 10, &e);)
			e.result++;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	kill(c.pid, SIGCONT);
	ck_assert_int_eq(status, 0);
	struct ct_control m = tc_stop(&c);

	tc_read(&t, out);
	ck_assert_uint_eq(m.lost, 1);
	ck_assert_uint_ge(t.events, MANY);
	for (size_t i = 0; i < t.events; i++)
		ck_assert_int_eq(t.event[i].result, i);
	tc_free(&t);
}
END_TEST

#define LIVES 30

static void *one_life(void *argument)
{
	uint32_t life = (uint32_t)(uintptr_t)argument;
	char name[CT_NAME];
	struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE,
			      .result = life };

	while (ct_load_acquire(&region->slot_state[1]) != CT_SLOT_FREE)
		sched_yield();
	snprintf(name, sizeof(name), "life-%u", life);
	struct ct_slot *s = tc_claim(region, 1, name);

	if (s->calls[CT_CALL_read] || s->wait.call || s->dropped || s->generation != life)
		abort();
	/* More than a ring in all lives together, so that event numbers wrap. */
	for (uint32_t i = 0; i < 300; i++) {
		/* The next who gets that ring finds nothing of ours in it. */
		if (i == 100 && life % 4 == 1) {
			if (region->large_taken || region->large[3][(s->reserved_events + 5) % CT_LARGE_EVENTS].seq)
				abort();
			tc_grow(region, s, 3);
		}
		tc_event(s, 500, &e);
	}
	s->calls[CT_CALL_read] = life + 1;
	if (life % 3 == 0)
		tc_wait(s, &(struct ct_wait){ .call = CT_CALL_sem_wait, .cause = CT_CAUSE_SEMAPHORE });
	/* Every other thread ends without a hint, as one that is cancelled. */
	if (life % 2)
		tc_leave(region, 1);
	return NULL;
}

START_TEST(slots_are_reused)
{
	struct tc_collector c;
	struct tc_trace t;
	const struct ct_record *r;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		pthread_t thread;

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		for (uintptr_t i = 0; i < LIVES; i++) {
			pthread_create(&thread, NULL, one_life, (void *)i);
			pthread_join(thread, NULL);
		}
		while (ct_load_acquire(&region->slot_state[1]) != CT_SLOT_FREE)
			sched_yield();
		_exit(0);
	}
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	tc_read(&t, out);
	ck_assert_uint_eq(m.threads, LIVES);
	ck_assert_uint_eq(m.lost, 0);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_THREAD_START), LIVES);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_THREAD_END), LIVES);
	size_t abandoned = 0;

	for (size_t i = 0; i < t.events; i++) {
		const struct tc_event_seen *e = &t.event[i];

		if (e->site.flags & CT_EV_ABANDONED) {
			abandoned++;
			ck_assert_uint_eq((e->thread - 1) % 3, 0);
			ck_assert_uint_eq(e->start_ns, e->end_ns);
		} else {
			ck_assert_int_eq(e->result, e->thread - 1);
		}
	}
	ck_assert_uint_eq(abandoned, (LIVES + 2) / 3);
	ck_assert_uint_eq(t.events, LIVES * 300 + abandoned);
	for (size_t i = 0; (r = tc_next(&t, &i, CT_RECORD_COUNTERS));)
		ck_assert_uint_eq(r->counters.calls, r->counters.thread);
	for (size_t i = 0; (r = tc_next(&t, &i, CT_RECORD_THREAD_START));) {
		char name[CT_NAME];

		snprintf(name, sizeof(name), "life-%u", (unsigned int)r->thread_start.thread - 1);
		ck_assert_uint_eq(r->thread_start.name.n, strlen(name));
		ck_assert(!memcmp(r->thread_start.name.p, name, strlen(name)));
	}
	tc_free(&t);
}
END_TEST

START_TEST(second_hello_is_an_exec)
{
	struct tc_collector c;
	struct tc_trace t;
	size_t i = 0;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

		for (int image = 0; image < 2; image++) {
			region = tc_attach(c.name, &(struct tc_region_options){ 0 });
			tc_event(tc_claim(region, 0, "main"), 500, &e);
			sleep_ms(20);
		}
		_exit(3);
	}
	sleep_ms(100);
	struct ct_control m = tc_stop(&c);

	waitpid(pid, NULL, 0);
	ck_assert_uint_eq(m.processes, 2);
	tc_read(&t, out);
	ck_assert_uint_eq(t.events, 2);
	const struct ct_record *r = tc_next(&t, &i, CT_RECORD_PROCESS_END);

	ck_assert_uint_eq(r->process_end.how, CT_END_EXEC);
	r = tc_next(&t, &i, CT_RECORD_PROCESS_END);
	ck_assert_uint_eq(r->process_end.how, CT_END_EXIT);
	ck_assert_int_eq(WEXITSTATUS((int)r->process_end.status), 3);
	tc_free(&t);
}
END_TEST

/* The process has come and gone before the collector looks. */
START_TEST(short_process_is_not_lost)
{
	struct tc_collector c;
	struct tc_trace t;

	tc_start(&c, out, 0);
	kill(c.pid, SIGSTOP);
	pid_t pid = fork();

	if (!pid) {
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		tc_event(tc_claim(region, 0, "main"), 500, &e);
		_exit(0);
	}
	join_child(pid);
	kill(c.pid, SIGCONT);
	struct ct_control m = tc_stop(&c);

	ck_assert_uint_eq(m.processes, 1);
	ck_assert_uint_eq(m.events, 1);
	tc_read(&t, out);
	ck_assert_uint_eq(t.events, 1);
	tc_free(&t);
}
END_TEST

START_TEST(hole_is_counted)
{
	struct tc_collector c;
	struct tc_trace t;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "main");

		tc_event(s, 500, &e);
		ct_fetch_add_local(&s->reserved_events, 1);
		tc_event(s, 500, &e);
		ct_fetch_add_local(&s->reserved_events, 1);
		_exit(0);
	}
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_uint_eq(m.events, 2);
	ck_assert_uint_eq(m.lost, 2);
	tc_read(&t, out);
	ck_assert_uint_eq(tc_lost(&t, CT_LOSS_EVENTS), 2);
	tc_free(&t);
}
END_TEST

START_TEST(old_hole_is_passed_over)
{
	struct tc_collector c;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "main");

		ct_fetch_add_local(&s->reserved_events, 1);
		tc_event(s, 500, &e);
		for (int i = 0; i < 400 && ct_load(&s->consumed) < 2; i++)
			sleep_ms(10);
		_exit(ct_load(&s->consumed) != 2);
	}
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_uint_eq(m.events, 1);
	ck_assert_uint_eq(m.lost, 1);
}
END_TEST

static const struct tc_region_options unfit[] = {
	{ .unsealed = true },
	{ .size_error = -4096 },
	{ .size_error = 4096 },
	{ .version = CT_REGION_VERSION + 1 },
};

START_TEST(unfit_region_is_refused)
{
	struct tc_collector c;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid)
		_exit(!tc_attach(c.name, &unfit[_i]));
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_uint_eq(m.processes, 0);
	ck_assert_uint_eq(m.refused, 1);
	ck_assert_uint_gt(strlen(m.text), 0);
}
END_TEST

static uint64_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A word that may pass for something. */
static uint64_t plausible(uint64_t *state, const struct ct_slot *s)
{
	uint64_t r = random_word(state);

	switch (r & 7) {
	case 0:
		return r >> 8 & 0xff;
	case 1:
		return s->consumed + (r >> 8 & 3);
	case 2:
		return tc_ticks() - (r >> 40);
	case 3:
		return (r >> 16 & 0xffff) << 16 | (r >> 8 & 7);
	default:
		return r;
	}
}

/* A process that writes anything anywhere: the collector lives and the file can be read. */
START_TEST(hostile_memory)
{
	struct tc_collector c;
	struct tc_trace t;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		uint64_t state = 0x1234567 + (uint64_t)_i;

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		for (uint32_t i = 0; i < 8; i++)
			tc_claim(region, i, "hostile")->tid = (uint32_t)getpid() + i;
		/* Only when it is let in does it show what it is. */
		tc_event(&region->slots[0], 500, &(struct ct_event){ .call = 1, .kind = 1 });
		while (!ct_load(&region->slots[0].consumed))
			sched_yield();
		uint64_t end = tc_ticks() + 2000000000u;

		while (tc_ticks() < end) {
			uint64_t r = random_word(&state);
			struct ct_slot *s = &region->slots[r >> 8 & 7];
			uint64_t *word = (uint64_t *)region, words = CT_REGION_BYTES(16) / 8;

			switch (r & 7) {
			case 0: /* the header and its tables */
				word += (r >> 16) % 4096;
				break;
			case 1: /* anywhere */
				word += (r >> 16) % words;
				break;
			case 2: /* a slot's head */
				word = (uint64_t *)s + (r >> 16) % 32;
				break;
			case 3:
				word = &s->calls[(r >> 16) % CT_CALLS_MAX];
				break;
			default: /* the ring where it is read */
				word = (uint64_t *)&s->ring[(s->consumed + (r >> 16 & 7)) % CT_RING_EVENTS] + (r >> 32 & 7);
			}
			ct_store(word, plausible(&state, s));
		}
		_exit(0);
	}
	join_child(pid);
	struct ct_control m = tc_stop(&c);

	ck_assert_int_eq(m.error, 0);
	ck_assert_uint_eq(m.processes, 1);
	tc_read(&t, out);
	ck_assert(t.complete);
	tc_free(&t);
}
END_TEST

static unsigned int descriptors_of(pid_t pid)
{
	char path[64];
	unsigned int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *d = opendir(path);

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Connections that say nothing, or what is no hello, with descriptors that nobody asked for: none of it stays, and
 * who has something to say is heard. */
START_TEST(babble_is_no_burden)
{
	static const char text[100000];
	const struct ct_hello hello = { .magic = CT_REGION_MAGIC, .version = CT_REGION_VERSION, .pid = 1, .region_bytes = UINT64_MAX };
	struct tc_collector c;
	struct tc_trace t;

	tc_start(&c, out, 0);
	unsigned int before = descriptors_of(c.pid);
	pid_t pid = fork();

	if (!pid) {
		for (unsigned int i = 0; i < 400; i++) {
			close(tc_babble(c.name, &hello, sizeof(hello), i % 17));
			close(tc_babble(c.name, text, 1 + i * 50, i % 17));
		}
		/* These are kept open. */
		for (unsigned int i = 0; i < 600; i++)
			tc_babble(c.name, NULL, 0, 0);
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "patient");

		tc_event(s, 500, &(struct ct_event){ .call = 1, .kind = 1, .cause = CT_CAUSE_MUTEX });
		while (!ct_load(&s->consumed))
			sched_yield();
		/* The silent connections are still there. */
		_exit(descriptors_of(c.pid) > before + 300);
	}
	join_child(pid);
	for (unsigned int i = 0; i < 1000 && descriptors_of(c.pid) > before; i++)
		sleep_ms(20);
	ck_assert_uint_le(descriptors_of(c.pid), before);
	struct ct_control m = tc_stop(&c);

	ck_assert_int_eq(m.error, 0);
	ck_assert_uint_eq(m.processes, 1);
	tc_read(&t, out);
	ck_assert(t.complete);
	ck_assert_uint_ge(t.events, 1);
	tc_free(&t);
}
END_TEST

START_TEST(termination_finishes_the_file)
{
	struct tc_collector c;
	struct tc_trace t;
	struct ct_control m;
	size_t i = 0;
	int status;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		tc_wait(tc_claim(region, 0, "main"),
			&(struct ct_wait){ .call = CT_CALL_sleep, .cause = CT_CAUSE_SLEEP });
		pause();
		_exit(0);
	}
	sleep_ms(100);
	/* At the first it waits for the process, which is to end, too. */
	kill(c.pid, SIGTERM);
	sleep_ms(200);
	ck_assert_int_eq(waitpid(c.pid, &status, WNOHANG), 0);
	kill(c.pid, SIGTERM);
	ck_assert(tc_hear(&c, &m));
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	ck_assert_int_eq(status, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tc_read(&t, out);
	ck_assert(t.complete);
	ck_assert_uint_eq(t.events, 1);
	ck_assert_uint_eq(t.event[0].site.flags, CT_EV_OPEN);
	ck_assert_uint_eq(tc_next(&t, &i, CT_RECORD_PROCESS_END)->process_end.how, CT_END_TRACE);
	tc_free(&t);
}
END_TEST

START_TEST(processes_that_go_on_keep_the_collector)
{
	struct tc_collector c;
	struct tc_trace t;
	int status;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		tc_claim(region, 0, "main");
		sleep_ms(400);
		_exit(0);
	}
	sleep_ms(50);
	struct ct_control m = tc_stop(&c);

	ck_assert_int_eq(m.kind, CT_CONTROL_RUNNING);
	ck_assert_uint_eq(m.processes, 1);
	join_child(pid);
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	ck_assert_int_eq(status, 0);
	tc_read(&t, out);
	ck_assert(t.complete);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_PROCESS_END), 1);
	tc_free(&t);
}
END_TEST

/* ctrace-run was killed before anything was traced. */
START_TEST(useless_file_is_removed)
{
	struct tc_collector c;

	tc_start(&c, out, 0);
	ck_assert_int_eq(access(out, F_OK), 0);
	close(c.control);
	waitpid(c.pid, NULL, 0);
	ck_assert_int_eq(access(out, F_OK), -1);
}
END_TEST

/* As the preload's constructor starts it. Returns the exit status of the direct
 * child; what it printed is in *ret_text. The pipe must be at its end. */
static int start_daemon(const char *name, const char *file, char ret_text[256])
{
	int pair[2], status;

	ck_assert_int_eq(pipe(pair), 0);
	pid_t pid = fork();

	if (!pid) {
		const char *path = tc_collector_path();

		dup2(pair[1], 2);
		close(pair[0]);
		close(pair[1]);
		execl(path, path, "--daemon", "--socket", name, "-o", file, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ssize_t n = 0, more;

	while ((more = read(pair[0], ret_text + n, 255 - (size_t)n)) > 0)
		n += more;
	ret_text[n] = 0;
	close(pair[0]);
	return WEXITSTATUS(status);
}

START_TEST(daemon_ends_with_the_last_process)
{
	struct tc_trace t = { 0 };
	char text[256], name[64];

	snprintf(name, sizeof(name), "ctrace-test-daemon-%d", getpid());
	ck_assert_int_eq(start_daemon(name, out, text), 0);
	ck_assert_str_eq(text, "");
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (!pid) {
			struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_PIPE };

			region = tc_attach(name, &(struct tc_region_options){ 0 });
			if (!region)
				_exit(1);
			tc_event(tc_claim(region, 0, "main"), 500, &e);
			_exit(0);
		}
		join_child(pid);
		sleep_ms(50);
	}
	for (int i = 0; i < 40 && !t.complete; i++) {
		sleep_ms(50);
		tc_free(&t);
		tc_read(&t, out);
	}
	ck_assert(t.complete);
	ck_assert_uint_eq(t.events, 2);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_PROCESS_END), 2);
	tc_free(&t);
}
END_TEST

START_TEST(daemon_says_why_it_cannot_start)
{
	char text[256], name[64];

	snprintf(name, sizeof(name), "ctrace-test-daemon-%d", getpid());
	ck_assert_int_eq(start_daemon(name, "/nonexistent/file", text), 1);
	ck_assert_str_eq(text, "ctrace-collector: /nonexistent/file: No such file or directory\n");

	/* The name is taken: no file is left. */
	struct tc_collector c;

	tc_start(&c, "/dev/null", 0);
	ck_assert_int_eq(start_daemon(c.name, out, text), 1);
	ck_assert_str_eq(text, "ctrace-collector: socket: Address already in use\n");
	ck_assert_int_eq(access(out, F_OK), -1);
	tc_stop(&c);
}
END_TEST

START_TEST(descriptors_and_modules)
{
	struct tc_collector c;
	struct tc_trace t;
	const struct ct_record *r;
	size_t i = 0, at = 0;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		uint64_t frames[] = { 0x401000 };

		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		struct ct_slot *s = tc_claim(region, 0, "main");
		struct ct_module *m = &region->modules[0];
		struct ct_descriptor *d = &region->descriptors[7];
		struct ct_event e = { .call = CT_CALL_read, .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_SOCKET,
				      .object_kind = CT_OBJECT_FD, .object = 7ull << 32 | 3 };

		*m = (struct ct_module){ .start = 0x400000, .end = 0x500000, .build_id_bytes = 4,
					 .build_id = { 1, 2, 3, 4 }, .path = "/test/module.so" };
		region->modules_used = 1;
		ct_store_release(&m->ready, 1);
		d->fd = 3;
		d->kind = CT_FD_SOCKET;
		strcpy(d->label, "here -> there");
		ct_store_release(&d->id, 7);
		e.stack = tc_stack(region, frames, 1);
		tc_event(s, 500, &e);
		tc_event(s, 500, &e);
		e.object = (7ull + CT_DESCRIPTORS) << 32 | 4; /* an entry that is gone */
		tc_event(s, 500, &e);
		e.object = 9; /* only its number is known */
		tc_event(s, 500, &e);
		_exit(0);
	}
	join_child(pid);
	tc_stop(&c);
	tc_read(&t, out);
	ck_assert_uint_eq(t.events, 4);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_DESCRIPTOR), 3);
	r = tc_next(&t, &i, CT_RECORD_DESCRIPTOR);
	ck_assert_uint_eq(r->descriptor.label.n, strlen("here -> there"));
	ck_assert_uint_eq(r->descriptor.descriptor, t.event[1].site.object);
	r = tc_next(&t, &i, CT_RECORD_DESCRIPTOR);
	ck_assert_uint_eq(r->descriptor.label.n, 0);
	ck_assert_int_eq(r->descriptor.fd, 4);
	r = tc_next(&t, &i, CT_RECORD_DESCRIPTOR);
	ck_assert_int_eq(r->descriptor.fd, 9);
	i = 0;
	r = tc_next(&t, &i, CT_RECORD_MODULE);
	ck_assert_uint_eq(r->module.start, 0x400000);
	ck_assert_uint_eq(r->module.build_id.n, 4);
	/* The module stands before the stack. */
	tc_next(&t, &at, CT_RECORD_STACK);
	ck_assert_uint_lt(i, at);
	tc_free(&t);
}
END_TEST

START_TEST(hot_locks_cool_down)
{
	struct tc_collector c;
	struct tc_trace t;
	size_t i = 0;

	tc_start(&c, out, 0);
	pid_t pid = fork();

	if (!pid) {
		region = tc_attach(c.name, &(struct tc_region_options){ 0 });
		tc_claim(region, 0, "main");
		struct ct_hot *cold = &region->hot[3], *hot = &region->hot[4];

		*cold = (struct ct_hot){ .word = 0x1000ull << 16, .acquisitions = 5, .hold_ticks = 2000000,
					 .last_wait = tc_ticks(), .kind = CT_CAUSE_MUTEX };
		*hot = (struct ct_hot){ .word = 0x2000ull << 16 | 1, .last_wait = tc_ticks() };
		ct_fetch_add(&region->hot_filter[ct_hot_hash(0x1000)].hot, 1);
		ct_fetch_add(&region->hot_filter[ct_hot_hash(0x2000)].hot, 1);
		for (int k = 0; k < 500 && ct_load(&cold->word); k++)
			sleep_ms(10);
		_exit(cold->word || !hot->word || region->hot_filter[ct_hot_hash(0x1000)].hot ||
		      region->hot_filter[ct_hot_hash(0x2000)].hot != 1);
	}
	join_child(pid);
	tc_stop(&c);
	tc_read(&t, out);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_LOCK), 1);
	const struct ct_record *r = tc_next(&t, &i, CT_RECORD_LOCK);

	ck_assert_uint_eq(r->lock.address, 0x1000);
	ck_assert_uint_eq(r->lock.acquisitions, 5);
	ck_assert_uint_gt(r->lock.hold_ns, 100000);
	tc_free(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("collector");
	TCase *tc = tcase_create("end to end");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_event_is_written_or_counted);
	tcase_add_test(tc, killed_process_leaves_whole_events_and_its_wait);
	tcase_add_test(tc, file_limit_ends_the_trace_and_nothing_else);
	tcase_add_test(tc, large_ring_holds_more);
	tcase_add_test(tc, slots_are_reused);
	tcase_add_test(tc, second_hello_is_an_exec);
	tcase_add_test(tc, short_process_is_not_lost);
	tcase_add_test(tc, hole_is_counted);
	tcase_add_test(tc, old_hole_is_passed_over);
	tcase_add_loop_test(tc, unfit_region_is_refused, 0, 4);
	tcase_add_loop_test(tc, hostile_memory, 0, 4);
	tcase_add_test(tc, babble_is_no_burden);
	tcase_add_test(tc, termination_finishes_the_file);
	tcase_add_test(tc, processes_that_go_on_keep_the_collector);
	tcase_add_test(tc, useless_file_is_removed);
	tcase_add_test(tc, daemon_ends_with_the_last_process);
	tcase_add_test(tc, daemon_says_why_it_cannot_start);
	tcase_add_test(tc, descriptors_and_modules);
	tcase_add_test(tc, hot_locks_cool_down);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed != 0;
}
