/* path: what the end had to wait for, and which critical sections run one after the other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "report_group_by.h"
#include "json_parts.h"
#include "objects.h"
#include "path.h"
#include "report_sort.h"

static const char *const state_names[CT_PATH_STATES] = {
	[CT_PATH_RUNNING] = "running", [CT_PATH_READY] = "ready", [CT_PATH_BLOCKED] = "blocked",
	[CT_PATH_RESUMING] = "resuming",
};

static const char *const state_texts[CT_PATH_STATES] = {
	[CT_PATH_RUNNING] = "a thread of the path had a CPU",
	[CT_PATH_READY] = "it could have run, but no CPU was free",
	[CT_PATH_BLOCKED] = "it waited, and no thread ended the wait",
	[CT_PATH_RESUMING] = "it had been let go on, and did not run yet",
};

static const char *cause_name(const struct ct_path *p, const struct ct_path_row *row)
{
	if (row->state == CT_PATH_RUNNING || row->state == CT_PATH_READY)
		return "";
	return row->cause == CT_CAUSES - 1 ? "unexplained" : ct_model_cause_name(p->m, row->cause);
}

static char *thread_label(const struct ct_path *p, uint32_t thread)
{
	return ct_waker_label(&p->lives.wakes, thread);
}

static void print_states(const struct ct_out *o, const struct ct_path *p)
{
	char a[CT_FORMAT];
	uint64_t whole_ns = p->to_ns - p->from_ns;

	ct_print(o, CT_TITLE, "\nThe critical path");
	ct_print(o, CT_PLAIN, " (%s, over %llu changes of thread)\n", ct_format_ns(a, whole_ns),
		 (unsigned long long)p->jumps);
	for (int i = 0; i < CT_PATH_STATES; i++) {
		fprintf(o->file, "  %-10s", state_names[i]);
		ct_column_ns(o, CT_PLAIN, -9, p->state_ns[i]);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(a, p->state_ns[i], whole_ns));
		ct_print(o, CT_FAINT, "  %s\n", state_texts[i]);
	}
	if (p->unknown_ns)
		fprintf(o->file, "  %-10s%9s\n", "not known", ct_format_ns(a, p->unknown_ns));
}

static void print_parallel(const struct ct_out *o, const struct ct_path *p)
{
	static const char *const bars[] = { " ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
					    "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88" };
	double most = 0.001;
	char a[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nIn parallel\n");
	fprintf(o->file, "  %.2f threads ran on average, %.2f could have: the rest had stopped\n", p->running, p->active);
	fprintf(o->file, "  one at a time for %s of the time: at most one thread was able to run\n",
		ct_format_share(a, p->alone_ns, p->to_ns - p->from_ns));
	for (uint32_t i = 0; i < CT_PATH_PARTS; i++)
		most = p->part[i] > most ? p->part[i] : most;
	fputs("  over time  |", o->file);
	for (uint32_t i = 0; i < CT_PATH_PARTS; i++)
		fputs(bars[(int)(p->part[i] / most * 8 + 0.5)], o->file);
	fprintf(o->file, "|  at most %.2f\n", most);
}

static void print_locks(const struct ct_out *o, struct ct_path *p, uint32_t top)
{
	char a[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nLocks, by the path's time in critical sections that it had to wait for\n");
	if (!p->lock_count) {
		ct_print(o, CT_PLAIN, "  none\n");
		return;
	}
	ct_print(o, CT_FAINT, "  %9s %5s %9s %9s %9s\n", "on path", "share", "passed on", "held", "all waits");
	for (uint32_t i = 0; i < p->lock_count && (!top || i < top); i++) {
		const struct ct_path_lock *l = &p->lock[i];
		uint32_t callstack;

		fputs("  ", o->file);
		ct_column_ns(o, l->path_ns ? CT_BAD : CT_FAINT, -9, l->path_ns);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(a, l->path_ns, p->to_ns - p->from_ns));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, l->resume_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_FAINT, -9, l->held_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_FAINT, -9, l->wait_ns);
		fputs("  ", o->file);
		ct_last_text(o, CT_TITLE, o->width - 52, l->label);
		fputc('\n', o->file);
		if (l->stack == CT_NO || ct_callstack_of(&p->callstacks, l->stack, &callstack))
			continue;
		char *place = ct_callstack_text(&p->callstacks, &p->symbols, callstack, false);

		ct_print(o, CT_FAINT, "  %46s  in ", "");
		ct_last_text(o, CT_FAINT, o->width - 54, place ? place : "");
		fputc('\n', o->file);
		free(place);
	}
	if (top && p->lock_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", p->lock_count - top);
}

static void print_what(const struct ct_out *o, struct ct_path *p, const struct ct_path_row *row, const char *label)
{
	char *place = ct_callstack_text(&p->callstacks, &p->symbols, row->stack, false);
	const char *cause = cause_name(p, row);

	ct_column_text(o, CT_PLAIN, 18, label ? label : "");
	fprintf(o->file, " %s", state_names[row->state]);
	if (*cause || (place && *place))
		fprintf(o->file, "%*s %s", 8 - (int)strlen(state_names[row->state]), "", cause);
	if (place && *place) {
		fprintf(o->file, "%*s ", 11 - (int)strlen(cause), "");
		ct_last_text(o, CT_FAINT, o->width - 60, place);
	}
	free(place);
}

static void print_rows(const struct ct_out *o, struct ct_path *p, const struct ct_path_row *rows, uint32_t count,
		       uint32_t top, bool threads)
{
	char a[CT_FORMAT];

	ct_print(o, CT_TITLE, threads ? "\nThe path's time by thread\n" : "\nThe path's time by what was done\n");
	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		char *label = thread_label(p, rows[i].thread);

		fputs("  ", o->file);
		ct_column_ns(o, CT_PLAIN, -9, rows[i].total_ns);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(a, rows[i].total_ns, p->to_ns - p->from_ns));
		fputs("  ", o->file);
		if (threads) {
			ct_last_text(o, CT_PLAIN, o->width - 22, label ? label : "");
		} else {
			print_what(o, p, &rows[i], label);
		}
		fputc('\n', o->file);
		free(label);
	}
	if (top && count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", count - top);
}

void ct_print_shortened(const struct ct_context *c, const struct ct_model *m, uint64_t bytes)
{
	char a[CT_FORMAT];

	if (bytes)
		ct_print(&c->out, CT_WARN, "  note      only the last %s: all of it would take %.0f GB of memory;\n"
			 "            --from and --to ask for another part\n",
			 ct_format_ns(a, (m->to_ns < m->end_ns ? m->to_ns : m->end_ns) - m->from_ns), (double)bytes / 1e9);
}

/* The path's time by what --group-by names: time that is spent in no wait is a cause of its own. */
static int make_grouped(struct ct_grouped *g, struct ct_path *p)
{
	const struct ct_model *m = p->m;

	*g = (struct ct_grouped){ 0 };
	ct_grouping_begin(&g->grouping, m, &p->symbols, &p->callstacks, m->options->group_by);
	for (uint32_t i = 0; i < p->row_count; i++) {
		const struct ct_path_row *from = &p->row[i];
		struct ct_grouped_row *to;
		uint32_t at;

		if (ct_groups_threads(g->grouping.by)) {
			at = ct_grouping_of(&g->grouping, from->thread, NULL);
		} else if (g->grouping.by == CT_GROUP_CAUSE) {
			at = ct_grouping_put(&g->grouping, strdup(*cause_name(p, from) ? cause_name(p, from) :
									  state_names[from->state]));
		} else {
			char *place = ct_callstack_text(&p->callstacks, &p->symbols, from->stack, false);

			if (place && !*place) {
				free(place);
				place = strdup("(in no call that is recorded)");
			}
			at = ct_grouping_put(&g->grouping, place);
		}
		to = ct_grouped_row(g, at);
		if (!to)
			return -ENOMEM;
		to->count += from->count;
		to->total_ns += from->total_ns;
		g->total_ns += from->total_ns;
	}
	g->sums = true;
	ct_grouped_sort(g, m->options);
	return 0;
}

static int print_report(const struct ct_context *c, struct ct_path *p)
{
	const struct ct_out *o = &c->out;

	print_states(o, p);
	print_parallel(o, p);
	print_locks(o, p, c->options->top);
	if (c->options->group_by) {
		struct ct_grouped g;
		int error = make_grouped(&g, p);

		if (!error)
			ct_grouped_print(c, &g, "The path's time");
		ct_grouped_close(&g);
		return error;
	}
	print_rows(o, p, p->thread, p->thread_count, c->options->top, true);
	print_rows(o, p, p->row, p->row_count, c->options->top, false);
	if (!p->m->wakes)
		ct_print(o, CT_FAINT, "\n  note: without the kernel's word on wake-ups waits for pipes, sockets and the\n"
				      "  like end the path's thread's wait by nobody, as the network does\n");
	return 0;
}

/* --- JSON --- */

static void set_thread(json_t *o, const struct ct_path *p, uint32_t thread)
{
	const struct ct_thread_info *t = &p->m->thread[thread];

	ct_json_number(o, "pid", p->m->process[t->process].pid);
	ct_json_number(o, "tid", t->tid);
	ct_json_text(o, "name", t->name);
}

static json_t *rows_json(struct ct_path *p, const struct ct_path_row *rows, uint32_t count, bool threads)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++) {
		json_t *o = json_object();

		set_thread(o, p, rows[i].thread);
		if (!threads) {
			ct_json_text(o, "state", state_names[rows[i].state]);
			ct_json_text(o, "cause", cause_name(p, &rows[i]));
			ct_json_set(o, "stack", ct_json_stack(&p->callstacks, &p->symbols, rows[i].stack));
		}
		ct_json_number(o, "count", rows[i].count);
		ct_json_number(o, "path_ns", rows[i].total_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *grouped_json(const struct ct_context *c, struct ct_path *p)
{
	struct ct_grouped g;

	if (!c->options->group_by)
		return json_null();
	if (make_grouped(&g, p))
		ct_json_fail();
	json_t *o = ct_grouped_json(c, &g);

	ct_grouped_close(&g);
	return o;
}

/* In the order of time; all of it is for pictures. */
static json_t *legs_json(const struct ct_path *p)
{
	json_t *array = json_array();

	for (uint32_t i = p->leg_count; i--;) {
		const struct ct_path_leg *l = &p->leg[i];
		json_t *o = json_object();

		set_thread(o, p, l->thread);
		ct_json_number(o, "from_ns", l->from_ns - p->m->start_ns);
		ct_json_number(o, "to_ns", l->to_ns - p->m->start_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *locks_json(struct ct_path *p)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < p->lock_count; i++) {
		const struct ct_path_lock *l = &p->lock[i];
		const struct ct_wait_object *object = &p->lives.wakes.object[l->object];
		uint32_t callstack = CT_NO;
		json_t *o = json_object();

		if (l->stack != CT_NO && ct_callstack_of(&p->callstacks, l->stack, &callstack))
			ct_json_fail();
		ct_json_text(o, "object", l->label);
		ct_json_text(o, "kind", ct_model_cause_name(p->m, l->cause));
		ct_json_number(o, "pid", p->m->process[object->process].pid);
		ct_json_number(o, "address", object->address);
		ct_json_number(o, "path_ns", l->path_ns);
		ct_json_number(o, "resume_ns", l->resume_ns);
		ct_json_number(o, "held_ns", l->held_ns);
		ct_json_number(o, "wait_ns", l->wait_ns);
		ct_json_number(o, "sections", l->count);
		ct_json_set(o, "stack", ct_json_stack(&p->callstacks, &p->symbols, callstack));
		ct_json_append(array, o);
	}
	return array;
}

/*
 * {"trace": as everywhere,
 *  "path": {"from_ns", "to_ns": after the trace's begin (only the last part where all would take too much memory), "running_ns", "ready_ns", "blocked_ns", "resuming_ns",
 *           "unknown_ns": these five add up to it, "jumps", "ends_in": {thread}},
 *  "parallel": {"running": average, "able": average, "serial_fraction": share of the time with at most one
 *               thread able to run, "running_by_count_ns": [time with 0, 1, ... threads], "over_time": [40 averages]},
 *  "locks": [{"object", "kind", "pid", "address", "path_ns": in sections that the path had to wait for,
 *             "resume_ns": from their release until it went on, "held_ns": held by the path's thread while
 *             any thread waited, "wait_ns": of all threads, "sections", "stack": where it was released}],
 *  "threads": [{"pid", "tid", "name", "count", "path_ns"}],
 *  "grouped": null, or with --group-by {"by", "rows": [{"label", "count", "total_ns"}]},
 *  "sites": [{"pid", "tid", "name", "state", "cause", "stack", "count", "path_ns"}]}
 */
static int print_json(const struct ct_context *c, struct ct_path *p)
{
	json_t *o = json_object(), *path = json_object(), *parallel = json_object(), *by = json_array(),
	       *over = json_array(), *end = json_object();
	uint32_t last = 0;
	char name[32];

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, p->m));
	ct_json_number(path, "from_ns", p->from_ns - p->m->start_ns);
	ct_json_number(path, "to_ns", p->to_ns - p->m->start_ns);
	for (int i = 0; i < CT_PATH_STATES; i++) {
		snprintf(name, sizeof(name), "%s_ns", state_names[i]);
		ct_json_number(path, name, p->state_ns[i]);
	}
	ct_json_number(path, "unknown_ns", p->unknown_ns);
	ct_json_number(path, "jumps", p->jumps);
	if (p->end != CT_NO)
		set_thread(end, p, p->end);
	if (!c->options->top)
		ct_json_set(path, "legs", legs_json(p));
	ct_json_set(path, "ends_in", end);
	ct_json_set(o, "path", path);
	ct_json_real(parallel, "running", p->running);
	ct_json_real(parallel, "able", p->active);
	ct_json_real(parallel, "serial_fraction", p->to_ns > p->from_ns ?
		     (double)p->alone_ns / (double)(p->to_ns - p->from_ns) : 0);
	for (uint32_t i = 0; i < CT_PATH_THREADS; i++)
		last = p->running_ns[i] ? i + 1 : last;
	for (uint32_t i = 0; i < last; i++)
		ct_json_append(by, json_integer((json_int_t)p->running_ns[i]));
	for (uint32_t i = 0; i < CT_PATH_PARTS; i++)
		ct_json_append(over, json_real(p->part[i]));
	ct_json_set(parallel, "running_by_count_ns", by);
	ct_json_set(parallel, "over_time", over);
	ct_json_set(o, "parallel", parallel);
	ct_json_set(o, "locks", locks_json(p));
	ct_json_set(o, "threads", rows_json(p, p->thread, p->thread_count, true));
	ct_json_set(o, "grouped", grouped_json(c, p));
	ct_json_set(o, "sites", rows_json(p, p->row, p->row_count, false));
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

/* --- CSV --- */

static int print_csv(const struct ct_context *c, struct ct_path *p)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;
	int error = 0;

	if (c->options->group_by) {
		struct ct_grouped g;

		error = make_grouped(&g, p);
		if (!error)
			ct_grouped_csv(c, &g);
		ct_grouped_close(&g);
		return error;
	}
	ct_csv_header(&csv, CT_CSV_PATH);
	for (uint32_t i = 0; i < p->row_count && (!top || i < top) && !error; i++) {
		const struct ct_path_row *row = &p->row[i];
		const struct ct_thread_info *t = &p->m->thread[row->thread];

		ct_csv_number(&csv, p->m->process[t->process].pid);
		ct_csv_number(&csv, t->tid);
		ct_csv_text(&csv, t->name);
		ct_csv_text(&csv, state_names[row->state]);
		ct_csv_text(&csv, cause_name(p, row));
		ct_csv_number(&csv, row->count);
		ct_csv_number(&csv, row->total_ns);
		error = ct_csv_site(&csv, &p->callstacks, &p->symbols, row->stack);
		ct_csv_end_row(&csv);
	}
	return error;
}

static int by_count(const void *x, const void *y)
{
	const struct ct_path_row *a = x, *b = y;
	int order = ct_more_first(a->count, b->count);

	return order ? order : ct_more_first(a->total_ns, b->total_ns);
}

static void sort_rows(const struct ct_context *c, struct ct_path *p)
{
	if (!c->options->sort_key)
		return;
	if (p->row_count)
		qsort(p->row, p->row_count, sizeof(*p->row), by_count);
	if (p->thread_count)
		qsort(p->thread, p->thread_count, sizeof(*p->thread), by_count);
}

int ct_cmd_path(struct ct_context *c)
{
	struct ct_model m;
	struct ct_path p = { 0 };
	int error = ct_command_load(c, &m, NULL);
	uint64_t bytes = error ? 0 : ct_lives_fit(&m);

	if (!error)
		error = ct_path_make(&p, &m, &c->reader, true);
	if (!error)
		sort_rows(c, &p);
	if (!error && c->options->json) {
		error = print_json(c, &p);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &p);
	} else if (!error) {
		ct_print_header(c, &m);
		ct_print_shortened(c, &m, bytes);
		if (!ct_print_nothing(c, &m))
			error = print_report(c, &p);
	}
	ct_path_close(&p);
	ct_model_free(&m);
	return error;
}
