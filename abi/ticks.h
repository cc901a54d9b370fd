/* The processor's counter, from which time stamps are taken; all processors count alike, or it is not used. */
#ifndef CT_TICKS_H
#define CT_TICKS_H

#include <stdint.h>

#if defined(__x86_64__)
static inline uint64_t ct_read_ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Not before what stands before it is done. */
static inline uint64_t ct_read_ticks_ordered(void)
{
	uint32_t lo, hi, cpu;

	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(cpu) : : "memory");
	return (uint64_t)hi << 32 | lo;
}
#else
static inline uint64_t ct_read_ticks(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}

static inline uint64_t ct_read_ticks_ordered(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}
#endif

#endif
