/*
 * Threads that wait for each other, for the trigger of that name: as `ctrace-analyze deadlocks`
 * finds them, but of what can be seen now and within one process: mutexes, read-write locks and
 * joins without a time-out. Every one of those that hold a lock must let go of it, so any
 * circle is a deadlock if it lasts.
 */
#include <stdlib.h>
#include <string.h>

#include "collector.h"

#define WAITERS_MAX 2048u /* of a process, that are looked at */

struct edge {
	uint32_t from, to;    /* slots */
};

struct graph {
	struct edge *edge;    /* by from; owned */
	uint32_t count, room;
	uint32_t *first;      /* of each slot: its first edge, if it has one; owned */
	uint8_t *state;       /* likewise: 0 new, 1 under way, 2 done */
	uint32_t *path;       /* those under way */
	uint32_t depth;
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
	if (!g->count || g->edge[g->count - 1].from != from)
		g->first[from] = g->count;
	g->edge[g->count++] = (struct edge){ from, to };
}

static uint32_t slot_of_tid(const struct ct_process *p, uint32_t tid)
{
	for (uint32_t i = 0; i < p->slot_count; i++)
		if (p->threads[i] && (uint32_t)p->threads[i]->own_tid == tid)
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

static uint32_t next_of(const struct graph *g, uint32_t slot)
{
	for (uint32_t i = g->first[slot]; i < g->count && g->edge[i].from == slot; i++)
		if (g->state[g->edge[i].to] != 2)
			return g->edge[i].to;
	return UINT32_MAX;
}

/* Follows what a thread waits for. Without recursion: a chain can be as long as there are threads.
 * Returns where the path meets itself, as a place in it; UINT32_MAX: it does not. */
static uint32_t follow(struct graph *g, uint32_t begin)
{
	g->depth = 0;
	g->path[g->depth++] = begin;
	g->state[begin] = 1;
	while (g->depth) {
		uint32_t at = g->path[g->depth - 1], next = next_of(g, at), place = 0;

		if (next == UINT32_MAX) {
			g->state[at] = 2;
			g->depth--;
			continue;
		}
		if (g->state[next] == 1) {
			while (g->path[place] != next)
				place++;
			return place;
		}
		g->state[next] = 1;
		g->path[g->depth++] = next;
	}
	return UINT32_MAX;
}

/* The waits in a circle as one number, wherever it was entered. */
static uint64_t mark_of(const struct ct_process *p, const struct graph *g, uint32_t place)
{
	uint64_t mark = 0;

	for (uint32_t i = place; i < g->depth; i++)
		mark += (p->threads[g->path[i]]->id ^ p->region->slots[g->path[i]].wait.start) * 0x9e3779b97f4a7c15ull;
	return mark | 1;
}

static void make_graph(struct ct_trace *t, struct ct_process *p, struct graph *g)
{
	for (uint32_t i = 0, waiters = 0; i < p->slot_count && waiters < WAITERS_MAX; i++)
		if (p->threads[i] && ct_drain_waits(&p->region->slots[i])) {
			edges_of(t, p, i, g);
			waiters++;
		}
}

static uint64_t find_in(struct ct_trace *t, struct ct_process *p, struct ct_reason *ret)
{
	struct graph g = { .first = calloc(p->slot_count, sizeof(*g.first)), .state = calloc(p->slot_count, 1),
			   .path = calloc(p->slot_count + 1u, sizeof(*g.path)) };
	uint64_t mark = 0;

	/* Slots without an edge must not seem to have one. */
	for (uint32_t i = 0; g.first && i < p->slot_count; i++)
		g.first[i] = UINT32_MAX;
	if (g.first && g.state && g.path)
		make_graph(t, p, &g);
	for (uint32_t i = 0; i < g.count && !mark; i++) {
		uint32_t place = g.state[g.edge[i].from] ? UINT32_MAX : follow(&g, g.edge[i].from);
		struct ct_wait w;

		if (place == UINT32_MAX || !ct_drain_waiting(t, p, p->threads[g.path[place]], &w))
			continue;
		const struct ct_thread *th = p->threads[g.path[place]];

		mark = mark_of(p, &g, place);
		*ret = (struct ct_reason){ .pid = (uint32_t)p->pid, .tid = (uint32_t)th->tid, .cause = w.cause,
					   .start_ns = ct_process_ns(t, p, w.start) };
		memcpy(ret->thread, th->name, CT_NAME);
	}
	free(g.edge);
	free(g.first);
	free(g.state);
	free(g.path);
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
