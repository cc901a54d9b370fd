/* Parts of the collector and of ctrace-run by themselves. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunk.h"
#include "chunks.h"
#include "clock.h"
#include "inspect.h"
#include "map.h"
#include "run.h"
#include "ticks.h"

/* --- clock --- */

static struct ct_clock clock_at(uint64_t ticks, uint64_t ns)
{
	struct ct_clock c;

	ck_assert_int_eq(ct_clock_init(&c), 0);
	c.knot[0] = (struct ct_knot){ .ticks = ticks, .ns = ns };
	return c;
}

START_TEST(clock_lies_on_the_line)
{
	struct ct_clock c = clock_at(1000, 500);

	ct_clock_add(&c, 3000, 1500);
	ct_clock_add(&c, 5000, 3500);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 1000), 500);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 2000), 1000);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 3000), 1500);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 4000), 2500);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 5000), 3500);
	/* Outside of all. */
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 9000), 3500);
	ck_assert_uint_eq(ct_clock_ns(&c, NULL, 10), 500);
	ct_clock_free(&c);
}
END_TEST

START_TEST(clock_begins_at_the_process_base)
{
	struct ct_clock c = clock_at(2000, 1000);
	struct ct_knot base = { .ticks = 1000, .ns = 600 }, wrong = { .ticks = 1000, .ns = 2000 };

	ck_assert_uint_eq(ct_clock_ns(&c, &base, 1000), 600);
	ck_assert_uint_eq(ct_clock_ns(&c, &base, 1500), 800);
	ck_assert_uint_eq(ct_clock_ns(&c, &base, 500), 600);
	ck_assert_uint_eq(ct_clock_ns(&c, &wrong, 1500), 1000);
	ct_clock_free(&c);
}
END_TEST

START_TEST(clock_refuses_to_run_backwards)
{
	struct ct_clock c = clock_at(1000, 500);

	ct_clock_add(&c, 900, 600);
	ct_clock_add(&c, 1100, 400);
	ck_assert_uint_eq(c.count, 1);
	ct_clock_free(&c);
}
END_TEST

/* A day of pairs fits into bounded memory, and old times hardly move. */
START_TEST(clock_is_thinned)
{
	struct ct_clock c = clock_at(0, 1000);
	uint64_t last = 0;

	for (uint64_t i = 1; i < 2000000; i++)
		ct_clock_add(&c, i * 23000000 / 10, 1000 + i * 1000000 + i % 7);
	ck_assert_uint_le(c.count, 16384);
	for (uint64_t i = 0; i < 2000000; i += 37) {
		uint64_t ns = ct_clock_ns(&c, NULL, i * 23000000 / 10), right = 1000 + i * 1000000;

		ck_assert_uint_ge(ns, last);
		ck_assert_uint_le(ns > right ? ns - right : right - ns, 10);
		last = ns;
	}
	ct_clock_free(&c);
}
END_TEST

START_TEST(clock_follows_the_machine)
{
	struct ct_clock c;

	ck_assert_int_eq(ct_clock_init(&c), 0);
	usleep(5000);
	uint64_t before = ct_now_ns(), ticks = ct_read_ticks(), after = ct_now_ns();

	usleep(1000);
	ct_clock_sync(&c);
	uint64_t ns = ct_clock_ns(&c, NULL, ticks);

	ck_assert_uint_ge(ns + 1000, before);
	ck_assert_uint_le(ns, after + 1000);
	ck_assert(ct_clock_rate(&c) > 1e6);
	ct_clock_free(&c);
}
END_TEST

/* --- map --- */

START_TEST(map_keeps_what_was_put)
{
	struct ct_map m = { 0 };

	ck_assert_uint_eq(ct_map_get(&m, 1), 0);
	for (uint32_t i = 1; i <= 10000; i++)
		ck_assert_int_eq(ct_map_put(&m, i * 4096ull, i), 0);
	for (uint32_t i = 1; i <= 10000; i++)
		ck_assert_uint_eq(ct_map_get(&m, i * 4096ull), i);
	ck_assert_uint_eq(ct_map_get(&m, 4097), 0);
	ct_map_free(&m);
}
END_TEST

/* --- what can be traced --- */

static char path[] = "/tmp/ctrace-test-inspect.XXXXXX";

static void write_program(const void *data, size_t n)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
	fchmod(fd, 0755);
	close(fd);
}

struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	char interpreter[64];
};

static struct elf elf_with(const char *interpreter)
{
	struct elf e = { .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
				     .e_type = ET_DYN, .e_machine = CT_MACHINE, .e_phoff = sizeof(Elf64_Ehdr),
				     .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 } };

	e.segment = (Elf64_Phdr){ .p_type = interpreter ? PT_INTERP : PT_LOAD,
				  .p_offset = offsetof(struct elf, interpreter), .p_filesz = 64 };
	if (interpreter)
		strcpy(e.interpreter, interpreter);
	return e;
}

static void expect(int status, const char *text)
{
	struct ct_refusal r = { 0 };
	int result = ct_inspect(path, &r);

	unlink(path);
	ck_assert_int_eq(result, status ? -1 : 0);
	ck_assert_int_eq(r.status, status);
	ck_assert_msg(!text || strstr(r.text, text), "%s", r.text);
}

START_TEST(elf_files)
{
	struct elf e = elf_with("/lib64/ld-linux-x86-64.so.2");

	write_program(&e, sizeof(e));
	expect(0, NULL);
	e.header.e_machine = EM_RISCV;
	write_program(&e, sizeof(e));
	expect(125, "not a program for " CT_MACHINE_NAME);
	e = elf_with(NULL);
	write_program(&e, sizeof(e));
	expect(125, "statically linked");
	e = elf_with("/lib/ld-musl-x86_64.so.1");
	write_program(&e, sizeof(e));
	expect(125, "musl");
	e.header.e_ident[EI_CLASS] = ELFCLASS32;
	write_program(&e, sizeof(e));
	expect(125, "not a program for " CT_MACHINE_NAME);
	write_program(&e, 20);
	expect(126, "damaged");
	e = elf_with("x");
	e.header.e_phoff = 1 << 20;
	write_program(&e, sizeof(e));
	expect(126, "damaged");
}
END_TEST

START_TEST(scripts)
{
	char text[512];

	char own[400];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	/* Not /bin/sh, which is another processor's where these tests run under an emulator. */
	ck_assert_int_gt(n, 0);
	own[n] = 0;
	snprintf(text, sizeof(text), "#!%s\nexit 0\n", own);
	write_program(text, strlen(text));
	expect(0, NULL);
#if defined(__x86_64__)
	write_program("exit 0\n", 7);
	expect(0, NULL);
	write_program("", 0);
	expect(0, NULL);
#endif
	write_program("#!  /nonexistent/sh -e\n", 23);
	expect(127, "/nonexistent/sh");

	struct elf e = elf_with(NULL);
	char program[sizeof(path)];

	write_program(&e, sizeof(e));
	strcpy(program, path);
	snprintf(text, sizeof(text), "#! %s\n", program);
	write_program(text, strlen(text));
	expect(125, "statically linked");
	unlink(program);
}
END_TEST

START_TEST(search)
{
	struct ct_refusal r;
	char found[PATH_MAX];

	setenv("PATH", "/nonexistent:/bin:/usr/bin", 1);
	ck_assert_int_eq(ct_resolve("sh", found, &r), 0);
	ck_assert_str_eq(found, "/bin/sh");
	ck_assert_int_eq(ct_resolve("no-such-program", found, &r), -1);
	ck_assert_int_eq(r.status, 127);
	ck_assert_int_eq(ct_resolve("", found, &r), -1);
	ck_assert_int_eq(r.status, 127);
	ck_assert_int_eq(ct_resolve("/tmp", found, &r), -1);
	ck_assert_int_eq(r.status, 126);
	ck_assert_int_eq(ct_resolve("/etc/passwd", found, &r), -1);
	ck_assert_int_eq(r.status, 126);
	ck_assert_int_eq(ct_resolve("/etc/passwd/x", found, &r), -1);
	ck_assert_int_eq(r.status, 127);
	setenv("PATH", "/etc", 1);
	ck_assert_int_eq(ct_resolve("passwd", found, &r), -1);
	ck_assert_int_eq(r.status, 126);
}
END_TEST

/* --- options --- */

static int parse(struct ct_run_options *ret, char **argv)
{
	static char wrong[256];
	int argc = 0;

	while (argv[argc])
		argc++;
	optind = 0;
	return ct_run_options(argc, argv, ret, wrong);
}

#define PARSE(o, ...) parse(o, (char *[]){ (char *)"ctrace-run", __VA_ARGS__, NULL })

START_TEST(options)
{
	struct ct_run_options o;

	ck_assert_int_eq(PARSE(&o, "-o", "file", "--min", "2ms", "-q", "prog", "-o", "x"), 0);
	ck_assert_str_eq(o.out, "file");
	ck_assert_uint_eq(o.min_ns, 2000000);
	ck_assert(o.quiet);
	ck_assert_str_eq(o.argv[0], "prog");
	ck_assert_str_eq(o.argv[1], "-o");
	ck_assert_int_eq(PARSE(&o, "--min=500ns", "--", "--min"), 0);
	ck_assert_uint_eq(o.min_ns, 500);
	ck_assert_str_eq(o.argv[0], "--min");
	ck_assert_int_eq(PARSE(&o, "--min", "500ns", "--sched", "auto", "--stacks", "fp", "x"), 0);
	ck_assert_int_eq(PARSE(&o, "--min", "", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--min", "-1", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--min", "5m", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--min", "99999999999999999999", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--min", "99999999999999s", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--sched", "on", "x"), 0);
	ck_assert_str_eq(o.sched, "on");
	ck_assert_int_eq(PARSE(&o, "--sched", "perhaps", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--stacks", "dwarf", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "--unknown", "x"), -1);
	ck_assert_int_eq(PARSE(&o, "-o"), -1);
	ck_assert_int_eq(PARSE(&o, "-q"), -1);
}
END_TEST

/* --- chunks in memory --- */

#define CHUNKS 300u

static size_t size_of(uint32_t i)
{
	return i * 7919 % 9000 + (i % 50 == 49 ? 20000 : 0);
}

static void add_chunk(struct ct_chunks *c, uint32_t i)
{
	struct ct_chunk_header h = { .kind = i % 3 ? CT_CHUNK_EVENTS : CT_CHUNK_RECORDS, .process = i, .count = 10 };
	struct ct_buf packed = { 0 };

	ck_assert(ct_buf_reserve(&packed, size_of(i) + 1));
	memset(packed.data, (int)(i % 251), size_of(i));
	packed.size = size_of(i);
	ck_assert_int_eq(ct_chunks_add(c, &packed, &h), 0);
	ct_buf_free(&packed);
}

/* All bytes in their order, from pieces that are full but for the last. */
static void check_bytes(const struct ct_chunks *c)
{
	size_t room = c->piece_bytes - sizeof(struct ct_piece_of_chunks), at = 0;
	const struct ct_piece_of_chunks *p = c->first;
	uint64_t bytes = 0, wrong = 0;

	for (uint32_t i = 0; i < c->count; i++)
		for (size_t n = size_of(i); n && p; n--, bytes++) {
			if (at == room) {
				p = p->next;
				at = 0;
			}
			wrong += p && p->data[at++] != i % 251;
		}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(bytes, c->bytes);
	ck_assert_ptr_eq(p, c->last);
	ck_assert_ptr_null(p->next);
}

START_TEST(chunks_keep_their_bytes)
{
	struct ct_chunks c = { .piece_bytes = 4096 };
	struct ct_index_entry e;
	uint64_t offset = 0, events = 0, before = 0;

	for (uint32_t i = 0; i < CHUNKS; i++) {
		const struct ct_piece_of_chunks *first = c.first;

		add_chunk(&c, i);
		/* Somebody may be reading there. */
		ck_assert(!first || first == c.first);
		events += i % 3 ? 10 : 0;
		ck_assert_uint_ge(ct_chunks_memory(&c), c.bytes);
		ck_assert_uint_ge(ct_chunks_memory(&c), before);
		before = ct_chunks_memory(&c);
	}
	ck_assert_uint_le(before, c.bytes + c.bytes / 100 + 4096 + c.index.capacity);
	check_bytes(&c);
	ck_assert_uint_eq(c.count, CHUNKS);
	ck_assert_uint_eq(c.events, events);
	ck_assert_uint_eq(c.index.size, CHUNKS * sizeof(e));
	for (uint32_t i = 0; i < CHUNKS; i++) {
		memcpy(&e, c.index.data + i * sizeof(e), sizeof(e));
		ck_assert_uint_eq(e.offset, offset);
		ck_assert_uint_eq(e.process, i);
		offset += size_of(i);
	}
	ct_chunks_free(&c);
	ck_assert_uint_eq(ct_chunks_memory(&c), 0);
	/* It is as it was in the beginning. */
	add_chunk(&c, 1);
	ck_assert_uint_eq(c.bytes, size_of(1));
	ct_chunks_free(&c);
}
END_TEST

START_TEST(chunks_without_memory)
{
	struct ct_chunks c = { .piece_bytes = 4096 };
	struct ct_chunk_header h = { .kind = CT_CHUNK_EVENTS, .count = 1 };
	static uint8_t byte;
	/* No such length can be had; no byte of it is read before that is known. */
	struct ct_buf packed = { .data = &byte, .size = 1 }, much = packed;

	add_chunk(&c, 3);
	uint64_t bytes = c.bytes, memory = ct_chunks_memory(&c);

	c.piece_bytes = (size_t)1 << 60;
	much.size = c.piece_bytes;
	ck_assert_int_eq(ct_chunks_add(&c, &much, &h), -ENOMEM);
	c.piece_bytes = 4096;
	ck_assert_uint_eq(c.bytes, bytes);
	ck_assert_uint_eq(ct_chunks_memory(&c), memory);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(ct_chunks_add(&c, &packed, &h), 0);
	ck_assert_uint_eq(c.bytes, bytes + 1);
	ct_chunks_free(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("collector parts");
	TCase *tc = tcase_create("parts");

	tcase_add_test(tc, clock_lies_on_the_line);
	tcase_add_test(tc, clock_begins_at_the_process_base);
	tcase_add_test(tc, clock_refuses_to_run_backwards);
	tcase_add_test(tc, clock_is_thinned);
	tcase_add_test(tc, clock_follows_the_machine);
	tcase_add_test(tc, map_keeps_what_was_put);
	tcase_add_test(tc, chunks_keep_their_bytes);
	tcase_add_test(tc, chunks_without_memory);
	tcase_add_test(tc, elf_files);
	tcase_add_test(tc, scripts);
	tcase_add_test(tc, search);
	tcase_add_test(tc, options);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed != 0;
}
