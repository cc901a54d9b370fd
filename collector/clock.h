/*
 * Ticks of the processor's time stamp counter as nanoseconds of
 * CLOCK_MONOTONIC.
 *
 * The collector reads both clocks at one moment again and again; each such pair
 * is a knot, and a tick between two knots lies on the line between them. A tick
 * after the last knot has no place yet: take another knot first. So a tick has
 * one time for good (until old knots are thinned, which moves a time by no more
 * than the knots' error), and times never run backwards.
 *
 * All TSC processes share one table, since the counter is the machine's.
 */
#ifndef CT_CLOCK_H
#define CT_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Times are written in multiples of this. Less than the clocks' own uncertainty;
 * what lies below it is noise, which does not compress. */
#define CT_GRAIN_NS 16u

struct ct_knot {
	uint64_t ticks;
	uint64_t ns;
	double slope;  /* ns a tick from here to the next knot */
};

struct ct_clock {
	struct ct_knot *knot;  /* ascending in both; owned */
	size_t count, hint;
	uint64_t thin_ns;      /* old knots are kept this far apart */
	uint64_t error_ns;     /* half the widest bracket of the pairs since this was last set to 0 */
};

uint64_t ct_now_ns(void);
/* Takes the first knot. -ENOMEM. */
int ct_clock_init(struct ct_clock *c);
void ct_clock_free(struct ct_clock *c);
/* Takes another knot. */
void ct_clock_sync(struct ct_clock *c);
/* Adds a knot; ignored unless it is later than the last in both clocks. */
void ct_clock_add(struct ct_clock *c, uint64_t ticks, uint64_t ns);

static inline const struct ct_knot *ct_clock_last(const struct ct_clock *c)
{
	return &c->knot[c->count - 1];
}

/* The time of a tick. Before the first knot the line from base (a knot of the
 * process's own, may be NULL) is taken; outside of all it is clamped. */
uint64_t ct_clock_ns(struct ct_clock *c, const struct ct_knot *base, uint64_t ticks);
/* Ticks a second over the whole table, 0 while it is too short to say. */
double ct_clock_rate(const struct ct_clock *c);

#endif
