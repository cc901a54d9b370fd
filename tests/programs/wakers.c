/*
 * Waits whose ender is known: see tests/run_wakers.py. Each case says on stdout, one
 * JSON object a line, how often a thread was unblocked by which, and in which functions.
 */
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "case.h"
#include "told.h"

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t g_start;

/* --- a convoy: four threads queue for one lock that each holds for a while --- */

static NOINLINE void let_go(void)
{
	MUST(!pthread_mutex_unlock(&g_lock));
	__asm__ volatile("");
}

static NOINLINE void queue_up(void)
{
	MUST(!pthread_mutex_lock(&g_lock));
	__asm__ volatile("");
}

static void *rider(void *name)
{
	name_me(name);
	pthread_barrier_wait(&g_start);
	for (int i = 0; i < 50; i++) {
		queue_up();
		pause_ns(1 * MS);
		let_go();
	}
	return NULL;
}

static int convoy(int argc, char **argv)
{
	static char names[4][16];
	pthread_t t[4];

	(void)argc, (void)argv;
	pthread_barrier_init(&g_start, NULL, 4);
	for (int i = 0; i < 4; i++) {
		snprintf(names[i], sizeof(names[i]), "rider-%d", i);
		t[i] = start(rider, names[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	told("rider-", "rider-", "mutex", "queue_up", "let_go", 0, false);
	return 0;
}

/* --- a bus: one thread walks the map of subscribers, holding it, and writes to each --- */

static int g_sockets[4][2];

static NOINLINE void publish(char c)
{
	MUST(!pthread_mutex_lock(&g_lock));
	for (int i = 0; i < 4; i++) {
		MUST(write(g_sockets[i][0], &c, 1) == 1);
		pause_ns(1 * MS);
	}
	MUST(!pthread_mutex_unlock(&g_lock));
	__asm__ volatile("");
}

static NOINLINE void receive(int fd)
{
	char c;

	MUST(read(fd, &c, 1) == 1);
	__asm__ volatile("");
}

static NOINLINE void subscribe(void)
{
	MUST(!pthread_mutex_lock(&g_lock));
	__asm__ volatile("");
	MUST(!pthread_mutex_unlock(&g_lock));
	__asm__ volatile("");
}

static void *subscriber(void *socket)
{
	name_me("subscriber");
	for (int i = 0; i < 40; i++)
		receive(*(int *)socket);
	return NULL;
}

static void *joiner(void *unused)
{
	(void)unused;
	name_me("joiner");
	for (int i = 0; i < 20; i++) {
		subscribe();
		pause_ns(3 * MS);
	}
	return NULL;
}

static void *publisher(void *unused)
{
	(void)unused;
	name_me("publisher");
	for (int i = 0; i < 40; i++) {
		publish('x');
		pause_ns(1 * MS);
	}
	return NULL;
}

static int bus(int argc, char **argv)
{
	pthread_t t[6];

	(void)argc, (void)argv;
	for (int i = 0; i < 4; i++) {
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, g_sockets[i]));
		t[i] = start(subscriber, &g_sockets[i][1]);
	}
	t[4] = start(joiner, NULL);
	t[5] = start(publisher, NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	told("subscriber", "publisher", "socket", "receive", "publish", 160, true);
	told("joiner", "publisher", "mutex", "subscribe", "publish", 0, false);
	return 0;
}

/* --- a pipeline of three stages with queues of one; the second is slow --- */

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int items;
} g_queues[2] = { { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 },
		  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 } };

static NOINLINE void put(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->items)
		pthread_cond_wait(&q->changed, &q->lock);
	q->items = 1;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static NOINLINE void take(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (!q->items)
		pthread_cond_wait(&q->changed, &q->lock);
	q->items = 0;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void *first(void *unused)
{
	(void)unused;
	name_me("first");
	for (int i = 0; i < 60; i++)
		put(&g_queues[0]);
	return NULL;
}

static void *slow(void *unused)
{
	(void)unused;
	name_me("slow");
	for (int i = 0; i < 60; i++) {
		take(&g_queues[0]);
		pause_ns(2 * MS);
		put(&g_queues[1]);
	}
	return NULL;
}

static void *last(void *unused)
{
	(void)unused;
	name_me("last");
	for (int i = 0; i < 60; i++)
		take(&g_queues[1]);
	return NULL;
}

static int pipeline(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_t t[3] = { start(last, NULL), start(slow, NULL), start(first, NULL) };

	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	told("first", "slow", "cond", "put", "take", 58, true);
	told("last", "slow", "cond", "take", "put", 60, true);
	return 0;
}

/* --- readers behind a writer --- */

static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t g_round, g_read;

static NOINLINE void read_it(void)
{
	MUST(!pthread_rwlock_rdlock(&g_rwlock));
	__asm__ volatile("");
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	__asm__ volatile("");
}

static NOINLINE void write_it(void)
{
	MUST(!pthread_rwlock_wrlock(&g_rwlock));
	pthread_barrier_wait(&g_round);
	pause_ns(4 * MS);
	MUST(!pthread_rwlock_unlock(&g_rwlock));
	__asm__ volatile("");
}

static void *reader(void *unused)
{
	(void)unused;
	name_me("reader");
	for (int i = 0; i < 30; i++) {
		pthread_barrier_wait(&g_round);
		read_it();
		pthread_barrier_wait(&g_read); /* or the writer has it again before a late reader */
	}
	return NULL;
}

static void *writer(void *unused)
{
	(void)unused;
	name_me("writer");
	for (int i = 0; i < 30; i++) {
		write_it();
		pthread_barrier_wait(&g_read);
	}
	return NULL;
}

static int readers(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 4);
	pthread_barrier_init(&g_read, NULL, 4);
	pthread_t t[4] = { start(reader, NULL), start(reader, NULL), start(reader, NULL), start(writer, NULL) };

	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	told("reader", "writer", "rwlock", "read_it", "write_it", 90, false);
	return 0;
}

/* --- a lock that is held for long and that nobody waits for --- */

static int alone(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 10; i++) {
		queue_up();
		pause_ns(10 * MS);
		let_go();
	}
	return 0;
}

/* --- two locks in the heap --- */

static NOINLINE void lock_other(pthread_mutex_t *m)
{
	MUST(!pthread_mutex_lock(m));
	__asm__ volatile("");
}

static void *other(void *m)
{
	name_me("other");
	pthread_barrier_wait(&g_round);
	lock_other(m);
	pthread_mutex_unlock(m);
	return NULL;
}

static int heap(int argc, char **argv)
{
	pthread_t t[2];
	pthread_mutex_t *m[2];

	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 3);
	for (int i = 0; i < 2; i++) {
		m[i] = malloc(sizeof(*m[i]) + (size_t)(getpid() % 64) * 16);
		pthread_mutex_init(m[i], NULL);
		lock_other(m[i]);
		t[i] = start(other, m[i]);
	}
	pthread_barrier_wait(&g_round);
	for (int i = 0; i < 2; i++) {
		pause_ns(10 * MS);
		pthread_mutex_unlock(m[i]);
		pthread_join(t[i], NULL);
	}
	return 0;
}

/* --- conditions: two threads in turn --- */

static int g_turn;

static NOINLINE void await_turn(int mine)
{
	while (g_turn != mine)
		pthread_cond_wait(&g_cond, &g_lock);
	__asm__ volatile("");
}

static NOINLINE void pass_on(int to)
{
	g_turn = to;
	pthread_cond_broadcast(&g_cond);
	__asm__ volatile("");
}

static void *player(void *number)
{
	int mine = *(int *)number;

	name_me(mine ? "pong" : "ping");
	MUST(!pthread_mutex_lock(&g_lock));
	for (int i = 0; i < 200; i++) {
		await_turn(mine);
		pass_on(!mine);
	}
	MUST(!pthread_mutex_unlock(&g_lock));
	return NULL;
}

static int pingpong(int argc, char **argv)
{
	static int numbers[2] = { 0, 1 };

	(void)argc, (void)argv;
	pthread_t t[2] = { start(player, &numbers[0]), start(player, &numbers[1]) };

	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	told("ping", "pong", "cond", "await_turn", "pass_on", 199, true);
	told("pong", "ping", "cond", "await_turn", "pass_on", 199, true);
	return 0;
}

/* --- a barrier with a last one --- */

static NOINLINE void meet(void)
{
	pthread_barrier_wait(&g_round);
	__asm__ volatile("");
}

static void *early(void *unused)
{
	(void)unused;
	name_me("early");
	for (int i = 0; i < 30; i++)
		meet();
	return NULL;
}

static void *late(void *unused)
{
	(void)unused;
	name_me("late");
	for (int i = 0; i < 30; i++) {
		pause_ns(3 * MS);
		meet();
	}
	return NULL;
}

static int barrier(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_barrier_init(&g_round, NULL, 3);
	pthread_t t[3] = { start(early, NULL), start(early, NULL), start(late, NULL) };

	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	told("early", "late", "barrier", "meet", "meet", 60, true);
	return 0;
}

/* --- joins, children, semaphores, pipes --- */

static void *brief(void *unused)
{
	(void)unused;
	name_me("brief");
	pause_ns(5 * MS);
	return NULL;
}

static NOINLINE void await_end(pthread_t t)
{
	MUST(!pthread_join(t, NULL));
	__asm__ volatile("");
}

static int join(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 20; i++)
		await_end(start(brief, NULL));
	told("main", "brief", "join", "await_end", NULL, 20, true);
	return 0;
}

static NOINLINE void await_child(pid_t pid)
{
	MUST(waitpid(pid, NULL, 0) == pid);
	__asm__ volatile("");
}

static int child(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (!pid) {
			name_me("offspring");
			pause_ns(20 * MS);
			_exit(0);
		}
		await_child(pid);
	}
	told("main", "offspring", "child", "await_child", NULL, 10, true);
	return 0;
}

static sem_t g_sem;

static NOINLINE void take_one(void)
{
	MUST(!sem_wait(&g_sem));
	__asm__ volatile("");
}

static NOINLINE void give_one(void)
{
	MUST(!sem_post(&g_sem));
	__asm__ volatile("");
}

static void *taker(void *unused)
{
	(void)unused;
	name_me("taker");
	for (int i = 0; i < 50; i++)
		take_one();
	return NULL;
}

static void *giver(void *unused)
{
	(void)unused;
	name_me("giver");
	for (int i = 0; i < 100; i++) {
		pause_ns(1 * MS);
		give_one();
	}
	return NULL;
}

static int semaphore(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!sem_init(&g_sem, 0, 0));
	pthread_t t[3] = { start(taker, NULL), start(taker, NULL), start(giver, NULL) };

	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	told("taker", "giver", "semaphore", "take_one", "give_one", 100, true);
	return 0;
}

/* --- a semaphore in memory that two processes share --- */

static NOINLINE void take_shared(sem_t *sem)
{
	while (sem_wait(sem))
		MUST(errno == EINTR);
	__asm__ volatile("");
}

static NOINLINE void give_shared(sem_t *sem)
{
	MUST(!sem_post(sem));
	__asm__ volatile("");
}

static int shared(int argc, char **argv)
{
	sem_t *sem = mmap(NULL, 2 * sizeof(*sem), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)argc, (void)argv;
	MUST(sem != MAP_FAILED && !sem_init(&sem[0], 1, 0) && !sem_init(&sem[1], 1, 0));
	pid_t pid = fork();

	if (!pid) {
		name_me("echo");
		for (int i = 0; i < 50; i++) {
			take_shared(&sem[0]);
			pause_ns(MS / 5);
			give_shared(&sem[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < 50; i++) {
		pause_ns(MS / 5);
		give_shared(&sem[0]);
		take_shared(&sem[1]);
	}
	waitpid(pid, NULL, 0);
	told("main", "echo", "semaphore", "take_shared", "give_shared", 50, true);
	told("echo", "main", "semaphore", "take_shared", "give_shared", 50, true);
	return 0;
}

CASES_MAIN({ "convoy", convoy }, { "bus", bus }, { "pipeline", pipeline }, { "readers", readers }, { "alone", alone }, { "heap", heap },
	   { "pingpong", pingpong }, { "barrier", barrier }, { "join", join }, { "child", child },
	   { "semaphore", semaphore }, { "shared", shared })
