/* Correct programs that do what few do: rare locks, jumps, small signal stacks, coroutines, old symbols. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "case.h"

static void install(int signal, void (*act)(int), int flags)
{
	struct sigaction a = { .sa_handler = act, .sa_flags = flags };

	MUST(!sigaction(signal, &a, NULL));
}

static void nap(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

/* --- mutexes that keep state when an attempt fails --- */

static void *dies_with_lock(void *m)
{
	SHOW(pthread_mutex_lock(m));
	return NULL;
}

static void *finds_busy(void *m)
{
	struct timespec soon = in_ns(CLOCK_REALTIME, 20 * MS);

	SHOW(pthread_mutex_trylock(m));
	SHOW(pthread_mutex_timedlock(m, &soon));
	SHOW(pthread_mutex_unlock(m));
	return NULL;
}

/* Its holder died, and it was given up: every way to lock it says so, none waits. */
static void show_lost(pthread_mutex_t *m)
{
	struct timespec past = { 1, 0 }, bad = { 0, 2000000000 }, soon = in_ns(CLOCK_MONOTONIC, 20 * MS);

	pthread_join(start(dies_with_lock, m), NULL);
	SHOW(pthread_mutex_timedlock(m, &past));
	SHOW(pthread_mutex_unlock(m));
	SHOW(pthread_mutex_lock(m));
	SHOW(pthread_mutex_trylock(m));
	SHOW(pthread_mutex_timedlock(m, &past));
	SHOW(pthread_mutex_timedlock(m, &bad));
	SHOW(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &soon));
	SHOW(pthread_mutex_clocklock(m, 99, &soon));
}

/* Every type, robust or not, with every protocol. */
static int mutex_kinds(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 4 * 2 * 3; i++) {
		int type = i / 6, robust = i / 3 % 2, protocol = i % 3;
		pthread_mutexattr_t a;
		pthread_mutex_t m;

		printf("type %d, robust %d, protocol %d\n", type, robust, protocol);
		pthread_mutexattr_init(&a);
		SHOW(pthread_mutexattr_settype(&a, type));
		SHOW(pthread_mutexattr_setrobust(&a, robust));
		SHOW(pthread_mutexattr_setprotocol(&a, protocol));
		int r = pthread_mutex_init(&m, &a);

		printf("init %d\n", r);
		if (r)
			continue;
		SHOW(r = pthread_mutex_lock(&m));
		if (r) /* a ceiling, without the right to it */
			continue;
		if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
			SHOW(pthread_mutex_lock(&m));
		SHOW(pthread_mutex_trylock(&m));
		if (protocol != PTHREAD_PRIO_PROTECT)
			pthread_join(start(finds_busy, &m), NULL);
		SHOW(pthread_mutex_unlock(&m));
		if (type == PTHREAD_MUTEX_RECURSIVE) {
			SHOW(pthread_mutex_unlock(&m));
			SHOW(pthread_mutex_unlock(&m));
		}
		if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK)
			SHOW(pthread_mutex_unlock(&m));
		if (!robust)
			continue;
		pthread_join(start(dies_with_lock, &m), NULL);
		SHOW(pthread_mutex_lock(&m));
		SHOW(pthread_mutex_consistent(&m));
		SHOW(pthread_mutex_unlock(&m));
		show_lost(&m);
	}
	return 0;
}

/* --- a recursive mutex is held from its first lock to its last unlock --- */

static pthread_mutex_t g_recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct said recursive_said = { "waiter", "mutex", "pthread_mutex_lock", "wait_for_recursive", "g_recursive",
				      "main", 0, 0 };

static NOINLINE void wait_for_recursive(struct said *s)
{
	WAIT(s, MUST(!pthread_mutex_lock(&g_recursive)));
	MUST(!pthread_mutex_unlock(&g_recursive));
}

static void *waits_for_recursive(void *unused)
{
	(void)unused;
	name_me("waiter");
	wait_for_recursive(&recursive_said);
	return NULL;
}

static NOINLINE void hold_recursively(void)
{
	MUST(!pthread_mutex_lock(&g_recursive));
	pthread_t t = start(waits_for_recursive, NULL);

	pause_ns(20 * MS);
	for (int i = 0; i < 5; i++) {
		MUST(!pthread_mutex_lock(&g_recursive));
		pause_ns(10 * MS);
		MUST(!pthread_mutex_unlock(&g_recursive));
		pause_ns(5 * MS);
	}
	MUST(!pthread_mutex_unlock(&g_recursive));
	pthread_join(t, NULL);
}

static int recursive(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 2; i++)
		hold_recursively();
	say(&recursive_said);
	return 0;
}

/* --- threads whose first act is a signal handler --- */

#define THREADS 200
#define SLEEPS	5

static volatile int go;

static void writes(int signal)
{
	char c = 0;
	int saved = errno;

	(void)signal;
	(void)!write(-1, &c, 1);
	errno = saved;
}

static void *sleeper(void *unused)
{
	(void)unused;
	while (!go)
		sched_yield();
	for (int i = 0; i < SLEEPS; i++)
		nap(10000000);
	return NULL;
}

static void *sender(void *unused)
{
	(void)unused;
	while (!go)
		kill(getpid(), SIGUSR1);
	return NULL;
}

/* The driver counts: each has its own sleeps, no two share a thread of the trace. */
static int signal_first(int argc, char **argv)
{
	static pthread_t t[THREADS];
	pthread_attr_t a;
	sigset_t usr1, none;

	(void)argc, (void)argv;
	install(SIGUSR1, writes, SA_RESTART);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	pthread_t s = start(sender, NULL);

	MUST(!pthread_attr_init(&a) && !pthread_attr_setsigmask_np(&a, &none));
	for (int i = 0; i < THREADS; i++) {
		MUST(!pthread_create(&t[i], &a, sleeper, NULL));
		if (i % 20 == 19) {
			/* Those that wait for the word would use up the CPUs. */
			go = 1;
			pthread_join(s, NULL);
			for (int k = i - 19; k <= i; k++)
				pthread_join(t[k], NULL);
			go = 0;
			s = start(sender, NULL);
		}
	}
	go = 1;
	pthread_join(s, NULL);
	printf("{\"sleepers\":%d,\"sleeps\":%d}\n", THREADS, SLEEPS);
	return 0;
}

/* --- signal stacks with little more room than a handler needs --- */

static void handler_sleeps(int signal)
{
	(void)signal;
	nap(20000000);
}

static int idle[2];

static void handler_reads(int signal)
{
	char c;

	(void)signal;
	(void)!read(idle[0], &c, 1);
}

static void *feeds(void *unused)
{
	(void)unused;
	pause_ns(20 * MS);
	MUST(write(idle[1], "x", 1) == 1);
	return NULL;
}

static void handler_polls(int signal)
{
	struct pollfd p = { idle[0], POLLIN, 0 };

	(void)signal;
	poll(&p, 1, 20);
}

static int signal_stack(int argc, char **argv)
{
	enum { MEMORY = 1 << 17 };
	static unsigned char memory[MEMORY] __attribute__((aligned(64)));
	static const struct {
		const char *name;
		void (*act)(int);
		bool fed;
	} handlers[] = { { "sleeps", handler_sleeps, false }, { "reads", handler_reads, true },
			 { "polls", handler_polls, false } };

	MUST(argc == 3 && !pipe(idle));
	size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + (size_t)atol(argv[2]), low = MEMORY - size, i;
	stack_t s = { memory + low, 0, size };

	MUST(!sigaltstack(&s, NULL));
	for (size_t k = 0; k < sizeof(handlers) / sizeof(handlers[0]); k++) {
		/* Once with room: what the dynamic linker needs for a first call is not meant. */
		for (int on_stack = 0; on_stack < 2; on_stack++) {
			install(SIGUSR1, handlers[k].act, on_stack ? SA_ONSTACK : 0);
			memset(memory, 0x5a, low);
			pthread_t t = handlers[k].fed ? start(feeds, NULL) : 0;

			raise(SIGUSR1);
			if (t)
				pthread_join(t, NULL);
		}
		for (i = 0; i < low && memory[i] == 0x5a; i++)
			;
		printf("%s: below the signal stack: %s\n", handlers[k].name, i == low ? "intact" : "overwritten");
	}
	return 0;
}

/* --- out of a wait by siglongjmp: it ends there, whatever waits follow --- */

static sigjmp_buf back;
/* The signal came in the midst of the call: there is no stack of it. */
static struct said left_said = { "main", "pipe", "read", NULL, "pipe", NULL, 0, 0 };
static struct said after_said = { "main", "sleep", "nanosleep", "sleep_a_little", NULL, NULL, 0, 0 };

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void *kicks(void *main_thread)
{
	pause_ns(60 * MS);
	pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	return NULL;
}

static NOINLINE void read_and_leave(void)
{
	char c;

	(void)!read(idle[0], &c, 1);
	MUST(!"the read returned");
}

static NOINLINE void sleep_a_little(void)
{
	struct timespec t = { 0, 20000000 };

	WAIT(&after_said, MUST(!nanosleep(&t, NULL)));
}

/* Calls a function from frames below. */
static NOINLINE void below(int frames, void (*call)(void))
{
	volatile char room[4096];

	room[0] = (char)frames;
	if (frames)
		below(frames - 1, call);
	else
		call();
	room[1] = room[0];
}

/* Jumps out of a wait at one depth; then waits at another, often, and at last from where it began. */
static NOINLINE void leave_and_wait(int left_at, int after_at)
{
	pthread_t self = pthread_self(), t = start(kicks, &self);
	uint64_t start_ns = now_ns();

	if (!sigsetjmp(back, 1))
		below(left_at, read_and_leave);
	left_said.ns += now_ns() - start_ns;
	left_said.count++;
	for (int i = 0; i < 3; i++)
		below(after_at, sleep_a_little);
	sleep_a_little();
	pthread_join(t, NULL);
}

static int leave(int argc, char **argv)
{
	MUST(argc == 4 && !pipe(idle));
	left_said.disturbed = 1; /* it is not counted */
	install(SIGUSR1, jump, 0);
	for (int i = 0; i < 2; i++)
		leave_and_wait(atoi(argv[2]), atoi(argv[3]));
	say(&left_said);
	say(&after_said);
	return 0;
}

/* Jumps, and then runs until it is at its end without another wait. */
static int leave_last(int argc, char **argv)
{
	pthread_t self = pthread_self();

	(void)argc, (void)argv;
	MUST(!pipe(idle));
	left_said.disturbed = 1;
	install(SIGUSR1, jump, 0);
	start(kicks, &self);
	uint64_t start_ns = now_ns();

	if (!sigsetjmp(back, 1))
		below(2, read_and_leave);
	left_said.ns += now_ns() - start_ns;
	left_said.count++;
	say(&left_said);
	fflush(stdout);
	spin_ns(200 * MS);
	_exit(0);
}

/* --- coroutines that block, on stacks of their own, under a timer --- */

enum { COROUTINES = 20, TURNS = 10 };

static ucontext_t scheduler, coroutine[COROUTINES];
static volatile int done;

static void feed(int signal)
{
	int saved = errno;

	(void)signal;
	(void)!write(idle[1], "s", 1);
	errno = saved;
}

static void coroutine_main(int i)
{
	for (int k = 0; k < TURNS; k++) {
		char c;

		MUST(read(idle[0], &c, 1) == 1);
		done++;
		usleep(50);
		swapcontext(&coroutine[i], &scheduler);
	}
}

static void prepare(ucontext_t *c)
{
	MUST(!getcontext(c));
}

static void *schedule(void *unused)
{
	(void)unused;
	for (int i = 0; i < COROUTINES; i++) {
		size_t size = i % 2 ? 20480 : 65536;
		char *s = mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		MUST(s != MAP_FAILED && !mprotect(s + 4096, size, PROT_READ | PROT_WRITE));
		prepare(&coroutine[i]);
		coroutine[i].uc_stack.ss_sp = s + 4096;
		coroutine[i].uc_stack.ss_size = size;
		coroutine[i].uc_link = &scheduler;
		makecontext(&coroutine[i], (void (*)(void))coroutine_main, 1, i);
	}
	for (int k = 0; k < TURNS; k++)
		for (int i = 0; i < COROUTINES; i++)
			swapcontext(&scheduler, &coroutine[i]);
	return NULL;
}

static int coroutines(int argc, char **argv)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } }, never = { 0 };

	(void)argc, (void)argv;
	MUST(!pipe(idle));
	install(SIGALRM, feed, SA_RESTART);
	setitimer(ITIMER_REAL, &every, NULL);
	schedule(NULL);
	pthread_join(start(schedule, NULL), NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("done %d\n", done);
	return 0;
}

/* --- the condition variables of programs linked before 2003 --- */

int old_wait(pthread_cond_t *, pthread_mutex_t *);
int old_timedwait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
int old_signal(pthread_cond_t *);
int old_broadcast(pthread_cond_t *);
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5\n"
	".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5\n"
	".symver old_signal, pthread_cond_signal@GLIBC_2.2.5\n"
	".symver old_broadcast, pthread_cond_broadcast@GLIBC_2.2.5\n");

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
/* What they need is a pointer: what follows must stay as it is. */
static struct {
	void *cond, *canary[5];
} g_old;
static int rung;
static struct said old_said = { "listener", "cond", "pthread_cond_wait", "wait_for_bell", "g_old", NULL, 0, 0 };
static struct said old_timed_said = { "listener", "cond", "pthread_cond_timedwait", "wait_for_nothing", "g_old", NULL,
				      0, 0 };

static NOINLINE void wait_for_bell(int until, struct said *s)
{
	MUST(!pthread_mutex_lock(&g_mutex));
	while (rung < until)
		WAIT(s, MUST(!old_wait((pthread_cond_t *)&g_old, &g_mutex)));
	MUST(!pthread_mutex_unlock(&g_mutex));
}

static NOINLINE void wait_for_nothing(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 40 * MS);

	MUST(!pthread_mutex_lock(&g_mutex));
	WAIT(s, MUST(old_timedwait((pthread_cond_t *)&g_old, &g_mutex, &t) == ETIMEDOUT));
	MUST(!pthread_mutex_unlock(&g_mutex));
}

static void *listener(void *unused)
{
	(void)unused;
	name_me("listener");
	wait_for_bell(1, &old_said);
	wait_for_bell(2, &old_said);
	wait_for_nothing(&old_timed_said);
	return NULL;
}

static int old_cond(int argc, char **argv)
{
	(void)argc, (void)argv;
	pthread_t t = start(listener, NULL);

	for (int i = 0; i < 2; i++) {
		pause_ns(60 * MS);
		MUST(!pthread_mutex_lock(&g_mutex));
		rung++;
		MUST(!(i ? old_broadcast : old_signal)((pthread_cond_t *)&g_old));
		MUST(!pthread_mutex_unlock(&g_mutex));
	}
	pthread_join(t, NULL);
	for (size_t i = 0; i < sizeof(g_old.canary) / sizeof(g_old.canary[0]); i++)
		MUST(!g_old.canary[i]);
	say(&old_said);
	say(&old_timed_said);
	return 0;
}

/* --- allocates all the time; see rseq_malloc.c --- */

static struct said nap_said = { "main", "sleep", "nanosleep", "take_a_nap", NULL, NULL, 0, 0 };

static NOINLINE void take_a_nap(struct said *s)
{
	struct timespec t = { 0, 20000000 };

	free(malloc(100));
	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static int allocate(int argc, char **argv)
{
	struct timespec from, to;

	(void)argc, (void)argv;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (uint64_t until = now_ns() + 200 * MS; now_ns() < until;)
		for (size_t i = 0; i < 1000; i++) {
			void *volatile p = malloc(i);

			free(p);
		}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	for (int i = 0; i < 5; i++)
		take_a_nap(&nap_said);
	printf("{\"thread\":\"main\",\"ran\":%lld}\n",
	       (to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec);
	say(&nap_said);
	return 0;
}

CASES_MAIN({ "mutex-kinds", mutex_kinds }, { "recursive", recursive }, { "signal-first", signal_first },
	   { "signal-stack", signal_stack }, { "leave", leave }, { "leave-last", leave_last },
	   { "coroutines", coroutines }, { "old-cond", old_cond }, { "allocate", allocate })
