/* See progress.h. */
#include "progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 1000000000ull
#define NEXT_NS  200000000ull

static struct {
	bool on, shown;
	uint64_t next_ns, last; /* last: done, of the pass */
	uint32_t pass;
	pthread_t owner; /* the only thread that shows it: others read ahead */
} state;

static _Thread_local struct ct_progress_watch *watched;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void ct_progress_begin(void)
{
	state.on = isatty(STDERR_FILENO);
	state.owner = pthread_self();
	state.next_ns = now() + FIRST_NS;
	state.pass = 1;
}

void ct_progress_end(void)
{
	/* Others may look at it, and it is off already. */
	if (!state.on)
		return;
	if (state.shown)
		fputs("\r\033[K", stderr);
	state.on = state.shown = false;
}

void ct_progress_watch(struct ct_progress_watch *watch)
{
	watched = watch;
}

bool ct_progress_stopped(void)
{
	return watched && atomic_load_explicit(&watched->stop, memory_order_relaxed);
}

void ct_progress(uint64_t done, uint64_t whole)
{
	if (watched) {
		atomic_store_explicit(&watched->done, done, memory_order_relaxed);
		atomic_store_explicit(&watched->whole, whole, memory_order_relaxed);
		return;
	}
	if (!state.on || !pthread_equal(state.owner, pthread_self()))
		return;
	/* Text on the same terminal is what was waited for. */
	if (__fpending(stdout)) {
		ct_progress_end();
		return;
	}
	if (whole && done < state.last)
		state.pass++;
	state.last = whole ? done : 0;
	uint64_t ns = now();

	if (ns < state.next_ns)
		return;
	state.next_ns = ns + NEXT_NS;
	state.shown = true;
	if (whole)
		fprintf(stderr, "\r\033[Kreading the trace, pass %u: %u %%", state.pass,
			(unsigned)(100.0 * (double)done / (double)whole));
	else
		fprintf(stderr, "\r\033[Kreading the pipe: %llu MB", (unsigned long long)(done / 1000000));
}
