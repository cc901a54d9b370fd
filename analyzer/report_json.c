/* The report as one JSON object. The keys are a contract: see docs. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "objects.h"

/* jansson's setters take over the value, and fail on NULL: one check of the
 * whole at the end would not see a lost member, so failures are remembered. */
static bool failed;

static void set(json_t *object, const char *key, json_t *value)
{
	failed |= json_object_set_new(object, key, value) != 0;
}

static void set_number(json_t *object, const char *key, uint64_t v)
{
	set(object, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static void set_text(json_t *object, const char *key, const char *v)
{
	set(object, key, v ? json_string(v) : json_null());
}

static void append(json_t *array, json_t *value)
{
	failed |= json_array_append_new(array, value) != 0;
}

static json_t *trace_json(const struct ct_context *c, const struct ct_model *m)
{
	json_t *o = json_object(), *commands = json_array();

	set_number(o, "format", c->reader.header.version);
	set_number(o, "duration_ns", m->end_ns - m->start_ns);
	set_number(o, "processes", m->process_count);
	set_number(o, "threads", m->thread_count);
	set_number(o, "events", m->events);
	set_number(o, "lost_events", ct_model_lost_events(m));
	set(o, "complete", json_boolean(ct_is_complete(c, m)));
	set_text(o, "sched", ct_sched_name(m));
	set_number(o, "damaged", c->reader.damaged);
	set_number(o, "lost_stacks", m->lost[CT_LOSS_STACKS]);
	set_number(o, "lost_threads", m->lost[CT_LOSS_THREADS]);
	set_number(o, "lost_modules", m->lost[CT_LOSS_MODULES]);
	set_number(o, "start_real_ns", c->reader.header.start_real_ns);
	set_number(o, "file_bytes", c->reader.file_bytes);
	for (uint32_t i = 0; i < m->process_count; i++)
		append(commands, json_string(m->process[i].command));
	set(o, "commands", commands);
	return o;
}

static json_t *causes_json(const struct ct_report *r)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->cause_count; i++) {
		const struct ct_cause_row *row = &r->cause[i];
		json_t *o = json_object();

		set_text(o, "cause", ct_model_cause_name(r->model, row->cause));
		set_text(o, "category", ct_model_category(r->model, row->cause));
		set_number(o, "count", row->count);
		set_number(o, "total_ns", row->total_ns);
		set_number(o, "max_ns", row->max_ns);
		set_number(o, "p50_ns", row->p50_ns);
		set_number(o, "p99_ns", row->p99_ns);
		set_number(o, "unknown", row->unknown);
		set_number(o, "open", row->open);
		append(array, o);
	}
	return array;
}

static json_t *stack_json(struct ct_report *r, uint32_t callstack)
{
	json_t *array = json_array();
	struct ct_frame *frames;
	uint32_t count;

	failed |= ct_callstack_frames(&r->callstacks, &r->symbols, callstack, &frames, &count) != 0;
	for (uint32_t i = 0; i < count; i++) {
		json_t *o = json_object();

		set_text(o, "function", frames[i].function);
		set_text(o, "file", frames[i].file);
		set_number(o, "line", (uint64_t)(frames[i].line > 0 ? frames[i].line : 0));
		set_text(o, "module", frames[i].module);
		set_number(o, "offset", frames[i].offset);
		set(o, "inlined", json_boolean(frames[i].inlined));
		append(array, o);
	}
	free(frames);
	return array;
}

static json_t *tallies_json(const struct ct_model *m, const struct ct_tallies *t, const char *label)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->item_count; i++) {
		const struct ct_tally *item = &t->item[i];
		json_t *o = json_object();

		if (item->tid) {
			set_number(o, "pid", m->process[item->process].pid);
			set_number(o, "tid", item->tid);
		}
		set_text(o, label, item->label);
		set_number(o, "count", item->count);
		set_number(o, "total_ns", item->total_ns);
		set_number(o, "max_ns", item->max_ns);
		append(array, o);
	}
	return array;
}

static int by_time(const void *x, const void *y)
{
	const struct ct_site_row *a = *(struct ct_site_row *const *)x, *b = *(struct ct_site_row *const *)y;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return a < b ? -1 : a > b;
}

static json_t *site_json(struct ct_report *r, const struct ct_site_row *row)
{
	const struct ct_model *m = r->model;
	json_t *o = json_object();

	set_text(o, "cause", ct_model_cause_name(m, row->cause));
	set_text(o, "object", row->objects.item_count ? row->objects.item[0].label : "");
	set_number(o, "count", row->count);
	set_number(o, "total_ns", row->total_ns);
	set_number(o, "max_ns", row->max_ns);
	set(o, "stack", stack_json(r, row->callstack));
	set_text(o, "category", ct_model_category(m, row->cause));
	set_text(o, "call", ct_model_call_name(m, row->call));
	set_number(o, "unknown", row->unknown);
	set_number(o, "open", row->open);
	set(o, "objects", tallies_json(m, &row->objects, "object"));
	set(o, "waiters", tallies_json(m, &row->waiters, "name"));
	set(o, "owners", tallies_json(m, &row->owners, "name"));
	return o;
}

/* The sites with the most time; those have details whatever their category. */
static json_t *sites_json(struct ct_report *r, uint32_t top)
{
	json_t *array = json_array();
	struct ct_site_row **order = calloc(r->site_count + 1u, sizeof(struct ct_site_row *));

	failed |= !order;
	for (uint32_t i = 0; i < r->site_count && order; i++)
		order[i] = &r->site[i];
	if (order && r->site_count)
		qsort(order, r->site_count, sizeof(struct ct_site_row *), by_time);
	for (uint32_t i = 0; i < r->site_count && order && (!top || i < top); i++)
		append(array, site_json(r, order[i]));
	free(order);
	return array;
}

static json_t *threads_json(const struct ct_report *r)
{
	const struct ct_model *m = r->model;
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[r->thread[i]];
		const uint64_t *by_cause = &r->by_cause[(size_t)r->thread[i] * r->cause_count];
		json_t *o = json_object(), *causes = json_object();

		set_number(o, "pid", m->process[t->process].pid);
		set_number(o, "tid", t->tid);
		set_text(o, "name", t->name);
		set_number(o, "lifetime_ns", t->lifetime_ns);
		set_number(o, "running_ns", t->running_ns);
		set_number(o, "runnable_ns", t->runnable_ns);
		set_number(o, "unexplained_ns", t->unexplained_ns);
		set_number(o, "blocked_ns", t->blocked_ns);
		for (uint32_t k = 0; k < r->cause_count; k++)
			if (by_cause[k])
				set_number(causes, ct_model_cause_name(m, r->cause[k].cause), by_cause[k]);
		set(o, "by_cause", causes);
		/* Blocked, but not selected by --cause and --min: part of the lifetime. */
		set_number(o, "excluded_ns", t->excluded_ns);
		set_number(o, "events", t->events);
		set_number(o, "lost_events", t->dropped);
		append(array, o);
	}
	return array;
}

/* "function file:line" of the innermost frame where most was waited. */
static char *site_text(struct ct_report *r, uint32_t stack)
{
	struct ct_frame *frames;
	uint32_t count, callstack;
	char *text = NULL;
	int n = 0;

	if (ct_callstack_of(&r->callstacks, stack, &callstack) ||
	    ct_callstack_frames(&r->callstacks, &r->symbols, callstack, &frames, &count))
		return NULL;
	if (!count)
		return strdup("");
	const struct ct_frame *f = &frames[0];

	if (f->function && f->file)
		n = asprintf(&text, "%s %s:%d", f->function, f->file, f->line);
	else if (f->function)
		n = asprintf(&text, "%s", f->function);
	else
		n = asprintf(&text, "%s+0x%llx", f->module ? ct_base_name(f->module) : "",
			     (unsigned long long)f->offset);
	free(frames);
	return n < 0 ? NULL : text;
}

static json_t *owners_json(const struct ct_model *m, const struct ct_lock_row *row)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < row->owners.item_count; i++) {
		const struct ct_tally *item = &row->owners.item[i];
		uint32_t thread = ct_model_tid(m, item->process, item->tid);
		json_t *o = json_object();

		set_number(o, "tid", item->tid);
		set_text(o, "name", thread == CT_NO ? "" : m->thread[thread].name);
		set_number(o, "waits", item->count);
		set_number(o, "wait_ns", item->total_ns);
		set_number(o, "holds", item->holds);
		set_number(o, "hold_ns", item->hold_ns);
		set_number(o, "max_hold_ns", item->max_hold_ns);
		append(array, o);
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

		set_number(o, "tid", waiter->tid);
		set_text(o, "name", waiter->name);
		set_number(o, "owner", item->tid);
		set_number(o, "waits", item->count);
		set_number(o, "wait_ns", item->total_ns);
		set_number(o, "max_wait_ns", item->max_ns);
		append(array, o);
	}
	return array;
}

static json_t *locks_json(struct ct_report *r)
{
	const struct ct_model *m = r->model;
	json_t *array = json_array();

	for (uint32_t i = 0; i < r->lock_count; i++) {
		const struct ct_lock_row *row = &r->lock[i];
		json_t *o = json_object();
		char *site = site_text(r, row->stack);

		set_text(o, "object", row->label);
		set_text(o, "kind", ct_model_cause_name(m, row->cause));
		set_text(o, "site", site);
		set_number(o, "acquisitions", row->acquisitions);
		set_number(o, "contended", row->contended);
		set_number(o, "wait_ns", row->wait_ns);
		set_number(o, "max_wait_ns", row->max_wait_ns);
		set_number(o, "hold_ns", row->hold_ns);
		set(o, "owners", owners_json(m, row));
		set_number(o, "pid", m->process[row->process].pid);
		set_number(o, "address", row->address);
		set_number(o, "holds", row->holds);
		set_number(o, "max_hold_ns", row->max_hold_ns);
		set_number(o, "unknown", row->unknown);
		set(o, "waiters", pairs_json(m, row));
		append(array, o);
		free(site);
	}
	return array;
}

int ct_print_json(const struct ct_context *c, struct ct_report *r)
{
	json_t *o = json_object();

	failed = false;
	set(o, "trace", trace_json(c, r->model));
	set(o, "causes", causes_json(r));
	set(o, "sites", sites_json(r, c->options->top));
	set(o, "threads", threads_json(r));
	set(o, "locks", locks_json(r));
	if (!failed && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return failed ? -ENOMEM : 0;
}
