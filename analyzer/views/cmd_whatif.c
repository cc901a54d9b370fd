/* whatif: how long it would have taken if something took less time. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "filter.h"
#include "json_parts.h"
#include "path.h"
#include "replay.h"

/* So many locks are tried where none is named. */
#define LOCKS_TRIED 8u

struct question {
	struct ct_path path;
	struct ct_replay replay;
	bool *lock, *site, *stack, *thread;
	uint32_t locks, sites, stacks, threads; /* that match */
	struct ct_prediction as_is;
	uint64_t shortened;              /* see ct_lives_fit */
};

/* An answer. */
struct answer {
	char *what;
	struct ct_prediction prediction;
};

static int open_question(struct question *q, const struct ct_model *m, struct ct_reader *reader)
{
	int error = ct_path_make(&q->path, m, reader, false);
	const struct ct_wakes *w = &q->path.lives.wakes;

	if (error)
		return error;
	q->lock = calloc(w->object_count + 1u, 1);
	q->site = calloc(w->site_count + 1u, 1);
	q->stack = calloc(m->stack_count + 1u, 1);
	q->thread = calloc(m->thread_count + 1u, 1);
	if (!q->lock || !q->site || !q->stack || !q->thread)
		return -ENOMEM;
	return q->path.end == CT_NO ? 0 : ct_replay_open(&q->replay, &q->path.lives, q->path.end, q->path.from_ns);
}

static void close_question(struct question *q)
{
	ct_replay_close(&q->replay);
	ct_path_close(&q->path);
	free(q->lock);
	free(q->site);
	free(q->stack);
	free(q->thread);
}

/* --- what is meant --- */

/* By its name, or its address. */
static int match_locks(struct question *q, const char *name)
{
	struct ct_path *p = &q->path;
	const struct ct_wakes *w = &p->lives.wakes;
	char *end;
	unsigned long long address = strtoull(name, &end, 16);
	bool is_address = !strncmp(name, "0x", 2) && !*end;

	for (uint32_t i = 0; i < w->object_count; i++) {
		const struct ct_wait_object *o = &w->object[i];

		if (!o->ender_count || o->ender[0].kind != CT_EVENT_HOLD)
			continue;
		char *label = ct_lock_name(&p->callstacks, &p->symbols, p->m, o->process, CT_CAUSE_MUTEX, o->address,
					   o->first_stack);

		if (!label)
			return -ENOMEM;
		q->lock[i] = is_address ? o->address == address : !strcmp(label, name) || !fnmatch(name, label, 0);
		q->locks += q->lock[i];
		free(label);
	}
	return 0;
}

static int match_sites(struct question *q, const struct ct_reader *reader, const char *regex)
{
	const struct ct_model *m = q->path.m;
	const struct ct_wakes *w = &q->path.lives.wakes;
	struct ct_filter *f;
	int error = ct_filter_open(&f, m, reader, NULL, regex), found = 0;

	if (error)
		return error;
	for (uint32_t i = 0; i < w->site_count && found >= 0; i++) {
		const struct ct_site_info *s = &w->site[i];

		found = ct_filter_stack(f, ct_model_stack(m, s->process, s->site.stack));
		q->site[i] = found > 0;
		q->sites += q->site[i];
	}
	for (uint32_t i = 0; i < m->stack_count && found >= 0; i++) {
		found = ct_filter_stack(f, i);
		q->stack[i] = found > 0;
		q->stacks += q->stack[i];
	}
	ct_filter_close(f);
	return found < 0 ? found : 0;
}

/* Waits of a cause, and the locks that are waited for with it. */
static void match_cause(struct question *q, const bool *cause)
{
	const struct ct_wakes *w = &q->path.lives.wakes;

	for (uint32_t i = 0; i < w->site_count; i++) {
		const struct ct_site_info *s = &w->site[i];
		const struct ct_wait_object *o = s->site.object_kind == CT_OBJECT_ADDRESS ?
			ct_wakes_object(w, s->process, s->site.object) : NULL;

		q->site[i] = cause[s->site.cause];
		q->sites += q->site[i];
		if (o && q->site[i] && ct_is_lock(q->path.m, s->site.cause)) {
			q->locks += !q->lock[o - w->object];
			q->lock[o - w->object] = true;
		}
	}
}

static int match(struct ct_context *c, struct question *q)
{
	const struct ct_options *o = c->options;
	bool cause[CT_CAUSES];
	int error = 0;

	if (o->lock)
		error = match_locks(q, o->lock);
	if (!error && o->site)
		error = match_sites(q, &c->reader, o->site);
	if (error)
		return error;
	if (o->cause_count) {
		for (uint32_t i = 0; i < CT_CAUSES; i++)
			cause[i] = q->path.m->cause[i].selected;
		match_cause(q, cause);
	}
	if (o->thread)
		for (uint32_t i = 0; i < q->path.m->thread_count; i++) {
			q->thread[i] = q->path.m->thread[i].selected;
			q->threads += q->thread[i];
		}
	if (q->locks || q->sites || q->stacks || q->threads)
		return 0;
	if (o->lock)
		snprintf(c->usage, sizeof(c->usage), "no lock that threads waited for is called '%.60s': see locks",
			 o->lock);
	else
		snprintf(c->usage, sizeof(c->usage), "nothing matches '%.60s'", o->site ? o->site : o->thread ? o->thread : "");
	return -EINVAL;
}

/* --- answers --- */

static int ask(struct question *q, double scale, uint32_t split, struct ct_prediction *ret)
{
	const struct ct_change change = {
		.lock = q->locks ? q->lock : NULL, .site = q->sites ? q->site : NULL,
		.stack = q->stacks ? q->stack : NULL, .thread = q->threads ? q->thread : NULL,
		.scale = scale, .split = split,
	};

	return ct_replay_run(&q->replay, &change, ret);
}

/* The trace's own time, by what the replay says of the change. */
static uint64_t predicted(const struct question *q, const struct ct_prediction *p)
{
	double whole = (double)(q->path.to_ns - q->path.from_ns);

	return q->as_is.wall_ns ? ct_whole_ns(whole * (double)p->wall_ns / (double)q->as_is.wall_ns) : 0;
}

static double speed_up(const struct question *q, const struct ct_prediction *p)
{
	return p->wall_ns ? (double)q->as_is.wall_ns / (double)p->wall_ns : 0;
}

static void forget(struct question *q)
{
	const struct ct_wakes *w = &q->path.lives.wakes;

	memset(q->lock, 0, w->object_count);
	memset(q->site, 0, w->site_count);
	q->locks = q->sites = q->stacks = q->threads = 0;
}

/* Whether there are waits of a cause that no thread ended. */
static bool ends_alone(const struct question *q, uint32_t cause)
{
	const struct ct_wakes *w = &q->path.lives.wakes;

	for (uint32_t i = 0; i < w->wait_count; i++)
		if (w->wait[i].waker == CT_NO && w->wait[i].left && w->site[w->wait[i].site].site.cause == cause)
			return true;
	return false;
}

/* Each lock of the path, and each cause, gone. */
static int ask_all(struct question *q, struct answer *answers, uint32_t *ret_count)
{
	const struct ct_model *m = q->path.m;
	uint32_t n = 0;
	int error = 0;

	for (uint32_t i = 0; i < q->path.lock_count && i < LOCKS_TRIED && !error; i++) {
		forget(q);
		q->lock[q->path.lock[i].object] = true;
		q->locks = 1;
		answers[n].what = strdup(q->path.lock[i].label);
		error = ask(q, 0, 0, &answers[n++].prediction);
	}
	for (uint32_t i = 0; i < CT_CAUSES && !error; i++) {
		bool cause[CT_CAUSES] = { 0 };

		cause[i] = true;
		forget(q);
		if (!m->cause[i].name || !m->cause[i].is_wait || ct_is_lock(m, i))
			continue;
		match_cause(q, cause);
		if (!q->sites || !ends_alone(q, i))
			continue;
		if (asprintf(&answers[n].what, "all waits: %s", m->cause[i].name) < 0)
			answers[n].what = NULL;
		error = ask(q, 0, 0, &answers[n++].prediction);
	}
	*ret_count = n;
	return error;
}

static char *describe(const struct ct_options *o)
{
	char *text, scale[48];
	int n;

	if (o->split > 1)
		snprintf(scale, sizeof(scale), "in %u parts", o->split);
	else if (o->scale == 0)
		snprintf(scale, sizeof(scale), "gone");
	else
		snprintf(scale, sizeof(scale), "%.3g times as long", o->scale);
	n = asprintf(&text, "%s %s, %s", o->lock ? "lock" : o->site ? "site" : o->cause_count ? "cause" : "thread",
		     o->lock ? o->lock : o->site ? o->site : o->cause_count ? o->cause[0] : o->thread, scale);
	return n < 0 ? NULL : text;
}

static int by_wall(const void *x, const void *y)
{
	const struct answer *a = x, *b = y;

	return (a->prediction.wall_ns > b->prediction.wall_ns) - (a->prediction.wall_ns < b->prediction.wall_ns);
}

static void print_answers(const struct ct_context *c, const struct question *q, const struct answer *answers,
			  uint32_t count)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];
	uint64_t whole_ns = q->path.to_ns - q->path.from_ns;

	ct_print_header(c, q->path.m);
	ct_print_shortened(c, q->path.m, q->shortened);
	ct_print(o, CT_TITLE, "\nWhat if\n");
	fprintf(o->file, "  as it was         %9s", ct_format_ns(a, whole_ns));
	ct_print(o, CT_FAINT, "  (the replay of it takes %s)\n", ct_format_ns(b, q->as_is.wall_ns));
	ct_print(o, CT_FAINT, "\n  %9s %8s\n", "predicted", "speed-up");
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_prediction *p = &answers[i].prediction;

		fputs("  ", o->file);
		ct_column_ns(o, CT_TITLE, -9, predicted(q, p));
		fprintf(o->file, " %8.2f  ", speed_up(q, p));
		ct_last_text(o, CT_PLAIN, o->width - 26, answers[i].what ? answers[i].what : "");
		if (!p->complete)
			ct_print(o, CT_WARN, " (does not end)");
		fputc('\n', o->file);
	}
	if (q->as_is.wall_ns > whole_ns + whole_ns / 4 || q->as_is.wall_ns < whole_ns - whole_ns / 4)
		ct_print(o, CT_WARN, "\n  note: the replay of what was is off by more than a quarter: do not trust it\n");
}

/*
 * {"trace": as everywhere, "duration_ns": of what is replayed, "replayed_ns": what the replay of it takes
 *  without a change, "answers": [{"what", "predicted_ns": duration * replay / replayed, "replay_ns",
 *  "speed_up", "complete", "broken": waits that were cut short}], "steps"}
 */
static int print_json(const struct ct_context *c, const struct question *q, const struct answer *answers,
		      uint32_t count)
{
	json_t *o = json_object(), *array = json_array();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, q->path.m));
	ct_json_number(o, "duration_ns", q->path.to_ns - q->path.from_ns);
	ct_json_number(o, "replayed_ns", q->as_is.wall_ns);
	ct_json_number(o, "steps", q->as_is.steps);
	ct_json_number(o, "broken", q->as_is.broken);
	for (uint32_t i = 0; i < count; i++) {
		json_t *x = json_object();

		ct_json_text(x, "what", answers[i].what);
		ct_json_number(x, "predicted_ns", predicted(q, &answers[i].prediction));
		ct_json_number(x, "replay_ns", answers[i].prediction.wall_ns);
		ct_json_real(x, "speed_up", speed_up(q, &answers[i].prediction));
		ct_json_set(x, "complete", json_boolean(answers[i].prediction.complete));
		ct_json_number(x, "broken", answers[i].prediction.broken);
		ct_json_append(array, x);
	}
	ct_json_set(o, "answers", array);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, const struct question *q, const struct answer *answers, uint32_t count)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;
	char number[32];

	ct_csv_header(&csv, CT_CSV_WHATIF);
	for (uint32_t i = 0; i < count && (!top || i < top); i++) {
		const struct ct_prediction *p = &answers[i].prediction;

		ct_csv_text(&csv, answers[i].what);
		ct_csv_number(&csv, predicted(q, p));
		ct_csv_number(&csv, p->wall_ns);
		snprintf(number, sizeof(number), "%.4f", speed_up(q, p));
		ct_csv_literal(&csv, number);
		ct_csv_number(&csv, p->complete);
		ct_csv_number(&csv, p->broken);
		ct_csv_end_row(&csv);
	}
}

static int answer(struct ct_context *c, struct question *q)
{
	struct answer answers[CT_CAUSES + LOCKS_TRIED] = { 0 };
	const struct ct_options *o = c->options;
	uint32_t count = 0;
	int error = ask(q, 1, 0, &q->as_is);

	if (!error && (o->lock || o->site || o->thread || o->cause_count)) {
		error = match(c, q);
		answers[0].what = describe(o);
		count = 1;
		if (!error)
			error = ask(q, o->split > 1 && o->scale == 0 ? 1 : o->scale, o->split, &answers[0].prediction);
	} else if (!error) {
		error = ask_all(q, answers, &count);
		qsort(answers, count, sizeof(*answers), by_wall);
	}
	if (!error && o->json)
		error = print_json(c, q, answers, count);
	else if (!error && o->csv)
		print_csv(c, q, answers, count);
	else if (!error)
		print_answers(c, q, answers, count);
	for (uint32_t i = 0; i < count; i++)
		free(answers[i].what);
	return error;
}

int ct_cmd_whatif(struct ct_context *c)
{
	struct ct_model m;
	struct question q = { 0 };
	/* The site is what is changed: nothing is left out. */
	struct ct_options load = *c->options;

	load.site = NULL;
	int error = ct_command_usage(c, &m, ct_model_load(&m, &c->reader, &load));

	q.shortened = error ? 0 : ct_lives_fit(&m);
	if (!error)
		error = open_question(&q, &m, &c->reader);
	if (!error && q.path.end != CT_NO) {
		error = answer(c, &q);
	} else if (!error && c->options->csv) {
		print_csv(c, &q, NULL, 0);
	} else if (!error && !c->options->json) {
		ct_print_header(c, &m);
		ct_print_nothing(c, &m);
	} else if (!error) {
		error = print_json(c, &q, NULL, 0);
	}
	close_question(&q);
	ct_model_free(&m);
	return error;
}
