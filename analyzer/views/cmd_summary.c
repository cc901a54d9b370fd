/* summary: what a newcomer should know, in sentences. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "findings_words.h"
#include "json_parts.h"
#include "wrap.h"

#define SENTENCES 3u
#define ALSO_MAX  5u

static enum ct_style style_of(const struct ct_findings *f, const struct ct_finding *x)
{
	switch (x->kind) {
	case CT_FINDING_DEADLOCK:
	case CT_FINDING_LOCK:
	case CT_FINDING_TURNS:
		return CT_BAD;
	case CT_FINDING_IDLE:
		return CT_FAINT;
	case CT_FINDING_WAIT:
		return x->known && x->known->contention ? CT_BAD : ct_style_of(f->m, x->cause);
	default:
		return CT_WARN;
	}
}

static void print_finding(const struct ct_context *c, const struct ct_findings *f, const struct ct_finding *x,
			  uint32_t rank)
{
	const struct ct_out *o = &c->out;

	ct_print(o, style_of(f, x), "\n%2u. ", rank);
	ct_print_wrapped(o, CT_PLAIN, 4, 4, x->text);
	if (x->hint) {
		fputs("    ", o->file);
		ct_print_wrapped(o, CT_PLAIN, 4, 4, x->hint);
	}
	ct_print(o, CT_FAINT, "    more: ");
	ct_print(o, CT_TITLE, "%s\n", x->next);
}

/* The first sentence part alone. */
static void print_also(const struct ct_out *o, const struct ct_finding *x)
{
	size_t n = strlen(x->text);
	const char *colon = strstr(x->text, ": ");
	char text[512];

	if (colon && x->kind != CT_FINDING_DEADLOCK)
		n = (size_t)(colon - x->text);
	snprintf(text, sizeof(text), "- %.*s", (int)ct_text_whole(x->text, n < 500 ? n : 500), x->text);
	fputs("    ", o->file);
	ct_print_wrapped(o, CT_FAINT, 6, 4, text);
}

static void print_findings(const struct ct_context *c, const struct ct_findings *f)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top && c->options->top < SENTENCES ? c->options->top : SENTENCES;

	for (uint32_t i = 0; i < f->finding_count && i < top; i++)
		print_finding(c, f, &f->finding[i], i + 1);
	if (!f->finding_count)
		ct_print_wrapped(o, CT_PLAIN, 0, 0, "\nNothing weighs enough to be told: no lock, no input or output and no lack "
					      "of a CPU held threads up for more than a few percent of their time.");
	if (f->finding_count > top)
		ct_print(o, CT_PLAIN, "\n    Also:\n");
	for (uint32_t i = top; i < f->finding_count && i < top + ALSO_MAX; i++)
		print_also(o, &f->finding[i]);
	if (f->skipped)
		ct_print(o, CT_FAINT, "\n    The trace is too long to look for who ended the waits: --from and --to help.\n");
}

/* --- the table of threads --- */

static void kind_name(const struct ct_findings *f, const struct ct_thread_kind *k, char *to, size_t bytes)
{
	const char *name = f->m->thread[k->first].name;
	size_t n = strlen(name);

	while (!k->same_name && n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	snprintf(to, bytes, "%.*s%s%s", *name ? (int)ct_text_whole(name, n < 60 ? n : 60) : 60,
		 *name ? name : "(no name)", name[n] ? "*" : "",
		 k->child ? ", children" : k->main && f->kinds_count > 1 ? ", main" : "");
}

static void print_kinds(const struct ct_context *c, const struct ct_findings *f)
{
	const struct ct_out *o = &c->out;
	const struct ct_model *m = f->m;
	uint32_t top = c->options->top ? c->options->top : f->kinds_count, shown = 0, all = 0;

	ct_print(o, CT_TITLE, "\nHow the threads spent their time\n");
	ct_print(o, CT_FAINT, "  %-19s %5s %9s %7s %6s %6s %6s %6s %6s\n", "name", "", "lifetime",
		 m->has_sched ? "running" : "no call", "no CPU", "locks", "I/O", "idle", "other");
	for (uint32_t i = 0; i < f->kinds_count; i++) {
		const struct ct_thread_kind *k = &f->kinds[f->order[i]];
		const uint64_t parts[] = { k->running_ns, k->runnable_ns, k->contention_ns, k->io_ns, k->idle_ns, k->other_ns };
		char name[80], text[CT_FORMAT];

		if (!k->count || (++all > top && top))
			continue;
		shown++;
		kind_name(f, k, name, sizeof(name));
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 19, name);
		snprintf(text, sizeof(text), "x %u", k->count);
		fprintf(o->file, " %5s ", k->count > 1 ? text : "");
		ct_column_ns(o, CT_PLAIN, -9, k->lifetime_ns);
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
			fputc(' ', o->file);
			ct_column_text(o, parts[p] > k->lifetime_ns / 10 && p != 4 ? CT_PLAIN : CT_FAINT, p ? -6 : -7,
				       parts[p] ? ct_format_share(text, parts[p], k->lifetime_ns) : "-");
		}
		fputc('\n', o->file);
	}
	if (all > shown)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", all - shown);
	if (!m->has_sched)
		ct_print(o, CT_FAINT, "  no call: running, or off the CPU; which is not known without data of the scheduler\n");
}

/* --- JSON and CSV --- */

static uint64_t lifetime_share(const struct ct_finding *x)
{
	return x->lifetime_ns ? (uint64_t)(1000.0 * (double)x->ns / (double)x->lifetime_ns + 0.5) : 0;
}

/* The frame that stands for the place: NULL, not known. Free the array. */
static const struct ct_frame *place_of(struct ct_findings *f, const struct ct_finding *x, struct ct_frame **ret)
{
	uint32_t count;

	if (ct_callstack_frames(&f->report.callstacks, &f->report.symbols, x->callstack, ret, &count)) {
		*ret = NULL;
		return NULL;
	}
	uint32_t at = ct_frame_telling(*ret, count);

	return at != CT_NO ? &(*ret)[at] : count ? &(*ret)[0] : NULL;
}

static const char *object_of(const struct ct_finding *x)
{
	return x->lock ? x->lock->label : x->object;
}

static json_t *threads_json(const struct ct_findings *f, const struct ct_tallies *t)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->item_count; i++) {
		json_t *o = json_object();

		if (t->item[i].key >= f->m->thread_count) {
			json_decref(o);
			continue;
		}
		const struct ct_thread_info *info = &f->m->thread[t->item[i].key];

		ct_json_number(o, "pid", f->m->process[info->process].pid);
		ct_json_number(o, "tid", info->tid);
		ct_json_text(o, "name", info->name);
		ct_json_number(o, "count", t->item[i].count);
		ct_json_number(o, "total_ns", t->item[i].total_ns);
		ct_json_append(array, o);
	}
	return array;
}

static json_t *finding_json(struct ct_findings *f, const struct ct_finding *x)
{
	json_t *o = json_object();

	ct_json_text(o, "kind", ct_finding_name(x->kind));
	ct_json_text(o, "text", x->text);
	ct_json_text(o, "hint", x->hint);
	ct_json_text(o, "next", x->next);
	ct_json_text(o, "cause", x->cause < CT_CAUSES ? ct_model_cause_name(f->m, x->cause) : NULL);
	ct_json_text(o, "call", x->call ? ct_model_call_name(f->m, x->call) : NULL);
	ct_json_text(o, "object", object_of(x));
	ct_json_number(o, "count", x->count);
	ct_json_number(o, "total_ns", x->ns);
	ct_json_number(o, "max_ns", x->max_ns);
	ct_json_number(o, "lifetime_ns", x->lifetime_ns);
	ct_json_number(o, "path_ns", x->path_ns);
	ct_json_set(o, "threads", threads_json(f, &x->threads));
	ct_json_set(o, "wakers", threads_json(f, &x->wakers));
	ct_json_set(o, "behind", threads_json(f, &x->behind));
	ct_json_set(o, "stack", ct_json_stack(&f->report.callstacks, &f->report.symbols, x->callstack));
	if (x->kind == CT_FINDING_LOCK)
		ct_json_set(o, "holder_stack", ct_json_stack(&f->report.callstacks, &f->report.symbols, x->holder));
	else if (f->wakers.m)
		ct_json_set(o, "holder_stack", ct_json_stack(&f->wakers.callstacks, &f->wakers.symbols, x->holder));
	return o;
}

static json_t *kind_json(const struct ct_findings *f, const struct ct_thread_kind *k)
{
	json_t *o = json_object();
	char name[80];

	kind_name(f, k, name, sizeof(name));
	ct_json_text(o, "name", name);
	ct_json_number(o, "threads", k->count);
	ct_json_number(o, "lifetime_ns", k->lifetime_ns);
	ct_json_number(o, "running_ns", k->running_ns);
	ct_json_number(o, "runnable_ns", k->runnable_ns);
	ct_json_number(o, "contention_ns", k->contention_ns);
	ct_json_number(o, "io_ns", k->io_ns);
	ct_json_number(o, "idle_ns", k->idle_ns);
	ct_json_number(o, "other_ns", k->other_ns);
	return o;
}

/*
 * {"trace": as everywhere,
 *  "findings": [{"kind": "deadlock", "lock", "wait", "turns", "no-cpu", "cpu-bound", "unexplained", "idle",
 *                "text", "hint" (or null), "next": a command line, "cause", "call", "object" (or null),
 *                "count", "total_ns", "max_ns", "lifetime_ns": of its threads, "path_ns": on the critical path,
 *                "threads": [{thread, "count",
 *                "total_ns"}], "wakers": who ended the waits, "behind": who waited for its threads meanwhile,
 *                "stack": where, "holder_stack": where what they waited for was released or woken}],
 *  "groups": [{"name", "threads", "lifetime_ns", "running_ns", "runnable_ns", "contention_ns", "io_ns": with
 *              the runtime's, "idle_ns", "other_ns": unexplained, unknown, not selected}]}
 */
static int print_json(const struct ct_context *c, struct ct_findings *f)
{
	json_t *o = json_object(), *findings = json_array(), *groups = json_array();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, f->m));
	for (uint32_t i = 0; i < f->finding_count; i++)
		ct_json_append(findings, finding_json(f, &f->finding[i]));
	ct_json_set(o, "findings", findings);
	for (uint32_t i = 0; i < f->kinds_count; i++)
		if (f->kinds[f->order[i]].count)
			ct_json_append(groups, kind_json(f, &f->kinds[f->order[i]]));
	ct_json_set(o, "groups", groups);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, struct ct_findings *f)
{
	struct ct_csv csv = { .file = c->out.file };

	ct_csv_header(&csv, CT_CSV_SUMMARY);
	for (uint32_t i = 0; i < f->finding_count; i++) {
		const struct ct_finding *x = &f->finding[i];
		struct ct_frame *frames;
		const struct ct_frame *place = place_of(f, x, &frames);

		ct_csv_number(&csv, i + 1);
		ct_csv_text(&csv, ct_finding_name(x->kind));
		ct_csv_text(&csv, x->cause < CT_CAUSES ? ct_model_cause_name(f->m, x->cause) : NULL);
		ct_csv_text(&csv, x->call ? ct_model_call_name(f->m, x->call) : NULL);
		ct_csv_text(&csv, object_of(x));
		ct_csv_text(&csv, place ? place->function : NULL);
		ct_csv_text(&csv, place ? place->file : NULL);
		ct_csv_number(&csv, place && place->line > 0 ? (uint64_t)place->line : 0);
		ct_csv_number(&csv, x->threads.item_count);
		ct_csv_number(&csv, x->count);
		ct_csv_number(&csv, x->ns);
		ct_csv_number(&csv, x->max_ns);
		ct_csv_number(&csv, x->lifetime_ns);
		ct_csv_number(&csv, lifetime_share(x));
		ct_csv_text(&csv, x->text);
		ct_csv_text(&csv, x->next);
		ct_csv_end_row(&csv);
		free(frames);
	}
}

int ct_cmd_summary(struct ct_context *c)
{
	struct ct_model m;
	struct ct_findings f = { 0 };
	int error = ct_command_load(c, &m, NULL);

	if (!error)
		error = ct_findings_make(&f, &m, &c->reader);
	if (!error && c->options->json) {
		error = print_json(c, &f);
	} else if (!error && c->options->csv) {
		print_csv(c, &f);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m)) {
			print_findings(c, &f);
			print_kinds(c, &f);
		}
	}
	ct_findings_close(&f);
	ct_model_free(&m);
	return error;
}
