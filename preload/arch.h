/*
 * What depends on the processor: time stamps, raw system calls (which touch
 * neither errno nor anything that can be interposed), and the rseq area that
 * tells whether the thread left the CPU.
 */
#ifndef CT_ARCH_H
#define CT_ARCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define CT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define CT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CT_COLD        __attribute__((noinline, cold))

static inline long ct_sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

/* Returns the result, or -errno. */
#define ct_sys(n, ...) CT_SYS_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1)(n, __VA_ARGS__)
#define CT_SYS_PICK(a, b, c, d, e, f, count, ...) CT_SYS_JOIN(count)
#define CT_SYS_JOIN(count) CT_SYS_##count
#define CT_SYS_1(n, a)                ct_sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define CT_SYS_2(n, a, b)             ct_sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CT_SYS_3(n, a, b, c)          ct_sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CT_SYS_4(n, a, b, c, d)       ct_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CT_SYS_5(n, a, b, c, d, e)    ct_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CT_SYS_6(n, a, b, c, d, e, f) \
	ct_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline uint64_t ct_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/*
 * rseq: the kernel clears the rseq_cs field of a thread that is switched out
 * or takes a signal while the instruction pointer is outside the critical
 * section that the field names. Ours names one that is never executed, so a
 * field that still holds it proves that the thread stayed on its CPU.
 * A program may use rseq itself: it stores its own descriptor before each
 * critical section, as the ABI wants, and does not mind to find ours.
 *
 * Where rseq is absent, ct_rseq_offset leads to a dummy that never changes.
 */
#define CT_RSEQ_CS_FIELD 8 /* offset of rseq_cs in struct rseq */

extern ptrdiff_t ct_rseq_offset __attribute__((visibility("hidden"))); /* of the rseq_cs field, from the thread pointer */
extern const char ct_rseq_descriptor[] __attribute__((visibility("hidden")));

static inline void ct_rseq_arm(void)
{
	__asm__ volatile("movq %0, %%fs:(%1)" : : "r"(ct_rseq_descriptor), "r"(ct_rseq_offset) : "memory");
}

/* Whether the thread has left the CPU since ct_rseq_arm. A descriptor of the
 * program's own in the field hides the answer: then it is no. */
static inline int ct_rseq_left(void)
{
	const void *now;

	__asm__ volatile("movq %%fs:(%1), %0" : "=r"(now) : "r"(ct_rseq_offset) : "memory");
	return now == NULL;
}

/* What the kernel would do. A wrapper in a signal handler ends with it, so that
 * the interrupted call, whose field it used, learns of the signal. */
static inline void ct_rseq_clear(void)
{
	__asm__ volatile("movq $0, %%fs:(%0)" : : "r"(ct_rseq_offset) : "memory");
}

#endif
