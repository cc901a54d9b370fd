/* Reading of windows. See window.h. */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A SWITCHES chunk is complete up to about a second before its end. */
#define BEHIND_NS 1500000000ull

static double piece_ns(const struct ct_window *w)
{
	return (double)(w->to_ns - w->from_ns) / w->pieces;
}

int ct_window_open(struct ct_window *w, const struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns, uint32_t pieces)
{
	*w = (struct ct_window){ from_ns, to_ns > from_ns ? to_ns : from_ns + 1, pieces, UINT64_MAX, UINT64_MAX, NULL, 0, .reader.fd = -1 };
	w->lane = calloc(t->m->thread_count + 1u, sizeof(struct ct_window_lane *));
	w->lane_count = t->m->thread_count;
	return w->lane ? 0 : -ENOMEM;
}

int ct_window_want(struct ct_window *w, const struct ct_trace_map *t, uint32_t thread)
{
	struct ct_window_lane *l = w->lane[thread] ? NULL : calloc(1, sizeof(*l));
	double piece = piece_ns(w);

	if (w->lane[thread])
		return 0;
	if (!l)
		return -ENOMEM;
	w->lane[thread] = l;
	ct_life_of(t->m, thread, &l->from_ns, &l->to_ns);
	if (l->from_ns < w->from_ns)
		l->from_ns = w->from_ns;
	if (l->to_ns > w->to_ns)
		l->to_ns = w->to_ns;
	if (l->to_ns <= l->from_ns)
		return 0;
	uint32_t last = (uint32_t)((double)(l->to_ns - w->from_ns) / piece);

	l->first = (uint32_t)((double)(l->from_ns - w->from_ns) / piece);
	if (last >= w->pieces)
		last = w->pieces - 1;
	l->count = last >= l->first ? last - l->first + 1 : 0;
	l->sum = calloc(l->count + 1u, sizeof(*l->sum));
	return l->sum ? 0 : -ENOMEM;
}

void ct_window_close(struct ct_window *w)
{
	for (uint32_t i = 0; i < w->lane_count && w->lane; i++) {
		if (!w->lane[i])
			continue;
		free(w->lane[i]->sum);
		free(w->lane[i]->bar);
		free(w->lane[i]->strip);
		free(w->lane[i]);
	}
	free(w->lane);
	if (w->reader.fd >= 0)
		ct_reader_close(&w->reader);
	ct_events_close(&w->events);
	ct_switches_close(&w->switches);
	*w = (struct ct_window){ .reader.fd = -1 };
}

/* --- sums --- */

void ct_window_add_slow(const struct ct_window *w, struct ct_window_lane *l, double at, double end, enum ct_shade shade)
{
	double piece = piece_ns(w);

	for (uint32_t i = (uint32_t)(at / piece); at < end; i++) {
		double next = (double)(i + 1) * piece, stop = next < end ? next : end;

		if (i >= l->first && i - l->first < l->count && stop > at)
			l->sum[i - l->first][shade] += (float)(stop - at);
		at = stop > at ? stop : next;
		if (i >= w->pieces)
			return;
	}
}

void ct_window_shares(const float sum[CT_SHADES], double piece, uint8_t ret[CT_SHADES])
{
	static const uint8_t order[] = { CT_SHADE_CONTENTION, CT_SHADE_IO, CT_SHADE_RUNTIME, CT_SHADE_IDLE };
	unsigned int left = 255;

	for (int i = 0; i < CT_SHADES; i++) {
		double share = (double)sum[i] / piece * 255;

		/* What is there at all is seen. */
		ret[i] = share >= 255 ? 255 : sum[i] > 0 && share < 1 ? 1 : (uint8_t)(share + 0.5);
	}
	for (size_t i = 0; i < sizeof(order); i++) {
		if (ret[order[i]] > left)
			ret[order[i]] = (uint8_t)left;
		left -= ret[order[i]];
	}
}

/* --- all --- */

static bool has_part(const struct ct_chunk_place *p, uint64_t from_ns, uint64_t to_ns)
{
	if (p->kind == CT_CHUNK_SWITCHES)
		to_ns = to_ns < UINT64_MAX - BEHIND_NS ? to_ns + BEHIND_NS : UINT64_MAX;
	return p->last_ns > from_ns && p->first_ns < to_ns;
}

uint64_t ct_trace_map_records(const struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->chunk_count; i++)
		if (has_part(&t->chunk[i], from_ns, to_ns))
			n += t->chunk[i].count;
	return n;
}

/* From the first chunk to the last: another thread reads ahead. */
static int read_all(struct ct_window *w, struct ct_trace_map *t)
{
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS) | CT_WANT(CT_CHUNK_SWITCHES) };
	struct ct_chunk c;
	uint32_t i = 0;
	int found = 0, error = 0;

	ct_reader_rewind(&w->reader);
	ct_reader_ahead(&w->reader, &want);
	while (!error && i < t->chunk_count && (found = ct_reader_next(&w->reader, &c)) > 0) {
		while (i < t->chunk_count && t->chunk[i].offset < c.offset)
			i++;
		if (i < t->chunk_count && t->chunk[i].offset == c.offset)
			error = ct_window_take(w, t, &t->chunk[i++], &c);
	}
	/* Ends the other thread. */
	ct_reader_rewind(&w->reader);
	return error ? error : found < 0 ? found : 0;
}

int ct_window_read(struct ct_window *w, struct ct_trace_map *t)
{
	int error = ct_reader_dup(&w->reader, t->reader);

	if (error) {
		w->reader.fd = -1;
		return error;
	}
	if (w->from_ns <= t->m->start_ns && w->to_ns >= t->m->end_ns)
		return read_all(w, t);
	for (uint32_t i = 0; i < t->chunk_count && !error; i++) {
		const struct ct_chunk_place *p = &t->chunk[i];
		struct ct_chunk c;

		if (!has_part(p, w->from_ns, w->to_ns))
			continue;
		ct_reader_seek(&w->reader, p->offset);
		error = ct_reader_next(&w->reader, &c);
		if (error <= 0)
			return error;
		error = c.offset == p->offset ? ct_window_take(w, t, p, &c) : 0;
	}
	return error;
}
