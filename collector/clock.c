/* Ticks to nanoseconds. See clock.h. */
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ticks.h"

#define KNOTS     16384u
#define SYNC_TRIES 4
#define RATE_NS   300000u  /* a shorter table says too little about the rate */

uint64_t ct_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void read_pair(struct ct_clock *c, uint64_t *ret_ticks, uint64_t *ret_ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < SYNC_TRIES; i++) {
		uint64_t before = ct_read_ticks_ordered();
		uint64_t ns = ct_now_ns();
		uint64_t after = ct_read_ticks_ordered();

		if (after - before >= best)
			continue;
		best = after - before;
		*ret_ticks = before + best / 2;
		*ret_ns = ns;
	}
	double rate = ct_clock_rate(c);
	/* Without a rate: no processor counts slower than a tick a ns by much. */
	uint64_t error_ns = rate > 0 ? (uint64_t)((double)best / 2 / rate * 1e9) + 1 : best;

	/* A tick between two knots is as far off as the worse of them. */
	if (error_ns > c->error_ns)
		c->error_ns = error_ns;
}

int ct_clock_init(struct ct_clock *c)
{
	*c = (struct ct_clock){ .thin_ns = 1000000000u };
	c->knot = calloc(KNOTS, sizeof(*c->knot));
	if (!c->knot)
		return -ENOMEM;
	read_pair(c, &c->knot[0].ticks, &c->knot[0].ns);
	c->count = 1;
	return 0;
}

void ct_clock_free(struct ct_clock *c)
{
	free(c->knot);
	*c = (struct ct_clock){ 0 };
}

static void set_slope(struct ct_clock *c, size_t i)
{
	struct ct_knot *k = &c->knot[i];

	k->slope = (double)(k[1].ns - k[0].ns) / (double)(k[1].ticks - k[0].ticks);
}

/* Drops knots of the older half that stand closer than thin_ns. */
static void thin(struct ct_clock *c)
{
	size_t half = c->count / 2, kept = 1;

	for (size_t i = 1; i < c->count; i++)
		if (i >= half || c->knot[i + 1].ns - c->knot[kept - 1].ns > c->thin_ns)
			c->knot[kept++] = c->knot[i];
	c->count = kept;
	for (size_t i = 0; i + 1 < kept; i++)
		set_slope(c, i);
	c->hint = 0;
	if (kept > KNOTS - KNOTS / 8)
		c->thin_ns *= 2;
}

void ct_clock_add(struct ct_clock *c, uint64_t ticks, uint64_t ns)
{
	const struct ct_knot *last = ct_clock_last(c);

	if (ticks <= last->ticks || ns <= last->ns)
		return;
	while (c->count == KNOTS)
		thin(c);
	c->knot[c->count++] = (struct ct_knot){ .ticks = ticks, .ns = ns };
	set_slope(c, c->count - 2);
}

void ct_clock_sync(struct ct_clock *c)
{
	uint64_t ticks, ns;

	read_pair(c, &ticks, &ns);
	ct_clock_add(c, ticks, ns);
}

static uint64_t on_line(const struct ct_knot *from, const struct ct_knot *to, double slope, uint64_t ticks)
{
	uint64_t ns = from->ns + (uint64_t)((double)(ticks - from->ticks) * slope);

	return ns < to->ns ? ns : to->ns;
}

static uint64_t before_first(const struct ct_knot *base, const struct ct_knot *first, uint64_t ticks)
{
	if (!base || base->ticks >= first->ticks || base->ns >= first->ns)
		return first->ns;
	if (ticks <= base->ticks)
		return base->ns;
	return on_line(base, first, (double)(first->ns - base->ns) / (double)(first->ticks - base->ticks), ticks);
}

uint64_t ct_clock_ns(struct ct_clock *c, const struct ct_knot *base, uint64_t ticks)
{
	const struct ct_knot *k = c->knot;
	size_t i = c->hint;

	if (ticks < k[0].ticks)
		return before_first(base, &k[0], ticks);
	if (ticks >= ct_clock_last(c)->ticks)
		return ct_clock_last(c)->ns;
	if (ticks < k[i].ticks || ticks >= k[i + 1].ticks) {
		size_t low = 0, high = c->count - 1;

		while (high - low > 1) {
			size_t middle = low + (high - low) / 2;

			if (k[middle].ticks <= ticks)
				low = middle;
			else
				high = middle;
		}
		c->hint = i = low;
	}
	return on_line(&k[i], &k[i + 1], k[i].slope, ticks);
}

double ct_clock_rate(const struct ct_clock *c)
{
	if (c->count < 2)
		return 0;
	const struct ct_knot *first = c->knot, *last = ct_clock_last(c);

	if (last->ns - first->ns < RATE_NS)
		return 0;
	return (double)(last->ticks - first->ticks) / (double)(last->ns - first->ns) * 1e9;
}
