/* What depends on the processor, on arm64. See arch.h. */
#ifndef CT_ARCH_ARM64_H
#define CT_ARCH_ARM64_H

#define CT_REG_FP 29
#define CT_REG_SP 31
#define CT_REG_RA 30
#define CT_ADDRESS_BITS 48

static inline long ct_sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

/* The architecture has one counter for all processors. Where the kernel does not trust it, it takes another source. */
static inline bool ct_ticks_are_good(const char *clock_source)
{
	return !strncmp(clock_source, "arch_sys_counter", 16);
}

static inline char *ct_arch_rseq_field(void)
{
	return (char *)__builtin_thread_pointer() + ct_rseq_offset;
}

static inline void ct_rseq_arm(void)
{
	*(const void *volatile *)(void *)ct_arch_rseq_field() = ct_rseq_descriptor;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Whether the thread has left the CPU since ct_rseq_arm. A descriptor of the
 * program's own in the field hides the answer: then it is no. */
static inline int ct_rseq_left(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return *(const void *volatile *)(void *)ct_arch_rseq_field() == NULL;
}

/* What the kernel would do. A wrapper in a signal handler ends with it, so that
 * the interrupted call, whose field it used, learns of the signal. */
static inline void ct_rseq_clear(void)
{
	*(const void *volatile *)(void *)ct_arch_rseq_field() = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void ct_prefetch_write(const void *p)
{
	__builtin_prefetch(p, 1);
}

static inline __attribute__((always_inline)) struct ct_registers ct_arch_here(void)
{
	struct ct_registers r;

	__asm__ volatile("adr %0, 1f\n\tmov %1, sp\n\tmov %2, x29\n1:" : "=r"(r.ip), "=r"(r.sp), "=r"(r.fp));
	r.lr = 0;
	return r;
}

/* Functions may sign their return address; this takes the signature off, and is no
 * operation on processors that do not know it. */
static inline uint64_t ct_arch_code(uint64_t ip)
{
	register uint64_t x30 __asm__("x30") = ip;

	__asm__("hint #7" /* xpaclri */ : "+r"(x30));
	return x30;
}

/* struct rt_sigframe: a siginfo_t, then a ucontext_t. See arch/arm64/kernel/signal.c. */
static inline void ct_arch_interrupted(uint64_t sp, uint64_t ret_at[4])
{
	const uint64_t context = sp + sizeof(siginfo_t);

	ret_at[0] = context + offsetof(ucontext_t, uc_mcontext.pc);
	ret_at[1] = context + offsetof(ucontext_t, uc_mcontext.sp);
	ret_at[2] = context + offsetof(ucontext_t, uc_mcontext.regs[29]);
	ret_at[3] = context + offsetof(ucontext_t, uc_mcontext.regs[30]);
}

/* glibc hides it behind a guard that it keeps to itself: see sysdeps/aarch64/setjmp.S and
 * jmpbuf-offsets.h. A jmp_buf of our own, whose stack pointer we know, tells the guard. */
static __attribute__((noinline, unused)) uint64_t ct_arch_jump_sp(const struct __jmp_buf_tag *env)
{
	struct __jmp_buf_tag own[1];
	uint64_t sp;

	__asm__ volatile("mov %0, sp" : "=r"(sp));
	_setjmp(own);
	return (uint64_t)env->__jmpbuf[13] ^ (uint64_t)own->__jmpbuf[13] ^ sp;
}

#define CT_STUB(symbol, position) \
	__asm__(".pushsection .text\n" \
		".hidden ct_early_" #symbol "\n.type ct_early_" #symbol ", %function\n" \
		".globl ct_early_" #symbol "\n" \
		"ct_early_" #symbol ":\n\tmov w17, " CT_STRING(position) " - 1\n\tb ct_early_common\n" \
		".popsection\n");

#endif
