/* Pictures as lines of text. See top.h. */
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "clean.h"
#include "text.h"
#include "top.h"
#include "types.h"

#define WIDTH_MIN 40

void ct_lines_free(struct ct_lines *l)
{
	for (uint32_t i = 0; i < l->line_count; i++)
		free(l->line[i].text);
	free(l->line);
	*l = (struct ct_lines){ 0 };
}

char *ct_top_plain(const char *text)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char *plain = malloc(strlen(text) + 1), *to = plain;
	mbstate_t state = { 0 };

	if (!plain)
		return NULL;
	while (*text) {
		wchar_t c = 0;
		size_t n = (unsigned char)*text < 0x80 ? 1 : mbrtowc(&c, text, strlen(text), &state);

		if (n == 1 && (unsigned char)*text < 0x80) {
			*to++ = *text < 0x20 || *text == 0x7f ? '?' : *text;
		} else if (n > 4 || !utf8) {
			/* One question mark for a character, where the terminal has another set of them. */
			if (((unsigned char)*text & 0xc0) != 0x80)
				*to++ = '?';
			state = (mbstate_t){ 0 };
			n = 1;
		} else if (wcwidth(c) == 1) {
			memcpy(to, text, n);
			to += n;
		} else {
			*to++ = '?';
		}
		text += n;
	}
	*to = 0;
	return plain;
}

/* --- a line --- */

struct pen {
	struct ct_out out;
	char *text;
	size_t bytes;
};

static bool begin(struct pen *p, int width)
{
	*p = (struct pen){ .out = { .width = width < WIDTH_MIN ? WIDTH_MIN : width } };
	p->out.file = open_memstream(&p->text, &p->bytes);
	return p->out.file != NULL;
}

/* Blanks at the end go. */
static void end(struct pen *p, struct ct_lines *l, enum ct_style style, bool head)
{
	if (fclose(p->out.file) || !p->text)
		return;
	while (p->bytes && p->text[p->bytes - 1] == ' ')
		p->text[--p->bytes] = 0;
	char *plain = ct_top_plain(p->text);
	struct ct_line *line = plain ? CT_APPEND(l, line) : NULL;

	free(p->text);
	if (line)
		*line = (struct ct_line){ plain, style, head };
	else
		free(plain);
}

__attribute__((format(printf, 4, 5))) static void say(struct ct_lines *l, enum ct_style style, int width,
						      const char *format, ...)
{
	struct pen p;
	va_list ap;
	char *text;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);

	va_end(ap);
	if (n < 0)
		return;
	if (begin(&p, width)) {
		ct_last_text(&p.out, CT_PLAIN, p.out.width, text);
		end(&p, l, style, false);
	}
	free(text);
}

/* --- what is waited for --- */

static const struct ct_top_thread *thread_of(const struct ct_top *t, pid_t tid)
{
	uint32_t at = ct_table_get(&t->now.by_tid, (uint64_t)tid);

	return at ? &t->now.thread[at - 1] : NULL;
}

/* "name (tid)". */
static char *thread_label(const struct ct_top *t, pid_t tid)
{
	const struct ct_top_thread *th = thread_of(t, tid);
	char *text;
	int n = th && *th->name ? asprintf(&text, "%s (%d)", th->name, tid) : asprintf(&text, "thread %d", tid);

	return n < 0 ? NULL : text;
}

char *ct_top_object(struct ct_top *t, const struct ct_top_what *w)
{
	char *text = NULL;
	int n = 0;

	switch (w->object_kind) {
	case CT_OBJECT_ADDRESS:
	case CT_OBJECT_FD:
		return ct_names_object(&t->names, w);
	case CT_OBJECT_THREAD:
		for (uint32_t i = 0; i < t->now.thread_count; i++)
			if (t->now.thread[i].pthread == w->object)
				return thread_label(t, t->now.thread[i].tid);
		break;
	case CT_OBJECT_PID:
		n = asprintf(&text, w->object ? "process %" PRIu64 : "any child", w->object);
		break;
	case CT_OBJECT_ID:
		n = asprintf(&text, "%s %" PRIu64, ct_names_cause(&t->names, w->cause), w->object);
		break;
	}
	return n < 0 ? NULL : text ? text : strdup("");
}

/* "mutex g_lock", "pipe fd 3", "sleep". */
static char *waits_for(struct ct_top *t, const struct ct_top_what *w)
{
	char *object = w->call ? ct_top_object(t, w) : NULL, *text;
	const char *cause = ct_names_cause(&t->names, w->cause);

	if (!w->call)
		return strdup("");
	/* Its kind may be in the label. */
	if (object && !strncmp(object, cause, strlen(cause)))
		return object;
	int n = asprintf(&text, "%s%s%s", cause, object && *object ? " " : "", object ? object : "");

	free(object);
	return n < 0 ? NULL : text;
}

/* Something of another thread's doing: worth a look. */
static enum ct_style style_of(const struct ct_top *t, const struct ct_top_what *w)
{
	return w->call && !strcmp(ct_names_category(&t->names, w->cause), "contention") ? CT_WARN : CT_PLAIN;
}

/* --- tables --- */

static void column_share(const struct ct_out *o, double part, bool known)
{
	char text[16];

	snprintf(text, sizeof(text), part > 0 && part < 0.005 ? "<1" : "%.0f", part * 100);
	ct_column_text(o, CT_PLAIN, -4, known ? text : "-");
	putc(' ', o->file);
}

static void column_number(const struct ct_out *o, int width, double number)
{
	char text[32];

	snprintf(text, sizeof(text), number < 100 ? "%.2f" : "%.0f", number);
	ct_column_text(o, CT_PLAIN, -width, text);
	putc(' ', o->file);
}

static void column(const struct ct_out *o, int width, const char *text)
{
	ct_column_text(o, CT_PLAIN, width, text ? text : "");
	putc(' ', o->file);
}

/* A place at the end of a line: the function alone, where there is no room for the file. */
static void last_place(const struct ct_out *o, int width, const char *place)
{
	char function[256];
	size_t n = strcspn(place, " ");

	if (ct_text_width(place) > width && n < sizeof(function) && place[n] == ' ' && place[n + 1] == ' ') {
		memcpy(function, place, n);
		function[n] = 0;
		place = function;
	}
	ct_last_text(o, CT_PLAIN, width, place);
}

static void column_ns(const struct ct_out *o, int width, uint64_t ns)
{
	char text[CT_FORMAT];

	ct_column_text(o, CT_PLAIN, -width, ns ? ct_format_ns(text, ns) : "-");
	putc(' ', o->file);
}

/* Columns of names, of what is waited for and of its place: the rest of a line, as it is divided. */
static int name_width(int width)
{
	return width < 100 ? 12 : 15;
}

static int what_width(int width, int used)
{
	int rest = width - used - 1;

	return rest < 12 ? 6 : rest / 2 > 45 ? 45 : rest / 2;
}

static int last_width(int width, int used)
{
	int left = width - used - what_width(width, used) - 1;

	return left < 8 ? 8 : left;
}

#define THREAD_USED(width) (7 + 1 + name_width(width) + 1 + 1 + 1 + 3 * 5 + 8 + 1)

static void thread_line(struct ct_lines *l, struct ct_top *t, const struct ct_top_thread *th, int width)
{
	char tid[16], *what = waits_for(t, &th->wait);
	struct pen p;

	if (begin(&p, width)) {
		snprintf(tid, sizeof(tid), "%d", th->tid);
		column(&p.out, -7, tid);
		column(&p.out, name_width(p.out.width), th->name);
		fprintf(p.out.file, "%c ", th->state);
		column_share(&p.out, th->running, th->timed);
		column_share(&p.out, th->ready, th->timed);
		column_share(&p.out, th->blocked, th->timed);
		column_ns(&p.out, 8, th->wait.call ? th->age_ns : 0);
		column(&p.out, what_width(p.out.width, THREAD_USED(p.out.width)), what);
		last_place(&p.out, last_width(p.out.width, THREAD_USED(p.out.width)),
			   th->wait.call ? ct_names_place(&t->names, &th->wait) : "");
		end(&p, l, th->state == CT_TOP_RUNS ? CT_GOOD : th->state == CT_TOP_READY ? CT_BAD : style_of(t, &th->wait),
		    false);
	}
	free(what);
}

static void thread_head(struct ct_lines *l, int sort, int width)
{
	struct pen p;

	if (!begin(&p, width))
		return;
	for (int i = 0; ct_top_columns[i].key; i++) {
		int w[] = { -7, name_width(p.out.width), 1, -4, -4, -4, -8, what_width(p.out.width, THREAD_USED(p.out.width)) };
		char title[32];

		snprintf(title, sizeof(title), "%s%s", i == sort && i != 2 ? "*" : "", ct_top_columns[i].title);
		/* "*%RUN" is as wide as the column and the blank before it. */
		if (i == sort && i >= 3 && i <= 5) {
			fseek(p.out.file, -1, SEEK_CUR);
			w[i] = -5;
		}
		column(&p.out, w[i], i == sort && i == 2 ? "S" : title);
	}
	fputs("AT", p.out.file);
	end(&p, l, CT_TITLE, true);
}

void ct_lines_threads(struct ct_lines *l, struct ct_top *t, const char *filter, int sort, int width)
{
	thread_head(l, sort, width);
	for (uint32_t i = 0; i < t->now.thread_count; i++)
		if (ct_top_shown(&t->now.thread[i], filter))
			thread_line(l, t, &t->now.thread[i], width);
}

#define ROW_USED (8 + 5 + 9 + 9 + 9)

static void row_line(struct ct_lines *l, struct ct_top *t, const struct ct_top_row *r, enum ct_top_pane pane, int width)
{
	char *what = pane == CT_PANE_CAUSES ? strdup(ct_names_cause(&t->names, r->what.cause)) : waits_for(t, &r->what);
	double seconds = (double)t->now.interval_ns / 1e9;
	char rate[CT_FORMAT];
	struct pen p;

	if (begin(&p, width)) {
		column_number(&p.out, 7, seconds > 0 ? (double)r->total_ns / 1e9 / seconds : 0);
		snprintf(rate, sizeof(rate), "%u", r->waiting);
		column(&p.out, -4, rate);
		column(&p.out, -8, ct_format_count(rate, seconds > 0 ? (uint64_t)((double)r->count / seconds + 0.5) : 0));
		/* Of few long ones, the parts that lie in the interval say nothing. */
		column_ns(&p.out, 8, r->count && r->total_ns / r->count < t->now.interval_ns / 4 ? r->total_ns / r->count : 0);
		column_ns(&p.out, 8, r->max_ns);
		column(&p.out, what_width(p.out.width, ROW_USED), what);
		last_place(&p.out, last_width(p.out.width, ROW_USED),
			   pane == CT_PANE_CAUSES ? ct_names_category(&t->names, r->what.cause) :
						    ct_names_place(&t->names, &r->what));
		end(&p, l, style_of(t, &r->what), false);
	}
	free(what);
}

void ct_lines_pane(struct ct_lines *l, struct ct_top *t, enum ct_top_pane pane, int width)
{
	const struct ct_picture *p = &t->now;
	const struct ct_top_row *rows = pane == CT_PANE_CAUSES ? p->cause : pane == CT_PANE_SITES ? p->site : p->lock;
	uint32_t count = pane == CT_PANE_CAUSES ? p->cause_count : pane == CT_PANE_SITES ? p->site_count : p->lock_count;
	static const char *const first[] = { "CAUSE", "WAITS FOR", "LOCK" }, *const last[] = { "KIND", "AT", "AT" };
	struct pen pen;

	if (pane == CT_PANE_NONE)
		return;
	if (begin(&pen, width)) {
		fprintf(pen.out.file, "%7s %4s %8s %8s %8s ", "WAITING", "NOW", "/S", "MEAN", "MAX");
		column(&pen.out, what_width(pen.out.width, ROW_USED), first[pane]);
		fputs(last[pane], pen.out.file);
		end(&pen, l, CT_TITLE, true);
	}
	for (uint32_t i = 0; i < count; i++)
		row_line(l, t, &rows[i], pane, width);
	if (!count)
		say(l, CT_FAINT, width, "no thread waited%s", pane == CT_PANE_LOCKS ? " for a lock" : "");
	if (pane == CT_PANE_SITES && p->other_ns)
		say(l, CT_FAINT, width, "more places than are kept: some waits are not here");
}

/* --- header --- */

void ct_lines_header(struct ct_lines *l, struct ct_top *t, int width)
{
	const struct ct_picture *p = &t->now;
	double seconds = (double)p->interval_ns / 1e9;
	char events[CT_FORMAT], lost[CT_FORMAT], causes[512] = "";
	size_t n = 0;

	struct pen pen;

	/* Of a long path the end says most. */
	if (begin(&pen, width)) {
		int used = fprintf(pen.out.file, "ctrace-top: %s (%d), %" PRIu64 " threads, recording %s, %s", t->name, t->pid,
				p->threads, p->recording, p->flight ? "flight recorder" : "to ");

		if (!p->flight && used > 0)
			ct_last_text(&pen.out, CT_PLAIN, pen.out.width - used > 12 ? pen.out.width - used : 12, t->output);
		end(&pen, l, CT_TITLE, false);
	}
	say(l, CT_PLAIN, width, "Threads: %.2f running, %.2f ready, %.2f blocked  Events: %s/s  Lost: %s%s  %.1f s",
	    p->running, p->ready, p->blocked,
	    ct_format_count(events, seconds > 0 ? (uint64_t)((double)p->new_events / seconds + 0.5) : 0),
	    ct_format_count(lost, p->lost), p->new_lost ? " (more)" : "", seconds);
	for (uint32_t i = 0; i < p->cause_count && i < 8 && n < sizeof(causes) - 64 && seconds > 0; i++)
		n += (size_t)snprintf(causes + n, sizeof(causes) - n, "%s%s %.2f", i ? ", " : "",
				      ct_names_cause(&t->names, p->cause[i].what.cause),
				      (double)p->cause[i].total_ns / 1e9 / seconds);
	say(l, CT_PLAIN, width, "Waiting: %s", *causes ? causes : "nobody");
}

/* --- a thread --- */

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
			say(l, CT_PLAIN, width, "    %s  %s:%d%s", f[i].function, ct_base_name(f[i].file), f[i].line,
			    f[i].inlined ? " (inlined)" : "");
		else if (f[i].function)
			say(l, CT_PLAIN, width, "    %s  %s", f[i].function, module);
		else
			say(l, CT_PLAIN, width, "    %s+0x%" PRIx64, module, f[i].offset);
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
		char *label = thread_label(t, (pid_t)json_integer_value(json_object_get(o, "tid")));
		const struct ct_top_what *const all[] = { &w };

		ct_names_learn(&t->names, all, 1);
		const char *place = w.ip ? ct_names_place(&t->names, &w) : "";

		say(l, CT_WARN, width, "  held by %s%s%s", label ? label : "", *place ? ", taken at " : "", place);
		free(label);
	}
	if (!json_array_size(list) && th->owner) {
		char *label = thread_label(t, th->owner);

		say(l, CT_WARN, width, "  held by %s when the wait began", label ? label : "");
		free(label);
	}
}

static void last_waits(struct ct_lines *l, struct ct_top *t, const json_t *row, int width)
{
	const json_t *o;
	size_t i;

	say(l, CT_PLAIN, width, "%s", "");
	say(l, CT_TITLE, width, "%10s %9s  %s", "AGO", "LASTED", "LAST WAITS");
	json_array_foreach(json_object_get(row, "last"), i, o) {
		struct ct_top_what w = ct_top_what_of(o);
		const struct ct_top_what *const all[] = { &w };
		uint64_t start = (uint64_t)json_integer_value(json_object_get(o, "start_ns"));
		uint64_t stop = (uint64_t)json_integer_value(json_object_get(o, "end_ns"));
		char ago[CT_FORMAT], lasted[CT_FORMAT], *what = waits_for(t, &w);

		ct_names_learn(&t->names, all, 1);
		say(l, CT_PLAIN, width, "%10s %9s  %s  %s  %s", ct_format_ns(ago, t->now.now_ns > stop ? t->now.now_ns - stop : 0),
		    ct_format_ns(lasted, stop > start ? stop - start : 0), what ? what : "", w.call ? w.call : "",
		    ct_names_place(&t->names, &w));
		free(what);
	}
	if (!json_array_size(json_object_get(row, "last")))
		say(l, CT_FAINT, width, "  none has ended since ctrace-top looks");
}

void ct_lines_thread(struct ct_lines *l, struct ct_top *t, pid_t tid, int width)
{
	const struct ct_top_thread *th = thread_of(t, tid);
	const json_t *row = row_of(t, tid);
	char age[CT_FORMAT];

	if (!th) {
		say(l, CT_FAINT, width, "thread %d has ended", tid);
		return;
	}
	say(l, CT_TITLE, width, "Thread %s (%d)", th->name, tid);
	say(l, CT_PLAIN, width, "%s, %.0f %% running, %.0f %% ready, %.0f %% blocked, %s old",
	    th->state == CT_TOP_RUNS ? "it runs" : th->state == CT_TOP_READY ? "it is ready, and has no CPU" :
	    th->state == CT_TOP_BLOCKED ? "it is blocked" : "its state is not known",
	    th->running * 100, th->ready * 100, th->blocked * 100,
	    ct_format_ns(age, t->now.now_ns > th->start_ns ? t->now.now_ns - th->start_ns : 0));
	if (th->wait.call) {
		char *what = waits_for(t, &th->wait);

		say(l, CT_PLAIN, width, "%s", "");
		say(l, CT_PLAIN, width, "waits for %s in %s for %s", what ? what : "", th->wait.call, ct_format_ns(age, th->age_ns));
		free(what);
		holders(l, t, th, row, width);
		frames(l, t, &th->wait, width);
	} else if (th->state == CT_TOP_BLOCKED) {
		say(l, CT_FAINT, width, "it waits in no call that ctrace knows, or has only begun to");
	}
	last_waits(l, t, row, width);
}

/* --- processes --- */

void ct_lines_processes(struct ct_lines *l, const json_t *rows, int width)
{
	const json_t *p;
	struct pen pen;
	size_t i;

	if (begin(&pen, width)) {
		fprintf(pen.out.file, "%7s %-15s %7s %9s %7s  %s", "PID", "NAME", "THREADS", "EVENTS/S", "LOST", "TRACE");
		end(&pen, l, CT_TITLE, true);
	}
	json_array_foreach(rows, i, p) {
		const char *name = json_string_value(json_object_get(p, "name"));
		const char *output = json_string_value(json_object_get(p, "output"));
		char *clean = ct_clean(name ? name : "", name ? strlen(name) : 0);
		char *path = ct_clean(output ? output : "", output ? strlen(output) : 0);
		char n[CT_FORMAT];

		if (begin(&pen, width)) {
			fprintf(pen.out.file, "%7" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(p, "pid")));
			column(&pen.out, 15, clean);
			fprintf(pen.out.file, "%7" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(p, "threads")));
			column(&pen.out, -9, ct_format_count(n, (uint64_t)json_integer_value(json_object_get(p, "events_per_s"))));
			column(&pen.out, -7, ct_format_count(n, (uint64_t)json_integer_value(json_object_get(p, "lost"))));
			putc(' ', pen.out.file);
			ct_last_text(&pen.out, CT_PLAIN, pen.out.width > 60 ? pen.out.width - 52 : 8, path ? path : "");
			end(&pen, l, CT_PLAIN, false);
		}
		free(clean);
		free(path);
	}
}
