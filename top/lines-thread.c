/* All that is known of one thread, as lines of text. See top.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "lines.h"

static void frames(struct ct_lines *l, struct ct_top *t, const struct ct_top_what *w, int width)
{
	struct ct_frame *f;
	uint32_t count;

	if (ct_names_frames(&t->names, w, &f, &count))
		return;
	uint32_t shown = ct_frames_shown(f, count);

	for (uint32_t i = 0; i < shown; i++) {
		const char *module = f[i].module ? ct_base_name(f[i].module) : "";

		if (f[i].function && f[i].file)
			ct_line_say(l, CT_PLAIN, width, "    %s  %s:%d%s", f[i].function, ct_base_name(f[i].file), f[i].line,
			    f[i].inlined ? " (inlined)" : "");
		else if (f[i].function)
			ct_line_say(l, CT_PLAIN, width, "    %s  %s", f[i].function, module);
		else
			ct_line_say(l, CT_PLAIN, width, "    %s+0x%" PRIx64, module, f[i].offset);
	}
	free(f);
}

/* As the answer has it: the one row that was asked for more. */
static const json_t *row_of(const struct ct_top *t, pid_t tid)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(t->now.answer, "threads"), i, o)
		if (json_integer_value(json_object_get(o, "tid")) == tid)
			return o;
	return NULL;
}

static void holders(struct ct_lines *l, struct ct_top *t, const struct ct_top_thread *th, const json_t *row, int width)
{
	const json_t *list = json_object_get(json_object_get(row, "wait"), "holders"), *o;
	size_t i;

	json_array_foreach(list, i, o) {
		const char *ip = json_string_value(json_object_get(o, "ip"));
		struct ct_top_what w = { .call = "", .ip = ip ? strtoull(ip, NULL, 16) : 0 };
		char *label = ct_top_thread_label(t, (pid_t)json_integer_value(json_object_get(o, "tid")));
		const struct ct_top_what *const all[] = { &w };

		ct_names_learn(&t->names, all, 1);
		const char *place = w.ip ? ct_names_place(&t->names, &w) : "";

		ct_line_say(l, CT_WARN, width, "  held by %s%s%s", label ? label : "", *place ? ", taken at " : "", place);
		free(label);
	}
	if (!json_array_size(list) && th->owner) {
		char *label = ct_top_thread_label(t, th->owner);

		ct_line_say(l, CT_WARN, width, "  held by %s when the wait began", label ? label : "");
		free(label);
	}
}

static void last_waits(struct ct_lines *l, struct ct_top *t, const json_t *row, int width)
{
	const json_t *o;
	size_t i;

	ct_line_say(l, CT_PLAIN, width, "%s", "");
	ct_line_say(l, CT_TITLE, width, "%10s %9s  %s", "AGO", "LASTED", "LAST WAITS");
	json_array_foreach(json_object_get(row, "last"), i, o) {
		struct ct_top_what w = ct_top_what_of(o);
		const struct ct_top_what *const all[] = { &w };
		uint64_t start = (uint64_t)json_integer_value(json_object_get(o, "start_ns"));
		uint64_t stop = (uint64_t)json_integer_value(json_object_get(o, "end_ns"));
		char ago[CT_FORMAT], lasted[CT_FORMAT], *what = ct_top_waits_for(t, &w);

		ct_names_learn(&t->names, all, 1);
		ct_line_say(l, CT_PLAIN, width, "%10s %9s  %s  %s  %s", ct_format_ns(ago, t->now.now_ns > stop ? t->now.now_ns - stop : 0),
		    ct_format_ns(lasted, stop > start ? stop - start : 0), what ? what : "", w.call ? w.call : "",
		    ct_names_place(&t->names, &w));
		free(what);
	}
	if (!json_array_size(json_object_get(row, "last")))
		ct_line_say(l, CT_FAINT, width, "  none has ended since ctrace-top looks");
}

void ct_lines_thread(struct ct_lines *l, struct ct_top *t, pid_t tid, int width)
{
	const struct ct_top_thread *th = ct_top_thread_of(t, tid);
	const json_t *row = row_of(t, tid);
	char age[CT_FORMAT];

	if (!th) {
		ct_line_say(l, CT_FAINT, width, "thread %d has ended", tid);
		return;
	}
	ct_line_say(l, CT_TITLE, width, "Thread %s (%d)", th->name, tid);
	ct_line_say(l, CT_PLAIN, width, "%s, %.0f %% running, %.0f %% ready, %.0f %% blocked, %s old",
	    th->state == CT_TOP_RUNS ? "it runs" : th->state == CT_TOP_READY ? "it is ready, and has no CPU" :
	    th->state == CT_TOP_BLOCKED ? "it is blocked" : "its state is not known",
	    th->running * 100, th->ready * 100, th->blocked * 100,
	    ct_format_ns(age, t->now.now_ns > th->start_ns ? t->now.now_ns - th->start_ns : 0));
	if (th->wait.call) {
		char *what = ct_top_waits_for(t, &th->wait);

		ct_line_say(l, CT_PLAIN, width, "%s", "");
		ct_line_say(l, CT_PLAIN, width, "waits for %s in %s for %s", what ? what : "", th->wait.call, ct_format_ns(age, th->age_ns));
		free(what);
		holders(l, t, th, row, width);
		frames(l, t, &th->wait, width);
	} else if (th->state == CT_TOP_BLOCKED) {
		ct_line_say(l, CT_FAINT, width, "it waits in no call that ctrace knows, or has only begun to");
	}
	last_waits(l, t, row, width);
}
