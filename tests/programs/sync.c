/* Waits for other threads: conditions, semaphores, barriers, joins, futexes. */
#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include "case.h"

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static int turn;

/* --- a condition that another thread signals --- */

static struct said cond_said = { "consumer", "cond", "pthread_cond_wait", "wait_for_work", "g_cond", NULL, 0, 0 };

static NOINLINE void wait_for_work(int want, struct said *s)
{
	MUST(!pthread_mutex_lock(&g_mutex));
	while (turn < want)
		WAIT(s, MUST(!pthread_cond_wait(&g_cond, &g_mutex)));
	MUST(!pthread_mutex_unlock(&g_mutex));
}

static void *consumer(void *unused)
{
	(void)unused;
	name_me("consumer");
	for (int i = 1; i <= 4; i++)
		wait_for_work(i, &cond_said);
	return NULL;
}

static int cond(int argc, char **argv)
{
	pthread_t t = start(consumer, NULL);

	(void)argc, (void)argv;
	for (int i = 1; i <= 4; i++) {
		pause_ns(30 * MS);
		MUST(!pthread_mutex_lock(&g_mutex));
		turn = i;
		if (i & 1)
			pthread_cond_signal(&g_cond);
		else
			pthread_cond_broadcast(&g_cond);
		MUST(!pthread_mutex_unlock(&g_mutex));
	}
	pthread_join(t, NULL);
	say(&cond_said);
	return 0;
}

/* --- a condition that nobody signals --- */

static struct said timed_said = { "main", "cond", "pthread_cond_timedwait", "wait_until", "g_cond", NULL, 0, 0 };
static struct said clock_said = { "main", "cond", "pthread_cond_clockwait", "wait_by_clock", "g_cond", NULL, 0, 0 };

static NOINLINE void wait_until(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 50 * MS);
	int r;

	WAIT(s, r = pthread_cond_timedwait(&g_cond, &g_mutex, &t));
	MUST(r == ETIMEDOUT);
}

static NOINLINE void wait_by_clock(struct said *s)
{
	struct timespec t = in_ns(CLOCK_MONOTONIC, 50 * MS);
	int r;

	WAIT(s, r = pthread_cond_clockwait(&g_cond, &g_mutex, CLOCK_MONOTONIC, &t));
	MUST(r == ETIMEDOUT);
}

static int timedwait(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pthread_mutex_lock(&g_mutex));
	wait_until(&timed_said);
	wait_by_clock(&clock_said);
	MUST(!pthread_mutex_unlock(&g_mutex));
	say(&timed_said);
	say(&clock_said);
	return 0;
}

/* --- semaphore --- */

static sem_t g_sem;
static struct said sem_said = { "taker", "semaphore", "sem_wait", "take_one", "g_sem", NULL, 0, 0 };
static struct said sem_timed_said = { "taker", "semaphore", "sem_timedwait", "take_in_time", "g_sem", NULL, 0, 0 };
static struct said sem_clock_said = { "taker", "semaphore", "sem_clockwait", "take_by_clock", "g_sem", NULL, 0, 0 };

static NOINLINE void take_one(struct said *s)
{
	WAIT(s, MUST(!sem_wait(&g_sem)));
}

static NOINLINE void take_in_time(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 40 * MS);
	int r;

	WAIT(s, r = sem_timedwait(&g_sem, &t));
	MUST(r == -1 && errno == ETIMEDOUT);
}

static NOINLINE void take_by_clock(struct said *s)
{
	struct timespec t = in_ns(CLOCK_MONOTONIC, 40 * MS);
	int r;

	WAIT(s, r = sem_clockwait(&g_sem, CLOCK_MONOTONIC, &t));
	MUST(r == -1 && errno == ETIMEDOUT);
}

static void *taker(void *unused)
{
	(void)unused;
	name_me("taker");
	for (int i = 0; i < 3; i++)
		take_one(&sem_said);
	take_in_time(&sem_timed_said);
	take_by_clock(&sem_clock_said);
	return NULL;
}

static int semaphore(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!sem_init(&g_sem, 0, 0));
	pthread_t t = start(taker, NULL);

	for (int i = 0; i < 3; i++) {
		pause_ns(30 * MS);
		MUST(!sem_post(&g_sem));
	}
	pthread_join(t, NULL);
	say(&sem_said);
	say(&sem_timed_said);
	say(&sem_clock_said);
	return 0;
}

/* --- barrier --- */

static pthread_barrier_t g_barrier;
static struct said barrier_said = { "early", "barrier", "pthread_barrier_wait", "wait_for_all", "g_barrier", NULL, 0, 0 };

static NOINLINE void wait_for_all(struct said *s)
{
	WAIT(s, pthread_barrier_wait(&g_barrier));
}

static void *early(void *unused)
{
	(void)unused;
	name_me("early");
	wait_for_all(&barrier_said);
	return NULL;
}

static int barrier(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pthread_barrier_init(&g_barrier, NULL, 2));
	pthread_t t = start(early, NULL);

	pause_ns(60 * MS);
	int r = pthread_barrier_wait(&g_barrier);

	MUST(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
	pthread_join(t, NULL);
	say(&barrier_said);
	return 0;
}

/* --- join --- */

static struct said join_said = { "main", "join", "pthread_join", "wait_for_end", NULL, NULL, 0, 0 };
static struct said timedjoin_said = { "main", "join", "pthread_timedjoin_np", "wait_a_while", NULL, NULL, 0, 0 };

static void *sleeper(void *result)
{
	name_me("sleeper");
	pause_ns(100 * MS);
	return result;
}

static NOINLINE void *wait_for_end(pthread_t t, struct said *s)
{
	void *result;

	WAIT(s, MUST(!pthread_join(t, &result)));
	return result;
}

static NOINLINE void wait_a_while(pthread_t t, struct said *s)
{
	struct timespec until = in_ns(CLOCK_REALTIME, 40 * MS);
	int r;

	WAIT(s, r = pthread_timedjoin_np(t, NULL, &until));
	MUST(r == ETIMEDOUT);
}

static int join(int argc, char **argv)
{
	int x;

	(void)argc, (void)argv;
	pthread_t t = start(sleeper, &x);

	wait_a_while(t, &timedjoin_said);
	MUST(wait_for_end(t, &join_said) == &x);
	say(&timedjoin_said);
	say(&join_said);
	return 0;
}

/* --- a futex of one's own --- */

static uint32_t g_word;
static struct said futex_said = { "futexer", "futex", "syscall", "wait_on_word", "g_word", NULL, 0, 0 };

static NOINLINE void wait_on_word(uint32_t value, struct said *s)
{
	while (__atomic_load_n(&g_word, __ATOMIC_ACQUIRE) == value)
		WAIT(s, syscall(SYS_futex, &g_word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0));
}

static void *futexer(void *unused)
{
	(void)unused;
	name_me("futexer");
	for (uint32_t i = 0; i < 3; i++)
		wait_on_word(i, &futex_said);
	return NULL;
}

static int futex(int argc, char **argv)
{
	pthread_t t = start(futexer, NULL);

	(void)argc, (void)argv;
	for (uint32_t i = 1; i <= 3; i++) {
		pause_ns(30 * MS);
		__atomic_store_n(&g_word, i, __ATOMIC_RELEASE);
		syscall(SYS_futex, &g_word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	}
	pthread_join(t, NULL);
	say(&futex_said);
	errno = 0;
	long r = syscall(SYS_futex, &g_word, FUTEX_WAIT_PRIVATE, 77, NULL, NULL, 0);

	printf("futex of another value: %ld, errno %d\n", r, errno);
	errno = 0;
	r = syscall(-1L);
	printf("no such call: %ld, errno %d; gettid %d\n", r, errno, syscall(SYS_gettid) == (long)getpid());
	return 0;
}

CASES_MAIN({ "cond", cond }, { "timedwait", timedwait }, { "semaphore", semaphore }, { "barrier", barrier },
	   { "join", join }, { "futex", futex })
