/* From the kernel's records, in rings made by hand, to the slices in a trace. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "clock.h"
#include "slices.h"
#include "unit.h"

#define RINGS      2
#define RING_BYTES 4096u
#define MAIN       500u  /* pid and tid of the main thread */
#define MS         1000000ull

static struct {
	struct ct_sched s;
	struct ct_writer w;
	uint64_t data[RINGS][RING_BYTES / 8];
	uint64_t head[RINGS], tail[RINGS];
	uint64_t base_ns;          /* tests give times in us after it */
	char path[64];
	struct ct_slice slice[20000];
	uint32_t pid[20000], tid[20000], waker[20000]; /* of the slice's tasks */
	char name[20000][CT_NAME];
	struct ct_gap gap[100];
	size_t slices, gaps;
} k;

static void open_rings(void)
{
	memset(&k, 0, sizeof(k));
	k.base_ns = (ct_now_ns() - 500 * MS) / CT_GRAIN_NS * CT_GRAIN_NS;
	k.s.perf.ring = calloc(RINGS, sizeof(*k.s.perf.ring));
	k.s.perf.ring_count = RINGS;
	k.s.perf.layout = (struct ct_perf_layout){ .tid_offset = 24, .flags_offset = 2 };
	k.s.perf.waking = true;
	for (uint32_t i = 0; i < RINGS; i++)
		k.s.perf.ring[i] = (struct ct_perf_ring){
			.cpu = i,
			.fd = -1,
			.waking_fd = -1,
			.data = (const uint8_t *)k.data[i],
			.data_bytes = RING_BYTES,
			.head = &k.head[i],
			.tail = &k.tail[i],
			.opened_ns = k.base_ns,
		};
	ck_assert_int_eq(ct_sched_start(&k.s), 0);
	snprintf(k.path, sizeof(k.path), "/tmp/ctrace-slices-%d.bin", getpid());
	ck_assert_int_eq(ct_writer_open(&k.w, k.path), 0);
}

static uint64_t at(uint64_t us)
{
	return k.base_ns + us * 1000 / CT_GRAIN_NS * CT_GRAIN_NS;
}

/* As the kernel does it. False: no room. */
static bool put(uint32_t cpu, uint32_t type, uint16_t misc, const void *body, size_t n)
{
	struct perf_event_header h = { type, misc, (uint16_t)(sizeof(h) + n) };
	uint8_t record[256];

	ck_assert_uint_le(h.size, sizeof(record));
	ck_assert_uint_eq(h.size % 8, 0);
	if (k.head[cpu] + h.size - k.tail[cpu] > RING_BYTES)
		return false;
	memcpy(record, &h, sizeof(h));
	memcpy(record + sizeof(h), body, n);
	for (size_t i = 0; i < h.size; i++)
		((uint8_t *)k.data[cpu])[(k.head[cpu] + i) % RING_BYTES] = record[i];
	k.head[cpu] += h.size;
	return true;
}

struct id {
	uint32_t pid, tid;
	uint64_t ns;
	uint32_t cpu, reserved;
};

static struct id id_of(uint32_t cpu, uint32_t tid, uint64_t us)
{
	return (struct id){ tid ? MAIN : 0, tid, k.base_ns + us * 1000, cpu, 0 };
}

static bool in(uint32_t cpu, uint32_t tid, uint64_t us)
{
	struct id id = id_of(cpu, tid, us);

	return put(cpu, PERF_RECORD_SWITCH, 0, &id, sizeof(id));
}

static bool out(uint32_t cpu, uint32_t tid, uint64_t us, bool preempted)
{
	struct id id = id_of(cpu, tid, us);

	return put(cpu, PERF_RECORD_SWITCH,
		   PERF_RECORD_MISC_SWITCH_OUT | (preempted ? PERF_RECORD_MISC_SWITCH_OUT_PREEMPT : 0), &id, sizeof(id));
}

static void task(uint32_t cpu, uint32_t type, uint32_t by, uint32_t tid, uint64_t us)
{
	struct {
		uint32_t pid, ppid, tid, ptid;
		uint64_t ns;
		struct id id;
	} body = { MAIN, MAIN, tid, by, k.base_ns + us * 1000, id_of(cpu, by, us) };

	ck_assert(put(cpu, type, 0, &body, sizeof(body)));
}

static void name(uint32_t cpu, uint32_t by, uint32_t tid, const char *text, uint64_t us)
{
	struct {
		uint32_t pid, tid;
		char comm[16];
		struct id id;
	} body = { .pid = MAIN, .tid = tid, .id = id_of(cpu, by, us) };

	snprintf(body.comm, sizeof(body.comm), "%s", text);
	ck_assert(put(cpu, PERF_RECORD_COMM, 0, &body, sizeof(body)));
}

static void waking(uint32_t cpu, uint32_t by, uint32_t tid, uint8_t flags, uint64_t us)
{
	struct {
		struct id id;
		uint32_t raw_bytes;
		uint8_t raw[36];
	} body = { .id = id_of(cpu, by, us), .raw_bytes = sizeof(body.raw) };

	body.raw[2] = flags;
	memcpy(body.raw + 24, &tid, sizeof(tid));
	ck_assert(put(cpu, PERF_RECORD_SAMPLE, 0, &body, sizeof(body)));
}

static void lost(uint32_t cpu, uint64_t n, uint64_t us)
{
	struct {
		uint64_t id, lost;
		struct id sample;
	} body = { 1, n, id_of(cpu, 0, us) };

	ck_assert(put(cpu, PERF_RECORD_LOST, 0, &body, sizeof(body)));
}

static void pass(void)
{
	ct_sched_pass(&k.s, &k.w, at(0));
}

static void keep_chunk(const uint8_t *raw, size_t n)
{
	static struct ct_switches_decoder d;
	struct ct_slice s;

	ck_assert_int_eq(ct_switches_open(&d, (struct ct_span){ raw, raw + n }), 0);
	for (uint32_t i = 0; i < d.gap_count; i++)
		k.gap[k.gaps++] = d.gap[i];
	while (ct_switches_next(&d, &s) == 1) {
		const struct ct_switches_task *t = &d.task[s.task];

		ck_assert_uint_lt(k.slices, 20000);
		k.pid[k.slices] = t->pid;
		k.tid[k.slices] = t->tid;
		k.waker[k.slices] = s.flags & CT_SL_WOKEN ? d.task[s.waker].tid : 0;
		memcpy(k.name[k.slices], t->name.p, t->name.n);
		k.slice[k.slices++] = s;
	}
}

/* Ends the trace and reads its slices and gaps. */
static void finish(uint64_t us)
{
	struct ct_chunk_header h;
	uint8_t *raw = malloc(CT_CHUNK_RAW_MAX), *stored = malloc(CT_CHUNK_RAW_MAX);

	ct_sched_finish(&k.s, &k.w, at(us));
	ct_sched_close(&k.s);
	ct_writer_close(&k.w);
	FILE *f = fopen(k.path, "r");

	ck_assert_int_eq(fseek(f, sizeof(struct ct_file_header), SEEK_SET), 0);
	while (fread(&h, sizeof(h), 1, f) == 1 && h.magic == CT_CHUNK_MAGIC) {
		ck_assert_uint_eq(fread(stored, 1, h.stored_bytes, f), h.stored_bytes);
		if (h.codec == CT_CODEC_ZSTD)
			ck_assert_uint_eq(ZSTD_decompress(raw, h.raw_bytes, stored, h.stored_bytes), h.raw_bytes);
		if (h.kind == CT_CHUNK_SWITCHES)
			keep_chunk(h.codec == CT_CODEC_ZSTD ? raw : stored, h.raw_bytes);
	}
	fclose(f);
	unlink(k.path);
	free(raw);
	free(stored);
}

static void expect(size_t i, uint32_t tid, uint32_t cpu, uint64_t from_us, uint64_t to_us, enum ct_slice_end end,
		   uint32_t flags)
{
	ck_assert_uint_lt(i, k.slices);
	ck_assert_uint_eq(k.pid[i], MAIN);
	ck_assert_uint_eq(k.tid[i], tid);
	ck_assert_uint_eq(k.slice[i].cpu, cpu);
	ck_assert_uint_eq(k.slice[i].start_ns, at(from_us));
	ck_assert_uint_eq(k.slice[i].end_ns, at(to_us));
	ck_assert_uint_eq(k.slice[i].end, end);
	ck_assert_uint_eq(k.slice[i].flags, flags);
}

static void expect_woken(size_t i, uint32_t by, uint64_t us)
{
	ck_assert_uint_eq(k.waker[i], by);
	ck_assert_uint_eq(k.slice[i].woken_ns, at(us));
}

/* A virtual CPU stood still before its record was there. */
START_TEST(late_record)
{
	open_rings();
	in(0, MAIN, 10);
	in(1, 501, 20);
	out(1, 501, 90, false);
	pass();
	out(0, MAIN, 60, false);
	in(0, MAIN, 95);
	pass();
	finish(100);
	expect(0, 501, 1, 20, 90, CT_SLICE_BLOCKED, 0);
	expect(1, MAIN, 0, 10, 60, CT_SLICE_BLOCKED, CT_SL_LATE);
	expect(2, MAIN, 0, 95, 100, CT_SLICE_TRACE, 0);
}
END_TEST

START_TEST(life_of_a_thread)
{
	open_rings();
	in(0, MAIN, 10);
	name(0, MAIN, MAIN, "first", 15);
	task(0, PERF_RECORD_FORK, MAIN, 501, 20);
	in(1, 501, 30);
	name(1, 501, 501, "second", 35);
	out(1, 501, 40, false);
	waking(0, MAIN, 501, 0, 50);
	out(0, MAIN, 60, true);
	in(1, 501, 70);
	task(1, PERF_RECORD_EXIT, 501, 501, 80);
	in(1, MAIN, 90);
	pass();
	finish(100);
	ck_assert_uint_eq(k.slices, 4);
	expect(0, 501, 1, 30, 40, CT_SLICE_BLOCKED, CT_SL_WOKEN);
	expect_woken(0, MAIN, 20); /* made */
	expect(1, MAIN, 0, 10, 60, CT_SLICE_PREEMPTED, 0);
	expect(2, 501, 1, 70, 80, CT_SLICE_EXITED, CT_SL_WOKEN);
	expect_woken(2, MAIN, 50);
	expect(3, MAIN, 1, 90, 100, CT_SLICE_TRACE, 0);
	ck_assert_str_eq(k.name[0], "second");
	ck_assert_str_eq(k.name[1], "first");
}
END_TEST

/* Wake-ups by interrupts, of tasks that are not ours, and such as end no wait. */
START_TEST(wakes)
{
	open_rings();
	in(0, MAIN, 10);
	waking(1, 7, 9999, 0, 12);    /* a foreign task */
	out(0, MAIN, 20, false);
	waking(1, 7, MAIN, 0x08, 30); /* a hardware interrupt on 7's time */
	waking(1, 8, MAIN, 0, 31);    /* the second one wakes nobody */
	in(0, MAIN, 40);
	waking(1, 9, MAIN, 0x10, 49); /* while it is about to leave */
	out(0, MAIN, 50, false);
	in(1, MAIN, 60);
	out(1, MAIN, 70, true);
	waking(0, 7, MAIN, 0, 75);    /* was ready already */
	in(1, MAIN, 80);
	out(1, MAIN, 90, false);
	waking(0, 0, MAIN, 0x10, 95); /* on an idle CPU */
	in(1, MAIN, 99);
	pass();
	ck_assert_uint_eq(k.s.foreign_wakes, 1);
	finish(100);
	ck_assert_uint_eq(k.slices, 5);
	expect(0, MAIN, 0, 10, 20, CT_SLICE_BLOCKED, 0);
	expect(1, MAIN, 0, 40, 50, CT_SLICE_BLOCKED, CT_SL_WOKEN | CT_SL_HARDIRQ);
	expect_woken(1, 7, 30);
	expect(2, MAIN, 1, 60, 70, CT_SLICE_PREEMPTED, CT_SL_WOKEN | CT_SL_SOFTIRQ);
	expect_woken(2, 9, 50);
	expect(3, MAIN, 1, 80, 90, CT_SLICE_BLOCKED, 0);
	expect(4, MAIN, 1, 99, 100, CT_SLICE_TRACE, CT_SL_WOKEN | CT_SL_SOFTIRQ);
	expect_woken(4, 0, 95);
}
END_TEST

/* Somebody ran before the first record. */
START_TEST(no_start)
{
	open_rings();
	out(1, MAIN, 10, false);
	out(0, 501, 20, true);
	out(0, 502, 30, true); /* that 501 ran before is known: this makes no sense */
	pass();
	finish(100);
	ck_assert_uint_eq(k.slices, 2);
	expect(0, MAIN, 1, 0, 10, CT_SLICE_BLOCKED, CT_SL_NO_START);
	expect(1, 501, 0, 0, 20, CT_SLICE_PREEMPTED, CT_SL_NO_START);
}
END_TEST

START_TEST(losses)
{
	open_rings();
	in(0, MAIN, 10);
	in(1, 501, 15);
	out(1, 501, 25, false);
	waking(1, 0, 501, 0, 26); /* what is lost may have been another */
	lost(0, 77, 50);
	out(0, 502, 60, false);
	in(0, MAIN, 70);
	in(1, 501, 80);
	waking(0, MAIN, 502, 0, 85);
	in(1, 502, 90);          /* 501's end is missing, and no loss was told */
	pass();
	ck_assert_uint_eq(k.s.lost, 77);
	finish(100);
	ck_assert_uint_eq(k.gaps, 2);
	ck_assert_uint_eq(k.gap[0].cpu, 0);
	ck_assert_uint_eq(k.gap[0].from_ns, at(10));
	ck_assert_uint_eq(k.gap[0].to_ns, at(50));
	ck_assert_uint_eq(k.gap[0].lost, 77);
	ck_assert_uint_eq(k.gap[1].cpu, 1);
	ck_assert_uint_eq(k.gap[1].lost, 0);
	ck_assert_uint_eq(k.slices, 6);
	expect(0, 501, 1, 15, 25, CT_SLICE_BLOCKED, 0);
	expect(1, MAIN, 0, 10, 10, CT_SLICE_LOST, 0);
	expect(2, 502, 0, 50, 60, CT_SLICE_BLOCKED, CT_SL_NO_START);
	expect(3, 501, 1, 80, 80, CT_SLICE_LOST, 0);
	ck_assert_uint_eq(k.slice[4].end, CT_SLICE_TRACE);
	ck_assert_uint_eq(k.slice[5].end, CT_SLICE_TRACE);
}
END_TEST

/* A ring that was full may hide the end of what seems to run. */
START_TEST(full_ring)
{
	uint64_t us = 1;

	open_rings();
	k.base_ns -= 5000 * MS;
	for (uint32_t i = 0; i < RINGS; i++)
		k.s.cpu[i].unknown_since_ns = k.s.cpu[i].last_ns = k.base_ns;
	in(1, 501, 1);
	while (in(0, MAIN, us)) {
		us++;
		if (!out(0, MAIN, us, false))
			break;
		us++;
	}
	pass();
	ct_sched_pass(&k.s, &k.w, at(0));
	finish(5000000);
	ck_assert_uint_gt(k.slices, RING_BYTES / 64 - 3);
	/* The one in the quiet ring runs on; of the other nothing is known any more. */
	for (size_t i = 0; i < k.slices; i++)
		if (k.slice[i].end == CT_SLICE_CONTINUED || k.slice[i].end == CT_SLICE_TRACE)
			ck_assert_uint_eq(k.tid[i], 501);
		else
			ck_assert_uint_lt(k.slice[i].end_ns, at(1000));
	ck_assert_uint_eq(k.gaps, 1);
	ck_assert_uint_eq(k.gap[0].cpu, 0);
	ck_assert_uint_eq(k.gap[0].to_ns, at(5000000));
}
END_TEST

/* What lasts is written in parts that join. */
START_TEST(parts)
{
	open_rings();
	k.base_ns -= 2500 * MS;
	for (uint32_t i = 0; i < RINGS; i++)
		k.s.cpu[i].unknown_since_ns = k.s.cpu[i].last_ns = k.base_ns;
	in(0, MAIN, 10);
	pass();
	ck_assert_uint_eq(k.s.encoder.count, 1);
	pass();
	ck_assert_uint_eq(k.s.encoder.count, 1);
	out(0, MAIN, 5000000, false);
	finish(6000000);
	ck_assert_uint_eq(k.slices, 2);
	ck_assert_uint_eq(k.slice[0].end, CT_SLICE_CONTINUED);
	ck_assert_uint_eq(k.slice[0].start_ns, at(10));
	ck_assert_uint_eq(k.slice[0].end_ns, k.slice[1].start_ns);
	ck_assert_uint_eq(k.slice[1].end, CT_SLICE_BLOCKED);
	ck_assert_uint_eq(k.slice[1].end_ns, at(5000000));
}
END_TEST

/* A thread that is not the first calls exec: it goes on under the first one's number. */
START_TEST(exec_of_another_thread)
{
	open_rings();
	in(1, 501, 10);
	in(0, MAIN, 11);
	task(0, PERF_RECORD_EXIT, MAIN, MAIN, 20);
	name(1, MAIN, MAIN, "new", 30);
	out(1, MAIN, 40, false);
	pass();
	finish(50);
	ck_assert_uint_eq(k.slices, 3);
	ck_assert_uint_eq(k.gaps, 0);
	expect(0, MAIN, 0, 11, 20, CT_SLICE_EXITED, 0);
	expect(1, 501, 1, 10, 30, CT_SLICE_EXITED, 0);
	expect(2, MAIN, 1, 30, 40, CT_SLICE_BLOCKED, 0);
}
END_TEST

/* Records of the time that a pass begins in wait for the next one. */
START_TEST(not_yet)
{
	open_rings();
	in(0, MAIN, 10);
	out(0, MAIN, 20, false);
	in(0, MAIN, 10000000);
	out(0, MAIN, 10000010, false);
	in(1, 501, 30);
	out(1, 501, 40, false);
	pass();
	ck_assert_uint_eq(k.s.encoder.count, 2);
	ck_assert_uint_eq(k.tail[1], k.head[1]);
	finish(10000020);
	ck_assert_uint_eq(k.slices, 3);
	expect(2, MAIN, 0, 10000000, 10000010, CT_SLICE_BLOCKED, 0);
}
END_TEST

/* Random switches over both CPUs, through rings that wrap many times: nothing is
 * lost, and what comes out is what was put in. */
START_TEST(many)
{
	uint64_t seed = 9, us = 1, from[RINGS] = { 0 };
	uint32_t running[RINGS] = { 0 };
	size_t n = 0;
	static struct { uint32_t tid, cpu; uint64_t from_us, to_us; bool preempted; } put_in[20000];

	open_rings();
	for (int i = 0; i < 30000; i++, us += 1 + unit_random(&seed) % 5) {
		uint32_t cpu = unit_random(&seed) % RINGS;

		if (k.head[cpu] - k.tail[cpu] > RING_BYTES - 200)
			pass();
		if (running[cpu]) {
			bool preempted = unit_random(&seed) % 2;

			ck_assert(out(cpu, running[cpu], us, preempted));
			put_in[n].tid = running[cpu];
			put_in[n].cpu = cpu;
			put_in[n].from_us = from[cpu];
			put_in[n].to_us = us;
			put_in[n++].preempted = preempted;
			running[cpu] = 0;
		} else {
			uint32_t tid = 600 + (uint32_t)(unit_random(&seed) % 1500);

			if (tid == running[1 - cpu])
				continue;
			ck_assert(in(cpu, tid, us));
			running[cpu] = tid;
			from[cpu] = us;
		}
	}
	finish(us);
	ck_assert_uint_ge(k.slices, n);
	ck_assert_uint_le(k.slices, n + RINGS);
	ck_assert_uint_eq(k.gaps, 0);
	for (size_t i = 0; i < n; i++)
		expect(i, put_in[i].tid, put_in[i].cpu, put_in[i].from_us, put_in[i].to_us,
		       put_in[i].preempted ? CT_SLICE_PREEMPTED : CT_SLICE_BLOCKED, 0);
}
END_TEST

/* Whatever stands in the rings, nothing is read beyond them, and the trace stays readable. */
START_TEST(nonsense_in_rings)
{
	uint64_t seed = 4;

	open_rings();
	for (int i = 0; i < 3000; i++) {
		uint32_t cpu = unit_random(&seed) % RINGS;
		uint8_t *data = (uint8_t *)k.data[cpu];
		size_t bytes = unit_random(&seed) % RING_BYTES;

		if (i % 50 == 0)
			k.head[cpu] += RING_BYTES * 3;
		for (size_t n = 0; n < bytes; n++)
			data[(k.head[cpu] + n) % RING_BYTES] = (uint8_t)(unit_random(&seed) % (n % 8 < 4 ? 16 : 48));
		k.head[cpu] += bytes;
		pass();
		ck_assert_uint_le(k.tail[cpu], k.head[cpu]);
	}
	finish(1);
}
END_TEST

TEST_MAIN("slices", life_of_a_thread, late_record, wakes, no_start, losses, full_ring, parts, exec_of_another_thread, not_yet, many,
	  nonsense_in_rings)
