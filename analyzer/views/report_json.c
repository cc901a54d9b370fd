/* The report as one JSON object. The keys are a contract: see docs. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "costs.h"
#include "json_parts.h"
#include "lock_details.h"
#include "modules.h"
#include "objects.h"
#include "report_group_by.h"
#include "report_groups.h"
#include "report_sort.h"

json_t *ct_json_trace(const struct ct_context *c, const struct ct_model *m)
{
	json_t *o = json_object(), *commands = json_array();

	ct_json_number(o, "format", c->reader.header.version);
	ct_json_number(o, "duration_ns", m->end_ns - m->start_ns);
	ct_json_number(o, "processes", m->process_count);
	ct_json_number(o, "threads", m->thread_count);
	ct_json_number(o, "events", m->events);
	ct_json_number(o, "lost_events", ct_model_lost_events(m));
	ct_json_set(o, "complete", json_boolean(ct_is_complete(c, m)));
	ct_json_text(o, "sched", ct_sched_name(m));
	ct_json_number(o, "damaged", c->reader.damaged);
	ct_json_number(o, "lost_stacks", m->lost[CT_LOSS_STACKS]);
	ct_json_number(o, "lost_threads", m->lost[CT_LOSS_THREADS]);
	ct_json_number(o, "lost_modules", m->lost[CT_LOSS_MODULES]);
	ct_json_number(o, "lost_switches", m->lost[CT_LOSS_SWITCHES]);
	ct_json_number(o, "start_real_ns", c->reader.header.start_real_ns);
	ct_json_number(o, "file_bytes", c->reader.file_bytes);
	if (*ct_model_meta(m, "snapshot"))
		ct_json_text(o, "snapshot", ct_model_meta(m, "snapshot"));
	for (uint32_t i = 0; i < m->process_count; i++)
		ct_json_append(commands, json_string(m->process[i].command));
	ct_json_set(o, "commands", commands);
	ct_json_set(o, "filters", ct_json_filters(c, m));
	return o;
}

static json_t *causes_json(const struct ct_report *r)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->cause_count; i++) {
		const struct ct_cause_row *row = &r->cause[i];
		json_t *o = json_object();

		ct_json_text(o, "cause", ct_model_cause_name(r->model, row->cause));
		ct_json_text(o, "category", ct_model_category(r->model, row->cause));
		ct_json_number(o, "count", row->count);
		ct_json_number(o, "total_ns", row->total_ns);
		ct_json_number(o, "max_ns", row->max_ns);
		ct_json_number(o, "p50_ns", row->p50_ns);
		ct_json_number(o, "p99_ns", row->p99_ns);
		ct_json_number(o, "unknown", row->unknown);
		ct_json_number(o, "open", row->open);
		ct_json_number(o, "elapsed_ns", row->elapsed_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *tallies_json(const struct ct_model *m, const struct ct_tallies *t, const char *label)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->item_count; i++) {
		const struct ct_tally *item = &t->item[i];
		json_t *o = json_object();

		if (item->tid) {
			ct_json_number(o, "pid", m->process[item->process].pid);
			ct_json_number(o, "tid", item->tid);
		}
		ct_json_text(o, label, item->label);
		ct_json_number(o, "count", item->count);
		ct_json_number(o, "total_ns", item->total_ns);
		ct_json_number(o, "max_ns", item->max_ns);
		ct_json_append(array, o);
	}
	return array;
}

static int by_value(const void *x, const void *y, void *sort)
{
	const struct ct_site_row *a = *(struct ct_site_row *const *)x, *b = *(struct ct_site_row *const *)y;
	enum ct_site_key key = *(const enum ct_site_key *)sort;
	int order = ct_more_first(ct_site_value(key, a->count, a->total_ns, a->max_ns),
				  ct_site_value(key, b->count, b->total_ns, b->max_ns));

	return order ? order : a < b ? -1 : a > b;
}

static json_t *site_json(struct ct_report *r, const struct ct_site_row *row)
{
	const struct ct_model *m = r->model;
	json_t *o = json_object();

	ct_json_text(o, "cause", ct_model_cause_name(m, row->cause));
	ct_json_text(o, "object", row->objects.item_count ? row->objects.item[0].label : "");
	ct_json_number(o, "count", row->count);
	ct_json_number(o, "total_ns", row->total_ns);
	ct_json_number(o, "max_ns", row->max_ns);
	ct_json_set(o, "stack", ct_json_stack(&r->callstacks, &r->symbols, row->callstack));
	ct_json_text(o, "category", ct_model_category(m, row->cause));
	ct_json_text(o, "call", ct_model_call_name(m, row->call));
	ct_json_number(o, "unknown", row->unknown);
	ct_json_number(o, "open", row->open);
	ct_json_number(o, "elapsed_ns", row->elapsed_ns);
	ct_json_number(o, "delays", row->delays);
	ct_json_number(o, "delay_ns", row->delay_ns);
	ct_json_number(o, "max_delay_ns", row->max_delay_ns);
	ct_json_set(o, "objects", tallies_json(m, &row->objects, "object"));
	ct_json_set(o, "waiters", tallies_json(m, &row->waiters, "name"));
	ct_json_set(o, "owners", tallies_json(m, &row->owners, "name"));
	return o;
}

/* The sites with the most time; those have details whatever their category. */
static json_t *sites_json(struct ct_report *r, uint32_t top)
{
	json_t *array = json_array();
	struct ct_site_row **order = calloc(r->site_count + 1u, sizeof(struct ct_site_row *));
	enum ct_site_key key = ct_site_key_of(r->model->options);

	if (!order)
		ct_json_fail();
	for (uint32_t i = 0; i < r->site_count && order; i++)
		order[i] = &r->site[i];
	if (order && r->site_count)
		qsort_r(order, r->site_count, sizeof(struct ct_site_row *), by_value, &key);
	for (uint32_t i = 0; i < r->site_count && order && (!top || i < top); i++)
		ct_json_append(array, site_json(r, order[i]));
	free(order);
	return array;
}

/* Of threads alone: what others group, grouped has. */
static enum ct_group_by threads_by(const struct ct_options *o)
{
	return (ct_is_command(o, "threads") || ct_is_command(o, "sched")) && ct_groups_threads(o->group_by) ? o->group_by :
													      CT_GROUP_NONE;
}

/* null: not asked for, or groups has it. */
static json_t *grouped_json(const struct ct_context *c, struct ct_report *r)
{
	const struct ct_options *o = c->options;
	struct ct_grouped g;

	if (!o->group_by || threads_by(o))
		return json_null();
	if (ct_grouped_make(&g, r))
		ct_json_fail();
	json_t *x = ct_grouped_json(c, &g);

	ct_grouped_close(&g);
	return x;
}

static json_t *groups_json(const struct ct_options *options, struct ct_report *r)
{
	json_t *array = json_array();
	struct ct_groups groups;
	char name[80];

	if (ct_groups_make(&groups, r, threads_by(options)))
		ct_json_fail();
	for (uint32_t i = 0; i < groups.group_count; i++) {
		const struct ct_group *g = &groups.group[i];
		json_t *o = json_object(), *causes = json_object();

		ct_json_text(o, "name", ct_group_name(g, r->model, name, sizeof(name)));
		ct_json_text(o, "routine", g->routine);
		ct_json_number(o, "threads", g->count);
		ct_json_number(o, "blocked_throughout", g->stuck);
		ct_json_number(o, "lifetime_ns", g->lifetime_ns);
		ct_json_number(o, "running_ns", g->running_ns);
		ct_json_number(o, "runnable_ns", g->runnable_ns);
		ct_json_number(o, "unexplained_ns", g->unexplained_ns);
		ct_json_number(o, "blocked_ns", g->blocked_ns);
		ct_json_number(o, "unknown_ns", g->unknown_ns);
		/* Part of it: recording was switched off. */
		ct_json_number(o, "unrecorded_ns", g->unrecorded_ns);
		ct_json_number(o, "longest_ns", g->longest_ns);
		for (uint32_t k = 0; k < r->cause_count; k++)
			if (g->by_cause[k])
				ct_json_number(causes, ct_model_cause_name(r->model, r->cause[k].cause), g->by_cause[k]);
		ct_json_set(o, "by_cause", causes);
		if (g->label && g->states) {
			ct_json_number(o, "wakes", g->states->ready->wakes.count);
			ct_json_number(o, "wake_delay_ns", g->states->ready->wakes.total_ns);
			ct_json_number(o, "preemptions", g->states->preemptions);
			ct_json_number(o, "migrations", g->states->migrations);
		}
		ct_json_append(array, o);
	}
	ct_groups_close(&groups);
	return array;
}

static json_t *threads_json(struct ct_report *r)
{
	const struct ct_model *m = r->model;
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[r->thread[i]];
		const uint64_t *by_cause = &r->by_cause[(size_t)r->thread[i] * r->cause_count];
		json_t *o = json_object(), *causes = json_object();

		ct_json_number(o, "pid", m->process[t->process].pid);
		ct_json_number(o, "tid", t->tid);
		ct_json_text(o, "name", t->name);
		ct_json_number(o, "lifetime_ns", t->lifetime_ns);
		ct_json_number(o, "running_ns", t->running_ns);
		ct_json_number(o, "runnable_ns", t->runnable_ns);
		ct_json_number(o, "unexplained_ns", t->unexplained_ns);
		ct_json_number(o, "blocked_ns", t->blocked_ns);
		ct_json_number(o, "unknown_ns", t->unknown_ns);
		ct_json_number(o, "unrecorded_ns", t->unrecorded_ns);
		ct_json_number(o, "runnable_estimated_ns", t->estimated_ns);
		for (uint32_t k = 0; k < r->cause_count; k++)
			if (by_cause[k])
				ct_json_number(causes, ct_model_cause_name(m, r->cause[k].cause), by_cause[k]);
		ct_json_set(o, "by_cause", causes);
		ct_json_number(o, "longest_ns", t->longest_ns);
		ct_json_set(o, "blocked_throughout", json_boolean(ct_is_stuck(t)));
		ct_json_text(o, "routine", ct_routine_of(&r->symbols, m, r->thread[i]));
		/* Blocked, but not selected by --cause and --min: part of the lifetime. */
		ct_json_number(o, "excluded_ns", t->excluded_ns);
		ct_json_number(o, "events", t->events);
		ct_json_number(o, "lost_events", t->dropped);
		ct_json_states(o, m, r->thread[i]);
		ct_json_append(array, o);
	}
	return array;
}

/* Where most was waited. */
static char *site_text(struct ct_report *r, uint32_t stack)
{
	uint32_t callstack;

	if (ct_callstack_of(&r->callstacks, stack, &callstack))
		return NULL;
	return ct_callstack_text(&r->callstacks, &r->symbols, callstack, true);
}

static json_t *owners_json(const struct ct_model *m, const struct ct_lock_row *row)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < row->owners.item_count; i++) {
		const struct ct_tally *item = &row->owners.item[i];
		uint32_t thread = ct_model_tid(m, item->process, item->tid);
		json_t *o = json_object();

		ct_json_number(o, "tid", item->tid);
		ct_json_text(o, "name", thread == CT_NO ? "" : m->thread[thread].name);
		ct_json_number(o, "waits", item->count);
		ct_json_number(o, "wait_ns", item->total_ns);
		ct_json_number(o, "holds", item->holds);
		ct_json_number(o, "hold_ns", item->hold_ns);
		ct_json_number(o, "max_hold_ns", item->max_hold_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *pairs_json(const struct ct_model *m, const struct ct_lock_row *row)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < row->pairs.item_count; i++) {
		const struct ct_tally *item = &row->pairs.item[i];
		const struct ct_thread_info *waiter = &m->thread[item->key >> 32];
		json_t *o = json_object();

		ct_json_number(o, "tid", waiter->tid);
		ct_json_text(o, "name", waiter->name);
		ct_json_number(o, "owner", item->tid);
		ct_json_number(o, "waits", item->count);
		ct_json_number(o, "wait_ns", item->total_ns);
		ct_json_number(o, "max_wait_ns", item->max_ns);
		ct_json_append(array, o);
	}
	return array;
}

/* What locks alone knows: see lock_details.h. */
static void set_details(json_t *o, struct ct_report *r, const struct ct_lock_row *row)
{
	const struct ct_lock_details *d = r->details;
	uint32_t at = d ? ct_lock_detail_of(d, row->process, row->address) : CT_NO, count;
	json_t *array, *convoy;

	ct_json_number(o, "shared_holds", row->shared_holds);
	ct_json_number(o, "average_hold_ns", row->acquisitions ? row->hold_ns / row->acquisitions : 0);
	if (at == CT_NO)
		return;
	const struct ct_lock_detail *l = &d->lock[at];
	const struct ct_lock_pair *pair = ct_lock_pairs(d, at, &count);

	ct_json_number(o, "read_waits", l->read_waits);
	ct_json_number(o, "read_wait_ns", l->read_wait_ns);
	ct_json_number(o, "write_waits", l->write_waits);
	ct_json_number(o, "write_wait_ns", l->write_wait_ns);
	ct_json_number(o, "waited_ns", l->waited_ns);
	ct_json_number(o, "max_waiters", l->waiters);
	ct_json_number(o, "convoys", l->convoys);
	convoy = json_object();
	ct_json_number(convoy, "from_ns", l->longest.hand_overs ? l->longest.from_ns - r->model->start_ns : 0);
	ct_json_number(convoy, "duration_ns", l->longest.to_ns - l->longest.from_ns);
	ct_json_number(convoy, "hand_overs", l->longest.hand_overs);
	ct_json_number(convoy, "waiters", l->longest.waiters);
	ct_json_set(o, "longest_convoy", convoy);
	array = json_array();
	for (uint32_t i = 0; i < count; i++) {
		json_t *p = json_object();

		ct_json_number(p, "count", pair[i].count);
		ct_json_number(p, "total_ns", pair[i].total_ns);
		ct_json_set(p, "holder_stack", ct_json_stack(&r->callstacks, &r->symbols, pair[i].holder));
		ct_json_set(p, "waiter_stack", ct_json_stack(&r->callstacks, &r->symbols, pair[i].waiter));
		ct_json_append(array, p);
	}
	ct_json_set(o, "site_pairs", array);
}

static json_t *locks_json(struct ct_report *r)
{
	const struct ct_model *m = r->model;
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->lock_count; i++) {
		const struct ct_lock_row *row = &r->lock[i];
		json_t *o = json_object();
		char *site = site_text(r, row->stack);

		ct_json_text(o, "object", row->label);
		ct_json_text(o, "kind", ct_model_cause_name(m, row->cause));
		ct_json_text(o, "site", site);
		ct_json_number(o, "acquisitions", row->acquisitions);
		ct_json_number(o, "contended", row->contended);
		ct_json_number(o, "wait_ns", row->wait_ns);
		ct_json_number(o, "max_wait_ns", row->max_wait_ns);
		ct_json_number(o, "hold_ns", row->hold_ns);
		ct_json_set(o, "owners", owners_json(m, row));
		ct_json_number(o, "pid", m->process[row->process].pid);
		ct_json_number(o, "address", row->address);
		ct_json_number(o, "holds", row->holds);
		ct_json_number(o, "max_hold_ns", row->max_hold_ns);
		ct_json_number(o, "unknown", row->unknown);
		ct_json_set(o, "waiters", pairs_json(m, row));
		set_details(o, r, row);
		ct_json_append(array, o);
		free(site);
	}
	return array;
}

int ct_print_json(const struct ct_context *c, struct ct_report *r)
{
	json_t *o = json_object();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, r->model));
	ct_json_set(o, "causes", causes_json(r));
	ct_json_set(o, "sites", sites_json(r, c->options->top));
	ct_json_set(o, "grouped", grouped_json(c, r));
	ct_json_set(o, "threads", threads_json(r));
	ct_json_set(o, "groups", groups_json(c->options, r));
	ct_json_set(o, "locks", locks_json(r));
	ct_json_set(o, "scheduler", ct_json_scheduler(r->model));
	ct_json_set(o, "wakers", ct_json_wakers(r));
	if (c->all_facts) {
		ct_json_set(o, "file", ct_json_file(c, r->model));
		ct_json_set(o, "cost", ct_json_costs(r->model));
		ct_json_set(o, "calls", ct_json_calls(r->model));
		ct_json_set(o, "modules", ct_json_modules(&r->symbols));
	}
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}
