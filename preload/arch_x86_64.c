/* Entries that no compiler makes, on x86-64. See arch.h, entries.h. */
#include "entries.h"

/* All symbols are resolved; then on to the one whose position is in r11. Argument registers are kept; rax too,
 * which counts vector registers for variadic functions. */
__asm__(".pushsection .text\n"
	".hidden ct_early_common\n"
	".globl ct_early_common\n"
	".type ct_early_common, @function\n"
	"ct_early_common:\n"
	"	push %rdi\n	push %rsi\n	push %rdx\n	push %rcx\n"
	"	push %r8\n	push %r9\n	push %rax\n	push %r11\n"
	"	sub $8, %rsp\n"
	"	call ct_resolve\n"
	"	add $8, %rsp\n"
	"	pop %r11\n	pop %rax\n	pop %r9\n	pop %r8\n"
	"	pop %rcx\n	pop %rdx\n	pop %rsi\n	pop %rdi\n"
	"	lea ct_real(%rip), %r10\n"
	"	jmp *(%r10, %r11, 8)\n"
	".popsection\n");

/*
 * A critical section that is never executed: one byte that ends where the next
 * begins. The kernel checks that its abort handler, which must lie outside of
 * it, is preceded by the signature that glibc registered.
 */
__asm__(".pushsection .text\n"
	"	.byte 0x0f, 0xb9, 0x3d\n" /* ud1: makes the signature an instruction */
	"	.long 0x53053053\n"
	"ct_rseq_abort:\n"
	"	ud2\n"
	"ct_rseq_section:\n"
	"	ud2\n"
	".popsection\n"
	".pushsection .data.rel.ro, \"aw\"\n"
	"	.balign 32\n"
	".hidden ct_rseq_descriptor\n"
	".globl ct_rseq_descriptor\n"
	"ct_rseq_descriptor:\n"
	"	.long 0, 0\n"
	"	.quad ct_rseq_section, 1, ct_rseq_abort\n"
	".popsection\n");

/* The stack pointer is 8 off a multiple of 16 on entry. */
__attribute__((naked)) CT_EXPORT void *dlopen(__attribute__((unused)) const char *path,
					      __attribute__((unused)) int mode)
{
	__asm__("push %%rdi\n\t.cfi_adjust_cfa_offset 8\n\t"
		"push %%rsi\n\t.cfi_adjust_cfa_offset 8\n\t"
		"sub $8, %%rsp\n\t.cfi_adjust_cfa_offset 8\n\t"
		"mov 24(%%rsp), %%rsi\n\t"
		"call ct_dlopen_depends\n\t"
		"add $8, %%rsp\n\t.cfi_adjust_cfa_offset -8\n\t"
		"pop %%rsi\n\t.cfi_adjust_cfa_offset -8\n\t"
		"pop %%rdi\n\t.cfi_adjust_cfa_offset -8\n\t"
		"test %%al, %%al\n\t"
		"jz ct_dlopen_timed\n\t"
		"lea ct_real(%%rip), %%r11\n\t"
		"jmp *%c0(%%r11)"
		:
		: "i"(offsetof(struct ct_real, dlopen)));
}

__attribute__((naked)) CT_EXPORT void *dlsym(__attribute__((unused)) void *restrict handle,
					     __attribute__((unused)) const char *restrict name)
{
	__asm__("lea 1(%%rdi), %%rax\n\t"
		"cmp $1, %%rax\n\t"
		"ja ct_dlsym_timed\n\t"
		"lea ct_real(%%rip), %%r11\n\t"
		"jmp *%c0(%%r11)"
		:
		: "i"(offsetof(struct ct_real, dlsym)));
}

__attribute__((naked)) CT_EXPORT long syscall(__attribute__((unused)) long number, ...)
{
	__asm__("cmp %0, %%rdi\n\t"
		"jae 1f\n\t"
		"lea ct_raw(%%rip), %%r11\n\t"
		"cmpb $0, (%%r11, %%rdi, 4)\n\t"
		"jne ct_syscall_other\n\t"
		"1: lea ct_real(%%rip), %%r11\n\t"
		"jmp *%c1(%%r11)"
		:
		: "i"(CT_RAW_CALLS), "i"(offsetof(struct ct_real, syscall)));
}
