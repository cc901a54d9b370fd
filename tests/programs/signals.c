/* Signal handlers that call what is wrapped, and leave in ways of their own. */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "case.h"

static int outer[2], inner[2];
static struct said outer_said = { "main", "pipe", "read", "read_outer", "pipe", NULL, 0, 0 };
static struct said inner_said = { "main", "pipe", "read", "read_in_handler", "pipe", NULL, 0, 0 };

static NOINLINE void read_in_handler(void)
{
	char c;

	WAIT(&inner_said, MUST(read(inner[0], &c, 1) == 1));
}

static void handler(int signal)
{
	int saved = errno;

	(void)signal;
	read_in_handler();
	MUST(write(outer[1], "h", 1) == 1);
	errno = saved;
}

static NOINLINE void read_outer(char want)
{
	char c = 0;

	WAIT(&outer_said, MUST(read(outer[0], &c, 1) == 1));
	MUST(c == want);
}

static void install(int signal, void (*act)(int), int flags)
{
	struct sigaction a = { .sa_handler = act, .sa_flags = flags };

	MUST(!sigaction(signal, &a, NULL));
}

/* Interrupts main in its read, feeds the handler's read later. The handler ends main's read. */
static void *interrupter(void *main_thread)
{
	name_me("interrupter");
	for (int i = 0; i < 2; i++) {
		pause_ns(100 * MS);
		MUST(!pthread_kill(*(pthread_t *)main_thread, SIGUSR1));
		pause_ns(50 * MS);
		MUST(write(inner[1], "i", 1) == 1);
	}
	return NULL;
}

/* What a report must show: the handler's wait as its own, and main's wait without it, since a
 * thread's waits must add up to no more than its time. */
static int nested(int argc, char **argv)
{
	pthread_t self = pthread_self();

	(void)argc, (void)argv;
	MUST(!pipe(outer) && !pipe(inner));
	install(SIGUSR1, handler, SA_RESTART);
	pthread_t t = start(interrupter, &self);

	read_outer('h');
	read_outer('h');
	pthread_join(t, NULL);
	outer_said.ns -= inner_said.ns;
	say(&outer_said);
	say(&inner_said);
	return 0;
}

/* --- on an alternate stack --- */

static int alternate(int argc, char **argv)
{
	static char memory[1 << 16];
	stack_t s = { .ss_sp = memory, .ss_size = sizeof(memory) };
	pthread_t self = pthread_self();

	(void)argc, (void)argv;
	MUST(!pipe(outer) && !pipe(inner) && !sigaltstack(&s, NULL));
	install(SIGUSR1, handler, SA_RESTART | SA_ONSTACK);
	pthread_t t = start(interrupter, &self);

	read_outer('h');
	read_outer('h');
	pthread_join(t, NULL);
	outer_said.ns -= inner_said.ns;
	say(&outer_said);
	say(&inner_said);
	return 0;
}

/* --- EINTR --- */

static void nothing(int signal)
{
	(void)signal;
}

static void *kicks(void *main_thread)
{
	pause_ns(30 * MS);
	pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	return NULL;
}

static int interrupted(int argc, char **argv)
{
	pthread_t self = pthread_self();
	struct timespec t = { 10, 0 }, left;
	char c;

	(void)argc, (void)argv;
	MUST(!pipe(outer));
	install(SIGUSR1, nothing, 0);
	pthread_t k = start(kicks, &self);

	SHOW(read(outer[0], &c, 1));
	pthread_join(k, NULL);
	k = start(kicks, &self);
	SHOW(nanosleep(&t, &left));
	SHOW(left.tv_sec == 9);
	pthread_join(k, NULL);
	k = start(kicks, &self);
	SHOW(sleep(10) >= 9);
	pthread_join(k, NULL);
	return 0;
}

/* --- out of a blocked read by longjmp, then waits that must still be right --- */

static sigjmp_buf back;
static struct said after_said = { "main", "pipe", "read", "read_outer", "pipe", NULL, 0, 0 };

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void *feeder(void *main_thread)
{
	for (int i = 0; i < 3; i++) {
		pause_ns(40 * MS);
		pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	}
	pause_ns(60 * MS);
	MUST(write(outer[1], "f", 1) == 1);
	return NULL;
}

static NOINLINE void read_and_jump(void)
{
	char c;

	(void)!read(outer[0], &c, 1);
	MUST(!"the read returned");
}

static int longjmp_(int argc, char **argv)
{
	pthread_t self = pthread_self();
	volatile int jumps = 0;

	(void)argc, (void)argv;
	MUST(!pipe(outer));
	install(SIGUSR1, jump, 0);
	pthread_t t = start(feeder, &self);

	while (jumps < 3) {
		jumps++;
		if (sigsetjmp(back, 1) == 0)
			read_and_jump();
	}
	outer_said = after_said;
	read_outer('f');
	pthread_join(t, NULL);
	printf("jumps %d\n", jumps);
	say(&outer_said);
	return 0;
}

/* --- a storm: every wrapper is interrupted everywhere --- */

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	int saved = errno;
	char c = 't';

	(void)signal;
	if (write(inner[1], &c, 1) == 1)
		(void)!read(inner[0], &c, 1);
	ticks++;
	errno = saved;
}

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

static int storm(int argc, char **argv)
{
	struct itimerval every = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	uint64_t until = now_ns() + 300 * MS;
	unsigned bad = 0;
	char c;

	(void)argc, (void)argv;
	MUST(!pipe(outer) && !pipe(inner));
	install(SIGALRM, tick, SA_RESTART);
	setitimer(ITIMER_REAL, &every, NULL);
	while (now_ns() < until) {
		errno = 4321;
		pthread_mutex_lock(&g_mutex);
		bad += write(outer[1], "s", 1) != 1;
		pthread_mutex_unlock(&g_mutex);
		bad += read(outer[0], &c, 1) != 1 || c != 's';
		free(malloc(100));
		bad += errno != 4321;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	printf("bad %u, ticks %d\n", bad, ticks > 10);
	return 0;
}

CASES_MAIN({ "nested", nested }, { "alternate", alternate }, { "interrupted", interrupted }, { "longjmp", longjmp_ },
	   { "storm", storm })
