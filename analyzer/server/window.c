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

static void add(const struct ct_window *w, struct ct_window_lane *l, uint64_t from_ns, uint64_t to_ns, enum ct_shade shade)
{
	if (from_ns < l->from_ns)
		from_ns = l->from_ns;
	if (to_ns > l->to_ns)
		to_ns = l->to_ns;
	if (from_ns >= to_ns || !l->count)
		return;
	double piece = piece_ns(w);
	double at = (double)(from_ns - w->from_ns), end = (double)(to_ns - w->from_ns);

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

/* --- waits --- */

/* With the lock. */
static uint32_t put_site(struct ct_trace_map *t, uint32_t process, struct ct_site site)
{
	site.flags = 0;
	site.owner = 0;
	uint64_t key = ct_mix(site.object ^ ct_mix(ct_pair(site.stack, process)));
	uint32_t at;

	key = ct_mix(key ^ site.call ^ (uint64_t)site.cause << 56 ^ (uint64_t)site.object_kind << 48 ^ site.aux);
	for (; (at = ct_table_get(&t->site_by_hash, key)); key++) {
		const struct ct_site_info *s = &t->site[at - 1];

		if (s->process == process && !memcmp(&s->site, &site, sizeof(site)))
			return at - 1;
	}
	struct ct_site_info *s = CT_APPEND(t, site);

	if (!s || ct_table_put(&t->site_by_hash, key, t->site_count))
		return CT_NO;
	*s = (struct ct_site_info){ process, site };
	return t->site_count - 1;
}

static uint32_t find_site(struct ct_trace_map *t, uint32_t process, struct ct_site site)
{
	pthread_mutex_lock(&t->site_lock);
	uint32_t found = put_site(t, process, site);

	pthread_mutex_unlock(&t->site_lock);
	return found;
}

static bool is_wait(const struct ct_trace_map *t, uint32_t process, const struct ct_site *s)
{
	return s->kind == CT_EVENT_INTERVAL && t->m->cause[s->cause].is_wait && !(s->flags & CT_EV_NO_TIME) &&
	       (!t->m->process[process].off_cpu_known || s->flags & (CT_EV_OFF_CPU | CT_EV_OPEN));
}

static int take_wait(struct ct_window *w, struct ct_trace_map *t, struct ct_window_lane *l, uint32_t process,
		     const struct ct_site *s, uint32_t *site, const struct ct_events_cursor *c)
{
	if (c->end_ns <= l->from_ns || c->start_ns >= l->to_ns)
		return 0;
	add(w, l, c->start_ns, c->end_ns, (enum ct_shade)t->shade[s->cause]);
	if (c->end_ns - c->start_ns < w->bar_ns)
		return 0;
	if (*site == CT_NO)
		*site = find_site(t, process, *s);
	struct ct_bar *b = *site == CT_NO ? NULL : CT_APPEND(l, bar);

	if (!b)
		return -ENOMEM;
	*b = (struct ct_bar){ c->start_ns, c->end_ns, *site, s->flags & CT_EV_OPEN ? 1 : 0 };
	return 0;
}

static int take_events(struct ct_window *w, struct ct_trace_map *t, struct ct_span payload, uint32_t process)
{
	struct ct_events_decoder *d = &w->events;
	struct ct_events_cursor c;
	int error = ct_events_open(d, payload);

	if (error)
		return error == -EBADMSG ? 0 : error; /* counted when the model was loaded */
	uint32_t *site = malloc((d->site_count + 1u) * sizeof(*site));

	if (!site)
		return -ENOMEM;
	memset(site, 0xff, (d->site_count + 1u) * sizeof(*site));
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&t->m->thread_by_id, d->batch[i].thread) - 1;
		struct ct_window_lane *l = thread == CT_NO ? NULL : w->lane[thread];

		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[i].events && !error; k++) {
			if (ct_events_next(&c))
				goto out;
			if (l && c.end_ns > c.start_ns && is_wait(t, process, &d->site[c.site]))
				error = take_wait(w, t, l, process, &d->site[c.site], &site[c.site], &c);
		}
	}
out:
	free(site);
	return error;
}

/* --- slices --- */

static struct ct_window_lane *lane_of(const struct ct_window *w, const struct ct_trace_map *t, uint32_t tid, uint64_t ns)
{
	uint64_t from_ns, to_ns;

	for (uint32_t i = ct_table_get(&t->thread_by_tid, tid) - 1; i != CT_NO; i = t->next_by_tid[i]) {
		ct_life_of(t->m, i, &from_ns, &to_ns);
		/* Threads come to the writer's notice a little after they began. */
		if (ns >= from_ns && ns <= to_ns + 1000000)
			return w->lane[i];
	}
	return NULL;
}

static int add_strip(const struct ct_window *w, struct ct_window_lane *l, uint64_t from_ns, uint64_t to_ns, uint32_t cpu)
{
	add(w, l, from_ns, to_ns, cpu == CT_NO ? CT_SHADE_READY : CT_SHADE_RUNNING);
	if (to_ns <= from_ns || to_ns - from_ns < w->strip_ns || to_ns <= l->from_ns || from_ns >= l->to_ns)
		return 0;
	struct ct_strip *s = CT_APPEND(l, strip);

	if (!s)
		return -ENOMEM;
	*s = (struct ct_strip){ from_ns, to_ns, cpu };
	return 0;
}

static int take_slice(struct ct_window *w, const struct ct_trace_map *t, const struct ct_slice *s)
{
	struct ct_window_lane *l = lane_of(w, t, w->switches.task[s->task].tid, s->end_ns);
	uint64_t ready_ns = 0;
	int error = 0;

	if (!l || s->end_ns < s->start_ns)
		return 0;
	if (s->flags & CT_SL_WOKEN)
		ready_ns = s->woken_ns;
	else if (!(s->flags & CT_SL_NO_START))
		ready_ns = l->ready_from_ns;
	if (ready_ns && ready_ns < s->start_ns)
		error = add_strip(w, l, ready_ns, s->start_ns, CT_NO);
	if (!error)
		error = add_strip(w, l, s->start_ns, s->end_ns, s->cpu);
	l->ready_from_ns = s->end == CT_SLICE_PREEMPTED ? s->end_ns : 0;
	return error;
}

static int take_slices(struct ct_window *w, const struct ct_trace_map *t, struct ct_span payload)
{
	struct ct_slice s;
	int error = ct_switches_open(&w->switches, payload);

	if (error)
		return error == -EBADMSG ? 0 : error;
	while (!error && ct_switches_next(&w->switches, &s) > 0)
		error = take_slice(w, t, &s);
	return error;
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

static int take_chunk(struct ct_window *w, struct ct_trace_map *t, const struct ct_chunk_place *p, const struct ct_chunk *c)
{
	struct ct_span payload;
	int error = ct_reader_payload(&w->reader, c, &payload);

	if (error) /* damage was counted when the model was loaded */
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	return p->kind == CT_CHUNK_SWITCHES ? take_slices(w, t, payload) : take_events(w, t, payload, p->process);
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
			error = take_chunk(w, t, &t->chunk[i++], &c);
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
		error = c.offset == p->offset ? take_chunk(w, t, p, &c) : 0;
	}
	return error;
}
