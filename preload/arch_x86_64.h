/* What depends on the processor, on x86-64. See arch.h. */
#ifndef CT_ARCH_X86_64_H
#define CT_ARCH_X86_64_H

#include <cpuid.h>

#define CT_REG_FP 6
#define CT_REG_SP 7
#define CT_REG_RA 16
#define CT_ADDRESS_BITS 47

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

/* The kernel's own verdict first: it watches the counters of all processors. */
static inline bool ct_ticks_are_good(const char *clock_source)
{
	unsigned int a, b, c, d;

	if (!strncmp(clock_source, "tsc", 3))
		return true;
	if (!strncmp(clock_source, "hpet", 4) || !strncmp(clock_source, "acpi_pm", 7))
		return false;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8);
}

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

/* To write, not to read first and then to write: the second would be another
 * way to the CPU that had it last. */
static inline void ct_prefetch_write(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
}

static inline __attribute__((always_inline)) struct ct_registers ct_arch_here(void)
{
	struct ct_registers r;

	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2" : "=r"(r.ip), "=r"(r.sp), "=r"(r.fp));
	r.lr = 0;
	return r;
}

static inline uint64_t ct_arch_code(uint64_t ip)
{
	return ip;
}

/* A ucontext_t is at the stack pointer. Offsets of its registers, in the order of ct_registers. */
static inline void ct_arch_interrupted(uint64_t sp, uint64_t ret_at[4])
{
	const uint64_t registers = sp + offsetof(ucontext_t, uc_mcontext.gregs);

	ret_at[0] = registers + 8 * REG_RIP;
	ret_at[1] = registers + 8 * REG_RSP;
	ret_at[2] = registers + 8 * REG_RBP;
	ret_at[3] = 0;
}

/* As glibc hides it: see sysdeps/unix/sysv/linux/x86_64/pointer_guard.h and jmpbuf-offsets.h. */
static inline uint64_t ct_arch_jump_sp(const struct __jmp_buf_tag *env)
{
	uint64_t sp = (uint64_t)env->__jmpbuf[6];

	__asm__("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(sp) : : "cc");
	return sp;
}

/* Loads the symbol's position in struct ct_real and goes to the common part in arch_x86_64.c. */
#define CT_STUB(symbol, position) \
	__asm__(".pushsection .text\n" \
		".hidden ct_early_" #symbol "\n.type ct_early_" #symbol ", @function\n" \
		".globl ct_early_" #symbol "\n" \
		"ct_early_" #symbol ":\n\tmovl $" CT_STRING(position) " - 1, %r11d\n\tjmp ct_early_common\n" \
		".popsection\n");

#endif
