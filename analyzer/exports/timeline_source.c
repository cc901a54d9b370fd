/* See timeline_source.h. */
#include "timeline_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_join.h"
#include "model_parts.h"
#include "objects.h"

#define BEGINS 8u

struct ct_source_begins {
	uint64_t ns[BEGINS]; /* of the last waits */
	uint32_t next;
};

static int open_rest(struct ct_timeline_source *s)
{
	struct ct_context *c = s->context;
	int error = 0;

	if (!error && s->m.slices) {
		s->m.wakes = !strcmp(ct_model_meta(&s->m, "wakes"), "sched_waking");
		error = ct_slices_open(&s->slices, &s->m, &c->reader);
	}
	if (!error)
		error = ct_symbols_open(&s->symbols, &s->m);
	if (!error)
		error = ct_callstacks_open(&s->callstacks, &s->m);
	if (!error) {
		s->begins = calloc(s->m.thread_count + 1u, sizeof(*s->begins));
		error = s->begins ? 0 : -ENOMEM;
	}
	return error;
}

int ct_source_open(struct ct_timeline_source *s, struct ct_context *c)
{
	*s = (struct ct_timeline_source){ .context = c, .slices.reader.fd = -1 };
	int error = ct_command_usage(c, &s->m, ct_model_load_records(&s->m, &c->reader, c->options));

	return error ? error : open_rest(s);
}

int ct_source_open_part(struct ct_timeline_source *s, struct ct_context *c, const struct ct_model *m)
{
	*s = (struct ct_timeline_source){ .context = c, .slices.reader.fd = -1 };
	int error = ct_command_usage(c, &s->m, ct_model_part(&s->m, m, c->options));

	return error ? error : open_rest(s);
}

void ct_source_close(struct ct_timeline_source *s)
{
	for (uint32_t i = 0; i < s->object_count; i++)
		free(s->object[i]);
	free(s->object);
	free(s->begins);
	ct_callstacks_close(&s->callstacks);
	if (s->symbols.model)
		ct_symbols_close(&s->symbols);
	ct_wakes_close(&s->wakes);
	ct_slices_close(&s->slices);
	ct_model_free(&s->m);
}

/* --- the window --- */

void ct_source_life(const struct ct_timeline_source *s, uint32_t thread, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	const struct ct_model *m = &s->m;
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_process_info *p = &m->process[t->process];
	uint64_t from_ns = t->started ? t->start_ns : m->start_ns;
	uint64_t to_ns = t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns;

	*ret_from_ns = from_ns > m->from_ns ? from_ns : m->from_ns;
	*ret_to_ns = to_ns < m->to_ns ? to_ns : m->to_ns;
}

bool ct_source_shows(const struct ct_timeline_source *s, uint32_t thread)
{
	uint64_t from_ns, to_ns;

	if (thread >= s->m.thread_count || !s->m.thread[thread].selected)
		return false;
	ct_source_life(s, thread, &from_ns, &to_ns);
	return !s->m.window || from_ns < to_ns;
}

/* --- waits --- */

/* For how long the wait blocked its thread, as model_events.c counts it, and whether
 * it did, and long enough. 0 or -ENOMEM. */
static int measure(struct ct_timeline_source *s, struct ct_interval *i, bool no_start, bool *ret_is_wait)
{
	struct ct_thread_info *t = &s->m.thread[i->thread];
	struct ct_joined j = { .wait = true };
	int found = 0;

	if (!ct_states_of(&s->m, i->thread))
		j.own_ns = no_start ? 0 : ct_nesting_add(&t->nesting, i->start_ns, i->end_ns);
	else if (no_start)
		found = ct_join_end(&s->m, i->thread, i->end_ns, &j);
	else
		found = ct_join(&s->m, i->thread, i->start_ns, i->end_ns, false, &j);
	if (found < 0)
		return found;
	/* What the slices say may be about the wait before it. */
	if (no_start && !found)
		j = (struct ct_joined){ .wait = false };
	else if (no_start)
		i->start_ns = i->end_ns - j.elapsed_ns;
	i->blocked_ns = j.own_ns;
	i->ready_ns = j.ready_ns;
	*ret_is_wait = (j.wait || (i->ended == CT_ENDED_NOT && !no_start)) && j.own_ns >= s->m.options->min_ns;
	return 0;
}

/* Nested waits come first. */
static uint64_t begin_of(struct ct_timeline_source *s, const struct ct_interval *i)
{
	struct ct_source_begins *b = &s->begins[i->thread];
	uint64_t ns = i->start_ns;

	for (uint32_t k = 1; k <= BEGINS && ns; k++)
		if (b->ns[(b->next - k) % BEGINS] == ns)
			ns--;
	b->ns[b->next++ % BEGINS] = ns;
	return ns;
}

static int take_wait(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
		     uint32_t count)
{
	struct ct_timeline_source *s = self;
	struct ct_model *m = &s->m;
	struct ct_interval i = {
		.start_ns = wait->start_ns, .end_ns = wait->end_ns, .release_ns = wait->release_ns,
		.result = wait->result, .thread = wait->thread, .site = wait->site, .waker = wait->waker,
		.waker_stack = wait->waker_stack, .owner = wait->owner, .ended = wait->ended,
	};
	bool is_wait;

	(void)shares;
	(void)count;
	if (!m->thread[i.thread].selected)
		return 0;
	int error = m->states ? ct_slices_until(&s->slices, m, &s->context->reader, i.end_ns) : 0;

	if (error)
		return error;
	if (m->clip) {
		if (i.end_ns < m->from_ns || i.start_ns >= m->to_ns || (i.end_ns == m->from_ns && i.start_ns < i.end_ns))
			return 0;
		i.cut_begin = i.start_ns < m->from_ns;
		i.cut_end = i.end_ns > m->to_ns;
		i.start_ns = i.cut_begin ? m->from_ns : i.start_ns;
		i.end_ns = i.cut_end ? m->to_ns : i.end_ns;
		/* Who ended it did so later. */
		if (i.cut_end) {
			i.waker = i.waker_stack = CT_NO;
			i.release_ns = i.end_ns;
		}
	}
	error = measure(s, &i, wait->no_start, &is_wait);
	if (error || !is_wait || !wait->inside)
		return error;
	error = ct_model_selects(m, w->site[i.site].process, &w->site[i.site].site);
	if (error <= 0)
		return error;
	if (i.release_ns < i.start_ns)
		i.release_ns = i.start_ns;
	i.begin_ns = begin_of(s, &i);
	return s->wait(s->self, &i);
}

int ct_source_waits(struct ct_timeline_source *s, int (*wait)(void *self, const struct ct_interval *wait), void *self)
{
	s->wait = wait;
	s->self = self;
	int error = ct_wakes_read(&s->wakes, &s->m, &s->context->reader, false, take_wait, s);

	return error > 0 ? 0 : error;
}

/* --- slices --- */

struct slice_walk {
	struct ct_timeline_source *s;
	struct ct_switches_decoder decoder;
	int (*slice)(void *self, const struct ct_turn_on_cpu *turn);
	int (*gap)(void *self, const struct ct_gap *gap);
	void *self;
};

/* A main thread's slices before it was its process's are those of the program before
 * exec. Of other threads the first slice says when they began. */
static uint64_t begin_of_slices(const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];

	if (!t->started || t->tid != m->process[t->process].pid || t->start_ns < m->from_ns)
		return m->from_ns;
	return t->start_ns;
}

static int take_slice(struct slice_walk *k, const struct ct_slice *s)
{
	const struct ct_model *m = &k->s->m;
	const struct ct_switches_task *task = k->decoder.task;
	struct ct_turn_on_cpu t = { .start_ns = s->start_ns, .end_ns = s->end_ns, .cpu = s->cpu,
				    .end = (uint8_t)s->end, .flags = (uint8_t)s->flags };

	bool woken = s->flags & CT_SL_WOKEN && s->woken_ns <= s->start_ns;

	if (s->end_ns < s->start_ns || s->end_ns > INT64_MAX || s->end_ns <= m->from_ns ||
	    (woken ? s->woken_ns : s->start_ns) >= m->to_ns)
		return 0;
	t.thread = ct_wakes_tid(&k->s->wakes, task[s->task].tid, s->start_ns);
	if (t.thread == CT_NO || !m->thread[t.thread].selected)
		return 0;
	uint64_t from_ns = begin_of_slices(m, t.thread);

	if (s->end_ns <= from_ns)
		return 0;
	if (woken && s->start_ns > from_ns) {
		t.woken_ns = s->woken_ns < from_ns ? from_ns : s->woken_ns;
		t.waker_tid = task[s->waker].tid;
	}
	if (t.start_ns < from_ns)
		t.start_ns = from_ns;
	if (t.start_ns > m->to_ns)
		t.start_ns = m->to_ns;
	if (t.end_ns > m->to_ns) {
		t.end_ns = m->to_ns;
		t.end = CT_SLICE_CONTINUED;
	}
	return k->slice(k->self, &t);
}

static int take_slices(struct slice_walk *k, struct ct_span payload)
{
	const struct ct_model *m = &k->s->m;
	struct ct_switches_decoder *d = &k->decoder;
	struct ct_slice slice;
	int error = ct_switches_open(d, payload);

	for (uint32_t i = 0; !error && k->gap && i < d->gap_count; i++)
		if (d->gap[i].to_ns > m->from_ns && d->gap[i].from_ns < m->to_ns && d->gap[i].from_ns <= d->gap[i].to_ns)
			error = k->gap(k->self, &d->gap[i]);
	while (!error && ct_switches_next(d, &slice) > 0)
		error = take_slice(k, &slice);
	return error;
}

int ct_source_slices(struct ct_timeline_source *s, int (*slice)(void *self, const struct ct_turn_on_cpu *turn),
		     int (*gap)(void *self, const struct ct_gap *gap), void *self)
{
	struct slice_walk k = { .s = s, .slice = slice, .gap = gap, .self = self };
	struct ct_reader r; /* of its own: damage has been counted */
	struct ct_chunk c;
	struct ct_span payload;
	int found = 0, error = ct_reader_dup(&r, &s->context->reader);

	if (error)
		return error;
	while (!error && (found = ct_reader_next(&r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_SWITCHES || c.header.last_ns < s->m.from_ns || c.header.first_ns > s->m.to_ns)
			continue;
		error = ct_reader_payload(&r, &c, &payload);
		if (!error)
			error = take_slices(&k, payload);
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
	}
	ct_switches_close(&k.decoder);
	ct_reader_close(&r);
	return error > 0 ? 0 : error ? error : found;
}

/* --- what was not recorded --- */

struct blank_walk {
	const struct ct_model *m;
	int (*take)(void *self, const struct ct_blank *blank);
	void *self;
};

static int clip_blank(void *self, const struct ct_blank *blank)
{
	struct blank_walk *k = self;
	const struct ct_model *m = k->m;
	struct ct_blank b = *blank;

	if (!(b.thread == CT_NO ? m->process[b.process].selected : m->thread[b.thread].selected))
		return 0;
	b.start_ns = b.start_ns < m->from_ns ? m->from_ns : b.start_ns;
	b.end_ns = b.end_ns > m->to_ns ? m->to_ns : b.end_ns;
	return b.end_ns > b.start_ns ? k->take(k->self, &b) : 0;
}

int ct_source_blanks(struct ct_timeline_source *s, int (*take)(void *self, const struct ct_blank *blank), void *self)
{
	struct blank_walk k = { &s->m, take, self };
	struct ct_blanks b = { .take = clip_blank, .self = &k };

	return ct_blanks_matter(&s->m, &s->context->reader) ? ct_blanks_read(&b, &s->m, &s->context->reader) : 0;
}

/* --- texts --- */

const char *ct_source_object(struct ct_timeline_source *s, uint32_t site)
{
	while (s->object_count <= site)
		if (!CT_APPEND(s, object))
			return NULL;
	if (!s->object[site])
		s->object[site] = ct_object_label(&s->symbols, &s->m, &s->wakes.site[site]);
	return s->object[site];
}

int ct_source_callstack(struct ct_timeline_source *s, uint32_t site, uint32_t *ret)
{
	const struct ct_site_info *info = &s->wakes.site[site];
	uint32_t stack = info->site.stack ? ct_model_stack(&s->m, info->process, info->site.stack) : CT_NO;

	return ct_callstack_of(&s->callstacks, stack, ret);
}

char *ct_source_name(struct ct_timeline_source *s, uint32_t site)
{
	const struct ct_site *info = &s->wakes.site[site].site;
	const char *call = ct_model_call_name(&s->m, info->call), *object = ct_source_object(s, site);
	char *name;

	if (!object)
		return NULL;
	if (!call || !*call)
		call = ct_model_cause_name(&s->m, info->cause);
	if (asprintf(&name, "%s%s%s", call, *object ? " " : "", object) < 0)
		return NULL;
	return name;
}
