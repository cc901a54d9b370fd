/* diff: what got worse and better between two traces, or two sets of them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "csv_tables.h"
#include "diff.h"
#include "json_parts.h"
#include "wrap.h"

/* --- reading --- */

static int read_run(struct ct_context *c, struct ct_diff *d, const char *file, int side)
{
	struct ct_model m = { 0 };
	struct ct_report r = { 0 };
	uint64_t damaged = c->reader.damaged;

	if (d->runs[side] == CT_DIFF_RUNS) {
		snprintf(c->usage, sizeof(c->usage), "more than %u traces a side", CT_DIFF_RUNS);
		return -EINVAL;
	}
	ct_reader_close(&c->reader);
	int error = ct_command_open(c, file);

	if (error)
		return error;
	error = ct_command_usage(c, &m, ct_model_load(&m, &c->reader, c->options));
	/* All places: those that are few in one trace may be many in the other. */
	if (!error)
		error = ct_report_make(&r, &m, 0);
	if (!error)
		error = ct_diff_add(d, &r, file, side);
	if (!c->reader.has_trailer || c->reader.damaged) {
		fprintf(stderr, "ctrace-analyze: %s: %s\n", file, c->reader.damaged ? "damaged: what could be read is compared" :
			"cut off, or still being written: it has no end");
		c->violations++;
	}
	c->reader.damaged = damaged;
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}

/* "a.bin,b.bin": several runs; a file of that very name is one. */
static int read_side(struct ct_context *c, struct ct_diff *d, const char *files, int side)
{
	char *list = strdup(files), *rest = NULL;
	int error = list ? 0 : -ENOMEM;

	if (!error && !access(files, F_OK))
		error = read_run(c, d, files, side);
	else
		for (char *file = list ? strtok_r(list, ",", &rest) : NULL; file && !error; file = strtok_r(NULL, ",", &rest))
			error = read_run(c, d, file, side);
	free(list);
	if (!error && !d->runs[side]) {
		snprintf(c->usage, sizeof(c->usage), "'%.80s' names no trace", files);
		error = -EINVAL;
	}
	return error;
}

/* --- text --- */

static uint64_t median_duration(const struct ct_diff *d, int side)
{
	uint64_t v[CT_DIFF_RUNS];
	uint32_t n = d->runs[side];

	for (uint32_t i = 0; i < n; i++) {
		uint64_t x = d->run[(side ? d->runs[0] : 0) + i].duration_ns;
		uint32_t k = i;

		for (; k && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void print_side(const struct ct_out *o, const struct ct_diff *d, int side)
{
	uint32_t first = side ? d->runs[0] : 0, n = d->runs[side];
	uint64_t events = 0, lost = 0, threads = 0;
	char a[CT_FORMAT], b[CT_FORMAT];

	for (uint32_t i = 0; i < n; i++) {
		events += d->run[first + i].events;
		lost += d->run[first + i].lost;
		threads += d->run[first + i].threads;
	}
	fprintf(o->file, "  %c         ", 'A' + side);
	ct_last_text(o, CT_TITLE, o->width - 32, d->run[first].file);
	if (n > 1)
		ct_print(o, CT_PLAIN, " and %u more", n - 1);
	fprintf(o->file, "\n            %s%s, %llu threads, %s events", ct_format_ns(a, median_duration(d, side)), n > 1 ? " (median)" : "",
		(unsigned long long)threads, ct_format_count(b, events));
	if (lost)
		ct_print(o, CT_BAD, ", %s LOST", ct_format_count(a, lost));
	fputc('\n', o->file);
}

static const char *format_change(char to[CT_FORMAT], double ns)
{
	char text[CT_FORMAT];

	snprintf(to, CT_FORMAT, "%c%.20s", ns < 0 ? '-' : '+', ct_format_ns(text, (uint64_t)(fabs(ns) + 0.5)));
	return to;
}

static const char *format_ratio(char to[CT_FORMAT], const struct ct_diff_row *row)
{
	double a = row->side[0].median, b = row->side[1].median;

	if (a <= 0)
		snprintf(to, CT_FORMAT, "new");
	else if (b <= 0)
		snprintf(to, CT_FORMAT, "gone");
	else if (b / a < 9.995)
		snprintf(to, CT_FORMAT, "x %.2f", b / a);
	else
		snprintf(to, CT_FORMAT, "x %.0f", b / a < 9999 ? b / a : 9999);
	return to;
}

static void print_row(const struct ct_out *o, const struct ct_diff *d, const struct ct_diff_row *row)
{
	enum ct_style style = row->noise || row->idle ? CT_FAINT : row->change > 0 ? CT_BAD : CT_GOOD;
	double spread_a = row->side[0].max - row->side[0].min, spread_b = row->side[1].max - row->side[1].min;
	bool noise = d->runs[0] > 1 || d->runs[1] > 1;
	char text[CT_FORMAT];

	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, (uint64_t)(row->side[0].median + 0.5));
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, (uint64_t)(row->side[1].median + 0.5));
	fputc(' ', o->file);
	ct_column_text(o, style, -9, format_change(text, row->change));
	fputc(' ', o->file);
	ct_column_text(o, style, -6, format_ratio(text, row));
	if (noise) {
		fputc(' ', o->file);
		ct_column_ns(o, CT_FAINT, -8, (uint64_t)((spread_a > spread_b ? spread_a : spread_b) + 0.5));
	}
	fputs("  ", o->file);
	ct_last_text(o, row->noise ? CT_FAINT : CT_PLAIN, o->width - (noise ? 57 : 48) + (row->noise ? 0 : 8), row->what);
	if (row->noise)
		ct_print(o, CT_FAINT, noise ? " (noise)" : " (same)");
	fputc('\n', o->file);
}

static void print_kind(const struct ct_context *c, const struct ct_diff *d, enum ct_diff_kind kind, const char *title)
{
	const struct ct_out *o = &c->out;
	bool noise = d->runs[0] > 1 || d->runs[1] > 1;
	uint32_t shown = 0, all = 0, top = c->options->top;

	for (uint32_t i = 0; i < d->row_count; i++) {
		if (d->row[i].kind != kind)
			continue;
		if (!all++) {
			ct_print(o, CT_TITLE, "\n%s\n", title);
			ct_print(o, CT_FAINT, " %8s %8s %9s %6s%s%s\n", "A", "B", "change", "", noise ? "    noise" : "", "  what");
		}
		if (top && shown == top)
			continue;
		shown++;
		print_row(o, d, &d->row[i]);
	}
	if (all > shown)
		ct_print(o, CT_FAINT, " and %u more: --top 0 shows all\n", all - shown);
}

/* The largest change for the worse, or for the better, that is certain. */
static const struct ct_diff_row *largest(const struct ct_diff *d, enum ct_diff_kind kind, bool worse)
{
	for (uint32_t i = 0; i < d->row_count; i++) {
		const struct ct_diff_row *row = &d->row[i];

		if (row->kind == kind && !row->noise && !row->idle && (row->change > 0) == worse)
			return row;
	}
	return NULL;
}

static void print_answer(const struct ct_out *o, const struct ct_diff *d)
{
	uint64_t a = median_duration(d, 0), b = median_duration(d, 1);
	char x[CT_FORMAT], y[CT_FORMAT];
	bool any = false;

	fprintf(o->file, "\nB took %s, A %s", ct_format_ns(x, b), ct_format_ns(y, a));
	if (a)
		fprintf(o->file, ": %+.0f %%", 100.0 * ((double)b - (double)a) / (double)a);
	fputs(".\n", o->file);
	for (int worse = 1; worse >= 0; worse--)
		for (enum ct_diff_kind kind = CT_DIFF_STATE; kind <= CT_DIFF_LOCK; kind++) {
			const struct ct_diff_row *row = largest(d, kind, worse);

			if (!row)
				continue;
			any = true;
			ct_print(o, worse ? CT_BAD : CT_GOOD, worse ? "Worse:  " : "Better: ");
			fprintf(o->file, "%-5s ", ct_diff_kind_name(kind));
			ct_last_text(o, CT_TITLE, o->width - 52, row->what);
			fprintf(o->file, "  %s a second (%s)\n", format_change(x, row->change), format_ratio(y, row));
			if (kind == CT_DIFF_STATE)
				continue;
			fprintf(o->file, "              in all %s in %s waits, ", ct_format_ns(x, row->side[0].total_ns),
				ct_format_count(y, row->side[0].count));
			fprintf(o->file, "then %s in %s\n", ct_format_ns(x, row->side[1].total_ns),
				ct_format_count(y, row->side[1].count));
		}
	if (!any)
		ct_print(o, CT_PLAIN, "No cause, place or lock differs by more than the noise.\n");
}

static void print_text(const struct ct_context *c, const struct ct_diff *d)
{
	const struct ct_out *o = &c->out;

	for (int s = 0; s < 2; s++)
		print_side(o, d, s);
	print_answer(o, d);
	ct_print_wrapped(o, CT_FAINT, 0, 0, d->runs[0] > 1 || d->runs[1] > 1 ?
		"\nAll times are a second of the trace, added up over threads: medians; noise: from the smallest to the "
		"largest run of a side." :
		"\nAll times are a second of the trace, added up over threads. How much runs differ by themselves is not known "
		"of one a side: diff A1,A2,A3 B1,B2,B3.");
	print_kind(c, d, CT_DIFF_STATE, "What threads did");
	print_kind(c, d, CT_DIFF_CAUSE, "Blocked, by cause");
	print_kind(c, d, CT_DIFF_SITE, "Blocked, by place");
	print_kind(c, d, CT_DIFF_LOCK, "Waits for locks");
	print_kind(c, d, CT_DIFF_THREAD, "Threads");
}

/* --- JSON and CSV --- */

static json_t *side_json(const struct ct_diff_side *s)
{
	json_t *o = json_object();

	ct_json_number(o, "ns_per_s", (uint64_t)(s->median + 0.5));
	ct_json_number(o, "min_ns_per_s", (uint64_t)(s->min + 0.5));
	ct_json_number(o, "max_ns_per_s", (uint64_t)(s->max + 0.5));
	ct_json_number(o, "total_ns", s->total_ns);
	ct_json_number(o, "count", s->count);
	ct_json_number(o, "runs", s->runs);
	return o;
}

static json_t *runs_json(const struct ct_diff *d, int side)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < d->runs[side]; i++) {
		const struct ct_diff_run *run = &d->run[(side ? d->runs[0] : 0) + i];
		json_t *o = json_object();

		ct_json_text(o, "file", run->file);
		ct_json_number(o, "duration_ns", run->duration_ns);
		ct_json_number(o, "processes", run->processes);
		ct_json_number(o, "threads", run->threads);
		ct_json_number(o, "events", run->events);
		ct_json_number(o, "lost_events", run->lost);
		ct_json_append(array, o);
	}
	return array;
}

/*
 * {"a": [{"file", "duration_ns", "processes", "threads", "events", "lost_events"}], "b": the same,
 *  "rows": [{"kind": "state", "cause", "site", "lock" or "thread", "what", "idle", "noise": the difference is not larger
 *            than the noise, "change_ns_per_s": b - a,
 *            "a": {"ns_per_s": median over the runs, of a second of the trace, "min_ns_per_s", "max_ns_per_s",
 *                  "total_ns", "count": of all runs, "runs": that had it}, "b": the same}]}
 */
static int print_json(const struct ct_context *c, const struct ct_diff *d)
{
	json_t *o = json_object(), *rows = json_array();

	ct_json_begin();
	ct_json_set(o, "a", runs_json(d, 0));
	ct_json_set(o, "b", runs_json(d, 1));
	for (uint32_t i = 0; i < d->row_count; i++) {
		const struct ct_diff_row *row = &d->row[i];
		json_t *x = json_object();

		ct_json_text(x, "kind", ct_diff_kind_name(row->kind));
		ct_json_text(x, "what", row->what);
		ct_json_set(x, "idle", json_boolean(row->idle));
		ct_json_set(x, "noise", json_boolean(row->noise));
		ct_json_set(x, "change_ns_per_s", json_integer((json_int_t)(row->change + (row->change < 0 ? -0.5 : 0.5))));
		ct_json_set(x, "a", side_json(&row->side[0]));
		ct_json_set(x, "b", side_json(&row->side[1]));
		ct_json_append(rows, x);
	}
	ct_json_set(o, "rows", rows);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, const struct ct_diff *d)
{
	struct ct_csv csv = { .file = c->out.file };

	ct_csv_header(&csv, CT_CSV_DIFF);
	for (uint32_t i = 0; i < d->row_count; i++) {
		const struct ct_diff_row *row = &d->row[i];

		ct_csv_text(&csv, ct_diff_kind_name(row->kind));
		ct_csv_text(&csv, row->what);
		ct_csv_number(&csv, row->idle);
		ct_csv_number(&csv, row->noise);
		for (int s = 0; s < 2; s++) {
			ct_csv_number(&csv, (uint64_t)(row->side[s].median + 0.5));
			ct_csv_number(&csv, (uint64_t)(row->side[s].min + 0.5));
			ct_csv_number(&csv, (uint64_t)(row->side[s].max + 0.5));
			ct_csv_number(&csv, row->side[s].total_ns);
			ct_csv_number(&csv, row->side[s].count);
		}
		ct_csv_end_row(&csv);
	}
}

int ct_cmd_diff(struct ct_context *c)
{
	const struct ct_options *o = c->options;
	struct ct_diff d = { 0 };
	int error = 0;

	c->unfinished = true; /* each trace is spoken of where it is read */
	if (o->argument_count < 2) {
		snprintf(c->usage, sizeof(c->usage), "diff takes two traces, or two lists of them: A1,A2 B1,B2");
		return -EINVAL;
	}
	for (int s = 0; s < 2 && !error; s++)
		error = read_side(c, &d, o->argument[s], s);
	if (!error) {
		ct_diff_finish(&d);
		if (o->json)
			error = print_json(c, &d);
		else if (o->csv)
			print_csv(c, &d);
		else
			print_text(c, &d);
	}
	ct_diff_free(&d);
	return error;
}
