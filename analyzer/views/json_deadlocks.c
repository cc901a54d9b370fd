/* deadlocks as one JSON object. */
#include <errno.h>
#include <stdlib.h>

#include "json_parts.h"
#include "objects.h"
#include "stuck_print.h"

static json_t *thread_json(const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];
	json_t *o = json_object();

	ct_json_number(o, "pid", m->process[t->process].pid);
	ct_json_number(o, "tid", t->tid);
	ct_json_text(o, "name", t->name);
	return o;
}

const struct ct_edge *ct_stuck_main_edge(const struct ct_stuck *s, const struct ct_pending *p)
{
	for (uint32_t i = 0; i < p->edge_count && p->cycle != CT_NO; i++) {
		const struct ct_edge *e = &s->edge[p->edge + i];
		uint32_t at = s->pending_of[e->to];

		if (at && s->pending[at - 1].cycle == p->cycle)
			return e;
	}
	return p->edge_count ? &s->edge[p->edge] : NULL;
}

static void add_stack(struct ct_deadlocks *d, json_t *o, uint32_t stack)
{
	uint32_t callstack;

	if (ct_callstack_of(&d->report.callstacks, stack, &callstack))
		ct_json_fail();
	else
		ct_json_set(o, "stack", ct_json_stack(&d->report.callstacks, &d->report.symbols, callstack));
}

bool ct_stuck_certain(const struct ct_pending *p)
{
	return p->why != CT_STUCK_HOLDER && !(p->why == CT_STUCK_NOBODY && p->hedged) && p->why != CT_STUCK_NOT;
}

static json_t *pending_json(struct ct_deadlocks *d, const struct ct_pending *p)
{
	const struct ct_model *m = &d->model;
	const struct ct_stuck *s = &d->stuck;
	const struct ct_site *site = &p->info.site;
	const struct ct_edge *edge = ct_stuck_main_edge(s, p);
	char *object = ct_object_label(&d->report.symbols, m, &p->info);
	json_t *o = thread_json(m, p->thread), *holders = json_array();

	ct_json_text(o, "cause", ct_model_cause_name(m, site->cause));
	ct_json_text(o, "object", object);
	ct_json_text(o, "call", ct_model_call_name(m, site->call));
	ct_json_number(o, "address", site->object);
	ct_json_number(o, "wait_ns", ct_pending_ns(p));
	ct_json_set(o, "held_by", edge ? json_integer((json_int_t)m->thread[edge->to].tid) : json_null());
	for (uint32_t i = 0; i < p->edge_count; i++) {
		const struct ct_edge *e = &s->edge[p->edge + i];
		json_t *holder = thread_json(m, e->to);

		ct_json_text(holder, "role", ct_edge_word(e->kind));
		ct_json_set(holder, "ended", json_boolean(!ct_stuck_is_there(s, e->to)));
		add_stack(d, holder, e->stack);
		ct_json_append(holders, holder);
	}
	ct_json_set(o, "holders", holders);
	ct_json_text(o, "reason", ct_stuck_word(p->why));
	ct_json_set(o, "certain", json_boolean(ct_stuck_certain(p)));
	ct_json_number(o, "wakes", p->wakes);
	add_stack(d, o, ct_model_stack(m, p->info.process, site->stack));
	if (!object)
		ct_json_fail();
	free(object);
	return o;
}

static json_t *cycles_json(struct ct_deadlocks *d)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < d->stuck.cycle_count; i++) {
		const struct ct_cycle *cycle = &d->stuck.cycle[i];
		json_t *o = json_object(), *threads = json_array();

		for (uint32_t k = 0; k < cycle->count; k++)
			ct_json_append(threads, pending_json(d, &d->stuck.pending[d->stuck.member[cycle->first + k]]));
		ct_json_set(o, "threads", threads);
		if (ct_deadlocks_shows_cycle(d, cycle))
			ct_json_append(array, o);
		else
			json_decref(o);
	}
	return array;
}

static json_t *list_json(struct ct_deadlocks *d, bool stalls)
{
	uint32_t top = d->c->options->top, n = 0;
	json_t *array = json_array();

	for (uint32_t i = 0; i < d->stuck.pending_count && (!top || n < top); i++) {
		const struct ct_pending *p = &d->stuck.pending[i];

		if (p->why == CT_STUCK_CYCLE || ct_stuck_stalls(p) != stalls || !ct_deadlocks_shows(d, p))
			continue;
		ct_json_append(array, pending_json(d, p));
		n++;
	}
	return array;
}

int ct_deadlocks_json(struct ct_deadlocks *d)
{
	json_t *o = json_object();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(d->c, &d->model));
	ct_json_set(o, "cycles", cycles_json(d));
	ct_json_set(o, "stalls", list_json(d, true));
	ct_json_set(o, "open", list_json(d, false));
	if (!ct_json_failed() && !json_dumpf(o, d->c->out.file, JSON_INDENT(1)))
		fputc('\n', d->c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}
