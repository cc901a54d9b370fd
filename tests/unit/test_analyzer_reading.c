/* However a trace is read, the answer is the same: ahead or not, all of it or only what a window needs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "make_trace.h"
#include "unit.h"

static char path[4096];
static int file = -1;

static void put_file(const void *data, size_t n)
{
	if (file < 0) {
		file = memfd_create("trace", 0);
		ck_assert_int_ge(file, 0);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ck_assert_int_eq(pwrite(file, data, n, 0), (ssize_t)n);
}

/* What a command says, and what it makes of the file's state. */
struct said {
	char *text;
	size_t bytes;
	uint64_t damaged, damage_offset;
	const char *damage;
};

static struct said say(int (*command)(struct ct_context *), const struct ct_options *o, bool ahead, bool whole)
{
	struct said s = { 0 };
	struct ct_context c = { .options = o, .out = { open_memstream(&s.text, &s.bytes), false, 80 } };

	setenv(CT_ENV_READ_AHEAD, ahead ? "1" : "0", 1);
	ck_assert_int_eq(ct_reader_open(&c.reader, path), 0);
	c.reader.whole = whole;
	int error = command(&c);

	ck_assert_msg(!error, "%s", strerror(-error));
	ck_assert_int_eq(fclose(c.out.file), 0);
	s.damaged = c.reader.damaged;
	s.damage_offset = c.reader.damage_offset;
	s.damage = c.reader.damage;
	ct_reader_close(&c.reader);
	return s;
}

static void check_same(const struct said *a, const struct said *b, const char *what)
{
	size_t at = 0;

	while (at < a->bytes && at < b->bytes && a->text[at] == b->text[at])
		at++;
	size_t from = at > 300 ? at - 300 : 0;

	ck_assert_msg(a->bytes == b->bytes && at == a->bytes, "%s: at %zu\n%.600s\n---\n%.600s\n", what, at,
		      a->text + from, b->text + from);
	ck_assert_uint_eq(a->damaged, b->damaged);
	if (a->damaged) {
		ck_assert_uint_eq(a->damage_offset, b->damage_offset);
		ck_assert_str_eq(a->damage, b->damage);
	}
}

static int (*const commands[])(struct ct_context *) = {
	ct_cmd_blocks, ct_cmd_threads, ct_cmd_sched, ct_cmd_locks, ct_cmd_wakers, ct_cmd_path, ct_cmd_deadlocks,
	ct_cmd_dump, ct_cmd_stats, ct_cmd_check,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void ahead_or_not(size_t count)
{
	static const struct ct_options all = { .json = true };

	for (size_t i = 0; i < count; i++) {
		struct said a = say(commands[i], &all, true, false), b = say(commands[i], &all, false, false);

		check_same(&a, &b, "ahead");
		free(a.text);
		free(b.text);
	}
}

static void make_large_one(struct make_trace *t)
{
	make_large(t, 40000);
}

static void make_busy_one(struct make_trace *t)
{
	make_busy(t, 30000);
}

static void (*const makers[])(struct make_trace *) = { make_small, make_scheduled, make_large_one, make_busy_one };

#define MAKERS (sizeof(makers) / sizeof(makers[0]))

START_TEST(reading_ahead_changes_nothing)
{
	for (size_t i = 0; i < MAKERS; i++) {
		struct make_trace t = { 0 };

		makers[i](&t);
		put_file(t.file.data, t.file.size);
		ahead_or_not(COMMANDS);
		make_free(&t);
	}
}
END_TEST

/* Cut, and with bytes changed: what is found when, and counted how often. */
static void damage(void (*make)(struct make_trace *))
{
	struct make_trace t = { 0 };
	uint64_t state = 7;

	make(&t);
	for (uint32_t k = 0; k < 60; k++) {
		size_t at = 64 + unit_random(&state) % (t.file.size - 64), n = k % 3 ? t.file.size : at;
		uint8_t before = t.file.data[at];

		t.file.data[at] ^= (uint8_t)(1 + unit_random(&state) % 255);
		put_file(t.file.data, n);
		ahead_or_not(COMMANDS);
		t.file.data[at] = before;
	}
	make_free(&t);
}

START_TEST(damage_is_the_same_when_read_ahead)
{
	damage(make_small);
	damage(make_scheduled);
}
END_TEST

/* Of a window: all that is there against only what it needs, by the index and by a scan. */
static void window(const struct ct_options *o)
{
	for (size_t i = 0; i < 4; i++) {
		struct said a = say(commands[i], o, false, true), b = say(commands[i], o, true, false);

		check_same(&a, &b, "window");
		free(a.text);
		free(b.text);
	}
}

static void windows(void)
{
	static const double shares[][2] = { { 0, 0.1 }, { 0.4, 0.6 }, { 0.5, 0.5 }, { 0.333, 0.334 }, { 0.999, 1 } };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct ct_options o = { .json = true, .from = { true, true, 0, shares[i][0] },
					.to = { true, true, 0, shares[i][1] } };

		window(&o);
		o.to.given = false;
		window(&o);
		o.thread = "worker*";
		window(&o);
	}
}

START_TEST(a_window_needs_only_its_chunks)
{
	for (size_t i = 0; i < MAKERS; i++) {
		struct make_trace t = { 0 };

		makers[i](&t);
		put_file(t.file.data, t.file.size);
		windows();
		/* Without the trailer there is no index. */
		put_file(t.file.data, t.file.size - sizeof(struct ct_trailer));
		windows();
		make_free(&t);
	}
}
END_TEST

/* Any trace; for those who change the readers: CTRACE_TEST_TRACE=FILE. */
START_TEST(so_it_is_with_a_given_trace)
{
	const char *given = getenv("CTRACE_TEST_TRACE");

	if (!given)
		return;
	snprintf(path, sizeof(path), "%s", given);
	windows();
	ahead_or_not(5);
}
END_TEST

TEST_MAIN("analyzer reading", reading_ahead_changes_nothing, damage_is_the_same_when_read_ahead,
	  a_window_needs_only_its_chunks, so_it_is_with_a_given_trace)
