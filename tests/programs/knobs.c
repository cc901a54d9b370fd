/*
 * Programs with a knob, for scripts/whatif-validate: what a change of it brings is
 * predicted from a trace, and measured. Says on stdout how many ns it took.
 *
 *   hold US          4 threads queue for one lock that each holds for so long
 *   hold_cpu US      the same, computing
 *   pipeline US      a stage of three that costs so much
 *   io US            threads that fetch, each time for so long, and compute
 *   shards N         4 threads and a map in N parts, each with its lock
 */
#include "case.h"

#define THREADS 4

static uint64_t knob(int argc, char **argv)
{
	return argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
}

static int say_time(uint64_t start_ns)
{
	printf("%" PRIu64 "\n", now_ns() - start_ns);
	return 0;
}

static int run_threads(void *(*routine)(void *), uint64_t *argument)
{
	uint64_t start_ns = now_ns();
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		t[i] = start(routine, argument);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return say_time(start_ns);
}

/* Work whose amount, not its time on the clock, is given. */
static void compute_us(uint64_t us)
{
	for (volatile uint64_t i = 0; i < us * 500; i++)
		;
}

/* --- a lock --- */

static pthread_mutex_t g_map = PTHREAD_MUTEX_INITIALIZER;

static void *sleeping_holder(void *us)
{
	for (int i = 0; i < 60; i++) {
		pthread_mutex_lock(&g_map);
		if (*(uint64_t *)us)
			pause_ns(*(uint64_t *)us * 1000);
		pthread_mutex_unlock(&g_map);
		pause_ns(4 * MS);
	}
	return NULL;
}

static int hold(int argc, char **argv)
{
	uint64_t us = knob(argc, argv);

	return run_threads(sleeping_holder, &us);
}

static void *computing_holder(void *us)
{
	for (int i = 0; i < 60; i++) {
		pthread_mutex_lock(&g_map);
		compute_us(*(uint64_t *)us);
		pthread_mutex_unlock(&g_map);
		compute_us(500);
	}
	return NULL;
}

static int hold_cpu(int argc, char **argv)
{
	uint64_t us = knob(argc, argv);

	return run_threads(computing_holder, &us);
}

/* --- a pipeline --- */

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int items;
} g_queues[2] = { { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 },
		  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 } };

static void move(struct queue *q, int by)
{
	pthread_mutex_lock(&q->lock);
	while (q->items + by < 0 || q->items + by > 4)
		pthread_cond_wait(&q->changed, &q->lock);
	q->items += by;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

#define ITEMS 150

static void *read_stage(void *unused)
{
	(void)unused;
	for (int i = 0; i < ITEMS; i++) {
		pause_ns(1 * MS);
		move(&g_queues[0], 1);
	}
	return NULL;
}

static NOINLINE void transform(uint64_t us)
{
	if (us)
		pause_ns(us * 1000);
	__asm__ volatile("");
}

static void *transform_stage(void *us)
{
	for (int i = 0; i < ITEMS; i++) {
		move(&g_queues[0], -1);
		transform(*(uint64_t *)us);
		move(&g_queues[1], 1);
	}
	return NULL;
}

static void *write_stage(void *unused)
{
	(void)unused;
	for (int i = 0; i < ITEMS; i++) {
		move(&g_queues[1], -1);
		pause_ns(500000);
	}
	return NULL;
}

static int pipeline(int argc, char **argv)
{
	uint64_t us = knob(argc, argv), start_ns = now_ns();
	pthread_t t[3] = { start(read_stage, NULL), start(transform_stage, &us), start(write_stage, NULL) };

	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return say_time(start_ns);
}

/* --- input --- */

static NOINLINE void fetch(uint64_t us)
{
	if (us)
		pause_ns(us * 1000);
	__asm__ volatile("");
}

static void *fetcher(void *us)
{
	for (int i = 0; i < 60; i++) {
		fetch(*(uint64_t *)us);
		compute_us(300);
	}
	return NULL;
}

static int io(int argc, char **argv)
{
	uint64_t us = knob(argc, argv);

	return run_threads(fetcher, &us);
}

/* --- shards --- */

#define SHARDS_MAX 16
static pthread_mutex_t g_shards[SHARDS_MAX];

static void *sharder(void *shards)
{
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self() >> 12;

	for (int i = 0; i < 60; i++) {
		pthread_mutex_t *m = &g_shards[(uint64_t)rand_r(&seed) / 7 % *(uint64_t *)shards];

		pthread_mutex_lock(m);
		pause_ns(2 * MS);
		pthread_mutex_unlock(m);
		pause_ns(2 * MS);
	}
	return NULL;
}

static int shards(int argc, char **argv)
{
	uint64_t n = knob(argc, argv);

	n = n < 1 || n > SHARDS_MAX ? 1 : n;
	for (int i = 0; i < SHARDS_MAX; i++)
		pthread_mutex_init(&g_shards[i], NULL);
	return run_threads(sharder, &n);
}

CASES_MAIN({ "hold", hold }, { "hold_cpu", hold_cpu }, { "pipeline", pipeline }, { "io", io }, { "shards", shards })
