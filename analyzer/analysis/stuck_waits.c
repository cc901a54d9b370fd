/* The waits that have not ended, from events and WAITING records. See stuck.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "stuck.h"

static uint64_t object_key(uint32_t process, uint64_t object)
{
	return ct_mix(object ^ ct_mix((uint64_t)process + 1));
}

uint32_t ct_stuck_for(const struct ct_stuck *s, uint32_t process, uint64_t object)
{
	return ct_table_get(&s->by_object, object_key(process, object));
}

static int put(struct ct_stuck *s, uint32_t thread, const struct ct_site *site, uint64_t start_ns, uint64_t seen_ns)
{
	uint32_t at = s->pending_of[thread];
	struct ct_pending *p = at ? &s->pending[at - 1] : CT_APPEND(s, pending);

	if (!p)
		return -ENOMEM;
	*p = (struct ct_pending){
		.thread = thread,
		.info = { s->model->thread[thread].process, *site },
		.start_ns = start_ns,
		.seen_ns = seen_ns,
		.waker = CT_NO,
		.cycle = CT_NO,
	};
	if (!at)
		s->pending_of[thread] = s->pending_count;
	return 0;
}

static int from_records(struct ct_stuck *s)
{
	const struct ct_model *m = s->model;
	int error = 0;

	for (uint32_t i = 0; i < m->waiting_count && !error; i++) {
		const struct ct_waiting_info *w = &m->waiting[i];

		/* What it waits for at its end is an event, unless it left the wait. */
		if (w->site.call && !m->thread[w->thread].ended)
			error = put(s, w->thread, &w->site, w->start_ns, m->end_ns > w->seen_ns ? m->end_ns : w->seen_ns);
	}
	return error;
}

/* --- a walk over the events --- */

struct walk {
	struct ct_stuck *s;
	struct ct_events_decoder decoder;
	struct ct_events_cursor cursor;
	uint32_t process;
	bool *wanted;        /* sites of the chunk */
	uint32_t wanted_capacity;
	bool (*wants)(const struct walk *w, const struct ct_site *site);
	int (*take)(struct walk *w, uint32_t thread, const struct ct_site *site);
};

static uint32_t known_thread(const struct walk *w, uint32_t id)
{
	uint32_t at = ct_table_get(&w->s->model->thread_by_id, id);

	return at ? at - 1 : CT_NO;
}

static int walk_chunk(struct walk *w, struct ct_span payload)
{
	struct ct_events_decoder *d = &w->decoder;
	int error = ct_events_open(d, payload);
	bool any = false;

	if (error)
		return error == -EBADMSG ? 0 : error; /* it was counted before */
	if (!ct_columns_sound(d))
		return 0;
	w->s->events += d->count;
	bool *wanted = ct_grow(w->wanted, &w->wanted_capacity, (uint64_t)d->site_count + 1, sizeof(*wanted));

	if (!wanted)
		return -ENOMEM;
	w->wanted = wanted;
	for (uint32_t i = 0; i < d->site_count; i++)
		any |= wanted[i] = w->wants(w, &d->site[i]);
	if (!any)
		return 0;
	ct_events_cursor(d, &w->cursor);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = known_thread(w, d->batch[i].thread);

		w->cursor.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[i].events && !error && !ct_events_next(&w->cursor); k++)
			if (wanted[w->cursor.site] && thread != CT_NO)
				error = w->take(w, thread, &d->site[w->cursor.site]);
	}
	return error;
}

static int walk(struct walk *w, struct ct_reader *r, uint64_t from_ns)
{
	struct ct_span payload;
	struct ct_chunk c;
	int found = 0, error = 0;

	ct_reader_rewind(r);
	ct_reader_ahead(r, &(struct ct_want){ .kinds = CT_WANT(CT_CHUNK_EVENTS), .from_ns = from_ns, .to_ns = UINT64_MAX });
	while (!error && (found = ct_reader_next(r, &c)) > 0) {
		uint32_t process = ct_table_get(&w->s->model->process_by_id, c.header.process);

		if (c.header.kind != CT_CHUNK_EVENTS || c.header.last_ns < from_ns || !process)
			continue;
		w->process = process - 1;
		error = ct_reader_payload(r, &c, &payload);
		if (!error)
			error = walk_chunk(w, payload);
		else if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
	}
	ct_events_close(&w->decoder);
	free(w->wanted);
	return error ? error : found;
}

/* --- first: waits that were open --- */

static bool is_open(const struct walk *w, const struct ct_site *site)
{
	(void)w;
	return site->kind == CT_EVENT_INTERVAL && site->flags & CT_EV_OPEN;
}

static int take_open(struct walk *w, uint32_t thread, const struct ct_site *site)
{
	return put(w->s, thread, site, w->cursor.start_ns, w->cursor.end_ns);
}

/* --- then: what happened to their objects since --- */

static bool is_about(const struct walk *w, const struct ct_site *site)
{
	return (site->kind == CT_EVENT_HOLD || site->kind == CT_EVENT_WAKE) && site->object_kind == CT_OBJECT_ADDRESS &&
	       ct_stuck_for(w->s, w->process, site->object);
}

static int take_release(struct walk *w, uint32_t thread, const struct ct_site *site)
{
	const struct ct_thread_info *t = &w->s->model->thread[thread];
	uint64_t end_ns = w->cursor.end_ns;

	for (uint32_t i = ct_stuck_for(w->s, w->process, site->object); i; i = w->s->pending[i - 1].next) {
		struct ct_pending *p = &w->s->pending[i - 1];

		if (p->info.process != w->process || p->info.site.object != site->object || end_ns < p->start_ns)
			continue;
		if (site->kind == CT_EVENT_WAKE) {
			p->wakes++;
			if (end_ns >= p->last_wake_ns) {
				p->last_wake_ns = end_ns;
				p->waker = thread;
			}
		} else if (t->tid == p->info.site.owner) {
			p->stale = true;
		}
	}
	return 0;
}

static int index_objects(struct ct_stuck *s, uint64_t *ret_from_ns)
{
	*ret_from_ns = UINT64_MAX;
	for (uint32_t i = 0; i < s->pending_count; i++) {
		struct ct_pending *p = &s->pending[i];
		uint64_t key = object_key(p->info.process, p->info.site.object);

		if (p->info.site.object_kind != CT_OBJECT_ADDRESS)
			continue;
		/* Waits for other objects of the same hash may be among them. */
		p->next = ct_table_get(&s->by_object, key);
		if (ct_table_put(&s->by_object, key, i + 1))
			return -ENOMEM;
		if (p->start_ns < *ret_from_ns)
			*ret_from_ns = p->start_ns;
	}
	return 0;
}

int ct_stuck_waits(struct ct_stuck *s, struct ct_reader *r)
{
	struct walk open = { .s = s, .wants = is_open, .take = take_open };
	struct walk about = { .s = s, .wants = is_about, .take = take_release };
	uint64_t from_ns, events;
	int error = from_records(s);

	if (!error)
		error = walk(&open, r, 0);
	events = s->events;
	if (!error)
		error = index_objects(s, &from_ns);
	if (!error && from_ns != UINT64_MAX)
		error = walk(&about, r, from_ns);
	s->events = events;
	return error;
}

bool ct_stuck_maybe(const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->waiting_count; i++)
		if (m->waiting[i].site.call && !m->thread[m->waiting[i].thread].ended)
			return true;
	for (uint32_t i = 0; i < m->site_count; i++) {
		const struct ct_site *s = &m->site[i].site;

		if (s->kind == CT_EVENT_INTERVAL && s->flags & CT_EV_OPEN &&
		    (!strcmp(ct_model_category(m, s->cause), "contention") ||
		     !strcmp(ct_model_cause_name(m, s->cause), "join")))
			return true;
	}
	return false;
}
