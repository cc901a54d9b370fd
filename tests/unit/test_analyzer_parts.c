/* The analyzer's small parts: histogram, nesting, tables, texts, durations. */
#include <string.h>

#include "blocks.h"
#include "clean.h"
#include "histogram.h"
#include "nesting.h"
#include "options.h"
#include "reader.h"
#include "table.h"
#include "text.h"
#include "unit.h"

static int by_value(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

START_TEST(histogram_is_precise)
{
	enum { N = 10001 };
	static uint64_t values[N];
	static struct ct_histogram h;
	uint64_t state = 1;

	for (int round = 0; round < 40; round++) {
		memset(&h, 0, sizeof(h));
		for (int i = 0; i < N; i++) {
			values[i] = unit_random(&state) >> (unit_random(&state) % 60);
			ct_histogram_add(&h, values[i]);
		}
		qsort(values, N, sizeof(values[0]), by_value);
		for (int percent = 1; percent <= 99; percent++) {
			double exact = (double)values[(percent * N + 99) / 100 - 1];
			double got = (double)ct_histogram_quantile(&h, percent / 100.0);

			ck_assert_msg(got >= exact * 0.99 - 0.5 && got <= exact * 1.01 + 0.5, "p%d: %f for %f", percent,
				      got, exact);
		}
	}
}
END_TEST

START_TEST(histogram_has_a_bucket_for_everything)
{
	uint32_t last = 0;

	for (uint64_t v = 0; v < 100000; v++) {
		uint32_t b = ct_histogram_bucket(v);

		ck_assert(b == last || b == last + 1);
		last = b;
	}
	ck_assert_uint_eq(ct_histogram_bucket(UINT64_MAX), CT_HISTOGRAM_BUCKETS - 1);
	ck_assert_uint_eq(ct_histogram_quantile(&(struct ct_histogram){ 0 }, 0.5), 0);
}
END_TEST

/* Intervals in the order of their ends, nested up to a depth, on a small scale
 * such that the union can be counted. */
static uint32_t emit(uint64_t *state, uint64_t from, uint64_t to, int depth, uint64_t (*out)[2], uint32_t n)
{
	uint64_t at = from + unit_random(state) % 3;

	while (at + 2 < to && n < 4000) {
		uint64_t end = at + 1 + unit_random(state) % (to - at - 1);

		if (end - at > 40 && depth)
			end = at + 40;
		if (depth && unit_random(state) % 2)
			n = emit(state, at, end, depth - 1, out, n);
		out[n][0] = at;
		out[n++][1] = end;
		at = end + unit_random(state) % 4;
	}
	return n;
}

START_TEST(nesting_covers_what_the_union_covers)
{
	static uint64_t intervals[8000][2];
	static uint8_t covered[3000];
	uint64_t state = 7;

	for (int round = 0; round < 200; round++) {
		struct ct_nesting n = { 0 };
		uint32_t count = emit(&state, 0, sizeof(covered), 2, intervals, 0);
		uint64_t sum = 0, all = 0;

		memset(covered, 0, sizeof(covered));
		for (uint32_t i = 0; i < count; i++) {
			sum += ct_nesting_add(&n, intervals[i][0], intervals[i][1]);
			memset(covered + intervals[i][0], 1, intervals[i][1] - intervals[i][0]);
		}
		for (size_t i = 0; i < sizeof(covered); i++)
			all += covered[i];
		ck_assert_uint_eq(sum, n.covered_ns);
		/* Exact but where more nest in one than are remembered. */
		ck_assert_msg(sum <= all + all / 20 && sum + all / 20 >= all, "%u intervals: %lu for %lu", count,
			      (unsigned long)sum, (unsigned long)all);
	}
}
END_TEST

START_TEST(nesting_is_exact_for_a_few)
{
	struct ct_nesting n = { 0 };

	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(ct_nesting_add(&n, i * 10, i * 10 + 5), 5);
	for (uint64_t i = 0; i < 7; i++)
		ck_assert_uint_eq(ct_nesting_add(&n, 20000 + i * 100, 20010 + i * 100), 10);
	ck_assert_uint_eq(ct_nesting_add(&n, 19990, 21000), 1010 - 70);
	/* Overlapping without being nested. */
	ck_assert_uint_eq(ct_nesting_add(&n, 20500, 22000), 1000);
	/* The same once more covers nothing new. */
	ck_assert_uint_eq(ct_nesting_add(&n, 20500, 22000), 0);
	/* A handler's interval that was recorded before what it came after. */
	ck_assert_uint_eq(ct_nesting_add(&n, 23000, 23010), 10);
	ck_assert_uint_eq(ct_nesting_add(&n, 22500, 22900), 400);
	ck_assert_uint_eq(ct_nesting_add(&n, 22500, 23100), 600 - 410);
}
END_TEST

START_TEST(table_holds_what_was_put)
{
	struct ct_table t = { 0 };
	uint64_t state = 3;

	ck_assert_uint_eq(ct_table_get(&t, 5), 0);
	for (uint32_t i = 1; i <= 20000; i++)
		ck_assert_int_eq(ct_table_put(&t, unit_random(&state), i), 0);
	state = 3;
	for (uint32_t i = 1; i <= 20000; i++)
		ck_assert_uint_eq(ct_table_get(&t, unit_random(&state)), i);
	ck_assert_uint_eq(t.count, 20000);
	ct_table_free(&t);
}
END_TEST

static void check_clean(const char *from, size_t n, const char *expected)
{
	char *clean = ct_clean(from, n);

	ck_assert_ptr_nonnull(clean);
	ck_assert_str_eq(clean, expected);
	free(clean);
}

START_TEST(texts_are_cleaned)
{
	check_clean("plain", 5, "plain");
	check_clean("", 0, "");
	check_clean("a\0b\0", 4, "a b");
	check_clean("\x1b[31mred", 8, "?[31mred");
	check_clean("caf\xc3\xa9", 5, "caf\xc3\xa9");
	check_clean("\xff|\xc3", 3, "\xef\xbf\xbd|\xef\xbf\xbd");
	check_clean("\xc2\x9b" "1m", 4, "\xef\xbf\xbd\xef\xbf\xbd" "1m"); /* a control character of its own */
	check_clean("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(durations_are_read)
{
	uint64_t ns;
	const char *const bad[] = { "", "s", "1x", "-1", "1 s s", "nan", "inf", "0x10", "1e99s" };

	ck_assert(!ct_parse_duration("1.5s", 1, &ns) && ns == 1500000000);
	ck_assert(!ct_parse_duration("200ms", 1, &ns) && ns == 200000000);
	ck_assert(!ct_parse_duration("10us", 1, &ns) && ns == 10000);
	ck_assert(!ct_parse_duration("7ns", 1, &ns) && ns == 7);
	ck_assert(!ct_parse_duration("2", 1000000000, &ns) && ns == 2000000000);
	ck_assert(!ct_parse_duration("2m", 1, &ns) && ns == 120000000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(ct_parse_duration(bad[i], 1, &ns), "'%s'", bad[i]);
}
END_TEST

START_TEST(numbers_are_written)
{
	char to[CT_FORMAT];

	ck_assert_str_eq(ct_format_ns(to, 0), "0 ns");
	ck_assert_str_eq(ct_format_ns(to, 999), "999 ns");
	ck_assert_str_eq(ct_format_ns(to, 1234), "1.23 \xc2\xb5s");
	ck_assert_str_eq(ct_format_ns(to, 999499), "999 \xc2\xb5s");
	ck_assert_str_eq(ct_format_ns(to, 999999), "1.00 ms");
	ck_assert_str_eq(ct_format_ns(to, 45600000), "45.6 ms");
	ck_assert_str_eq(ct_format_ns(to, 12300000000), "12.3 s");
	ck_assert_str_eq(ct_format_ns(to, 123000000000), "2 m 03 s");
	ck_assert_str_eq(ct_format_ns(to, UINT64_MAX), "5124095 h 34 m");
	ck_assert_str_eq(ct_format_count(to, 12345), "12,345");
	ck_assert_str_eq(ct_format_count(to, 1234567), "1.23 M");
	ck_assert_str_eq(ct_format_share(to, 1, 1000), "<1 %");
	ck_assert_str_eq(ct_format_share(to, 1, 0), "-");
	ck_assert_str_eq(ct_format_bytes(to, 1500), "1.50 kB");
}
END_TEST

/* Columns of random varints, some damaged: the fast check says what the slow one does. */
START_TEST(columns_are_judged_as_by_the_decoder)
{
	uint64_t state = 11;
	int sound = 0;

	for (int round = 0; round < 20000; round++) {
		struct ct_buf columns[CT_COLUMNS] = { 0 };
		struct ct_events_decoder d = { .count = unit_random(&state) % 40, .site_count = 1000 };
		bool expected = true;

		for (int i = 0; i < CT_COLUMNS; i++) {
			for (uint32_t k = 0; k < d.count; k++)
				ct_put_varint(&columns[i], i ? unit_random(&state) >> unit_random(&state) % 64 :
							       unit_random(&state) % 1002);
			if (columns[i].size && unit_random(&state) % 8 == 0)
				columns[i].data[unit_random(&state) % columns[i].size] ^= 0x80;
			d.columns[i] = (struct ct_span){ columns[i].data, columns[i].data + columns[i].size };
		}
		struct ct_events_cursor c;

		ct_events_cursor(&d, &c);
		for (uint32_t k = 0; k < d.count; k++)
			expected = expected && !ct_events_next(&c);
		for (int i = 0; i < CT_COLUMNS; i++)
			expected = expected && c.columns[i].p == c.columns[i].end;
		struct ct_buf all = { 0 };
		size_t at[CT_COLUMNS + 1] = { 0 };

		for (int i = 0; i < CT_COLUMNS; i++) {
			ct_put_bytes(&all, columns[i].data, columns[i].size);
			at[i + 1] = all.size;
		}
		for (int i = 0; i < CT_COLUMNS; i++)
			if (all.data)
				d.columns[i] = (struct ct_span){ all.data + at[i], all.data + at[i + 1] };
		ck_assert_int_eq(ct_columns_sound(&d), expected);
		sound += expected;
		for (int i = 0; i < CT_COLUMNS; i++)
			ct_buf_free(&columns[i]);
		ct_buf_free(&all);
	}
	ck_assert_int_gt(sound, 1000);
}
END_TEST

/* A payload with zeroes behind it, as a reader's has. */
static struct ct_span payload_of(struct ct_buf *b)
{
	struct ct_span s = { NULL, NULL };

	ck_assert(ct_buf_reserve(b, CT_PAYLOAD_SLACK));
	memset(b->data + b->size, 0, CT_PAYLOAD_SLACK);
	s.p = b->data;
	s.end = b->data + b->size;
	return s;
}

/* A time: most are short, some take ten bytes. */
static uint64_t some_ns(uint64_t *state)
{
	return unit_random(state) >> (unit_random(state) % 16 ? 40 + unit_random(state) % 20 : 0);
}

/* In blocks, with PEXT where the CPU has it, and without: the same as one by one. */
START_TEST(events_are_read_in_blocks)
{
	uint64_t state = 5;

	for (int round = 0; round < 400; round++) {
		struct ct_events_encoder e = { 0 };
		struct ct_events_decoder d = { 0 };
		struct ct_events_cursor c;
		struct ct_columns columns;
		struct ct_buf b = { 0 };
		uint32_t count = unit_random(&state) % 700, sites = 1 + unit_random(&state) % 300;
		uint64_t now_ns = 1u << 30;

		ct_events_reset(&e);
		for (uint32_t i = 0; i < count; i++) {
			struct ct_site site = { .kind = 1, .call = unit_random(&state) % sites };
			uint64_t start_ns = now_ns + some_ns(&state), ns = some_ns(&state);

			ct_events_add(&e, 1 + (i > count / 2), &site, start_ns, start_ns + ns, 0);
			now_ns += unit_random(&state) % 1000;
		}
		ck_assert(!ct_events_finish(&e, &b));
		ck_assert(!ct_events_open(&d, payload_of(&b)) && ct_columns_sound(&d));
		for (int pext = 0; pext <= ct_blocks_pext(); pext++) {
			ct_blocks_use(pext);
			ct_events_cursor(&d, &c);
			ct_columns_begin(&columns, &d);
			for (uint32_t i = 0; i < d.batch_count; i++) {
				struct ct_event_block block;
				uint64_t odd = 0;

				columns.end_ns = c.end_ns = d.base_ns;
				for (uint32_t n, left = d.batch[i].events; left; left -= n) {
					n = left < CT_BLOCK_MAX ? left : CT_BLOCK_MAX;
					ct_event_block(&columns, n, &block);
					odd = 0;
					for (uint32_t k = 0; k < n; k++) {
						ck_assert(!ct_events_next(&c));
						ck_assert_uint_eq(block.site[k], c.site);
						ck_assert_uint_eq(block.start_ns[k], c.start_ns);
						ck_assert_uint_eq(block.end_ns[k], c.end_ns);
						odd |= c.end_ns < c.start_ns || c.start_ns > INT64_MAX;
					}
					ck_assert_uint_eq(block.odd != 0, odd);
				}
			}
		}
		ct_blocks_use(2);
		ct_events_close(&d);
		ct_events_free(&e);
		ct_buf_free(&b);
	}
}
END_TEST

START_TEST(slices_are_read_in_blocks)
{
	uint64_t state = 9;

	for (int round = 0; round < 400; round++) {
		struct ct_switches_encoder e = { 0 };
		struct ct_switches_decoder d = { 0 }, one = { 0 };
		struct ct_buf b = { 0 };
		uint32_t count = unit_random(&state) % 700, tasks = 1 + unit_random(&state) % 200;
		bool late = unit_random(&state) % 2, woken = unit_random(&state) % 4;
		uint64_t now_ns = 1u << 30, sound;

		ct_switches_reset(&e, 1 + unit_random(&state) % 8);
		for (uint32_t i = 0; i < tasks; i++)
			ct_switches_task(&e, 1, i + 1, ct_text_of("x"));
		for (uint32_t i = 0; i < count; i++) {
			struct ct_slice s = { .task = unit_random(&state) % tasks, .cpu = unit_random(&state) % 4,
					      .waker = unit_random(&state) % tasks, .end = unit_random(&state) % 6,
					      .flags = unit_random(&state) % (late ? 32 : 8) };

			s.flags &= woken ? ~0u : ~CT_SL_WOKEN;
			s.start_ns = now_ns;
			s.end_ns = now_ns += some_ns(&state);
			s.woken_ns = s.start_ns - unit_random(&state) % 1000;
			ct_switches_add(&e, &s);
		}
		ck_assert(!ct_switches_finish(&e, &b));
		ck_assert(!ct_switches_open(&one, payload_of(&b)));
		for (int pext = 0; pext <= ct_blocks_pext(); pext++) {
			struct ct_slice_block block;
			struct ct_slice s;

			ct_blocks_use(pext);
			ck_assert(!ct_switches_open(&d, payload_of(&b)) && ct_slices_sound(&d, &sound));
			ck_assert_uint_eq(sound, count);
			ct_switches_rewind(&one);
			for (uint32_t n, left = count; left; left -= n) {
				n = left < CT_BLOCK_MAX ? left : CT_BLOCK_MAX;
				ct_slice_block(&d, n, ct_slices_small(&d), &block);
				for (uint32_t k = 0; k < n; k++) {
					ck_assert_int_eq(ct_switches_next(&one, &s), 1);
					ck_assert(s.task == block.slice[k].task && s.cpu == block.slice[k].cpu &&
						  s.waker == block.slice[k].waker && s.end == block.slice[k].end &&
						  s.flags == block.slice[k].flags);
					ck_assert_uint_eq(s.start_ns, block.slice[k].start_ns);
					ck_assert_uint_eq(s.end_ns, block.slice[k].end_ns);
					ck_assert_uint_eq(s.woken_ns, block.slice[k].woken_ns);
				}
			}
		}
		ct_blocks_use(2);
		ct_switches_close(&d);
		ct_switches_close(&one);
		ct_switches_free(&e);
		ct_buf_free(&b);
	}
}
END_TEST

TEST_MAIN("analyzer parts", histogram_is_precise, histogram_has_a_bucket_for_everything,
	  nesting_covers_what_the_union_covers, nesting_is_exact_for_a_few, table_holds_what_was_put, texts_are_cleaned,
	  durations_are_read, numbers_are_written, columns_are_judged_as_by_the_decoder,
	  events_are_read_in_blocks, slices_are_read_in_blocks)
