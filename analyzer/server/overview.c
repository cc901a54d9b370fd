/* See overview.h. */
#include "overview.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_LEAST 32u
#define BUCKETS_MOST  (1u << 18)
/* A window of more has a picture of buckets, be they wider than its pieces. */
#define FINE_MOST     1200000u
#define PIECES        2048u     /* of a wide screen */

/* So many that a window with a quarter of what may be read has buckets enough for a picture,
 * as far as there is room for those of all lives together. */
static uint32_t bucket_count(const struct ct_trace_map *map, uint64_t from_ns, uint64_t to_ns)
{
	double lives = 0, wanted = (double)ct_trace_map_records(map, 0, UINT64_MAX) / FINE_MOST * 4 * PIECES;
	uint32_t n = BUCKETS_MOST;

	for (uint32_t i = 0; i < map->m->thread_count; i++) {
		uint64_t a, b;

		ct_life_of(map->m, i, &a, &b);
		lives += (double)(b - a) / (double)(to_ns - from_ns);
	}
	while (n > 2 * PIECES && n / 2 > wanted)
		n /= 2;
	while (n > BUCKETS_LEAST && lives * n > CT_OVERVIEW_BUCKETS)
		n /= 2;
	return n;
}

uint32_t ct_overview_halve(float (*sum)[CT_SHADES], uint32_t first, uint32_t *count)
{
	uint32_t half = first / 2, n = *count ? (first + *count - 1) / 2 - half + 1 : 0;

	for (uint32_t i = 0; i < n; i++) {
		float both[CT_SHADES] = { 0 };

		for (uint32_t b = (half + i) * 2; b < (half + i) * 2 + 2; b++)
			for (int k = 0; k < CT_SHADES && b >= first && b < first + *count; k++)
				both[k] += sum[b - first][k];
		memcpy(sum[i], both, sizeof(both));
	}
	*count = n;
	return half;
}

/* Takes the sums apart. */
static int make_levels(struct ct_overview *o, struct ct_overview_lane *l, struct ct_window_lane *from)
{
	double bucket_ns = (double)(o->to_ns - o->from_ns) / o->buckets;
	uint32_t first = l->first, count = l->count;

	for (uint32_t level = 0; level < o->levels && count; level++, bucket_ns *= 2) {
		uint8_t(*shares)[CT_SHADES] = l->level[level] = calloc(count, sizeof(*shares));

		if (!shares)
			return -ENOMEM;
		for (uint32_t i = 0; i < count; i++)
			ct_window_shares(from->sum[i], bucket_ns, shares[i]);
		first = ct_overview_halve(from->sum, first, &count);
	}
	return 0;
}

static int take_over(struct ct_overview *o, struct ct_window *w)
{
	int error = 0;

	for (uint32_t i = 0; i < w->lane_count && !error; i++) {
		struct ct_window_lane *from = w->lane[i];
		struct ct_overview_lane *l = &o->lane[i];

		l->first = from->first;
		l->count = from->count;
		error = make_levels(o, l, from);
		l->bar = from->bar;
		l->bar_count = from->bar_count;
		from->bar = NULL;
		free(from->sum);
		from->sum = NULL;
	}
	return error;
}

int ct_overview_make(struct ct_overview *o, struct ct_trace_map *map)
{
	const struct ct_model *m = map->m;
	struct ct_window w;

	*o = (struct ct_overview){ map, m->start_ns, m->end_ns > m->start_ns ? m->end_ns : m->start_ns + 1, 0, 1, NULL };
	o->buckets = bucket_count(map, o->from_ns, o->to_ns);
	while (o->levels < CT_OVERVIEW_LEVELS && o->buckets >> o->levels)
		o->levels++;
	o->lane = calloc(m->thread_count + 1u, sizeof(*o->lane));
	int error = ct_window_open(&w, map, o->from_ns, o->to_ns, o->buckets);

	if (!o->lane)
		error = -ENOMEM;
	w.bar_ns = 2 * (o->to_ns - o->from_ns) / o->buckets + 1;
	for (uint32_t i = 0; i < m->thread_count && !error; i++)
		error = ct_window_want(&w, map, i);
	if (!error)
		error = ct_window_read(&w, map);
	if (!error)
		error = take_over(o, &w);
	ct_window_close(&w);
	return error;
}

void ct_overview_close(struct ct_overview *o)
{
	for (uint32_t i = 0; o->lane && i < o->map->m->thread_count; i++) {
		for (uint32_t level = 0; level < o->levels; level++)
			free(o->lane[i].level[level]);
		free(o->lane[i].bar);
	}
	free(o->lane);
	*o = (struct ct_overview){ 0 };
}

bool ct_overview_is_fine(const struct ct_overview *o, uint64_t from_ns, uint64_t to_ns, uint32_t pieces)
{
	return (double)(to_ns - from_ns) / pieces < (double)(o->to_ns - o->from_ns) / o->buckets &&
	       ct_trace_map_records(o->map, from_ns, to_ns) <= FINE_MOST;
}

/* Of so much of buckets. What is there at all is seen. */
static uint8_t share_of(double sum, double buckets)
{
	double share = sum / buckets;

	return share >= 255 ? 255 : sum > 0 && share < 1 ? 1 : (uint8_t)(share + 0.5);
}

void ct_overview_shares(const struct ct_overview *o, uint32_t lane, uint64_t from_ns, uint64_t to_ns, uint32_t pieces,
			uint8_t (*ret)[CT_SHADES])
{
	const struct ct_overview_lane *l = &o->lane[lane];
	double piece = (double)(to_ns - from_ns) / pieces, bucket = (double)(o->to_ns - o->from_ns) / o->buckets;
	uint32_t level = 0;

	while (level + 1 < o->levels && bucket * 2 <= piece) {
		bucket *= 2;
		level++;
	}
	memset(ret, 0, pieces * sizeof(*ret));
	if (!l->count)
		return;
	int64_t first = l->first >> level, end = ((l->first + l->count - 1) >> level) + 1;

	for (uint32_t i = 0; i < pieces; i++) {
		double at = ((double)from_ns - (double)o->from_ns + i * piece) / bucket;
		double stop = at + piece / bucket;
		double sum[CT_SHADES] = { 0 };

		for (int64_t b = (int64_t)at < first ? first : (int64_t)at; (double)b < stop && b < end; b++) {
			double part = ((double)(b + 1) < stop ? (double)(b + 1) : stop) - ((double)b > at ? (double)b : at);

			for (int k = 0; k < CT_SHADES && part > 0; k++)
				sum[k] += part * l->level[level][b - first][k];
		}
		for (int k = 0; k < CT_SHADES; k++)
			ret[i][k] = share_of(sum[k], stop - at);
	}
}
