/* The inner loop. See model_events.h. */
#include "model_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "marks.h"
#include "model_join.h"

enum mode {
	SKIP,     /* not a wait, or not selected */
	WAIT,
	EXCLUDED, /* a wait at a site that is not selected: it is blocked time, but not shown */
	GAP,      /* nothing was recorded */
	RAN,      /* was in a call, but never left the CPU: no wait */
	NO_START, /* slices may tell for how long it waited */
	NO_TIME,
	HOLD,
	MARK,     /* a region begins or ends */
};

/* A site of the chunk, for the thread whose batch is read. */
struct ct_resolved {
	uint32_t site;
	uint32_t thread;  /* for which cell and mode are valid; CT_NO: none yet */
	uint32_t cell;
	enum mode mode;
	bool shown;       /* of waits: the options select the site */
	struct ct_histogram *times; /* of modes that need none any other one */
	/* Of a thread without slices, not yet in its cell or its sums: see flush. */
	uint64_t count, total_ns, max_ns, elapsed_ns;
};

void ct_event_pass_free(struct ct_event_pass *pass)
{
	ct_events_close(&pass->decoder);
	free(pass->resolved);
	free(pass->no_times);
	*pass = (struct ct_event_pass){ 0 };
}

static bool same_site(const struct ct_site *a, const struct ct_site *b)
{
	return a->object == b->object && a->stack == b->stack && a->call == b->call && a->owner == b->owner &&
	       a->aux == b->aux && a->kind == b->kind && a->cause == b->cause && a->flags == b->flags &&
	       a->object_kind == b->object_kind;
}

/* The model's site for one of a chunk, or CT_NO without memory. */
static uint32_t find_site(struct ct_model *m, uint32_t process, struct ct_site site)
{
	uint32_t at;

	site.flags &= CT_EV_NO_TIME | CT_EV_OPEN;
	uint64_t key = ct_mix(site.object ^ ct_mix(ct_pair(site.stack, process)));

	key = ct_mix(key ^ ct_pair(site.owner, site.call) ^ (uint64_t)site.cause << 56 ^
		     (uint64_t)site.flags << 48 ^ (uint64_t)site.kind << 24 ^ site.aux);
	for (; (at = ct_table_get(&m->site_by_hash, key)); key++) {
		const struct ct_site_info *s = &m->site[at - 1];

		if (s->process == process && same_site(&s->site, &site))
			return at - 1;
	}
	struct ct_site_info *s = CT_APPEND(m, site);

	if (!s || ct_table_put(&m->site_by_hash, key, m->site_count))
		return CT_NO;
	*s = (struct ct_site_info){ process, site };
	return m->site_count - 1;
}

static uint32_t find_cell(struct ct_model *m, uint32_t thread, uint32_t site, uint32_t region)
{
	uint64_t key = ct_pair(thread, site);
	uint32_t at;

	if (region != CT_NO)
		key = ct_mix(key ^ ct_mix(region + 1ull));
	for (; (at = ct_table_get(&m->cell_by_pair, key)); key++) {
		const struct ct_cell *c = &m->cell[at - 1];

		if (c->thread == thread && c->site == site && c->region == region)
			return at - 1;
	}
	struct ct_cell *c = CT_APPEND(m, cell);

	if (!c || ct_table_put(&m->cell_by_pair, key, m->cell_count))
		return CT_NO;
	c->thread = thread;
	c->site = site;
	c->region = region;
	return m->cell_count - 1;
}

/* The cell for a wait that ends now. */
static inline struct ct_cell *cell_of(struct ct_model *m, const struct ct_resolved *r, uint32_t thread)
{
	uint32_t region = __builtin_expect(!m->marks, 1) ? CT_NO : ct_marks_innermost(m->marks, thread);
	uint32_t cell = region == CT_NO ? CT_NO : find_cell(m, thread, r->site, region);

	return &m->cell[cell == CT_NO ? r->cell : cell];
}

/* Holds are wanted whoever is selected: they say who kept the waiters waiting. */
static enum mode mode_of(const struct ct_model *m, uint32_t thread, const struct ct_site *s, bool shown)
{
	const struct ct_thread_info *t = &m->thread[thread];

	if (s->kind == CT_EVENT_HOLD)
		return HOLD;
	if (ct_is_mark(s))
		return MARK;
	if (s->kind == CT_EVENT_INTERVAL && t->selected && m->cause[s->cause].is_gap)
		return GAP;
	if (s->kind != CT_EVENT_INTERVAL || !t->selected || !m->cause[s->cause].is_wait)
		return SKIP;
	if ((s->flags & CT_EV_NO_TIME) == CT_EV_NO_START && ct_states_of(m, thread))
		return NO_START;
	if (s->flags & CT_EV_NO_TIME)
		return shown && !m->options->min_ns ? NO_TIME : SKIP;
	if (m->process[t->process].off_cpu_known && !(s->flags & (CT_EV_OFF_CPU | CT_EV_OPEN)))
		return RAN;
	return shown ? WAIT : EXCLUDED;
}

/* What its events were is in the model from now on. */
static void flush(struct ct_model *m, struct ct_resolved *r)
{
	struct ct_cell *cell;

	if (!r->count)
		return;
	switch (r->mode) {
	case EXCLUDED:
		m->thread[r->thread].excluded_ns += r->total_ns;
		break;
	case GAP:
		m->thread[r->thread].unrecorded_ns += r->total_ns;
		break;
	case RAN:
		m->thread[r->thread].in_call_ns += r->total_ns;
		break;
	case SKIP:
		break;
	default:
		cell = &m->cell[r->cell];
		cell->count += r->count;
		if (r->mode == NO_START || r->mode == NO_TIME) {
			cell->unknown += r->count;
			break;
		}
		cell->total_ns += r->total_ns;
		cell->max_ns = r->max_ns > cell->max_ns ? r->max_ns : cell->max_ns;
		cell->elapsed_ns += r->mode == WAIT ? r->elapsed_ns : 0;
	}
	r->count = r->total_ns = r->max_ns = r->elapsed_ns = 0;
}

/* Fills in r for a thread. 0 or -ENOMEM. */
static int resolve(struct ct_model *m, struct ct_event_pass *pass, struct ct_resolved *r, const struct ct_site *s,
		   uint32_t process, uint32_t thread)
{
	flush(m, r);
	int shown = s->kind == CT_EVENT_INTERVAL && m->thread[thread].selected ? ct_model_selects(m, process, s) : 0;

	if (shown < 0)
		return shown;
	r->thread = thread;
	r->shown = shown;
	r->mode = mode_of(m, thread, s, shown);
	r->times = pass->no_times;
	if (r->mode == SKIP || r->mode == EXCLUDED || r->mode == RAN || r->mode == GAP || r->mode == MARK)
		return 0;
	if (r->site == CT_NO)
		r->site = find_site(m, process, *s);
	r->cell = r->site == CT_NO ? CT_NO : find_cell(m, thread, r->site, CT_NO);
	if (r->mode == WAIT || r->mode == NO_START) {
		struct ct_cause_info *cause = &m->cause[s->cause];

		if (!cause->times)
			cause->times = calloc(1, sizeof(*cause->times));
		r->times = cause->times;
	}
	return r->cell == CT_NO || ((r->mode == WAIT || r->mode == NO_START) && !r->times) ? -ENOMEM : 0;
}

static void add(struct ct_cell *cell, uint64_t ns)
{
	cell->count++;
	cell->total_ns += ns;
	if (ns > cell->max_ns)
		cell->max_ns = ns;
}

/* An event that is not clipped away: start and end in the window. */
static inline void take(struct ct_model *m, const struct ct_resolved *r, struct ct_thread_info *t,
			uint64_t start_ns, uint64_t end_ns, uint64_t min_ns)
{
	struct ct_cell *cell;
	uint64_t own_ns;

	switch (r->mode) {
	case WAIT:
		own_ns = ct_nesting_add(&t->nesting, start_ns, end_ns);
		if (own_ns < min_ns) {
			t->excluded_ns += own_ns;
			break;
		}
		cell = cell_of(m, r, (uint32_t)(t - m->thread));
		add(cell, own_ns);
		cell->elapsed_ns += end_ns - start_ns;
		ct_histogram_add(r->times, own_ns);
		if (__builtin_expect(m->marks != NULL, 0))
			ct_marks_wait(m->marks, m->cell[r->cell].thread, m->site[r->site].site.cause, own_ns);
		break;
	case EXCLUDED:
		t->excluded_ns += ct_nesting_add(&t->nesting, start_ns, end_ns);
		break;
	case GAP:
		t->unrecorded_ns += ct_nesting_add(&t->nesting, start_ns, end_ns);
		break;
	case RAN:
		t->in_call_ns += ct_nesting_add(&t->nesting, start_ns, end_ns);
		break;
	case HOLD:
		add(&m->cell[r->cell], end_ns - start_ns);
		break;
	case NO_START:
	case NO_TIME:
		m->cell[r->cell].count++;
		m->cell[r->cell].unknown++;
		break;
	case SKIP:
	case MARK:
		break;
	}
}

/* The same, but into r, and without a limit. Which of them an event is cannot be foreseen:
 * there is one way for all. */
static inline void take_plain(struct ct_resolved *r, struct ct_thread_info *t, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t ns = end_ns - start_ns;

	if (r->mode == SKIP)
		return;
	r->elapsed_ns += ns;
	if (r->mode <= RAN)
		ns = ct_nesting_add(&t->nesting, start_ns, end_ns);
	r->count++;
	r->total_ns += ns;
	r->max_ns = ns > r->max_ns ? ns : r->max_ns;
	ct_histogram_add(r->times, ns);
}

static void add_joined(struct ct_model *m, const struct ct_resolved *r, uint32_t thread, const struct ct_joined *j)
{
	struct ct_cell *cell = cell_of(m, r, thread);

	add(cell, j->own_ns);
	cell->elapsed_ns += j->elapsed_ns;
	if (j->ready_ns) {
		cell->delays++;
		cell->delay_ns += j->ready_ns;
		if (j->ready_ns > cell->max_delay_ns)
			cell->max_delay_ns = j->ready_ns;
	}
	ct_histogram_add(r->times, j->own_ns);
	if (__builtin_expect(m->marks != NULL, 0))
		ct_marks_wait(m->marks, thread, m->site[r->site].site.cause, j->own_ns);
	m->states[thread].waits++;
}

/* The same for a thread whose slices are known. A call that was only preempted is
 * no wait. 0 or -ENOMEM. */
static int take_joined(struct ct_model *m, const struct ct_resolved *r, uint32_t thread, const struct ct_site *s,
		       uint64_t start_ns, uint64_t end_ns)
{
	const uint64_t min_ns = m->options->min_ns;
	struct ct_thread_info *t = &m->thread[thread];
	struct ct_joined j;
	int found;

	switch (r->mode) {
	case RAN:
		return ct_join_ran(m, thread, start_ns, end_ns);
	case WAIT:
	case EXCLUDED:
		if (ct_join(m, thread, start_ns, end_ns, s->flags & CT_EV_OFF_CPU && !(s->flags & CT_EV_OPEN), &j))
			return -ENOMEM;
		if (r->mode == EXCLUDED || j.own_ns < min_ns)
			t->excluded_ns += j.own_ns;
		else if (j.wait || s->flags & CT_EV_OPEN)
			add_joined(m, r, thread, &j);
		return 0;
	case GAP:
		if (ct_join(m, thread, start_ns, end_ns, false, &j))
			return -ENOMEM;
		t->unrecorded_ns += j.own_ns;
		return 0;
	case NO_START:
		found = ct_join_end(m, thread, end_ns, &j);
		if (found <= 0) {
			if (!found && !min_ns && r->shown)
				take(m, r, t, start_ns, end_ns, min_ns);
			return found;
		}
		if (!r->shown || j.own_ns < min_ns)
			t->excluded_ns += j.own_ns;
		else if (j.wait)
			add_joined(m, r, thread, &j);
		return 0;
	case HOLD:
	case NO_TIME:
	case SKIP:
	case MARK:
		take(m, r, t, start_ns, end_ns, min_ns);
		if (end_ns > m->states[thread].last_event_ns)
			m->states[thread].last_event_ns = end_ns;
	}
	return 0;
}

/* 0 or -ENOMEM. */
static __attribute__((noinline)) int take_mark(struct ct_model *m, const struct ct_site *s, uint32_t thread, uint64_t ns)
{
	if (!m->marks)
		m->marks = ct_marks_open(m, true);
	return m->marks ? ct_marks_event(m->marks, m, thread, s, ns) : -ENOMEM;
}

/* What an event outside of the regions that are asked for counts as. */
static enum mode not_inside(enum mode mode)
{
	return mode == WAIT ? EXCLUDED : mode == NO_TIME ? SKIP : mode;
}

/* What of a batch is left of its model: see ct_thread_info. */
struct span {
	uint64_t first_ns, last_ns; /* of all of its events, or of a window of those in it */
	uint32_t outside;           /* of the window */
};

/* An event that makes no sense, or of which a window has a part at most. False: it counts no more. */
static bool clip(struct ct_model *m, struct span *in, uint64_t *start_ns, uint64_t *end_ns)
{
	const uint64_t from_ns = m->from_ns, to_ns = m->to_ns;

	if (*end_ns < *start_ns || *start_ns > INT64_MAX) {
		m->bad_events++;
		return false;
	}
	if (!m->clip)
		return true;
	if (*end_ns < from_ns || *start_ns >= to_ns || (*end_ns == from_ns && *start_ns < *end_ns)) {
		in->outside++;
		return false;
	}
	in->first_ns = *start_ns < in->first_ns ? *start_ns : in->first_ns;
	in->last_ns = *end_ns > in->last_ns ? *end_ns : in->last_ns;
	*start_ns = *start_ns < from_ns ? from_ns : *start_ns;
	*end_ns = *end_ns > to_ns ? to_ns : *end_ns;
	return true;
}

/* Of a chunk with marks, or behind one: what a region's begin and end are, and what is in it. */
static __attribute__((noinline)) int take_marked(struct ct_model *m, struct ct_event_pass *pass,
						 const struct ct_event_block *b, uint32_t n, uint32_t process,
						 uint32_t thread, struct span *in)
{
	const uint64_t min_ns = m->options->min_ns;
	struct ct_thread_info *t = &m->thread[thread];
	const bool joined = t->selected && ct_states_of(m, thread), choose = ct_marks_select(m);

	for (uint32_t i = 0; i < n; i++) {
		const struct ct_site *s = &pass->decoder.site[b->site[i]];
		struct ct_resolved *r = &pass->resolved[b->site[i]], excluded;
		uint64_t start_ns = b->start_ns[i], end_ns = b->end_ns[i];

		/* Also outside of a window: regions reach into it. */
		if (ct_is_mark(s) && start_ns <= end_ns && start_ns <= INT64_MAX && take_mark(m, s, thread, start_ns))
			return -ENOMEM;
		if (!clip(m, in, &start_ns, &end_ns))
			continue;
		if (r->thread != thread && resolve(m, pass, r, s, process, thread))
			return -ENOMEM;
		if (choose && !ct_marks_inside(m->marks, m, thread)) {
			excluded = *r;
			excluded.mode = not_inside(r->mode);
			excluded.shown = false;
			r = &excluded;
		}
		if (!joined)
			take(m, r, t, start_ns, end_ns, min_ns);
		else if (take_joined(m, r, thread, s, start_ns, end_ns))
			return -ENOMEM;
	}
	return 0;
}

static int take_block(struct ct_model *m, struct ct_event_pass *pass, const struct ct_event_block *b, uint32_t n,
		      uint32_t process, uint32_t thread, struct span *in)
{
	const uint64_t min_ns = m->options->min_ns;
	struct ct_thread_info *t = &m->thread[thread];
	const bool joined = t->selected && ct_states_of(m, thread), clipped = m->clip || b->odd;

	if (__builtin_expect(pass->marked, 0))
		return take_marked(m, pass, b, n, process, thread, in);
	for (uint32_t i = 0; i < n; i++) {
		struct ct_resolved *r = &pass->resolved[b->site[i]];
		uint64_t start_ns = b->start_ns[i], end_ns = b->end_ns[i];

		if (clipped && !clip(m, in, &start_ns, &end_ns))
			continue;
		if (__builtin_expect(r->thread != thread, 0) &&
		    resolve(m, pass, r, &pass->decoder.site[b->site[i]], process, thread))
			return -ENOMEM;
		if (!joined && !min_ns)
			take_plain(r, t, start_ns, end_ns);
		else if (!joined)
			take(m, r, t, start_ns, end_ns, min_ns);
		else if (take_joined(m, r, thread, &pass->decoder.site[b->site[i]], start_ns, end_ns))
			return -ENOMEM;
	}
	return 0;
}

static int read_batch(struct ct_model *m, struct ct_event_pass *pass, struct ct_columns *columns,
		      uint32_t events, uint32_t process, uint32_t thread)
{
	struct ct_thread_info *t = &m->thread[thread];
	struct span all = { UINT64_MAX, 0, 0 }, in = all;
	struct ct_event_block block;

	columns->end_ns = pass->decoder.base_ns;
	for (uint32_t n, left = events; left; left -= n) {
		n = left < CT_BLOCK_MAX ? left : CT_BLOCK_MAX;
		ct_event_block(columns, n, &block);
		all.first_ns = block.first_ns < all.first_ns ? block.first_ns : all.first_ns;
		all.last_ns = block.last_ns > all.last_ns ? block.last_ns : all.last_ns;
		if (take_block(m, pass, &block, n, process, thread, &in))
			return -ENOMEM;
	}
	if (all.first_ns < pass->first_ns)
		pass->first_ns = all.first_ns;
	if (all.last_ns > pass->last_ns)
		pass->last_ns = all.last_ns;
	/* Of a window only what is in it: whether chunks outside are read makes no difference. */
	if (!m->clip)
		in = all;
	if (in.first_ns < t->first_ns)
		t->first_ns = in.first_ns;
	if (in.last_ns > t->last_ns)
		t->last_ns = in.last_ns;
	t->events += events - in.outside;
	return 0;
}

int ct_model_events(struct ct_model *m, struct ct_event_pass *pass, struct ct_span payload, uint32_t process,
		    const struct ct_chunk_header *header)
{
	struct ct_events_decoder *d = &pass->decoder;
	struct ct_columns columns;
	int error = ct_events_open(d, payload);

	if (error)
		return error;
	if (!pass->sound && !ct_columns_sound(d))
		return -EBADMSG;
	struct ct_resolved *resolved =
		ct_grow(pass->resolved, &pass->resolved_capacity, d->site_count, sizeof(*resolved));

	if (!resolved)
		return -ENOMEM;
	pass->resolved = resolved;
	pass->marked = m->marks || ct_marks_select(m);
	for (uint32_t i = 0; i < d->site_count; i++) {
		resolved[i] = (struct ct_resolved){ .site = CT_NO, .thread = CT_NO };
		pass->marked |= ct_is_mark(&d->site[i]);
	}
	if (!pass->no_times)
		pass->no_times = calloc(1, sizeof(*pass->no_times));
	if (!pass->no_times)
		return -ENOMEM;
	pass->first_ns = UINT64_MAX;
	pass->last_ns = 0;
	ct_columns_begin(&columns, d);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_model_thread(m, d->batch[i].thread, process);

		error = thread == CT_NO ? -ENOMEM :
			read_batch(m, pass, &columns, d->batch[i].events, process, thread);
	}
	for (uint32_t i = 0; i < d->site_count; i++)
		flush(m, &resolved[i]);
	if (error)
		return error;
	m->events += d->count;
	bool right = d->count == header->count &&
		     (!d->count || (pass->first_ns == header->first_ns && pass->last_ns == header->last_ns));

	return right ? 0 : -EBADMSG;
}
