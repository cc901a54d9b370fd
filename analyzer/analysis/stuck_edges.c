/* Whom a wait is for: by its cause, its object, and who holds that. See stuck.h. */
#include <errno.h>
#include <string.h>

#include "stuck.h"

/* A process's end is seen a moment after its threads'. */
#define SLACK_NS 50000000ull
#define EDGES_MAX 256u

static uint64_t end_of(const struct ct_model *m, uint32_t process)
{
	return m->process[process].ended ? m->process[process].end_ns : UINT64_MAX - SLACK_NS;
}

bool ct_stuck_outlives(const struct ct_model *m, uint32_t process, uint32_t other)
{
	return m->process[process].started && end_of(m, process) + SLACK_NS >= end_of(m, other);
}

bool ct_stuck_is_there(const struct ct_stuck *s, uint32_t thread)
{
	const struct ct_thread_info *t = &s->model->thread[thread];

	return t->started && (s->pending_of[thread] || !t->ended || t->end_ns + SLACK_NS >= end_of(s->model, t->process));
}

static bool is_limited(const char *call)
{
	return strstr(call, "timed") || strstr(call, "clock");
}

static enum ct_stuck_how how_of(const char *cause, const char *call)
{
	static const struct {
		const char *cause;
		enum ct_stuck_how how;
	} table[] = {
		{ "mutex", CT_HOW_THREADS },	{ "rwlock", CT_HOW_THREADS },	{ "spin", CT_HOW_THREADS },
		{ "once", CT_HOW_THREADS },	{ "join", CT_HOW_THREADS },	{ "cond", CT_HOW_ANYBODY },
		{ "semaphore", CT_HOW_ANYBODY }, { "barrier", CT_HOW_ANYBODY }, { "futex", CT_HOW_ANYBODY },
		{ "child", CT_HOW_CHILDREN },
	};

	if (is_limited(call))
		return CT_HOW_OUTSIDE;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(cause, table[i].cause))
			return table[i].how;
	return CT_HOW_OUTSIDE;
}

/* The thread with a tid: in the process, or, where memory is shared, in another. */
static uint32_t thread_of(const struct ct_stuck *s, uint32_t process, uint64_t tid)
{
	const struct ct_model *m = s->model;
	uint32_t at = ct_model_tid(m, process, tid);

	for (uint32_t i = 0; at == CT_NO && i < m->process_count; i++) {
		uint32_t other = i == process ? CT_NO : ct_model_tid(m, i, tid);

		if (other != CT_NO && ct_stuck_outlives(m, i, process))
			at = other;
	}
	return at;
}

/* Adds an edge of the pending wait that is being looked at, the last one. 0 or -ENOMEM. */
static int add(struct ct_stuck *s, struct ct_pending *p, uint32_t to, enum ct_edge_kind kind, uint32_t stack)
{
	/* Fewer edges are fewer reasons to be stuck: what is said stays true. */
	if (p->edge_count >= EDGES_MAX)
		return 0;
	for (uint32_t i = 0; i < p->edge_count; i++)
		if (s->edge[p->edge + i].to == to)
			return 0;
	struct ct_edge *e = CT_APPEND(s, edge);

	if (!e)
		return -ENOMEM;
	*e = (struct ct_edge){ to, kind, stack };
	p->edge_count++;
	return 0;
}

/* stack: where it took the lock, CT_NO: not known. */
static int add_tid(struct ct_stuck *s, struct ct_pending *p, uint64_t tid, enum ct_edge_kind kind, uint32_t stack)
{
	uint32_t thread = thread_of(s, p->info.process, tid);

	/* Not in the trace: then it may do anything. */
	if (thread == CT_NO) {
		p->how = CT_HOW_OUTSIDE;
		return 0;
	}
	return add(s, p, thread, kind, stack);
}

/* What HOLDER records say of a lock. */
struct held {
	bool asked;      /* there is one */
	bool shared;
};

static int add_holders(struct ct_stuck *s, struct ct_pending *p, uint64_t lock, bool mutex_of_cond, struct held *ret)
{
	const struct ct_model *m = s->model;
	int error = 0;

	for (uint32_t i = 0; i < m->holder_count && !error; i++) {
		const struct ct_holder_info *h = &m->holder[i];

		if (h->process != p->info.process || h->object != lock || h->seen_ns < p->start_ns)
			continue;
		ret->asked = true;
		ret->shared |= h->shared;
		/* A thread that waits for a condition has let go of the mutex: what says
		 * otherwise was seen a moment before. */
		if (h->tid && !(mutex_of_cond && h->tid == m->thread[p->thread].tid))
			error = add_tid(s, p, h->tid, mutex_of_cond ? CT_EDGE_MUTEX :
						      h->shared	    ? CT_EDGE_READER :
								      CT_EDGE_HOLDER,
					ct_model_stack(m, h->process, h->stack));
	}
	return error;
}

static bool is_read(const struct ct_model *m, const struct ct_pending *p)
{
	return strstr(ct_model_call_name(m, p->info.site.call), "rdlock") != NULL;
}

/* A reader that is not let in while others read stands behind a writer. */
static int add_writers(struct ct_stuck *s, struct ct_pending *p)
{
	uint64_t lock = p->info.site.object;
	int error = 0;

	for (uint32_t i = ct_stuck_for(s, p->info.process, lock); i && !error; i = s->pending[i - 1].next) {
		const struct ct_pending *w = &s->pending[i - 1];

		if (w->info.site.object == lock && w->info.process == p->info.process && w != p && !is_read(s->model, w))
			error = add(s, p, w->thread, CT_EDGE_WRITER, CT_NO);
	}
	return error;
}

static int lock_edges(struct ct_stuck *s, struct ct_pending *p)
{
	const struct ct_site *site = &p->info.site;
	struct held held = { 0 };
	int error = add_holders(s, p, site->object, false, &held);

	if (!error && held.shared && is_read(s->model, p)) {
		p->edge_count = 0; /* those who read do not stand in a reader's way */
		s->edge_count = p->edge;
		error = add_writers(s, p);
	}
	if (!error && !held.asked && site->owner && !p->stale)
		error = add_tid(s, p, site->owner, CT_EDGE_HOLDER, CT_NO);
	if (!p->edge_count && p->how == CT_HOW_THREADS)
		p->how = CT_HOW_ANYBODY;
	return error;
}

/* Others that wait for the same mutex may have noted who holds it. */
static int mutex_edges(struct ct_stuck *s, struct ct_pending *p)
{
	uint64_t mutex = p->info.site.aux;
	struct held held = { 0 };
	int error = mutex ? add_holders(s, p, mutex, true, &held) : 0;

	if (!mutex || held.asked)
		return error;
	for (uint32_t i = ct_stuck_for(s, p->info.process, mutex); i && !error; i = s->pending[i - 1].next) {
		const struct ct_pending *w = &s->pending[i - 1];

		if (w->info.site.object == mutex && w->info.process == p->info.process && w->info.site.owner && !w->stale &&
		    w->info.site.owner != s->model->thread[p->thread].tid && w->start_ns >= p->start_ns)
			error = add_tid(s, p, w->info.site.owner, CT_EDGE_MUTEX, CT_NO);
	}
	return error;
}

static int join_edge(struct ct_stuck *s, struct ct_pending *p)
{
	uint32_t thread = ct_model_pthread(s->model, p->info.process, p->info.site.object);

	if (p->info.site.object_kind != CT_OBJECT_THREAD || thread == CT_NO || !ct_stuck_is_there(s, thread)) {
		p->how = CT_HOW_OUTSIDE;
		return 0;
	}
	return add(s, p, thread, CT_EDGE_END, CT_NO);
}

/* A child with one thread is as good as that thread. */
static int child_edge(struct ct_stuck *s, struct ct_pending *p)
{
	const struct ct_model *m = s->model;
	uint64_t pid = p->info.site.object;
	uint32_t threads = 0, thread = CT_NO;

	for (uint32_t i = 0; i < m->thread_count; i++) {
		const struct ct_process_info *q = &m->process[m->thread[i].process];

		if ((pid ? q->pid == pid : q->parent_pid == m->process[p->info.process].pid) &&
		    ct_stuck_outlives(m, m->thread[i].process, p->info.process) && ct_stuck_is_there(s, i)) {
			threads++;
			thread = i;
		}
	}
	if (!threads)
		p->how = CT_HOW_OUTSIDE;
	if (threads != 1)
		return 0;
	p->how = CT_HOW_THREADS;
	return add(s, p, thread, CT_EDGE_END, CT_NO);
}

int ct_stuck_edges(struct ct_stuck *s)
{
	const struct ct_model *m = s->model;
	int error = 0;

	for (uint32_t i = 0; i < s->pending_count && !error; i++) {
		struct ct_pending *p = &s->pending[i];
		const struct ct_site *site = &p->info.site;
		const char *cause = ct_model_cause_name(m, site->cause), *call = ct_model_call_name(m, site->call);

		p->edge = s->edge_count;
		p->limited = is_limited(call);
		p->how = how_of(cause, call);
		p->hedged = !strcmp(cause, "semaphore") || !strcmp(cause, "futex");
		if (!strcmp(cause, "join"))
			error = p->limited ? 0 : join_edge(s, p);
		else if (p->how == CT_HOW_CHILDREN)
			error = child_edge(s, p);
		else if (!strcmp(cause, "cond") && !p->limited)
			error = mutex_edges(s, p);
		else if (p->how == CT_HOW_THREADS)
			error = lock_edges(s, p);
	}
	return error;
}
