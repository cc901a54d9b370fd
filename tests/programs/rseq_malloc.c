/*
 * An allocator with restartable sequences of its own, as tcmalloc has: preloaded behind ctrace, it
 * overwrites what ctrace has left in the thread's rseq area.
 */
#include <stddef.h>
#include <stdlib.h>

extern const ptrdiff_t __rseq_offset __attribute__((weak));
void *__libc_malloc(size_t size);
void __libc_free(void *p);

/* A section of one byte; its abort handler is preceded by glibc's signature. */
__asm__(".pushsection .text\n"
	"	.byte 0x0f, 0xb9, 0x3d\n"
	"	.long 0x53053053\n"
	"section_abort:\n"
	"	ret\n"
	"section_start:\n"
	"	nop\n"
	".popsection\n"
	".pushsection .data.rel.ro, \"aw\"\n"
	"	.balign 32\n"
	"section:\n"
	"	.long 0, 0\n"
	"	.quad section_start, 1, section_abort\n"
	".popsection\n");

static void restartable(void)
{
	if (&__rseq_offset)
		__asm__ volatile("leaq section(%%rip), %%rax\n\t"
				 "movq %%rax, %%fs:8(%0)"
				 :
				 : "r"(__rseq_offset)
				 : "rax", "memory");
}

void *malloc(size_t size)
{
	restartable();
	return __libc_malloc(size);
}

void free(void *p)
{
	restartable();
	__libc_free(p);
}
