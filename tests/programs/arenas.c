/*
 * Threads that use the allocator all the time: arenas [MS]. With MALLOC_ARENA_MAX=1 they all
 * queue up for the lock of one arena. Blocks are too large for the caches of threads, and too
 * small for mappings of their own.
 */
#include "case.h"

#define THREADS 8
#define BLOCKS  64
#define SMALL   2000u
#define LARGE   20000u

static uint64_t g_until;

static NOINLINE void *take(uint32_t bytes)
{
	char *p = malloc(bytes);

	MUST(p);
	p[0] = p[bytes - 1] = 1;
	return p;
}

static NOINLINE void give(void *p)
{
	free(p);
	__asm__ volatile("");
}

static void *allocate(void *number)
{
	uint32_t random = (uint32_t)(uintptr_t)number + 1;
	void *block[BLOCKS] = { 0 };
	char name[16];

	snprintf(name, sizeof(name), "taker-%u", random - 1);
	name_me(name);
	while (now_ns() < g_until)
		for (uint32_t i = 0; i < BLOCKS; i++) {
			random = random * 1664525u + 1013904223u;
			give(block[i]);
			block[i] = take(SMALL + (random >> 8) % (LARGE - SMALL));
		}
	for (uint32_t i = 0; i < BLOCKS; i++)
		give(block[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];

	g_until = now_ns() + (argc > 1 ? strtoull(argv[1], NULL, 10) : 300) * MS;
	for (uintptr_t i = 0; i < THREADS; i++)
		MUST(!pthread_create(&thread[i], NULL, allocate, (void *)i));
	for (int i = 0; i < THREADS; i++)
		MUST(!pthread_join(thread[i], NULL));
	return 0;
}
