/*
 * What one operation costs, in nanoseconds: micro OPERATION ITERATIONS.
 * scripts/bench runs it native and traced in turn and compares. A third argument says how many threads or processes
 * (many.c). Written beside it: nanoseconds of CPU time an operation, of this process and its children.
 */
#include "micro.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

enum { BURST = 1000, BURST_US = 2000 };

static int frames;

/* Stacks of 5 to 60 frames, of which the last deeper, main and the three before it are 5. */
static void poll_of(long n)
{
	deeper(frames - 5, n);
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
	int frames;
} operations[] = {
	{ "lock", lock_pair, 0 },
	{ "malloc", malloc_pair, 0 },
	{ "malloc4", malloc_four, 0 },
	{ "poll", ready_poll, 0 },
	{ "poll5", poll_of, 5 },
	{ "poll10", poll_of, 10 },
	{ "poll20", poll_of, 20 },
	{ "poll60", poll_of, 60 },
	{ "read", ready_read, 0 },
	{ "pipe", pipe_pingpong, 0 },
	{ "cond", cond_pingpong, 0 },
	{ "contended4", contended_4, 0 },
	{ "contended4-long", contended_4_long, 0 },
	{ "contended4-work", contended_4_work, 0 },
	{ "threads", threads, 0 },
	{ "forks", forks, 0 },
	{ "processes", processes, 0 },
	{ "known", known_waits, 0 },
	{ "many-threads", many_threads, 0 },
	{ "many-processes", many_processes, 0 },
	{ "rate", at_a_rate, 0 },
	{ "limit-nothing", limit_nothing, 0 },
	{ "limit-tsc", limit_tsc, 0 },
	{ "limit-line", limit_line, 0 },
	{ "limit-indirect", limit_indirect, 0 },
	{ "limit-all", limit_all, 0 },
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu_seconds(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return seconds(self.ru_utime) + seconds(self.ru_stime) + seconds(children.ru_utime) + seconds(children.ru_stime);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Time and CPU time of n times, ns. */
static void measure(void (*run)(long), long n, double *took, double *cpu)
{
	double begin = now(), cpu_begin = cpu_seconds();

	run(n);
	*cpu += (cpu_seconds() - cpu_begin) * 1e9;
	*took += now() - begin;
}

int main(int argc, char **argv)
{
	double took = 0, cpu = 0;

	if (argc != 3 && argc != 4)
		return 2;
	if (argc == 4)
		many_count = atol(argv[3]);
	fds[0] = open("/dev/zero", O_RDONLY);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (strcmp(argv[1], operations[i].name))
			continue;
		long n = atol(argv[2]);

		frames = operations[i].frames;
		if (argc != 4)
			operations[i].run(n / 100 + 1);
		if (frames && argc != 4) {
			/* In bursts that fit into a ring: what is lost costs less than what is written. */
			n = (n + BURST - 1) / BURST * BURST;
			for (long done = 0; done < n; done += BURST) {
				usleep(BURST_US);
				measure(operations[i].run, BURST, &took, &cpu);
			}
		} else {
			measure(operations[i].run, n, &took, &cpu);
		}
		printf("%.2f %.2f\n", took / (double)n, cpu / (double)n);
		return 0;
	}
	return 2;
}
