/*
 * The preload's stacks against libunwind's: an unwinder that we did not write
 * walks the same stacks and must see the same return addresses.
 */
#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "modules.h"
#include "record.h"

struct ct_state ct_state;
_Alignas(CT_LIVE_PAGE) union ct_live_page ct_live_page;
__thread struct ct_thread ct_thread;

static struct ct_slot *slot;
static uint32_t last_id;
static int compared;

static const struct ct_stack *stack_of(uint32_t id)
{
	return (const struct ct_stack *)&ct_state.region->stack_arena[id];
}

/* Captures the caller's stack both ways. Frame 0 of ours is ct_stack, frame 1
 * is this function, which libunwind reports as its frame 0. */
static __attribute__((noinline)) void compare(void)
{
	void *theirs[CT_STACK_DEPTH];
	int n = unw_backtrace(theirs, CT_STACK_DEPTH - 1);

	last_id = ct_stack(slot);
	ck_assert_uint_ne(last_id, 0);
	const struct ct_stack *ours = stack_of(last_id);

	/* libunwind may add a frame of address 0 at the end. */
	while (n > 0 && !theirs[n - 1])
		n--;
	ck_assert_int_eq((int)ours->depth, n + 1);
	for (int i = 1; i < n; i++) {
		uint64_t frame = ours->frame[i + 1];

		/* What a signal interrupted is no return address: we report one more. */
		if (frame != (uint64_t)theirs[i] + 1)
			ck_assert_msg(frame == (uint64_t)theirs[i], "frame %d: ours %#lx, libunwind's %p", i,
				      (unsigned long)frame, theirs[i]);
	}
	compared++;
	__asm__ volatile("" : : : "memory"); /* no tail calls */
}

static __attribute__((noinline)) int recurse(int n, void (*leaf)(void))
{
	if (n)
		return recurse(n - 1, leaf) + 1;
	leaf();
	return 0;
}

/* Variable frame: the compiler needs rbp for the CFA. */
static __attribute__((noinline)) void with_alloca(int n, void (*leaf)(void))
{
	volatile char *p = __builtin_alloca((size_t)n * 24);

	p[0] = 1;
	leaf();
	p[1] = 2;
}

#ifdef __clang__ /* has no attribute for it */
#define KEEPS_FP
#else
#define KEEPS_FP __attribute__((optimize("no-omit-frame-pointer")))
#endif

static __attribute__((noinline)) KEEPS_FP void with_fp(void (*leaf)(void))
{
	leaf();
	__asm__ volatile("" : : : "memory");
}

static void alloca_1(void)
{
	with_alloca(1, compare);
}

static void alloca_9(void)
{
	with_alloca(9, compare);
}

static void fp_then_alloca(void)
{
	with_fp(alloca_9);
}

static int by_qsort(const void *a, const void *b)
{
	compare();
	return *(const int *)a - *(const int *)b;
}

static void on_signal(int signal)
{
	(void)signal;
	compare();
}

static void know_own_stack(void)
{
	pthread_attr_t a;
	void *low;
	size_t size;

	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstack(&a, &low, &size);
	pthread_attr_destroy(&a);
	ct_thread.stack_low = (uint64_t)low;
	ct_thread.stack_high = (uint64_t)low + size;
}

static void setup(void)
{
	ct_state.region = mmap(NULL, CT_REGION_BYTES(1), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(ct_state.region, MAP_FAILED);
	ct_state.region->stack_words = 1;
	slot = &ct_state.region->slots[0];
	compared = 0;
	know_own_stack();
}

static void teardown(void)
{
	munmap(ct_state.region, CT_REGION_BYTES(1));
}

START_TEST(test_depths)
{
	for (int depth = 0; depth < 60; depth++)
		recurse(depth, compare);
	ck_assert_int_eq(compared, 60);
}
END_TEST

START_TEST(test_frames_of_all_kinds)
{
	alloca_1();
	alloca_9();
	with_fp(compare);
	fp_then_alloca();
	recurse(3, fp_then_alloca);
	ck_assert_int_eq(compared, 5);
}
END_TEST

START_TEST(test_through_libc)
{
	int v[] = { 5, 3, 9, 1 };

	qsort(v, 4, sizeof(*v), by_qsort);
	ck_assert_int_gt(compared, 2);
}
END_TEST

START_TEST(test_through_a_signal_handler)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	recurse(2, alloca_1);
	raise(SIGUSR1);
	ck_assert_int_eq(compared, 3);
}
END_TEST

static void *thread(void *argument)
{
	know_own_stack();
	recurse(4, compare);
	return argument;
}

START_TEST(test_in_a_thread)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, thread, NULL), 0);
	pthread_join(t, NULL);
	ck_assert_int_eq(compared, 1);
}
END_TEST

/* Same depth, same frame sizes, same stack pointer: only a return address tells
 * the two apart, and the memo must look at it. */
static __attribute__((noinline)) void left(void)
{
	compare();
	__asm__ volatile("nop");
}

static __attribute__((noinline)) void right(void)
{
	compare();
	__asm__ volatile("nop; nop");
}

START_TEST(test_memo)
{
	uint32_t ids[2] = { 0, 0 };
	uint64_t words = 0;

	for (int i = 0; i < 20; i++) {
		(i % 2 ? left : right)();
		if (i < 2)
			ids[i] = last_id;
		else
			ck_assert_uint_eq(ids[i % 2], last_id);
		if (i == 2)
			words = ct_state.region->stack_words;
	}
	ck_assert_uint_ne(ids[0], ids[1]);
	ck_assert_uint_eq(ct_state.region->stack_words, words);

	/* An object was unloaded: the same addresses are another stack. */
	ct_modules_changed();
	left();
	ck_assert_uint_ne(last_id, ids[1]);
	ck_assert_uint_eq(stack_of(last_id)->epoch, 1);
}
END_TEST

START_TEST(test_variable_frames_are_not_mixed_up)
{
	for (int i = 0; i < 200; i++)
		with_alloca(1 + i * 7 % 13, compare);
	ck_assert_int_eq(compared, 200);
}
END_TEST

START_TEST(test_modules)
{
	compare();
	bool program = false, libc = false;

	for (uint64_t i = 0; i < ct_state.region->modules_used; i++) {
		const struct ct_module *m = &ct_state.region->modules[i];

		ck_assert_uint_eq(m->ready, 1);
		ck_assert_uint_lt(m->start, m->end);
		if ((uint64_t)compare >= m->start && (uint64_t)compare < m->end)
			program = true;
		if (strstr(m->path, "libc.so.6")) {
			libc = true;
			ck_assert_uint_eq(m->build_id_bytes, 20);
		}
	}
	ck_assert(program);
	ck_assert(libc);
}
END_TEST

START_TEST(test_full_arena)
{
	ct_state.region->stack_words = CT_STACK_WORDS - 2;
	ck_assert_uint_eq(ct_stack(slot), 0);
	ck_assert_uint_eq(ct_state.region->stacks_lost, 1);
}
END_TEST

START_TEST(test_modes)
{
	ct_live.stacks = CT_STACKS_OFF;
	ck_assert_uint_eq(ct_stack(slot), 0);
	ct_live.stacks = CT_STACKS_FP;
	ck_assert_uint_ne(ct_stack(slot), 0);
	ct_live.stacks = CT_STACKS_AUTO;
}
END_TEST

/* --- code without call frame information --- */

static __attribute__((noinline)) void capture(void)
{
	last_id = ct_stack(slot);
	__asm__ volatile("" : : : "memory");
}

typedef void made_code(void (*leaf)(void));

static __attribute__((noinline)) void call_made(made_code *code)
{
	code(capture);
	__asm__ volatile("" : : : "memory");
}

/* Two pages with code at the end of the first; nothing can be read behind it unless room. */
static made_code *make_code(const void *bytes, size_t n, size_t room)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	memset(pages, 0xcc, 8192);
	memcpy(pages + 4096 - room - n, bytes, n);
	__builtin___clear_cache(pages, pages + 4096);
	ck_assert_int_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	return (made_code *)(void *)(pages + 4096 - room - n);
}

/* Whether the frame after the made code's is its caller's. */
static bool goes_on(const void *bytes, size_t n, size_t room)
{
	made_code *code = make_code(bytes, n, room);
	uint64_t start = (uint64_t)code;

	ct_modules_changed(); /* nothing remembered of what was here before */
	call_made(code);
	ck_assert_uint_ne(last_id, 0);
	const struct ct_stack *s = stack_of(last_id);

	ck_assert_uint_ge(s->depth, 3);
	ck_assert(s->frame[2] > start && s->frame[2] <= start + n);
	munmap((void *)(start & ~4095ull), 8192);
	return s->depth > 3 && s->frame[3] > (uint64_t)call_made && s->frame[3] < (uint64_t)call_made + 64;
}

START_TEST(test_through_code_made_at_run_time)
{
#if defined(__x86_64__)
	static const uint8_t trampoline[] = { 0x48, 0x83, 0xec, 8, 0xff, 0xd7, 0x48, 0x83, 0xc4, 8, 0xc3 };
	static const uint8_t pops[] = { 0x55, 0xff, 0xd7, 0x5d, 0xc3 };
	/* push %rbp; mov %rsp, %rbp; call *%rdi; nop; pop %rbp; ret */
	static const uint8_t keeps_fp[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x90, 0x5d, 0xc3 };
	/* push %rbp; xor %ebp, %ebp; call *%rdi; nop; pop %rbp; ret */
	static const uint8_t clears_fp[] = { 0x55, 0x31, 0xed, 0xff, 0xd7, 0x90, 0x5d, 0xc3 };
	/* push %rbp; mov $-1, %rbp; ... */
	static const uint8_t spoils_fp[] = { 0x55, 0x48, 0xc7, 0xc5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd7, 0x90, 0x5d, 0xc3 };
#else
#define BEGINS 0xfd, 0x7b, 0xbf, 0xa9 /* stp x29, x30, [sp, #-16]! */
#define MOVES  0xfd, 0x03, 0x00, 0x91 /* mov x29, sp */
#define CALLS  0x00, 0x00, 0x3f, 0xd6 /* blr x0 */
#define WAITS  0x1f, 0x20, 0x03, 0xd5 /* nop */
#define ENDS   0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6 /* ldp x29, x30, [sp], #16; ret */
	static const uint8_t trampoline[] = { BEGINS, MOVES, CALLS, ENDS };
	static const uint8_t pops[] = { BEGINS, CALLS, ENDS };
	static const uint8_t keeps_fp[] = { BEGINS, MOVES, CALLS, WAITS, ENDS };
	/* mov x29, #0 */
	static const uint8_t clears_fp[] = { BEGINS, 0x1d, 0x00, 0x80, 0xd2, CALLS, WAITS, ENDS };
	/* mov x29, #-1 */
	static const uint8_t spoils_fp[] = { BEGINS, 0x1d, 0x00, 0x80, 0x92, CALLS, WAITS, ENDS };
#endif

	for (int i = 0; i < 2; i++) { /* the second time from the cache */
		ck_assert(goes_on(trampoline, sizeof(trampoline), 64));
		ck_assert(goes_on(pops, sizeof(pops), 64));
		ck_assert(goes_on(keeps_fp, sizeof(keeps_fp), 64));
		ck_assert(goes_on(keeps_fp, sizeof(keeps_fp), 0));
		ck_assert(!goes_on(clears_fp, sizeof(clears_fp), 64));
		ck_assert(!goes_on(spoils_fp, sizeof(spoils_fp), 64));
		/* The bytes after the call cannot all be read. */
		goes_on(trampoline, sizeof(trampoline), 0);
		goes_on(pops, sizeof(pops), 0);
	}
	ct_state.no_syscalls = 1;
	goes_on(trampoline, sizeof(trampoline), 64);
	ct_state.no_syscalls = 0;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("preload stacks");
	TCase *t = tcase_create("stacks");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_depths);
	tcase_add_test(t, test_frames_of_all_kinds);
	tcase_add_test(t, test_through_libc);
	tcase_add_test(t, test_through_a_signal_handler);
	tcase_add_test(t, test_in_a_thread);
	tcase_add_test(t, test_memo);
	tcase_add_test(t, test_variable_frames_are_not_mixed_up);
	tcase_add_test(t, test_modules);
	tcase_add_test(t, test_full_arena);
	tcase_add_test(t, test_modes);
	tcase_add_test(t, test_through_code_made_at_run_time);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? 1 : 0;
}
