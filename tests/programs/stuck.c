/*
 * Programs that hang, each in its own way. A case says {"ready":[PID...]} when all
 * of its threads are about to wait, and is killed by the driver, tests/run_deadlocks.py.
 */
#include "case.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>

static pthread_mutex_t g_lock[5] = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};
static pthread_mutex_t g_other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t g_meet;

static void ready(pid_t other)
{
	if (other)
		printf("{\"ready\":[%d,%d]}\n", getpid(), other);
	else
		printf("{\"ready\":[%d]}\n", getpid());
	fflush(stdout);
}

/* Says that all is ready a moment after the threads have met, then waits for one. */
static int wait_for(pthread_t t)
{
	pause_ns(50 * MS);
	ready(0);
	MUST(!pthread_join(t, NULL));
	return 1;
}

static NOINLINE void take(pthread_mutex_t *m)
{
	MUST(!pthread_mutex_lock(m));
	__asm__ volatile("");
}

static void meet(unsigned int n)
{
	MUST(!pthread_barrier_init(&g_meet, NULL, n));
}

/* --- mutexes --- */

static void *take_twice(void *unused)
{
	(void)unused;
	name_me("self");
	take(&g_lock[0]);
	take(&g_lock[0]);
	return NULL;
}

static int self(int argc, char **argv)
{
	(void)argc, (void)argv;
	return wait_for(start(take_twice, NULL));
}

static long g_ring;

static void *philosopher(void *number)
{
	long i = (long)number;
	char name[16];

	snprintf(name, sizeof(name), "ring-%ld", i);
	name_me(name);
	take(&g_lock[i]);
	pthread_barrier_wait(&g_meet);
	take(&g_lock[(i + 1) % g_ring]);
	return NULL;
}

static pthread_t ring_of(long n)
{
	pthread_t t = 0;

	g_ring = n;
	meet((unsigned int)n);
	for (long i = 0; i < n; i++)
		t = start(philosopher, (void *)i);
	return t;
}

static int cycle(int argc, char **argv)
{
	return wait_for(ring_of(argc > 2 ? atol(argv[2]) : 2));
}

static void *works(void *unused)
{
	(void)unused;
	name_me("works");
	for (;;) {
		take(&g_other);
		spin_ns(MS);
		pthread_mutex_unlock(&g_other);
		pause_ns(5 * MS);
	}
	return NULL;
}

static int among(int argc, char **argv)
{
	(void)argc, (void)argv;
	start(works, NULL);
	start(works, NULL);
	return wait_for(ring_of(2));
}

/* A cycle of locks that are given up after a while is none. */
static void *patient(void *number)
{
	long i = (long)number;
	struct timespec until;

	name_me("patient");
	take(&g_lock[i]);
	pthread_barrier_wait(&g_meet);
	until = in_ns(CLOCK_REALTIME, 60000 * MS);
	MUST(pthread_mutex_timedlock(&g_lock[!i], &until) == ETIMEDOUT);
	return NULL;
}

static int timed(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(2);
	start(patient, (void *)0);
	return wait_for(start(patient, (void *)1));
}

static void *leaves_locked(void *unused)
{
	(void)unused;
	name_me("gone");
	take(&g_lock[0]);
	return NULL;
}

static void *takes(void *unused)
{
	(void)unused;
	name_me("waiter");
	take(&g_lock[0]);
	return NULL;
}

static int ended(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_join(start(leaves_locked, NULL), NULL);
	return wait_for(start(takes, NULL));
}

static int g_pipe[2];

static NOINLINE void read_for_ever(void)
{
	char c;

	MUST(read(g_pipe[0], &c, 1) == 1);
}

static void *holds_and_reads(void *unused)
{
	(void)unused;
	name_me("holder");
	take(&g_lock[0]);
	pthread_barrier_wait(&g_meet);
	read_for_ever();
	return NULL;
}

static int holder(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pipe(g_pipe));
	meet(2);
	start(holds_and_reads, NULL);
	pthread_barrier_wait(&g_meet);
	return wait_for(start(takes, NULL));
}

/* The lock goes from the holder that the waiter saw to another thread. */
static int g_state; /* 0: the first holds; 1: it lets go; 2: the waiter was faster; 3: so it is */

static void *first_holder(void *unused)
{
	(void)unused;
	name_me("first");
	for (;;) {
		take(&g_lock[0]);
		pthread_barrier_wait(&g_meet);
		pause_ns(20 * MS); /* the waiter waits */
		__atomic_store_n(&g_state, 1, __ATOMIC_SEQ_CST);
		pthread_mutex_unlock(&g_lock[0]);
		pthread_barrier_wait(&g_meet);
	}
	return NULL;
}

static void *second_holder(void *unused)
{
	(void)unused;
	name_me("second");
	for (;;) {
		pthread_barrier_wait(&g_meet);
		while (__atomic_load_n(&g_state, __ATOMIC_SEQ_CST) == 0 || (pthread_mutex_trylock(&g_lock[0]) &&
									      __atomic_load_n(&g_state, __ATOMIC_SEQ_CST) != 2))
			;
		if (__atomic_load_n(&g_state, __ATOMIC_SEQ_CST) != 2)
			break;
		pthread_mutex_unlock(&g_lock[0]);
		pthread_barrier_wait(&g_meet);
	}
	take(&g_lock[1]);
	return NULL;
}

static void *loses_race(void *unused)
{
	(void)unused;
	name_me("waiter");
	take(&g_lock[1]);
	for (;;) {
		g_state = 0;
		pthread_barrier_wait(&g_meet);
		take(&g_lock[0]);
		__atomic_store_n(&g_state, 2, __ATOMIC_SEQ_CST);
		pthread_mutex_unlock(&g_lock[0]);
		pthread_barrier_wait(&g_meet);
	}
	return NULL;
}

static int changes_hands(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(3);
	start(first_holder, NULL);
	start(second_holder, NULL);
	start(loses_race, NULL);
	pause_ns(300 * MS);
	ready(0);
	pause_ns(60000 * MS);
	return 1;
}

/* --- read-write locks --- */

static NOINLINE void upgrade_lock(void)
{
	MUST(!pthread_rwlock_wrlock(&g_rwlock));
	__asm__ volatile("");
}

static void *upgrader(void *name)
{
	name_me(name);
	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	pthread_barrier_wait(&g_meet);
	upgrade_lock();
	return NULL;
}

static int upgrade(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(1);
	return wait_for(start(upgrader, "upgrader"));
}

static int upgrades(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(2);
	start(upgrader, "up-0");
	return wait_for(start(upgrader, "up-1"));
}

static void *writes(void *unused)
{
	(void)unused;
	name_me("writer");
	pthread_barrier_wait(&g_meet);
	upgrade_lock();
	return NULL;
}

static NOINLINE void read_again(void)
{
	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	__asm__ volatile("");
}

static void *reads_twice(void *unused)
{
	(void)unused;
	name_me("reader");
	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	pthread_barrier_wait(&g_meet);
	pause_ns(30 * MS); /* the writer queues */
	read_again();
	return NULL;
}

static int behind_writer(int argc, char **argv)
{
	pthread_rwlockattr_t a;

	(void)argc, (void)argv;
	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	MUST(!pthread_rwlock_init(&g_rwlock, &a));
	meet(2);
	start(writes, NULL);
	return wait_for(start(reads_twice, NULL));
}

/* --- where locks were taken that nobody waited for then --- */

/* All sorts of taking and releasing, in and out of order, after which as many are held as before. */
static void churn(void)
{
	pthread_mutex_t chain[4] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
				     PTHREAD_MUTEX_INITIALIZER };
	pthread_mutex_t twice = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, careful = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct timespec soon = in_ns(CLOCK_REALTIME, MS);
	mtx_t c11;

	mtx_init(&c11, mtx_plain);
	for (int round = 0; round < 3; round++) {
		take(&chain[0]);
		for (int i = 1; i < 4; i++) {
			take(&chain[i]);
			MUST(!pthread_mutex_unlock(&chain[i - 1]));
		}
		mtx_lock(&c11);
		MUST(pthread_cond_timedwait(&never, &chain[3], &soon) == ETIMEDOUT);
		MUST(!pthread_mutex_unlock(&chain[3]));
		mtx_unlock(&c11);
		MUST(!pthread_mutex_trylock(&twice) && !pthread_mutex_timedlock(&twice, &soon));
		MUST(!pthread_mutex_unlock(&twice) && !pthread_mutex_unlock(&twice));
		MUST(pthread_mutex_unlock(&careful) == EPERM && !pthread_mutex_lock(&careful));
		MUST(pthread_mutex_lock(&careful) == EDEADLK && pthread_mutex_trylock(&careful) == EBUSY);
		MUST(!pthread_mutex_unlock(&careful));
	}
	/* More than there is room for. */
	pthread_mutex_t many[20];

	for (int i = 0; i < 20; i++)
		MUST(!pthread_mutex_init(&many[i], NULL));
	for (int i = 0; i < 3; i++)
		take(&many[i]);
	for (int i = 0; i < 3; i++)
		MUST(!pthread_mutex_unlock(&many[i]));
	for (int i = 0; i < 20; i++)
		MUST(!pthread_mutex_trylock(&many[i]) && !pthread_mutex_unlock(&many[i]));
}

static NOINLINE void hold_left(void)
{
	MUST(!pthread_mutex_lock(&g_lock[0]));
	__asm__ volatile("");
}

static NOINLINE void hold_right(void)
{
	MUST(!pthread_rwlock_wrlock(&g_rwlock));
	__asm__ volatile("");
}

static void *left(void *unused)
{
	(void)unused;
	name_me("left");
	churn();
	hold_left();
	churn();
	pthread_barrier_wait(&g_meet);
	upgrade_lock();
	return NULL;
}

static void *right(void *unused)
{
	(void)unused;
	name_me("right");
	churn();
	hold_right();
	churn();
	pthread_barrier_wait(&g_meet);
	take(&g_lock[0]);
	return NULL;
}

static int sites(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(2);
	start(left, NULL);
	return wait_for(start(right, NULL));
}

/* --- joins --- */

static pthread_t g_thread[3];
static long g_joiners;

static void *joiner(void *number)
{
	long i = (long)number;
	char name[16];

	snprintf(name, sizeof(name), "join-%ld", i);
	name_me(name);
	pthread_barrier_wait(&g_meet);
	if (i && g_joiners == 2)
		pause_ns(50 * MS);
	int r = pthread_join(g_thread[(i + 1) % g_joiners], NULL);

	if (r)
		printf("join: %s\n", strerror(r));
	return NULL;
}

static void make_joiners(long n)
{
	g_joiners = n;
	meet((unsigned int)n + 1);
	for (long i = 0; i < n; i++)
		g_thread[i] = start(joiner, (void *)i);
	pthread_barrier_wait(&g_meet);
}

static int joins(int argc, char **argv)
{
	(void)argc, (void)argv;
	make_joiners(3);
	pause_ns(50 * MS);
	ready(0);
	pause_ns(60000 * MS);
	return 1;
}

/* glibc sees cycles of one and two itself. */
static int join_answers(int argc, char **argv)
{
	(void)argc, (void)argv;
	SHOW(pthread_join(pthread_self(), NULL));
	make_joiners(2);
	pause_ns(300 * MS);
	return 0;
}

/* --- conditions --- */

static NOINLINE void wait_for_signal(pthread_mutex_t *m)
{
	for (;;)
		MUST(!pthread_cond_wait(&g_cond, m));
}

static void *waits_for_signal(void *name)
{
	name_me(name);
	take(&g_lock[0]);
	wait_for_signal(&g_lock[0]);
	return NULL;
}

static int lost_signal(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_cond_signal(&g_cond); /* too early */
	return wait_for(start(waits_for_signal, "waiter"));
}

/* Holds a lock that the one who would signal needs. */
static void *holds_and_waits(void *unused)
{
	(void)unused;
	name_me("holder");
	take(&g_other);
	take(&g_lock[0]);
	pthread_barrier_wait(&g_meet);
	wait_for_signal(&g_lock[0]);
	return NULL;
}

static void *would_signal(void *unused)
{
	(void)unused;
	name_me("signaller");
	pthread_barrier_wait(&g_meet);
	pause_ns(20 * MS);
	take(&g_other);
	pthread_cond_signal(&g_cond);
	return NULL;
}

static int mixed(int argc, char **argv)
{
	(void)argc, (void)argv;
	meet(2);
	start(holds_and_waits, NULL);
	return wait_for(start(would_signal, NULL));
}

/* Signals, but keeps the mutex that the other needs to come back. */
static void *keeps_mutex(void *other)
{
	name_me("keeper");
	pause_ns(30 * MS);
	take(&g_lock[0]);
	pthread_cond_signal(&g_cond);
	pthread_join(*(pthread_t *)other, NULL);
	return NULL;
}

static int comes_back(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_t t = start(waits_for_signal, "waiter");

	return wait_for(start(keeps_mutex, &t));
}

/* --- idle: nothing is wrong --- */

static int listening(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	MUST(s >= 0 && !bind(s, (struct sockaddr *)&a, sizeof(a)) && !listen(s, 5));
	return s;
}

static void *accepts(void *unused)
{
	(void)unused;
	name_me("accepts");
	accept(listening(), NULL, NULL);
	return NULL;
}

static int idle(int argc, char **argv)
{
	pthread_t t = 0;

	(void)argv;
	for (int i = 0; i < 3; i++)
		t = start(waits_for_signal, "worker");
	start(accepts, NULL);
	if (argc > 2)
		return wait_for(t);
	struct pollfd p = { listening(), POLLIN, 0 };

	pause_ns(50 * MS);
	ready(0);
	poll(&p, 1, -1);
	return 1;
}

/* --- two processes --- */

static int processes(int argc, char **argv)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrier_t *b = (void *)(m + 2);
	pthread_mutexattr_t a;
	pthread_barrierattr_t ba;

	(void)argv;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_barrierattr_init(&ba);
	pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
	MUST(!pthread_mutex_init(&m[0], &a) && !pthread_mutex_init(&m[1], &a) && !pthread_barrier_init(b, &ba, 2));
	pid_t child = fork();

	MUST(child >= 0);
	name_me(child ? "parent" : "child");
	take(&m[!child]);
	pthread_barrier_wait(b);
	if (child) {
		ready(child);
		if (argc > 2)
			waitpid(child, NULL, 0);
	}
	take(&m[!!child]);
	return 1;
}

/* --- for the watchdog --- */

static int pauses(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("begins");
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		pause_ns(1500 * MS);
		spin_ns(20 * MS);
	}
	puts("ends");
	return 7;
}

static int busy(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 20; i++)
		pause_ns(80 * MS);
	return 3;
}

CASES_MAIN({ "self", self }, { "cycle", cycle }, { "among", among }, { "timed", timed }, { "ended", ended },
	   { "holder", holder }, { "changes-hands", changes_hands }, { "upgrade", upgrade }, { "upgrades", upgrades },
	   { "behind-writer", behind_writer }, { "sites", sites }, { "joins", joins }, { "join-answers", join_answers },
	   { "lost-signal", lost_signal }, { "mixed", mixed }, { "comes-back", comes_back }, { "idle", idle },
	   { "processes", processes }, { "pauses", pauses }, { "busy", busy })
