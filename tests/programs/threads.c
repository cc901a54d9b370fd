/* Threads: many, short, detached, small, cancelled. */
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "case.h"

static NOINLINE void rest(struct said *s)
{
	struct timespec t = { 0, 40000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

/* --- many --- */

#define MANY 500

static struct said many_said[MANY];
static char many_name[MANY][16];

static void *one_of_many(void *argument)
{
	struct said *s = argument;

	name_me(s->thread);
	rest(s);
	return NULL;
}

static int many(int argc, char **argv)
{
	static pthread_t t[MANY];

	(void)argc, (void)argv;
	for (int i = 0; i < MANY; i++) {
		snprintf(many_name[i], sizeof(many_name[i]), "many-%d", i);
		many_said[i] = (struct said){ many_name[i], "sleep", "nanosleep", "rest", NULL, NULL, 0, 0,
						40 * MS };
		t[i] = start(one_of_many, &many_said[i]);
	}
	for (int i = 0; i < MANY; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < MANY; i += 50)
		say(&many_said[i]);
	return 0;
}

/* One after the other, more than there are slots for threads at once. */
static void *short_lived(void *argument)
{
	return argument;
}

static int churn(int argc, char **argv)
{
	uintptr_t sum = 0;

	(void)argc, (void)argv;
	for (uintptr_t i = 0; i < 6000; i++) {
		void *result;

		MUST(!pthread_join(start(short_lived, (void *)i), &result));
		sum += (uintptr_t)result;
	}
	printf("sum %" PRIuPTR "\n", sum);
	return 0;
}

/* --- detached, ended by pthread_exit, with destructors --- */

static sem_t g_done;
static struct said detached_said = { "detached", "sleep", "nanosleep", "rest", NULL, NULL, 0, 0 };
static pthread_key_t key;

static void destroy(void *value)
{
	/* A wait after the thread's routine has ended. */
	struct timespec t = { 0, 1000000 };

	nanosleep(&t, NULL);
	printf("destructor of %s\n", (const char *)value);
}

static NOINLINE void leave(void)
{
	pthread_exit((void *)17);
}

static void *detached(void *unused)
{
	(void)unused;
	name_me("detached");
	rest(&detached_said);
	sem_post(&g_done);
	return NULL;
}

static void *exits(void *unused)
{
	(void)unused;
	name_me("exits");
	pthread_setspecific(key, "a thread");
	leave();
	return NULL;
}

static int kinds(int argc, char **argv)
{
	pthread_attr_t a;
	pthread_t t;
	void *result;

	(void)argc, (void)argv;
	MUST(!pthread_key_create(&key, destroy) && !sem_init(&g_done, 0, 0));
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	MUST(!pthread_create(&t, &a, detached, NULL));
	sem_wait(&g_done);
	say(&detached_said);

	MUST(!pthread_join(start(exits, NULL), &result));
	printf("result %d\n", (int)(intptr_t)result);
	SHOW(pthread_join(pthread_self(), NULL));
	pthread_attr_setstacksize(&a, 1ull << 62);
	SHOW(pthread_create(&t, &a, detached, NULL));
	return 0;
}

/* --- stacks of 16 KiB, and nearly full --- */

static struct said small_said = { "small", "sleep", "nanosleep", "rest", NULL, NULL, 0, 0 };

static void *small(void *unused)
{
	volatile char use[4096];

	(void)unused;
	name_me("small");
	for (size_t i = 0; i < sizeof(use); i += 512)
		use[i] = (char)i;
	rest(&small_said);
	return NULL;
}

static int small_stack(int argc, char **argv)
{
	pthread_attr_t a;
	pthread_t t;

	(void)argc, (void)argv;
	pthread_attr_init(&a);
	MUST(!pthread_attr_setstacksize(&a, 16384));
	for (int i = 0; i < 5; i++) {
		MUST(!pthread_create(&t, &a, small, NULL));
		pthread_join(t, NULL);
	}
	say(&small_said);
	return 0;
}

/* --- cancelled while blocked, in each cancellation point --- */

static int idle[2];     /* an empty pipe */
static int full[2];     /* a full one */
static int pair[2];     /* quiet sockets */
static int jammed[2];   /* full ones */
static int listener, epoll;
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static sem_t g_sem;
static pthread_t g_sleeper;
static pid_t g_child;
static sem_t about_to_block;

static void *sleeps_long(void *unused)
{
	(void)unused;
	for (;;)
		pause_ns(1000 * MS);
	return NULL;
}

static void point_read(void)
{
	char c;

	(void)!read(idle[0], &c, 1);
}

static void point_write(void)
{
	(void)!write(full[1], "x", 1);
}

static void point_recv(void)
{
	char c;

	recv(pair[0], &c, 1, 0);
}

static void point_recvmsg(void)
{
	struct msghdr m = { 0 };

	recvmsg(pair[0], &m, 0);
}

static void point_send(void)
{
	static char b[65536];

	send(jammed[1], b, sizeof(b), 0);
}

static void point_accept(void)
{
	accept(listener, NULL, NULL);
}

static void point_poll(void)
{
	struct pollfd p = { idle[0], POLLIN, 0 };

	poll(&p, 1, -1);
}

static void point_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(idle[0], &set);
	select(idle[0] + 1, &set, NULL, NULL, NULL);
}

static void point_epoll_wait(void)
{
	struct epoll_event e;

	epoll_wait(epoll, &e, 1, -1);
}

static void point_nanosleep(void)
{
	struct timespec t = { 100, 0 };

	nanosleep(&t, NULL);
}

static void point_clock_nanosleep(void)
{
	struct timespec t = { 100, 0 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static void point_usleep(void)
{
	usleep(100000000);
}

static void point_sleep(void)
{
	sleep(100);
}

static void unlock(void *m)
{
	printf("  the mutex was held again: unlock %d\n", pthread_mutex_unlock(m));
}

static void point_cond_wait(void)
{
	pthread_mutex_lock(&g_mutex);
	pthread_cleanup_push(unlock, &g_mutex);
	pthread_cond_wait(&g_cond, &g_mutex);
	pthread_cleanup_pop(1);
}

static void point_cond_timedwait(void)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 100000 * MS);

	pthread_mutex_lock(&g_mutex);
	pthread_cleanup_push(unlock, &g_mutex);
	pthread_cond_timedwait(&g_cond, &g_mutex, &t);
	pthread_cleanup_pop(1);
}

static void point_sem_wait(void)
{
	sem_wait(&g_sem);
}

static void point_sem_timedwait(void)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 100000 * MS);

	sem_timedwait(&g_sem, &t);
}

static void point_join(void)
{
	pthread_join(g_sleeper, NULL);
}

static void point_waitpid(void)
{
	waitpid(g_child, NULL, 0);
}

static void point_wait(void)
{
	wait(NULL);
}

static void point_waitid(void)
{
	waitid(P_PID, (id_t)g_child, NULL, WEXITED);
}

static const struct {
	const char *name;
	void (*block)(void);
} points[] = {
#define POINT(name) { #name, point_##name }
	POINT(read), POINT(write), POINT(recv), POINT(recvmsg), POINT(send), POINT(accept), POINT(poll),
	POINT(select), POINT(epoll_wait), POINT(nanosleep), POINT(clock_nanosleep), POINT(usleep), POINT(sleep),
	POINT(cond_wait), POINT(cond_timedwait), POINT(sem_wait), POINT(sem_timedwait), POINT(join),
	POINT(waitpid), POINT(wait), POINT(waitid),
};

static void cleanup(void *name)
{
	printf("  cleanup of %s\n", (const char *)name);
}

static void *victim(void *argument)
{
	size_t i = (size_t)(uintptr_t)argument;
	struct timespec t = { 0, 1000000 };

	pthread_cleanup_push(cleanup, (void *)(uintptr_t)points[i].name);
	sem_post(&about_to_block);
	points[i].block();
	pthread_cleanup_pop(0);
	printf("  %s returned\n", points[i].name);
	nanosleep(&t, NULL);
	return NULL;
}

static int cancel(int argc, char **argv)
{
	static char b[1 << 16];

	(void)argc, (void)argv;
	fflush(stdout);
	MUST(!pipe(idle) && !pipe(full) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) &&
	     !socketpair(AF_UNIX, SOCK_STREAM, 0, jammed));
	MUST(fcntl(full[1], F_SETPIPE_SZ, 1 << 16) == 1 << 16 && write(full[1], b, sizeof(b)) == (ssize_t)sizeof(b));
	while (send(jammed[1], b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr any = { .sa_family = AF_UNIX };

	MUST(!bind(listener, &any, sizeof(any.sa_family)) && !listen(listener, 1)); /* autobind */
	MUST((epoll = epoll_create1(0)) >= 0 && !sem_init(&g_sem, 0, 0) && !sem_init(&about_to_block, 0, 0));
	g_sleeper = start(sleeps_long, NULL);
	g_child = fork();
	MUST(g_child >= 0);
	if (!g_child)
		for (;;)
			pause();
	/* Before it blocks (a pending request acts on entry), and while it is blocked. */
	for (int when = 0; when < 2; when++)
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
			pthread_t t = start(victim, (void *)(uintptr_t)i);
			void *result;

			sem_wait(&about_to_block);
			if (when)
				pause_ns(5 * MS);
			int cancelled = pthread_cancel(t), joined = pthread_join(t, &result);

			printf("%s: cancel %d, join %d, cancelled %d\n", points[i].name, cancelled, joined,
			       result == PTHREAD_CANCELED);
		}
	kill(g_child, SIGKILL);
	MUST(waitpid(g_child, NULL, 0) == g_child);
	return 0;
}

/* pthread_mutex_lock, barriers and rwlocks are no cancellation points and must not become any. */
static void *not_cancelled(void *unused)
{
	struct timespec t = { 0, 30000000 };

	(void)unused;
	sem_post(&about_to_block);
	pthread_mutex_lock(&g_mutex);
	printf("not cancelled in pthread_mutex_lock\n");
	pthread_mutex_unlock(&g_mutex);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	printf("disabled: nanosleep %d\n", nanosleep(&t, NULL));
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	printf("not reached\n");
	return NULL;
}

static int cancel_not(int argc, char **argv)
{
	void *result;

	(void)argc, (void)argv;
	MUST(!sem_init(&about_to_block, 0, 0));
	pthread_mutex_lock(&g_mutex);
	pthread_t t = start(not_cancelled, NULL);

	sem_wait(&about_to_block);
	pause_ns(20 * MS);
	pthread_cancel(t);
	pause_ns(20 * MS);
	pthread_mutex_unlock(&g_mutex);
	pthread_join(t, &result);
	printf("cancelled %d\n", result == PTHREAD_CANCELED);
	return 0;
}

CASES_MAIN({ "many", many }, { "churn", churn }, { "kinds", kinds }, { "small-stack", small_stack },
	   { "cancel", cancel }, { "cancel-not", cancel_not })
