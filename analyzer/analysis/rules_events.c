/* Checks of events. See rules.h. */
#include <errno.h>

#include "rules.h"
#include "columns.h"

static void check_site(struct ct_check *k, const struct ct_site *s, uint32_t process)
{
	if (s->kind == CT_EVENT_NONE)
		ct_violation(k, "a site has no kind");
	if (s->cause && !ct_table_get(&k->causes, s->cause))
		ct_violation(k, "events name cause %u, which is not defined before them", s->cause);
	if (s->call && !ct_table_get(&k->calls, s->call))
		ct_violation(k, "events name call %u, which is not defined before them", s->call);
	if (s->stack && !ct_table_get(&k->stacks, ct_pair(process, s->stack)))
		ct_violation(k, "events name stack %u, which is not defined before them in process %u", s->stack,
			     process);
	if (s->object_kind == CT_OBJECT_NAME && s->object && !ct_table_get(&k->names, s->object))
		ct_violation(k, "events name name %llu, which is not defined before them", (unsigned long long)s->object);
	if (s->object_kind == CT_OBJECT_FD && s->object &&
	    (s->object > UINT32_MAX || !ct_table_get(&k->descriptors, ct_pair(process, (uint32_t)s->object))))
		ct_violation(k, "events name descriptor %llu, which is not defined before them in process %u",
			     (unsigned long long)s->object, process);
}

struct bounds {
	uint64_t first_ns, last_ns;
};

static void check_batch(struct ct_check *k, struct ct_events_cursor *c, const struct ct_batch *batch,
			uint32_t process, struct bounds *b)
{
	uint32_t at = ct_table_get(&k->threads, batch->thread);
	struct ct_check_thread *t = at ? &k->thread[at - 1] : NULL;
	uint64_t disorder = 0, backward = 0, timeless = 0, last_ns = t ? t->last_end_ns : 0;
	/* Where the event that ended last began: a handler's that came between an
	 * interval's end and its record lies wholly behind that interval. */
	uint64_t last_start_ns = last_ns;

	if (!t)
		ct_violation(k, "events name thread %u, which is not defined before them", batch->thread);
	else if (t->process != process)
		ct_violation(k, "events of process %u name thread %u of process %u", process, t->id, t->process);
	c->end_ns = k->decoder.base_ns;
	for (uint32_t i = 0; i < batch->events && !ct_events_next(c); i++) {
		const struct ct_site *s = &k->decoder.site[c->site];

		backward += c->end_ns < c->start_ns;
		disorder += c->end_ns < last_ns && last_start_ns < c->end_ns && !(s->flags & CT_EV_NO_TIME);
		timeless += (s->flags & CT_EV_NO_TIME) && c->duration_ns;
		if (c->end_ns > last_ns) {
			last_ns = c->end_ns;
			last_start_ns = c->start_ns;
		}
		if (c->start_ns < b->first_ns)
			b->first_ns = c->start_ns;
		if (c->end_ns > b->last_ns)
			b->last_ns = c->end_ns;
	}
	if (backward)
		ct_violation(k, "%llu events of thread %u end before they begin", (unsigned long long)backward,
			     batch->thread);
	if (disorder)
		ct_violation(k, "%llu events of thread %u end before the one before them", (unsigned long long)disorder,
			     batch->thread);
	if (timeless)
		ct_violation(k, "%llu events of thread %u have a duration, but say that it is not known",
			     (unsigned long long)timeless, batch->thread);
	if (!t)
		return;
	t->last_end_ns = last_ns;
	if (t->end_ns && last_ns > t->end_ns)
		ct_violation(k, "thread %u has events %llu ns after its end", t->id,
			     (unsigned long long)(last_ns - t->end_ns));
}

int ct_check_events(struct ct_check *k, const struct ct_chunk *chunk, struct ct_span payload)
{
	struct ct_events_decoder *d = &k->decoder;
	struct ct_events_cursor c;
	struct bounds b = { UINT64_MAX, 0 };
	uint32_t process = chunk->header.process;
	int error = ct_events_open(d, payload);

	if (error == -ENOMEM)
		return error;
	if (error || !ct_columns_sound(d)) {
		ct_violation(k, "its events cannot be read");
		return 0;
	}
	if (!ct_table_get(&k->processes, process))
		ct_violation(k, "events name process %u, which is not defined before them", process);
	if (d->count != chunk->header.count)
		ct_violation(k, "the header says %u events, there are %u", chunk->header.count, d->count);
	for (uint32_t i = 0; i < d->site_count; i++)
		check_site(k, &d->site[i], process);
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count; i++)
		check_batch(k, &c, &d->batch[i], process, &b);
	if (d->count && (b.first_ns != chunk->header.first_ns || b.last_ns != chunk->header.last_ns))
		ct_violation(k, "first_ns or last_ns of its header is wrong");
	k->events += d->count;
	return 0;
}
