/*
 * The parts that an event cannot do without: two time stamps, a cache line written and an indirect call. What a wrapper
 * adds can be near their sum, not below it. Measured as loops, so that what the CPU does of it at the same time is seen.
 */
#include "micro.h"

#include <stdint.h>
#include <x86intrin.h>

enum { RING = 1 << 20, LINE = 64 };

static char ring[RING] __attribute__((aligned(LINE)));
static uint64_t where;

static __attribute__((noinline)) uint64_t callee(uint64_t value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

/* Read anew for each call, as a wrapper reads the address of the real function. */
static uint64_t (*volatile called)(uint64_t) = callee;

void limit_nothing(long n)
{
	while (n--)
		__asm__ volatile("" : : : "memory");
}

void limit_tsc(long n)
{
	while (n--) {
		uint64_t a = __rdtsc(), b = __rdtsc();

		__asm__ volatile("" : : "r"(a), "r"(b) : "memory");
	}
}

static inline void write_line(uint64_t a, uint64_t b)
{
	uint64_t *line = (uint64_t *)(ring + where);

	for (int i = 0; i < LINE / 8; i += 2) {
		line[i] = a;
		line[i + 1] = b;
	}
	where = (where + LINE) % RING;
	__asm__ volatile("" : : : "memory");
}

void limit_line(long n)
{
	while (n--)
		write_line((uint64_t)n, 0);
}

void limit_indirect(long n)
{
	while (n--)
		called((uint64_t)n);
}

void limit_all(long n)
{
	while (n--) {
		uint64_t a = __rdtsc();

		called((uint64_t)n);
		write_line(a, __rdtsc());
	}
}
