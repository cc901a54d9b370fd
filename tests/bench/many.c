/* Operations with several threads or processes. */
#include "micro.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

extern char **environ;

long many_count = 1;

/* --- malloc in one thread, free in another: two of each --- */

enum { BATCH = 256, SIZE = 64 };

struct pair {
	void *blocks[2][BATCH];
	sem_t full, empty;
	long batches;
};

static void *produce(void *argument)
{
	struct pair *p = argument;

	for (long i = 0; i < p->batches; i++) {
		while (sem_wait(&p->empty))
			;
		for (int j = 0; j < BATCH; j++)
			p->blocks[i % 2][j] = malloc(SIZE);
		sem_post(&p->full);
	}
	return NULL;
}

static void *consume(void *argument)
{
	struct pair *p = argument;

	for (long i = 0; i < p->batches; i++) {
		while (sem_wait(&p->full))
			;
		for (int j = 0; j < BATCH; j++)
			free(p->blocks[i % 2][j]);
		sem_post(&p->empty);
	}
	return NULL;
}

void malloc_four(long n)
{
	static struct pair pairs[2];
	pthread_t thread[4];

	for (int i = 0; i < 2; i++) {
		pairs[i].batches = n / 2 / BATCH + 1;
		sem_init(&pairs[i].full, 0, 0);
		sem_init(&pairs[i].empty, 0, 2);
		if (pthread_create(&thread[2 * i], NULL, produce, &pairs[i]) ||
		    pthread_create(&thread[2 * i + 1], NULL, consume, &pairs[i]))
			abort();
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* --- processes --- */

void forks(long n)
{
	while (n--) {
		pid_t child = fork();

		if (child < 0)
			abort();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
	}
}

void processes(long n)
{
	char *const argv[] = { "true", NULL };
	pid_t child;

	while (n--) {
		if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ))
			abort();
		waitpid(child, NULL, 0);
	}
}

/* --- a number of waits for a lock that is known: one a round, among locks that are free --- */

enum { FREE_LOCKS = 1000, HELD_NS = 100000 };

pthread_mutex_t the_contended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t other_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, about_to, got;

static __attribute__((noinline)) void waits_for_it(void)
{
	pthread_mutex_lock(&the_contended_lock);
	pthread_mutex_unlock(&the_contended_lock);
	__asm__ volatile("" : : : "memory");
}

/* The other is on its way into the lock: time enough for it to be asleep there. */
static __attribute__((noinline)) void holds_it(void)
{
	struct timespec t = { 0, HELD_NS };

	pthread_mutex_lock(&the_contended_lock);
	sem_post(&held);
	sem_wait(&about_to);
	nanosleep(&t, NULL);
	pthread_mutex_unlock(&the_contended_lock);
	__asm__ volatile("" : : : "memory");
}

static void *waiter(void *argument)
{
	long n = *(long *)argument;

	while (n--) {
		sem_wait(&held);
		sem_post(&about_to);
		waits_for_it();
		sem_post(&got);
	}
	return NULL;
}

void known_waits(long n)
{
	pthread_t thread;

	sem_init(&held, 0, 0);
	sem_init(&about_to, 0, 0);
	sem_init(&got, 0, 0);
	if (pthread_create(&thread, NULL, waiter, &n))
		abort();
	for (long i = 0; i < n; i++) {
		holds_it();
		sem_wait(&got);
		for (int j = 0; j < FREE_LOCKS; j++) {
			pthread_mutex_lock(&other_lock);
			pthread_mutex_unlock(&other_lock);
		}
	}
	pthread_join(thread, NULL);
}

/* --- the same work by more and more: n calls that are written with CTRACE_MIN=0 --- */

static void *calls(void *argument)
{
	for (long n = (long)argument; n > 0; n--)
		poll(NULL, 0, 0);
	return NULL;
}

void many_threads(long n)
{
	pthread_t *thread = calloc((size_t)many_count, sizeof(*thread));

	if (!thread)
		abort();
	for (long i = 0; i < many_count; i++)
		if (pthread_create(&thread[i], NULL, calls, (void *)(n / many_count)))
			abort();
	for (long i = 0; i < many_count; i++)
		pthread_join(thread[i], NULL);
	free(thread);
}

void many_processes(long n)
{
	for (long i = 0; i < many_count; i++) {
		pid_t child = fork();

		if (child < 0)
			abort();
		if (!child) {
			calls((void *)(n / many_count));
			_exit(0);
		}
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* Work takes cycles of the CPU's clock rather than time, so that what an event costs is not hidden in a shorter wait. */
void at_a_rate(long n)
{
	while (n--) {
		for (long i = 0; i < many_count; i++)
			__asm__ volatile("" : : "r"(i));
		poll(NULL, 0, 0);
	}
}
