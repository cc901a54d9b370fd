/* What --from and --to mean in a trace. See model_parts.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model_parts.h"

#define SECOND_NS 1000000000ull

/* From CLOCK_REALTIME to the trace's clock, as they stood when the file was begun. */
static uint64_t from_real(const struct ct_model *m, uint64_t real_ns)
{
	uint64_t begin_ns = m->header_real_ns;

	if (real_ns >= begin_ns)
		return m->header_start_ns + (real_ns - begin_ns);
	return begin_ns - real_ns < m->header_start_ns ? m->header_start_ns - (begin_ns - real_ns) : 0;
}

static uint64_t distance(const struct ct_model *m, uint64_t ns)
{
	return ns < m->start_ns ? m->start_ns - ns : ns > m->end_ns ? ns - m->end_ns : 0;
}

/* A time of day is meant of the day that brings it nearest to the trace. */
static uint64_t from_time_of_day(const struct ct_model *m, uint64_t day_ns)
{
	uint64_t best = UINT64_MAX;

	for (int day = -1; day <= 1; day++) {
		time_t begin = (time_t)(m->header_real_ns / SECOND_NS);
		struct tm t;

		if (!localtime_r(&begin, &t))
			continue;
		t.tm_mday += day;
		t.tm_hour = (int)(day_ns / SECOND_NS / 3600);
		t.tm_min = (int)(day_ns / SECOND_NS / 60 % 60);
		t.tm_sec = (int)(day_ns / SECOND_NS % 60);
		t.tm_isdst = -1;
		time_t s = mktime(&t);

		if (s < 0)
			continue;
		uint64_t ns = from_real(m, (uint64_t)s * SECOND_NS + day_ns % SECOND_NS);

		if (best == UINT64_MAX || distance(m, ns) < distance(m, best))
			best = ns;
	}
	return best == UINT64_MAX ? m->start_ns : best;
}

static uint64_t moment_ns(const struct ct_model *m, const struct ct_moment *moment)
{
	uint64_t ns = moment->ns, whole_ns = m->end_ns - m->start_ns;

	switch (moment->kind) {
	case CT_MOMENT_AFTER:
		break;
	case CT_MOMENT_BEFORE:
		ns = ns < whole_ns ? whole_ns - ns : 0;
		break;
	case CT_MOMENT_SHARE:
		ns = ct_whole_ns((double)whole_ns * moment->share);
		break;
	case CT_MOMENT_CLOCK:
		return ns;
	case CT_MOMENT_DAY:
		return from_time_of_day(m, ns);
	case CT_MOMENT_DATE:
		return from_real(m, ns);
	}
	return m->start_ns + ns;
}

static bool is_wall(const struct ct_moment *moment)
{
	return moment->given && (moment->kind == CT_MOMENT_DAY || moment->kind == CT_MOMENT_DATE);
}

/* When a snapshot begins whose threads are older: waits that began before it reach into it. */
static uint64_t snapshot_begin(const struct ct_model *m)
{
	uint64_t ns = strtoull(ct_model_meta(m, "snapshot_begin_ns"), NULL, 10);

	return ns <= m->end_ns ? ns : 0;
}

int ct_model_window(struct ct_model *m)
{
	const struct ct_options *o = m->options;
	uint64_t begin_ns = snapshot_begin(m);

	if (m->start_ns < begin_ns)
		m->start_ns = begin_ns;

	if ((is_wall(&o->from) || is_wall(&o->to)) && !m->header_real_ns) {
		snprintf(m->complaint, sizeof(m->complaint), "the trace does not say what time of the day it was: "
			 "--from and --to cannot begin with @");
		return -EINVAL;
	}
	m->window = o->from.given || o->to.given;
	m->from_ns = o->from.given ? moment_ns(m, &o->from) : 0;
	if (m->from_ns < begin_ns)
		m->from_ns = begin_ns;
	m->clip = m->window || begin_ns;
	m->to_ns = o->to.given ? moment_ns(m, &o->to) : UINT64_MAX;
	if (m->to_ns < m->from_ns)
		m->to_ns = m->from_ns;
	return 0;
}
