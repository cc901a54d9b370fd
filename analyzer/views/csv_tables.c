/* See csv_tables.h. */
#include "csv_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock_details.h"
#include "report_groups.h"
#include "report_sort.h"

static uint32_t rows(const struct ct_context *c, uint32_t count)
{
	return c->options->top && c->options->top < count ? c->options->top : count;
}

void ct_csv_group_header(struct ct_csv *csv, enum ct_group_by by, const char *names)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s", by == CT_GROUP_ROUTINE ? "start_routine" : ct_group_by_name(by),
		 strchr(names, ' '));
	ct_csv_header(csv, by ? text : names);
}

int ct_csv_site(struct ct_csv *csv, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack)
{
	char *text = ct_callstack_text(c, s, callstack, true);

	ct_csv_text(csv, text);
	free(text);
	return text ? 0 : -ENOMEM;
}

/* --- blocks --- */

static void name_of(const struct ct_frame *f, char *to, size_t bytes)
{
	if (f->function)
		snprintf(to, bytes, "%s", f->function);
	else if (f->module)
		snprintf(to, bytes, "%s+0x%llx", ct_base_name(f->module), (unsigned long long)f->offset);
	else
		snprintf(to, bytes, "0x%llx", (unsigned long long)f->offset);
}

/* The innermost frame, and all of them with ";" between, innermost first. */
static int put_frames(struct ct_csv *csv, struct ct_report *r, uint32_t callstack)
{
	struct ct_frame *frames;
	uint32_t count;
	char *text = NULL, name[1024];
	size_t bytes;
	int error = ct_callstack_frames(&r->callstacks, &r->symbols, callstack, &frames, &count);
	FILE *f = error ? NULL : open_memstream(&text, &bytes);

	if (!f) {
		if (!error)
			free(frames);
		return -ENOMEM;
	}
	count = ct_frames_shown(frames, count);
	for (uint32_t i = 0; i < count; i++) {
		name_of(&frames[i], name, sizeof(name));
		fprintf(f, "%s%s", i ? ";" : "", name);
	}
	error = fclose(f) ? -ENOMEM : 0;
	ct_csv_text(csv, count ? frames[0].function : NULL);
	ct_csv_text(csv, count ? frames[0].file : NULL);
	if (count && frames[0].line > 0)
		ct_csv_number(csv, (uint64_t)frames[0].line);
	else
		ct_csv_text(csv, NULL);
	ct_csv_text(csv, count ? frames[0].module : NULL);
	ct_csv_text(csv, text);
	free(text);
	free(frames);
	return error;
}

static int compare_sites(const void *x, const void *y, void *key)
{
	const struct ct_site_row *a = *(struct ct_site_row *const *)x, *b = *(struct ct_site_row *const *)y;
	enum ct_site_key by = *(const enum ct_site_key *)key;
	int order = ct_more_first(ct_site_value(by, a->count, a->total_ns, a->max_ns),
				  ct_site_value(by, b->count, b->total_ns, b->max_ns));

	return order ? order : (a > b) - (a < b);
}

static int put_site(struct ct_csv *csv, struct ct_report *r, const struct ct_site_row *row)
{
	const struct ct_model *m = r->model;

	ct_csv_text(csv, ct_model_cause_name(m, row->cause));
	ct_csv_text(csv, ct_model_category(m, row->cause));
	ct_csv_text(csv, row->objects.item_count ? row->objects.item[0].label : NULL);
	ct_csv_text(csv, ct_model_call_name(m, row->call));
	ct_csv_number(csv, row->count);
	ct_csv_number(csv, row->total_ns);
	ct_csv_number(csv, row->count ? row->total_ns / row->count : 0);
	ct_csv_number(csv, row->max_ns);
	ct_csv_number(csv, row->unknown);
	ct_csv_number(csv, row->open);
	ct_csv_number(csv, row->elapsed_ns);
	ct_csv_number(csv, row->delay_ns);
	int error = put_frames(csv, r, row->callstack);

	ct_csv_end_row(csv);
	return error;
}

int ct_csv_blocks(const struct ct_context *c, struct ct_report *r)
{
	struct ct_csv csv = { .file = c->out.file };
	struct ct_site_row **order = calloc(r->site_count + 1u, sizeof(struct ct_site_row *));
	enum ct_site_key key = ct_site_key_of(c->options);
	int error = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->site_count; i++)
		order[i] = &r->site[i];
	if (r->site_count)
		qsort_r(order, r->site_count, sizeof(struct ct_site_row *), compare_sites, &key);
	ct_csv_header(&csv, CT_CSV_BLOCKS);
	for (uint32_t i = 0; i < rows(c, r->site_count) && !error; i++)
		error = put_site(&csv, r, order[i]);
	free(order);
	return error;
}

/* --- threads --- */

int ct_csv_threads(const struct ct_context *c, struct ct_report *r)
{
	struct ct_csv csv = { .file = c->out.file };
	const struct ct_model *m = r->model;

	ct_csv_header(&csv, CT_CSV_THREADS);
	for (uint32_t i = 0; i < rows(c, r->thread_count); i++) {
		const struct ct_thread_info *t = &m->thread[r->thread[i]];
		const uint64_t *by_cause = &r->by_cause[(size_t)r->thread[i] * r->cause_count];
		const char *routine = ct_routine_of(&r->symbols, m, r->thread[i]);
		uint32_t most = 0;

		if (!routine)
			return -ENOMEM;
		for (uint32_t k = 1; k < r->cause_count; k++)
			if (by_cause[k] > by_cause[most])
				most = k;
		ct_csv_number(&csv, m->process[t->process].pid);
		ct_csv_number(&csv, t->tid);
		ct_csv_text(&csv, t->name);
		ct_csv_text(&csv, routine);
		ct_csv_number(&csv, t->lifetime_ns);
		ct_csv_number(&csv, t->running_ns);
		ct_csv_number(&csv, t->runnable_ns);
		ct_csv_number(&csv, t->blocked_ns);
		ct_csv_number(&csv, t->unexplained_ns);
		ct_csv_number(&csv, t->unknown_ns);
		ct_csv_number(&csv, t->excluded_ns);
		ct_csv_number(&csv, t->longest_ns);
		bool any = r->cause_count && by_cause[most];

		ct_csv_text(&csv, any ? ct_model_cause_name(m, r->cause[most].cause) : NULL);
		ct_csv_number(&csv, any ? by_cause[most] : 0);
		ct_csv_number(&csv, t->events);
		ct_csv_number(&csv, t->dropped);
		ct_csv_end_row(&csv);
	}
	return 0;
}

int ct_csv_groups(const struct ct_context *c, struct ct_report *r)
{
	struct ct_csv csv = { .file = c->out.file };
	struct ct_groups groups;
	char name[80];
	int error = ct_groups_make(&groups, r, c->options->group_by);

	if (!error)
		ct_csv_group_header(&csv, c->options->group_by, CT_CSV_GROUPS);
	ct_sort_groups(&groups, c->options->sort_key);
	for (uint32_t i = 0; i < rows(c, groups.group_count) && !error; i++) {
		const struct ct_group *g = &groups.group[i];
		const uint64_t numbers[] = { g->count, g->stuck, g->lifetime_ns, g->running_ns, g->runnable_ns,
					     g->blocked_ns, g->unexplained_ns, g->unknown_ns, g->longest_ns };

		ct_csv_text(&csv, ct_group_name(g, r->model, name, sizeof(name)));
		ct_csv_text(&csv, g->routine);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		ct_csv_end_row(&csv);
	}
	ct_groups_close(&groups);
	return error;
}

/* --- locks --- */

int ct_csv_locks(const struct ct_context *c, struct ct_report *r)
{
	struct ct_csv csv = { .file = c->out.file };
	const struct ct_model *m = r->model;
	int error = 0;

	ct_csv_header(&csv, CT_CSV_LOCKS);
	for (uint32_t i = 0; i < rows(c, r->lock_count) && !error; i++) {
		const struct ct_lock_row *row = &r->lock[i];
		uint32_t at = r->details ? ct_lock_detail_of(r->details, row->process, row->address) : CT_NO, callstack;
		const struct ct_lock_detail none = { 0 }, *d = at == CT_NO ? &none : &r->details->lock[at];
		const uint64_t numbers[] = { row->acquisitions, row->contended, row->wait_ns, row->max_wait_ns,
					     row->hold_ns, row->holds, row->max_hold_ns, row->unknown, d->waited_ns,
					     d->waiters, d->convoys };

		ct_csv_text(&csv, row->label);
		ct_csv_text(&csv, ct_model_cause_name(m, row->cause));
		ct_csv_number(&csv, m->process[row->process].pid);
		ct_csv_number(&csv, row->address);
		error = ct_callstack_of(&r->callstacks, row->stack, &callstack);
		if (!error)
			error = ct_csv_site(&csv, &r->callstacks, &r->symbols, callstack);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		ct_csv_end_row(&csv);
	}
	return error;
}

/* --- sched --- */

int ct_csv_sched(const struct ct_context *c, const struct ct_report *r, const uint32_t *order)
{
	struct ct_csv csv = { .file = c->out.file };
	const struct ct_model *m = r->model;

	ct_csv_header(&csv, CT_CSV_SCHED);
	for (uint32_t i = 0; i < rows(c, r->thread_count); i++) {
		static const struct ct_states none;
		const struct ct_states *st = order[i] < m->states_count ? &m->states[order[i]] : &none;
		const struct ct_delays *wakes = &ct_ready_of(st)->wakes, *preempted = &ct_ready_of(st)->preempted;
		const struct ct_thread_info *t = &m->thread[order[i]];
		const uint64_t numbers[] = {
			t->running_ns, t->runnable_ns, wakes->count, wakes->total_ns,
			ct_delays_quantile(wakes, 0.5), ct_delays_quantile(wakes, 0.99), wakes->max_ns,
			st->preemptions, preempted->total_ns, preempted->max_ns, st->migrations,
		};

		ct_csv_number(&csv, m->process[t->process].pid);
		ct_csv_number(&csv, t->tid);
		ct_csv_text(&csv, t->name);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		ct_csv_end_row(&csv);
	}
	return 0;
}

void ct_csv_sched_groups(const struct ct_context *c, const struct ct_groups *groups)
{
	struct ct_csv csv = { .file = c->out.file };

	ct_csv_group_header(&csv, c->options->group_by, CT_CSV_SCHED_GROUPS);
	for (uint32_t i = 0; i < rows(c, groups->group_count); i++) {
		static const struct ct_states none;
		const struct ct_group *g = &groups->group[i];
		const struct ct_states *st = g->states ? g->states : &none;
		const struct ct_delays *wakes = &ct_ready_of(st)->wakes, *preempted = &ct_ready_of(st)->preempted;
		const uint64_t numbers[] = {
			g->count, g->running_ns, g->runnable_ns, wakes->count, wakes->total_ns,
			ct_delays_quantile(wakes, 0.5), ct_delays_quantile(wakes, 0.99), wakes->max_ns,
			st->preemptions, preempted->total_ns, preempted->max_ns, st->migrations,
		};

		ct_csv_text(&csv, g->label);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		ct_csv_end_row(&csv);
	}
}
