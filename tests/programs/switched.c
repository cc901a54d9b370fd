/*
 * Waits of every kind while recording is switched on and off: switched CASE SECONDS.
 *
 *   waits    threads that contend for a mutex, wait on a condition, poll, read a pipe, sleep;
 *            one holds the mutex and a read-write lock over switches
 *   nested   a timer's handler makes calls in the middle of others, and leaves some by longjmp
 *   forks    children come and go, and one is exec'ed
 *   stuck    two threads that wait for each other, from the beginning
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int over, ready;
static int fds[2];
static uint64_t end_ms;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void *contend(void *unused)
{
	(void)unused;
	while (now_ms() < end_ms) {
		pthread_mutex_lock(&mutex);
		sleep_ms(1);
		free(malloc(100));
		pthread_mutex_unlock(&mutex);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
	}
	return NULL;
}

static void *wait_cond(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&other);
	while (!over)
		pthread_cond_wait(&cond, &other);
	pthread_mutex_unlock(&other);
	return NULL;
}

static void *signal_cond(void *unused)
{
	(void)unused;
	while (now_ms() < end_ms) {
		pthread_mutex_lock(&other);
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&other);
		sleep_ms(3);
	}
	return NULL;
}

static void *poll_pipe(void *unused)
{
	struct pollfd p = { fds[0], POLLIN, 0 };
	char c;

	(void)unused;
	while (poll(&p, 1, -1) == 1 && read(fds[0], &c, 1) == 1)
		;
	return NULL;
}

static void *write_pipe(void *unused)
{
	(void)unused;
	while (now_ms() < end_ms) {
		if (write(fds[1], "x", 1) != 1)
			break;
		sleep_ms(2);
	}
	close(fds[1]);
	return NULL;
}

static void *hold(void *unused)
{
	(void)unused;
	while (now_ms() < end_ms) {
		pthread_mutex_lock(&mutex);
		pthread_rwlock_wrlock(&rwlock);
		sleep_ms(300);
		pthread_rwlock_unlock(&rwlock);
		pthread_mutex_unlock(&mutex);
		sleep_ms(50);
	}
	return NULL;
}

static void *sleep_all(void *unused)
{
	(void)unused;
	sleep_ms((long)(end_ms - now_ms()));
	return NULL;
}

static int waits(void)
{
	void *(*const routines[])(void *) = { contend, contend, wait_cond, signal_cond, poll_pipe, write_pipe, hold, sleep_all };
	pthread_t thread[8];

	if (pipe(fds))
		return 1;
	for (int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, routines[i], NULL);
	sleep_ms((long)(end_ms - now_ms()));
	over = 1;
	pthread_mutex_lock(&other);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&other);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void handler(int sig)
{
	struct timespec t = { 0, 300000 };

	(void)sig;
	poll(NULL, 0, 0);
	nanosleep(&t, NULL);
	if (jumps && jumps++ % 5 == 0)
		siglongjmp(back, 1);
}

static int nested(void)
{
	struct sigaction a = { .sa_handler = handler };
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } };

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (now_ms() < end_ms) {
		if (!sigsetjmp(back, 1)) {
			jumps = 1;
			poll(NULL, 0, 20);
		}
		jumps = 0;
	}
	return 0;
}

static int forks(void)
{
	int bad = 0;

	while (now_ms() < end_ms) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			sleep_ms(5);
			free(malloc(1000));
			if (now_ms() % 2)
				execl("/bin/sleep", "sleep", "0.01", (char *)NULL);
			_exit(0);
		}
		bad += waitpid(pid, &status, 0) != pid || status;
		sleep_ms(1);
	}
	return bad != 0;
}

static void *first(void *unused)
{
	pthread_mutex_lock(&mutex);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < 2)
		sleep_ms(1);
	pthread_mutex_lock(&other);
	return unused;
}

static void *second(void *unused)
{
	pthread_mutex_lock(&other);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < 2)
		sleep_ms(1);
	pthread_mutex_lock(&mutex);
	return unused;
}

static int stuck(void)
{
	pthread_t a, b;

	pthread_create(&a, NULL, first, NULL);
	pthread_create(&b, NULL, second, NULL);
	sleep_ms((long)(end_ms - now_ms()));
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	end_ms = now_ms() + (uint64_t)(argc > 2 ? atof(argv[2]) * 1000 : 1000);
	printf("begun\n");
	fflush(stdout);
	int bad = !strcmp(what, "waits") ? waits() : !strcmp(what, "nested") ? nested() : !strcmp(what, "forks") ? forks() : stuck();

	printf("ended %d\n", bad);
	return bad;
}
