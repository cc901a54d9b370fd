/* Runs the steps. See replay.h. */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- a heap of threads by time --- */

struct entry {
	double at;
	uint32_t thread, number; /* number: the first that came goes first */
};

struct heap {
	CT_ARRAY(struct entry, entry);
	uint32_t numbers;
};

static bool before(const struct entry *a, const struct entry *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static int push(struct heap *h, double at, uint32_t thread)
{
	if (!CT_APPEND(h, entry))
		return -ENOMEM;
	struct entry e = { at, thread, h->numbers++ };
	uint32_t i = h->entry_count - 1;

	for (; i && before(&e, &h->entry[(i - 1) / 2]); i = (i - 1) / 2)
		h->entry[i] = h->entry[(i - 1) / 2];
	h->entry[i] = e;
	return 0;
}

static struct entry pop(struct heap *h)
{
	struct entry first = h->entry[0], last = h->entry[--h->entry_count];
	uint32_t i = 0, n = h->entry_count;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(&h->entry[child + 1], &h->entry[child]))
			child++;
		if (!before(&h->entry[child], &last))
			break;
		h->entry[i] = h->entry[child];
		i = child;
	}
	if (n)
		h->entry[i] = last;
	return first;
}

/* --- the machine --- */

enum status {
	GOES,
	RUNS,    /* in the heap of runs */
	SLEEPS,  /* in the heap of times */
	WAITS,   /* for a point */
	QUEUES,  /* for a lock */
	STAYS,
	DONE,
};

struct actor {
	uint32_t at;            /* its next step */
	uint32_t next;          /* of those who wait for the same: thread + 1 */
	uint32_t turns;         /* locks taken, for their parts */
	enum status status;
	bool woken;             /* was let go on, and tries again */
	double end;
};

struct lock {
	uint32_t first, last;   /* queue: thread + 1 */
	uint32_t holder;        /* thread + 1; 0: free */
	uint32_t coming;        /* were let go on, and have not tried again yet */
};

struct machine {
	const struct ct_replay *r;
	const struct ct_change *change;
	struct actor *actor;
	struct lock *lock;      /* parts of each object */
	uint32_t parts;
	uint32_t *waiting;      /* by point: thread + 1 */
	bool *reached;
	uint32_t *part_of;      /* by thread: the part that it took last */
	struct heap runs, times;
	double now, work;       /* work: what each running thread has done */
	uint64_t steps;
};

static double rate(const struct machine *m)
{
	uint32_t n = m->runs.entry_count;

	return !m->r->cpus || n <= m->r->cpus ? 1 : (double)m->r->cpus / n;
}

static struct lock *part(struct machine *m, uint32_t lock, uint32_t thread, bool new)
{
	if (new)
		m->part_of[thread] = m->parts > 1 && m->change->lock && m->change->lock[lock] ?
			(uint32_t)(ct_mix(ct_pair(thread + 1, m->actor[thread].turns++) * 0x9e3779b97f4a7c15ull) >> 33) %
			m->parts : 0;
	return &m->lock[(size_t)lock * m->parts + m->part_of[thread]];
}

static void enqueue(struct machine *m, struct lock *l, uint32_t thread)
{
	m->actor[thread].next = 0;
	m->actor[thread].status = QUEUES;
	if (l->last)
		m->actor[l->last - 1].next = thread + 1;
	else
		l->first = thread + 1;
	l->last = thread + 1;
}

/* The head of the queue tries again when it gets to run. */
static int let_go(struct machine *m, struct lock *l)
{
	if (!l->first)
		return 0;
	uint32_t thread = l->first - 1;
	struct actor *a = &m->actor[thread];

	l->first = a->next;
	if (!l->first)
		l->last = 0;
	a->status = SLEEPS;
	a->woken = true;
	l->coming++;
	return push(&m->times, m->now + m->r->thread[thread].step[a->at].delay_ns, thread);
}

static int reach(struct machine *m, uint32_t point)
{
	uint32_t thread = m->waiting[point];

	m->reached[point] = true;
	m->waiting[point] = 0;
	if (!thread--)
		return 0;
	struct actor *a = &m->actor[thread];
	uint32_t delay_ns = m->r->thread[thread].step[a->at++].delay_ns;

	a->status = SLEEPS;
	return push(&m->times, m->now + delay_ns, thread);
}

/* A lock for writing, or one look at it for reading. True: it may go on. */
static bool take(struct machine *m, uint32_t thread, const struct ct_step *s)
{
	struct actor *a = &m->actor[thread];
	struct lock *l = part(m, s->what, thread, !a->woken);

	l->coming -= a->woken;
	/* Who had to wait in the trace does not overtake those who are on their way. */
	if ((l->holder && l->holder != thread + 1) || (s->ns && !a->woken && l->coming)) {
		enqueue(m, l, thread);
		a->woken = false;
		return false;
	}
	a->woken = false;
	if (s->kind == CT_STEP_TAKE)
		l->holder = thread + 1;
	return true;
}

static int give(struct machine *m, uint32_t thread, uint32_t lock)
{
	for (uint32_t i = 0; i < m->parts; i++) {
		struct lock *l = &m->lock[(size_t)lock * m->parts + i];

		if (l->holder != thread + 1)
			continue;
		l->holder = 0;
		return let_go(m, l);
	}
	return 0;
}

/* Until it has to wait for time, for a CPU, or for another. */
static int go_on(struct machine *m, uint32_t thread)
{
	const struct ct_replayed_thread *t = &m->r->thread[thread];
	struct actor *a = &m->actor[thread];
	int error = 0;

	for (a->status = GOES; !error;) {
		if (a->at >= t->step_count) {
			a->status = DONE;
			a->end = m->now;
			return 0;
		}
		const struct ct_step *s = &t->step[a->at];

		m->steps++;
		switch (s->kind) {
		case CT_STEP_RUN:
			a->at++;
			a->status = RUNS;
			return push(&m->runs, m->work + (double)s->ns, thread);
		case CT_STEP_SLEEP:
			a->at++;
			a->status = SLEEPS;
			return push(&m->times, m->now + (double)s->ns, thread);
		case CT_STEP_POINT:
			error = reach(m, s->what);
			break;
		case CT_STEP_WAIT:
			if (m->reached[s->what])
				break;
			m->waiting[s->what] = thread + 1;
			a->status = WAITS;
			return 0;
		case CT_STEP_TAKE:
		case CT_STEP_SHARE:
			if (!take(m, thread, s))
				return 0;
			if (s->kind == CT_STEP_SHARE) /* all readers go at once */
				error = let_go(m, part(m, s->what, thread, false));
			break;
		case CT_STEP_GIVE:
			error = give(m, thread, s->what);
			break;
		default:
			a->status = STAYS;
			return 0;
		}
		a->at++;
	}
	return error;
}

/* Threads that wait for each other: the clocks differ by a little. One goes on. */
static int break_circle(struct machine *m, struct ct_prediction *p, bool *ret_found)
{
	*ret_found = false;
	for (uint32_t t = 0; t < m->r->lives->m->thread_count; t++) {
		struct actor *a = &m->actor[t];
		const struct ct_step *s = a->status == WAITS || a->status == QUEUES ? &m->r->thread[t].step[a->at] : NULL;

		if (!s)
			continue;
		p->broken++;
		*ret_found = true;
		if (a->status == WAITS)
			return reach(m, s->what);
		struct lock *l = part(m, s->what, t, false);

		l->holder = 0;
		return let_go(m, l);
	}
	return 0;
}

static int play(struct machine *m, struct ct_prediction *p)
{
	uint32_t threads = m->r->lives->m->thread_count;
	int error = 0;

	for (uint32_t t = 0; t < threads && !error; t++)
		error = go_on(m, t);
	while (!error && m->actor[m->r->end].status != DONE && m->actor[m->r->end].status != STAYS) {
		bool found = true;

		if (!m->runs.entry_count && !m->times.entry_count) {
			error = break_circle(m, p, &found);
			if (!found)
				break;
			continue;
		}
		double speed = rate(m);
		double run_at = m->runs.entry_count ? m->now + (m->runs.entry[0].at - m->work) / speed : 0;
		bool run = m->runs.entry_count && (!m->times.entry_count || run_at <= m->times.entry[0].at);
		double at = run ? run_at : m->times.entry[0].at;

		if (at > m->now) {
			if (m->runs.entry_count)
				m->work += (at - m->now) * speed;
			m->now = at;
		}
		error = go_on(m, pop(run ? &m->runs : &m->times).thread);
	}
	p->complete = m->actor[m->r->end].status == DONE;
	p->wall_ns = ct_whole_ns(p->complete ? m->actor[m->r->end].end : m->now);
	p->steps = m->steps;
	return error;
}

int ct_replay_run(struct ct_replay *r, const struct ct_change *change, struct ct_prediction *ret)
{
	struct machine m = { .r = r, .change = change, .parts = change->split > 1 ? change->split : 1 };
	uint32_t threads = r->lives->m->thread_count;
	int error = ct_replay_steps(r, change);

	*ret = (struct ct_prediction){ 0 };
	m.actor = calloc(threads + 1u, sizeof(*m.actor));
	m.part_of = calloc(threads + 1u, sizeof(*m.part_of));
	m.lock = calloc((size_t)(r->lives->wakes.object_count + 1u) * m.parts, sizeof(*m.lock));
	m.waiting = calloc(r->points + 1u, sizeof(*m.waiting));
	m.reached = calloc(r->points + 1u, sizeof(*m.reached));
	if (!m.actor || !m.part_of || !m.lock || !m.waiting || !m.reached)
		error = -ENOMEM;
	if (!error)
		error = play(&m, ret);
	free(m.actor);
	free(m.part_of);
	free(m.lock);
	free(m.waiting);
	free(m.reached);
	free(m.runs.entry);
	free(m.times.entry);
	return error;
}

/* --- when the program used all CPUs --- */

struct edge {
	uint64_t ns;
	int32_t by;
};

static int by_time(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;

	return a->ns != b->ns ? (a->ns < b->ns ? -1 : 1) : (a->by > b->by) - (a->by < b->by);
}

static int find_full(struct ct_replay *r)
{
	const struct ct_wakes *w = &r->lives->wakes;
	uint64_t n = 0, before_ns = 0;
	uint32_t running = 0, k = 0;

	for (uint32_t t = 0; t < w->runs_count; t++)
		n += 2ull * w->runs[t].run_count;
	struct edge *edge = malloc((n + 1) * sizeof(*edge));

	if (!edge)
		return -ENOMEM;
	for (uint32_t t = 0; t < w->runs_count; t++)
		for (uint32_t i = 0; i < w->runs[t].run_count; i++) {
			edge[k++] = (struct edge){ w->runs[t].run[i].start_ns, 1 };
			edge[k++] = (struct edge){ w->runs[t].run[i].end_ns, -1 };
		}
	qsort(edge, k, sizeof(*edge), by_time);
	for (uint32_t i = 0; i < k; i++) {
		bool was = running >= r->cpus;

		running += (uint32_t)edge[i].by;
		if (was == (running >= r->cpus))
			continue;
		struct ct_full *f = CT_APPEND(r, full);

		if (!f) {
			free(edge);
			return -ENOMEM;
		}
		if (was)
			before_ns += edge[i].ns - f[-1].ns;
		*f = (struct ct_full){ edge[i].ns, before_ns, !was };
	}
	free(edge);
	return 0;
}

int ct_replay_open(struct ct_replay *r, const struct ct_lives *l, uint32_t end, uint64_t from_ns)
{
	*r = (struct ct_replay){ .lives = l, .end = end, .from_ns = from_ns };
	r->thread = calloc(l->m->thread_count + 1u, sizeof(*r->thread));
	r->cpus = l->m->cpu_count;
	if (!r->thread)
		return -ENOMEM;
	return r->cpus ? find_full(r) : 0;
}

void ct_replay_close(struct ct_replay *r)
{
	for (uint32_t i = 0; r->thread && i < r->lives->m->thread_count; i++) {
		free(r->thread[i].point);
		free(r->thread[i].step);
	}
	free(r->thread);
	free(r->full);
	*r = (struct ct_replay){ 0 };
}
