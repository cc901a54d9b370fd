/* Tables of threads, waits and processes, as lines of text. See top.h. */
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "lines.h"

/* Something of another thread's doing: worth a look. */
static enum ct_style style_of(const struct ct_top *t, const struct ct_top_what *w)
{
	return w->call && !strcmp(ct_names_category(&t->names, w->cause), "contention") ? CT_WARN : CT_PLAIN;
}

/* --- columns --- */

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
	char tid[16], *what = ct_top_waits_for(t, &th->wait);
	struct ct_pen p;

	if (ct_line_begin(&p, width)) {
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
		ct_line_end(&p, l, th->state == CT_TOP_RUNS ? CT_GOOD : th->state == CT_TOP_READY ? CT_BAD : style_of(t, &th->wait),
		    false);
	}
	free(what);
}

static void thread_head(struct ct_lines *l, int sort, int width)
{
	struct ct_pen p;

	if (!ct_line_begin(&p, width))
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
	ct_line_end(&p, l, CT_TITLE, true);
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
	char *what = pane == CT_PANE_CAUSES ? strdup(ct_names_cause(&t->names, r->what.cause)) : ct_top_waits_for(t, &r->what);
	double seconds = (double)t->now.sums_ns / 1e9;
	char rate[CT_FORMAT];
	struct ct_pen p;

	if (pane == CT_PANE_SITES && r->several) {
		free(what);
		what = asprintf(&what, "%s, several", ct_names_cause(&t->names, r->what.cause)) < 0 ? NULL : what;
	}
	if (ct_line_begin(&p, width)) {
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
		ct_line_end(&p, l, style_of(t, &r->what), false);
	}
	free(what);
}

void ct_lines_pane(struct ct_lines *l, struct ct_top *t, enum ct_top_pane pane, int width)
{
	const struct ct_picture *p = &t->now;
	const struct ct_top_row *rows = pane == CT_PANE_CAUSES ? p->cause : pane == CT_PANE_SITES ? p->site : p->lock;
	uint32_t count = pane == CT_PANE_CAUSES ? p->cause_count : pane == CT_PANE_SITES ? p->site_count : p->lock_count;
	static const char *const first[] = { "CAUSE", "WAITS FOR", "LOCK" }, *const last[] = { "KIND", "AT", "AT" };
	struct ct_pen pen;

	if (pane == CT_PANE_NONE)
		return;
	if (ct_line_begin(&pen, width)) {
		fprintf(pen.out.file, "%7s %4s %8s %8s %8s ", "WAITING", "NOW", "/S", "MEAN", "MAX");
		column(&pen.out, what_width(pen.out.width, ROW_USED), first[pane]);
		fputs(last[pane], pen.out.file);
		ct_line_end(&pen, l, CT_TITLE, true);
	}
	for (uint32_t i = 0; i < count; i++)
		row_line(l, t, &rows[i], pane, width);
	if (!count)
		ct_line_say(l, CT_FAINT, width, "no thread waited%s", pane == CT_PANE_LOCKS ? " for a lock" : "");
	if (pane == CT_PANE_SITES && p->other_ns)
		ct_line_say(l, CT_FAINT, width, "more places than are kept: some waits are not here");
}

/* --- processes --- */

void ct_lines_processes(struct ct_lines *l, const json_t *rows, int width)
{
	const json_t *p;
	struct ct_pen pen;
	size_t i;

	if (ct_line_begin(&pen, width)) {
		fprintf(pen.out.file, "%7s %-15s %7s %9s %7s  %s", "PID", "NAME", "THREADS", "EVENTS/S", "LOST", "TRACE");
		ct_line_end(&pen, l, CT_TITLE, true);
	}
	json_array_foreach(rows, i, p) {
		const char *name = json_string_value(json_object_get(p, "name"));
		const char *output = json_string_value(json_object_get(p, "output"));
		char *clean = ct_clean(name ? name : "", name ? strlen(name) : 0);
		char *path = ct_clean(output ? output : "", output ? strlen(output) : 0);
		char n[CT_FORMAT];

		if (ct_line_begin(&pen, width)) {
			fprintf(pen.out.file, "%7" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(p, "pid")));
			column(&pen.out, 15, clean);
			fprintf(pen.out.file, "%7" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(p, "threads")));
			column(&pen.out, -9, ct_format_count(n, (uint64_t)json_integer_value(json_object_get(p, "events_per_s"))));
			column(&pen.out, -7, ct_format_count(n, (uint64_t)json_integer_value(json_object_get(p, "lost"))));
			putc(' ', pen.out.file);
			ct_last_text(&pen.out, CT_PLAIN, pen.out.width > 60 ? pen.out.width - 52 : 8, path ? path : "");
			ct_line_end(&pen, l, CT_PLAIN, false);
		}
		free(clean);
		free(path);
	}
}
