/*
 * Programs with one thing wrong each, for `summary`: findings CASE DIRECTORY
 *
 *   lock     four workers need g_lock for nearly all that they do, in process()
 *   alone    one thread makes what seven wait for, in consume(), and never stops computing
 *   turns    threads hand a lock of their own on: a mutex and a condition, in take_turn()
 *   disk     writes and syncs a file in save()
 *   idle     a pool that waits in wait_for_work(), and a main thread that sleeps
 *   pipe     a child that answers late; the parent reads in ask()
 *   compute  one thread computes
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static volatile uint64_t sink;

static NOINLINE void compute(uint64_t ns)
{
	for (uint64_t end = now_ns() + ns; now_ns() < end;)
		for (int i = 0; i < 1000; i++)
			sink += (uint64_t)i * sink;
}

static void sleep_ns(long ns)
{
	nanosleep(&(struct timespec){ ns / 1000000000, ns % 1000000000 }, NULL);
}

static void run(int n, const char *name, void *(*routine)(void *))
{
	pthread_t thread[16];

	for (int i = 0; i < n; i++) {
		char text[16];

		pthread_create(&thread[i], NULL, routine, (void *)(intptr_t)i);
		snprintf(text, sizeof(text), "%s-%d", name, i);
		pthread_setname_np(thread[i], text);
	}
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

/* --- lock --- */

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;

/* Sleeping keeps what is measured free of how many CPUs there are. */
static NOINLINE void process(void)
{
	pthread_mutex_lock(&g_lock);
	sleep_ns(3000000);
	pthread_mutex_unlock(&g_lock);
	sink++;
}

static void *lock_worker(void *argument)
{
	for (int i = 0; i < 40; i++)
		process();
	return argument;
}

/* --- alone --- */

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static int queued, done;

static NOINLINE int consume(void)
{
	pthread_mutex_lock(&queue_lock);
	while (!queued && !done)
		pthread_cond_wait(&queue_filled, &queue_lock);
	int got = queued ? queued-- : 0;

	pthread_mutex_unlock(&queue_lock);
	return got;
}

static void *consumer(void *argument)
{
	while (consume())
		;
	return argument;
}

static NOINLINE void produce(void)
{
	for (int i = 0; i < 100; i++) {
		compute(6000000);
		pthread_mutex_lock(&queue_lock);
		queued++;
		pthread_cond_signal(&queue_filled);
		pthread_mutex_unlock(&queue_lock);
	}
	pthread_mutex_lock(&queue_lock);
	done = 1;
	pthread_cond_broadcast(&queue_filled);
	pthread_mutex_unlock(&queue_lock);
}

static void *alone_thread(void *argument)
{
	if ((intptr_t)argument == 0) {
		pthread_setname_np(pthread_self(), "producer");
		produce();
		return NULL;
	}
	return consumer(argument);
}

/* --- turns --- */

static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static int turn_taken;

static NOINLINE void take_turn(void)
{
	pthread_mutex_lock(&queue_lock);
	while (turn_taken)
		pthread_cond_wait(&turn_free, &queue_lock);
	turn_taken = 1;
	pthread_mutex_unlock(&queue_lock);
}

static NOINLINE void give_turn(void)
{
	pthread_mutex_lock(&queue_lock);
	turn_taken = 0;
	pthread_cond_signal(&turn_free);
	pthread_mutex_unlock(&queue_lock);
}

static void *turn_taker(void *argument)
{
	for (int i = 0; i < 50; i++) {
		take_turn();
		compute(3000000);
		give_turn();
		usleep(1000); /* or it would take the next turn before whom it woke runs */
	}
	return argument;
}

/* --- the others --- */

static NOINLINE void save(int fd)
{
	char text[4096];

	memset(text, 'x', sizeof(text));
	if (pwrite(fd, text, sizeof(text), 0) == sizeof(text))
		fdatasync(fd);
	sink++;
}

static NOINLINE void wait_for_work(void)
{
	pthread_mutex_lock(&queue_lock);
	while (!done)
		pthread_cond_wait(&queue_filled, &queue_lock);
	pthread_mutex_unlock(&queue_lock);
}

static void *idler(void *argument)
{
	wait_for_work();
	return argument;
}

static NOINLINE void doze(void)
{
	sleep_ns(600000000);
	sink++;
}

static NOINLINE char ask(int to, int from)
{
	char c = 'x';

	if (write(to, &c, 1) != 1 || read(from, &c, 1) != 1)
		exit(1);
	sink++;
	return c;
}

static int pipes(void)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		return 1;
	pid_t child = fork();

	if (!child) {
		char c;

		close(to[1]);
		while (read(to[0], &c, 1) == 1) {
			sleep_ns(4000000);
			if (write(from[1], &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(to[0]);
	for (int i = 0; i < 100; i++)
		ask(to[1], from[0]);
	close(to[1]);
	waitpid(child, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "";

	if (argc > 2 && chdir(argv[2]))
		return 1;
	if (!strcmp(which, "lock")) {
		run(4, "worker", lock_worker);
	} else if (!strcmp(which, "alone")) {
		run(8, "consumer", alone_thread);
	} else if (!strcmp(which, "turns")) {
		run(4, "taker", turn_taker);
	} else if (!strcmp(which, "disk")) {
		int fd = open("saved", O_CREAT | O_WRONLY, 0600);

		for (int i = 0; i < 200; i++)
			save(fd);
	} else if (!strcmp(which, "idle")) {
		pthread_t pool[4];

		for (int i = 0; i < 4; i++)
			pthread_create(&pool[i], NULL, idler, NULL);
		doze();
		pthread_mutex_lock(&queue_lock);
		done = 1;
		pthread_cond_broadcast(&queue_filled);
		pthread_mutex_unlock(&queue_lock);
		for (int i = 0; i < 4; i++)
			pthread_join(pool[i], NULL);
	} else if (!strcmp(which, "pipe")) {
		return pipes();
	} else if (!strcmp(which, "compute")) {
		compute(500000000);
	} else {
		return 2;
	}
	return 0;
}
