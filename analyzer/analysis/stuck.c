/* Which waits can never end, and which of them form cycles. See stuck.h. */
#include "stuck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOLDER_NS 1000000000ull /* a wait behind a holder that waits elsewhere is worth a word */

uint64_t ct_pending_ns(const struct ct_pending *p)
{
	return p->seen_ns > p->start_ns ? p->seen_ns - p->start_ns : 0;
}

/* --- who may go on --- */

struct going {
	uint32_t *count; /* by process: its threads that may */
	bool lost;       /* there are threads that the trace does not have */
};

/* Ended by its own will: then somebody went on to the end. */
static bool exited(const struct ct_process_info *p)
{
	return p->ended && (p->how == CT_END_EXEC ||
			    (p->how == CT_END_EXIT && p->status >= 0 && !(p->status & 0x7f)));
}

/* Other processes may have the object in their memory, too: those that run the same
 * program. A shell or a tool that started it hardly does. */
static bool anybody(const struct ct_model *m, const struct going *g, uint32_t process)
{
	if (g->lost || g->count[process])
		return true;
	for (uint32_t i = 0; i < m->process_count; i++)
		if (g->count[i] && ct_stuck_outlives(m, i, process) &&
		    !strcmp(m->process[i].executable, m->process[process].executable))
			return true;
	return false;
}

static bool a_child(const struct ct_model *m, const struct going *g, const struct ct_pending *p)
{
	uint64_t pid = p->info.site.object, parent = m->process[p->info.process].pid;

	for (uint32_t i = 0; i < m->process_count; i++)
		if (g->count[i] && (pid ? m->process[i].pid == pid : m->process[i].parent_pid == parent))
			return true;
	return false;
}

static bool can_end(const struct ct_stuck *s, const struct going *g, const struct ct_pending *p)
{
	for (uint32_t i = 0; i < p->edge_count && p->how != CT_HOW_OUTSIDE; i++)
		if (!s->may_go[s->edge[p->edge + i].to])
			return false;
	switch (p->how) {
	case CT_HOW_OUTSIDE:
	case CT_HOW_THREADS:
		return true;
	case CT_HOW_ANYBODY:
		return anybody(s->model, g, p->info.process);
	case CT_HOW_CHILDREN:
		return a_child(s->model, g, p);
	}
	return true;
}

static int find_going(struct ct_stuck *s)
{
	const struct ct_model *m = s->model;
	struct going g = { calloc(m->process_count + 1u, sizeof(*g.count)), m->lost[CT_LOSS_THREADS] != 0 };

	if (!g.count)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (!s->pending_of[i] && ct_stuck_is_there(s, i)) {
			s->may_go[i] = 1;
			g.count[m->thread[i].process]++;
		}
	for (uint32_t i = 0; i < m->process_count; i++)
		if (exited(&m->process[i]))
			g.count[i]++;
	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = 0; i < s->pending_count; i++) {
			const struct ct_pending *p = &s->pending[i];

			if (s->may_go[p->thread] || !can_end(s, &g, p))
				continue;
			s->may_go[p->thread] = 1;
			g.count[p->info.process]++;
			changed = true;
		}
	}
	free(g.count);
	return 0;
}

/* --- cycles: strongly connected components, by Tarjan without recursion --- */

struct visit {
	uint32_t order, low; /* 0: not visited */
	uint32_t edge;       /* the next to look at */
	bool on_stack;
};

/* The stuck wait that an edge leads to, or CT_NO. */
static uint32_t target(const struct ct_stuck *s, uint32_t edge)
{
	uint32_t thread = s->edge[edge].to, at = s->pending_of[thread];

	return at && !s->may_go[thread] ? at - 1 : CT_NO;
}

static bool waits_for_itself(const struct ct_stuck *s, uint32_t pending)
{
	const struct ct_pending *p = &s->pending[pending];

	for (uint32_t i = 0; i < p->edge_count; i++)
		if (s->edge[p->edge + i].to == p->thread)
			return true;
	return false;
}

/* Puts the members so that each waits for the next, as far as that goes. */
static void order_members(const struct ct_stuck *s, uint32_t *member, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (member[i] < member[0]) {
			uint32_t first = member[i];

			member[i] = member[0];
			member[0] = first;
		}
	for (uint32_t i = 0; i + 1 < count; i++) {
		const struct ct_pending *p = &s->pending[member[i]];
		bool found = false;

		for (uint32_t e = 0; e < p->edge_count && !found; e++)
			for (uint32_t k = i + 1; k < count && !found; k++)
				if (target(s, p->edge + e) == member[k]) {
					uint32_t next = member[k];

					member[k] = member[i + 1];
					member[i + 1] = next;
					found = true;
				}
	}
}

static int take_cycle(struct ct_stuck *s, struct visit *visit, uint32_t *stack, uint32_t *depth, uint32_t root)
{
	uint32_t first = *depth;

	do {
		visit[stack[--first]].on_stack = false;
	} while (stack[first] != root);
	uint32_t count = *depth - first;

	*depth = first;
	if (count == 1 && !waits_for_itself(s, root))
		return 0;
	struct ct_cycle *cycle = CT_APPEND(s, cycle);

	if (!cycle)
		return -ENOMEM;
	*cycle = (struct ct_cycle){ s->member_count, count };
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *member = CT_APPEND(s, member);

		if (!member)
			return -ENOMEM;
		*member = stack[first + i];
		s->pending[*member].cycle = s->cycle_count - 1;
	}
	order_members(s, s->member + cycle->first, count);
	return 0;
}

static int find_from(struct ct_stuck *s, struct visit *visit, uint32_t *stack, uint32_t *path, uint32_t *order,
		     uint32_t start)
{
	uint32_t depth = 0, length = 0;

	path[length++] = stack[depth++] = start;
	visit[start] = (struct visit){ ++*order, *order, 0, true };
	while (length) {
		uint32_t at = path[length - 1];
		struct visit *v = &visit[at];

		if (v->edge < s->pending[at].edge_count) {
			uint32_t to = target(s, s->pending[at].edge + v->edge++);

			if (to != CT_NO && !visit[to].order) {
				path[length++] = stack[depth++] = to;
				visit[to] = (struct visit){ ++*order, *order, 0, true };
			} else if (to != CT_NO && visit[to].on_stack && visit[to].order < v->low) {
				v->low = visit[to].order;
			}
			continue;
		}
		if (v->low == v->order && take_cycle(s, visit, stack, &depth, at))
			return -ENOMEM;
		length--;
		if (length && v->low < visit[path[length - 1]].low)
			visit[path[length - 1]].low = v->low;
	}
	return 0;
}

static int find_cycles(struct ct_stuck *s)
{
	size_t n = s->pending_count + 1u;
	struct visit *visit = calloc(n, sizeof(*visit));
	uint32_t *stack = calloc(n, sizeof(*stack)), *path = calloc(n, sizeof(*path)), order = 0;
	int error = visit && stack && path ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < s->pending_count && !error; i++)
		if (!visit[i].order && !s->may_go[s->pending[i].thread])
			error = find_from(s, visit, stack, path, &order, i);
	free(visit);
	free(stack);
	free(path);
	return error;
}

/* --- why --- */

static enum ct_stuck_why why(const struct ct_stuck *s, const struct ct_pending *p)
{
	if (p->cycle != CT_NO)
		return CT_STUCK_CYCLE;
	bool stuck = !s->may_go[p->thread], behind = false, elsewhere = false;

	for (uint32_t i = 0; i < p->edge_count; i++) {
		const struct ct_edge *e = &s->edge[p->edge + i];

		if (stuck && !ct_stuck_is_there(s, e->to))
			return CT_STUCK_ENDED;
		behind |= !s->may_go[e->to];
		elsewhere |= s->pending_of[e->to] && e->kind != CT_EDGE_END;
	}
	if (stuck)
		return behind ? CT_STUCK_BEHIND : CT_STUCK_NOBODY;
	return elsewhere && !p->limited && ct_pending_ns(p) >= HOLDER_NS ? CT_STUCK_HOLDER : CT_STUCK_NOT;
}

int ct_stuck_find(struct ct_stuck *s, const struct ct_model *m, struct ct_reader *r)
{
	*s = (struct ct_stuck){
		.model = m,
		.pending_of = calloc(m->thread_count + 1u, sizeof(*s->pending_of)),
		.may_go = calloc(m->thread_count + 1u, sizeof(*s->may_go)),
	};
	int error = s->pending_of && s->may_go ? ct_stuck_waits(s, r) : -ENOMEM;

	if (!error)
		error = ct_stuck_edges(s);
	if (!error)
		error = find_going(s);
	if (!error)
		error = find_cycles(s);
	for (uint32_t i = 0; i < s->pending_count && !error; i++)
		s->pending[i].why = why(s, &s->pending[i]);
	return error;
}

void ct_stuck_close(struct ct_stuck *s)
{
	free(s->pending);
	free(s->edge);
	free(s->cycle);
	free(s->member);
	free(s->pending_of);
	free(s->may_go);
	ct_table_free(&s->by_object);
	*s = (struct ct_stuck){ 0 };
}
