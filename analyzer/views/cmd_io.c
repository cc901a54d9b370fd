/* io: what input and output goes to, and how long it takes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "io_report.h"
#include "json_parts.h"
#include "objects.h"

#define SITES_SHOWN 3u

static uint64_t quantile(const struct ct_io_row *row, double share)
{
	uint64_t v = ct_delays_quantile(row->lengths, share);

	/* The middle of the last bucket can lie behind the largest value. */
	return v > row->lengths->max_ns ? row->lengths->max_ns : v;
}

static const char *bytes(char to[CT_FORMAT], uint64_t n)
{
	if (!n)
		return "-";
	if (n >= 1000)
		return ct_format_bytes(to, n);
	snprintf(to, CT_FORMAT, "%u B", (unsigned int)n);
	return to;
}

/* What says most where there is little room: the end of a path, the address of a socket. */
static const char *short_label(const struct ct_io_row *row, int width)
{
	if (ct_text_width(row->label) <= width)
		return row->label;
	if (*row->label == '/')
		return ct_base_name(row->label);
	if (!strncmp(row->label, "socket tcp", 10) || !strncmp(row->label, "socket udp", 10))
		return row->label + 11;
	return !strncmp(row->label, "socket ", 7) ? row->label + 7 : row->label;
}

static void print_table(const struct ct_context *c, const struct ct_io_report *io, bool idle)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top, all = 0, shown = 0;
	char a[CT_FORMAT];

	for (uint32_t i = 0; i < io->row_count; i++) {
		const struct ct_io_row *row = &io->row[i];

		if (row->idle != idle)
			continue;
		if (!all++) {
			ct_print(o, CT_TITLE, idle ? "\nWhere threads waited for something to arrive%s%s\n" :
						     c->options->sort ? "\nInput and output%s%s\n" :
						     "\nInput and output%s%s, by blocked time\n",
				 c->options->group_by ? " by " : "", ct_group_by_name(c->options->group_by));
			ct_print(o, CT_FAINT, "%8s %7s %7s %7s %7s %7s %7s  %s\n", "blocked", "calls", "read", "written",
				 "median", "p99", "longest", c->options->group_by ? ct_group_by_name(c->options->group_by) : "what");
		}
		if (top && shown == top)
			continue;
		shown++;
		ct_column_ns(o, row->blocked_ns && !idle ? CT_WARN : CT_FAINT, -8, row->blocked_ns);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -7, row->calls);
		fputc(' ', o->file);
		ct_column_text(o, CT_PLAIN, -7, bytes(a, row->read_bytes));
		fputc(' ', o->file);
		ct_column_text(o, CT_PLAIN, -7, bytes(a, row->write_bytes));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, quantile(row, 0.5));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, quantile(row, 0.99));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, row->lengths->max_ns);
		fputs("  ", o->file);
		ct_last_text(o, CT_PLAIN, o->width - 58, short_label(row, o->width - 58));
		fputc('\n', o->file);
	}
	if (all > shown)
		ct_print(o, CT_FAINT, "%8s and %u more: --top 0 shows all\n", "", all - shown);
	if (!all && !idle)
		ct_print(o, CT_PLAIN, "\nNo input or output blocked a thread, or took long enough to be recorded.\n");
}

/* "name (tid) 1.2 s, ..." */
static void print_threads(const struct ct_out *o, const struct ct_model *m, const struct ct_io_row *row)
{
	const struct ct_tallies *t = &row->threads;
	int room = o->width - 16;
	char ns[CT_FORMAT];

	if (!t->item_count)
		return;
	ct_print(o, CT_FAINT, "      threads   ");
	for (uint32_t i = 0; i < t->item_count; i++) {
		const struct ct_thread_info *thread = &m->thread[t->item[i].key];
		char text[96];

		snprintf(text, sizeof(text), "%s%.32s (%llu) %s", i ? ", " : "", thread->name,
			 (unsigned long long)thread->tid, ct_format_ns(ns, t->item[i].total_ns));
		room -= ct_text_width(text);
		if (i && room < 14) {
			ct_print(o, CT_FAINT, " and %u more", t->item_count - i);
			break;
		}
		fputs(text, o->file);
	}
	fputc('\n', o->file);
}

static int print_row(const struct ct_context *c, struct ct_io_report *io, const struct ct_io_row *row, uint32_t rank)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];
	int error = 0;

	fprintf(o->file, "\n%4u. ", rank);
	ct_last_text(o, CT_TITLE, o->width - 22, row->label);
	if (*row->kind)
		ct_print(o, CT_FAINT, "  %s", row->kind);
	fprintf(o->file, "\n      blocked   %s in %s wait%s, the longest", ct_format_ns(a, row->blocked_ns),
		ct_format_count(b, row->waits), row->waits == 1 ? "" : "s");
	fprintf(o->file, " %s", ct_format_ns(a, row->max_ns));
	if (row->descriptors > 1)
		ct_print(o, CT_FAINT, "; %s descriptors", ct_format_count(a, row->descriptors));
	if (row->errors)
		ct_print(o, CT_FAINT, "; %s calls failed", ct_format_count(a, row->errors));
	fputc('\n', o->file);
	print_threads(o, io->m, row);
	for (uint32_t i = 0; i < row->sites.item_count && i < SITES_SHOWN && !error; i++) {
		const struct ct_tally *t = &row->sites.item[i];

		if (!t->count)
			continue;

		ct_print(o, CT_FAINT, "      %-9s", ct_model_call_name(io->m, (uint32_t)t->key));
		fprintf(o->file, " %s in %s wait%s\n", ct_format_ns(a, t->total_ns), ct_format_count(b, t->count),
			t->count == 1 ? "" : "s");
		error = ct_print_stack(c, io->report, (uint32_t)(t->key >> 32));
	}
	if (row->sites.item_count > SITES_SHOWN)
		ct_print(o, CT_FAINT, "      and %u more places\n", row->sites.item_count - SITES_SHOWN);
	return error;
}

/* --- calls --- */

static bool is_io_call(const struct ct_io_report *io, const struct ct_call_info *call)
{
	static const char *const families[] = { "io", "files", "sockets", "stdio", "stdio_streams", "stdio_format",
						"stdio_wide", "paths", "directories", "terminals", "aio", "descriptors" };

	(void)io;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (!strcmp(call->family, families[i]))
			return true;
	return false;
}

static int by_calls(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_call_info *a = &m->call[*(const uint32_t *)x], *b = &m->call[*(const uint32_t *)y];
	uint64_t time_a = a->short_ns + a->written_ns, time_b = b->short_ns + b->written_ns;

	if (time_a != time_b)
		return time_a < time_b ? 1 : -1;
	return a->calls != b->calls ? (a->calls < b->calls ? 1 : -1) : strcmp(a->name, b->name);
}

/* The calls of input and output that were made; owned by the caller. */
static uint32_t *io_calls(const struct ct_io_report *io, uint32_t *ret_count)
{
	uint32_t *order = calloc(io->m->call_count + 1u, sizeof(*order));

	*ret_count = 0;
	for (uint32_t i = 0; i < io->m->call_count && order; i++)
		if (io->m->call[i].calls && is_io_call(io, &io->m->call[i]))
			order[(*ret_count)++] = i;
	if (order)
		qsort_r(order, *ret_count, sizeof(*order), by_calls, (void *)(uintptr_t)io->m);
	return order;
}

static int print_calls(const struct ct_context *c, const struct ct_io_report *io)
{
	const struct ct_out *o = &c->out;
	uint32_t count, top = c->options->top;
	uint32_t *order = io_calls(io, &count);

	if (!order)
		return -ENOMEM;
	if (count) {
		ct_print(o, CT_TITLE, "\nAll calls");
		ct_print(o, CT_FAINT, " (of the whole trace; short: too short to be recorded)\n");
		ct_print(o, CT_FAINT, "  %-24s %9s %9s %10s\n", "call", "calls", "recorded", "time short");
	}
	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		const struct ct_call_info *call = &io->m->call[order[i]];

		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 24, call->name);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, call->calls);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, io->recorded[order[i]]);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -10, call->short_ns);
		fputc('\n', o->file);
	}
	if (top && count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", count - top);
	free(order);
	return 0;
}

static int print_report(const struct ct_context *c, struct ct_io_report *io)
{
	uint32_t top = c->options->top, shown = 0;
	int error = 0;

	print_table(c, io, false);
	print_table(c, io, true);
	ct_print(&c->out, CT_FAINT, "\n  calls, bytes and lengths (from call to return): of calls that left the CPU, or\n"
				    "  took long enough to be recorded; the others are only counted: see the end\n");
	for (uint32_t i = 0; i < io->row_count && !error; i++) {
		if (io->row[i].idle || !io->row[i].waits || (top && shown == (top < 5 ? top : 5)))
			continue;
		error = print_row(c, io, &io->row[i], ++shown);
	}
	if (!error)
		error = print_calls(c, io);
	ct_print_notes(c, io->report);
	return error;
}

/* --- JSON and CSV --- */

static json_t *threads_json(const struct ct_model *m, const struct ct_io_row *row)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < row->threads.item_count; i++) {
		const struct ct_tally *t = &row->threads.item[i];
		const struct ct_thread_info *thread = &m->thread[t->key];
		json_t *o = json_object();

		ct_json_number(o, "pid", m->process[thread->process].pid);
		ct_json_number(o, "tid", thread->tid);
		ct_json_text(o, "name", thread->name);
		ct_json_number(o, "waits", t->count);
		ct_json_number(o, "blocked_ns", t->total_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *row_json(struct ct_io_report *io, const struct ct_io_row *row)
{
	json_t *o = json_object(), *sites = json_array();

	ct_json_text(o, io->grouping.by ? "label" : "object", row->label);
	ct_json_text(o, "kind", row->kind);
	ct_json_set(o, "idle", json_boolean(row->idle));
	ct_json_number(o, "descriptors", row->descriptors);
	ct_json_number(o, "calls", row->calls);
	ct_json_number(o, "errors", row->errors);
	ct_json_number(o, "read_bytes", row->read_bytes);
	ct_json_number(o, "write_bytes", row->write_bytes);
	ct_json_number(o, "elapsed_ns", row->elapsed_ns);
	ct_json_number(o, "p50_ns", quantile(row, 0.5));
	ct_json_number(o, "p99_ns", quantile(row, 0.99));
	ct_json_number(o, "max_ns", row->lengths->max_ns);
	ct_json_number(o, "waits", row->waits);
	ct_json_number(o, "blocked_ns", row->blocked_ns);
	ct_json_number(o, "max_blocked_ns", row->max_ns);
	ct_json_set(o, "threads", threads_json(io->m, row));
	for (uint32_t i = 0; i < row->sites.item_count; i++) {
		const struct ct_tally *t = &row->sites.item[i];
		json_t *site = json_object();

		ct_json_text(site, "call", ct_model_call_name(io->m, (uint32_t)t->key));
		ct_json_number(site, "waits", t->count);
		ct_json_number(site, "blocked_ns", t->total_ns);
		ct_json_set(site, "stack",
			    ct_json_stack(&io->report->callstacks, &io->report->symbols, (uint32_t)(t->key >> 32)));
		ct_json_append(sites, site);
	}
	ct_json_set(o, "sites", sites);
	return o;
}

/*
 * {"trace": as everywhere,
 *  "io": [{"object" (with --group-by: "label", the group's), "kind", "idle": waits for something to arrive, "descriptors",
 *          "calls", "errors", "read_bytes", "write_bytes", "elapsed_ns", "p50_ns", "p99_ns", "max_ns": of the
 *          calls that were recorded, from call to return; "waits", "blocked_ns", "max_blocked_ns": those that
 *          blocked; "threads": [{thread, "waits", "blocked_ns"}], "sites": [{"call", "waits", "blocked_ns", "stack"}]}],
 *  "calls": [{"call", "family", "calls", "recorded", "short_ns"}]: all, of the whole trace}
 */
static int print_json(const struct ct_context *c, struct ct_io_report *io)
{
	json_t *o = json_object(), *rows = json_array(), *calls = json_array();
	uint32_t count, *order = io_calls(io, &count), top = c->options->top;

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, io->m));
	for (uint32_t i = 0; i < io->row_count && (!top || i < top); i++)
		ct_json_append(rows, row_json(io, &io->row[i]));
	ct_json_set(o, "io", rows);
	for (uint32_t i = 0; i < count && order; i++) {
		const struct ct_call_info *call = &io->m->call[order[i]];
		json_t *x = json_object();

		ct_json_text(x, "call", call->name);
		ct_json_text(x, "family", call->family);
		ct_json_number(x, "calls", call->calls);
		ct_json_number(x, "recorded", io->recorded[order[i]]);
		ct_json_number(x, "short_ns", call->short_ns);
		ct_json_append(calls, x);
	}
	free(order);
	ct_json_set(o, "calls", calls);
	if (order && !ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return !order || ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, const struct ct_io_report *io)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;

	ct_csv_group_header(&csv, c->options->group_by, CT_CSV_IO);
	for (uint32_t i = 0; i < io->row_count && (!top || i < top); i++) {
		const struct ct_io_row *row = &io->row[i];
		const uint64_t numbers[] = {
			row->idle, row->descriptors, row->calls, row->errors, row->read_bytes, row->write_bytes,
			row->elapsed_ns, quantile(row, 0.5), quantile(row, 0.99), row->lengths->max_ns, row->waits,
			row->blocked_ns, row->max_ns,
		};

		ct_csv_text(&csv, row->label);
		ct_csv_text(&csv, row->kind);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		ct_csv_end_row(&csv);
	}
}

int ct_cmd_io(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	struct ct_io_report io = { 0 };
	int error = ct_command_load(c, &m, &r);

	if (!error)
		error = ct_io_make(&io, &r, &c->reader);
	if (!error && c->options->json) {
		error = print_json(c, &io);
	} else if (!error && c->options->csv) {
		print_csv(c, &io);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m))
			error = print_report(c, &io);
	}
	ct_io_close(&io);
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
