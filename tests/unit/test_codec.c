/* abi/codec.c and abi/events.c. Built twice: plain, and with ASan and UBSan, where every
 * input lies in a block of exactly its size, so that a read beyond it is found. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "unit.h"

/* A copy in a block of exactly n bytes. */
static uint8_t *exact(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

/* What a byte is changed by: each bit, and some of the values that lengths may take. */
static const uint8_t flips[] = { 1, 2, 4, 8, 16, 32, 64, 128, 0xff, 0x7f, 3, 0x81 };

static struct ct_span span_of(const struct ct_buf *b)
{
	return (struct ct_span){ b->data, b->data + b->size };
}

/* --- varints --- */

START_TEST(varint_round_trip)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0x3fff, 0x4000, UINT32_MAX, 1ull << 32, INT64_MAX,
					  1ull << 63, UINT64_MAX };
	struct ct_buf b = { 0 };

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		ct_put_varint(&b, edges[i]);
	for (unsigned shift = 0; shift < 64; shift++)
		for (uint64_t d = 0; d < 3; d++)
			ct_put_varint(&b, (1ull << shift) + d - 1);

	struct ct_span s = span_of(&b);
	uint64_t v;

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		ck_assert_int_eq(ct_get_varint(&s, &v), 0);
		ck_assert_uint_eq(v, edges[i]);
	}
	for (unsigned shift = 0; shift < 64; shift++)
		for (uint64_t d = 0; d < 3; d++) {
			ck_assert_int_eq(ct_get_varint_fast(&s, &v), 0);
			ck_assert_uint_eq(v, (1ull << shift) + d - 1);
		}
	ck_assert_ptr_eq(s.p, s.end);
	ct_buf_free(&b);
}
END_TEST

START_TEST(varint_size)
{
	struct ct_buf b = { 0 };

	for (unsigned bits = 1; bits <= 64; bits++) {
		ct_buf_clear(&b);
		ct_put_varint(&b, bits == 64 ? UINT64_MAX : (1ull << bits) - 1);
		ck_assert_uint_eq(b.size, (bits + 6) / 7);
	}
	ct_buf_clear(&b);
	ct_put_varint(&b, 0);
	ck_assert_uint_eq(b.size, 1);
	ct_buf_free(&b);
}
END_TEST

/* What get_varint says of some bytes; -1 stands for damage. */
static void check_varint(const char *bytes, size_t n, int expect, uint64_t value, size_t used)
{
	uint8_t *p = exact(bytes, n);
	struct ct_span s = { p, p + n };
	uint64_t v = 4711;
	int r = ct_get_varint(&s, &v);

	ck_assert_int_eq(r, expect);
	ck_assert_uint_eq(v, expect ? 4711 : value);
	ck_assert_uint_eq((size_t)(s.p - p), expect ? 0 : used);
	free(p);
}

START_TEST(varint_limits)
{
	check_varint("", 0, -EBADMSG, 0, 0);
	check_varint("\x80", 1, -EBADMSG, 0, 0);
	check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, -EBADMSG, 0, 0);
	check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, 0, UINT64_MAX, 10);
	check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, -EBADMSG, 0, 0);
	check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, -EBADMSG, 0, 0);
	check_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, -EBADMSG, 0, 0);
	/* Longer than needed, but not too long: the document accepts it. */
	check_varint("\x81\x00", 2, 0, 1, 2);
	check_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, 0, 0, 10);
	check_varint("\x05\x06", 2, 0, 5, 1);
}
END_TEST

START_TEST(zigzag)
{
	static const int64_t signed_[] = { 0, -1, 1, -2, 2, INT64_MAX, INT64_MIN };
	static const uint64_t coded[] = { 0, 1, 2, 3, 4, UINT64_MAX - 1, UINT64_MAX };

	for (size_t i = 0; i < 7; i++) {
		ck_assert_uint_eq(ct_zigzag(signed_[i]), coded[i]);
		ck_assert_int_eq(ct_unzigzag(coded[i]), signed_[i]);
	}
}
END_TEST

START_TEST(spans)
{
	uint8_t *p = exact("\x03" "abc" "\x02" "d", 6);
	struct ct_span s = { p, p + 6 }, inner;

	ck_assert_int_eq(ct_get_span(&s, &inner), 0);
	ck_assert_uint_eq((size_t)(inner.end - inner.p), 3);
	ck_assert_int_eq(memcmp(inner.p, "abc", 3), 0);
	ck_assert_int_eq(ct_get_span(&s, &inner), -EBADMSG);
	ck_assert_ptr_eq(s.p, p + 4);
	free(p);

	/* A length that would wrap around an address. */
	p = exact("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
	s = (struct ct_span){ p, p + 10 };
	ck_assert_int_eq(ct_get_span(&s, &inner), -EBADMSG);
	free(p);
}
END_TEST

/* --- CRC --- */

static uint32_t slow_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

START_TEST(crc_vectors)
{
	uint8_t b[48];

	ck_assert_uint_eq(ct_crc32c("", 0), 0);
	ck_assert_uint_eq(ct_crc32c("a", 1), 0xc1d04330);
	ck_assert_uint_eq(ct_crc32c("123456789", 9), 0xe3069283);
	/* RFC 3720, B.4 */
	memset(b, 0, 32);
	ck_assert_uint_eq(ct_crc32c(b, 32), 0x8a9136aa);
	memset(b, 0xff, 32);
	ck_assert_uint_eq(ct_crc32c(b, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	ck_assert_uint_eq(ct_crc32c(b, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(ct_crc32c(b, 32), 0x113fdb5c);
}
END_TEST

START_TEST(crc_any_length_and_alignment)
{
	uint64_t seed = 1;
	uint8_t b[128];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)unit_random(&seed);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n + from <= sizeof(b); n++)
			ck_assert_uint_eq(ct_crc32c(b + from, n), slow_crc(b + from, n));
}
END_TEST

/* --- records --- */

static const uint64_t numbers[] = { 1, 0, 300, UINT64_MAX };

/* Every record of records.def with its fields set to values that depend on seed. */
static struct ct_record sample(uint64_t type, uint64_t seed)
{
	static const char *const texts[] = { "", "a", "name with space", "\xff\xfe\x01", "/usr/bin/python3.11" };
	struct ct_record record = { .type = type };

#define SET_U(f) r->f = unit_random(&seed) >> (unit_random(&seed) % 64);
#define SET_S(f) r->f = (int64_t)unit_random(&seed) >> (unit_random(&seed) % 64);
#define SET_T(f) r->f = ct_text_of(texts[unit_random(&seed) % 5]);
#define SET_A(f) r->f = (struct ct_array){ .v = numbers, .n = unit_random(&seed) % 5 };
#define CT_RECORD(NAME, name, number) \
	case number: { \
		struct ct_record_##name *r = &record.name; \
		CT_FIELDS_##NAME(SET_U, SET_S, SET_T, SET_A) \
		break; \
	}
	switch (type) {
#include "records.def"
	}
#undef CT_RECORD
#undef SET_U
#undef SET_S
#undef SET_T
#undef SET_A
	return record;
}

static void check_array(struct ct_array put, struct ct_array got)
{
	uint64_t v;

	ck_assert_uint_eq(got.n, put.n);
	for (size_t i = 0; i < put.n; i++) {
		ck_assert_int_eq(ct_get_varint(&got.packed, &v), 0);
		ck_assert_uint_eq(v, put.v[i]);
	}
	ck_assert_ptr_eq(got.packed.p, got.packed.end);
}

/* Fields from the given one on must be zero; those before it as put. */
static void check_record(const struct ct_record *put, const struct ct_record *got, unsigned fields)
{
	static const struct ct_text no_text;
	unsigned i = 0;

	ck_assert_uint_eq(put->type, got->type);
#define CHECK_U(f) ck_assert_uint_eq(b->f, i++ < fields ? a->f : 0);
#define CHECK_S(f) ck_assert_int_eq(b->f, i++ < fields ? a->f : 0);
#define CHECK_T(f) \
	{ \
		struct ct_text t = i++ < fields ? a->f : no_text; \
		ck_assert_uint_eq(b->f.n, t.n); \
		if (t.n) \
			ck_assert_int_eq(memcmp(b->f.p, t.p, t.n), 0); \
	}
#define CHECK_A(f) check_array(i++ < fields ? a->f : (struct ct_array){ 0 }, b->f);
#define CT_RECORD(NAME, name, number) \
	case number: { \
		const struct ct_record_##name *a = &put->name, *b = &got->name; \
		CT_FIELDS_##NAME(CHECK_U, CHECK_S, CHECK_T, CHECK_A) \
		break; \
	}
	switch (put->type) {
#include "records.def"
	}
#undef CT_RECORD
#undef CHECK_U
#undef CHECK_S
#undef CHECK_T
#undef CHECK_A
}

#define COUNT_FIELD(f) +1
#define CT_RECORD(NAME, name, number) \
	[number] = CT_FIELDS_##NAME(COUNT_FIELD, COUNT_FIELD, COUNT_FIELD, COUNT_FIELD),
static const unsigned field_count[] = {
#include "records.def"
};
#undef CT_RECORD
#define RECORD_END (sizeof(field_count) / sizeof(field_count[0]))

START_TEST(record_round_trip)
{
	struct ct_buf b = { 0 };

	for (uint64_t seed = 0; seed < 50; seed++) {
		ct_buf_clear(&b);
		for (uint64_t type = 1; type < RECORD_END; type++) {
			struct ct_record r = sample(type, seed * 100 + type);

			ct_put_record(&b, &r);
		}
		ck_assert(!b.failed);

		struct ct_span s = span_of(&b);
		struct ct_record got;

		for (uint64_t type = 1; type < RECORD_END; type++) {
			struct ct_record put = sample(type, seed * 100 + type);

			ck_assert_int_eq(ct_get_record(&s, &got), 1);
			check_record(&put, &got, field_count[type]);
		}
		ck_assert_int_eq(ct_get_record(&s, &got), 0);
	}
	ct_buf_free(&b);
}
END_TEST

START_TEST(record_with_appended_fields)
{
	struct ct_buf b = { 0 }, one = { 0 };

	for (uint64_t type = 1; type < RECORD_END; type++) {
		struct ct_record put = sample(type, type), got;
		uint64_t number, length;

		ct_buf_clear(&one);
		ct_put_record(&one, &put);
		struct ct_span s = span_of(&one);

		ck_assert_int_eq(ct_get_varint(&s, &number), 0);
		ck_assert_int_eq(ct_get_varint(&s, &length), 0);
		ct_buf_clear(&b);
		ct_put_varint(&b, number);
		ct_put_varint(&b, length + 5);
		ct_put_bytes(&b, s.p, length);
		ct_put_bytes(&b, "\x01\xff\xff\xff\xff", 5); /* a newer writer's business */
		ct_put_bytes(&b, "\x01\x00", 2);             /* an empty META */

		uint8_t *p = exact(b.data, b.size);

		s = (struct ct_span){ p, p + b.size };
		ck_assert_int_eq(ct_get_record(&s, &got), 1);
		check_record(&put, &got, field_count[type]);
		ck_assert_int_eq(ct_get_record(&s, &got), 1);
		ck_assert_uint_eq(got.type, CT_RECORD_META);
		ck_assert_int_eq(ct_get_record(&s, &got), 0);
		free(p);
	}
	ct_buf_free(&b);
	ct_buf_free(&one);
}
END_TEST

/* Where the first n fields of a record end: found by the reader's own steps. */
static size_t fields_end(const struct ct_record *record, struct ct_span s, unsigned n)
{
	const uint8_t *first = s.p;
	struct ct_span text;
	uint64_t v, count;
	unsigned i = 0;

#define SKIP_U(f) if (i++ < n) ck_assert_int_eq(ct_get_varint(&s, &v), 0);
#define SKIP_T(f) if (i++ < n) ck_assert_int_eq(ct_get_span(&s, &text), 0);
#define SKIP_A(f) \
	if (i++ < n) { \
		ck_assert_int_eq(ct_get_varint(&s, &count), 0); \
		while (count--) \
			ck_assert_int_eq(ct_get_varint(&s, &v), 0); \
	}
#define CT_RECORD(NAME, name, number) \
	case number: \
		CT_FIELDS_##NAME(SKIP_U, SKIP_U, SKIP_T, SKIP_A) \
		break;
	switch (record->type) {
#include "records.def"
	}
#undef CT_RECORD
#undef SKIP_U
#undef SKIP_T
#undef SKIP_A
	return (size_t)(s.p - first);
}

START_TEST(record_with_missing_fields)
{
	struct ct_buf b = { 0 }, one = { 0 };

	for (uint64_t type = 1; type < RECORD_END; type++)
		for (unsigned n = 0; n <= field_count[type]; n++) {
			struct ct_record put = sample(type, type * 7 + n), got;
			uint64_t number, length;

			ct_buf_clear(&one);
			ct_put_record(&one, &put);
			struct ct_span s = span_of(&one);

			ck_assert_int_eq(ct_get_varint(&s, &number), 0);
			ck_assert_int_eq(ct_get_varint(&s, &length), 0);
			size_t keep = fields_end(&put, s, n);

			ck_assert(n < field_count[type] || keep == length);
			ct_buf_clear(&b);
			ct_put_varint(&b, number);
			ct_put_varint(&b, keep);
			ct_put_bytes(&b, s.p, keep);

			uint8_t *p = exact(b.data, b.size);

			s = (struct ct_span){ p, p + b.size };
			ck_assert_int_eq(ct_get_record(&s, &got), 1);
			check_record(&put, &got, n);
			ck_assert_int_eq(ct_get_record(&s, &got), 0);
			free(p);
		}
	ct_buf_free(&b);
	ct_buf_free(&one);
}
END_TEST

START_TEST(record_of_unknown_type)
{
	uint8_t *p = exact("\xe8\x07\x03" "xyz" "\x01\x00", 8);
	struct ct_span s = { p, p + 8 };
	struct ct_record got;

	ck_assert_int_eq(ct_get_record(&s, &got), 1);
	ck_assert_uint_eq(got.type, 1000);
	ck_assert_int_eq(ct_get_record(&s, &got), 1);
	ck_assert_uint_eq(got.type, CT_RECORD_META);
	ck_assert_uint_eq(got.meta.key.n, 0);
	ck_assert_int_eq(ct_get_record(&s, &got), 0);
	free(p);
}
END_TEST

static size_t read_records(const uint8_t *data, size_t n, bool *ret_damage)
{
	uint8_t *p = exact(data, n);
	struct ct_span s = { p, p + n };
	struct ct_record got;
	size_t count = 0;
	int r;

	while ((r = ct_get_record(&s, &got)) == 1) {
		count++;
		ck_assert(p <= s.p && s.p <= s.end);
		if (got.type == CT_RECORD_STACK) {
			struct ct_span frames = got.stack.frames.packed;
			uint64_t v;

			for (size_t i = 0; i < got.stack.frames.n; i++)
				ck_assert_int_eq(ct_get_varint(&frames, &v), 0);
		}
	}
	ck_assert(r == 0 || r == -EBADMSG);
	*ret_damage = r != 0;
	free(p);
	return count;
}

START_TEST(records_cut_and_flipped)
{
	struct ct_buf b = { 0 };
	size_t ends[RECORD_END] = { 0 };
	bool damage;

	for (uint64_t type = 1; type < RECORD_END; type++) {
		struct ct_record r = sample(type, type + 99);

		ct_put_record(&b, &r);
		ends[type] = b.size;
	}
	for (size_t n = 0; n <= b.size; n++) {
		size_t whole = 0;

		while (whole + 1 < RECORD_END && ends[whole + 1] <= n)
			whole++;
		ck_assert_uint_eq(read_records(b.data, n, &damage), whole);
		ck_assert_int_eq(damage, ends[whole] != n);
	}
	for (size_t at = 0; at < b.size; at++)
		for (size_t k = 0; k < sizeof(flips); k++) {
			b.data[at] ^= flips[k];
			read_records(b.data, b.size, &damage);
			b.data[at] ^= flips[k];
		}
	ct_buf_free(&b);
}
END_TEST

/* --- events --- */

struct sent {
	uint32_t thread;
	struct ct_site site;
	uint64_t start, end;
	int64_t result;
};

static struct sent random_event(uint64_t *seed, uint32_t threads, uint64_t clock)
{
	uint64_t r = unit_random(seed);
	struct sent e = {
		.thread = 1 + (uint32_t)(r % threads),
		.site = {
			.kind = r >> 8 & 1 ? CT_EVENT_INTERVAL : CT_EVENT_HOLD,
			.cause = (uint8_t)(r >> 9 & 15),
			.flags = (uint8_t)(r >> 13 & 15),
			.object_kind = (uint8_t)(r >> 17 & 3),
			.call = (uint32_t)(r >> 20 & 63),
			.stack = (uint32_t)(unit_random(seed) >> (32 + r % 31)),
			.owner = (uint32_t)(unit_random(seed) & 1 ? 0 : UINT32_MAX),
			.object = unit_random(seed) >> (r % 60),
			.aux = r & 1 << 30 ? unit_random(seed) : 0,
		},
		.start = clock + unit_random(seed) % 1000000,
		.result = (int64_t)unit_random(seed) >> (unit_random(seed) % 64),
	};

	/* Few sites, as in life: the table has to find them again. */
	if (r >> 40 & 7) {
		e.site.object = r >> 44 & 31;
		e.site.stack = (uint32_t)(r >> 50 & 15);
		e.site.aux = e.site.owner = 0;
	}
	e.end = e.start + (unit_random(seed) >> (24 + r % 40));
	return e;
}

static void check_events(struct ct_events_encoder *encoder, struct ct_events_decoder *d, uint32_t threads, size_t n,
			 uint64_t seed)
{
	struct sent *sent = calloc(n ? n : 1, sizeof(*sent));
	struct ct_buf out = { 0 };
	uint64_t clock = unit_random(&seed) >> 1, first = UINT64_MAX, last = 0;
	uint32_t changes = 0;

	ct_events_reset(encoder);
	for (size_t i = 0; i < n; i++) {
		sent[i] = random_event(&seed, threads, clock);
		/* Often several of one thread in a row, and sometimes back in time. */
		if (i && unit_random(&seed) % 4)
			sent[i].thread = sent[i - 1].thread;
		clock += unit_random(&seed) % 3000000 - 1000000;
		ct_events_add(encoder, sent[i].thread, &sent[i].site, sent[i].start, sent[i].end, sent[i].result);
		changes += !i || sent[i].thread != sent[i - 1].thread;
		first = sent[i].start < first ? sent[i].start : first;
		last = sent[i].end > last ? sent[i].end : last;
	}
	ck_assert_uint_eq(encoder->count, n);
	if (n) {
		ck_assert_uint_eq(encoder->first_ns, first);
		ck_assert_uint_eq(encoder->last_ns, last);
	}
	ck_assert_int_eq(ct_events_finish(encoder, &out), 0);

	uint8_t *p = exact(out.data, out.size);
	struct ct_events_cursor c;
	size_t i = 0;

	ck_assert_int_eq(ct_events_open(d, (struct ct_span){ p, p + out.size }), 0);
	ck_assert_uint_eq(d->count, n);
	ck_assert_uint_eq(d->batch_count, changes);
	for (uint32_t a = 0; a < d->site_count; a++)
		for (uint32_t b = 0; n < 300 && b < a; b++)
			ck_assert_int_ne(memcmp(&d->site[a], &d->site[b], sizeof(struct ct_site)), 0);
	ct_events_cursor(d, &c);
	for (uint32_t batch = 0; batch < d->batch_count; batch++) {
		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[batch].events; k++, i++) {
			ck_assert_uint_lt(i, n);
			ck_assert_int_eq(ct_events_next(&c), 0);
			const struct ct_site *site = &d->site[c.site];

			ck_assert_uint_eq(d->batch[batch].thread, sent[i].thread);
			ck_assert_uint_eq(c.start_ns, sent[i].start);
			ck_assert_uint_eq(c.end_ns, sent[i].end);
			ck_assert_uint_eq(c.duration_ns, sent[i].end - sent[i].start);
			ck_assert_int_eq(c.result, sent[i].result);
			ck_assert_uint_eq(site->kind, sent[i].site.kind);
			ck_assert_uint_eq(site->cause, sent[i].site.cause);
			ck_assert_uint_eq(site->flags, sent[i].site.flags);
			ck_assert_uint_eq(site->object_kind, sent[i].site.object_kind);
			ck_assert_uint_eq(site->call, sent[i].site.call);
			ck_assert_uint_eq(site->object, sent[i].site.object);
			ck_assert_uint_eq(site->aux, sent[i].site.aux);
			ck_assert_uint_eq(site->stack, sent[i].site.stack);
			ck_assert_uint_eq(site->owner, sent[i].site.owner);
		}
	}
	ck_assert_uint_eq(i, n);
	for (int k = 0; k < CT_COLUMNS; k++)
		ck_assert_ptr_eq(c.columns[k].p, c.columns[k].end);
	ck_assert_int_eq(ct_events_next(&c), -EBADMSG);
	free(p);
	free(sent);
	ct_buf_free(&out);
}

START_TEST(events_round_trip)
{
	static const struct {
		uint32_t threads;
		size_t events;
	} cases[] = { { 1, 0 }, { 1, 1 }, { 1, 2 }, { 2, 50 }, { 7, 257 }, { 100, 2000 }, { 4096, 9000 } };
	struct ct_events_encoder e = { 0 };
	struct ct_events_decoder d = { 0 };

	/* The same encoder and decoder all the way: nothing may stay behind. */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (uint64_t seed = 0; seed < 2; seed++)
			check_events(&e, &d, cases[i].threads, cases[i].events, seed * 1000 + i);
	check_events(&e, &d, 3, 40, 5);
	ct_events_free(&e);
	ct_events_close(&d);
}
END_TEST

START_TEST(events_extremes)
{
	struct ct_events_encoder e = { 0 };
	struct ct_events_decoder d = { 0 };
	struct ct_events_cursor c;
	struct ct_buf out = { 0 };
	struct ct_site site;

	memset(&site, 0xff, sizeof(site));
	ct_events_add(&e, UINT32_MAX, &site, UINT64_MAX, UINT64_MAX, INT64_MIN);
	ct_events_add(&e, UINT32_MAX, &site, 0, UINT64_MAX, INT64_MAX);
	ct_events_add(&e, UINT32_MAX, &site, 0, 0, -1);
	ck_assert_int_eq(ct_events_finish(&e, &out), 0);
	ck_assert_int_eq(ct_events_open(&d, span_of(&out)), 0);
	ck_assert_uint_eq(d.site_count, 1);
	ck_assert_int_eq(memcmp(&d.site[0], &site, sizeof(site)), 0);
	ck_assert_uint_eq(d.batch[0].thread, UINT32_MAX);
	ct_events_cursor(&d, &c);
	ck_assert_int_eq(ct_events_next(&c), 0);
	ck_assert(c.start_ns == UINT64_MAX && c.end_ns == UINT64_MAX && c.result == INT64_MIN);
	ck_assert_int_eq(ct_events_next(&c), 0);
	ck_assert(c.start_ns == 0 && c.end_ns == UINT64_MAX && c.result == INT64_MAX);
	ck_assert_int_eq(ct_events_next(&c), 0);
	ck_assert(c.start_ns == 0 && c.end_ns == 0 && c.result == -1);
	ct_events_free(&e);
	ct_events_close(&d);
	ct_buf_free(&out);
}
END_TEST

/* Decodes as the analyzer does. Returns events read; -1: refused on opening. */
static long read_events(struct ct_events_decoder *d, const uint8_t *data, size_t n)
{
	uint8_t *p = exact(data, n);
	struct ct_events_cursor c;
	long events = 0;
	int r = ct_events_open(d, (struct ct_span){ p, p + n });

	ck_assert(r == 0 || r == -EBADMSG);
	if (r) {
		free(p);
		return -1;
	}
	ct_events_cursor(d, &c);
	for (uint32_t batch = 0; batch < d->batch_count; batch++) {
		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[batch].events; k++, events++) {
			if (ct_events_next(&c)) {
				free(p);
				return events;
			}
			ck_assert_uint_lt(c.site, d->site_count);
		}
	}
	ck_assert_uint_eq(d->count, (unsigned long)events);
	free(p);
	return events;
}

START_TEST(events_cut_and_flipped)
{
	struct ct_events_encoder e = { 0 };
	struct ct_events_decoder d = { 0 };
	struct ct_buf out = { 0 };
	uint64_t seed = 3;

	for (int i = 0; i < 60; i++) {
		struct sent s = random_event(&seed, 3, 1000000000);

		ct_events_add(&e, s.thread, &s.site, s.start, s.end, s.result);
	}
	ck_assert_int_eq(ct_events_finish(&e, &out), 0);
	ck_assert_int_eq(read_events(&d, out.data, out.size), 60);
	/* The last column ends with the payload: no cut can go unnoticed. */
	for (size_t n = 0; n < out.size; n++)
		ck_assert_int_eq(read_events(&d, out.data, n), -1);
	for (size_t at = 0; at < out.size; at++)
		for (size_t k = 0; k < sizeof(flips); k++) {
			out.data[at] ^= flips[k];
			read_events(&d, out.data, out.size);
			out.data[at] ^= flips[k];
		}
	/* Bytes after the last column. */
	ct_put_bytes(&out, "", 1);
	ck_assert_int_eq(read_events(&d, out.data, out.size), -1);
	ct_events_free(&e);
	ct_events_close(&d);
	ct_buf_free(&out);
}
END_TEST

/* Counts that a damaged file may claim must not make the decoder allocate or loop. */
START_TEST(events_absurd_counts)
{
	static const uint64_t counts[] = { 1, 1000, 1ull << 31, 1ull << 32, 1ull << 60, UINT64_MAX };
	struct ct_events_decoder d = { 0 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct ct_buf b = { 0 };

		ct_put_varint(&b, 0);
		ct_put_varint(&b, counts[i]); /* sites */
		ck_assert_int_eq(read_events(&d, b.data, b.size), -1);
		ct_buf_clear(&b);
		ct_put_bytes(&b, "\0\0", 2);
		ct_put_varint(&b, counts[i]); /* batches */
		ck_assert_int_eq(read_events(&d, b.data, b.size), -1);
		ct_buf_clear(&b);
		ct_put_bytes(&b, "\0\0\1\1", 4);
		ct_put_varint(&b, counts[i]); /* events of a batch */
		ct_put_bytes(&b, "\0\0\0\0", 4);
		ck_assert_int_eq(read_events(&d, b.data, b.size), -1);
		ct_buf_clear(&b);
		ct_put_bytes(&b, "\0\0\0", 3);
		ct_put_varint(&b, counts[i]); /* length of a column */
		ct_put_bytes(&b, "\0\0\0", 3);
		ck_assert_int_eq(read_events(&d, b.data, b.size), -1);
		ct_buf_free(&b);
	}
	ct_events_close(&d);
}
END_TEST

START_TEST(events_random_bytes)
{
	struct ct_events_decoder d = { 0 };
	uint64_t seed = 11;
	uint8_t b[64];
	bool damage;

	for (int i = 0; i < 60000; i++) {
		size_t n = unit_random(&seed) % sizeof(b);

		for (size_t k = 0; k < n; k++)
			b[k] = unit_random(&seed) & 1 ? (uint8_t)(unit_random(&seed) % 4) :
							(uint8_t)unit_random(&seed);
		read_events(&d, b, n);
		read_records(b, n, &damage);
	}
	ct_events_close(&d);
}
END_TEST

TEST_MAIN("codec", varint_round_trip, varint_size, varint_limits, zigzag, spans, crc_vectors,
	  crc_any_length_and_alignment, record_round_trip, record_with_appended_fields, record_with_missing_fields,
	  record_of_unknown_type, records_cut_and_flipped, events_round_trip, events_extremes, events_cut_and_flipped,
	  events_absurd_counts, events_random_bytes)
