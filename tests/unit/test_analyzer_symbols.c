/* Symbols, read from this very program. Built with -g and without optimisation. */
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callstacks.h"
#include "demangle.h"
#include "make_trace.h"
#include "objects.h"
#include "unit.h"

static const char *program;
static uint64_t bias;

struct pair {
	int first, second;
} symbols_table[4];

static inline __attribute__((always_inline)) void *inlined_one(void)
{
	void *here;

#if defined(__x86_64__)
	__asm__ volatile("lea 0f(%%rip), %0\n0:" : "=r"(here));
#else
	__asm__ volatile("adr %0, 0f\n0:" : "=r"(here));
#endif
	return here;
}

__attribute__((noinline)) static void *place_in_inlined(void)
{
	void *here = inlined_one();

	__asm__ volatile("");
	return here;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	*(uint64_t *)data = info->dlpi_addr;
	return 1;
}

/* A model with one process, in which this program is mapped where it is. */
static void make_model(struct ct_model *m, struct ct_reader *r, const char *build_id, const char *path)
{
	static const struct ct_options o = { 0 };
	struct make_trace t = { 0 };
	uint64_t frames[] = { (uint64_t)(uintptr_t)place_in_inlined(), 0x1234, };
	char file[] = "/tmp/test_analyzer_symbols.XXXXXX";
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	make_begin(&t);
	make_process(&t, 1, 100, "self");
	make_thread(&t, 1, 1, 100, 0, "main");
	make_record(&t, &(struct ct_record){ .type = CT_RECORD_MODULE, .module = {
		.module = 1, .process = 1, .start = bias, .end = (uint64_t)(uintptr_t)&symbols_table + 0x100000,
		.bias = bias, .path = ct_text_of(path), .build_id = ct_text_of(build_id) } });
	make_stack(&t, 1, 1, frames, 2);
	make_wait(&t, 1, (struct ct_site){ .cause = CT_CAUSE_MUTEX, .object_kind = CT_OBJECT_ADDRESS, .stack = 1,
					   .object = (uint64_t)(uintptr_t)&symbols_table[1].second }, 10, 20);
	make_events_chunk(&t, 1);
	make_end(&t, 100);
	ck_assert_int_eq(make_write(&t, file), 0);
	ck_assert_int_eq(ct_reader_open(r, file), 0);
	unlink(file);
	ck_assert_int_eq(ct_model_load(m, r, &o), 0);
	make_free(&t);
}

struct all {
	struct ct_model m;
	struct ct_reader r;
	struct ct_symbols s;
	struct ct_callstacks c;
	struct ct_frame *frames;
	uint32_t count;
};

static void begin(struct all *a, const char *build_id, const char *path)
{
	uint32_t callstack;

	memset(a, 0, sizeof(*a));
	make_model(&a->m, &a->r, build_id, path);
	ck_assert_int_eq(ct_symbols_open(&a->s, &a->m), 0);
	ck_assert_int_eq(ct_callstacks_open(&a->c, &a->m), 0);
	ck_assert_int_eq(ct_callstack_of(&a->c, 0, &callstack), 0);
	ck_assert_int_eq(ct_callstack_frames(&a->c, &a->s, callstack, &a->frames, &a->count), 0);
}

static void end(struct all *a)
{
	free(a->frames);
	ct_callstacks_close(&a->c);
	ct_symbols_close(&a->s);
	ct_model_free(&a->m);
	ct_reader_close(&a->r);
}

START_TEST(inlined_frames_are_expanded)
{
	struct all a;

	begin(&a, "", program);
	ck_assert_uint_eq(a.count, 3);
	ck_assert_str_eq(a.frames[0].function, "inlined_one");
	ck_assert(a.frames[0].inlined);
	ck_assert_str_eq(a.frames[1].function, "place_in_inlined");
	ck_assert(!a.frames[1].inlined);
	ck_assert_ptr_nonnull(strstr(a.frames[0].file, "test_analyzer_symbols.c"));
	ck_assert_int_eq(a.frames[0].file[0], '/');
	ck_assert_ptr_null(strstr(a.frames[0].file, "/../"));
	ck_assert_int_lt(a.frames[0].line, a.frames[1].line);
	/* In no module. */
	ck_assert_ptr_null(a.frames[2].module);
	ck_assert_uint_eq(a.frames[2].offset, 0x1234);
	ck_assert_uint_eq(a.s.note_count, 0);
	end(&a);
}
END_TEST

START_TEST(objects_have_the_names_of_variables)
{
	struct all a;

	begin(&a, "", program);
	char *label = ct_object_label(&a.s, &a.m, &a.m.site[0]);

	ck_assert_str_eq(label, "symbols_table+0xc");
	free(label);
	end(&a);
}
END_TEST

START_TEST(another_build_has_no_symbols)
{
	struct all a;

	begin(&a, "another build-id.....", program);
	ck_assert_uint_eq(a.count, 2);
	ck_assert_ptr_null(a.frames[0].function);
	ck_assert_ptr_nonnull(a.frames[0].module);
	ck_assert_uint_eq(a.s.note_count, 1);
	ck_assert_ptr_nonnull(strstr(a.s.note[0], "replaced"));
	end(&a);
	begin(&a, "", "/nowhere/program");
	ck_assert_ptr_null(a.frames[0].function);
	ck_assert_uint_eq(a.s.note_count, 1);
	ck_assert_ptr_nonnull(strstr(a.s.note[0], "No such file"));
	end(&a);
	begin(&a, "", "/etc/passwd");
	ck_assert_ptr_null(a.frames[0].function);
	ck_assert_uint_eq(a.s.note_count, 1);
	end(&a);
	/* A trace may name anything: opening a pipe would hang. */
	char fifo[64];

	snprintf(fifo, sizeof(fifo), "/tmp/ctrace-test-fifo-%d", getpid());
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	begin(&a, "", fifo);
	unlink(fifo);
	ck_assert_ptr_null(a.frames[0].function);
	ck_assert_ptr_nonnull(strstr(a.s.note[0], "not a regular file"));
	end(&a);
	begin(&a, "", "[vdso]");
	ck_assert_uint_eq(a.s.note_count, 0);
	end(&a);
}
END_TEST

static void demangles(const char *name, const char *expected)
{
	char *plain = ct_demangle(name);

	if (expected)
		ck_assert_str_eq(plain ? plain : "(none)", expected);
	else
		ck_assert_ptr_null(plain);
	free(plain);
}

START_TEST(names_are_demangled)
{
	demangles("main", NULL);
	demangles("", NULL);
	demangles("_", NULL);
	demangles("_start", NULL);
	demangles("__libc_start_main", NULL);
	demangles("_Z", NULL);
	demangles("_ZN3app4PoolIlLi2EE3addEl", "app::Pool<long, 2>::add(long)");
	demangles("_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()(int) const");
	demangles("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	demangles("_RNvCs1234_7program4main", "program::main");
	demangles("_D7program6Worker4workMFAyaAiZv", "program.Worker.work(immutable(char)[], int[])");
}
END_TEST

/* Each type is made of the one before it, twice: 2^200 parts. */
START_TEST(names_that_explode_are_left)
{
	char name[8192], *to = name;

	to += sprintf(to, "_Z1f1AIiiE");
	for (int i = 0; i < 200; i++) {
		char last[8] = "_";

		if (i > 35)
			sprintf(last, "%c%c_", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(i - 1) / 36],
				"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(i - 1) % 36]);
		else if (i)
			sprintf(last, "%c_", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i - 1]);
		to += sprintf(to, "S_IS%sS%sE", last, last);
	}
	demangles(name, NULL);
	/* As deep as it is long. */
	memset(name, 'P', sizeof(name) - 1);
	memcpy(name, "_Z1f", 4);
	name[sizeof(name) - 2] = 'i';
	name[sizeof(name) - 1] = 0;
	free(ct_demangle(name));
	memset(name + 4, 'N', sizeof(name) - 6);
	free(ct_demangle(name));
	memcpy(name, "_D1f", 4);
	memset(name + 4, 'P', sizeof(name) - 6);
	free(ct_demangle(name));
	memset(name + 4, 'Q', sizeof(name) - 6);
	free(ct_demangle(name));
	memcpy(name, "_RNv", 4);
	memset(name + 4, 'N', sizeof(name) - 6);
	free(ct_demangle(name));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { inlined_frames_are_expanded, objects_have_the_names_of_variables,
				       another_build_has_no_symbols, names_are_demangled,
				       names_that_explode_are_left };
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	program = n > 0 ? self : "";
	dl_iterate_phdr(first_object, &bias);
	return unit_run("analyzer symbols", tests, sizeof(tests) / sizeof(tests[0]));
}
