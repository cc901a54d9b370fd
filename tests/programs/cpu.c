/* Threads that work: a report must say that they ran, also inside of calls that it knows as waits. */
#include <fcntl.h>

#include "case.h"

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void say_ran(const char *thread, uint64_t ns)
{
	printf("{\"thread\":\"%s\",\"ran\":%" PRIu64 "}\n", thread, ns);
}

static void *spinner(void *ret)
{
	name_me("spinner");
	while (cpu_ns() < 200 * MS)
		;
	pause_ns(100 * MS);
	*(uint64_t *)ret = cpu_ns();
	return NULL;
}

/* Reads that take milliseconds each, on the CPU: nobody is waited for. */
static void *reader(void *ret)
{
	static char b[32 << 20];
	int fd = open("/dev/zero", O_RDONLY);

	name_me("reader");
	MUST(fd >= 0);
	while (cpu_ns() < 200 * MS)
		MUST(read(fd, b, sizeof(b)) == (ssize_t)sizeof(b));
	*(uint64_t *)ret = cpu_ns();
	close(fd);
	return NULL;
}

static int one(void *(*routine)(void *), const char *name)
{
	uint64_t ns = 0;

	pthread_join(start(routine, &ns), NULL);
	say_ran(name, ns);
	return 0;
}

static int spins(int argc, char **argv)
{
	(void)argc, (void)argv;
	return one(spinner, "spinner");
}

static int reads(int argc, char **argv)
{
	(void)argc, (void)argv;
	return one(reader, "reader");
}

CASES_MAIN({ "spins", spins }, { "reads", reads })
