/* What options take: durations, moments, numbers. All return 0 or -EINVAL. */
#ifndef CT_OPTION_VALUES_H
#define CT_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

enum ct_moment_kind {
	CT_MOMENT_AFTER,  /* the begin of the trace: "1.5s" */
	CT_MOMENT_BEFORE, /* its end: "-200ms" */
	CT_MOMENT_SHARE,  /* of its duration: "25%" */
	CT_MOMENT_CLOCK,  /* of CLOCK_MONOTONIC: "=123456789" */
	CT_MOMENT_DAY,    /* local time of the day: "@12:34:56.789" */
	CT_MOMENT_DATE,   /* since 1970: "@2026-11-24T12:34:56", with Z in UTC; "@1795523696.5" */
};

struct ct_moment {
	bool given;
	enum ct_moment_kind kind;
	uint64_t ns;      /* as the kind says */
	double share;     /* 0 to 1 */
	const char *text; /* as it was given; NULL: it was not */
};

/* "1.5s", "200ms", "10us", "3" (as unit_ns says; 0: a number without a unit is none, but for 0). */
int ct_parse_duration(const char *text, uint64_t unit_ns, uint64_t *ret_ns);
int ct_parse_moment(const char *text, struct ct_moment *ret);
int ct_parse_number(const char *text, uint64_t max, uint64_t *ret);

#endif
