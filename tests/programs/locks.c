/* Waits for locks: mutexes and read-write locks. */
#include "case.h"

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t g_error_lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t g_recursive_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t held;   /* holder and waiters: the lock is held */

/* --- one thread holds, one waits, several times --- */

#define ROUNDS 3
#define HOLD_NS (50 * MS)

static NOINLINE void hold_the_lock(pthread_mutex_t *m)
{
	MUST(!pthread_mutex_lock(m));
	pthread_barrier_wait(&held);
	pause_ns(HOLD_NS);
	MUST(!pthread_mutex_unlock(m));
}

static void *holder(void *m)
{
	name_me("holder");
	for (int i = 0; i < ROUNDS; i++) {
		hold_the_lock(m);
		pthread_barrier_wait(&held); /* the waiter had it */
	}
	return NULL;
}

static NOINLINE void wait_for_lock(pthread_mutex_t *m, struct said *s)
{
	pthread_barrier_wait(&held);
	WAIT(s, MUST(!pthread_mutex_lock(m)));
	MUST(!pthread_mutex_unlock(m));
	pthread_barrier_wait(&held);
}

struct waiter {
	pthread_mutex_t *mutex;
	struct said said;
};

static void *waiter(void *argument)
{
	struct waiter *w = argument;

	name_me("waiter");
	for (int i = 0; i < ROUNDS; i++)
		wait_for_lock(w->mutex, &w->said);
	return NULL;
}

static int held_lock(pthread_mutex_t *m, const char *object)
{
	struct waiter w = { m, { "waiter", "mutex", "pthread_mutex_lock", "wait_for_lock", object, "holder",
				.count = 0 } };

	MUST(!pthread_barrier_init(&held, NULL, 2));
	pthread_t a = start(holder, m), b = start(waiter, &w);

	pthread_join(a, NULL);
	pthread_join(b, NULL);
	say(&w.said);
	return 0;
}

static int mutex(int argc, char **argv)
{
	(void)argc, (void)argv;
	return held_lock(&g_lock, "g_lock");
}

static int errorcheck(int argc, char **argv)
{
	(void)argc, (void)argv;
	return held_lock(&g_error_lock, "g_error_lock");
}

/* --- a lock on the heap: no symbol, found by its stack --- */

static int heap(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_mutex_t *m = malloc(sizeof(*m));

	MUST(m && !pthread_mutex_init(m, NULL));
	int r = held_lock(m, NULL);

	pthread_mutex_destroy(m);
	free(m);
	return r;
}

/* --- many on one lock --- */

#define WAITERS 20

static struct said crowd[WAITERS];
static char crowd_name[WAITERS][16];

static NOINLINE void queue_for_lock(struct said *s)
{
	WAIT(s, MUST(!pthread_mutex_lock(&g_lock)));
	pause_ns(5 * MS);
	MUST(!pthread_mutex_unlock(&g_lock));
}

static void *one_of_many(void *argument)
{
	struct said *s = argument;

	name_me(s->thread);
	pthread_barrier_wait(&held);
	queue_for_lock(s);
	return NULL;
}

static int waiters(int argc, char **argv)
{
	pthread_t t[WAITERS];

	(void)argc, (void)argv;
	MUST(!pthread_barrier_init(&held, NULL, WAITERS + 1));
	MUST(!pthread_mutex_lock(&g_lock));
	for (int i = 0; i < WAITERS; i++) {
		snprintf(crowd_name[i], sizeof(crowd_name[i]), "waiter-%d", i);
		crowd[i] = (struct said){ crowd_name[i], "mutex", "pthread_mutex_lock", "queue_for_lock", "g_lock",
					  NULL, 0, 0 };
		t[i] = start(one_of_many, &crowd[i]);
	}
	pthread_barrier_wait(&held);
	pause_ns(30 * MS);
	MUST(!pthread_mutex_unlock(&g_lock));
	for (int i = 0; i < WAITERS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < WAITERS; i++)
		say(&crowd[i]);
	return 0;
}

/* --- a wait that ends without the lock --- */

static struct said timed_said = { "timed", "mutex", "pthread_mutex_timedlock", "try_for_a_while", "g_lock", "main",
				  0, 0 };
static struct said clock_said = { "timed", "mutex", "pthread_mutex_clocklock", "try_by_clock", "g_lock", "main",
				  0, 0 };

static NOINLINE void try_for_a_while(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 60 * MS);
	int r;

	WAIT(s, r = pthread_mutex_timedlock(&g_lock, &t));
	MUST(r == ETIMEDOUT);
}

static NOINLINE void try_by_clock(struct said *s)
{
	struct timespec t = in_ns(CLOCK_MONOTONIC, 40 * MS);
	int r;

	WAIT(s, r = pthread_mutex_clocklock(&g_lock, CLOCK_MONOTONIC, &t));
	MUST(r == ETIMEDOUT);
}

static void *timed(void *unused)
{
	(void)unused;
	name_me("timed");
	try_for_a_while(&timed_said);
	try_by_clock(&clock_said);
	return NULL;
}

static int timedlock(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pthread_mutex_lock(&g_lock));
	pthread_join(start(timed, NULL), NULL);
	MUST(!pthread_mutex_unlock(&g_lock));
	say(&timed_said);
	say(&clock_said);
	return 0;
}

/* --- what mutexes answer must not change --- */

static void *returns_other(void *unused)
{
	(void)unused;
	SHOW(pthread_mutex_trylock(&g_lock));
	SHOW(pthread_mutex_unlock(&g_error_lock));
	SHOW(pthread_mutex_trylock(&g_recursive_lock));
	SHOW(pthread_rwlock_trywrlock(&g_rwlock));
	return NULL;
}

static void *dies_with_lock(void *m)
{
	SHOW(pthread_mutex_lock(m));
	return NULL;
}

static int returns(int argc, char **argv)
{
	struct timespec bad = { 0, -1 };
	pthread_mutexattr_t a;
	pthread_mutex_t robust;

	(void)argc, (void)argv;
	SHOW(pthread_mutex_lock(&g_lock));
	SHOW(pthread_mutex_trylock(&g_lock));
	SHOW(pthread_mutex_timedlock(&g_lock, &bad));
	SHOW(pthread_mutex_lock(&g_error_lock));
	SHOW(pthread_mutex_lock(&g_error_lock));
	SHOW(pthread_mutex_trylock(&g_error_lock));
	SHOW(pthread_mutex_lock(&g_recursive_lock));
	SHOW(pthread_mutex_lock(&g_recursive_lock));
	SHOW(pthread_rwlock_wrlock(&g_rwlock));
	SHOW(pthread_rwlock_wrlock(&g_rwlock));
	SHOW(pthread_rwlock_rdlock(&g_rwlock));
	SHOW(pthread_rwlock_tryrdlock(&g_rwlock));
	pthread_join(start(returns_other, NULL), NULL);
	SHOW(pthread_mutex_unlock(&g_lock));
	SHOW(pthread_mutex_unlock(&g_error_lock));
	SHOW(pthread_mutex_unlock(&g_error_lock));
	SHOW(pthread_mutex_unlock(&g_recursive_lock));
	SHOW(pthread_mutex_unlock(&g_recursive_lock));
	SHOW(pthread_mutex_unlock(&g_recursive_lock));

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	MUST(!pthread_mutex_init(&robust, &a));
	pthread_join(start(dies_with_lock, &robust), NULL);
	SHOW(pthread_mutex_lock(&robust));
	SHOW(pthread_mutex_consistent(&robust));
	SHOW(pthread_mutex_unlock(&robust));
	pthread_join(start(dies_with_lock, &robust), NULL);
	SHOW(pthread_mutex_trylock(&robust));
	SHOW(pthread_mutex_unlock(&robust)); /* without consistent: lost for ever */
	SHOW(pthread_mutex_lock(&robust));
	SHOW(pthread_mutex_trylock(&robust));
	return 0;
}

/* --- read-write locks --- */

static struct said reader_said = { "reader", "rwlock", "pthread_rwlock_rdlock", "read_side", "g_rwlock", NULL, 0, 0 };
static struct said writer_said = { "writer", "rwlock", "pthread_rwlock_wrlock", "write_side", "g_rwlock", NULL, 0, 0 };

static NOINLINE void read_side(struct said *s)
{
	pthread_barrier_wait(&held);
	WAIT(s, MUST(!pthread_rwlock_rdlock(&g_rwlock)));
	MUST(!pthread_rwlock_unlock(&g_rwlock));
}

static void *reader(void *unused)
{
	(void)unused;
	name_me("reader");
	read_side(&reader_said);
	return NULL;
}

static NOINLINE void write_side(struct said *s)
{
	pthread_barrier_wait(&held);
	WAIT(s, MUST(!pthread_rwlock_wrlock(&g_rwlock)));
	MUST(!pthread_rwlock_unlock(&g_rwlock));
}

static void *writer(void *unused)
{
	(void)unused;
	name_me("writer");
	write_side(&writer_said);
	return NULL;
}

static int rwlock(int argc, char **argv)
{
	pthread_t t;

	(void)argc, (void)argv;
	MUST(!pthread_barrier_init(&held, NULL, 2));
	MUST(!pthread_rwlock_wrlock(&g_rwlock));
	t = start(reader, NULL);
	pthread_barrier_wait(&held);
	pause_ns(60 * MS);
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	pthread_join(t, NULL);

	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	t = start(writer, NULL);
	pthread_barrier_wait(&held);
	pause_ns(60 * MS);
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	pthread_join(t, NULL);
	say(&reader_said);
	say(&writer_said);
	return 0;
}

/* --- a deadlock; the driver kills it --- */

static pthread_mutex_t g_a = PTHREAD_MUTEX_INITIALIZER, g_b = PTHREAD_MUTEX_INITIALIZER;
static uint64_t since[2];

static NOINLINE void take_second(pthread_mutex_t *m, int i)
{
	pthread_barrier_wait(&held);
	since[i] = now_ns();
	MUST(!pthread_mutex_lock(m));
	MUST(!"a deadlock");
}

static void *left(void *unused)
{
	(void)unused;
	name_me("left");
	pthread_mutex_lock(&g_a);
	take_second(&g_b, 0);
	return NULL;
}

static void *right(void *unused)
{
	(void)unused;
	name_me("right");
	pthread_mutex_lock(&g_b);
	take_second(&g_a, 1);
	return NULL;
}

static int deadlock(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pthread_barrier_init(&held, NULL, 3));
	start(left, NULL);
	start(right, NULL);
	pthread_barrier_wait(&held);
	pause_ns(20 * MS); /* both wait now */
	for (int i = 0; i < 2; i++)
		printf("{\"thread\":\"%s\",\"cause\":\"mutex\",\"call\":\"pthread_mutex_lock\",\"function\":\"take_second\","
		       "\"object\":\"%s\",\"owner\":\"%s\",\"open\":true,\"count\":1,\"since\":%" PRIu64 "}\n",
		       i ? "right" : "left", i ? "g_a" : "g_b", i ? "left" : "right", since[i]);
	printf("{\"kill\":%d}\n", getpid());
	fflush(stdout);
	pause_ns(60000 * MS);
	return 1;
}

CASES_MAIN({ "mutex", mutex }, { "errorcheck", errorcheck }, { "heap", heap }, { "waiters", waiters },
	   { "timedlock", timedlock }, { "returns", returns }, { "rwlock", rwlock }, { "deadlock", deadlock })
