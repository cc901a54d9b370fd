/*
 * What the ground-truth programs share. A program is a table of cases; its first
 * argument chooses one. A case measures each of its waits itself and says on
 * stdout, one JSON object a line, what a report must know of it; see
 * tests/run_programs.py for what is compared.
 *
 * Functions that wait are NOINLINE, so that their name is in the stack, and use
 * WAIT(), so that their call is no tail call.
 */
#ifndef CASE_H
#define CASE_H

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
#define MS 1000000ull

/* One kind of wait of one thread. */
struct said {
	const char *thread, *cause, *call;
	const char *function; /* NULL: in none of those that the program names */
	const char *object; /* a part of the object's name, NULL: not compared */
	const char *owner;  /* name of the thread that held it, NULL: nobody */
	uint64_t count, ns;
	uint64_t least; /* where threads are many, what a thread measures includes its wait for a CPU
			 * after the call: its wait was at least that long and at most ns. 0: ns */
	long disturbed; /* times that it lost the CPU while measuring, which makes ns too large */
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline long preemptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* Makes a call and adds its time to said. */
#define WAIT(said, call) \
	do { \
		long wait_disturbed_ = preemptions(); \
		uint64_t wait_start_ = now_ns(); \
		call; \
		(said)->ns += now_ns() - wait_start_; \
		(said)->disturbed += preemptions() - wait_disturbed_; \
		(said)->count++; \
	} while (0)

static inline void say(const struct said *s)
{
	printf("{\"thread\":\"%s\",\"cause\":\"%s\",\"call\":\"%s\"", s->thread, s->cause, s->call);
	if (s->function)
		printf(",\"function\":\"%s\"", s->function);
	if (s->object)
		printf(",\"object\":\"%s\"", s->object);
	if (s->owner)
		printf(",\"owner\":\"%s\"", s->owner);
	if (s->least)
		printf(",\"least\":%" PRIu64, s->least);
	printf(",\"count\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"disturbed\":%ld}\n", s->count, s->ns, s->disturbed);
}

/* A test program does not go on after a surprise. */
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno)); \
			_exit(99); \
		} \
	} while (0)

/* Prints what a call answers: it must be the same when traced. */
#define SHOW(call) \
	do { \
		errno = 0; \
		long long show_result_ = (long long)(call); \
		printf("%s = %lld, errno %d\n", #call, show_result_, errno); \
	} while (0)

static inline void name_me(const char *name)
{
	MUST(!pthread_setname_np(pthread_self(), name));
}

/* A pause that is no wait of the program's own account: absolute, so that it is one call. */
static inline void pause_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Works on the CPU. */
static inline void spin_ns(uint64_t ns)
{
	uint64_t until = now_ns() + ns;

	while (now_ns() < until)
		;
}

static inline struct timespec in_ns(clockid_t clock, uint64_t ns)
{
	struct timespec t;

	clock_gettime(clock, &t);
	ns += (uint64_t)t.tv_nsec;
	t.tv_sec += (time_t)(ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

static inline pthread_t start(void *(*routine)(void *), void *argument)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, routine, argument));
	return t;
}

struct test_case {
	const char *name;
	int (*run)(int argc, char **argv);
};

static inline int run_case(const struct test_case *cases, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++)
		if (!strcmp(cases[i].name, argv[1])) {
			name_me("main");
			return cases[i].run(argc, argv);
		}
	fprintf(stderr, "usage: %s CASE; cases:", argv[0]);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s", cases[i].name);
	fputc('\n', stderr);
	return 2;
}

#define CASES_MAIN(...) \
	int main(int argc, char **argv) \
	{ \
		static const struct test_case cases[] = { __VA_ARGS__ }; \
		return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv); \
	}

#endif
