/* waits: single waits, each with its thread and its time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "commands.h"
#include "csv_tables.h"
#include "json_parts.h"
#include "latency.h"
#include "objects.h"

#define KEPT_MOST 100000u /* with --top 0, so that memory has a bound */

enum key {
	BY_LENGTH,
	BY_START,
};

struct wait {
	uint64_t start_ns, end_ns;
	uint32_t thread, site;   /* site: in waits.site */
	bool open;
	int64_t result;
};

struct waits {
	const struct ct_context *c;
	struct ct_model m;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	uint32_t callstack;      /* of --stack; CT_NO: all */
	uint64_t count, total_ns, max_ns, bucket[CT_LATENCY_BUCKETS];
	struct ct_delays lengths;
	/* A heap, the one to go first on top; in the end in order. */
	struct wait *wait;
	uint32_t wait_count, most;
	CT_ARRAY(struct ct_site_info, site);
	struct ct_table site_by_hash;
};

/* --- the first ones --- */

static bool is_before(const struct waits *w, const struct wait *a, const struct wait *b)
{
	uint64_t x = a->end_ns - a->start_ns, y = b->end_ns - b->start_ns;

	if (w->c->options->sort_key == BY_LENGTH && x != y)
		return x > y;
	return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->thread < b->thread;
}

static void sink(struct waits *w, uint32_t at)
{
	struct wait moved = w->wait[at];

	for (uint32_t below; (below = 2 * at + 1) < w->wait_count; at = below) {
		if (below + 1 < w->wait_count && is_before(w, &w->wait[below], &w->wait[below + 1]))
			below++;
		if (!is_before(w, &moved, &w->wait[below]))
			break;
		w->wait[at] = w->wait[below];
		w->wait[below] = moved;
	}
}

static void rise(struct waits *w, uint32_t at)
{
	for (; at && is_before(w, &w->wait[(at - 1) / 2], &w->wait[at]); at = (at - 1) / 2) {
		struct wait up = w->wait[at];

		w->wait[at] = w->wait[(at - 1) / 2];
		w->wait[(at - 1) / 2] = up;
	}
}

static uint32_t find_site(struct waits *w, uint32_t process, struct ct_site site)
{
	uint32_t at;

	site.owner = 0;
	uint64_t key = ct_mix(site.object ^ ct_mix(ct_pair(site.stack, process)));

	key = ct_mix(key ^ site.call ^ (uint64_t)site.cause << 56 ^ (uint64_t)site.flags << 40 ^ site.aux);
	for (; (at = ct_table_get(&w->site_by_hash, key)); key++)
		if (w->site[at - 1].process == process && !memcmp(&w->site[at - 1].site, &site, sizeof(site)))
			return at - 1;
	struct ct_site_info *s = CT_APPEND(w, site);

	if (!s || ct_table_put(&w->site_by_hash, key, w->site_count))
		return CT_NO;
	*s = (struct ct_site_info){ process, site };
	return w->site_count - 1;
}

static int keep(struct waits *w, struct wait x, const struct ct_call_event *e)
{
	if (w->wait_count == w->most && !is_before(w, &x, &w->wait[0]))
		return 0;
	x.site = find_site(w, e->process, *e->site);
	if (x.site == CT_NO)
		return -ENOMEM;
	if (w->wait_count < w->most) {
		w->wait[w->wait_count] = x;
		rise(w, w->wait_count++);
	} else {
		w->wait[0] = x;
		sink(w, 0);
	}
	return 0;
}

static int take_call(void *self, const struct ct_call_event *e)
{
	struct waits *w = self;
	const struct ct_options *o = w->c->options;
	uint64_t ns = e->end_ns - e->start_ns;
	uint32_t callstack;

	if (o->call && strcmp(ct_model_call_name(&w->m, e->site->call), o->call))
		return 0;
	if (o->stack_given) {
		uint32_t stack = e->site->stack ? ct_model_stack(&w->m, e->process, e->site->stack) : CT_NO;

		if (ct_callstack_of(&w->callstacks, stack, &callstack))
			return -ENOMEM;
		if (callstack != w->callstack)
			return 0;
	}
	w->count++;
	w->total_ns += ns;
	if (ns > w->max_ns)
		w->max_ns = ns;
	w->bucket[ct_latency_bucket(ns)]++;
	ct_delays_add(&w->lengths, ns);
	return keep(w, (struct wait){ e->start_ns, e->end_ns, e->thread, 0, e->site->flags & CT_EV_OPEN, e->result }, e);
}

/* The heap becomes a list, first one first. */
static void put_in_order(struct waits *w)
{
	uint32_t count = w->wait_count;

	while (w->wait_count > 1) {
		struct wait last = w->wait[0];

		w->wait[0] = w->wait[--w->wait_count];
		sink(w, 0);
		w->wait[w->wait_count] = last;
	}
	w->wait_count = count;
}

static int read_waits(struct waits *w, struct ct_context *c)
{
	const struct ct_options *o = c->options;
	int error = ct_command_load(c, &w->m, NULL);

	if (!error)
		error = ct_symbols_open(&w->symbols, &w->m);
	if (!error)
		error = ct_callstacks_open(&w->callstacks, &w->m);
	if (!error && o->stack_given && o->stack >= w->m.stack_count) {
		snprintf(c->usage, sizeof(c->usage), "the trace has no call stack %llu", (unsigned long long)o->stack);
		return -EINVAL;
	}
	if (!error && o->stack_given)
		error = ct_callstack_of(&w->callstacks, (uint32_t)o->stack, &w->callstack);
	w->most = o->top && o->top < KEPT_MOST ? o->top : KEPT_MOST;
	w->wait = calloc(w->most, sizeof(*w->wait));
	if (!error && !w->wait)
		error = -ENOMEM;
	if (!error)
		error = ct_calls_read(&w->m, &c->reader, take_call, w);
	put_in_order(w);
	return error;
}

static void close_waits(struct waits *w)
{
	ct_callstacks_close(&w->callstacks);
	if (w->symbols.model)
		ct_symbols_close(&w->symbols);
	ct_table_free(&w->site_by_hash);
	free(w->site);
	free(w->wait);
	ct_model_free(&w->m);
}

static uint64_t quantile(const struct waits *w, double share)
{
	uint64_t v = ct_delays_quantile(&w->lengths, share);

	return v > w->max_ns ? w->max_ns : v;
}

static uint32_t stack_of(const struct waits *w, const struct ct_site_info *s)
{
	return s->site.stack ? ct_model_stack(&w->m, s->process, s->site.stack) : CT_NO;
}

static uint64_t since_begin(const struct waits *w, uint64_t ns)
{
	return ns > w->m.start_ns ? ns - w->m.start_ns : 0;
}

/* --- JSON and CSV --- */

static json_t *wait_json(struct waits *w, const struct wait *x, json_t *stacks)
{
	const struct ct_thread_info *t = &w->m.thread[x->thread];
	const struct ct_site_info *s = &w->site[x->site];
	uint32_t stack = stack_of(w, s), callstack;
	char *object = ct_object_label(&w->symbols, &w->m, s), key[16];
	json_t *o = json_object();

	ct_json_number(o, "lane", x->thread);
	ct_json_number(o, "pid", w->m.process[t->process].pid);
	ct_json_number(o, "tid", t->tid);
	ct_json_text(o, "name", t->name);
	ct_json_number(o, "start_ns", since_begin(w, x->start_ns));
	ct_json_number(o, "duration_ns", x->end_ns - x->start_ns);
	ct_json_text(o, "cause", ct_model_cause_name(&w->m, s->site.cause));
	ct_json_text(o, "category", ct_model_category(&w->m, s->site.cause));
	ct_json_text(o, "call", ct_model_call_name(&w->m, s->site.call));
	ct_json_text(o, "object", object);
	ct_json_set(o, "result", json_integer(x->result));
	ct_json_set(o, "open", json_boolean(x->open));
	free(object);
	if (stack == CT_NO)
		return o;
	ct_json_number(o, "stack_id", stack);
	snprintf(key, sizeof(key), "%u", stack);
	if (json_object_get(stacks, key))
		return o;
	if (ct_callstack_of(&w->callstacks, stack, &callstack))
		ct_json_fail();
	else
		ct_json_set(stacks, key, ct_json_stack(&w->callstacks, &w->symbols, callstack));
	return o;
}

/*
 * {"trace", "filters": as everywhere, "count", "total_ns", "max_ns", "p50_ns", "p99_ns": of all that are selected,
 *  "buckets": [{"from_ns", "to_ns", "count"}],
 *  "waits": [{"lane": number of the thread, "pid", "tid", "name", "start_ns": since the trace began, "duration_ns",
 *             "cause", "category", "call", "object", "result", "open", "stack_id": for --stack, absent without}],
 *  "stacks": {"STACK_ID": frames}}
 */
static int print_json(struct waits *w)
{
	json_t *o = json_object(), *waits = json_array(), *stacks = json_object();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(w->c, &w->m));
	ct_json_set(o, "filters", ct_json_filters(w->c, &w->m));
	ct_json_number(o, "count", w->count);
	ct_json_number(o, "total_ns", w->total_ns);
	ct_json_number(o, "max_ns", w->max_ns);
	ct_json_number(o, "p50_ns", quantile(w, 0.5));
	ct_json_number(o, "p99_ns", quantile(w, 0.99));
	ct_json_set(o, "buckets", ct_latency_json(w->bucket));
	for (uint32_t i = 0; i < w->wait_count; i++)
		ct_json_append(waits, wait_json(w, &w->wait[i], stacks));
	ct_json_set(o, "waits", waits);
	ct_json_set(o, "stacks", stacks);
	if (!ct_json_failed() && !json_dumpf(o, w->c->out.file, JSON_INDENT(1)))
		fputc('\n', w->c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static int where_of(struct waits *w, const struct wait *x, bool whole, char **ret)
{
	uint32_t callstack;

	*ret = NULL;
	if (ct_callstack_of(&w->callstacks, stack_of(w, &w->site[x->site]), &callstack))
		return -ENOMEM;
	*ret = ct_callstack_text(&w->callstacks, &w->symbols, callstack, whole);
	return *ret ? 0 : -ENOMEM;
}

static int print_csv(struct waits *w)
{
	struct ct_csv csv = { .file = w->c->out.file };
	int error = 0;

	ct_csv_header(&csv, CT_CSV_WAITS);
	for (uint32_t i = 0; i < w->wait_count && !error; i++) {
		const struct wait *x = &w->wait[i];
		const struct ct_thread_info *t = &w->m.thread[x->thread];
		const struct ct_site_info *s = &w->site[x->site];
		char *object = ct_object_label(&w->symbols, &w->m, s), *where;

		error = where_of(w, x, true, &where);
		ct_csv_number(&csv, w->m.process[t->process].pid);
		ct_csv_number(&csv, t->tid);
		ct_csv_text(&csv, t->name);
		ct_csv_number(&csv, since_begin(w, x->start_ns));
		ct_csv_number(&csv, x->end_ns - x->start_ns);
		ct_csv_text(&csv, ct_model_cause_name(&w->m, s->site.cause));
		ct_csv_text(&csv, ct_model_call_name(&w->m, s->site.call));
		ct_csv_text(&csv, object);
		ct_csv_text(&csv, where);
		ct_csv_end_row(&csv);
		free(where);
		free(object);
	}
	return error;
}

/* --- text --- */

static int print_text(struct waits *w)
{
	const struct ct_out *o = &w->c->out;
	char a[CT_FORMAT], b[CT_FORMAT];
	int error = 0;

	ct_print_header(w->c, &w->m);
	if (ct_print_nothing(w->c, &w->m))
		return 0;
	fprintf(o->file, "\n%s wait%s, %s in all, the longest %s\n", ct_format_count(a, w->count), w->count == 1 ? "" : "s",
		ct_format_ns(b, w->total_ns), ct_format_ns((char[CT_FORMAT]){ 0 }, w->max_ns));
	ct_print(o, CT_FAINT, "\n  %12s %9s  %-18s %-10s %s\n", "start", "length", "thread", "cause", "on, in");
	for (uint32_t i = 0; i < w->wait_count && !error; i++) {
		const struct wait *x = &w->wait[i];
		const struct ct_thread_info *t = &w->m.thread[x->thread];
		const struct ct_site_info *s = &w->site[x->site];
		char *object = ct_object_label(&w->symbols, &w->m, s), *name = ct_thread_label(&w->m, t->process, t->tid), *where;

		error = where_of(w, x, false, &where);
		if (!object || !name)
			error = -ENOMEM;
		if (!error) {
			char *what;

			fprintf(o->file, "  %11.6fs ", (double)since_begin(w, x->start_ns) / 1e9);
			ct_column_ns(o, CT_PLAIN, -9, x->end_ns - x->start_ns);
			fputs("  ", o->file);
			ct_column_text(o, CT_PLAIN, 18, name);
			fputc(' ', o->file);
			ct_column_text(o, ct_style_of(&w->m, s->site.cause), 10, ct_model_cause_name(&w->m, s->site.cause));
			fputc(' ', o->file);
			error = asprintf(&what, "%s%s%s", object, *object && *where ? ", " : "", where) < 0 ? -ENOMEM : 0;
			if (!error) {
				ct_last_text(o, CT_PLAIN, o->width - 57, what);
				free(what);
			}
			fputs(x->open ? " (not over)\n" : "\n", o->file);
		}
		free(where);
		free(object);
		free(name);
	}
	if (!error && w->count > w->wait_count)
		ct_print(o, CT_FAINT, "  and %llu more: --top shows more of them\n",
			 (unsigned long long)(w->count - w->wait_count));
	return error;
}

int ct_cmd_waits(struct ct_context *c)
{
	struct waits w = { .c = c, .callstack = CT_NO };
	int error = read_waits(&w, c);

	if (!error)
		error = c->options->json ? print_json(&w) : c->options->csv ? print_csv(&w) : print_text(&w);
	close_waits(&w);
	return error;
}
