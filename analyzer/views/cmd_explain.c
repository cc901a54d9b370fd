/* explain: what a cause means, typical reasons, and what to look at next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column_texts.h"
#include "commands.h"
#include "explanations.h"
#include "json_parts.h"
#include "wrap.h"

#define SITES_SHOWN 3u

/* A cause's number; CT_NO: it is a state or a category. */
static uint32_t cause_number(const char *name)
{
	static const char *const names[] = {
#define CT_CAUSE(id, name, category, text) [CT_CAUSE_##id] = name,
#include "causes.def"
#undef CT_CAUSE
	};

	for (uint32_t i = 1; i < CT_CAUSE_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return CT_NO;
}

static const struct {
	const char *name;
	uint32_t cause;
} calls[] = {
#define CT_CALL(name, family, cause, flags) { #name, (flags) & CT_F_R ? CT_CAUSE_NONE : CT_CAUSE_##cause },
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* Calls on descriptors have the cause that their descriptor says. */
static const char *descriptor_calls(const char *name)
{
	static const char *const by_descriptor[] = { "pipe", "socket", "tty", "eventfd" };

	for (size_t i = 0; i < sizeof(by_descriptor) / sizeof(by_descriptor[0]); i++)
		if (!strcmp(name, by_descriptor[i]))
			return "read, write and the like, on such a descriptor";
	return NULL;
}

/* The names of the calls that can have a cause, in one text; owned by the caller. */
static char *calls_text(const struct ct_explanation *e)
{
	uint32_t cause = strcmp(e->kind, "cause") ? CT_NO : cause_number(e->name);
	const char *more = descriptor_calls(e->name);
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	bool any = false;

	if (!out)
		return NULL;
	for (size_t i = 0; i < CALLS && cause != CT_NO; i++)
		if (calls[i].cause == cause) {
			fprintf(out, "%s%s", any ? ", " : "", calls[i].name);
			any = true;
		}
	if (more)
		fprintf(out, "%s%s", any ? ", " : "", more);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A command line, with the trace's name where there is one. */
static void print_next(const struct ct_context *c, const char *next, const char *file)
{
	const struct ct_out *o = &c->out;
	const char *colon = strstr(next, ": ");
	size_t n = colon ? (size_t)(colon - next) : strlen(next);
	const char *trace = strstr(next, "TRACE");
	char text[512];

	if (trace && file)
		snprintf(text, sizeof(text), "ctrace-analyze %.*s%.300s", (int)(trace - next), next, file);
	else
		snprintf(text, sizeof(text), "ctrace-analyze %.*s", (int)n, next);
	fputs("  ", o->file);
	ct_print(o, CT_TITLE, "%s\n", text);
	if (colon) {
		fputs("      ", o->file);
		ct_print_wrapped(o, CT_PLAIN, 6, 6, colon + 2);
	}
}

/* --- what a trace says of it --- */

static bool belongs(const struct ct_model *m, const struct ct_explanation *e, uint32_t cause)
{
	if (!strcmp(e->kind, "category"))
		return !strcmp(ct_model_category(m, cause), e->name);
	return !strcmp(ct_model_cause_name(m, cause), e->name);
}

static uint64_t state_ns(const struct ct_explanation *e, const struct ct_thread_info *t)
{
	const struct {
		const char *name;
		uint64_t ns;
	} states[] = {
		{ "running", t->running_ns }, { "runnable", t->runnable_ns }, { "blocked", t->blocked_ns },
		{ "unexplained", t->unexplained_ns }, { "unknown", t->unknown_ns }, { "excluded", t->excluded_ns },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(e->name, states[i].name))
			return states[i].ns;
	return 0;
}

struct numbers {
	uint64_t count, total_ns, max_ns, lifetime_ns;
	uint64_t p50_ns, p99_ns; /* of a cause */
	uint64_t threads;        /* with some of it */
};

static struct numbers numbers_of(const struct ct_report *r, const struct ct_explanation *e)
{
	struct numbers n = { .lifetime_ns = r->lifetime_ns };

	for (uint32_t i = 0; i < r->cause_count; i++) {
		const struct ct_cause_row *row = &r->cause[i];

		if (!belongs(r->model, e, row->cause))
			continue;
		n.count += row->count;
		n.total_ns += row->total_ns;
		n.max_ns = row->max_ns > n.max_ns ? row->max_ns : n.max_ns;
		n.p50_ns = row->p50_ns;
		n.p99_ns = row->p99_ns;
	}
	for (uint32_t i = 0; i < r->thread_count; i++) {
		uint64_t ns = state_ns(e, &r->model->thread[r->thread[i]]);

		for (uint32_t k = 0; k < r->cause_count; k++)
			if (belongs(r->model, e, r->cause[k].cause))
				ns += r->by_cause[(size_t)r->thread[i] * r->cause_count + k];
		n.threads += ns != 0;
		n.total_ns += state_ns(e, &r->model->thread[r->thread[i]]);
	}
	return n;
}

static int print_numbers(const struct ct_context *c, struct ct_report *r, const struct ct_explanation *e)
{
	const struct ct_out *o = &c->out;
	struct numbers n = numbers_of(r, e);
	char a[CT_FORMAT], b[CT_FORMAT];
	uint32_t shown = 0;
	int error = 0;

	ct_print(o, CT_TITLE, "\nIn this trace\n");
	fprintf(o->file, "  %s of %llu thread%s: %s of all threads' time\n", ct_format_ns(a, n.total_ns),
		(unsigned long long)n.threads, n.threads == 1 ? "" : "s", ct_format_share(b, n.total_ns, n.lifetime_ns));
	if (n.count)
		fprintf(o->file, "  %s wait%s, the longest %s\n", ct_format_count(a, n.count), n.count == 1 ? "" : "s",
			ct_format_ns(b, n.max_ns));
	if (n.count && !strcmp(e->kind, "cause"))
		fprintf(o->file, "  median %s, p99 %s\n", ct_format_ns(a, n.p50_ns), ct_format_ns(b, n.p99_ns));
	for (uint32_t i = 0; i < r->site_count && shown < SITES_SHOWN && !error; i++) {
		const struct ct_site_row *row = &r->site[i];

		if (!belongs(r->model, e, row->cause))
			continue;
		fprintf(o->file, "\n%4u. %s in %s", ++shown, ct_format_ns(a, row->total_ns),
			ct_model_call_name(r->model, row->call));
		if (row->objects.item_count) {
			fputs(", on ", o->file);
			ct_last_text(o, CT_PLAIN, o->width - 50, row->objects.item[0].label);
		}
		fputc('\n', o->file);
		error = ct_print_stack(c, r, row->callstack);
	}
	return error;
}

/* --- the whole --- */

static int print_text(struct ct_context *c, const struct ct_explanation *e, const char *file, struct ct_report *r)
{
	const struct ct_out *o = &c->out;
	char *names = calls_text(e);

	if (!names)
		return -ENOMEM;
	ct_print(o, CT_TITLE, "%s", e->name);
	uint32_t cause = cause_number(e->name);
	static const char *const categories[] = {
#define CT_CAUSE(id, name, category, text) [CT_CAUSE_##id] = category,
#include "causes.def"
#undef CT_CAUSE
	};

	ct_print(o, CT_FAINT, " (%s%s%s)\n\n", e->kind, !strcmp(e->kind, "cause") && cause != CT_NO ? " of the category " : "",
		 !strcmp(e->kind, "cause") && cause != CT_NO ? categories[cause] : "");
	ct_print_wrapped(o, CT_PLAIN, 0, 0, e->means);
	ct_print(o, CT_TITLE, "\nTypical reasons\n");
	for (int i = 0; i < CT_EXPLANATION_LINES && e->reasons[i]; i++) {
		fputs("  - ", o->file);
		ct_print_wrapped(o, CT_PLAIN, 4, 4, e->reasons[i]);
	}
	ct_print(o, CT_TITLE, "\nWhat to look at next\n");
	for (int i = 0; i < CT_EXPLANATION_LINES && e->next[i]; i++)
		print_next(c, e->next[i], file);
	if (*names) {
		ct_print(o, CT_TITLE, "\nCalls\n");
		fputs("  ", o->file);
		ct_print_wrapped(o, CT_FAINT, 2, 2, names);
	}
	free(names);
	return r ? print_numbers(c, r, e) : 0;
}

static json_t *texts_json(const char *const *texts)
{
	json_t *array = json_array();

	for (int i = 0; i < CT_EXPLANATION_LINES && texts[i]; i++)
		ct_json_append(array, json_string(texts[i]));
	return array;
}

/*
 * {"name", "kind": "cause", "state" or "category", "means", "reasons": [texts], "next": [texts], "calls": text;
 *  with a trace also "trace": as everywhere, "numbers": {"count", "total_ns", "max_ns", "p50_ns", "p99_ns",
 *  "lifetime_ns": of all threads, "threads"}}
 */
static int print_json(const struct ct_context *c, const struct ct_explanation *e, const struct ct_report *r)
{
	json_t *o = json_object(), *numbers = r ? json_object() : NULL;
	char *names = calls_text(e);

	ct_json_begin();
	ct_json_text(o, "name", e->name);
	ct_json_text(o, "kind", e->kind);
	ct_json_text(o, "means", e->means);
	ct_json_set(o, "reasons", texts_json(e->reasons));
	ct_json_set(o, "next", texts_json(e->next));
	ct_json_text(o, "calls", names);
	if (r) {
		struct numbers n = numbers_of(r, e);

		ct_json_set(o, "trace", ct_json_trace(c, r->model));
		ct_json_number(numbers, "count", n.count);
		ct_json_number(numbers, "total_ns", n.total_ns);
		ct_json_number(numbers, "max_ns", n.max_ns);
		ct_json_number(numbers, "p50_ns", n.p50_ns);
		ct_json_number(numbers, "p99_ns", n.p99_ns);
		ct_json_number(numbers, "lifetime_ns", n.lifetime_ns);
		ct_json_number(numbers, "threads", n.threads);
		ct_json_set(o, "numbers", numbers);
	}
	free(names);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

/* A column is explained in a sentence. {"name", "kind": "column", "means"} */
static int explain_column(const struct ct_context *c, const char *name, const char *text)
{
	json_t *o;

	if (!c->options->json) {
		ct_print(&c->out, CT_TITLE, "%s", name);
		ct_print(&c->out, CT_FAINT, " (column)\n\n");
		ct_print_wrapped(&c->out, CT_PLAIN, 0, 0, text);
		return 0;
	}
	ct_json_begin();
	o = json_object();
	ct_json_text(o, "name", name);
	ct_json_text(o, "kind", "column");
	ct_json_text(o, "means", text);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

int ct_cmd_explain(struct ct_context *c)
{
	const struct ct_options *o = c->options;
	const struct ct_explanation *e = ct_explanation_of(o->argument[0]);
	const char *file = o->argument_count > 1 ? o->argument[1] : NULL;
	struct ct_model m = { 0 };
	struct ct_report r = { 0 };
	int error = 0;

	if (!e && ct_column_text_of(o->argument[0])) {
		c->unfinished = true;
		return explain_column(c, o->argument[0], ct_column_text_of(o->argument[0]));
	}
	if (!e) {
		snprintf(c->usage, sizeof(c->usage), "'%.40s' is no cause, state, category or column: see ctrace-analyze explain --help",
			 o->argument[0]);
		return -EINVAL;
	}
	if (file)
		error = ct_command_open(c, file);
	else
		c->unfinished = true;
	if (!error && file)
		error = ct_command_load(c, &m, &r);
	if (!error)
		error = o->json ? print_json(c, e, file ? &r : NULL) : print_text(c, e, file, file ? &r : NULL);
	ct_report_close(&r);
	if (file)
		ct_model_free(&m);
	return error;
}
