/*
 * What ctrace-top looks at: for some seconds, holder has g_lock and sleeps, waiter and a thread whose
 * name is hostile wait for it, worker computes, reader reads from a pipe into which nobody writes.
 *
 * usage: looked_at SECONDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;
static double seconds;
static int ends[2];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *holder(void *name)
{
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&g_lock);
	pthread_barrier_wait(&ready);
	usleep((useconds_t)(seconds * 1e6));
	pthread_mutex_unlock(&g_lock);
	/* Who reads has the end of the file. */
	close(ends[1]);
	return NULL;
}

static void *waiter(void *name)
{
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&ready);
	pthread_mutex_lock(&g_lock);
	pthread_mutex_unlock(&g_lock);
	return NULL;
}

static void *worker(void *name)
{
	double until;

	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&ready);
	until = now() + seconds;
	while (now() < until)
		;
	return NULL;
}

static void *reader(void *name)
{
	char byte;

	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&ready);
	if (read(ends[0], &byte, 1))
		abort();
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		void *(*run)(void *name);
		const char *name;
	} threads[] = {
		{ holder, "holder" }, { waiter, "waiter" }, { waiter, "\033[31mred\033c" }, { worker, "worker" },
		{ reader, "reader" },
	};
	pthread_t thread[5];

	seconds = argc > 1 ? atof(argv[1]) : 1;
	if (pipe(ends) || pthread_barrier_init(&ready, NULL, 5))
		return 1;
	for (int i = 0; i < 5; i++)
		if (pthread_create(&thread[i], NULL, threads[i].run, (void *)threads[i].name))
			return 1;
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	puts("ended 0");
	return 0;
}
