/* Entries that no compiler makes, on arm64. See arch.h, entries.h. */
#include "entries.h"

/* All symbols are resolved; then on to the one whose position is in w17. Argument registers are kept: x0 to x7, x8
 * for a result in memory, q0 to q7. */
__asm__(".pushsection .text\n"
	".hidden ct_early_common\n"
	".globl ct_early_common\n"
	".type ct_early_common, %function\n"
	"ct_early_common:\n"
	"	stp x29, x30, [sp, #-224]!\n"
	"	mov x29, sp\n"
	"	stp x0, x1, [sp, #16]\n	stp x2, x3, [sp, #32]\n"
	"	stp x4, x5, [sp, #48]\n	stp x6, x7, [sp, #64]\n"
	"	stp x8, x17, [sp, #80]\n"
	"	stp q0, q1, [sp, #96]\n	stp q2, q3, [sp, #128]\n"
	"	stp q4, q5, [sp, #160]\n	stp q6, q7, [sp, #192]\n"
	"	bl ct_resolve\n"
	"	ldp q0, q1, [sp, #96]\n	ldp q2, q3, [sp, #128]\n"
	"	ldp q4, q5, [sp, #160]\n	ldp q6, q7, [sp, #192]\n"
	"	ldp x8, x17, [sp, #80]\n"
	"	ldp x0, x1, [sp, #16]\n	ldp x2, x3, [sp, #32]\n"
	"	ldp x4, x5, [sp, #48]\n	ldp x6, x7, [sp, #64]\n"
	"	ldp x29, x30, [sp], #224\n"
	"	adrp x16, ct_real\n"
	"	add x16, x16, :lo12:ct_real\n"
	"	ldr x16, [x16, w17, uxtw #3]\n"
	"	br x16\n"
	".popsection\n");

/*
 * A critical section that is never executed. The kernel checks that its abort handler, which must lie outside of
 * it, is preceded by the signature that glibc registered.
 */
__asm__(".pushsection .text\n"
	"	.inst 0xd428bc00\n" /* brk #0x45e0 */
	"ct_rseq_abort:\n"
	"	udf #0\n"
	"ct_rseq_section:\n"
	"	udf #0\n"
	".popsection\n"
	".pushsection .data.rel.ro, \"aw\"\n"
	"	.balign 32\n"
	".hidden ct_rseq_descriptor\n"
	".globl ct_rseq_descriptor\n"
	"ct_rseq_descriptor:\n"
	"	.word 0, 0\n"
	"	.xword ct_rseq_section, 1, ct_rseq_abort\n"
	".popsection\n");

/* gcc knows no naked functions here: these stand in a section of their own, inside of a function that gives them
 * the offsets that they need, and is never called. */
#define ENTRY(name) \
	".pushsection .text.ct_" name ",\"ax\",%%progbits\n\t.balign 8\n\t.globl " name "\n\t.type " name ", %%function\n" name \
	":\n\t.cfi_startproc\n\t"
#define ENTRY_END(name) "\n\t.cfi_endproc\n\t.size " name ", .-" name "\n\t.popsection\n\t"
/* On to the function behind the wrapper, as if it had been called. */
#define TAIL(offset) \
	"adrp x16, ct_real\n\tadd x16, x16, :lo12:ct_real\n\tldr x16, [x16, " offset "]\n\tbr x16\n\t"

void ct_arch_entries(void);
__attribute__((used)) void ct_arch_entries(void)
{
	__asm__ volatile(ENTRY("dlopen")
			 "stp x29, x30, [sp, #-32]!\n\t.cfi_adjust_cfa_offset 32\n\t"
			 ".cfi_rel_offset x29, 0\n\t.cfi_rel_offset x30, 8\n\t"
			 "mov x29, sp\n\t"
			 "stp x0, x1, [sp, #16]\n\t"
			 "mov x1, x30\n\t"
			 "bl ct_dlopen_depends\n\t"
			 "and w17, w0, #0xff\n\t"
			 "ldp x0, x1, [sp, #16]\n\t"
			 "ldp x29, x30, [sp], #32\n\t.cfi_adjust_cfa_offset -32\n\t"
			 ".cfi_restore x29\n\t.cfi_restore x30\n\t"
			 "cbz w17, 1f\n\t" TAIL("%0")
			 "1: b ct_dlopen_timed" ENTRY_END("dlopen")
			 ENTRY("dlsym")
			 "add x16, x0, #1\n\t"
			 "cmp x16, #1\n\t"
			 "b.hi 1f\n\t" TAIL("%1")
			 "1: b ct_dlsym_timed" ENTRY_END("dlsym")
			 ENTRY("syscall")
			 "cmp x0, %3\n\t"
			 "b.hs 1f\n\t"
			 "adrp x16, ct_raw\n\t"
			 "add x16, x16, :lo12:ct_raw\n\t"
			 "add x16, x16, x0, lsl #2\n\t"
			 "ldrb w17, [x16]\n\t"
			 "cbnz w17, 2f\n\t"
			 "1: " TAIL("%2")
			 "2: b ct_syscall_other" ENTRY_END("syscall")
			 :
			 : "i"(offsetof(struct ct_real, dlopen)), "i"(offsetof(struct ct_real, dlsym)),
			   "i"(offsetof(struct ct_real, syscall)), "i"(CT_RAW_CALLS));
}
