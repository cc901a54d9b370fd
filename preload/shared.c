/*
 * Calls that take a lock inside of glibc for a computation: the time zone's, the
 * random numbers'. Too short to be timed; rseq tells when one waited.
 */
#include "real.h"

#include <time.h>

#include "record.h"

#define SHARED(type, symbol, call, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_slot *slot = ct_begin_quick(CT_CALL_##call, CT_CAUSE_MUTEX); \
		type r = ct_real.symbol(__VA_ARGS__); \
		if (CT_UNLIKELY(slot && ct_rseq_left())) \
			ct_write_left(slot, CT_CALL_##call, CT_CAUSE_MUTEX, CT_OBJECT_NONE, 0, 0); \
		return r; \
	}

SHARED(struct tm *, localtime, localtime, (const time_t *t), t)
SHARED(struct tm *, localtime_r, localtime, (const time_t *t, struct tm *tm), t, tm)
SHARED(struct tm *, gmtime, localtime, (const time_t *t), t)
SHARED(struct tm *, gmtime_r, localtime, (const time_t *t, struct tm *tm), t, tm)
SHARED(char *, ctime, localtime, (const time_t *t), t)
SHARED(char *, ctime_r, localtime, (const time_t *t, char *p), t, p)
SHARED(time_t, mktime, mktime, (struct tm *tm), tm)
SHARED(time_t, timegm, mktime, (struct tm *tm), tm)
SHARED(size_t, strftime, strftime, (char *p, size_t n, const char *format, const struct tm *tm), p, n, format, tm)
SHARED(long, random, random, (void))
SHARED(int, rand, random, (void))
