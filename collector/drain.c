/* From rings in shared memory to the events of a chunk. */
#include <errno.h>
#include <string.h>

#include "atomics.h"
#include "flight.h"
#include "process.h"

#define PUBLISH      256u          /* events after which the ring's room is given back */
#define HOLE_NS      2000000000ull
#define FUTURE_MS    1000.0
#define WAIT_RETRIES 100

/* Copies shared memory that its owner may be writing: no word is torn. */
static void copy_words(void *to, const void *from, size_t bytes)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const word *f = from;

	for (size_t i = 0; i < bytes / sizeof(word); i++) {
		word w = ct_load(&f[i]);

		memcpy((char *)to + i * sizeof(w), &w, sizeof(w));
	}
}

/* How many events may wait in a slot. */
static uint64_t room_of(const struct ct_slot *s)
{
	return CT_RING_SLACK + (ct_load(&s->large) ? CT_LARGE_EVENTS : CT_RING_EVENTS);
}

static const struct ct_event *ready(const struct ct_event *ring, uint64_t events, uint64_t n)
{
	const struct ct_event *e = &ring[n % events];

	return ct_load_acquire(&e->seq) == n + 1 ? e : NULL;
}

const struct ct_event *ct_drain_entry(const struct ct_region *r, const struct ct_slot *s, uint64_t n)
{
	uint64_t large = ct_load(&s->large);
	const struct ct_event *e = NULL;

	if (large && large <= CT_LARGE_RINGS)
		e = ready(r->large[large - 1], CT_LARGE_EVENTS, n);
	return e ? e : ready(s->ring, CT_RING_EVENTS, n);
}

enum verdict {
	TAKE,
	LATER,   /* ended after the clock was last read */
	DAMAGED,
};

static enum verdict judge(struct ct_trace *t, struct ct_process *p, const struct ct_event *e)
{
	bool timeless = e->flags & (CT_EV_NO_START | CT_EV_ABANDONED);
	bool sound = ct_is_line(e) ? ct_line_is_sound(e) : e->kind != CT_EVENT_NONE && e->kind < CT_EVENT_KINDS;

	if (!sound || (timeless && e->end != e->start) || e->cause >= CT_CAUSE_COUNT || e->object_kind >= CT_OBJECT_KINDS || e->call >= CT_CALL_COUNT || e->end < e->start ||
	    e->start < p->earliest_ticks)
		return DAMAGED;
	if (e->end <= ct_process_latest(t, p))
		return TAKE;
	if (!t->synced) {
		ct_trace_sync(t);
		if (e->end <= ct_process_latest(t, p))
			return TAKE;
	}
	return e->end - ct_process_latest(t, p) < (uint64_t)(p->ticks_per_ms * FUTURE_MS) ? LATER : DAMAGED;
}

/* An interval that is over, and in which the thread left its CPU as far as it is known. */
static bool is_wait(const struct ct_process *p, const struct ct_site *s)
{
	if (s->kind != CT_EVENT_INTERVAL || s->flags & (CT_EV_OPEN | CT_EV_NO_START | CT_EV_ABANDONED))
		return false;
	return s->flags & CT_EV_OFF_CPU || !(p->declared.features & CT_FEATURE_OFF_CPU);
}

/* They come in the order of their ends. But an event of a handler that came between an interval's end and its
 * record lies behind that interval, and stands before it. */
bool ct_drain_put(struct ct_process *p, struct ct_thread *th, const struct ct_site *site, uint64_t start_ns, uint64_t end_ns,
		  int64_t result)
{
	if (end_ns > th->newest_end_ns) {
		th->newest_start_ns = start_ns;
		th->newest_end_ns = end_ns;
	} else if (end_ns < th->newest_end_ns && end_ns > th->newest_start_ns && !(site->flags & (CT_EV_NO_START | CT_EV_ABANDONED))) {
		return false;
	}
	ct_events_add(&p->encoder, th->id, site, start_ns, end_ns, result);
	return true;
}

static void count_damage(struct ct_trace *t, struct ct_process *p, struct ct_thread *th)
{
	th->damaged++;
	t->lost++;
	p->lost++;
}

static void add(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, const struct ct_event *e,
		uint32_t stack, uint64_t start_ns, uint64_t end_ns)
{
	/* A call that ended while it was declared that nothing is recorded: see recording.h. */
	if (end_ns <= th->piece_end_ns && end_ns > th->piece_start_ns) {
		end_ns = th->piece_start_ns;
		if (start_ns > end_ns)
			start_ns = end_ns;
	}
	struct ct_site site = {
		.kind = e->kind,
		.cause = e->cause,
		.flags = e->flags,
		.object_kind = e->object_kind,
		.call = e->call,
		.stack = stack,
		.owner = ct_thread_tid(t, p, e->owner),
		.object = e->object,
		.aux = e->aux,
	};

	if (site.object_kind == CT_OBJECT_FD)
		site.object = ct_intern_descriptor(t, p, e->object);
	if (site.object_kind == CT_OBJECT_NAME)
		ct_marks_region(t, p, &site, e);
	if (site.object_kind == CT_OBJECT_FD)
		ct_ends_event(t, p, e, end_ns - start_ns);
	if (!ct_drain_put(p, th, &site, start_ns, end_ns, e->result)) {
		count_damage(t, p, th);
		return;
	}
	p->events++;
	if (end_ns > th->last_end_ns)
		th->last_end_ns = end_ns;
	if (p->live && is_wait(p, &site))
		ct_live_wait(p, th, e, start_ns, end_ns);
	if (t->flight && end_ns - start_ns > t->flight->least_wait_ns && is_wait(p, &site))
		ct_trigger_wait(t->flight, p, th, site.cause, e->start, start_ns, end_ns);
}

/* Whether an event was reserved after n and is complete. */
static bool later_one_ready(const struct ct_region *r, const struct ct_slot *s, uint64_t n, uint64_t reserved)
{
	for (uint64_t i = n + 1; i < reserved; i++)
		if (ct_drain_entry(r, s, i))
			return true;
	return false;
}

/* Event n is not there. Whether to go on after it. */
static bool skip_hole(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, const struct ct_slot *s, uint64_t n, bool final)
{
	uint64_t reserved = ct_load(&s->reserved_events) & ~CT_ON_LARGE;

	if (n >= reserved || reserved - n > room_of(s)) {
		th->hole_since_ns = 0;
		return false;
	}
	if (!final) {
		if (th->hole != n || !th->hole_since_ns) {
			th->hole = n;
			th->hole_since_ns = ct_now_ns();
			return false;
		}
		if (ct_now_ns() - th->hole_since_ns < HOLE_NS || !later_one_ready(p->region, s, n, reserved))
			return false;
	}
	th->hole_since_ns = 0;
	th->lost++;
	t->lost++;
	p->lost++;
	return true;
}

uint64_t ct_drain(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, bool final)
{
	struct ct_slot *s = &p->region->slots[th->slot];
	uint64_t first = th->consumed, n = first, limit = first + room_of(s);

	for (; n < limit; n++) {
		const struct ct_event *shared = ct_drain_entry(p->region, s, n);

		if (!shared) {
			if (!skip_hole(t, p, th, s, n, final))
				break;
			continue;
		}
		struct ct_event e;

		copy_words(&e, shared, sizeof(e));
		/* Of a line that was left half written: it has been counted. */
		if (e.kind == CT_LINE_TEXT)
			continue;
		enum verdict verdict = judge(t, p, &e);

		if (verdict == LATER && !final)
			break;
		if (verdict == TAKE && ct_is_line(&e)) {
			n += ct_line_take(t, p, th, &e, n);
		} else if (verdict == TAKE) {
			add(t, p, th, &e, ct_intern_stack(t, p, e.stack), ct_process_ns(t, p, e.start),
			    ct_process_ns(t, p, e.end));
		} else {
			count_damage(t, p, th);
		}
		if ((n - first) % PUBLISH == PUBLISH - 1) {
			ct_store_release(&s->consumed, n + 1);
			if (!final && ct_process_is_late(p)) {
				n++;
				break;
			}
		}
	}
	/* The ring's room is given back: the copies were made before. */
	if (n != first)
		ct_store_release(&s->consumed, n);
	th->consumed = n;
	if (n != first)
		th->busy = true;
	return n - first;
}

/* Copies the wait in progress under its sequence lock. */
static bool read_wait(const struct ct_slot *s, struct ct_wait *ret)
{
	for (int i = 0; i < WAIT_RETRIES; i++) {
		uint32_t seq = ct_load_acquire(&s->wait.seq);

		if (seq & 1)
			continue;
		copy_words(ret, &s->wait, sizeof(*ret));
		ct_fence_read();
		if (ct_load(&s->wait.seq) == seq)
			return true;
	}
	return false;
}

bool ct_drain_waits(const struct ct_slot *s)
{
	return ct_load(&s->wait.call) != 0;
}

uint64_t ct_drain_start(const struct ct_process *p, const struct ct_wait *w)
{
	uint64_t start = ct_load(&w->start);

	if (start)
		return start;
	return p->recording.off & ct_family_bit(w->cause) ? 0 : p->on_ticks[ct_family_number(w->cause)];
}

bool ct_drain_recorded(const struct ct_process *p, const struct ct_thread *th, struct ct_wait *ret)
{
	return read_wait(&p->region->slots[th->slot], ret) && ret->call && ret->start;
}

static bool event_of_wait(const struct ct_process *p, const struct ct_thread *th, struct ct_wait *w,
			  struct ct_event *ret)
{
	if (!read_wait(&p->region->slots[th->slot], w) || !w->call)
		return false;
	w->start = ct_drain_start(p, w);
	if (!w->start)
		return false;
	*ret = (struct ct_event){
		.start = w->start,
		.end = w->start,
		.object = w->object,
		.aux = w->aux,
		.stack = w->stack,
		.owner = w->owner,
		.call = w->call,
		.kind = CT_EVENT_INTERVAL,
		.cause = w->cause,
		.object_kind = w->object_kind,
	};
	return true;
}

bool ct_drain_waiting(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, struct ct_wait *ret)
{
	struct ct_event e;

	return event_of_wait(p, th, ret, &e) && judge(t, p, &e) == TAKE;
}

void ct_drain_wait(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint8_t flags, uint64_t end_ns)
{
	struct ct_event e;
	struct ct_wait w;

	if (!event_of_wait(p, th, &w, &e))
		return;
	e.flags = flags;
	if (judge(t, p, &e) != TAKE) {
		th->damaged++;
		return;
	}
	uint64_t start_ns = ct_process_ns(t, p, e.start);

	if (flags & CT_EV_ABANDONED) {
		/* Events stand in the order of their ends. */
		if (start_ns < th->last_end_ns)
			start_ns = th->last_end_ns;
		end_ns = start_ns;
	} else if (end_ns < start_ns) {
		end_ns = start_ns;
	}
	add(t, p, th, &e, w.stack ? ct_intern_stack(t, p, w.stack) : ct_intern_ip(t, p, w.ip), start_ns, end_ns);
}

void ct_drain_switched(struct ct_trace *t, struct ct_process *p, uint32_t families, uint64_t end_ns)
{
	for (uint32_t i = 0; i < p->slot_count && p->thread_count; i++) {
		struct ct_thread *th = p->threads[i];
		struct ct_wait w;

		/* It will say nothing of it itself. */
		if (th && read_wait(&p->region->slots[i], &w) && w.call && !w.start && ct_family_bit(w.cause) & families)
			ct_drain_wait(t, p, th, CT_EV_OPEN, end_ns);
	}
}
