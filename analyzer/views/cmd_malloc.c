/* malloc: what the memory allocator and changes of the address space cost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "json_parts.h"
#include "malloc_report.h"
#include "objects.h"
#include "report_group_by.h"
#include "report_sort.h"

static const char *const part_names[CT_MALLOC_PARTS] = { "allocator", "address space" };

static int part_of_call(const struct ct_call_info *call)
{
	return !strcmp(call->family, "heap") ? CT_MALLOC_HEAP : !strcmp(call->family, "mapping") ? CT_MALLOC_MAPPING : -1;
}

/* --- text --- */

static void print_part(const struct ct_out *o, const struct ct_malloc_report *v, int part)
{
	const struct ct_malloc_sums *s = &v->sum[part];
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];

	ct_print(o, CT_TITLE, "\n%s", part == CT_MALLOC_HEAP ? "In the allocator (malloc, free...)" :
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
			"            %s, %s with the time until they ran\n", ct_format_count(a, s->by_thread), part == CT_MALLOC_HEAP ? "an arena" : "the address space",
			ct_format_ns(b, s->by_thread_ns));
	else
		ct_print(o, CT_FAINT, "  locks     no wait was ended by another thread: none was for a lock inside\n");
}

/* By the keys of CT_SORT_MALLOC. */
static int by_key(const void *x, const void *y, void *model)
{
	const struct ct_model *m = model;
	const struct ct_call_info *a = &m->call[*(const uint32_t *)x], *b = &m->call[*(const uint32_t *)y];
	const uint64_t values[][2] = {
		{ a->calls, b->calls }, { a->written_ns, b->written_ns }, { a->written, b->written },
	};
	uint32_t key = m->options->sort_key;
	int order = key < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[key][0], values[key][1]) : 0;

	return order ? order : strcmp(a->name, b->name);
}

/* The calls that were made, in the order asked for; owned by the caller. */
static uint32_t *calls_made(const struct ct_model *m, uint32_t *ret_count)
{
	uint32_t *order = calloc(m->call_count + 1u, sizeof(*order));

	*ret_count = 0;
	for (uint32_t i = 0; i < m->call_count && order; i++)
		if (m->call[i].calls && part_of_call(&m->call[i]) >= 0)
			order[(*ret_count)++] = i;
	if (order)
		qsort_r(order, *ret_count, sizeof(*order), by_key, (void *)(uintptr_t)m);
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

static int print_sites(const struct ct_context *c, struct ct_malloc_report *v)
{
	const struct ct_out *o = &c->out;
	uint32_t all = 0, top = c->options->top;
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];
	int error = 0;

	for (uint32_t i = 0; i < v->report->site_count && !error; i++) {
		const struct ct_site_row *row = &v->report->site[i];

		if (ct_malloc_part_of(v->m, row->cause) < 0)
			continue;
		if (!all++)
			ct_print(o, CT_TITLE, "\nPlaces, by blocked time\n");
		if (top && all > top)
			continue;
		fprintf(o->file, "\n%4u. ", all);
		ct_print(o, CT_TITLE, "%s", ct_model_call_name(v->m, row->call));
		fprintf(o->file, "  %s in %s wait%s, the longest %s\n", ct_format_ns(a, row->total_ns),
			ct_format_count(b, row->count), row->count == 1 ? "" : "s", ct_format_ns(d, row->max_ns));
		error = ct_print_stack(c, v->report, row->callstack);
	}
	if (top && all > top)
		ct_print(o, CT_FAINT, "\n      %u more: --top 0 shows all\n", all - top);
	return error;
}

/* "main arena", "arena 0x7f..."; "" where it is not known. Owned by the caller; NULL without memory. */
static char *arena_label(const struct ct_malloc_report *v, const struct ct_slow_call *x)
{
	const struct ct_site_info info = { x->process, x->site };

	return x->site.object_kind == CT_OBJECT_ARENA ? ct_object_label(&v->report->symbols, v->m, &info) : strdup("");
}

static int slow_stack(const struct ct_malloc_report *v, const struct ct_slow_call *x, uint32_t *ret)
{
	return ct_callstack_of(&v->report->callstacks, ct_model_stack(v->m, x->process, x->site.stack), ret);
}

static int print_slow_call(const struct ct_context *c, const struct ct_malloc_report *v, const struct ct_slow_call *x)
{
	const struct ct_out *o = &c->out;
	const struct ct_thread_info *t = &v->m->thread[x->thread];
	char *arena = arena_label(v, x), *place = NULL;
	char text[96];
	uint32_t callstack;

	if (arena && !slow_stack(v, x, &callstack))
		place = ct_callstack_text(&v->report->callstacks, &v->report->symbols, callstack, false);
	if (place) {
		fputs("  ", o->file);
		ct_column_ns(o, CT_WARN, -8, x->took_ns);
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 14, ct_model_call_name(v->m, x->site.call));
		ct_column_text(o, CT_PLAIN, -9, x->bytes > 0 ? ct_format_bytes(text, (uint64_t)x->bytes) : "-");
		snprintf(text, sizeof(text), "%.32s (%llu)", t->name, (unsigned long long)t->tid);
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 20, text);
		fputs("  ", o->file);
		ct_last_text(o, CT_FAINT, o->width - 59, *arena ? arena : "not known");
		ct_print(o, CT_FAINT, "\n            in ");
		ct_last_text(o, CT_FAINT, o->width - 16, *place ? place : "(no call stack)");
		fputc('\n', o->file);
	}
	free(arena);
	free(place);
	return place ? 0 : -ENOMEM;
}

static int print_slow(const struct ct_context *c, const struct ct_malloc_report *v)
{
	const struct ct_out *o = &c->out;
	int error = 0;

	if (!v->slow_count)
		return 0;
	ct_print(o, CT_TITLE, "\nSlow calls");
	ct_print(o, CT_FAINT, " (those that were timed: after one that left the CPU, and large ones)\n");
	ct_print(o, CT_FAINT, "  %8s  %-14s%9s  %-20s  %s\n", "took", "call", "size", "thread", "arena");
	for (uint32_t i = 0; i < v->slow_count && !error; i++)
		error = print_slow_call(c, v, &v->slow[i]);
	return error;
}

static void print_arenas(const struct ct_context *c, const struct ct_malloc_report *v)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top;
	char label[128];
	int width = o->width - 52;

	if (!v->sum[CT_MALLOC_HEAP].waits)
		return;
	ct_print(o, CT_TITLE, "\nArenas");
	if (!v->arenas) {
		ct_print(o, CT_FAINT, " are not known: the allocator is not glibc's own, or gave no block\n");
		return;
	}
	ct_print(o, CT_FAINT, " (of the calls that waited or took long; in lock: ended by another thread)\n");
	ct_print(o, CT_FAINT, "  %-*s %9s %9s %9s %9s %9s\n", width, "arena", "waited", "threads", "blocked", "longest", "in lock");
	for (uint32_t i = 0; i < v->arena_count && (!top || i < top); i++) {
		const struct ct_arena_row *row = &v->arena[i];

		if (v->m->process_count > 1)
			snprintf(label, sizeof(label), "%s of %llu", row->label,
				 (unsigned long long)v->m->process[row->process].pid);
		else
			snprintf(label, sizeof(label), "%s", row->label);
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, width, label);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, row->waits);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, row->threads);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, row->blocked_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, row->max_ns);
		fputc(' ', o->file);
		if (v->m->wakes)
			ct_column_ns(o, row->by_thread_ns ? CT_WARN : CT_FAINT, -9, row->by_thread_ns);
		else
			ct_column_text(o, CT_FAINT, -9, "?");
		fputc('\n', o->file);
	}
	if (top && v->arena_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", v->arena_count - top);
	if (!v->m->wakes)
		ct_print(o, CT_FAINT, "  waits of several threads in one arena are for its lock, or while it grows\n");
}

/* --- JSON and CSV --- */

static json_t *slow_json(const struct ct_malloc_report *v, const struct ct_slow_call *x)
{
	const struct ct_thread_info *t = &v->m->thread[x->thread];
	json_t *o = json_object();
	char *arena = arena_label(v, x);
	uint32_t callstack = CT_NO;

	if (!arena || slow_stack(v, x, &callstack))
		ct_json_fail();
	ct_json_text(o, "call", ct_model_call_name(v->m, x->site.call));
	ct_json_number(o, "took_ns", x->took_ns);
	ct_json_number(o, "start_ns", x->start_ns > v->m->start_ns ? x->start_ns - v->m->start_ns : 0);
	ct_json_number(o, "bytes", x->bytes > 0 ? (uint64_t)x->bytes : 0);
	ct_json_text(o, "arena", arena && *arena ? arena : NULL);
	ct_json_number(o, "pid", v->m->process[t->process].pid);
	ct_json_number(o, "tid", t->tid);
	ct_json_text(o, "name", t->name);
	ct_json_set(o, "stack", ct_json_stack(&v->report->callstacks, &v->report->symbols, callstack));
	free(arena);
	return o;
}

static json_t *arena_json(const struct ct_malloc_report *v, const struct ct_arena_row *row)
{
	json_t *o = json_object();

	ct_json_text(o, "arena", row->known ? row->label : NULL);
	ct_json_number(o, "pid", v->m->process[row->process].pid);
	ct_json_number(o, "waits", row->waits);
	ct_json_number(o, "threads", row->threads);
	ct_json_number(o, "blocked_ns", row->blocked_ns);
	ct_json_number(o, "max_ns", row->max_ns);
	ct_json_set(o, "ended_by_thread", v->m->wakes ? json_integer((json_int_t)row->by_thread) : json_null());
	ct_json_set(o, "ended_by_thread_ns", v->m->wakes ? json_integer((json_int_t)row->by_thread_ns) : json_null());
	return o;
}

static json_t *grouped_json(const struct ct_context *c, const struct ct_malloc_report *v)
{
	struct ct_grouped g;

	if (!c->options->group_by)
		return json_null();
	if (ct_grouped_make(&g, v->report))
		ct_json_fail();
	json_t *o = ct_grouped_json(c, &g);

	ct_grouped_close(&g);
	return o;
}

static json_t *part_json(const struct ct_malloc_report *v, int part)
{
	const struct ct_malloc_sums *s = &v->sum[part];
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
 *  "slow": [{"call", "took_ns", "start_ns", "bytes": asked for, "arena": null: not known, thread, "stack"}]: the
 *           longest calls of the allocator that were timed,
 *  "arenas": [{"arena": null: not known, "pid", "waits", "threads", "blocked_ns", "max_ns", "ended_by_thread",
 *             "ended_by_thread_ns"}],
 *  "grouped": null, or with --group-by as in blocks,
 *  "sites": [{"call", "part", "waits", "blocked_ns", "max_ns", "stack"}]}
 */
static int print_json(const struct ct_context *c, struct ct_malloc_report *v)
{
	json_t *o = json_object(), *parts = json_array(), *calls = json_array(), *sites = json_array(),
	       *slow = json_array(), *arenas = json_array();
	uint32_t count, *order = calls_made(v->m, &count), shown = 0, top = c->options->top;

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, v->m));
	for (int i = 0; i < CT_MALLOC_PARTS; i++)
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
	for (uint32_t i = 0; i < v->slow_count; i++)
		ct_json_append(slow, slow_json(v, &v->slow[i]));
	ct_json_set(o, "slow", slow);
	for (uint32_t i = 0; i < v->arena_count && (!top || i < top); i++)
		ct_json_append(arenas, arena_json(v, &v->arena[i]));
	ct_json_set(o, "arenas", arenas);
	ct_json_set(o, "grouped", grouped_json(c, v));
	for (uint32_t i = 0; i < v->report->site_count && (!top || shown < top); i++) {
		const struct ct_site_row *row = &v->report->site[i];
		int part = ct_malloc_part_of(v->m, row->cause);
		json_t *x = part < 0 ? NULL : json_object();

		if (part < 0)
			continue;
		shown++;
		ct_json_text(x, "call", ct_model_call_name(v->m, row->call));
		ct_json_text(x, "part", part_names[part]);
		ct_json_number(x, "waits", row->count);
		ct_json_number(x, "blocked_ns", row->total_ns);
		ct_json_number(x, "max_ns", row->max_ns);
		ct_json_set(x, "stack", ct_json_stack(&v->report->callstacks, &v->report->symbols, row->callstack));
		ct_json_append(sites, x);
	}
	ct_json_set(o, "sites", sites);
	if (order && !ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return !order || ct_json_failed() ? -ENOMEM : 0;
}

static int print_csv(const struct ct_context *c, struct ct_malloc_report *v)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t count, *order = calls_made(v->m, &count);

	if (c->options->group_by) {
		free(order);
		return ct_grouped_show(c, v->report);
	}
	ct_csv_header(&csv, CT_CSV_MALLOC);
	for (uint32_t i = 0; i < count && order && (!c->options->top || i < c->options->top); i++) {
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

static int print_report(const struct ct_context *c, struct ct_malloc_report *v)
{
	for (int i = 0; i < CT_MALLOC_PARTS; i++)
		print_part(&c->out, v, i);
	print_arenas(c, v);
	int error = print_slow(c, v);

	if (!error)
		error = print_calls(c, v->m);
	if (!error)
		error = c->options->group_by ? ct_grouped_show(c, v->report) : print_sites(c, v);
	ct_print_notes(c, v->report);
	return error;
}

int ct_cmd_malloc(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	struct ct_malloc_report v = { 0 };
	int error = ct_command_load(c, &m, &r);

	if (!error)
		error = ct_malloc_make(&v, &r, &c->reader, c->options->top);
	if (!error && c->options->json) {
		error = print_json(c, &v);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &v);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m))
			error = print_report(c, &v);
	}
	ct_malloc_close(&v);
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
