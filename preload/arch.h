/*
 * What depends on the processor. Here what both have in common; arch_x86_64.h and
 * arch_arm64.h each define, with their assembly in arch_x86_64.c and arch_arm64.c:
 *
 *   ct_sys6             a raw system call: touches neither errno nor anything that can be interposed
 *   ct_ticks_are_good   whether all processors count alike, given the kernel's clock source
 *   ct_rseq_*           the rseq area, which tells whether the thread left the CPU
 *   ct_prefetch_write   asks for a cache line to write
 *   ct_arch_here        the registers that a walk of the stack begins with
 *   ct_arch_code        a return address without what the processor adds to it
 *   ct_arch_interrupted what a signal interrupted, from the frame that the kernel made
 *   ct_arch_jump_sp     the stack pointer in a jmp_buf
 *   CT_REG_*            DWARF register numbers, CT_ADDRESS_BITS of a program's addresses
 *   CT_STUB             resolve.c: an entry that resolves all symbols, and goes on to its own
 */
#ifndef CT_ARCH_H
#define CT_ARCH_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define CT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define CT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CT_COLD        __attribute__((noinline, cold))

#define CT_STRING(x)  CT_STRING_(x)
#define CT_STRING_(x) #x

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

struct ct_registers {
	uint64_t ip, sp, fp;
	uint64_t lr; /* where the return address may still be; 0: never */
};

#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_arm64.h"
#else
#error "ctrace runs on x86-64 and arm64"
#endif

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

#endif
