/*
 * What one operation costs, in nanoseconds: micro OPERATION ITERATIONS.
 * scripts/bench runs it native and traced in turn and compares.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static int fds[2], back[2];

static void lock_pair(long n)
{
	while (n--) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static void malloc_pair(long n)
{
	while (n--) {
		void *p = malloc(64);

		__asm__ volatile("" : : "r"(p) : "memory");
		free(p);
	}
}

/* A call that returns at once; with CTRACE_MIN=0 each one is written. */
static void ready_poll(long n)
{
	while (n--)
		poll(NULL, 0, 0);
}

static void ready_read(long n)
{
	char c;

	while (n--)
		if (pread(fds[0], &c, 1, 0) != 1)
			abort();
}

/* Each level a frame of its own: the compiler must neither loop nor inline. */
static __attribute__((noinline)) void deeper(int depth, long n)
{
	if (depth > 0)
		deeper(depth - 1, n);
	else
		ready_poll(n);
	__asm__ volatile("" : : : "memory"); /* no tail call */
}

static void poll_10_deep(long n)
{
	deeper(10, n);
}

static void poll_60_deep(long n)
{
	deeper(60, n);
}

static void *echo(void *argument)
{
	char c;

	while (read(fds[0], &c, 1) == 1)
		if (write(back[1], &c, 1) != 1)
			abort();
	return argument;
}

static void pipe_pingpong(long n)
{
	pthread_t thread;
	char c = 0;

	if (pipe(fds) || pipe(back) || pthread_create(&thread, NULL, echo, NULL))
		abort();
	while (n--)
		if (write(fds[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			abort();
	close(fds[1]);
	pthread_join(thread, NULL);
}

static void *answer(void *argument)
{
	long n = *(long *)argument;

	pthread_mutex_lock(&mutex);
	while (n--) {
		while (turn != 1)
			pthread_cond_wait(&cond, &mutex);
		turn = 0;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void cond_pingpong(long n)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer, &n))
		abort();
	pthread_mutex_lock(&mutex);
	for (long i = 0; i < n; i++) {
		turn = 1;
		pthread_cond_signal(&cond);
		while (turn != 0)
			pthread_cond_wait(&cond, &mutex);
	}
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

static volatile long shared;

static long work_inside, work_between;

static void work(long cycles)
{
	for (long i = 0; i < cycles; i++)
		__asm__ volatile("" : : "r"(i));
}

static void *contend(void *argument)
{
	long n = *(long *)argument / 4;

	while (n--) {
		pthread_mutex_lock(&mutex);
		shared++;
		work(work_inside);
		pthread_mutex_unlock(&mutex);
		work(work_between);
	}
	return NULL;
}

static void contended_4(long n)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, contend, &n);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void contended_4_long(long n)
{
	work_inside = 2300;
	contended_4(n);
}

static void contended_4_work(long n)
{
	work_inside = 100;
	work_between = 1000;
	contended_4(n);
}

static void *nothing(void *argument)
{
	return argument;
}

static void threads(long n)
{
	pthread_t thread;

	while (n--) {
		if (pthread_create(&thread, NULL, nothing, NULL))
			abort();
		pthread_join(thread, NULL);
	}
}

static const struct {
	const char *name;
	void (*run)(long);
} operations[] = {
	{ "lock", lock_pair },	      { "malloc", malloc_pair },     { "poll", ready_poll },
	{ "read", ready_read },	      { "poll10", poll_10_deep },    { "poll60", poll_60_deep },
	{ "pipe", pipe_pingpong },    { "cond", cond_pingpong },     { "contended4", contended_4 },
	{ "contended4-long", contended_4_long }, { "contended4-work", contended_4_work },
	{ "threads", threads },
};

int main(int argc, char **argv)
{
	struct timespec a, b;

	if (argc != 3)
		return 2;
	fds[0] = open("/dev/zero", O_RDONLY);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (strcmp(argv[1], operations[i].name))
			continue;
		long n = atol(argv[2]);

		operations[i].run(n / 100 + 1);
		clock_gettime(CLOCK_MONOTONIC, &a);
		operations[i].run(n);
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%.2f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n);
		return 0;
	}
	return 2;
}
