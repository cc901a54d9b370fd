/* The payload of SWITCHES chunks: what is put in comes out, and hostile bytes do no harm. */
#include <errno.h>
#include <string.h>

#include "switches.h"
#include "unit.h"

#define UNIT 16u
#define CPUS 5

static const uint8_t flips[] = { 0x01, 0x80, 0xff, 0x7f };

/* A block of exactly n bytes, so that a sanitizer sees what reads beyond it. */
static uint8_t *exact(const void *data, size_t n)
{
	uint8_t *p = malloc(n ? n : 1);

	memcpy(p, data, n);
	return p;
}

static uint32_t cpu_number(uint64_t r)
{
	static const uint32_t numbers[CPUS] = { 0, 1, 7, 40, 1000 };

	return numbers[r % CPUS];
}

static struct ct_slice random_slice(uint64_t *seed, uint32_t tasks, uint64_t clock)
{
	uint64_t r = unit_random(seed);
	struct ct_slice s = {
		.task = (uint32_t)(r % tasks),
		.cpu = cpu_number(r >> 20),
		.end = (uint32_t)(r >> 30) % CT_SLICE_KINDS,
		.flags = r >> 40 & 15,
		.start_ns = clock + unit_random(seed) % 100000,
	};

	s.end_ns = s.start_ns + (unit_random(seed) >> (30 + r % 30));
	if (s.flags & CT_SL_WOKEN) {
		s.waker = (uint32_t)(r >> 50) % tasks;
		s.woken_ns = s.start_ns - unit_random(seed) % (s.start_ns < 100000 ? s.start_ns + 1 : 100000);
	}
	return s;
}

static uint64_t rounded(uint64_t ns)
{
	return ns / UNIT * UNIT;
}

static void check_slice(const struct ct_slice *got, const struct ct_slice *put)
{
	ck_assert_uint_eq(got->task, put->task);
	ck_assert_uint_eq(got->cpu, put->cpu);
	ck_assert_uint_eq(got->end, put->end);
	ck_assert_uint_eq(got->flags, put->flags);
	ck_assert_uint_eq(got->start_ns, rounded(put->start_ns));
	ck_assert_uint_eq(got->end_ns, rounded(put->end_ns));
	if (put->flags & CT_SL_WOKEN) {
		ck_assert_uint_eq(got->waker, put->waker);
		ck_assert_uint_eq(got->woken_ns, rounded(put->woken_ns));
	}
}

/* Tasks are 100 + i of process 7; odd ones have a name. */
static void put_tasks(struct ct_switches_encoder *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(ct_switches_task(e, 7, 100 + i, ct_text_of(i & 1 ? "odd" : "")), i);
}

static void round_trip_once(struct ct_switches_encoder *e, struct ct_switches_decoder *d, uint32_t tasks, size_t n,
			    size_t gaps, uint64_t seed)
{
	struct ct_slice *put = calloc(n ? n : 1, sizeof(*put)), got;
	struct ct_gap *gap = calloc(gaps ? gaps : 1, sizeof(*gap));
	struct ct_buf out = { 0 };
	uint64_t clock = unit_random(&seed) >> 4, first = UINT64_MAX, last = 0, count;

	ct_switches_reset(e, UNIT);
	put_tasks(e, tasks);
	for (size_t i = 0; i < n || i < gaps; i++) {
		if (i < n) {
			put[i] = random_slice(&seed, tasks, clock);
			ct_switches_add(e, &put[i]);
			first = rounded(put[i].start_ns) < first ? rounded(put[i].start_ns) : first;
			last = rounded(put[i].end_ns) > last ? rounded(put[i].end_ns) : last;
		}
		if (i < gaps) {
			gap[i] = (struct ct_gap){ cpu_number(i), clock, clock + unit_random(&seed) % 1000000, i };
			ct_switches_gap(e, &gap[i]);
			first = rounded(gap[i].from_ns) < first ? rounded(gap[i].from_ns) : first;
			last = rounded(gap[i].to_ns) > last ? rounded(gap[i].to_ns) : last;
		}
		clock += unit_random(&seed) % 200000;
	}
	ck_assert_uint_eq(e->count, n);
	if (n || gaps) {
		ck_assert_uint_eq(e->first_ns, first);
		ck_assert_uint_eq(e->last_ns, last);
	}
	ck_assert_int_eq(ct_switches_finish(e, &out), 0);

	uint8_t *p = exact(out.data, out.size);

	ck_assert_int_eq(ct_switches_open(d, (struct ct_span){ p, p + out.size }), 0);
	ck_assert_uint_eq(d->task_count, tasks);
	for (uint32_t i = 0; i < tasks; i++) {
		ck_assert_uint_eq(d->task[i].pid, 7);
		ck_assert_uint_eq(d->task[i].tid, 100 + i);
		ck_assert_uint_eq(d->task[i].name.n, i & 1 ? 3 : 0);
	}
	ck_assert_uint_eq(d->gap_count, gaps);
	for (size_t i = 0; i < gaps; i++) {
		ck_assert_uint_eq(d->gap[i].cpu, gap[i].cpu);
		ck_assert_uint_eq(d->gap[i].from_ns, rounded(gap[i].from_ns));
		ck_assert_uint_eq(d->gap[i].to_ns, rounded(gap[i].to_ns));
		ck_assert_uint_eq(d->gap[i].lost, gap[i].lost);
	}
	ck_assert_int_eq(ct_switches_count(d, &count), 0);
	ck_assert_uint_eq(count, n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(ct_switches_next(d, &got), 1);
		check_slice(&got, &put[i]);
	}
	ck_assert_int_eq(ct_switches_next(d, &got), 0);
	ck_assert_int_eq(ct_switches_next(d, &got), 0);
	free(p);
	free(put);
	free(gap);
	ct_buf_free(&out);
}

START_TEST(round_trip)
{
	struct ct_switches_encoder e = { 0 };
	struct ct_switches_decoder d = { 0 };

	round_trip_once(&e, &d, 0, 0, 0, 1);
	round_trip_once(&e, &d, 1, 1, 0, 2);
	round_trip_once(&e, &d, 1, 0, 3, 3);
	for (uint64_t i = 0; i < 200; i++)
		round_trip_once(&e, &d, 1 + i % 40, i * 3, i % 7, i + 10);
	round_trip_once(&e, &d, 3000, 60000, 0, 5);
	ct_switches_free(&e);
	ct_switches_close(&d);
}
END_TEST

/* What a busy pair of threads makes on one CPU. */
START_TEST(small_raw)
{
	struct ct_switches_encoder e = { 0 };
	struct ct_buf out = { 0 };
	uint64_t clock = 1000000000000, seed = 1;

	ct_switches_reset(&e, UNIT);
	put_tasks(&e, 2);
	for (uint32_t i = 0; i < 10000; i++) {
		struct ct_slice s = { .task = i % 2, .waker = (i + 1) % 2, .flags = CT_SL_WOKEN, .start_ns = clock + 400 };

		s.woken_ns = clock - unit_random(&seed) % 1500;
		s.end_ns = clock = s.start_ns + 1500 + unit_random(&seed) % 3000;
		ct_switches_add(&e, &s);
	}
	ck_assert_int_eq(ct_switches_finish(&e, &out), 0);
	ck_assert_uint_lt(out.size, 90000); /* before compression */
	ct_buf_free(&out);
	ct_switches_free(&e);
}
END_TEST

/* Reads everything that can be read. The number of slices, -1: damaged. */
static int64_t read_all(struct ct_switches_decoder *d, const uint8_t *data, size_t n)
{
	uint8_t *p = exact(data, n);
	struct ct_slice s;
	uint64_t count = 0, read = 0;
	int error = ct_switches_open(d, (struct ct_span){ p, p + n });

	ck_assert(!error || error == -EBADMSG);
	if (!error)
		error = ct_switches_count(d, &count);
	ck_assert(!error || error == -EBADMSG);
	if (!error) {
		for (uint32_t i = 0; i < d->task_count; i++)
			ct_crc32c(d->task[i].name.p, d->task[i].name.n); /* reads it all */
		while (ct_switches_next(d, &s) == 1) {
			ck_assert_uint_lt(s.task, d->task_count);
			ck_assert(!(s.flags & CT_SL_WOKEN) || s.waker < d->task_count);
			read++;
		}
		ck_assert_uint_eq(read, count);
	}
	free(p);
	return error ? -1 : (int64_t)count;
}

START_TEST(cut_and_flipped)
{
	struct ct_switches_encoder e = { 0 };
	struct ct_switches_decoder d = { 0 };
	struct ct_buf out = { 0 };
	uint64_t seed = 3, clock = 5000000;
	struct ct_gap gap = { 1, 5000000, 6000000, 300 };

	ct_switches_reset(&e, UNIT);
	put_tasks(&e, 5);
	ct_switches_gap(&e, &gap);
	for (int i = 0; i < 40; i++) {
		struct ct_slice s = random_slice(&seed, 5, clock += 50000);

		ct_switches_add(&e, &s);
	}
	ck_assert_int_eq(ct_switches_finish(&e, &out), 0);
	ck_assert_int_eq(read_all(&d, out.data, out.size), 40);
	for (size_t n = 0; n < out.size; n++)
		ck_assert_int_eq(read_all(&d, out.data, n), -1);
	for (size_t at = 0; at < out.size; at++)
		for (size_t k = 0; k < sizeof(flips); k++) {
			out.data[at] ^= flips[k];
			read_all(&d, out.data, out.size);
			out.data[at] ^= flips[k];
		}
	ct_put_varint(&out, 0); /* a byte behind the last column */
	ck_assert_int_eq(read_all(&d, out.data, out.size), -1);
	ct_buf_free(&out);
	ct_switches_free(&e);
	ct_switches_close(&d);
}
END_TEST

/* unit, base, tasks, cpus, gaps and seven columns, by hand. */
static int64_t read_bytes(struct ct_switches_decoder *d, const char *bytes, size_t n)
{
	return read_all(d, (const uint8_t *)bytes, n);
}

START_TEST(nonsense)
{
	struct ct_switches_decoder d = { 0 };
	static const uint64_t counts[] = { 1, 1000, 1ull << 32, UINT64_MAX };

#define ONE_TASK_ONE_CPU "\1\0" "\1\1\1\0" "\1\0" "\0"
#define BYTES(s) s, sizeof(s) - 1
	ck_assert_int_eq(read_bytes(&d, BYTES("\1\0\0\0\0" "\0\0\0\0\0\0\0")), 0);
	ck_assert_int_eq(read_bytes(&d, BYTES("\0\0\0\0\0" "\0\0\0\0\0\0\0")), -1); /* unit 0 */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\1\0\1\0\1\0\0\0")), 1);
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\1\1\0\1\0\1\0\1\0\0\0")), -1); /* task 1 */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\1\1\0\1\0\1\0\0\0")), -1); /* cpu 1 */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\1\x08\1\0\1\0\0\0")), -1); /* no delay */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\1\x08\1\0\1\0\1\0\1\1")), -1); /* waker 1 */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\1\x08\1\0\1\0\1\0\1\0")), 1);
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\1\0\1\0\1\0\1\0\0")), -1); /* a delay too many */
	ck_assert_int_eq(read_bytes(&d, BYTES(ONE_TASK_ONE_CPU "\1\0\1\0\2\0\0\1\0\1\0\0\0")), -1); /* a HOW too many */
	ck_assert_int_eq(read_bytes(&d, BYTES("\1\0\0\1\0" "\1\1\0\0\1" "\0\0\0\0\0\0\0")), -1); /* a gap's cpu 1 */
	ck_assert_int_eq(read_bytes(&d, BYTES("\1\0\0\1\0" "\1\0\0\0\1" "\0\0\0\0\0\0\0")), 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (size_t list = 0; list < 4; list++) {
			struct ct_buf b = { 0 };

			ct_put_bytes(&b, "\1\0\0\0\0", 2 + list);
			ct_put_varint(&b, counts[i]);
			ct_put_bytes(&b, "\0\0\0\0\0\0\0", 7 - (list == 3));
			ck_assert_int_eq(read_all(&d, b.data, b.size), -1);
			ct_buf_free(&b);
		}
	ct_switches_close(&d);
}
END_TEST

START_TEST(extremes)
{
	struct ct_switches_encoder e = { 0 };
	struct ct_switches_decoder d = { 0 };
	struct ct_buf out = { 0 };
	struct ct_slice got, put[] = {
		{ .start_ns = UINT64_MAX - 7, .end_ns = UINT64_MAX, .flags = 15, .end = 7, .woken_ns = 0 },
		{ .start_ns = 0, .end_ns = UINT64_MAX, .flags = UINT32_MAX >> CT_SLICE_FLAG_SHIFT, .waker = 4 },
		{ .start_ns = 0, .end_ns = 0, .cpu = (1u << 20) - 1 },
	};

	ct_switches_reset(&e, 1);
	for (uint32_t i = 0; i < 5; i++)
		ct_switches_task(&e, UINT32_MAX, UINT32_MAX - i, ct_text_of("x"));
	for (size_t i = 0; i < 3; i++)
		ct_switches_add(&e, &put[i]);
	ck_assert_int_eq(ct_switches_finish(&e, &out), 0);
	ck_assert_int_eq(ct_switches_open(&d, (struct ct_span){ out.data, out.data + out.size }), 0);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(ct_switches_next(&d, &got), 1);
		ck_assert_uint_eq(got.start_ns, put[i].start_ns);
		ck_assert_uint_eq(got.end_ns, put[i].end_ns);
		ck_assert_uint_eq(got.woken_ns, put[i].woken_ns);
		ck_assert_uint_eq(got.flags, put[i].flags);
		ck_assert_uint_eq(got.cpu, put[i].cpu);
	}
	ck_assert_int_eq(ct_switches_next(&d, &got), 0);
	/* A CPU that cannot be spoils the chunk, not the process. */
	ct_switches_reset(&e, 1);
	put[0].cpu = UINT32_MAX;
	ct_switches_add(&e, &put[0]);
	ct_buf_clear(&out);
	ck_assert_int_eq(ct_switches_finish(&e, &out), -ENOMEM);
	ct_buf_free(&out);
	ct_switches_free(&e);
	ct_switches_close(&d);
}
END_TEST

START_TEST(random_bytes)
{
	struct ct_switches_decoder d = { 0 };
	uint64_t seed = 21;
	uint8_t b[64];

	for (int i = 0; i < 60000; i++) {
		size_t n = unit_random(&seed) % sizeof(b);

		for (size_t k = 0; k < n; k++)
			b[k] = unit_random(&seed) & 1 ? (uint8_t)(unit_random(&seed) % 3) :
							(uint8_t)unit_random(&seed);
		read_all(&d, b, n);
	}
	ct_switches_close(&d);
}
END_TEST

TEST_MAIN("switches", round_trip, small_raw, cut_and_flipped, nonsense, extremes, random_bytes)
