/* sched: how long threads that were ready waited for a CPU, and whose doing it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "report_group_by.h"
#include "report_sched.h"
#include "report_sort.h"

static void print_cpus(const struct ct_context *c, const struct ct_model *m, const struct ct_sched_sum *s)
{
	const struct ct_out *o = &c->out;
	const char *known = ct_model_meta(m, "cpus");
	uint32_t cpus = (uint32_t)strtoul(known, NULL, 10), shown = 0, top = c->options->top;
	char a[CT_FORMAT], b[CT_FORMAT];
	double average = s->covers_ns ? (double)s->running_ns / (double)s->covers_ns : 0;

	ct_print(o, CT_TITLE, "\nOn CPUs\n");
	fprintf(o->file, "  %s in %s: %.2f threads ran on average", ct_format_ns(a, s->running_ns),
		ct_format_ns(b, s->covers_ns), average);
	if (cpus)
		fprintf(o->file, ", %s of %u CPU%s",
			ct_format_share(a, s->running_ns, s->covers_ns * cpus), cpus, cpus == 1 ? "" : "s");
	fputc('\n', o->file);
	for (uint32_t i = 0; i < m->cpu_count && (!top || shown < top); i++) {
		if (!m->cpu[i].running_ns)
			continue;
		shown++;
		fprintf(o->file, "  CPU %-6u", m->cpu[i].number);
		ct_column_ns(o, CT_PLAIN, -9, m->cpu[i].running_ns);
		ct_column_text(o, CT_PLAIN, -7, ct_format_share(a, m->cpu[i].running_ns, s->covers_ns));
		fputc('\n', o->file);
	}
	if (m->cpu_count > shown && top && shown == top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", m->cpu_count - shown);
}

static void print_delays(const struct ct_out *o, const char *what, const struct ct_delays *d)
{
	ct_column_text(o, CT_PLAIN, 28, what);
	ct_column_count(o, CT_PLAIN, -10, d->count);
	const uint64_t columns[] = { d->total_ns, ct_delays_quantile(d, 0.5), ct_delays_quantile(d, 0.99), d->max_ns };

	for (size_t i = 0; i < 4; i++) {
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, columns[i]);
	}
	fputc('\n', o->file);
}

static void print_sum(const struct ct_context *c, const struct ct_model *m, const struct ct_sched_sum *s)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nReady, but without a CPU\n");
	ct_print(o, CT_FAINT, "%-28s%10s %9s %9s %9s %9s\n", "", "times", "total", "median", "p99", "longest");
	if (m->wakes || s->wakes.count)
		print_delays(o, "  after a wake-up", &s->wakes);
	print_delays(o, "  after losing the CPU", &s->preempted);
	fprintf(o->file, "  %s switches: %s times a thread had to leave, %s times it came back\n",
		ct_format_count(a, s->switches), ct_format_count(b, s->preemptions), ct_format_count(d, s->migrations));
	fputs("  on another CPU\n", o->file);
	if (!m->wakes)
		ct_print(o, CT_FAINT, "  when threads were woken is not in the trace: only new ones are counted\n");
}

/* --- lists --- */

static uint64_t longest_of(const struct ct_states *st)
{
	const struct ct_ready *r = ct_ready_of(st);

	return r->wakes.max_ns > r->preempted.max_ns ? r->wakes.max_ns : r->preempted.max_ns;
}

struct order {
	const struct ct_model *m;
	uint32_t key; /* of CT_SORT_SCHED */
};

static int compare(const void *x, const void *y, void *order)
{
	static const struct ct_states none;
	const struct order *o = order;
	uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	const struct ct_thread_info *a = &o->m->thread[i], *b = &o->m->thread[k];
	const struct ct_states *s = i < o->m->states_count ? &o->m->states[i] : &none;
	const struct ct_states *t = k < o->m->states_count ? &o->m->states[k] : &none;
	const uint64_t values[][2] = {
		{ a->runnable_ns, b->runnable_ns },   { a->running_ns, b->running_ns },
		{ ct_ready_of(s)->wakes.count, ct_ready_of(t)->wakes.count },
		{ longest_of(s), longest_of(t) },     { s->preemptions, t->preemptions },
	};
	int r = o->key < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[o->key][0], values[o->key][1]) :
							      strcmp(a->name, b->name);

	return r ? r : (i > k) - (i < k);
}

/* The selected threads in order; the caller frees it. NULL without memory. */
static uint32_t *order_threads(const struct ct_context *c, const struct ct_report *r)
{
	uint32_t *threads = calloc(r->thread_count + 1u, sizeof(*threads));
	struct order order = { r->model, c->options->sort_key };

	if (threads && r->thread_count) {
		memcpy(threads, r->thread, r->thread_count * sizeof(*threads));
		qsort_r(threads, r->thread_count, sizeof(*threads), compare, &order);
	}
	return threads;
}

/* st: NULL where there are no slices. */
static void print_times(const struct ct_out *o, const struct ct_model *m, uint64_t running_ns, uint64_t runnable_ns,
			const struct ct_states *st)
{
	ct_column_ns(o, CT_PLAIN, -8, running_ns);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, runnable_ns);
	if (st && st->line.begun) {
		const struct ct_ready *r = ct_ready_of(st);
		const struct ct_delays *d = r->wakes.count || m->wakes ? &r->wakes : &r->preempted;
		uint64_t longest = longest_of(st);

		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -6, r->wakes.count);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, ct_delays_quantile(d, 0.5));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, ct_delays_quantile(d, 0.99));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -7, longest);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -6, st->preemptions);
	}
	fputc('\n', o->file);
}

static void print_thread(const struct ct_out *o, const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];

	ct_column_text(o, CT_PLAIN, 15, *t->name ? t->name : "(no name)");
	fprintf(o->file, " %7llu ", (unsigned long long)t->tid);
	print_times(o, m, t->running_ns, t->runnable_ns, thread < m->states_count ? &m->states[thread] : NULL);
}

static void print_thread_heads(const struct ct_out *o, const struct ct_model *m, const char *by, const char *what,
			       const char *which)
{
	ct_print(o, CT_TITLE, "\nBy %s", by);
	if (m->states)
		ct_print(o, CT_FAINT, " (median and p99: from %s until it ran)\n",
			 m->wakes ? "a wake-up" : "the loss of the CPU");
	else
		fputc('\n', o->file);
	ct_print(o, CT_FAINT, "%-15s %7s %8s %8s%s\n", what, which, "running", "runnable",
		 m->states ? "  wakes  median     p99 longest  lost*" : "");
}

static void print_thread_tail(const struct ct_out *o, const struct ct_model *m, uint32_t more)
{
	if (more)
		ct_print(o, CT_FAINT, "and %u more: --top 0 shows all\n", more);
	if (m->states)
		ct_print(o, CT_FAINT, "* times that it lost its CPU to another thread\n");
}

static int compare_groups(const void *x, const void *y, void *key)
{
	static const struct ct_states none;
	const struct ct_group *a = x, *b = y;
	const struct ct_states *s = a->states ? a->states : &none, *t = b->states ? b->states : &none;
	const uint64_t values[][2] = {
		{ a->runnable_ns, b->runnable_ns }, { a->running_ns, b->running_ns },
		{ ct_ready_of(s)->wakes.count, ct_ready_of(t)->wakes.count }, { longest_of(s), longest_of(t) },
		{ s->preemptions, t->preemptions },
	};
	uint32_t at = *(const uint32_t *)key;
	int r = at < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[at][0], values[at][1]) : 0;

	return r ? r : strcmp(a->label, b->label);
}

/* The threads by what --group-by names, as text or CSV. */
static int show_groups(const struct ct_context *c, struct ct_report *r)
{
	const struct ct_model *m = r->model;
	uint32_t key = c->options->sort_key, top = c->options->top, shown = 0;
	struct ct_groups groups;
	char count[40], n[CT_FORMAT];
	int error = ct_groups_make(&groups, r, c->options->group_by);

	if (!error && groups.group_count)
		qsort_r(groups.group, groups.group_count, sizeof(*groups.group), compare_groups, &key);
	if (!error && c->options->csv) {
		ct_csv_sched_groups(c, &groups);
	} else if (!error) {
		print_thread_heads(&c->out, m, ct_group_by_name(c->options->group_by),
				   ct_group_by_name(c->options->group_by), "threads");
		for (; shown < groups.group_count && (!top || shown < top); shown++) {
			const struct ct_group *g = &groups.group[shown];

			ct_column_text(&c->out, CT_PLAIN, 15, g->label);
			snprintf(count, sizeof(count), "x %s", ct_format_count(n, g->count));
			fputc(' ', c->out.file);
			ct_column_text(&c->out, CT_PLAIN, -7, count);
			fputc(' ', c->out.file);
			print_times(&c->out, m, g->running_ns, g->runnable_ns, g->states);
		}
		print_thread_tail(&c->out, m, groups.group_count - shown);
	}
	ct_groups_close(&groups);
	return error;
}

static int show_grouped(const struct ct_context *c, struct ct_report *r)
{
	return ct_groups_threads(c->options->group_by) ? show_groups(c, r) : ct_grouped_show(c, r);
}

static int print_threads(const struct ct_context *c, struct ct_report *r)
{
	const struct ct_out *o = &c->out;
	const struct ct_model *m = r->model;
	uint32_t top = c->options->top;

	if (c->options->group_by)
		return show_grouped(c, r);
	uint32_t *order = order_threads(c, r);

	if (!order)
		return -ENOMEM;
	print_thread_heads(o, m, "thread", "name", "tid");
	for (uint32_t i = 0; i < r->thread_count && (!top || i < top); i++)
		print_thread(o, m, order[i]);
	print_thread_tail(o, m, top && r->thread_count > top ? r->thread_count - top : 0);
	free(order);
	return 0;
}

static void print_share(const struct ct_out *o, uint64_t count, uint64_t total_ns, uint64_t max_ns)
{
	ct_column_count(o, CT_PLAIN, -8, count);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, total_ns);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, count ? total_ns / count : 0);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, max_ns);
	fputc('\n', o->file);
}

static int by_delay(const void *x, const void *y)
{
	const struct ct_waker_info *a = *(const struct ct_waker_info *const *)x;
	const struct ct_waker_info *b = *(const struct ct_waker_info *const *)y;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

static int print_wakers(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top;
	const struct ct_waker_info **order = calloc(m->waker_count + 1u, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->waker_count; i++)
		order[i] = &m->waker[i];
	qsort(order, m->waker_count, sizeof(*order), by_delay);
	ct_print(o, CT_TITLE, "\nBy who woke them\n");
	ct_print(o, CT_FAINT, "  %-41s %8s %8s %8s %8s\n", "waker", "wakes", "total", "average", "longest");
	for (uint32_t i = 0; i < m->waker_count && (!top || i < top); i++) {
		char *label = ct_sched_waker_label(m, order[i]);

		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 42, label ? label : "");
		free(label);
		print_share(o, order[i]->count, order[i]->total_ns, order[i]->max_ns);
	}
	if (top && m->waker_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", m->waker_count - top);
	free(order);
	return 0;
}

static int by_site_delay(const void *x, const void *y)
{
	const struct ct_site_row *a = *(struct ct_site_row *const *)x, *b = *(struct ct_site_row *const *)y;

	if (a->delay_ns != b->delay_ns)
		return a->delay_ns < b->delay_ns ? 1 : -1;
	return a < b ? -1 : a > b;
}

static int print_site(const struct ct_context *c, struct ct_report *r, const struct ct_site_row *row)
{
	const struct ct_out *o = &c->out;
	struct ct_frame *frames;
	uint32_t count;
	char place[256] = "(no call stack)";
	int error = ct_callstack_frames(&r->callstacks, &r->symbols, row->callstack, &frames, &count);

	if (error)
		return error;
	if (count && frames[0].function && frames[0].file)
		snprintf(place, sizeof(place), "%.150s %.80s:%d", frames[0].function, ct_base_name(frames[0].file),
			 frames[0].line);
	else if (count && frames[0].function)
		snprintf(place, sizeof(place), "%.200s", frames[0].function);
	else if (count && frames[0].module)
		snprintf(place, sizeof(place), "%.200s+0x%llx", ct_base_name(frames[0].module),
			 (unsigned long long)frames[0].offset);
	else if (count)
		snprintf(place, sizeof(place), "0x%llx", (unsigned long long)frames[0].offset);
	free(frames);
	fputs("  ", o->file);
	ct_column_text(o, ct_style_of(r->model, row->cause), 10, ct_model_cause_name(r->model, row->cause));
	fputc(' ', o->file);
	ct_column_text(o, CT_PLAIN, 31, place);
	print_share(o, row->delays, row->delay_ns, row->max_delay_ns);
	return 0;
}

static int print_sites(const struct ct_context *c, struct ct_report *r)
{
	struct ct_site_row **order = calloc(r->site_count + 1u, sizeof(struct ct_site_row *));
	uint32_t n = 0, top = c->options->top;
	int error = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->site_count; i++)
		if (r->site[i].delays)
			order[n++] = &r->site[i];
	if (n) {
		qsort(order, n, sizeof(struct ct_site_row *), by_site_delay);
		ct_print(&c->out, CT_TITLE, "\nBy where they had waited\n");
		ct_print(&c->out, CT_FAINT, "  %-10s %-30s %8s %8s %8s %8s\n", "cause", "place", "waits", "total",
			 "average", "longest");
	}
	for (uint32_t i = 0; i < n && !error && (!top || i < top); i++)
		error = print_site(c, r, order[i]);
	if (!error && top && n > top)
		ct_print(&c->out, CT_FAINT, "  and %u more: --top 0 shows all\n", n - top);
	free(order);
	return error;
}

static int print_switches(const struct ct_context *c, struct ct_report *r)
{
	const struct ct_model *m = r->model;
	struct ct_sched_sum s;

	ct_sched_sum(&s, m);
	print_cpus(c, m, &s);
	print_sum(c, m, &s);
	int error = print_threads(c, r);

	if (c->options->group_by)
		return error;
	if (!error && m->waker_count)
		error = print_wakers(c, m);
	return error ? error : print_sites(c, r);
}

/* Without records of switches. */
static int print_totals(const struct ct_context *c, struct ct_report *r)
{
	char reason[160];

	ct_sched_reason(r->model, reason, sizeof(reason));
	ct_print(&c->out, CT_WARN, "\nThere are no context switches in the trace, %s.\n",
		 r->model->has_sched ? "only totals of threads" : "nor totals of what was asked for");
	if (*reason)
		ct_print(&c->out, CT_FAINT, "Why: %s\n", reason);
	return r->model->has_sched ? print_threads(c, r) : 0;
}

static int print_csv(const struct ct_context *c, struct ct_report *r)
{
	if (c->options->group_by)
		return show_grouped(c, r);
	uint32_t *order = order_threads(c, r);
	int error = order ? ct_csv_sched(c, r, order) : -ENOMEM;

	free(order);
	return error;
}

int ct_cmd_sched(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	int error = ct_command_load(c, &m, &r);

	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m))
			error = m.states ? print_switches(c, &r) : print_totals(c, &r);
		ct_print_notes(c, &r);
	}
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
