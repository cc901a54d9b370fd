/*
 * Chrome's trace events, as chrome://tracing, ui.perfetto.dev and speedscope read them:
 * a complete event ("X") a wait, a short one on the waker's thread where it ended it,
 * a flow ("s", "f") between the two, and the frames of all stacks as a tree.
 *
 * "Trace Event Format", Google, 2016. Times are microseconds of CLOCK_MONOTONIC, exact
 * to the nanosecond by their decimals.
 */
#include <errno.h>
#include <stdlib.h>

#include "chrome.h"
#include "json_stream.h"
#include "objects.h"
#include "report_wakers.h"

#define FLUSH_BYTES (64u << 10)
#define RELEASE_NS  1u

/* --- events --- */

void ct_chrome_begin_event(struct ct_chrome *c, const char *phase, uint64_t pid, uint64_t tid)
{
	ct_js_raw(&c->out, c->begun ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
	ct_js_raw(&c->out, phase);
	ct_js_raw(&c->out, "\",\"pid\":");
	ct_js_uint(&c->out, pid);
	ct_js_raw(&c->out, ",\"tid\":");
	ct_js_uint(&c->out, tid);
	c->begun = true;
}

static void put_time(struct ct_chrome *c, const char *name, uint64_t ns)
{
	ct_js_raw(&c->out, name);
	ct_js_decimal(&c->out, ns, 1000);
}

static void put_name(struct ct_chrome *c, const char *what, uint64_t pid, uint64_t tid, const char *name)
{
	ct_chrome_begin_event(c, "M", pid, tid);
	ct_js_raw(&c->out, ",\"name\":");
	ct_js_text(&c->out, what);
	ct_js_raw(&c->out, ",\"args\":{\"name\":");
	ct_js_text(&c->out, name);
	ct_js_raw(&c->out, "}}");
}

int ct_chrome_tell_thread(struct ct_chrome *c, uint32_t waker, uint64_t *ret_pid, uint64_t *ret_tid)
{
	const struct ct_model *m = &c->source.m;
	const char *name;
	bool told;

	if (waker < CT_OUTSIDE) {
		const struct ct_thread_info *t = &m->thread[waker];

		*ret_pid = m->process[t->process].pid;
		*ret_tid = t->tid;
		name = t->name;
		told = c->told[waker];
		c->told[waker] = true;
	} else {
		const struct ct_outsider *o = &c->source.wakes.outsider[waker - CT_OUTSIDE];

		while (c->outsider_count <= waker - CT_OUTSIDE)
			if (!CT_APPEND(c, outsider))
				return -ENOMEM;
		*ret_pid = o->pid;
		*ret_tid = o->tid;
		name = o->name;
		told = c->outsider[waker - CT_OUTSIDE]++ > 0;
	}
	if (!told && name && *name)
		put_name(c, "thread_name", *ret_pid, *ret_tid, name);
	return 0;
}

int ct_chrome_flush(struct ct_chrome *c)
{
	return ct_js_flush(&c->out, c->e->file, FLUSH_BYTES);
}

/* --- waits --- */

static int render_site(struct ct_chrome *c, uint32_t site, char **ret)
{
	const struct ct_site *s = &c->source.wakes.site[site].site;
	char *name = ct_source_name(&c->source, site);
	const char *object = name ? ct_source_object(&c->source, site) : NULL, *stack = NULL;
	struct ct_buf b = { 0 };
	uint32_t callstack;
	int error = object ? ct_source_callstack(&c->source, site, &callstack) : -ENOMEM;

	if (!error)
		error = ct_chrome_callstack(c, callstack, &stack);
	if (!error) {
		ct_js_raw(&b, ",\"cat\":");
		ct_js_text(&b, ct_model_category(&c->source.m, s->cause));
		ct_js_raw(&b, ",\"name\":");
		ct_js_text(&b, name);
		ct_js_raw(&b, stack);
		ct_js_raw(&b, "\"cause\":");
		ct_js_text(&b, ct_model_cause_name(&c->source.m, s->cause));
		if (*object) {
			ct_js_raw(&b, ",\"object\":");
			ct_js_text(&b, object);
		}
		ct_put_bytes(&b, "", 1);
	}
	free(name);
	*ret = (char *)b.data;
	if (!error && !b.failed)
		return 0;
	ct_buf_free(&b);
	*ret = NULL;
	return error ? error : -ENOMEM;
}

static int site_text(struct ct_chrome *c, uint32_t site, const char **ret)
{
	while (c->site_count <= site)
		if (!CT_APPEND(c, site))
			return -ENOMEM;
	int error = c->site[site] ? 0 : render_site(c, site, &c->site[site]);

	*ret = c->site[site];
	return error;
}

static int put_label(struct ct_chrome *c, const char *name, char *label)
{
	if (label) {
		ct_js_raw(&c->out, name);
		ct_js_text(&c->out, label);
	}
	free(label);
	return label ? 0 : -ENOMEM;
}

static void put_flow(struct ct_chrome *c, const char *phase, uint64_t pid, uint64_t tid, uint64_t ns, const char *more)
{
	ct_chrome_begin_event(c, phase, pid, tid);
	put_time(c, ",\"ts\":", ns);
	ct_js_raw(&c->out, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":");
	ct_js_uint(&c->out, c->flows);
	ct_js_raw(&c->out, more);
	ct_js_raw(&c->out, "}");
}

static int put_release(struct ct_chrome *c, const struct ct_interval *i, uint64_t pid, uint64_t tid)
{
	const char *object = ct_source_object(&c->source, i->site), *stack;
	uint64_t waker_pid, waker_tid;
	uint32_t callstack;
	int error = ct_chrome_tell_thread(c, i->waker, &waker_pid, &waker_tid);

	if (!error)
		error = ct_callstack_of(&c->source.callstacks, i->waker_stack, &callstack);
	if (!error)
		error = ct_chrome_callstack(c, callstack, &stack);
	if (error)
		return error;
	c->flows++;
	ct_chrome_begin_event(c, "X", waker_pid, waker_tid);
	put_time(c, ",\"ts\":", i->release_ns);
	put_time(c, ",\"dur\":", RELEASE_NS);
	ct_js_raw(&c->out, ",\"cat\":\"wake\",\"name\":");
	ct_js_text(&c->out, ct_ended_name((enum ct_ended)i->ended));
	ct_js_raw(&c->out, stack);
	ct_js_raw(&c->out, "\"object\":");
	ct_js_text(&c->out, object ? object : "");
	error = put_label(c, ",\"waiter\":", ct_waker_label(&c->source.wakes, i->thread));
	ct_js_raw(&c->out, "}}");
	put_flow(c, "s", waker_pid, waker_tid, i->release_ns, "");
	put_flow(c, "f", pid, tid, i->release_ns, ",\"bp\":\"e\"");
	return error;
}

static int put_wait(struct ct_chrome *c, const struct ct_interval *i, const char *site, uint64_t pid, uint64_t tid)
{
	const struct ct_model *m = &c->source.m;
	int error = 0;

	ct_chrome_begin_event(c, "X", pid, tid);
	put_time(c, ",\"ts\":", i->begin_ns);
	put_time(c, ",\"dur\":", i->end_ns - i->begin_ns);
	ct_js_raw(&c->out, site);
	if (i->owner)
		error = put_label(c, ",\"owner\":", ct_thread_label(m, m->thread[i->thread].process, i->owner));
	if (i->waker != CT_NO && !error)
		error = put_label(c, ",\"waker\":", ct_waker_label(&c->source.wakes, i->waker));
	ct_js_raw(&c->out, ",\"ended_by\":");
	ct_js_text(&c->out, ct_ended_name((enum ct_ended)i->ended));
	if (i->ended != CT_ENDED_NOT) {
		ct_js_raw(&c->out, ",\"result\":");
		ct_js_int(&c->out, i->result);
	}
	ct_js_raw(&c->out, ",\"elapsed_ns\":");
	ct_js_uint(&c->out, i->end_ns - i->start_ns);
	ct_js_raw(&c->out, ",\"blocked_ns\":");
	ct_js_uint(&c->out, i->blocked_ns);
	if (i->ready_ns) {
		ct_js_raw(&c->out, ",\"ready_ns\":");
		ct_js_uint(&c->out, i->ready_ns);
	}
	if (i->cut_begin || i->cut_end)
		ct_js_raw(&c->out, ",\"cut\":true");
	ct_js_raw(&c->out, "}}");
	return error;
}

static int take_wait(void *self, const struct ct_interval *i)
{
	struct ct_chrome *c = self;
	const char *site;
	uint64_t pid, tid;
	int error = ct_chrome_tell_thread(c, i->thread, &pid, &tid);

	if (!error)
		error = site_text(c, i->site, &site);
	if (!error)
		error = put_wait(c, i, site, pid, tid);
	if (!error && i->waker != CT_NO)
		error = put_release(c, i, pid, tid);
	return error ? error : ct_chrome_flush(c);
}

/* --- the file --- */

static int put_threads(struct ct_chrome *c)
{
	const struct ct_model *m = &c->source.m;
	uint64_t pid, tid;
	int error = 0;

	for (uint32_t i = 0; i < m->process_count; i++) {
		const struct ct_process_info *p = &m->process[i];

		if (p->selected && p->started && p->executable && *p->executable)
			put_name(c, "process_name", p->pid, p->pid, ct_base_name(p->executable));
	}
	for (uint32_t i = 0; i < m->thread_count && !error; i++)
		if (m->thread[i].started && ct_source_shows(&c->source, i))
			error = ct_chrome_tell_thread(c, i, &pid, &tid);
	return error;
}

static void put_facts(struct ct_chrome *c)
{
	const struct ct_model *m = &c->source.m;
	const struct ct_reader *r = &c->source.context->reader;
	uint64_t lost = ct_model_lost_events(m);

	ct_js_raw(&c->out, ",\n\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"clock\":\"CLOCK_MONOTONIC\",\"version\":");
	ct_js_text(&c->out, ct_model_meta(m, "version"));
	ct_js_raw(&c->out, ",\"host\":");
	ct_js_text(&c->out, ct_model_meta(m, "host"));
	ct_js_raw(&c->out, ",\"lost_events\":");
	ct_js_uint(&c->out, lost);
	ct_js_raw(&c->out, r->damaged || !r->has_trailer ? ",\"complete\":false}" : ",\"complete\":true}");
}

static int write_all(struct ct_chrome *c)
{
	c->told = calloc(c->source.m.thread_count + 1u, sizeof(*c->told));
	if (!c->told)
		return -ENOMEM;
	ct_js_raw(&c->out, "{\"traceEvents\":[");
	int error = put_threads(c);

	if (!error)
		error = ct_source_waits(&c->source, take_wait, c);
	if (!error)
		error = ct_chrome_marks(c);
	if (error)
		return error;
	ct_chrome_stack_frames(c);
	put_facts(c);
	ct_js_raw(&c->out, "}\n");
	return ct_js_flush(&c->out, c->e->file, 0);
}

int ct_export_chrome(struct ct_export *e)
{
	struct ct_chrome c = { .e = e };
	int error = ct_source_open(&c.source, e->context);

	if (!error)
		error = write_all(&c);
	for (uint32_t i = 0; i < c.site_count; i++)
		free(c.site[i]);
	free(c.site);
	free(c.outsider);
	free(c.told);
	ct_chrome_stacks_free(&c);
	ct_buf_free(&c.out);
	ct_source_close(&c.source);
	return error > 0 ? 0 : error;
}
