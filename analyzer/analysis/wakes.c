/* Reads what is needed to say who ended each wait. See wakes.h. */
#include "marks.h"
#include "wakes.h"
#include "wakes_together.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A batch of events is written when it is a second old; later where there are
 * many processes, up to 15 s. */
#define BEHIND_NS     2500000000ull
#define BEHIND_MAX_NS 16000000000ull
#define ENDERS_HELD   262144u
#define ENDERS_MOST   8000000u
/* With a window: how far from it what matters in it may be. */
#define NEAR_NS       60000000000ull
/* What is kept of a file is bounded by what it holds: events that all are alike compress to
 * next to nothing. Those of real traces take more than two bytes. */
#define KEPT_FEW  2000000ull
#define KEPT_MANY 4u /* for each of the file's bytes */
#define KEEP_NS       1000000000ull
/* A thread that came back from a wait soon leaves the call. */
#define AFTER_NS      1000000u

/* --- sites and objects --- */

static uint32_t find_site(struct ct_wakes *w, uint32_t process, struct ct_site site)
{
	uint32_t at;

	site.flags = 0;
	site.owner = 0;
	uint64_t key = ct_mix(site.object ^ ct_mix(ct_pair(site.stack, process)));

	key = ct_mix(key ^ site.call ^ (uint64_t)site.cause << 56 ^ (uint64_t)site.object_kind << 48 ^ site.aux);
	for (; (at = ct_table_get(&w->site_by_hash, key)); key++) {
		const struct ct_site_info *s = &w->site[at - 1];

		if (s->process == process && s->site.object == site.object && s->site.stack == site.stack &&
		    s->site.call == site.call && s->site.cause == site.cause && s->site.aux == site.aux &&
		    s->site.object_kind == site.object_kind)
			return at - 1;
	}
	struct ct_site_info *s = CT_APPEND(w, site);

	if (!s || ct_table_put(&w->site_by_hash, key, w->site_count))
		return CT_NO;
	*s = (struct ct_site_info){ process, site };
	return w->site_count - 1;
}

static uint32_t find_object(const struct ct_wakes *w, uint32_t process, uint64_t address, uint64_t *ret_key)
{
	uint64_t key = ct_mix(address ^ ct_mix(process + 1ull));
	uint32_t at;

	for (; (at = ct_table_get(&w->object_by_hash, key)); key++)
		if (w->object[at - 1].process == process && w->object[at - 1].address == address)
			return at - 1;
	*ret_key = key;
	return CT_NO;
}

const struct ct_wait_object *ct_wakes_object(const struct ct_wakes *w, uint32_t process, uint64_t address)
{
	uint64_t key;
	uint32_t at = find_object(w, process, address, &key);

	return at == CT_NO ? NULL : &w->object[at];
}

static uint32_t make_object(struct ct_wakes *w, uint32_t process, uint64_t address)
{
	uint64_t key;
	uint32_t at = find_object(w, process, address, &key);

	if (at != CT_NO)
		return at;
	struct ct_wait_object *o = CT_APPEND(w, object);

	if (!o || ct_table_put(&w->object_by_hash, key, w->object_count))
		return CT_NO;
	o->process = process;
	o->address = address;
	o->first_stack = CT_NO;
	at = ct_table_get(&w->object_by_address, address);
	o->next = at ? at - 1 : CT_NO;
	if (ct_table_put(&w->object_by_address, address, w->object_count))
		return CT_NO;
	return w->object_count - 1;
}

static int add_ender(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread,
		     uint64_t start_ns, uint64_t end_ns)
{
	if (s->kind == CT_EVENT_WAKE && s->object_kind == CT_OBJECT_FD)
		return ct_wakes_take_written(w, process, s, thread, start_ns, end_ns);
	if (s->kind == CT_EVENT_WAKE && w->signals[s->cause])
		return ct_wakes_take_sent(w, process, s, thread, start_ns, end_ns);
	uint32_t at = make_object(w, process, s->object);

	if (at == CT_NO)
		return -ENOMEM;
	struct ct_wait_object *o = &w->object[at];
	struct ct_ender *e = CT_APPEND(o, ender);
	bool hold = s->kind == CT_EVENT_HOLD;

	if (!e)
		return -ENOMEM;
	*e = (struct ct_ender){ hold ? end_ns : start_ns, hold ? start_ns : end_ns, thread,
				s->stack ? ct_model_stack(w->m, process, s->stack) : CT_NO, at, s->kind, s->flags };
	w->enders++;
	return 0;
}

/* --- events --- */

/* A wait of which only the end is known: it began when the thread last lost the CPU. */
static bool find_start(const struct ct_wakes *w, uint32_t thread, uint64_t *start_ns, uint64_t end_ns)
{
	const struct ct_run *run = ct_run_slept(w, thread, end_ns > 60000000000 ? end_ns - 60000000000 : 0, end_ns);

	if (!run || !run->slept_ns || run->start_ns + AFTER_NS < end_ns)
		return false;
	*start_ns = run->slept_ns;
	return true;
}

static int add_wait(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t *site, uint32_t thread,
		    uint64_t start_ns, uint64_t end_ns, int64_t result)
{
	if (*site == CT_NO)
		*site = find_site(w, process, *s);
	if (*site == CT_NO)
		return -ENOMEM;
	struct ct_wait *wait = CT_APPEND(w, wait);

	if (!wait)
		return -ENOMEM;
	*wait = (struct ct_wait){ start_ns, end_ns, end_ns, thread, *site, CT_NO, CT_NO, .timed_out = result == -ETIMEDOUT,
				  .left = 1, .owner = s->owner, .result = result, .via = CT_NO };
	wait->found = ct_wakes_found(w, s->call, result) & 3;
	wait->inside = ct_marks_inside(w->marks, w->m, thread);
	if (s->flags & CT_EV_OPEN)
		wait->ended = CT_ENDED_NOT;
	if (w->signals[s->cause] && result == -EAGAIN)
		wait->timed_out = 1;
	if (!w->polls[s->cause])
		return 0;
	/* A poll that found nothing. */
	if (!result)
		wait->timed_out = 1;
	w->runs[thread].polled = result > 0 ? w->wait_count : 0;
	return 0;
}

/* The first descriptor that a thread uses after a poll is what the poll found. */
static void take_found(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread, int64_t result)
{
	uint32_t *polled = &w->runs[thread].polled, at;

	if (!*polled || s->object_kind != CT_OBJECT_FD || result < 0 || w->polls[s->cause])
		return;
	at = ct_model_descriptor(w->m, process, s->object);
	if (at == CT_NO || !(w->m->descriptor[at].in || w->out[at]))
		return;
	w->wait[*polled - 1].via = at;
	w->wait[*polled - 1].found = ct_wakes_found(w, s->call, result) & 3;
	*polled = 0;
}

/* Where the start is not known it is looked for when the wait is joined. */
static int take_event(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t *site, uint32_t thread,
		      const struct ct_events_cursor *c)
{
	const struct ct_model *m = w->m;
	uint64_t start_ns = c->start_ns, end_ns = c->end_ns;

	if (end_ns < w->from_ns || start_ns > w->to_ns)
		return 0;
	if (s->kind == CT_EVENT_HOLD || s->kind == CT_EVENT_WAKE)
		return add_ender(w, process, s, thread, start_ns, end_ns);
	if (s->kind != CT_EVENT_INTERVAL || !m->cause[s->cause].is_wait || s->flags & CT_EV_ABANDONED)
		return 0;
	take_found(w, process, s, thread, c->result);
	if (w->cause[s->cause] == CT_ENDED_ARRIVAL && c->result == -1 && s->object_kind == CT_OBJECT_ADDRESS &&
	    add_ender(w, process, s, thread, start_ns, end_ns))
		return -ENOMEM;
	if (m->process[process].off_cpu_known && !(s->flags & (CT_EV_OFF_CPU | CT_EV_OPEN)))
		return 0;
	/* The last to come to a barrier waits for nobody. */
	if (w->cause[s->cause] == CT_ENDED_ARRIVAL && c->result == -1)
		return 0;
	int error = add_wait(w, process, s, site, thread, start_ns, end_ns, c->result);

	if (!error && s->flags & CT_EV_NO_START) {
		w->wait[w->wait_count - 1].start_ns = 0;
		w->wait[w->wait_count - 1].no_start = 1;
	}
	return error;
}

static int take_events(struct ct_wakes *w, struct ct_events_decoder *d, struct ct_span payload, uint32_t process)
{
	int error = ct_events_open(d, payload);
	struct ct_events_cursor c;

	if (error)
		return error == -EBADMSG ? 0 : error; /* counted when the model was loaded */
	w->kept += d->count;
	if (w->keep && w->kept > w->most)
		return -EFBIG;
	uint32_t *site = malloc((d->site_count + 1u) * sizeof(*site));

	if (!site)
		return -ENOMEM;
	memset(site, 0xff, (d->site_count + 1u) * sizeof(*site));
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		uint32_t thread = ct_table_get(&w->m->thread_by_id, d->batch[i].thread) - 1;

		c.end_ns = d->base_ns;
		for (uint32_t k = 0; k < d->batch[i].events && !error; k++) {
			if (ct_events_next(&c))
				goto out;
			if (c.end_ns < c.start_ns || c.end_ns > INT64_MAX || thread == CT_NO)
				continue;
			error = w->marks && ct_is_mark(&d->site[c.site]) ?
				ct_marks_event(w->marks, w->m, thread, &d->site[c.site], c.start_ns) :
				take_event(w, process, &d->site[c.site], &site[c.site], thread, &c);
		}
	}
out:
	free(site);
	return error;
}

/* --- joining --- */

static int by_end(const void *x, const void *y)
{
	const struct ct_wait *a = x, *b = y;

	if (a->end_ns != b->end_ns)
		return a->end_ns < b->end_ns ? -1 : 1;
	return (a->thread > b->thread) - (a->thread < b->thread);
}

static int by_moment(const void *x, const void *y)
{
	const struct ct_ender *a = x, *b = y;

	return (a->moment_ns > b->moment_ns) - (a->moment_ns < b->moment_ns);
}

static void sort_enders(struct ct_wait_object *object, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ct_wait_object *o = &object[i];

		if (o->sorted < o->ender_count)
			qsort(o->ender, o->ender_count, sizeof(*o->ender), by_moment);
		o->sorted = o->ender_count;
	}
}

/* Drops what no later wait can need: of each object the last before a moment stays,
 * and as many as there can be shares. */
static void drop_enders(struct ct_wakes *w, struct ct_wait_object *object, uint32_t count, uint64_t ns)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ct_wait_object *o = &object[i];
		uint32_t n = ct_enders_after(o, ns);

		n = n > CT_SHARES ? n - CT_SHARES : 0;
		if (n)
			memmove(o->ender, o->ender + n, (o->ender_count - n) * sizeof(*o->ender));
		o->ender_count -= n;
		o->sorted = o->ender_count;
		w->enders += o->ender_count;
	}
}

static void drop_old(struct ct_wakes *w, uint64_t ns)
{
	w->enders = 0;
	drop_enders(w, w->object, w->object_count, ns);
	drop_enders(w, w->channel, w->channel_count, ns);
	for (uint32_t i = 0; i < w->runs_count; i++) {
		struct ct_thread_runs *t = &w->runs[i];
		uint32_t n = 0;

		while (n + 16 < t->run_count && t->run[n].start_ns < ns)
			n++;
		if (n)
			memmove(t->run, t->run + n, (t->run_count - n) * sizeof(*t->run));
		t->run_count -= n;
		ct_wakes_drop_marks(t, ns);
		t->polled = 0; /* the waits have changed places */
	}
}

/* Whether a thread was asleep in a part of a wait, as the model counts it. A sleep just before it, or
 * after it, is another call's; one that was over when it began was no sleep: the thread was ready. */
static bool slept_in(const struct ct_wakes *w, const struct ct_wait *wait)
{
	const struct ct_thread_runs *t = &w->runs[wait->thread];
	uint32_t low = 0, high = t->run_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->run[middle].start_ns <= wait->start_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->run_count; low++) {
		const struct ct_run *r = &t->run[low];
		uint64_t from_ns = r->slept_ns ? r->slept_ns : r->woken_ns ? wait->start_ns : UINT64_MAX;
		uint64_t to_ns = r->woken_ns ? r->woken_ns : r->start_ns;

		if (from_ns != UINT64_MAX && from_ns < wait->end_ns && to_ns > from_ns && to_ns > wait->start_ns)
			return true;
		if (r->start_ns >= wait->end_ns)
			break;
	}
	return false;
}

/* It never slept: other threads had its CPU for a while. That is no wait. */
static bool only_preempted(const struct ct_wakes *w, const struct ct_wait *wait)
{
	const struct ct_model *m = w->m;
	const struct ct_span_ns *gap = ct_gaps_after(&m->gaps, wait->start_ns);
	uint64_t from_ns = wait->start_ns > w->slack_ns ? wait->start_ns - w->slack_ns : 0;

	return w->m->slices && wait->ended != CT_ENDED_NOT && w->runs[wait->thread].run_count &&
	       from_ns > m->slices_from_ns && !(gap && gap->from_ns < wait->end_ns) &&
	       !slept_in(w, wait);
}

static int join_wait(struct ct_wakes *w, struct ct_wait *wait)
{
	const struct ct_site_info *s = &w->site[wait->site];
	struct ct_share shares[CT_SHARES];

	if (!wait->start_ns && !find_start(w, wait->thread, &wait->start_ns, wait->end_ns)) {
		w->timeless++;
		wait->start_ns = wait->end_ns;
		wait->left = 0;
		return 0;
	}
	if (only_preempted(w, wait)) {
		w->preempted++;
		wait->left = 0;
		return 0;
	}
	uint32_t n = ct_wakes_join(w, wait, shares);

	if (s->site.object_kind == CT_OBJECT_ADDRESS) {
		uint32_t at = make_object(w, s->process, s->site.object);

		if (at == CT_NO)
			return -ENOMEM;
		if (w->object[at].first_stack == CT_NO || wait->start_ns < w->object[at].first_ns) {
			w->object[at].first_stack = s->site.stack ? ct_model_stack(w->m, s->process, s->site.stack) : CT_NO;
			w->object[at].first_ns = wait->start_ns;
		}
	}
	w->waits++;
	w->agree += wait->agrees == CT_AGREES;
	w->disagree += wait->agrees == CT_AGREES_NOT;
	return w->take ? w->take(w->self, w, wait, shares, n) : 0;
}

/* Joins all waits that ended up to a moment. */
static int join(struct ct_wakes *w, uint64_t until_ns)
{
	uint32_t n = 0;
	int error = 0;

	sort_enders(w->object, w->object_count);
	sort_enders(w->channel, w->channel_count);
	if (w->wait_count)
		qsort(w->wait, w->wait_count, sizeof(*w->wait), by_end);
	while (n < w->wait_count && !error && w->wait[n].end_ns <= until_ns)
		error = join_wait(w, &w->wait[n++]);
	if (w->keep || error)
		return error;
	if (n)
		memmove(w->wait, w->wait + n, (w->wait_count - n) * sizeof(*w->wait));
	w->wait_count -= n;
	drop_old(w, until_ns);
	/* What is left has to wait for what is still to be read: the next time shall find
	 * as much again. */
	w->join_waits = w->wait_count > CT_WAKES_HELD / 2 ? 2 * w->wait_count : CT_WAKES_HELD;
	w->join_enders = w->enders > ENDERS_HELD / 2 ? 2 * w->enders : ENDERS_HELD;
	return 0;
}

static int maybe_join(struct ct_wakes *w)
{
	uint64_t behind_ns = BEHIND_NS + 125000000ull * w->m->process_count;

	if (w->keep || (w->wait_count < w->join_waits && w->enders < w->join_enders))
		return 0;
	if (behind_ns > BEHIND_MAX_NS)
		behind_ns = BEHIND_MAX_NS;
	/* Memory counts more than the last wait's waker. */
	if (w->wait_count > CT_WAKES_MOST || w->enders > ENDERS_MOST)
		behind_ns /= 8;
	return join(w, w->seen_ns > behind_ns ? w->seen_ns - behind_ns : 0);
}

static int open_wakes(struct ct_wakes *w)
{
	const struct ct_model *m = w->m;

	w->runs_count = m->thread_count;
	w->runs = calloc(m->thread_count + 1u, sizeof(*w->runs));
	w->by_tid = calloc(m->thread_count + 1u, sizeof(*w->by_tid));
	w->by_pthread = calloc(m->thread_count + 1u, sizeof(*w->by_pthread));
	if (!w->runs || !w->by_tid || !w->by_pthread)
		return -ENOMEM;
	ct_wakes_order(w);
	if (ct_wakes_families(w) || ct_wakes_channels(w))
		return -ENOMEM;
	if (ct_marks_select(m) && !(w->marks = ct_marks_open(m, false)))
		return -ENOMEM;
	w->slack_ns = m->clock_error_ns + 1000;
	w->join_waits = CT_WAKES_HELD;
	w->join_enders = ENDERS_HELD;
	w->to_ns = UINT64_MAX;
	if (w->keep && m->window) {
		w->from_ns = m->from_ns > KEEP_NS ? m->from_ns - KEEP_NS : 0;
		w->to_ns = m->to_ns < UINT64_MAX - KEEP_NS ? m->to_ns + KEEP_NS : UINT64_MAX;
	}
	/* Who wants little wants no more than that. */
	if (m->window && m->options->near_ns) {
		w->from_ns = m->from_ns > m->options->near_ns ? m->from_ns - m->options->near_ns : 0;
		w->to_ns = m->to_ns < UINT64_MAX - m->options->near_ns ? m->to_ns + m->options->near_ns : UINT64_MAX;
	}
	w->wakes = m->slices && !strcmp(ct_model_meta(m, "wakes"), "sched_waking");
	ct_wakes_prepare(w);
	return 0;
}

int ct_wakes_read(struct ct_wakes *w, const struct ct_model *m, struct ct_reader *r, bool keep,
		  ct_wait_taker *take, void *self)
{
	struct ct_events_decoder events = { 0 };
	struct ct_switches_decoder switches = { 0 };
	struct ct_chunk c;
	struct ct_span payload;
	int found = 0;

	if (m->together && !keep)
		return ct_wakes_together_read(m->together, w, m, r, take, self);
	*w = (struct ct_wakes){ .m = m, .keep = keep, .take = take, .self = self,
				.most = KEPT_FEW + KEPT_MANY * r->file_bytes };
	int error = open_wakes(w);
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS) | CT_WANT(CT_CHUNK_SWITCHES) };

	/* Regions that reach into a window began before it. */
	if (m->window && !r->whole && !w->marks) {
		uint64_t near_ns = m->options->near_ns ? m->options->near_ns : NEAR_NS;

		want.from_ns = m->from_ns > near_ns ? m->from_ns - near_ns : 0;
		want.to_ns = m->to_ns < UINT64_MAX - near_ns ? m->to_ns + near_ns : UINT64_MAX;
	}
	ct_reader_rewind(r);
	ct_reader_ahead(r, &want);
	while (!error && (found = ct_reader_next(r, &c)) > 0) {
		uint32_t process = ct_table_get(&m->process_by_id, c.header.process) - 1;

		if (!ct_is_wanted(&want, &c.header) || (c.header.kind == CT_CHUNK_EVENTS && process == CT_NO))
			continue;
		error = ct_reader_payload(r, &c, &payload);
		if (error == -EBADMSG || error == -ENOTSUP) {
			error = 0;
			continue;
		}
		if (!error && c.header.kind == CT_CHUNK_SWITCHES) {
			error = ct_wakes_slices(w, &switches, payload);
		} else if (!error) {
			error = take_events(w, &events, payload, process);
			if (c.header.last_ns > w->seen_ns)
				w->seen_ns = c.header.last_ns;
		}
		if (!error)
			error = maybe_join(w);
	}
	if (!error)
		error = found;
	if (!error)
		error = join(w, UINT64_MAX);
	ct_events_close(&events);
	ct_switches_close(&switches);
	return error;
}

void ct_wakes_close(struct ct_wakes *w)
{
	if (w->borrowed) {
		*w = (struct ct_wakes){ 0 };
		return;
	}
	for (uint32_t i = 0; i < w->object_count; i++)
		free(w->object[i].ender);
	for (uint32_t i = 0; i < w->channel_count; i++)
		free(w->channel[i].ender);
	for (uint32_t i = 0; i < w->runs_count && w->runs; i++)
		free(w->runs[i].mark);
	ct_marks_close(w->marks);
	free(w->channel);
	free(w->out);
	ct_table_free(&w->channel_by_number);
	for (uint32_t i = 0; i < w->outsider_count; i++)
		free(w->outsider[i].name);
	for (uint32_t i = 0; i < w->runs_count && w->runs; i++)
		free(w->runs[i].run);
	free(w->site);
	free(w->wait);
	free(w->object);
	free(w->outsider);
	free(w->runs);
	free(w->by_tid);
	free(w->by_pthread);
	free(w->task);
	free(w->family);
	ct_table_free(&w->object_by_address);
	ct_table_free(&w->site_by_hash);
	ct_table_free(&w->object_by_hash);
	ct_table_free(&w->outsider_by_tid);
	*w = (struct ct_wakes){ 0 };
}
