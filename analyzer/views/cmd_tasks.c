/* tasks: work of the program that goes from thread to thread (include/ctrace.h). */
#include <errno.h>
#include <stdlib.h>

#include "json_parts.h"
#include "marks_rows.h"
#include "tasks.h"

#define THREADS_SHOWN 2u

struct view {
	const struct ct_context *c;
	struct ct_model m;
	struct ct_report report;
	struct ct_tasks pass;
	struct ct_mark_sum *sum; /* by name: from begin to end */
	uint32_t *worker;        /* places in m.marks->worker: by name, most time first */
	uint32_t worker_count;
};

static int take_task(void *self, const struct ct_task *t)
{
	struct view *v = self;

	return ct_mark_sum_add(&v->sum[t->name], t->begin_ns, t->end_ns - t->begin_ns, t->thread, t->end_thread == CT_NO);
}

static int by_name_and_time(const void *x, const void *y, void *arg)
{
	const struct ct_marks *k = arg;
	const struct ct_task_thread *a = &k->worker[*(const uint32_t *)x], *b = &k->worker[*(const uint32_t *)y];

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->elapsed_ns != b->elapsed_ns)
		return a->elapsed_ns < b->elapsed_ns ? 1 : -1;
	return (a->thread > b->thread) - (a->thread < b->thread);
}

static int load(struct view *v, struct ct_context *c)
{
	int error = ct_command_load(c, &v->m, &v->report);

	if (error)
		return error;
	v->pass = (struct ct_tasks){ .task = take_task, .self = v };
	v->sum = calloc(v->m.name_count + 1u, sizeof(*v->sum));
	v->worker_count = v->m.marks ? v->m.marks->worker_count : 0;
	v->worker = malloc((v->worker_count + 1u) * sizeof(*v->worker));
	if (!v->sum || !v->worker)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->worker_count; i++)
		v->worker[i] = i;
	if (v->worker_count)
		qsort_r(v->worker, v->worker_count, sizeof(*v->worker), by_name_and_time, v->m.marks);
	return ct_tasks_read(&v->pass, &v->m, &c->reader);
}

static const struct ct_mark_spent *spent_of(const struct view *v, uint32_t name)
{
	return v->m.marks ? v->m.marks->task[name].spent : NULL;
}

/* The first worker of a task's name, and how many there are. */
static uint32_t workers_of(const struct view *v, uint32_t name, uint32_t *ret_count)
{
	uint32_t at = 0;

	*ret_count = 0;
	while (at < v->worker_count && v->m.marks->worker[v->worker[at]].name != name)
		at++;
	while (at + *ret_count < v->worker_count && v->m.marks->worker[v->worker[at + *ret_count]].name == name)
		++*ret_count;
	return at;
}

static int print_workers(const struct view *v, uint32_t name, const struct ct_mark_spent *spent)
{
	const struct ct_out *o = &v->c->out;
	uint32_t count, at = workers_of(v, name, &count);
	char text[CT_FORMAT];

	if (!spent)
		return 0;
	fprintf(o->file, "      %s in regions, of", ct_format_ns(text, spent->elapsed_ns));
	for (uint32_t i = 0; i < count && i < THREADS_SHOWN; i++) {
		const struct ct_task_thread *w = &v->m.marks->worker[v->worker[at + i]];
		const struct ct_thread_info *t = &v->m.thread[w->thread];
		char *label = ct_thread_label(&v->m, t->process, t->tid);

		if (!label)
			return -ENOMEM;
		fputs(i ? ", " : " ", o->file);
		ct_last_text(o, CT_PLAIN, 17, label);
		free(label);
	}
	if (count > THREADS_SHOWN)
		fprintf(o->file, " and %u more", count - THREADS_SHOWN);
	fputc('\n', o->file);
	return 0;
}

static int print_text(const struct view *v, const uint32_t *order, uint32_t count)
{
	const struct ct_context *c = v->c;
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top;
	int error = 0;

	if (count) {
		ct_print(o, CT_TITLE, "\nTasks, from begin to end; then how their regions spent their time\n");
		ct_print(o, CT_FAINT, "  %-18s %8s %8s %8s %8s %7s %7s %7s\n", "task", "count", "total", "p50", "p99",
			 "running", "no CPU", "blocked");
	}
	for (uint32_t i = 0; i < count && (!top || i < top) && !error; i++) {
		const struct ct_mark_spent *spent = spent_of(v, order[i]);

		ct_marks_print_row(c, &v->m, order[i], &v->sum[order[i]], spent);
		error = print_workers(v, order[i], spent);
		if (!error)
			error = ct_marks_print_more(c, &v->m, &v->sum[order[i]], spent, false);
	}
	if (top && count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", count - top);
	if (!count && v->m.name_count)
		ct_print(o, CT_WARN, "\nNo task is selected.\n");
	return error;
}

static json_t *workers_json(const struct view *v, uint32_t name)
{
	uint32_t count, at = workers_of(v, name, &count), top = v->c->options->top;
	json_t *rows = json_array();

	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		const struct ct_task_thread *w = &v->m.marks->worker[v->worker[at + i]];
		const struct ct_thread_info *t = &v->m.thread[w->thread];
		json_t *row = json_object();

		ct_json_number(row, "pid", v->m.process[t->process].pid);
		ct_json_number(row, "tid", t->tid);
		ct_json_text(row, "name", t->name);
		ct_json_number(row, "regions", w->regions);
		ct_json_number(row, "elapsed_ns", w->elapsed_ns);
		ct_json_number(row, "blocked_ns", w->blocked_ns);
		if (v->m.states) {
			ct_json_number(row, "runnable_ns", w->ready_ns);
			ct_json_number(row, "off_cpu_ns", w->off_ns);
		}
		ct_json_append(rows, row);
	}
	return rows;
}

/*
 * {"trace": ..., "tasks": [as regions, with "task": its name, "in_regions_ns": what running_ns, runnable_ns, blocked_ns
 *   and unexplained_ns add up to, "threads": [{"pid", "tid", "name", "regions", "elapsed_ns", "blocked_ns", "runnable_ns",
 *   "off_cpu_ns"}]}], "unbalanced_ends"}
 */
static int print_json(const struct view *v, const uint32_t *order, uint32_t count)
{
	const struct ct_context *c = v->c;
	json_t *o = json_object(), *rows = json_array();
	uint32_t top = c->options->top;

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, &v->m));
	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		const struct ct_mark_spent *spent = spent_of(v, order[i]);
		json_t *row = json_object();

		ct_json_text(row, "task", v->m.name[order[i]].text);
		ct_marks_json(row, &v->m, &v->sum[order[i]], spent);
		ct_json_number(row, "in_regions_ns", spent ? spent->elapsed_ns : 0);
		ct_json_set(row, "threads", workers_json(v, order[i]));
		ct_json_append(rows, row);
	}
	ct_json_set(o, "tasks", rows);
	ct_json_number(o, "unbalanced_ends", v->pass.unbalanced);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct view *v, const uint32_t *order, uint32_t count)
{
	struct ct_csv csv = { .file = v->c->out.file };
	uint32_t top = v->c->options->top;

	ct_csv_header(&csv, CT_CSV_TASKS);
	for (uint32_t i = 0; i < count && (!top || i < top); i++)
		ct_marks_csv(&csv, &v->m, order[i], &v->sum[order[i]], spent_of(v, order[i]));
}

static int print(const struct view *v)
{
	const struct ct_context *c = v->c;
	uint32_t count, *order = ct_marks_order(c, &v->m, v->sum, v->m.marks ? v->m.marks->task : NULL, &count);
	int error = 0;

	if (!order)
		return -ENOMEM;
	if (c->options->json) {
		error = print_json(v, order, count);
	} else if (c->options->csv) {
		print_csv(v, order, count);
	} else {
		ct_print_header(c, &v->m);
		if (count || !ct_print_nothing(c, &v->m)) {
			error = print_text(v, order, count);
			ct_marks_print_odd(c, &v->m, v->pass.unbalanced, 0);
		}
		ct_print_notes(c, &v->report);
	}
	free(order);
	return error;
}

int ct_cmd_tasks(struct ct_context *c)
{
	struct view v = { .c = c };
	int error = load(&v, c);

	if (!error)
		error = print(&v);
	for (uint32_t i = 0; v.sum && i < v.m.name_count; i++)
		free(v.sum[i].times);
	free(v.sum);
	free(v.worker);
	ct_report_close(&v.report);
	ct_model_free(&v.m);
	return error;
}
