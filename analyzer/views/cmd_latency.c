/* latency: how long calls took, as bars. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "json_parts.h"
#include "latency.h"

#define SPARK_FIRST 10u /* 2^10 ns: about a microsecond */
#define SPARK_WIDTH 24u

static const char *const eighths[] = { " ", "\xe2\x96\x8f", "\xe2\x96\x8e", "\xe2\x96\x8d", "\xe2\x96\x8c",
				       "\xe2\x96\x8b", "\xe2\x96\x8a", "\xe2\x96\x89", "\xe2\x96\x88" };
static const char *const heights[] = { " ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
				       "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88" };

static uint64_t calls(const struct ct_latency *x)
{
	return x->recorded + x->short_calls;
}

static void first_and_last(const struct ct_latency *x, uint32_t *first, uint32_t *last)
{
	*first = CT_LATENCY_BUCKETS;
	*last = 0;
	for (uint32_t i = 0; i < CT_LATENCY_BUCKETS; i++) {
		if (!x->bucket[i])
			continue;
		if (*first == CT_LATENCY_BUCKETS)
			*first = i;
		*last = i;
	}
}

static uint64_t most(const struct ct_latency *x)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < CT_LATENCY_BUCKETS; i++)
		n = x->bucket[i] > n ? x->bucket[i] : n;
	return n;
}

/* A bar of so many eighths of a column; what is there has at least one. */
static void print_bar(const struct ct_out *o, enum ct_style style, uint64_t part, uint64_t whole, int width)
{
	uint64_t n = (uint64_t)((double)part / (double)whole * width * 8 + 0.5);

	if (part && !n)
		n = 1;
	ct_style(o, style);
	for (; n >= 8; n -= 8)
		fputs(eighths[8], o->file);
	if (n)
		fputs(eighths[n], o->file);
	ct_style(o, CT_PLAIN);
}

static void print_percentiles(const struct ct_out *o, const struct ct_latency *x)
{
	static const struct {
		const char *name;
		double share;
	} shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99.9", 0.999 } };
	char a[CT_FORMAT];

	fputs(" ", o->file);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		fprintf(o->file, " %s %s  ", shares[i].name, ct_format_ns(a, ct_latency_quantile(x, shares[i].share)));
	fprintf(o->file, " longest %s\n", ct_format_ns(a, x->max_ns));
}

static void print_histogram(const struct ct_context *c, const struct ct_latencies *l, const struct ct_latency *x)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];
	uint32_t first, last;
	uint64_t so_far = 0;

	first_and_last(x, &first, &last);
	ct_print(o, CT_TITLE, "\n%s", l->call ? l->call : x->cause < CT_CAUSES ? ct_model_cause_name(l->m, x->cause) :
					 c->options->cause_count == 1 ? c->options->cause[0] : "all that is selected");
	fprintf(o->file, ": %s call%s, %s in all, %s each on average\n", ct_format_count(a, calls(x)), calls(x) == 1 ? "" : "s",
		ct_format_ns(b, x->total_ns), ct_format_ns((char[CT_FORMAT]){ 0 }, x->total_ns / (calls(x) ? calls(x) : 1)));
	if (l->with_short)
		ct_print(o, CT_FAINT, "  %s of them were too short to be recorded, and only counted\n",
			 ct_format_count(a, x->short_calls));
	else
		ct_print(o, CT_FAINT, "  those that were recorded: they left the CPU, or took long enough\n");
	ct_print(o, CT_FAINT, "\n  %9s %9s %6s %6s\n", "from", "calls", "share", "up to");
	for (uint32_t i = first; i <= last && i < CT_LATENCY_BUCKETS; i++) {
		so_far += x->bucket[i];
		fputs("  ", o->file);
		ct_column_ns(o, CT_PLAIN, -9, i ? 1ull << i : 0);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, x->bucket[i]);
		fputc(' ', o->file);
		ct_column_text(o, CT_PLAIN, -6, x->bucket[i] ? ct_format_share(a, x->bucket[i], calls(x)) : "-");
		fputc(' ', o->file);
		ct_column_text(o, CT_FAINT, -6, ct_format_share(a, so_far, calls(x)));
		fputs("  ", o->file);
		print_bar(o, CT_GOOD, x->bucket[i], most(x), o->width - 40);
		fputc('\n', o->file);
	}
	fputc('\n', o->file);
	print_percentiles(o, x);
}

/* A column a bucket, from a microsecond on. */
static void print_spark(const struct ct_out *o, const struct ct_latency *x)
{
	uint64_t column[SPARK_WIDTH] = { 0 }, whole = 1;

	for (uint32_t i = 0; i < CT_LATENCY_BUCKETS; i++) {
		uint32_t at = i < SPARK_FIRST ? 0 : i - SPARK_FIRST;

		column[at < SPARK_WIDTH ? at : SPARK_WIDTH - 1] += x->bucket[i];
	}
	for (uint32_t i = 0; i < SPARK_WIDTH; i++)
		whole = column[i] > whole ? column[i] : whole;
	for (uint32_t i = 0; i < SPARK_WIDTH; i++) {
		uint32_t height = (uint32_t)((double)column[i] / (double)whole * 8 + 0.5);

		fputs(heights[column[i] && !height ? 1 : height], o->file);
	}
}

static void print_overview(const struct ct_context *c, const struct ct_latencies *l)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top;
	const char *by = l->grouping.by ? ct_group_by_name(l->grouping.by) : "cause";
	char text[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nHow long calls%s%s took, by %s", l->call ? " of " : "", l->call ? l->call : "", by);
	ct_print(o, CT_FAINT, " (those that were recorded)\n");
	ct_print(o, CT_FAINT, "  %-10s %9s  1 \xc2\xb5s      1 ms      1 s  %9s %9s %9s\n", l->grouping.by ? "" : "cause", "calls",
		 "median", "p99", "longest");
	for (uint32_t i = 0; i < l->item_count && (!top || i < top); i++) {
		const struct ct_latency *x = &l->item[i];

		fputs("  ", o->file);
		if (x->label) { /* too long for a column */
			ct_last_text(o, CT_PLAIN, o->width - 4, x->label);
			fprintf(o->file, "\n%12s", "");
		} else {
			ct_column_text(o, ct_style_of(l->m, x->cause), 10, ct_model_cause_name(l->m, x->cause));
		}
		fprintf(o->file, " %9s |", ct_format_count(text, calls(x)));
		print_spark(o, x);
		fputs("|", o->file);
		ct_column_ns(o, CT_PLAIN, -9, ct_latency_quantile(x, 0.5));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, ct_latency_quantile(x, 0.99));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, x->max_ns);
		fputc('\n', o->file);
	}
	if (top && l->item_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", l->item_count - top);
	if (l->item_count && !l->grouping.by)
		ct_print(o, CT_FAINT, "\n  --cause %s, or --call NAME, shows one of them at large\n",
			 ct_model_cause_name(l->m, l->item[0].cause));
}

/* --- JSON and CSV --- */

static const char *cause_of(const struct ct_context *c, const struct ct_latencies *l, const struct ct_latency *x)
{
	if (x->label)
		return x->label;
	if (x->cause < CT_CAUSES)
		return ct_model_cause_name(l->m, x->cause);
	return c->options->cause_count == 1 ? c->options->cause[0] : NULL;
}

json_t *ct_latency_json(const uint64_t bucket[CT_LATENCY_BUCKETS])
{
	json_t *buckets = json_array();

	for (uint32_t b = 0; b < CT_LATENCY_BUCKETS; b++) {
		json_t *o = bucket[b] ? json_object() : NULL;

		if (!bucket[b])
			continue;
		ct_json_number(o, "from_ns", b ? 1ull << b : 0);
		ct_json_number(o, "to_ns", b < 63 ? 2ull << b : UINT64_MAX);
		ct_json_number(o, "count", bucket[b]);
		ct_json_append(buckets, o);
	}
	return buckets;
}

/*
 * {"trace": as everywhere,
 *  "histograms": [{"cause" (with --group-by: "label", the group's), "call" (null: several), "recorded", "short": calls that were only counted, in all of the
 *                  following, "total_ns", "max_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns",
 *                  "buckets": [{"from_ns", "to_ns", "count"}]}]}
 */
static int print_json(const struct ct_context *c, const struct ct_latencies *l)
{
	json_t *o = json_object(), *items = json_array();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, l->m));
	for (uint32_t i = 0; i < l->item_count; i++) {
		const struct ct_latency *x = &l->item[i];
		json_t *item = json_object();

		ct_json_text(item, l->grouping.by ? "label" : "cause", cause_of(c, l, x));
		ct_json_text(item, "call", l->call);
		ct_json_number(item, "recorded", x->recorded);
		ct_json_number(item, "short", x->short_calls);
		ct_json_number(item, "total_ns", x->total_ns);
		ct_json_number(item, "max_ns", x->max_ns);
		ct_json_number(item, "p50_ns", ct_latency_quantile(x, 0.5));
		ct_json_number(item, "p90_ns", ct_latency_quantile(x, 0.9));
		ct_json_number(item, "p99_ns", ct_latency_quantile(x, 0.99));
		ct_json_number(item, "p999_ns", ct_latency_quantile(x, 0.999));
		ct_json_set(item, "buckets", ct_latency_json(x->bucket));
		ct_json_append(items, item);
	}
	ct_json_set(o, "histograms", items);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, const struct ct_latencies *l)
{
	struct ct_csv csv = { .file = c->out.file };

	ct_csv_group_header(&csv, c->options->group_by, CT_CSV_LATENCY);
	for (uint32_t i = 0; i < l->item_count; i++)
		for (uint32_t b = 0; b < CT_LATENCY_BUCKETS; b++) {
			if (!l->item[i].bucket[b])
				continue;
			ct_csv_text(&csv, cause_of(c, l, &l->item[i]));
			ct_csv_text(&csv, l->call);
			ct_csv_number(&csv, b ? 1ull << b : 0);
			ct_csv_number(&csv, b < 63 ? 2ull << b : UINT64_MAX);
			ct_csv_number(&csv, l->item[i].bucket[b]);
			ct_csv_end_row(&csv);
		}
}

int ct_cmd_latency(struct ct_context *c)
{
	struct ct_model m;
	struct ct_latencies l = { 0 };
	int error = ct_command_load(c, &m, NULL);

	if (!error)
		error = ct_latencies_make(&l, &m, &c->reader);
	if (error == -ENOENT && c->options->call) {
		snprintf(c->usage, sizeof(c->usage), "'%.60s' is no call of this trace: see ctrace-analyze stats", c->options->call);
		error = -EINVAL;
	}
	if (!error && c->options->json) {
		error = print_json(c, &l);
	} else if (!error && c->options->csv) {
		print_csv(c, &l);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m)) {
			if (!l.item_count)
				ct_print(&c->out, CT_PLAIN, "\nNo call %s.\n", l.together ? "matches" : "was recorded");
			else if (l.together)
				print_histogram(c, &l, &l.item[0]);
			else
				print_overview(c, &l);
		}
	}
	ct_latencies_close(&l);
	ct_model_free(&m);
	return error;
}
