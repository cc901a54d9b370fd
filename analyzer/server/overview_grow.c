/* See overview_grow.h. */
#include "overview_grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRID       65536u      /* buckets that the time is divided into, when it is full */
#define ALL        (1u << 20)  /* of all lanes */
#define LEVELS     17u         /* the coarsest has one bucket */
#define SHORTEST   1000u       /* ns of a bucket */

static double bucket_ns(const struct ct_window *w)
{
	return (double)(w->to_ns - w->from_ns) / w->pieces;
}

/* --- longer buckets --- */

static void forget_levels(struct ct_overview_levels *v)
{
	for (uint32_t i = 0; i < LEVELS; i++)
		v->count[i] = 0;
}

/* Waits that fill no two buckets any more are in the sums alone. */
static void drop_short(struct ct_window_lane *l, uint64_t least_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->bar_count; i++)
		if (l->bar[i].end_ns - l->bar[i].start_ns >= least_ns)
			l->bar[n++] = l->bar[i];
	l->bar_count = n;
}

static void double_buckets(struct ct_overview_growing *g)
{
	struct ct_window *w = &g->w;

	w->to_ns = w->from_ns + 2 * (w->to_ns - w->from_ns);
	w->bar_ns *= 2;
	for (uint32_t i = 0; i < w->lane_count; i++) {
		struct ct_window_lane *l = w->lane[i];

		if (!l)
			continue;
		l->first = ct_overview_halve(l->sum, l->first, &l->count);
		l->touched = 0;
		drop_short(l, w->bar_ns);
		forget_levels(&g->levels[i]);
	}
}

/* --- longer lives --- */

static int more_lanes(struct ct_overview_growing *g, uint32_t count)
{
	struct ct_window *w = &g->w;
	struct ct_window_lane **lane = realloc(w->lane, (count + 1u) * sizeof(struct ct_window_lane *));

	if (lane)
		w->lane = lane;
	struct ct_overview_levels *levels = lane ? realloc(g->levels, (count + 1u) * sizeof(*levels)) : NULL;

	if (!levels)
		return -ENOMEM;
	g->levels = levels;
	for (; w->lane_count < count; w->lane_count++) {
		lane[w->lane_count] = NULL;
		levels[w->lane_count] = (struct ct_overview_levels){ 0 };
	}
	return 0;
}

/* The buckets of a life that has become longer. 0 or -ENOMEM. */
static int extend(struct ct_window *w, struct ct_window_lane **lane, uint64_t from_ns, uint64_t to_ns)
{
	struct ct_window_lane *l = *lane;
	double bucket = bucket_ns(w);

	if (from_ns < w->from_ns)
		from_ns = w->from_ns;
	if (to_ns <= from_ns)
		return 0;
	if (!l) {
		l = *lane = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->from_ns = from_ns;
		l->first = (uint32_t)((double)(from_ns - w->from_ns) / bucket);
		if (l->first >= w->pieces)
			l->first = w->pieces - 1;
	}
	/* More may be known of it by now: what there is stays. */
	if (from_ns < l->from_ns && from_ns >= w->from_ns + (uint64_t)(l->first * bucket))
		l->from_ns = from_ns;
	l->to_ns = to_ns;
	uint32_t last = (uint32_t)((double)(to_ns - w->from_ns) / bucket), count;

	if (last >= w->pieces)
		last = w->pieces - 1;
	count = last >= l->first ? last - l->first + 1 : 0;
	if (count <= l->count)
		return 0;
	float (*sum)[CT_SHADES] = ct_grow(l->sum, &l->room, count, sizeof(*sum));

	if (!sum)
		return -ENOMEM;
	l->sum = sum;
	memset(sum + l->count, 0, (count - l->count) * sizeof(*sum));
	if (l->touched > l->first + l->count)
		l->touched = l->first + l->count;
	l->count = count;
	return 0;
}

/* Buckets for all lives as they are known now. */
static int extend_all(struct ct_overview_growing *g)
{
	const struct ct_model *m = g->map.m;
	struct ct_window *w = &g->w;
	uint64_t from_ns, to_ns, all = 0;
	int error = more_lanes(g, m->thread_count);

	while (w->to_ns < m->end_ns && w->to_ns - w->from_ns < 1ull << 62)
		double_buckets(g);
	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		ct_life_of(m, i, &from_ns, &to_ns);
		error = extend(w, &w->lane[i], from_ns, to_ns);
		all += w->lane[i] ? w->lane[i]->count : 0;
	}
	/* Very many threads have few each. */
	for (uint64_t before = UINT64_MAX; !error && all > ALL && all < before;) {
		before = all;
		all = 0;
		double_buckets(g);
		for (uint32_t i = 0; i < w->lane_count; i++)
			all += w->lane[i] ? w->lane[i]->count : 0;
	}
	return error;
}

static int begin(struct ct_overview_growing *g, const struct ct_model *m, const struct ct_reader *reader)
{
	uint64_t bucket = (m->end_ns - m->start_ns) / (GRID / 2) + 1;

	if (bucket < SHORTEST)
		bucket = SHORTEST;
	g->begun = true;
	g->w = (struct ct_window){ m->start_ns, m->start_ns + GRID * bucket, GRID, 2 * bucket + 1, UINT64_MAX, NULL, 0,
				   .reader.fd = -1 };
	int error = ct_trace_map_begin(&g->map, m, reader, NULL);

	if (!error && (error = ct_reader_dup(&g->w.reader, reader)))
		g->w.reader.fd = -1;
	return error;
}

int ct_overview_go_on(struct ct_overview_growing *g, const struct ct_model *m, const struct ct_reader *reader, uint64_t file_bytes)
{
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS) | CT_WANT(CT_CHUNK_SWITCHES) };
	bool first = !g->begun;
	int error = first ? begin(g, m, reader) : ct_trace_map_threads(&g->map), found = 0;
	struct ct_reader *r = &g->w.reader;
	struct ct_chunk c;

	if (!error)
		error = extend_all(g);
	if (error)
		return error;
	ct_reader_grow(r, file_bytes);
	if (first)
		ct_reader_ahead(r, &want);
	while (error >= 0 && (found = ct_reader_next(r, &c)) > 0) {
		error = ct_trace_map_add(&g->map, &c);
		if (error > 0)
			error = ct_window_take(&g->w, &g->map, &g->map.chunk[g->map.chunk_count - 1], &c);
	}
	return error ? error : found;
}

void ct_overview_growing_close(struct ct_overview_growing *g)
{
	if (!g->begun)
		return;
	for (uint32_t i = 0; i < g->w.lane_count && g->levels; i++)
		for (uint32_t k = 0; k < LEVELS; k++)
			free(g->levels[i].share[k]);
	free(g->levels);
	ct_window_close(&g->w);
	ct_trace_map_close(&g->map);
	*g = (struct ct_overview_growing){ 0 };
}

/* --- copies --- */

/* Buckets of a level are made of the finest ones': from the first that has changed on. */
static int make_level(struct ct_overview_levels *v, const struct ct_window_lane *l, uint32_t level, double bucket)
{
	uint32_t first = l->first >> level, end = ((l->first + l->count - 1) >> level) + 1, from = l->touched >> level;
	uint8_t(*share)[CT_SHADES] = ct_grow(v->share[level], &v->room[level], end - first, sizeof(*share));

	if (!share)
		return -ENOMEM;
	v->share[level] = share;
	if (from > first + v->count[level])
		from = first + v->count[level];
	for (uint32_t i = from < first ? first : from; i < end; i++) {
		float sum[CT_SHADES] = { 0 };
		uint64_t next = (uint64_t)(i + 1) << level, last = l->first + l->count;
		uint32_t b = i << level < l->first ? l->first : i << level;

		for (; b < next && b < last; b++)
			for (int k = 0; k < CT_SHADES; k++)
				sum[k] += l->sum[b - l->first][k];
		ct_window_shares(sum, bucket * (double)(1u << level), share[i - first]);
	}
	v->count[level] = end - first;
	return 0;
}

static int copy_lane(struct ct_overview_lane *to, struct ct_overview_levels *v, struct ct_window_lane *l, double bucket)
{
	to->first = l->first;
	to->count = l->count;
	for (uint32_t level = 0; level < LEVELS && l->count; level++) {
		if (make_level(v, l, level, bucket))
			return -ENOMEM;
		to->level[level] = malloc(v->count[level] * sizeof(*v->share[level]));
		if (!to->level[level])
			return -ENOMEM;
		memcpy(to->level[level], v->share[level], v->count[level] * sizeof(*v->share[level]));
	}
	l->touched = UINT32_MAX;
	if (!l->bar_count)
		return 0;
	to->bar = malloc(l->bar_count * sizeof(*to->bar));
	if (!to->bar)
		return -ENOMEM;
	memcpy(to->bar, l->bar, l->bar_count * sizeof(*to->bar));
	to->bar_count = to->bar_capacity = l->bar_count;
	return 0;
}

int ct_overview_copy(struct ct_overview_growing *g, struct ct_overview *ret, struct ct_trace_map *map)
{
	const struct ct_window *w = &g->w;
	uint32_t lanes = map->m->thread_count;
	int error = 0;

	*ret = (struct ct_overview){ map, w->from_ns, w->to_ns, w->pieces, LEVELS, NULL };
	ret->lane = calloc(lanes + 1u, sizeof(*ret->lane));
	map->chunk = malloc((g->map.chunk_count + 1u) * sizeof(*map->chunk));
	if (!ret->lane || !map->chunk)
		return -ENOMEM;
	memcpy(map->chunk, g->map.chunk, g->map.chunk_count * sizeof(*map->chunk));
	map->chunk_count = map->chunk_capacity = g->map.chunk_count;
	for (uint32_t i = 0; i < lanes && i < w->lane_count && !error; i++)
		if (w->lane[i])
			error = copy_lane(&ret->lane[i], &g->levels[i], w->lane[i], bucket_ns(w));
	return error;
}
