/* Sleeping. */
#include "real.h"
#include "record.h"

#define SLEEP(symbol, call, type, result, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_SLEEP, CT_OBJECT_NONE, 0); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, result); \
		return r; \
	}

SLEEP(nanosleep, nanosleep, int, CT_RESULT(r), (const struct timespec *want, struct timespec *left), want, left)
SLEEP(__nanosleep, nanosleep, int, CT_RESULT(r), (const struct timespec *want, struct timespec *left), want,
      left)
SLEEP(clock_nanosleep, clock_nanosleep, int, -r,
      (clockid_t clock, int flags, const struct timespec *want, struct timespec *left), clock, flags, want, left)
SLEEP(usleep, usleep, int, CT_RESULT(r), (useconds_t us), us)
SLEEP(sleep, sleep, unsigned, (int64_t)r, (unsigned seconds), seconds)

/* --- yields: the thread stays runnable --- */
#define YIELD(symbol, call) \
	CT_EXPORT int symbol(void) \
	{ \
		ct_count(CT_CALL_##call); \
		return ct_real.symbol(); \
	}

YIELD(sched_yield, sched_yield)
YIELD(__sched_yield, sched_yield)

CT_EXPORT void thrd_yield(void)
{
	ct_count(CT_CALL_thrd_yield);
	ct_real.thrd_yield();
}
