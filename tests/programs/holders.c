/*
 * Locks whose holders are known: see tests/run_wakers.py. As in wakers.c each case says
 * on stdout who unblocked whom, and in which functions.
 */
#include <threads.h>

#include "case.h"

static void told(const char *waiter, const char *waker, const char *cause, const char *wait_site,
		 const char *wake_site, int count)
{
	printf("{\"waiter\":\"%s\",\"waker\":\"%s\",\"cause\":\"%s\",\"wait_site\":\"%s\",\"wake_site\":\"%s\","
	       "\"count\":%d,\"kernel\":false}\n",
	       waiter, waker, cause, wait_site, wake_site, count);
}

#define ROUNDS 30

/* --- a writer behind readers, of whom one leaves when the others have --- */

static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t g_round, g_left, g_over;

static NOINLINE void leave_reading(void)
{
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	__asm__ volatile("");
}

static NOINLINE void read_until(bool others_left)
{
	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	pthread_barrier_wait(&g_round);
	pause_ns(2 * MS);
	if (others_left)
		pthread_barrier_wait(&g_left);
	leave_reading();
	if (!others_left)
		pthread_barrier_wait(&g_left);
	pthread_barrier_wait(&g_over);
}

static void *brief_reader(void *unused)
{
	(void)unused;
	name_me("brief");
	for (int i = 0; i < ROUNDS; i++)
		read_until(false);
	return NULL;
}

static void *last_reader(void *unused)
{
	(void)unused;
	name_me("last");
	for (int i = 0; i < ROUNDS; i++)
		read_until(true);
	return NULL;
}

static NOINLINE void write_behind(void)
{
	MUST(!pthread_rwlock_wrlock(&g_rwlock));
	__asm__ volatile("");
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	__asm__ volatile("");
}

static void *writer(void *unused)
{
	(void)unused;
	name_me("writer");
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&g_round);
		write_behind();
		pthread_barrier_wait(&g_over);
	}
	return NULL;
}

static int last(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 4);
	pthread_barrier_init(&g_left, NULL, 3);
	pthread_barrier_init(&g_over, NULL, 4);
	pthread_t t[4] = { start(brief_reader, NULL), start(brief_reader, NULL), start(last_reader, NULL),
			   start(writer, NULL) };

	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	told("writer", "last", "rwlock", "write_behind", "leave_reading", ROUNDS);
	return 0;
}

/* --- C11's mutex --- */

static mtx_t g_mtx;

static NOINLINE void give_mtx(void)
{
	MUST(mtx_unlock(&g_mtx) == thrd_success);
	__asm__ volatile("");
}

static NOINLINE void want_mtx(void)
{
	MUST(mtx_lock(&g_mtx) == thrd_success);
	__asm__ volatile("");
}

static void *mtx_holder(void *unused)
{
	(void)unused;
	name_me("holder");
	for (int i = 0; i < ROUNDS; i++) {
		MUST(mtx_lock(&g_mtx) == thrd_success);
		pthread_barrier_wait(&g_round);
		pause_ns(3 * MS);
		give_mtx();
		pthread_barrier_wait(&g_over);
	}
	return NULL;
}

static void *mtx_waiter(void *unused)
{
	(void)unused;
	name_me("waiter");
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&g_round);
		want_mtx();
		MUST(mtx_unlock(&g_mtx) == thrd_success);
		pthread_barrier_wait(&g_over);
	}
	return NULL;
}

static int c11(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 2);
	pthread_barrier_init(&g_over, NULL, 2);
	MUST(mtx_init(&g_mtx, mtx_plain) == thrd_success);
	pthread_t t[2] = { start(mtx_holder, NULL), start(mtx_waiter, NULL) };

	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	told("waiter", "holder", "mutex", "want_mtx", "give_mtx", ROUNDS);
	return 0;
}

/* --- a spin lock that is held while another thread spins --- */

static pthread_spinlock_t g_spin;

static NOINLINE void end_spinning(void)
{
	MUST(!pthread_spin_unlock(&g_spin));
	__asm__ volatile("");
}

static void *spin_holder(void *unused)
{
	(void)unused;
	name_me("holder");
	for (int i = 0; i < ROUNDS; i++) {
		MUST(!pthread_spin_lock(&g_spin));
		pthread_barrier_wait(&g_round);
		pause_ns(3 * MS);
		end_spinning();
		pthread_barrier_wait(&g_over);
	}
	return NULL;
}

static void *spinner(void *unused)
{
	(void)unused;
	name_me("spinner");
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&g_round);
		MUST(!pthread_spin_lock(&g_spin));
		MUST(!pthread_spin_unlock(&g_spin));
		pthread_barrier_wait(&g_over);
	}
	return NULL;
}

static int spin(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 2);
	pthread_barrier_init(&g_over, NULL, 2);
	MUST(!pthread_spin_init(&g_spin, PTHREAD_PROCESS_PRIVATE));
	pthread_t t[2] = { start(spin_holder, NULL), start(spinner, NULL) };

	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}

/* --- a mutex that four threads take as often as they can, and some for longer --- */

#define TURNS 400000

static pthread_mutex_t g_hammered = PTHREAD_MUTEX_INITIALIZER;
static volatile long g_count;

static void *hammer(void *unused)
{
	(void)unused;
	name_me("hammer");
	pthread_barrier_wait(&g_round);
	for (int i = 0; i < TURNS; i++) {
		MUST(!pthread_mutex_lock(&g_hammered));
		g_count++;
		if (i % (TURNS / 10) == TURNS / 20)
			pause_ns(5 * MS);
		MUST(!pthread_mutex_unlock(&g_hammered));
	}
	return NULL;
}

static int hammered(int argc, char **argv)
{
	pthread_t t[4];

	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 4);
	for (int i = 0; i < 4; i++)
		t[i] = start(hammer, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	MUST(g_count == 4l * TURNS);
	return 0;
}

/* --- a mutex that cools down while it is held, and becomes hot again in another hold --- */

static pthread_mutex_t g_cools = PTHREAD_MUTEX_INITIALIZER;

static void *asks_twice(void *unused)
{
	(void)unused;
	name_me("asks");
	for (int i = 0; i < 2; i++) {
		pthread_barrier_wait(&g_round);
		MUST(!pthread_mutex_lock(&g_cools));
		MUST(!pthread_mutex_unlock(&g_cools));
	}
	return NULL;
}

/* The other thread waits for it. */
static void hold_asked(void)
{
	MUST(!pthread_mutex_lock(&g_cools));
	pthread_barrier_wait(&g_round);
	pause_ns(60 * MS);
	MUST(!pthread_mutex_unlock(&g_cools));
}

static int cools(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 2);
	pthread_t t = start(asks_twice, NULL);

	hold_asked();
	pause_ns(50 * MS);
	MUST(!pthread_mutex_lock(&g_cools)); /* timed: somebody waited a moment ago */
	pause_ns(2500 * MS);
	MUST(!pthread_mutex_unlock(&g_cools));
	hold_asked();
	return pthread_join(t, NULL);
}

CASES_MAIN({ "cools", cools }, { "last-reader", last }, { "c11", c11 }, { "spin", spin }, { "hammered", hammered })
