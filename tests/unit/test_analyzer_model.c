/* From a trace's bytes to sums: what is right, and what damage does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "make_trace.h"
#include "unit.h"

#define MS 1000000ull

/* An open trace of bytes in memory. */
struct loaded {
	struct ct_reader reader;
	struct ct_model model;
	struct ct_report report;
	int error; /* of ct_reader_open */
};

static char path[64];
static int file = -1;

/* The file descriptor's path is read by the reader as any other. */
static void put_file(const void *data, size_t n)
{
	if (file < 0) {
		file = memfd_create("trace", 0);
		ck_assert_int_ge(file, 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(pwrite(file, data, n, 0), (ssize_t)n);
}

static void load(struct loaded *l, const void *data, size_t n, const struct ct_options *o)
{
	static const struct ct_options all = { .top = 0 };

	put_file(data, n);
	memset(l, 0, sizeof(*l));
	l->error = ct_reader_open(&l->reader, path);
	if (l->error)
		return;
	ck_assert_int_eq(ct_model_load(&l->model, &l->reader, o ? o : &all), 0);
	ck_assert_int_eq(ct_report_make(&l->report, &l->model, 0), 0);
}

static void unload(struct loaded *l)
{
	if (l->error)
		return;
	ct_report_close(&l->report);
	ct_model_free(&l->model);
	ct_reader_close(&l->reader);
}

/* The contract: causes and threads add up to the same, and every life is whole. */
static void check_books(const struct loaded *l)
{
	uint64_t by_cause_ns = 0, by_thread_ns = 0, by_site_ns = 0;

	for (uint32_t i = 0; i < l->report.cause_count; i++)
		by_cause_ns += l->report.cause[i].total_ns;
	for (uint32_t i = 0; i < l->report.site_count; i++)
		by_site_ns += l->report.site[i].total_ns;
	for (uint32_t i = 0; i < l->report.thread_count; i++) {
		const struct ct_thread_info *t = &l->model.thread[l->report.thread[i]];

		by_thread_ns += t->blocked_ns;
		ck_assert_uint_eq(t->running_ns + t->runnable_ns + t->blocked_ns + t->excluded_ns + t->unexplained_ns +
				  t->unknown_ns, t->lifetime_ns);
	}
	ck_assert_uint_eq(by_cause_ns, by_thread_ns);
	ck_assert_uint_eq(by_site_ns, by_thread_ns);
}

static const struct ct_cause_row *cause(const struct loaded *l, const char *name)
{
	for (uint32_t i = 0; i < l->report.cause_count; i++)
		if (!strcmp(ct_model_cause_name(&l->model, l->report.cause[i].cause), name))
			return &l->report.cause[i];
	return NULL;
}

START_TEST(small_trace_adds_up)
{
	struct make_trace t = { 0 };
	struct loaded l;

	make_small(&t);
	load(&l, t.file.data, t.file.size, NULL);
	ck_assert_int_eq(l.error, 0);
	check_books(&l);
	ck_assert_uint_eq(l.model.events, 9);
	ck_assert_uint_eq(l.reader.damaged, 0);
	ck_assert(l.reader.has_trailer && l.model.has_end);
	ck_assert_uint_eq(l.model.end_ns - l.model.start_ns, 100 * MS);

	const struct ct_cause_row *mutex = cause(&l, "mutex");

	ck_assert_uint_eq(mutex->count, 4);
	ck_assert_uint_eq(mutex->unknown, 1);
	ck_assert_uint_eq(mutex->total_ns, 22 * MS);
	ck_assert_uint_eq(mutex->max_ns, 10 * MS);
	/* Without what is nested in it. */
	ck_assert_uint_eq(cause(&l, "poll")->total_ns, 8 * MS);
	ck_assert_uint_eq(cause(&l, "sleep")->open, 1);
	/* Two processes, one place: the modules lie elsewhere. */
	ck_assert_uint_eq(l.report.site_count, 4);
	ck_assert_uint_eq(l.report.site[0].total_ns, 22 * MS);
	ck_assert_uint_eq(l.report.site[0].owned, 3);
	ck_assert_uint_eq(l.report.site[0].waiters.item_count, 2);
	ck_assert(!l.report.site[0].idle && !l.report.site[1].idle && l.report.site[2].idle);

	ck_assert_uint_eq(l.report.lock_count, 2);
	const struct ct_lock_row *lock = &l.report.lock[0];

	ck_assert_str_eq(lock->label, "mutex program+0x8000");
	ck_assert_uint_eq(lock->acquisitions, 20);
	ck_assert_uint_eq(lock->contended, 3);
	ck_assert_uint_eq(lock->wait_ns, 15 * MS);
	ck_assert_uint_eq(lock->hold_ns, 12 * MS);
	ck_assert_str_eq(lock->owners.item[0].label, "worker-1 (101)");
	ck_assert_uint_eq(lock->owners.item[0].count, 3);
	ck_assert_uint_eq(lock->owners.item[0].hold_ns, 11 * MS);
	unload(&l);
	make_free(&t);
}
END_TEST

static uint64_t blocked(const struct make_trace *t, const struct ct_options *o, uint32_t *ret_threads)
{
	struct loaded l;

	load(&l, t->file.data, t->file.size, o);
	ck_assert_int_eq(l.error, 0);
	check_books(&l);
	uint64_t ns = l.report.blocked_ns;

	*ret_threads = l.report.thread_count;
	unload(&l);
	return ns;
}

START_TEST(options_select)
{
	struct make_trace t = { 0 };
	uint32_t threads;

	make_small(&t);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ 0 }, &threads), 72 * MS);
	ck_assert_uint_eq(threads, 5);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .thread = "worker-*" }, &threads), 25 * MS);
	ck_assert_uint_eq(threads, 2);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .thread = "102" }, &threads), 15 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .thread = "nobody" }, &threads), 0);
	ck_assert_uint_eq(threads, 0);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .process = "200" }, &threads), 47 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .cause = { "mutex" }, .cause_count = 1 }, &threads), 22 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .cause = { "mutex", "pipe" }, .cause_count = 2 }, &threads),
			  24 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .min_ns = 9 * MS }, &threads), 50 * MS);
	struct ct_options window = { .from = { true, false, 25 * MS, 0 }, .to = { true, false, 42 * MS, 0 } };

	/* 5 + 2 of the lock, 5 of the poll. */
	ck_assert_uint_eq(blocked(&t, &window, &threads), 12 * MS);
	window.from = (struct ct_moment){ true, CT_MOMENT_SHARE, 0, 0.25 };
	window.to = (struct ct_moment){ true, CT_MOMENT_SHARE, 0, 0.42 };
	ck_assert_uint_eq(blocked(&t, &window, &threads), 12 * MS);
	window.from = (struct ct_moment){ true, CT_MOMENT_BEFORE, 75 * MS, 0 };
	window.to = (struct ct_moment){ true, CT_MOMENT_CLOCK, MAKE_START_NS + 42 * MS, 0 };
	ck_assert_uint_eq(blocked(&t, &window, &threads), 12 * MS);
	window.from = (struct ct_moment){ true, CT_MOMENT_AFTER, 60 * MS, 0 };
	ck_assert_uint_eq(blocked(&t, &window, &threads), 0);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .cause = { "contention" }, .cause_count = 1 }, &threads),
			  22 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .object = "^mutex [a-z]+\\+0x[0-9a-f]+$" }, &threads), 22 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .object = "^pipe .*77" }, &threads), 2 * MS);
	ck_assert_uint_eq(blocked(&t, &(struct ct_options){ .site = "no such function" }, &threads), 0);
	make_free(&t);
}
END_TEST

START_TEST(parts_of_a_trace_make_the_whole)
{
	struct make_trace t = { 0 };
	uint32_t threads;
	uint64_t sum_ns = 0, state = 5, at = 0;

	make_large(&t, 30000);
	uint64_t whole_ns = blocked(&t, NULL, &threads);

	while (at < 4000 * MS) {
		uint64_t next = at + unit_random(&state) % (100 * MS);
		struct ct_options o = { .from = { true, false, at, 0 }, .to = { true, false, next, 0 } };

		sum_ns += blocked(&t, &o, &threads);
		at = next;
	}
	ck_assert_uint_eq(sum_ns, whole_ns);
	make_free(&t);
}
END_TEST

/* Runs every command over the bytes. Whatever is in them, none may fail. */
static void run_all(const void *data, size_t n, const struct ct_options *o, bool whole)
{
	int (*const commands[])(struct ct_context *) = { ct_cmd_blocks, ct_cmd_locks, ct_cmd_dump, ct_cmd_check,
							 ct_cmd_stats,	ct_cmd_threads, ct_cmd_sched };
	static FILE *null;

	if (!null)
		null = fopen("/dev/null", "w");
	ck_assert_ptr_nonnull(null);
	put_file(data, n);
	for (size_t i = 0; i < (whole ? 7 : 4); i++) {
		struct ct_context c = { .options = o, .out = { null, true, 80 } };

		if (ct_reader_open(&c.reader, path))
			return;
		int error = commands[i](&c);

		ck_assert_msg(!error, "command %zu: %s", i, strerror(-error));
		ct_reader_close(&c.reader);
	}
}

static void cut_anywhere(void (*make)(struct make_trace *), size_t step, uint64_t events)
{
	static const struct ct_options text = { .top = 10 }, json = { .top = 0, .json = true };
	struct make_trace t = { 0 };
	uint64_t last_events = 0;

	make(&t);
	for (size_t n = 0; n < t.file.size; n += step) {
		struct loaded l;

		load(&l, t.file.data, n, NULL);
		if (n < sizeof(struct ct_file_header)) {
			ck_assert_int_eq(l.error, n ? CT_READER_NO_TRACE : CT_READER_EMPTY);
			continue;
		}
		ck_assert_int_eq(l.error, 0);
		ck_assert(!l.reader.has_trailer);
		check_books(&l);
		ck_assert_uint_ge(l.model.events, last_events);
		last_events = l.model.events;
		unload(&l);
		run_all(t.file.data, n, n % 2 ? &text : &json, false);
	}
	ck_assert_uint_eq(last_events, events);
	make_free(&t);
}

START_TEST(cut_anywhere_it_reads_what_is_whole)
{
	cut_anywhere(make_small, 1, 9);
	cut_anywhere(make_scheduled, 7, 3);
}
END_TEST

static void change_any_byte(void (*make)(struct make_trace *), size_t step)
{
	static const struct ct_options text = { .top = 10 };
	struct make_trace t = { 0 };

	make(&t);
	for (size_t at = 0; at < t.file.size; at += step) {
		uint8_t was = t.file.data[at];
		struct loaded l;

		t.file.data[at] = (uint8_t)(was ^ (1u << at % 8));
		load(&l, t.file.data, t.file.size, NULL);
		if (at < sizeof(struct ct_file_header)) {
			ck_assert_int_ne(l.error, 0);
		} else {
			ck_assert_int_eq(l.error, 0);
			check_books(&l);
			/* The index is for checks only; its damage is seen by those. */
			run_all(t.file.data, t.file.size, &text, false);
		}
		unload(&l);
		t.file.data[at] = was;
	}
	make_free(&t);
}

START_TEST(any_byte_may_be_wrong)
{
	change_any_byte(make_small, 1);
	change_any_byte(make_scheduled, 11);
}
END_TEST

/* Damage that checksums do not show: a chunk of each kind, changed and sealed again. */
static void reseal(struct make_trace *t, size_t at, const uint8_t *payload, size_t n)
{
	struct ct_chunk_header h;

	memcpy(&h, t->file.data + at, sizeof(h));
	t->file.size = at;
	h.codec = CT_CODEC_RAW;
	h.raw_bytes = h.stored_bytes = (uint32_t)n;
	h.stored_crc = ct_crc32c(payload, n);
	h.crc = ct_crc32c(&h, offsetof(struct ct_chunk_header, crc));
	ct_put_bytes(&t->file, &h, sizeof(h));
	ct_put_bytes(&t->file, payload, n);
}

static void change_payloads(void (*make)(struct make_trace *), uint32_t rounds)
{
	static const struct ct_options text = { .top = 10 }, json = { .top = 0, .json = true };
	struct make_trace t = { 0 };
	struct ct_reader r;
	struct ct_chunk chunks[16];
	uint32_t count = 0;
	uint64_t state = 99;

	make(&t);
	put_file(t.file.data, t.file.size);
	ck_assert_int_eq(ct_reader_open(&r, path), 0);
	while (count < 16 && ct_reader_next(&r, &chunks[count]) > 0)
		count++;
	ck_assert_uint_ge(count, 5);
	for (uint32_t round = 0; round < rounds; round++) {
		const struct ct_chunk *c = &chunks[round % count];
		struct ct_span payload;
		struct ct_buf copy = { 0 };

		if (c->header.kind != CT_CHUNK_RECORDS && c->header.kind != CT_CHUNK_EVENTS &&
		    c->header.kind != CT_CHUNK_SWITCHES)
			continue;
		/* Reads its own file again: put_file has overwritten it. */
		put_file(t.file.data, t.file.size);
		ck_assert_int_eq(ct_reader_payload(&r, c, &payload), 0);
		ct_put_bytes(&copy, payload.p, (size_t)(payload.end - payload.p));
		for (uint64_t k = unit_random(&state) % 4; k != UINT64_MAX; k--) {
			size_t at = unit_random(&state) % copy.size;

			copy.data[at] = k % 2 ? (uint8_t)unit_random(&state) : copy.data[at] ^ 0x80;
		}
		struct make_trace bad = { 0 };

		ct_put_bytes(&bad.file, t.file.data, t.file.size);
		reseal(&bad, c->offset, copy.data, copy.size);
		/* What came behind it. */
		size_t next = c->offset + sizeof(c->header) + c->header.stored_bytes;

		ct_put_bytes(&bad.file, t.file.data + next, t.file.size - next);
		run_all(bad.file.data, bad.file.size, round % 2 ? &text : &json, true);
		ct_buf_free(&bad.file);
		ct_buf_free(&copy);
	}
	ct_reader_close(&r);
	make_free(&t);
}

START_TEST(hostile_payloads_do_no_harm)
{
	change_payloads(make_small, 1500);
	change_payloads(make_scheduled, 500);
}
END_TEST

START_TEST(what_is_no_trace_is_told_apart)
{
	struct make_trace t = { 0 };
	struct ct_reader r;
	struct ct_file_header h;

	ck_assert_int_eq(ct_reader_open(&r, "/nowhere/at/all"), -ENOENT);
	ck_assert_int_eq(ct_reader_open(&r, "/"), -EISDIR);
	ck_assert_int_eq(ct_reader_open(&r, "/dev/null"), CT_READER_KIND);
	put_file("this is a text, and a long one: longer than the header of a trace is, by far", 76);
	ck_assert_int_eq(ct_reader_open(&r, path), CT_READER_NO_TRACE);
	make_small(&t);
	memcpy(&h, t.file.data, sizeof(h));
	h.version = 2;
	h.crc = ct_crc32c(&h, offsetof(struct ct_file_header, crc));
	memcpy(t.file.data, &h, sizeof(h));
	put_file(t.file.data, t.file.size);
	ck_assert_int_eq(ct_reader_open(&r, path), CT_READER_VERSION);
	h.version = 1;
	h.must_know = 4;
	h.crc = ct_crc32c(&h, offsetof(struct ct_file_header, crc));
	memcpy(t.file.data, &h, sizeof(h));
	put_file(t.file.data, t.file.size);
	ck_assert_int_eq(ct_reader_open(&r, path), CT_READER_VERSION);
	make_free(&t);
}
END_TEST

/* The rules that check knows, each broken once. */
static uint64_t violations(const struct make_trace *t)
{
	static const struct ct_options o = { .top = 10 };
	struct ct_context c = { .options = &o, .out = { fopen("/dev/null", "w"), false, 80 } };

	put_file(t->file.data, t->file.size);
	ck_assert_int_eq(ct_reader_open(&c.reader, path), 0);
	ck_assert_int_eq(ct_cmd_check(&c), 0);
	ct_reader_close(&c.reader);
	fclose(c.out.file);
	return c.violations;
}

START_TEST(check_finds_broken_rules)
{
	for (int rule = 0; rule < 8; rule++) {
		struct make_trace t = { 0 };
		struct ct_site site = { .cause = CT_CAUSE_MUTEX, .call = CT_CALL_pthread_mutex_lock };

		make_begin(&t);
		make_process(&t, 1, 100, "program");
		make_thread(&t, 1, 1, 100, 0, "main");
		if (rule == 1)
			site.stack = 7;
		if (rule == 2)
			site.call = 4000;
		if (rule == 3)
			site.cause = 200;
		if (rule == 4)
			site = (struct ct_site){ .cause = CT_CAUSE_PIPE, .object_kind = CT_OBJECT_FD, .object = 9 };
		if (rule == 5)
			make_thread(&t, 2, 9, 101, 0, "of nobody");
		make_wait(&t, 1, site, 10, 20);
		make_wait(&t, rule == 6 ? 3 : 1, site, 11, rule == 7 ? 19 : 25);
		make_events_chunk(&t, 1);
		make_thread_end(&t, 1, 100, 0, 0);
		make_end(&t, 100);
		if (rule)
			ck_assert_msg(violations(&t) > 0, "rule %d", rule);
		else
			ck_assert_uint_eq(violations(&t), 0);
		make_free(&t);
	}
}
END_TEST

TEST_MAIN("analyzer model", small_trace_adds_up, options_select, parts_of_a_trace_make_the_whole,
	  cut_anywhere_it_reads_what_is_whole, any_byte_may_be_wrong, hostile_payloads_do_no_harm,
	  what_is_no_trace_is_told_apart, check_finds_broken_rules)
