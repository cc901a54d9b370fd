/* One wait with everything that is known of it. See api.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "json_parts.h"
#include "objects.h"
#include "report_wakers.h"
#include "timeline_source.h"
#include "wait_more.h"

/* Who ends a wait does so in it; what is read lies around that. Of a long one only its end is
 * read: the rest of it is taken to have been spent in it alone. */
#define AROUND_NS 1000000u
#define NEAR_NS   50000000u  /* what the threads did just before and after */
#define LONG_NS   100000000u
#define LONGER_NS 2000000000u /* where nobody is found in that */
/* Chunks are of about a second; slices may stand in later ones than events of their time. A thread of which no slice is
 * so near had no CPU. */
#define BEFORE_NS 2500000000u
#define AFTER_NS  4000000000u

struct search {
	uint32_t thread;
	uint64_t start_ns, end_ns;
	uint64_t skipped_ns;     /* of a long one: its first part, which is not read */
	struct ct_interval found;
	bool any;
};

/* The wait asked for, or one that is next to it. */
static int take(void *self, const struct ct_interval *i)
{
	struct search *k = self;

	if (i->thread != k->thread || i->end_ns != k->end_ns)
		return 0;
	if (!k->any || i->start_ns == k->start_ns)
		k->found = *i;
	k->any = true;
	return k->found.start_ns == k->start_ns;
}

/* The names of the reading are locked. */
static json_t *stack_json(struct ct_served *s, uint32_t stack)
{
	uint32_t callstack;

	if (ct_callstack_of(&s->names->callstacks, stack, &callstack)) {
		ct_json_fail();
		return json_null();
	}
	return ct_json_stack(&s->names->callstacks, &s->names->symbols, callstack);
}

static void tell_site(json_t *o, struct ct_served *s, const struct ct_site_info *site)
{
	uint32_t stack = site->site.stack ? ct_model_stack(&s->m, site->process, site->site.stack) : CT_NO;
	char *object = ct_object_label(&s->names->symbols, &s->m, site);

	ct_json_text(o, "cause", ct_model_cause_name(&s->m, site->site.cause));
	ct_json_text(o, "call", ct_model_call_name(&s->m, site->site.call));
	ct_json_text(o, "object", object);
	free(object);
	ct_json_set(o, "stack", stack_json(s, stack));
	/* What other waits of this place are asked by. */
	if (stack != CT_NO)
		ct_json_number(o, "stack_id", stack);
}

static json_t *wait_json(struct ct_served *s, struct ct_timeline_source *source, const struct ct_interval *i, uint64_t skipped_ns)
{
	const struct ct_model *m = &source->m;
	json_t *o = json_object();

	tell_site(o, s, &source->wakes.site[i->site]);
	ct_json_number(o, "blocked_ns", i->blocked_ns + skipped_ns);
	ct_json_number(o, "ready_ns", i->ready_ns);
	ct_json_number(o, "release_ns", skipped_ns + (i->release_ns > i->start_ns ? i->release_ns - i->start_ns : 0));
	ct_json_set(o, "result", json_integer(i->result));
	ct_json_text(o, "ended_by", ct_ended_name((enum ct_ended)i->ended));
	if (i->owner) {
		uint32_t owner = ct_model_tid(m, m->thread[i->thread].process, i->owner);

		ct_json_number(o, "owner_tid", i->owner);
		if (owner != CT_NO)
			ct_json_number(o, "owner_lane", owner);
	}
	if (i->waker != CT_NO) {
		char *label = ct_waker_label(&source->wakes, i->waker);

		ct_json_text(o, "waker", label);
		free(label);
		if (i->waker < CT_OUTSIDE)
			ct_json_number(o, "waker_lane", i->waker);
		ct_json_set(o, "waker_stack", stack_json(s, i->waker_stack));
	}
	return o;
}

/* The waits in a window of the reading, whatever serve's options select. */
struct part {
	struct ct_options options;
	struct ct_context c;
	struct ct_timeline_source source;
};

static int open_part(struct part *p, struct ct_served *s, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t start_ns = s->m.start_ns;

	*p = (struct part){ .options = { .symbols = s->context->options->symbols, .near_ns = NEAR_NS } };
	p->options.from = (struct ct_moment){ .given = true, .ns = from_ns };
	p->options.to = (struct ct_moment){ .given = true, .ns = to_ns };
	p->c = (struct ct_context){ .options = &p->options, .out = s->context->out };
	int error = ct_reader_dup(&p->c.reader, &s->context->reader);

	if (error) {
		p->c.reader.fd = -1;
		return error;
	}
	p->c.reader.alone = true;
	error = ct_trace_map_choose(&s->map, &p->c.reader, start_ns + (from_ns > BEFORE_NS ? from_ns - BEFORE_NS : 0),
				    start_ns + to_ns + AFTER_NS);
	return error ? error : ct_source_open_part(&p->source, &p->c, &s->m);
}

static void close_part(struct part *p)
{
	if (p->c.reader.fd < 0)
		return;
	if (p->source.context)
		ct_source_close(&p->source);
	ct_reader_close(&p->c.reader);
	p->c.reader.fd = -1;
}

/* Looks for a wait, or for the last part of a long one. */
static int look_for(struct ct_served *s, uint32_t lane, uint64_t start, uint64_t end, uint64_t long_ns, struct part *p,
		    struct search *k)
{
	uint64_t from = start > AROUND_NS ? start - AROUND_NS : 0;

	*k = (struct search){ .thread = lane, .end_ns = s->m.start_ns + end };
	if (end - start > long_ns) {
		from = end - long_ns / 2;
		k->skipped_ns = from - start;
	}
	k->start_ns = s->m.start_ns + start + k->skipped_ns;
	int error = open_part(p, s, from, end + AROUND_NS);

	return error ? error : ct_source_waits(&p->source, take, k);
}

/* Looks for a wait; the part stays open. */
static int open_search(struct ct_served *s, uint32_t lane, uint64_t start, uint64_t end, struct part *p, struct search *k)
{
	int error = look_for(s, lane, start, end, LONG_NS, p, k);

	if (error || !k->skipped_ns || (k->any && (k->found.waker != CT_NO || k->found.ended == CT_ENDED_TIME)))
		return error;
	/* It was let go on long before it went on. */
	close_part(p);
	return look_for(s, lane, start, end, LONGER_NS, p, k);
}

static void answer_found(struct ct_served *s, struct part *p, const struct search *k, struct ct_answer *ret)
{
	ct_json_begin();
	if (ct_names_use(s->names, &s->m))
		ct_json_fail();
	json_t *o = wait_json(s, &p->source, &k->found, k->skipped_ns);

	ct_names_done(s->names);
	const struct ct_known *known = ct_api_known_of(s, &p->source.wakes.site[k->found.site]);

	if (known)
		ct_json_set(o, "known", ct_api_known_json(known));
	ct_wait_regions(s, o, k->thread, k->start_ns - k->skipped_ns);
	ct_api_json(ret, o);
}

/* The picture shows calls that are no waits, too. */
static void answer_call(struct ct_served *s, const struct search *k, struct ct_answer *ret)
{
	struct ct_drawn_call call = { k->thread, k->start_ns, k->end_ns, k->skipped_ns };
	json_t *o;

	ct_json_begin();
	int error = ct_wait_call(s, &call, &o);

	if (error) {
		ct_api_say(ret, error == -ENOENT ? 404 : 500, error == -ENOENT ? "no such wait" : strerror(-error));
		return;
	}
	ct_wait_regions(s, o, k->thread, k->start_ns - k->skipped_ns);
	ct_api_json(ret, o);
}

void ct_api_wait(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	const struct ct_model *m = &s->m;
	uint64_t lane, start, end, whole = m->end_ns - m->start_ns;
	struct search k;
	struct part p;

	if (ct_api_number(r, "lane", UINT32_MAX, UINT64_MAX, &lane) || lane >= m->thread_count ||
	    ct_api_number(r, "start", whole, 0, &start) || ct_api_number(r, "end", whole, whole, &end) || start > end) {
		ct_api_say(ret, 400, "lane, start or end make no sense");
		return;
	}
	int error = open_search(s, (uint32_t)lane, start, end, &p, &k);

	if (error)
		ct_api_say(ret, 500, strerror(-error));
	else if (k.any)
		answer_found(s, &p, &k, ret);
	else
		answer_call(s, &k, ret);
	close_part(&p);
}

/* --- what a thread waited for last --- */

/* So far is looked back at once; then further, over so many events and slices at most. */
#define BACK_NS   50000000u
#define BACK_MORE 8u
#define BACK_MOST 1200000u
#define TRIES     4u

/* The last waits of a thread that ended before a moment, the last one first. */
struct lasts {
	struct ct_bar bar[TRIES];
	uint32_t count;
};

static void note(struct lasts *l, const struct ct_bar *bar, uint32_t count, uint64_t end_ns)
{
	for (uint32_t i = count; i-- && l->count < TRIES;)
		if (bar[i].end_ns <= end_ns && !bar[i].open)
			l->bar[l->count++] = bar[i];
}

static int look_in(struct ct_served *s, uint32_t lane, uint64_t from_ns, uint64_t end_ns, struct lasts *ret)
{
	struct ct_window w;
	int error = ct_window_open(&w, &s->map, from_ns, end_ns + 1, 1);

	w.bar_ns = 1;
	if (!error)
		error = ct_window_want(&w, &s->map, lane);
	if (!error)
		error = ct_window_read(&w, &s->map);
	if (!error)
		note(ret, w.lane[lane]->bar, w.lane[lane]->bar_count, end_ns);
	ct_window_close(&w);
	return error;
}

static int look_back(struct ct_served *s, uint32_t lane, uint64_t end_ns, struct lasts *ret)
{
	const struct ct_overview_lane *coarse = &s->overview.lane[lane];
	uint64_t start_ns = s->m.start_ns;
	int error = 0;

	*ret = (struct lasts){ .count = 0 };
	for (uint64_t back = BACK_NS; !error && !ret->count && back < UINT64_MAX / BACK_MORE; back *= BACK_MORE) {
		uint64_t from_ns = end_ns - start_ns > back ? end_ns - back : start_ns;

		if (ct_trace_map_records(&s->map, from_ns, end_ns) > BACK_MOST)
			break;
		error = look_in(s, lane, from_ns, end_ns, ret);
		if (from_ns == start_ns)
			return error;
	}
	/* Those that are so long that they are known anyway. */
	if (!ret->count)
		note(ret, coarse->bar, coarse->bar_count, end_ns);
	return error;
}

static json_t *last_json(struct ct_served *s, struct ct_timeline_source *source, const struct ct_interval *i, uint64_t skipped_ns)
{
	const struct ct_site_info *site = &source->wakes.site[i->site];
	json_t *o = json_object(), *of = json_object();
	uint32_t number = ct_trace_map_number(&s->map, site->process, site->site);

	ct_json_number(o, "lane", i->thread);
	ct_json_number(o, "start", i->start_ns - skipped_ns - s->m.start_ns);
	ct_json_number(o, "length", i->end_ns - i->start_ns + skipped_ns);
	if (number == CT_NO)
		ct_json_fail();
	ct_json_number(o, "site", number);
	char *object = ct_names_use(s->names, &s->m) ? NULL : ct_object_label(&s->names->symbols, &s->m, site);

	ct_names_done(s->names);
	ct_json_number(of, "cause", site->site.cause);
	ct_json_text(of, "call", ct_model_call_name(&s->m, site->site.call));
	ct_json_text(of, "object", object);
	free(object);
	ct_json_set(o, "of", of);
	return o;
}

/* The first of them that another thread ended; else the first. Its part is open. */
static int choose(struct ct_served *s, uint32_t lane, const struct lasts *l, struct part *p, struct search *k)
{
	uint64_t start_ns = s->m.start_ns;
	bool any = false;
	int error = 0;

	/* Then the first once more. */
	for (uint32_t i = 0; i <= l->count && l->count; i++) {
		const struct ct_bar *b = &l->bar[i % l->count];

		if (i == l->count && !any)
			break;
		error = open_search(s, lane, b->start_ns > start_ns ? b->start_ns - start_ns : 0, b->end_ns - start_ns, p, k);
		if (error || (k->any && (k->found.waker != CT_NO || i == l->count)))
			return error;
		any |= k->any && !i;
		close_part(p);
	}
	return error ? error : -ENOENT;
}

void ct_api_before(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	const struct ct_model *m = &s->m;
	uint64_t lane, end, whole = m->end_ns - m->start_ns;
	struct lasts lasts;
	struct search k;
	struct part p;

	if (ct_api_number(r, "lane", UINT32_MAX, UINT64_MAX, &lane) || lane >= m->thread_count ||
	    ct_api_number(r, "time", whole, whole, &end)) {
		ct_api_say(ret, 400, "lane or time make no sense");
		return;
	}
	p.c.reader.fd = -1;
	int error = look_back(s, (uint32_t)lane, m->start_ns + end + AROUND_NS, &lasts);

	if (!error)
		error = choose(s, (uint32_t)lane, &lasts, &p, &k);
	if (error) {
		ct_api_say(ret, error == -ENOENT ? 404 : 500, error == -ENOENT ? "no wait before it, or long before" : strerror(-error));
	} else {
		ct_json_begin();
		ct_api_json(ret, last_json(s, &p.source, &k.found, k.skipped_ns));
	}
	close_part(&p);
}
