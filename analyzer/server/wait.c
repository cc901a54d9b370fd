/* One wait with everything that is known of it. See api.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "json_parts.h"
#include "report_wakers.h"
#include "timeline_source.h"

/* Who ends a wait does so in it; what is read lies around that. Of a long one only its end is
 * read: the rest of it is taken to have been spent in it alone. */
#define AROUND_NS 1000000u
#define NEAR_NS   200000000u  /* what the threads did just before and after */
#define LONG_NS   2000000000u

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

static json_t *stack_json(struct ct_timeline_source *source, uint32_t stack)
{
	uint32_t callstack;

	if (ct_callstack_of(&source->callstacks, stack, &callstack)) {
		ct_json_fail();
		return json_null();
	}
	return ct_json_stack(&source->callstacks, &source->symbols, callstack);
}

static void tell_site(json_t *o, struct ct_timeline_source *source, const struct ct_interval *i)
{
	const struct ct_site_info *site = &source->wakes.site[i->site];
	uint32_t stack = site->site.stack ? ct_model_stack(&source->m, site->process, site->site.stack) : CT_NO;

	ct_json_text(o, "cause", ct_model_cause_name(&source->m, site->site.cause));
	ct_json_text(o, "call", ct_model_call_name(&source->m, site->site.call));
	ct_json_text(o, "object", ct_source_object(source, i->site));
	ct_json_set(o, "stack", stack_json(source, stack));
	/* What other waits of this place are asked by. */
	if (stack != CT_NO)
		ct_json_number(o, "stack_id", stack);
}

static json_t *wait_json(struct ct_timeline_source *source, const struct ct_interval *i, uint64_t skipped_ns)
{
	const struct ct_model *m = &source->m;
	json_t *o = json_object();

	tell_site(o, source, i);
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
		ct_json_set(o, "waker_stack", stack_json(source, i->waker_stack));
	}
	return o;
}

void ct_api_wait(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	const struct ct_model *m = &s->m;
	uint64_t lane, start, end, whole = m->end_ns - m->start_ns;
	struct ct_options options = { .top = 0, .symbols = s->context->options->symbols };
	struct ct_context c = { .options = &options, .out = s->context->out };
	struct ct_timeline_source source;
	struct search k;

	if (ct_api_number(r, "lane", UINT32_MAX, UINT64_MAX, &lane) || lane >= m->thread_count ||
	    ct_api_number(r, "start", whole, 0, &start) || ct_api_number(r, "end", whole, whole, &end) || start > end) {
		ct_api_say(ret, 400, "lane, start or end make no sense");
		return;
	}
	k = (struct search){ .thread = (uint32_t)lane, .end_ns = m->start_ns + end };
	options.near_ns = NEAR_NS;
	options.to = (struct ct_moment){ .given = true, .ns = end + AROUND_NS };
	options.from = (struct ct_moment){ .given = true, .ns = start > AROUND_NS ? start - AROUND_NS : 0 };
	if (end - start > LONG_NS) {
		options.from.ns = end - LONG_NS / 2;
		k.skipped_ns = options.from.ns - start;
	}
	k.start_ns = m->start_ns + start + k.skipped_ns;
	int error = ct_reader_dup(&c.reader, &s->context->reader);

	if (error) {
		ct_api_say(ret, 500, strerror(-error));
		return;
	}
	c.reader.alone = true;
	error = ct_source_open(&source, &c);
	if (!error)
		error = ct_source_waits(&source, take, &k);
	ct_json_begin();
	if (error)
		ct_api_say(ret, 500, strerror(-error));
	else if (!k.any)
		ct_api_say(ret, 404, "no such wait");
	else
		ct_api_json(ret, wait_json(&source, &k.found, k.skipped_ns));
	ct_source_close(&source);
	ct_reader_close(&c.reader);
}
