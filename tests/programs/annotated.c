/*
 * A program that says what it is doing, in known quantities (tests/run_annotations.py).
 *
 * annotated all|odd|fork|exec|cancel|signal|names|long|rate [TURNS]
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../include/ctrace.h"

#define WORKERS 3
#define REQUESTS 10

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void spin_ms(long ms)
{
	struct timespec from, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

struct request {
	uint64_t task;
	int number;
};

static void *reply(void *argument)
{
	struct request *r = argument;

	ctrace_region_begin_in(r->task, "reply");
	ctrace_region_begin("send");
	sleep_ms(5);
	ctrace_region_end("send");
	pthread_mutex_lock(&lock);
	sleep_ms(2);
	pthread_mutex_unlock(&lock);
	ctrace_logf("reply", "request %d is done", r->number);
	ctrace_region_end("reply");
	ctrace_task_end(r->task);
	return NULL;
}

static void all(void)
{
	pthread_t thread[WORKERS];
	struct request request[WORKERS];
	uint64_t batch = ctrace_task_begin("batch", 0);

	ctrace_region_begin("main loop");
	for (int n = 0; n < REQUESTS; n++) {
		for (int i = 0; i < WORKERS; i++) {
			ctrace_region_begin("prepare");
			spin_ms(1);
			request[i] = (struct request){ ctrace_task_begin("request", batch), n * WORKERS + i };
			ctrace_log_in(request[i].task, "main", "begin");
			ctrace_region_end("prepare");
			pthread_create(&thread[i], NULL, reply, &request[i]);
		}
		for (int i = 0; i < WORKERS; i++)
			pthread_join(thread[i], NULL);
	}
	ctrace_region_end("main loop");
	sleep_ms(5);
	ctrace_task_end(batch);
}

static jmp_buf back;

static void *leaves(void *argument)
{
	(void)argument;
	ctrace_region_begin("left open");
	sleep_ms(5);
	pthread_exit(NULL);
}

/* Ends without begins, begins without ends, nothing at all. */
static void odd(void)
{
	pthread_t thread;

	ctrace_region_end("never begun");
	ctrace_region_begin("outer");
	ctrace_region_begin("forgotten");
	if (!setjmp(back)) {
		ctrace_region_begin("jumped out of");
		longjmp(back, 1);
	}
	ctrace_region_begin("recursive");
	ctrace_region_begin("recursive");
	sleep_ms(3);
	ctrace_region_end("recursive");
	ctrace_region_end("recursive");
	ctrace_region_end("outer");
	ctrace_region_begin(NULL);
	ctrace_region_end(NULL);
	ctrace_region_begin("");
	ctrace_region_end("");
	ctrace_log(NULL, NULL);
	ctrace_log("", "");
	ctrace_log("odd", "a \"quoted\" \x01 \xff line\n\twith \xe2\x82\xac");
	ctrace_task_end(0);
	ctrace_task_end(4711);
	ctrace_task_begin("never ended", 99);
	ctrace_region_begin_in(0x123456789abcdef0, "of an unknown task");
	ctrace_region_end("of an unknown task");
	pthread_create(&thread, NULL, leaves, NULL);
	pthread_join(thread, NULL);
	ctrace_region_begin("until the end");
}

static void forks(void)
{
	uint64_t task = ctrace_task_begin("across", 0);

	ctrace_region_begin("before");
	pid_t child = fork();

	ctrace_region_begin_in(task, child ? "parent" : "child");
	sleep_ms(3);
	ctrace_log(child ? "parent" : "child", "is here");
	ctrace_region_end(child ? "parent" : "child");
	ctrace_region_end("before");
	if (!child) {
		ctrace_task_end(task);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void *is_cancelled(void *argument)
{
	(void)argument;
	ctrace_region_begin("cancelled");
	for (;;) {
		pthread_testcancel();
		ctrace_region_begin("turn");
		ctrace_log("turn", "still here");
		ctrace_region_end("turn");
	}
	return NULL;
}

static void cancels(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, is_cancelled, NULL);
	sleep_ms(2);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t handled;

static void handler(int sig)
{
	(void)sig;
	ctrace_region_begin("handler");
	ctrace_log("handler", "a text that takes more than one line of the ring, as long as it is: and then some more of it");
	ctrace_region_end("handler");
	handled = handled + 1;
}

/* Handlers that come between any two instructions of interrupted calls. */
static void signals(void)
{
	struct timespec tick = { 0, 20000 };
	struct itimerspec every = { tick, tick };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;
	char text[32];

	signal(SIGUSR1, handler);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &every, NULL);
	for (int i = 0; handled < 500 && i < 2000000; i++) {
		snprintf(text, sizeof(text), "region %d", i % 50);
		ctrace_region_begin(text);
		ctrace_log(text, "some text that goes through the ring, in more than one piece of it");
		ctrace_region_end(text);
		if (i % 64 == 0)
			sleep_ms(1);
	}
	timer_delete(timer);
	printf("%d\n", (int)handled);
}

/* More names than there is room for. */
static void names(void)
{
	char text[32];

	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		ctrace_region_begin(text);
		ctrace_region_end(text);
		if (i % 500 == 0)
			sleep_ms(20);
	}
}

static void lengths(void)
{
	char text[2000];

	for (size_t n = 0; n < sizeof(text); n = n < 600 ? n + 1 : n + 300) {
		memset(text, 'x', n);
		text[n] = 0;
		ctrace_log("length", text);
		ctrace_region_begin(text);
		ctrace_region_end(text);
		if (n % 50 == 0)
			sleep_ms(20);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What a pair costs, and a line, in ns: the least of some short turns, so that the ring has room. */
static void rate(int turns)
{
	double region = 1e9, line = 1e9;

	for (int k = 0; k < turns; k++) {
		double begin = now();

		for (int i = 0; i < 1000; i++) {
			ctrace_region_begin("rate");
			ctrace_region_end("rate");
		}
		double middle = now();

		region = (middle - begin) / 1000 < region ? (middle - begin) / 1000 : region;
		if (ctrace_enabled())
			sleep_ms(20);
		begin = now();
		for (int i = 0; i < 1000; i++)
			ctrace_log("rate", "a short line");
		line = (now() - begin) / 1000 < line ? (now() - begin) / 1000 : line;
		if (ctrace_enabled())
			sleep_ms(20);
	}
	printf("region %.1f log %.1f\n", region, line);
}

/* For so long the same again and again, in a region and a task of its own and in one around all of it. */
static void steps(double seconds)
{
	double until = now() + seconds * 1e9;
	int n = 0;

	ctrace_region_begin("whole");
	for (; now() < until; n++) {
		uint64_t task = ctrace_task_begin("turn", 0);

		ctrace_region_begin_in(task, "step");
		ctrace_region_begin("part");
		sleep_ms(4);
		ctrace_region_end("part");
		ctrace_logf("steps", "%d", n);
		ctrace_region_end("step");
		ctrace_task_end(task);
	}
	ctrace_region_end("whole");
	printf("steps %d, ended 0\n", n);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";

	if (!strcmp(what, "all"))
		all();
	else if (!strcmp(what, "odd"))
		odd();
	else if (!strcmp(what, "fork"))
		forks();
	else if (!strcmp(what, "cancel"))
		cancels();
	else if (!strcmp(what, "signal"))
		signals();
	else if (!strcmp(what, "names"))
		names();
	else if (!strcmp(what, "long"))
		lengths();
	else if (!strcmp(what, "rate"))
		rate(argc > 2 ? atoi(argv[2]) : 20);
	else if (!strcmp(what, "steps"))
		steps(argc > 2 ? atof(argv[2]) : 1);
	if (!strcmp(what, "exec")) {
		ctrace_region_begin("before exec");
		ctrace_task_begin("before exec", 0);
		execl("/proc/self/exe", argv[0], "all", (char *)NULL);
		return 1;
	}
	return 0;
}
