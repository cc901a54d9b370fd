/* The program's own regions as complete events, tasks as async events, lines as instants; what was not recorded as complete
 * events of threads and async ones of processes. See chrome.h. */
#include <stdio.h>

#include "chrome.h"
#include "json_stream.h"
#include "marks_source.h"

static void put_time(struct ct_chrome *c, const char *name, uint64_t ns)
{
	ct_js_raw(&c->out, name);
	ct_js_decimal(&c->out, ns, 1000);
}

static int take_region(void *self, const struct ct_region_slice *r)
{
	struct ct_chrome *c = self;
	const struct ct_model *m = &c->source.m;
	uint64_t pid, tid, begin_ns = r->start_ns - ct_region_margin(r);
	int error = ct_chrome_tell_thread(c, r->thread, &pid, &tid);

	if (error)
		return error;
	ct_chrome_begin_event(c, "X", pid, tid);
	put_time(c, ",\"ts\":", begin_ns);
	put_time(c, ",\"dur\":", r->end_ns + ct_region_margin(r) - begin_ns);
	ct_js_raw(&c->out, ",\"cat\":\"region\",\"name\":");
	ct_js_text(&c->out, m->name[r->name].text);
	ct_js_raw(&c->out, ",\"args\":{\"elapsed_ns\":");
	ct_js_uint(&c->out, r->end_ns - r->start_ns);
	if (r->task != CT_NO) {
		ct_js_raw(&c->out, ",\"task\":");
		ct_js_text(&c->out, m->name[r->task].text);
	}
	ct_js_raw(&c->out, "}}");
	return ct_chrome_flush(c);
}

static void put_task(struct ct_chrome *c, const char *phase, const struct ct_task *t, uint64_t ns, uint64_t pid, uint64_t tid)
{
	char number[32];

	ct_chrome_begin_event(c, phase, pid, tid);
	put_time(c, ",\"ts\":", ns);
	ct_js_raw(&c->out, ",\"cat\":\"task\",\"id\":");
	/* As text: it has more bits than a number of JavaScript. */
	snprintf(number, sizeof(number), "0x%llx", (unsigned long long)t->number);
	ct_js_text(&c->out, number);
	ct_js_raw(&c->out, ",\"name\":");
	ct_js_text(&c->out, c->source.m.name[t->name].text);
	if (t->parent) {
		snprintf(number, sizeof(number), "0x%llx", (unsigned long long)t->parent);
		ct_js_raw(&c->out, ",\"args\":{\"parent\":");
		ct_js_text(&c->out, number);
		ct_js_raw(&c->out, "}");
	}
	ct_js_raw(&c->out, "}");
}

static int take_task(void *self, const struct ct_task *t)
{
	struct ct_chrome *c = self;
	uint64_t pid, tid;
	int error = ct_chrome_tell_thread(c, t->thread != CT_NO ? t->thread : t->end_thread, &pid, &tid);

	if (error)
		return error;
	put_task(c, "b", t, t->begin_ns, pid, tid);
	put_task(c, "e", t, t->end_ns, pid, tid);
	return ct_chrome_flush(c);
}

static int take_log(void *self, const struct ct_log_line *line)
{
	struct ct_chrome *c = self;
	uint64_t pid, tid;
	int error = ct_chrome_tell_thread(c, line->thread, &pid, &tid);

	if (error)
		return error;
	ct_chrome_begin_event(c, "i", pid, tid);
	put_time(c, ",\"ts\":", line->ns);
	ct_js_raw(&c->out, ",\"s\":\"t\",\"cat\":\"log\",\"name\":");
	ct_js_text(&c->out, line->message);
	ct_js_raw(&c->out, ",\"args\":{\"category\":");
	ct_js_text(&c->out, c->source.m.name[line->category].text);
	ct_js_raw(&c->out, "}}");
	return ct_chrome_flush(c);
}

static void put_blank(struct ct_chrome *c, const char *phase, const struct ct_blank *b, uint64_t ns, const char *more)
{
	const struct ct_model *m = &c->source.m;
	bool off = b->kind == CT_BLANK_OFF;
	uint64_t pid = m->process[b->process].pid;

	ct_chrome_begin_event(c, phase, pid, b->thread == CT_NO ? pid : m->thread[b->thread].tid);
	put_time(c, ",\"ts\":", ns);
	ct_js_raw(&c->out, more);
	ct_js_raw(&c->out, ",\"cat\":\"lost\",\"name\":");
	ct_js_text(&c->out, off ? "not recorded" : "not recorded: damaged");
	ct_js_raw(&c->out, ",\"args\":{\"elapsed_ns\":");
	ct_js_uint(&c->out, b->end_ns - b->start_ns);
	ct_js_raw(&c->out, "}}");
}

static int take_blank(void *self, const struct ct_blank *b)
{
	struct ct_chrome *c = self;
	uint64_t begin_ns = b->start_ns + CT_BLANK_MARGIN, pid, tid;
	char more[64];
	int error = b->thread == CT_NO ? 0 : ct_chrome_tell_thread(c, b->thread, &pid, &tid);

	if (error)
		return error;
	if (b->thread != CT_NO) {
		uint64_t ns = ct_blank_end(b) - begin_ns;

		snprintf(more, sizeof(more), ",\"dur\":%llu.%03llu", (unsigned long long)ns / 1000, (unsigned long long)ns % 1000);
		put_blank(c, "X", b, begin_ns, more);
	} else {
		snprintf(more, sizeof(more), ",\"id\":\"lost%llu\"", (unsigned long long)c->blanks++);
		put_blank(c, "b", b, b->start_ns, more);
		put_blank(c, "e", b, b->end_ns, more);
	}
	return ct_chrome_flush(c);
}

int ct_chrome_marks(struct ct_chrome *c)
{
	int error = ct_source_regions(&c->source, take_region, c);

	if (!error)
		error = ct_source_tasks(&c->source, take_task, take_log, c);
	return error ? error : ct_source_blanks(&c->source, take_blank, c);
}
