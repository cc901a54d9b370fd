/* What chunks have for a window. See window.h. */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

/* --- sums --- */

/* Most of what is added lies in one piece. */
static inline void add(const struct ct_window *w, struct ct_window_lane *l, uint64_t from_ns, uint64_t to_ns, enum ct_shade shade)
{
	from_ns = from_ns < l->from_ns ? l->from_ns : from_ns;
	to_ns = to_ns > l->to_ns ? l->to_ns : to_ns;
	if (from_ns >= to_ns || !l->count)
		return;
	double at = (double)(from_ns - w->from_ns), end = (double)(to_ns - w->from_ns);
	uint32_t i = (uint32_t)(at * w->per_ns), last = (uint32_t)(end * w->per_ns);

	if (i < l->touched)
		l->touched = i;
	if (i == last && i - l->first < l->count)
		l->sum[i - l->first][shade] += (float)(end - at);
	else
		ct_window_add_slow(w, l, at, end, shade);
}

/* --- waits --- */

/* With the lock. */
static uint32_t put_site(struct ct_map_sites *t, uint32_t process, struct ct_site site)
{
	site.flags = 0;
	site.owner = 0;
	uint64_t key = ct_mix(site.object ^ ct_mix(ct_pair(site.stack, process)));
	uint32_t at;

	key = ct_mix(key ^ site.call ^ (uint64_t)site.cause << 56 ^ (uint64_t)site.object_kind << 48 ^ site.aux);
	for (; (at = ct_table_get(&t->by_hash, key)); key++) {
		const struct ct_site_info *s = &t->site[at - 1];

		if (s->process == process && !memcmp(&s->site, &site, sizeof(site)))
			return at - 1;
	}
	struct ct_site_info *s = CT_APPEND(t, site);

	if (!s || ct_table_put(&t->by_hash, key, t->site_count))
		return CT_NO;
	*s = (struct ct_site_info){ process, site };
	return t->site_count - 1;
}

uint32_t ct_trace_map_number(struct ct_trace_map *t, uint32_t process, struct ct_site site)
{
	pthread_mutex_lock(&t->sites->lock);
	uint32_t found = put_site(t->sites, process, site);

	pthread_mutex_unlock(&t->sites->lock);
	return found;
}

static bool is_wait(const struct ct_trace_map *t, uint32_t process, const struct ct_site *s)
{
	return s->kind == CT_EVENT_INTERVAL && t->m->cause[s->cause].is_wait && !(s->flags & CT_EV_NO_TIME) &&
	       (!t->m->process[process].off_cpu_known || s->flags & (CT_EV_OFF_CPU | CT_EV_OPEN));
}

/* A site of the chunk. */
struct seen_site {
	uint32_t number;         /* in the map; CT_NO: not asked for yet */
	uint8_t shade;           /* CT_SHADES: it is no wait */
};

static int take_bar(struct ct_window *w, struct ct_trace_map *t, struct ct_window_lane *l, uint32_t process, uint32_t at,
		    struct seen_site *seen, uint64_t start_ns, uint64_t end_ns)
{
	const struct ct_site *s = &w->events.site[at];

	if (seen->number == CT_NO)
		seen->number = ct_trace_map_number(t, process, *s);
	struct ct_bar *b = seen->number == CT_NO ? NULL : CT_APPEND(l, bar);

	if (!b)
		return -ENOMEM;
	*b = (struct ct_bar){ start_ns, end_ns, seen->number, s->flags & CT_EV_OPEN ? 1 : 0 };
	return 0;
}

static int take_batch(struct ct_window *w, struct ct_trace_map *t, struct ct_window_lane *l, uint32_t process,
		      struct ct_columns *columns, uint32_t events, struct seen_site *seen)
{
	struct ct_event_block b;

	columns->end_ns = w->events.base_ns;
	for (uint32_t n; events; events -= n) {
		n = events < CT_BLOCK_MAX ? events : CT_BLOCK_MAX;
		ct_event_block(columns, n, &b);
		for (uint32_t i = 0; l && i < n; i++) {
			uint64_t start_ns = b.start_ns[i], end_ns = b.end_ns[i];
			struct seen_site *s = &seen[b.site[i]];

			if (s->shade == CT_SHADES || end_ns <= start_ns || end_ns <= l->from_ns || start_ns >= l->to_ns)
				continue;
			add(w, l, start_ns, end_ns, (enum ct_shade)s->shade);
			if (end_ns - start_ns >= w->bar_ns && take_bar(w, t, l, process, b.site[i], s, start_ns, end_ns))
				return -ENOMEM;
		}
	}
	return 0;
}

static int take_events(struct ct_window *w, struct ct_trace_map *t, struct ct_span payload, uint32_t process)
{
	struct ct_events_decoder *d = &w->events;
	struct ct_columns columns;
	int error = ct_events_open(d, payload);

	/* What makes no sense was counted when the model was loaded. */
	if (error || !ct_columns_sound(d))
		return error == -EBADMSG ? 0 : error;
	struct seen_site *seen = malloc((d->site_count + 1u) * sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->site_count; i++)
		seen[i] = (struct seen_site){ CT_NO, is_wait(t, process, &d->site[i]) ? t->shade[d->site[i].cause] : CT_SHADES };
	ct_columns_begin(&columns, d);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&t->m->thread_by_id, d->batch[i].thread) - 1;

		error = take_batch(w, t, thread < w->lane_count ? w->lane[thread] : NULL, process, &columns, d->batch[i].events, seen);
	}
	free(seen);
	return error;
}

/* --- slices --- */

/* A task of the chunk: the one thread that ever had its number. */
struct seen_task {
	uint32_t thread;         /* CT_NO: none, or several */
	bool several;
	uint64_t from_ns, to_ns; /* its life */
};

/* Threads come to the writer's notice a little after they began, and to an end a little after that. */
#define LATE_NS 1000000u

static struct ct_window_lane *lane_of(const struct ct_window *w, const struct ct_trace_map *t, uint32_t tid, uint64_t ns)
{
	uint64_t from_ns, to_ns;

	for (uint32_t i = ct_table_get(&t->thread_by_tid, tid) - 1; i != CT_NO; i = t->next_by_tid[i]) {
		ct_life_of(t->m, i, &from_ns, &to_ns);
		if (ns >= from_ns && ns <= to_ns + LATE_NS)
			return i < w->lane_count ? w->lane[i] : NULL;
	}
	return NULL;
}

static struct seen_task see(const struct ct_trace_map *t, uint32_t tid)
{
	struct seen_task s = { .thread = ct_table_get(&t->thread_by_tid, tid) - 1 };

	s.several = s.thread != CT_NO && t->next_by_tid[s.thread] != CT_NO;
	if (s.thread != CT_NO)
		ct_life_of(t->m, s.thread, &s.from_ns, &s.to_ns);
	return s;
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

static inline int take_slice(struct ct_window *w, struct ct_window_lane *l, const struct ct_slice *s)
{
	uint64_t ready_ns = 0;
	int error = 0;

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
	struct ct_switches_decoder *d = &w->switches;
	struct ct_slice_block b;
	uint64_t count;
	int error = ct_switches_open(d, payload);

	if (error || !ct_slices_sound(d, &count))
		return error == -EBADMSG ? 0 : error;
	struct seen_task *seen = malloc((d->task_count + 1u) * sizeof(*seen));
	const bool small = ct_slices_small(d);

	if (!seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->task_count; i++)
		seen[i] = see(t, d->task[i].tid);
	for (uint32_t n; count && !error; count -= n) {
		n = count < CT_BLOCK_MAX ? (uint32_t)count : CT_BLOCK_MAX;
		ct_slice_block(d, n, small, &b);
		for (uint32_t i = 0; i < n && !error; i++) {
			const struct ct_slice *s = &b.slice[i];
			const struct seen_task *k = &seen[s->task];
			struct ct_window_lane *l = NULL;

			if (k->several)
				l = lane_of(w, t, d->task[s->task].tid, s->end_ns);
			else if (k->thread < w->lane_count && s->end_ns >= k->from_ns && s->end_ns <= k->to_ns + LATE_NS)
				l = w->lane[k->thread];
			if (l && s->end_ns >= s->start_ns)
				error = take_slice(w, l, s);
		}
	}
	free(seen);
	return error;
}

int ct_window_take(struct ct_window *w, struct ct_trace_map *t, const struct ct_chunk_place *p, const struct ct_chunk *c)
{
	struct ct_span payload;
	int error = ct_reader_payload(&w->reader, c, &payload);

	w->per_ns = w->pieces / (double)(w->to_ns - w->from_ns);
	if (error) /* damage was counted when the model was loaded */
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	return p->kind == CT_CHUNK_SWITCHES ? take_slices(w, t, payload) : take_events(w, t, payload, p->process);
}
