/*
 * Makes calls at a steady rate: rate THREADS CALLS-A-SECOND SECONDS. With --min 0 each is a written
 * event. Every thread makes its part of a millisecond at once and sleeps for the rest; what it
 * could not make in time it makes up for in the next. Prints how many there were, and in how long.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLICE_NS 1000000u

static uint64_t begin_ns, end_ns;
static double each; /* calls a nanosecond of one thread */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *calls(void *ret)
{
	uint64_t done = 0;

	for (uint64_t at = begin_ns; at < end_ns; at += SLICE_NS) {
		struct timespec until = { (time_t)(at / 1000000000u), (long)(at % 1000000000u) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		for (uint64_t due = (uint64_t)((double)(at + SLICE_NS - begin_ns) * each); done < due; done++)
			poll(NULL, 0, 0);
		/* Hopelessly late: the machine cannot. */
		if (now_ns() > end_ns + 1000000000u)
			break;
	}
	*(uint64_t *)ret = done;
	return NULL;
}

int main(int argc, char **argv)
{
	static pthread_t thread[256];
	static uint64_t done[256];
	long threads = argc == 4 ? atol(argv[1]) : 0;
	uint64_t all = 0;

	if (threads < 1 || threads > 256) {
		fputs("usage: rate THREADS CALLS-A-SECOND SECONDS\n", stderr);
		return 2;
	}
	begin_ns = now_ns() + 200000000u;
	end_ns = begin_ns + (uint64_t)(atof(argv[3]) * 1e9);
	each = atof(argv[2]) / (double)threads / 1e9;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, calls, &done[i]))
			abort();
	for (long i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		all += done[i];
	}
	printf("%llu %.3f\n", (unsigned long long)all, (double)(now_ns() - begin_ns) / 1e9);
	return 0;
}
