/* malloc: what the memory allocator and changes of the address space cost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv.h"
#include "json_parts.h"
#include "report_wakers.h"

enum part {
	HEAP,     /* malloc, free... */
	MAPPING,  /* mmap, munmap, madvise, brk... */
	PARTS
};

static const char *const part_names[PARTS] = { "allocator", "address space" };

struct sums {
	uint64_t calls, short_ns;                    /* of the whole trace */
	uint64_t waits, blocked_ns, max_ns, elapsed_ns;
	uint64_t threads;                            /* that waited */
	/* Who ended the waits, where the kernel's word on wake-ups is in the trace. */
	uint64_t by_thread, by_thread_ns, by_none;
};

struct malloc_view {
	const struct ct_model *m;
	struct ct_report report;
	struct sums sum[PARTS];
};

static int part_of_cause(const struct ct_model *m, uint32_t cause)
{
	const char *name = ct_model_cause_name(m, cause);

	return !strcmp(name, "malloc") ? HEAP : !strcmp(name, "mmap") ? MAPPING : -1;
}

static int part_of_call(const struct ct_call_info *call)
{
	return !strcmp(call->family, "heap") ? HEAP : !strcmp(call->family, "mapping") ? MAPPING : -1;
}

static int add_up(struct malloc_view *v)
{
	const struct ct_model *m = v->m;
	uint8_t *waited = calloc(m->thread_count + 1u, 1);

	if (!waited)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->call_count; i++) {
		int part = part_of_call(&m->call[i]);

		if (part < 0)
			continue;
		v->sum[part].calls += m->call[i].calls;
		v->sum[part].short_ns += m->call[i].short_ns;
	}
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		int part = part_of_cause(m, m->site[cell->site].site.cause);

		if (part < 0 || m->site[cell->site].site.kind != CT_EVENT_INTERVAL || !cell->count)
			continue;
		struct sums *s = &v->sum[part];

		s->waits += cell->count;
		s->blocked_ns += cell->total_ns;
		s->elapsed_ns += cell->elapsed_ns;
		s->max_ns = cell->max_ns > s->max_ns ? cell->max_ns : s->max_ns;
		s->threads += !(waited[cell->thread] & 1 << part);
		waited[cell->thread] |= (uint8_t)(1 << part);
	}
	free(waited);
	return 0;
}

/* A wait that another thread of the process ended was for a lock inside. */
static int add_wakers(struct malloc_view *v, struct ct_reader *reader)
{
	struct ct_wakers_report w = { 0 };
	int error = v->m->wakes && v->sum[HEAP].waits + v->sum[MAPPING].waits ? ct_wakers_make(&w, v->m, reader) : 0;

	for (uint32_t i = 0; i < w.row_count && !error; i++) {
		const struct ct_waker_row *row = &w.row[i];
		int part = part_of_cause(v->m, w.wakes.site[row->site].site.cause);
		bool same = row->waker < v->m->thread_count &&
			    v->m->thread[row->waker].process == v->m->thread[row->waiter].process;

		if (part < 0)
			continue;
		v->sum[part].by_thread += same ? row->count : 0;
		v->sum[part].by_thread_ns += same ? row->total_ns : 0;
		v->sum[part].by_none += same ? 0 : row->count;
	}
	ct_wakers_close(&w);
	return error;
}

/* --- text --- */

static void print_part(const struct ct_out *o, const struct malloc_view *v, int part)
{
	const struct sums *s = &v->sum[part];
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];

	ct_print(o, CT_TITLE, "\n%s", part == HEAP ? "In the allocator (malloc, free...)" :
						     "Changing the address space (mmap, munmap, madvise, brk...)");
	fprintf(o->file, "\n  calls     %s in the whole trace, of which %s waited or took long", ct_format_count(a, s->calls),
		ct_format_count(b, s->waits));
	fprintf(o->file, "\n  blocked   %s", ct_format_ns(a, s->blocked_ns));
	if (s->waits)
		fprintf(o->file, " in %s wait%s of %s thread%s, %s at most", ct_format_count(b, s->waits), s->waits == 1 ? "" : "s",
			ct_format_count(d, s->threads), s->threads == 1 ? "" : "s", ct_format_ns(a, s->max_ns));
	fputc('\n', o->file);
	if (!s->waits)
		return;
	if (!v->m->wakes)
		ct_print(o, CT_FAINT, "  locks     not known: who ended the waits needs the kernel's word on wake-ups\n");
	else if (s->by_thread)
		fprintf(o->file, "  locks     %s waits were ended by another thread of the process: for the lock of\n"
			"            %s, %s\n", ct_format_count(a, s->by_thread), part == HEAP ? "an arena" : "the address space",
			ct_format_ns(b, s->by_thread_ns));
	else
		ct_print(o, CT_FAINT, "  locks     no wait was ended by another thread: none was for a lock inside\n");
}

static int by_calls(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_call_info *a = &m->call[*(const uint32_t *)x], *b = &m->call[*(const uint32_t *)y];

	return a->calls != b->calls ? (a->calls < b->calls ? 1 : -1) : strcmp(a->name, b->name);
}

/* The calls that were made, most first; owned by the caller. */
static uint32_t *calls_made(const struct ct_model *m, uint32_t *ret_count)
{
	uint32_t *order = calloc(m->call_count + 1u, sizeof(*order));

	*ret_count = 0;
	for (uint32_t i = 0; i < m->call_count && order; i++)
		if (m->call[i].calls && part_of_call(&m->call[i]) >= 0)
			order[(*ret_count)++] = i;
	if (order)
		qsort_r(order, *ret_count, sizeof(*order), by_calls, (void *)(uintptr_t)m);
	return order;
}

static int print_calls(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	uint32_t count, top = c->options->top;
	uint32_t *order = calls_made(m, &count);

	if (!order)
		return -ENOMEM;
	ct_print(o, CT_TITLE, "\nCalls");
	ct_print(o, CT_FAINT, " (calls: of the whole trace; waited: as selected)\n");
	ct_print(o, CT_FAINT, "  %-24s %9s %9s %9s\n", "call", "calls", "waited", "blocked");
	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		const struct ct_call_info *call = &m->call[order[i]];

		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 24, call->name);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, call->calls);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, call->written);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, call->written_ns);
		fputc('\n', o->file);
	}
	if (!count)
		ct_print(o, CT_PLAIN, "  none\n");
	free(order);
	return 0;
}

static int print_sites(const struct ct_context *c, struct malloc_view *v)
{
	const struct ct_out *o = &c->out;
	uint32_t all = 0, top = c->options->top;
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];
	int error = 0;

	for (uint32_t i = 0; i < v->report.site_count && !error; i++) {
		const struct ct_site_row *row = &v->report.site[i];

		if (part_of_cause(v->m, row->cause) < 0)
			continue;
		if (!all++)
			ct_print(o, CT_TITLE, "\nPlaces, by blocked time\n");
		if (top && all > top)
			continue;
		fprintf(o->file, "\n%4u. ", all);
		ct_print(o, CT_TITLE, "%s", ct_model_call_name(v->m, row->call));
		fprintf(o->file, "  %s in %s wait%s, the longest %s\n", ct_format_ns(a, row->total_ns),
			ct_format_count(b, row->count), row->count == 1 ? "" : "s", ct_format_ns(d, row->max_ns));
		error = ct_print_stack(c, &v->report, row->callstack);
	}
	if (top && all > top)
		ct_print(o, CT_FAINT, "\n      %u more: --top 0 shows all\n", all - top);
	return error;
}

/* --- JSON and CSV --- */

static json_t *part_json(const struct malloc_view *v, int part)
{
	const struct sums *s = &v->sum[part];
	json_t *o = json_object();

	ct_json_text(o, "part", part_names[part]);
	ct_json_number(o, "calls", s->calls);
	ct_json_number(o, "short_ns", s->short_ns);
	ct_json_number(o, "waits", s->waits);
	ct_json_number(o, "blocked_ns", s->blocked_ns);
	ct_json_number(o, "max_ns", s->max_ns);
	ct_json_number(o, "threads", s->threads);
	ct_json_set(o, "ended_by_thread", v->m->wakes ? json_integer((json_int_t)s->by_thread) : json_null());
	ct_json_set(o, "ended_by_thread_ns", v->m->wakes ? json_integer((json_int_t)s->by_thread_ns) : json_null());
	return o;
}

/*
 * {"trace": as everywhere,
 *  "parts": [{"part": "allocator" or "address space", "calls", "short_ns": of those too short to be recorded, "waits",
 *             "blocked_ns", "max_ns", "threads": that waited, "ended_by_thread", "ended_by_thread_ns": waits that a
 *             thread of the same process ended, which is a lock inside; null: not known}],
 *  "calls": [{"call", "part", "calls", "short_ns", "waits", "blocked_ns"}],
 *  "sites": [{"call", "part", "waits", "blocked_ns", "max_ns", "stack"}]}
 */
static int print_json(const struct ct_context *c, struct malloc_view *v)
{
	json_t *o = json_object(), *parts = json_array(), *calls = json_array(), *sites = json_array();
	uint32_t count, *order = calls_made(v->m, &count), shown = 0, top = c->options->top;

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, v->m));
	for (int i = 0; i < PARTS; i++)
		ct_json_append(parts, part_json(v, i));
	ct_json_set(o, "parts", parts);
	for (uint32_t i = 0; i < count && order; i++) {
		const struct ct_call_info *call = &v->m->call[order[i]];
		json_t *x = json_object();

		ct_json_text(x, "call", call->name);
		ct_json_text(x, "part", part_names[part_of_call(call)]);
		ct_json_number(x, "calls", call->calls);
		ct_json_number(x, "short_ns", call->short_ns);
		ct_json_number(x, "waits", call->written);
		ct_json_number(x, "blocked_ns", call->written_ns);
		ct_json_append(calls, x);
	}
	free(order);
	ct_json_set(o, "calls", calls);
	for (uint32_t i = 0; i < v->report.site_count && (!top || shown < top); i++) {
		const struct ct_site_row *row = &v->report.site[i];
		int part = part_of_cause(v->m, row->cause);
		json_t *x = part < 0 ? NULL : json_object();

		if (part < 0)
			continue;
		shown++;
		ct_json_text(x, "call", ct_model_call_name(v->m, row->call));
		ct_json_text(x, "part", part_names[part]);
		ct_json_number(x, "waits", row->count);
		ct_json_number(x, "blocked_ns", row->total_ns);
		ct_json_number(x, "max_ns", row->max_ns);
		ct_json_set(x, "stack", ct_json_stack(&v->report.callstacks, &v->report.symbols, row->callstack));
		ct_json_append(sites, x);
	}
	ct_json_set(o, "sites", sites);
	if (order && !ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return !order || ct_json_failed() ? -ENOMEM : 0;
}

static int print_csv(const struct ct_context *c, struct malloc_view *v)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t count, *order = calls_made(v->m, &count);

	ct_csv_header(&csv, "call part calls short_ns waits blocked_ns");
	for (uint32_t i = 0; i < count && order; i++) {
		const struct ct_call_info *call = &v->m->call[order[i]];

		ct_csv_text(&csv, call->name);
		ct_csv_text(&csv, part_names[part_of_call(call)]);
		ct_csv_number(&csv, call->calls);
		ct_csv_number(&csv, call->short_ns);
		ct_csv_number(&csv, call->written);
		ct_csv_number(&csv, call->written_ns);
		ct_csv_end_row(&csv);
	}
	free(order);
	return order ? 0 : -ENOMEM;
}

int ct_cmd_malloc(struct ct_context *c)
{
	struct ct_model m;
	struct malloc_view v = { .m = &m };
	int error = ct_command_load(c, &m, &v.report);

	if (!error)
		error = add_up(&v);
	if (!error && !c->options->csv)
		error = add_wakers(&v, &c->reader);
	if (!error && c->options->json) {
		error = print_json(c, &v);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &v);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m)) {
			for (int i = 0; i < PARTS; i++)
				print_part(&c->out, &v, i);
			error = print_calls(c, &m);
			if (!error)
				error = print_sites(c, &v);
			ct_print_notes(c, &v.report);
		}
	}
	ct_report_close(&v.report);
	ct_model_free(&m);
	return error;
}
