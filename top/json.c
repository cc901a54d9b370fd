/* A picture as one line of JSON. See top.h. */
#include <stdlib.h>
#include <string.h>

#include "top.h"

/* Rows that are written of so many. */
static uint32_t most(const struct ct_top *t, uint32_t count)
{
	return t->options->top && t->options->top < count ? t->options->top : count;
}

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *stack_of(struct ct_top *t, const struct ct_top_what *w)
{
	json_t *stack = json_array();
	struct ct_frame *f;
	uint32_t count;

	if (ct_names_frames(&t->names, w, &f, &count))
		return stack;
	count = ct_frames_shown(f, count);
	for (uint32_t i = 0; i < count; i++) {
		json_t *o = json_object();

		if (f[i].function)
			json_object_set_new(o, "function", json_string(f[i].function));
		if (f[i].file)
			json_object_set_new(o, "file", json_string(f[i].file));
		if (f[i].line)
			json_object_set_new(o, "line", json_integer(f[i].line));
		if (f[i].module)
			json_object_set_new(o, "module", json_string(f[i].module));
		json_object_set_new(o, "offset", integer(f[i].offset));
		json_array_append_new(stack, o);
	}
	free(f);
	return stack;
}

static void put_what(struct ct_top *t, json_t *o, const struct ct_top_what *w, bool place)
{
	json_object_set_new(o, "cause", json_string(ct_names_cause(&t->names, w->cause)));
	json_object_set_new(o, "category", json_string(ct_names_category(&t->names, w->cause)));
	if (!place)
		return;
	char *object = ct_top_object(t, w);

	json_object_set_new(o, "call", json_string(w->call));
	json_object_set_new(o, "object", json_string(object ? object : ""));
	json_object_set_new(o, "stack", stack_of(t, w));
	free(object);
}

static json_t *rows_of(struct ct_top *t, const struct ct_top_row *rows, uint32_t count, bool place)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < most(t, count); i++) {
		json_t *o = json_object();

		put_what(t, o, &rows[i].what, place);
		if (place)
			json_object_set_new(o, "several_objects", json_boolean(rows[i].several));
		json_object_set_new(o, "count", integer(rows[i].count));
		json_object_set_new(o, "total_ns", integer(rows[i].total_ns));
		json_object_set_new(o, "max_ns", integer(rows[i].max_ns));
		json_object_set_new(o, "waiting", integer(rows[i].waiting));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *thread_of(struct ct_top *t, const struct ct_top_thread *th)
{
	double whole = (double)t->now.interval_ns;
	json_t *o = json_object();

	json_object_set_new(o, "tid", json_integer(th->tid));
	json_object_set_new(o, "name", json_string(th->name));
	json_object_set_new(o, "state", json_string(th->state == CT_TOP_RUNS ? "running" : th->state == CT_TOP_READY ? "runnable" :
						    th->state == CT_TOP_BLOCKED ? "blocked" : "unknown"));
	json_object_set_new(o, "age_ns", integer(t->now.now_ns > th->start_ns ? t->now.now_ns - th->start_ns : 0));
	if (th->timed) {
		json_object_set_new(o, "running_ns", integer((uint64_t)(th->running * whole)));
		json_object_set_new(o, "runnable_ns", integer((uint64_t)(th->ready * whole)));
		json_object_set_new(o, "blocked_ns", integer((uint64_t)(th->blocked * whole)));
	}
	if (!th->wait.call) {
		json_object_set_new(o, "wait", json_null());
		return o;
	}
	json_t *wait = json_object();

	put_what(t, wait, &th->wait, true);
	json_object_set_new(wait, "age_ns", integer(th->age_ns));
	json_object_set_new(wait, "owner_tid", json_integer(th->owner));
	json_object_set_new(o, "wait", wait);
	return o;
}

void ct_top_json(struct ct_top *t, FILE *to)
{
	const struct ct_picture *p = &t->now;
	json_t *o = json_object(), *threads = json_array();
	uint32_t shown = 0;

	json_object_set_new(o, "pid", json_integer(t->pid));
	json_object_set_new(o, "name", json_string(t->name));
	json_object_set_new(o, "executable", json_string(p->executable));
	json_object_set_new(o, "output", json_string(t->output));
	json_object_set_new(o, "flight", json_boolean(p->flight));
	json_object_set_new(o, "sched", json_boolean(p->sched));
	json_object_set_new(o, "recording", json_string(p->recording));
	json_object_set_new(o, "now_ns", integer(p->now_ns));
	json_object_set_new(o, "interval_ns", integer(p->interval_ns));
	json_object_set_new(o, "threads", integer(p->threads));
	json_object_set_new(o, "events", integer(p->new_events));
	json_object_set_new(o, "lost", integer(p->lost));
	json_object_set_new(o, "running", json_real(p->running));
	json_object_set_new(o, "runnable", json_real(p->ready));
	json_object_set_new(o, "blocked", json_real(p->blocked));
	for (uint32_t i = 0; i < p->thread_count; i++)
		if (ct_top_shown(&p->thread[i], t->options->thread) && shown++ < most(t, p->thread_count))
			json_array_append_new(threads, thread_of(t, &p->thread[i]));
	json_object_set_new(o, "thread_list", threads);
	json_object_set_new(o, "causes", rows_of(t, p->cause, p->cause_count, false));
	json_object_set_new(o, "sites", rows_of(t, p->site, p->site_count, true));
	json_object_set_new(o, "locks", rows_of(t, p->lock, p->lock_count, true));
	json_dumpf(o, to, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putc('\n', to);
	json_decref(o);
}
