/* Sums of waits for who looks on. See live.h. */
#include "live.h"

#include <stdlib.h>
#include <string.h>

#include "process.h"

#define KEEP_MAX_NS 10000000000000ull

static void begin(struct ct_live *l, uint64_t now_ns)
{
	uint64_t until_ns = l->until_ns;

	memset(l, 0, sizeof(*l));
	l->begun_ns = now_ns;
	l->until_ns = until_ns;
}

bool ct_live_look(struct ct_process *p, uint64_t now_ns, uint64_t keep_ns)
{
	bool anew = !p->live || now_ns > p->live->until_ns;

	if (!p->live)
		p->live = calloc(1, sizeof(*p->live));
	if (!p->live)
		return false;
	if (anew)
		begin(p->live, now_ns);
	keep_ns = keep_ns < KEEP_MAX_NS ? keep_ns : KEEP_MAX_NS;
	if (anew || now_ns + keep_ns > p->live->until_ns)
		p->live->until_ns = now_ns + keep_ns;
	return true;
}

void ct_live_told(struct ct_process *p, uint64_t now_ns)
{
	/* Those of a program that goes on may be others by now. */
	if (p->live->count >= CT_LIVE_SITES * 3 / 4)
		begin(p->live, now_ns);
}

/* NULL without memory. */
static struct ct_live_thread *thread_of(struct ct_process *p, struct ct_thread *th)
{
	if (!th->live)
		th->live = calloc(1, sizeof(*th->live));
	if (th->live && th->live->begun_ns != p->live->begun_ns)
		*th->live = (struct ct_live_thread){ .begun_ns = p->live->begun_ns, .counted_ns = p->live->begun_ns };
	return th->live;
}

const struct ct_live_thread *ct_live_of(const struct ct_process *p, const struct ct_thread *th)
{
	return p->live && th->live && th->live->begun_ns == p->live->begun_ns ? th->live : NULL;
}

/* What a call's own time is since it was last counted: without that of calls that it made. */
static uint64_t own_ns(struct ct_live_thread *t, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t from_ns = start_ns > t->counted_ns ? start_ns : t->counted_ns;
	uint64_t own = end_ns > from_ns ? end_ns - from_ns : 0, inner = 0;

	while (t->nested_count && t->nested[t->nested_count - 1].start_ns >= start_ns)
		inner += t->nested[--t->nested_count].own_ns;
	/* The oldest one is forgotten. */
	if (t->nested_count == CT_LIVE_NESTED)
		memmove(t->nested, t->nested + 1, sizeof(t->nested[0]) * --t->nested_count);
	/* Of who made this one, all of it is another's. */
	t->nested[t->nested_count].start_ns = start_ns;
	t->nested[t->nested_count++].own_ns = own > inner ? own : inner;
	return own > inner ? own - inner : 0;
}

static bool same(const struct ct_live_what *a, const struct ct_live_what *b)
{
	return a->object == b->object && a->ip == b->ip && a->stack == b->stack && a->call == b->call &&
	       a->cause == b->cause && a->object_kind == b->object_kind;
}

/* Its place, or a free one. */
static struct ct_live_site *find(struct ct_live *l, const struct ct_live_what *what)
{
	uint64_t h = (what->object ^ what->ip ^ (uint64_t)what->stack << 32 ^ (uint64_t)what->call << 16 ^ what->cause) *
		     0x9e3779b97f4a7c15ull;
	uint32_t i = (uint32_t)(h >> 40) % CT_LIVE_SITES;

	while (l->site[i].what.call && !same(&l->site[i].what, what))
		i = (i + 1) % CT_LIVE_SITES;
	return &l->site[i];
}

static void add(struct ct_live *l, const struct ct_live_what *one, uint64_t count, uint64_t own, uint64_t elapsed)
{
	struct ct_live_what what = *one;
	struct ct_live_site *s = find(l, &what);

	/* A server has a thousand connections, but not a thousand places where it reads from them. */
	if (!s->what.call && l->count >= CT_LIVE_SITES * 3 / 4) {
		what.object = 0;
		what.object_kind = CT_OBJECT_NONE;
		s = find(l, &what);
	}
	if (!s->what.call && l->count >= CT_LIVE_SITES * 15 / 16) {
		l->other_count += count ? count : 1;
		l->other_ns += own;
		return;
	}
	l->count += !s->what.call;
	s->what = what;
	s->count += count;
	s->total_ns += own;
	if (elapsed > s->max_ns)
		s->max_ns = elapsed;
}

void ct_live_wait(struct ct_process *p, struct ct_thread *th, const struct ct_event *e, uint64_t start_ns,
		  uint64_t end_ns)
{
	struct ct_live *l = p->live;

	if (end_ns > l->until_ns) {
		free(l);
		p->live = NULL;
		return;
	}
	struct ct_live_thread *t = thread_of(p, th);

	if (!t || !e->call || end_ns <= start_ns || end_ns <= l->begun_ns)
		return;
	struct ct_live_what what = { .object = e->object, .stack = e->stack, .call = e->call, .cause = e->cause,
				     .object_kind = e->object_kind };

	add(l, &what, 1, own_ns(t, start_ns, end_ns), end_ns - start_ns);
	uint32_t n = t->last_count++ % CT_LIVE_LAST;

	t->last[n].what = what;
	t->last[n].start_ns = start_ns;
	t->last[n].end_ns = end_ns;
	t->last[n].owner = e->owner;
}

void ct_live_waiting(struct ct_process *p, struct ct_thread *th, const struct ct_live_what *what, uint64_t start_ns,
		     uint64_t now_ns)
{
	struct ct_live_thread *t = thread_of(p, th);

	if (!t || !what->call)
		return;
	uint64_t from_ns = start_ns > t->counted_ns ? start_ns : t->counted_ns;

	if (now_ns <= from_ns)
		return;
	add(p->live, what, 0, now_ns - from_ns, now_ns - start_ns);
	t->counted_ns = now_ns;
}
