/*
 * Waits: a slice each on its thread's track. See perfetto.h.
 *
 * A flow leads from an instant on the waker's track, at the time of the release, to the
 * end of the wait.
 */
#include "perfetto.h"

void ct_pf_annotate_string(struct ct_buf *b, enum ct_pf_key key, uint64_t iid)
{
	if (!iid)
		return;
	size_t annotation = ct_pb_begin(b, PF_EVENT_ANNOTATION);

	ct_pb_uint(b, PF_ANNOTATION_NAME_IID, key);
	ct_pb_uint(b, PF_ANNOTATION_STRING_IID, iid);
	ct_pb_end(b, annotation);
}

void ct_pf_annotate_uint(struct ct_buf *b, enum ct_pf_key key, uint64_t value)
{
	size_t annotation = ct_pb_begin(b, PF_EVENT_ANNOTATION);

	ct_pb_uint(b, PF_ANNOTATION_NAME_IID, key);
	ct_pb_uint(b, PF_ANNOTATION_UINT, value);
	ct_pb_end(b, annotation);
}

void ct_pf_annotate_int(struct ct_buf *b, enum ct_pf_key key, int64_t value)
{
	size_t annotation = ct_pb_begin(b, PF_EVENT_ANNOTATION);

	ct_pb_uint(b, PF_ANNOTATION_NAME_IID, key);
	ct_pb_int(b, PF_ANNOTATION_INT, value);
	ct_pb_end(b, annotation);
}

/* What a wait is told with, all in the file before. */
struct telling {
	const struct ct_pf_site *site;
	uint32_t owner, waker, waiter, waker_stack;
};

static int prepare(struct ct_perfetto *p, const struct ct_interval *i, struct telling *t)
{
	const struct ct_model *m = &p->source.m;
	uint32_t owner = i->owner ? ct_model_tid(m, m->thread[i->thread].process, i->owner) : CT_NO;
	int error = ct_pf_tell_thread(p, i->thread);

	*t = (struct telling){ 0 };
	if (!error)
		error = ct_pf_waker(p, owner, &t->owner);
	if (!error && i->waker != CT_NO)
		error = ct_pf_tell_thread(p, i->waker);
	if (!error)
		error = ct_pf_waker(p, i->waker, &t->waker);
	if (!error && i->waker != CT_NO)
		error = ct_pf_waker(p, i->thread, &t->waiter);
	if (!error)
		error = ct_pf_stack(p, i->waker_stack, &t->waker_stack);
	/* The last: it is a pointer into an array that grows. */
	if (!error)
		error = ct_pf_site(p, i->site, &t->site);
	return error;
}

static int put_begin(struct ct_perfetto *p, const struct ct_interval *i, const struct telling *t)
{
	const struct ct_site *site = &p->source.wakes.site[i->site].site;
	struct ct_buf *b = &p->out;
	size_t packet, event = ct_pf_begin_event(p, &packet, i->begin_ns, PF_SLICE_BEGIN,
						 ct_pf_thread_track(p, i->thread));

	if (p->cause_string[site->cause])
		ct_pb_uint(b, PF_EVENT_CATEGORY, site->cause + 1ull);
	ct_pb_uint(b, PF_EVENT_NAME_IID, (uint64_t)PF_NAME_SITES + i->site);
	if (t->site->callstack)
		ct_pb_uint(b, PF_EVENT_CALLSTACK_IID, t->site->callstack);
	ct_pf_annotate_string(b, PF_KEY_CAUSE, p->cause_string[site->cause]);
	ct_pf_annotate_string(b, PF_KEY_OBJECT, t->site->object);
	if (t->owner)
		ct_pf_annotate_string(b, PF_KEY_OWNER, t->owner);
	else if (i->owner)
		ct_pf_annotate_uint(b, PF_KEY_OWNER, i->owner);
	ct_pf_annotate_string(b, PF_KEY_WAKER, t->waker);
	ct_pf_annotate_string(b, PF_KEY_ENDED_BY, p->ended_string[i->ended]);
	if (i->ended != CT_ENDED_NOT)
		ct_pf_annotate_int(b, PF_KEY_RESULT, i->result);
	ct_pf_annotate_uint(b, PF_KEY_ELAPSED, i->end_ns - i->start_ns);
	ct_pf_annotate_uint(b, PF_KEY_BLOCKED, i->blocked_ns);
	if (i->ready_ns)
		ct_pf_annotate_uint(b, PF_KEY_READY, i->ready_ns);
	if (i->cut_begin || i->cut_end)
		ct_pf_annotate_uint(b, PF_KEY_CUT, 1);
	return ct_pf_end_event(p, packet, event);
}

static int put_release(struct ct_perfetto *p, const struct ct_interval *i, const struct telling *t)
{
	struct ct_buf *b = &p->out;
	size_t packet, event = ct_pf_begin_event(p, &packet, i->release_ns, PF_INSTANT, ct_pf_thread_track(p, i->waker));

	ct_pb_uint(b, PF_EVENT_CATEGORY, PF_CATEGORY_WAKE);
	ct_pb_uint(b, PF_EVENT_NAME_IID, (uint64_t)PF_NAME_RELEASE + i->ended);
	if (t->waker_stack)
		ct_pb_uint(b, PF_EVENT_CALLSTACK_IID, t->waker_stack);
	ct_pf_annotate_string(b, PF_KEY_OBJECT, t->site->object);
	ct_pf_annotate_string(b, PF_KEY_WAITER, t->waiter);
	ct_pb_fixed64(b, PF_EVENT_FLOW, p->flows);
	return ct_pf_end_event(p, packet, event);
}

static int put_end(struct ct_perfetto *p, const struct ct_interval *i)
{
	size_t packet, event = ct_pf_begin_event(p, &packet, i->end_ns, PF_SLICE_END, ct_pf_thread_track(p, i->thread));

	if (i->waker != CT_NO)
		ct_pb_fixed64(&p->out, PF_EVENT_FLOW_END, p->flows);
	return ct_pf_end_event(p, packet, event);
}

static int take_wait(void *self, const struct ct_interval *i)
{
	struct ct_perfetto *p = self;
	struct telling t;
	int error = prepare(p, i, &t);

	if (!error)
		error = put_begin(p, i, &t);
	if (!error && i->waker != CT_NO) {
		p->flows++;
		error = put_release(p, i, &t);
	}
	/* What was not over is shown so: without an end. */
	if (!error && (i->ended != CT_ENDED_NOT || i->cut_end))
		error = put_end(p, i);
	return error;
}

int ct_pf_waits(struct ct_perfetto *p)
{
	return ct_source_waits(&p->source, take_wait, p);
}
