/* Threads that take turns on few CPUs, each in its own way. Each says how long it had a CPU
 * and how long it waited for one, by the kernel's own account. */
#include <fcntl.h>
#include <sys/syscall.h>

#include "case.h"

#define THREADS 6
#define WORK_NS (150 * MS)

static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;
static int ends[2][2];

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void work(uint64_t ns)
{
	uint64_t until = cpu_ns() + ns;

	while (cpu_ns() < until)
		;
}

static void say_account(void)
{
	unsigned long long delay_ns = 0;
	FILE *f = fopen("/proc/thread-self/schedstat", "r");

	MUST(f && fscanf(f, "%*u %llu", &delay_ns) == 1);
	fclose(f);
	pthread_mutex_lock(&said_lock);
	printf("{\"tid\":%ld,\"ran\":%" PRIu64 ",\"delay\":%llu}\n", (long)syscall(SYS_gettid), cpu_ns(), delay_ns);
	fflush(stdout);
	pthread_mutex_unlock(&said_lock);
}

/* Works in bits and hands over to its partner after each. */
static void pass_on(int from, int to)
{
	char c = 0;

	while (cpu_ns() < WORK_NS) {
		work(MS / 5);
		MUST(write(to, &c, 1) == 1);
		MUST(read(from, &c, 1) >= 0); /* 0: the partner is through */
	}
	close(to);
}

static void *turn(void *arg)
{
	size_t i = (size_t)arg;

	if (i < 2)
		pass_on(ends[i][0], ends[1 - i][1]);
	else if (i < 4)
		work(WORK_NS);
	else
		while (cpu_ns() < WORK_NS / 2) {
			struct timespec t = { 0, 700000 };

			work(MS / 2);
			nanosleep(&t, NULL);
		}
	say_account();
	return NULL;
}

static int mixed(int argc, char **argv)
{
	pthread_t t[THREADS];

	(void)argc, (void)argv;
	MUST(!pipe(ends[0]) && !pipe(ends[1]));
	for (size_t i = 0; i < THREADS; i++)
		MUST(!pthread_create(&t[i], NULL, turn, (void *)i));
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return 0;
}

/* Pairs of threads that do nothing but hand over: switches as fast as they go. */
static void *hand_over(void *arg)
{
	int *fd = arg;
	char c = 0;

	for (int i = 0; i < 5000; i++)
		MUST(write(fd[1], &c, 1) == 1 && read(fd[0], &c, 1) == 1);
	return NULL;
}

static int fast(int argc, char **argv)
{
	pthread_t t[4];
	int fd[4][2], a[2], b[2];

	(void)argc, (void)argv;
	for (int i = 0; i < 4; i += 2) {
		MUST(!pipe(a) && !pipe(b));
		fd[i][0] = a[0], fd[i][1] = b[1];
		fd[i + 1][0] = b[0], fd[i + 1][1] = a[1];
	}
	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, hand_over, fd[i]));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return 0;
}

CASES_MAIN({ "mixed", mixed }, { "fast", fast })
