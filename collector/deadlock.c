/*
 * Threads that wait for each other, for the trigger of that name: as `ctrace-analyze deadlocks`
 * finds them, but of what can be seen now and within one process: mutexes, read-write locks and
 * joins without a time-out. Every one of those that hold a lock must let go of it, so any
 * circle is a deadlock if it lasts.
 */
#include <stdlib.h>

#include "collector.h"

struct edge {
	uint32_t from, to;    /* slots */
};

struct graph {
	struct edge *edge;    /* owned */
	uint32_t count, room;
	uint8_t *state;       /* of each slot: 0 new, 1 under way, 2 done */
};

static void add_edge(struct graph *g, uint32_t from, uint32_t to)
{
	if (g->count == g->room) {
		uint32_t room = g->room ? g->room * 2 : 64;
		struct edge *larger = realloc(g->edge, room * sizeof(*larger));

		if (!larger)
			return;
		g->edge = larger;
		g->room = room;
	}
	g->edge[g->count++] = (struct edge){ from, to };
}

static uint32_t slot_of_tid(const struct ct_process *p, uint32_t tid)
{
	for (uint32_t i = 0; i < p->slot_count; i++)
		if (p->threads[i] && (uint32_t)p->threads[i]->tid == tid)
			return i;
	return UINT32_MAX;
}

static uint32_t slot_of_pthread(const struct ct_process *p, uint64_t pthread)
{
	for (uint32_t i = 0; i < p->slot_count; i++)
		if (p->threads[i] && p->region->slots[i].pthread == pthread)
			return i;
	return UINT32_MAX;
}

/* Whether a wait ends only when somebody lets go. */
static bool is_patient(uint16_t call)
{
	switch (call) {
	case CT_CALL_pthread_mutex_lock:
	case CT_CALL_mtx_lock:
	case CT_CALL_pthread_rwlock_rdlock:
	case CT_CALL_pthread_rwlock_wrlock:
	case CT_CALL_pthread_join:
	case CT_CALL_thrd_join:
		return true;
	}
	return false;
}

static void edges_of(struct ct_trace *t, struct ct_process *p, uint32_t slot, struct graph *g)
{
	struct ct_holder holder[CT_HOLDERS_MAX];
	struct ct_wait w;

	if (!ct_drain_waiting(t, p, p->threads[slot], &w) || !is_patient(w.call))
		return;
	if (w.object_kind == CT_OBJECT_THREAD) {
		uint32_t to = slot_of_pthread(p, w.object);

		if (to != UINT32_MAX)
			add_edge(g, slot, to);
		return;
	}
	uint32_t n = ct_waiting_holders(p, &w, holder, CT_HOLDERS_MAX);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t to = slot_of_tid(p, holder[i].tid);

		if (to != UINT32_MAX)
			add_edge(g, slot, to);
	}
}

/* Follows what a thread waits for. Without recursion: a chain can be as long as there are threads.
 * Returns a slot in a circle, UINT32_MAX: there is none. */
static uint32_t follow(struct graph *g, uint32_t begin, uint32_t *path)
{
	uint32_t depth = 0;

	path[depth++] = begin;
	g->state[begin] = 1;
	while (depth) {
		uint32_t at = path[depth - 1], next = UINT32_MAX;

		for (uint32_t i = 0; i < g->count && next == UINT32_MAX; i++)
			if (g->edge[i].from == at && g->state[g->edge[i].to] != 2)
				next = g->edge[i].to;
		if (next != UINT32_MAX && g->state[next] == 1)
			return next;
		if (next == UINT32_MAX) {
			g->state[at] = 2;
			depth--;
		} else {
			g->state[next] = 1;
			path[depth++] = next;
		}
	}
	return UINT32_MAX;
}

/* The waits that are under way in the search, as one number. */
static uint64_t mark_of(const struct ct_process *p, const struct graph *g)
{
	uint64_t mark = p->id;

	for (uint32_t i = 0; i < p->slot_count; i++)
		if (p->threads[i] && g->state[i] == 1)
			mark = (mark ^ p->threads[i]->id ^ p->region->slots[i].wait.start) * 0x9e3779b97f4a7c15ull;
	return mark | 1;
}

static uint64_t find_in(struct ct_trace *t, struct ct_process *p, struct ct_reason *ret)
{
	struct graph g = { .state = calloc(p->slot_count, 1) };
	uint32_t *path = calloc(p->slot_count + 1u, sizeof(*path));
	uint64_t mark = 0;

	for (uint32_t i = 0; i < p->slot_count && g.state && path; i++)
		if (p->threads[i] && ct_drain_waits(&p->region->slots[i]))
			edges_of(t, p, i, &g);
	for (uint32_t i = 0; i < g.count && !mark; i++) {
		uint32_t at = g.state[g.edge[i].from] ? UINT32_MAX : follow(&g, g.edge[i].from, path);
		struct ct_wait w;

		if (at == UINT32_MAX || !ct_drain_waiting(t, p, p->threads[at], &w))
			continue;
		mark = mark_of(p, &g);
		*ret = (struct ct_reason){ .pid = (uint32_t)p->pid, .tid = (uint32_t)p->threads[at]->tid,
					   .cause = w.cause, .start_ns = ct_process_ns(t, p, w.start) };
		__builtin_memcpy(ret->thread, p->threads[at]->name, CT_NAME);
	}
	free(g.edge);
	free(g.state);
	free(path);
	return mark;
}

uint64_t ct_deadlock_find(struct ct_collector *c, struct ct_reason *ret_reason)
{
	uint64_t mark = 0;

	for (size_t i = 0; i < c->process_count && !mark; i++)
		if (c->process[i]->thread_count)
			mark = find_in(&c->trace, c->process[i], ret_reason);
	return mark;
}
