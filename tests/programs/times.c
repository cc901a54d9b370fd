/* Sleeps. */
#include "case.h"

static NOINLINE void nap(struct said *s)
{
	struct timespec t = { 0, 30000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static NOINLINE void nap_by_clock(struct said *s)
{
	struct timespec t = in_ns(CLOCK_MONOTONIC, 30 * MS);

	WAIT(s, MUST(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)));
}

static NOINLINE void nap_microseconds(struct said *s)
{
	WAIT(s, MUST(!usleep(30000)));
}

static NOINLINE void nap_seconds(struct said *s)
{
	WAIT(s, MUST(!sleep(1)));
}

static int sleeps(int argc, char **argv)
{
	struct said n = { "main", "sleep", "nanosleep", "nap", NULL, NULL, 0, 0 };
	struct said c = { "main", "sleep", "clock_nanosleep", "nap_by_clock", NULL, NULL, 0, 0 };
	struct said u = { "main", "sleep", "usleep", "nap_microseconds", NULL, NULL, 0, 0 };
	struct said s = { "main", "sleep", "sleep", "nap_seconds", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	for (int i = 0; i < 3; i++) {
		nap(&n);
		nap_by_clock(&c);
		nap_microseconds(&u);
	}
	nap_seconds(&s);
	say(&n);
	say(&c);
	say(&u);
	say(&s);
	return 0;
}

/* Many short ones: counts and totals must hold, not only single long waits. */
static NOINLINE void short_nap(struct said *s)
{
	struct timespec t = { 0, 200000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static int many(int argc, char **argv)
{
	struct said s = { "main", "sleep", "nanosleep", "short_nap", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	for (int i = 0; i < 1000; i++)
		short_nap(&s);
	say(&s);
	return 0;
}

CASES_MAIN({ "sleeps", sleeps }, { "many", many })
