/* wakers: who unblocked whom, and because of whom others waited. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "json_parts.h"
#include "objects.h"
#include "report_wakers.h"

/* What a waker did. */
static const char *deed(enum ct_ended ended)
{
	static const char *const texts[CT_ENDED_KINDS] = {
		[CT_ENDED_RELEASE] = "released it in", [CT_ENDED_WAKE] = "woke it in", [CT_ENDED_ARRIVAL] = "came last in",
		[CT_ENDED_EXIT] = "ended", [CT_ENDED_KERNEL] = "woke it, by the kernel's word",
	};

	return texts[ended] ? texts[ended] : "";
}

static void print_site(const struct ct_out *o, struct ct_wakers_report *r, const char *what, uint32_t callstack)
{
	char *text = ct_callstack_text(&r->callstacks, &r->symbols, callstack, false);

	ct_print(o, CT_FAINT, "      %-14s ", what);
	ct_last_text(o, CT_PLAIN, o->width - 22, text && *text ? text : "(no call stack)");
	fputc('\n', o->file);
	free(text);
}

static void print_row(const struct ct_out *o, struct ct_wakers_report *r, const struct ct_waker_row *row,
		      uint32_t rank)
{
	const struct ct_site_info *site = &r->wakes.site[row->site];
	char *waiter = ct_group_label(r, row->waiter), *waker = ct_group_label(r, row->waker);
	char *object = ct_object_label(&r->symbols, r->m, site);
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];

	fprintf(o->file, "\n%4u. ", rank);
	ct_last_text(o, CT_TITLE, (o->width - 30) / 2, waker ? waker : "");
	fputs(" unblocked ", o->file);
	ct_last_text(o, CT_TITLE, (o->width - 30) / 2, waiter ? waiter : "");
	fputs("\n      ", o->file);
	ct_print(o, ct_style_of(r->m, site->site.cause), "%s", ct_model_cause_name(r->m, site->site.cause));
	if (object && *object) {
		fputc(' ', o->file);
		ct_last_text(o, CT_PLAIN, o->width - 50, object);
	}
	fprintf(o->file, ": %s in %s wait%s", ct_format_ns(a, row->total_ns), ct_format_count(n, row->count),
		row->count == 1 ? "" : "s");
	fprintf(o->file, "\n      after %s on average, and %s until it went on\n",
		ct_format_ns(a, row->count ? row->release_ns / row->count : 0),
		ct_format_ns(b, row->count ? (row->total_ns - row->release_ns) / row->count : 0));
	print_site(o, r, "waited in", row->waiter_stack);
	if (row->waker_stack != CT_NO)
		print_site(o, r, deed((enum ct_ended)row->ended), row->waker_stack);
	else
		ct_print(o, CT_FAINT, "      %s\n", deed((enum ct_ended)row->ended));
	free(waiter);
	free(waker);
	free(object);
}

static void print_blame(const struct ct_out *o, struct ct_wakers_report *r, const struct ct_blame_row *rows,
			uint32_t count, uint32_t top, const char *title)
{
	uint32_t shown = 0;

	ct_print(o, CT_TITLE, "\n%s\n", title);
	ct_print(o, CT_FAINT, "  %10s %10s %9s\n", "waited", "for work", "ended");
	for (uint32_t i = 0; i < count && (!top || shown < top); i++) {
		char *text = rows[i].waker != CT_NO ? ct_group_label(r, rows[i].waker) :
						      ct_callstack_text(&r->callstacks, &r->symbols, rows[i].stack, false);

		shown++;
		fputs("  ", o->file);
		ct_column_ns(o, rows[i].blame_ns ? CT_BAD : CT_FAINT, -10, rows[i].blame_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_FAINT, -10, rows[i].idle_ns);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, rows[i].count);
		fputs("  ", o->file);
		ct_last_text(o, CT_PLAIN, o->width - 36, text && *text ? text : "(in no call that is recorded)");
		fputc('\n', o->file);
		free(text);
	}
	if (shown < count)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", count - shown);
}

static void print_known(const struct ct_out *o, const struct ct_wakers_report *r)
{
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];
	uint64_t compared = r->wakes.agree + r->wakes.disagree;

	ct_print(o, CT_TITLE, "\nWho ended the waits\n");
	fprintf(o->file, "  a thread   %s of %s waits, %s of their time\n", ct_format_count(a, r->known),
		ct_format_count(n, r->waits), ct_format_share(b, r->known_ns, r->total_ns));
	if (r->by[CT_ENDED_TIME])
		fprintf(o->file, "  no thread  %s: time, or a device\n", ct_format_count(a, r->by[CT_ENDED_TIME]));
	if (r->by[CT_ENDED_NOT])
		fprintf(o->file, "  not over   %s\n", ct_format_count(a, r->by[CT_ENDED_NOT]));
	if (r->by[CT_ENDED_UNKNOWN])
		fprintf(o->file, "  not known  %s%s\n", ct_format_count(a, r->by[CT_ENDED_UNKNOWN]),
			r->wakes.wakes ? "" : ": the kernel's word on wake-ups needs privileges");
	if (compared)
		ct_print(o, CT_FAINT, "  check      the kernel names the same thread for %s of %s\n",
			 ct_format_share(a, r->wakes.agree, compared), ct_format_count(n, compared));
}

static void print_report(const struct ct_context *c, struct ct_wakers_report *r)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top, shown = 0, all = 0;

	print_known(o, r);
	if (r->by_place.grouping.by) {
		ct_grouped_print(c, &r->by_place, "Waits that a thread ended,");
		return;
	}
	ct_print(o, CT_TITLE, "\nWho unblocked whom%s\n", c->options->sort_key ? "" : ", by the time waited");
	for (uint32_t i = 0; i < r->row_count; i++) {
		if (r->row[i].waker == CT_NO || !r->row[i].count)
			continue;
		all++;
		if (!top || shown < top)
			print_row(o, r, &r->row[i], ++shown);
	}
	if (all > shown)
		ct_print(o, CT_FAINT, "\n      %u more: --top 0 shows all\n", all - shown);
	if (!all)
		ct_print(o, CT_PLAIN, "  no thread unblocked another, as far as is known\n");
	print_blame(o, r, r->thread, r->thread_count, top, "Because of whom others waited");
	print_blame(o, r, r->site, r->site_count, top, "Because of what is done where");
}

/* --- JSON --- */

/* A thread, or the group that it stands for; null: not known. */
static json_t *who_json(const struct ct_wakers_report *r, uint32_t waker)
{
	json_t *o = json_object();
	char *label = ct_group_label(r, waker);

	if (waker < r->m->thread_count) {
		const struct ct_thread_info *t = &r->m->thread[waker];

		ct_json_number(o, "pid", r->m->process[t->process].pid);
		ct_json_number(o, "tid", t->tid);
		ct_json_text(o, "name", t->name);
		ct_json_number(o, "threads", r->members[waker]);
	} else if (waker != CT_NO) {
		const struct ct_outsider *x = &r->wakes.outsider[waker - CT_OUTSIDE];

		ct_json_number(o, "pid", x->pid);
		ct_json_number(o, "tid", x->tid);
		ct_json_text(o, "name", x->name ? x->name : "");
		ct_json_number(o, "threads", 0);
	}
	ct_json_text(o, "label", waker == CT_NO ? "" : label);
	free(label);
	return o;
}

static json_t *row_json(struct ct_wakers_report *r, const struct ct_waker_row *row)
{
	const struct ct_site_info *site = &r->wakes.site[row->site];
	json_t *o = json_object();
	char *object = ct_object_label(&r->symbols, r->m, site);

	ct_json_set(o, "waiter", who_json(r, row->waiter));
	ct_json_set(o, "waker", row->waker == CT_NO ? json_null() : who_json(r, row->waker));
	ct_json_text(o, "cause", ct_model_cause_name(r->m, site->site.cause));
	ct_json_text(o, "category", ct_model_category(r->m, site->site.cause));
	ct_json_text(o, "object", object);
	ct_json_text(o, "ended_by", ct_ended_name((enum ct_ended)row->ended));
	ct_json_number(o, "count", row->count);
	ct_json_number(o, "total_ns", row->total_ns);
	ct_json_number(o, "max_ns", row->max_ns);
	ct_json_number(o, "release_ns", row->release_ns);
	ct_json_number(o, "resume_ns", row->total_ns - row->release_ns);
	ct_json_number(o, "blame_ns", row->blame_ns);
	ct_json_number(o, "kernel_agrees", row->agree);
	ct_json_number(o, "kernel_differs", row->disagree);
	ct_json_set(o, "waiter_stack", ct_json_stack(&r->callstacks, &r->symbols, row->waiter_stack));
	ct_json_set(o, "waker_stack", ct_json_stack(&r->callstacks, &r->symbols, row->waker_stack));
	free(object);
	return o;
}

static json_t *blame_json(struct ct_wakers_report *r, const struct ct_blame_row *rows, uint32_t count, bool sites)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++) {
		json_t *o = sites ? json_object() : who_json(r, rows[i].waker);

		if (sites)
			ct_json_set(o, "stack", ct_json_stack(&r->callstacks, &r->symbols, rows[i].stack));
		ct_json_number(o, "count", rows[i].count);
		ct_json_number(o, "blame_ns", rows[i].blame_ns);
		ct_json_number(o, "idle_ns", rows[i].idle_ns);
		ct_json_append(array, o);
	}
	return array;
}

/*
 * {"trace": as everywhere,
 *  "waits": {"count", "total_ns", "known", "known_ns": those whose waker is known,
 *            "ended_by": {"release", "wake", "arrival", "exit", "kernel", "time", "open", "unknown": counts},
 *            "unknown_start", "kernel_agrees", "kernel_differs"},
 *  "wakers": [{"waiter", "waker": {"pid", "tid", "name", "threads", "label"} (waker null: no thread, or
 *              not known), "cause", "category", "object", "ended_by", "count", "total_ns", "max_ns",
 *              "release_ns" + "resume_ns" = total_ns: until it was ended, and then until it went on,
 *              "blame_ns": how long this waker kept this waiter waiting (of a lock: by its holds, also
 *              in waits that another ended), "kernel_agrees", "kernel_differs",
 *              "waiter_stack", "waker_stack": [frames]}],
 *  "grouped": null, or with --group-by site, object or cause as in blocks: the waits that a thread ended,
 *  "blame": {"threads": [{who, "count", "blame_ns", "idle_ns"}], "sites": [{"stack", ...}]}}
 */
static int print_json(const struct ct_context *c, struct ct_wakers_report *r)
{
	json_t *o = json_object(), *waits = json_object(), *by = json_object(), *rows = json_array(),
	       *blame = json_object();

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, r->m));
	ct_json_number(waits, "count", r->waits);
	ct_json_number(waits, "total_ns", r->total_ns);
	ct_json_number(waits, "known", r->known);
	ct_json_number(waits, "known_ns", r->known_ns);
	ct_json_number(waits, "unknown_start", r->wakes.timeless);
	ct_json_number(waits, "kernel_agrees", r->wakes.agree);
	ct_json_number(waits, "kernel_differs", r->wakes.disagree);
	for (uint32_t i = 0; i < CT_ENDED_KINDS; i++)
		ct_json_number(by, ct_ended_name((enum ct_ended)i), r->by[i]);
	ct_json_set(waits, "ended_by", by);
	ct_json_set(o, "waits", waits);
	for (uint32_t i = 0; i < r->row_count && (!c->options->top || i < c->options->top); i++)
		ct_json_append(rows, row_json(r, &r->row[i]));
	ct_json_set(o, "wakers", rows);
	ct_json_set(o, "grouped", r->by_place.grouping.by ? ct_grouped_json(c, &r->by_place) : json_null());
	ct_json_set(blame, "threads", blame_json(r, r->thread, r->thread_count, false));
	ct_json_set(blame, "sites", blame_json(r, r->site, r->site_count, true));
	ct_json_set(o, "blame", blame);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

/* --- CSV --- */

static int print_csv(const struct ct_context *c, struct ct_wakers_report *r)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;
	int error = 0;

	if (r->by_place.grouping.by) {
		ct_grouped_csv(c, &r->by_place);
		return 0;
	}
	ct_csv_header(&csv, CT_CSV_WAKERS);
	for (uint32_t i = 0; i < r->row_count && (!top || i < top) && !error; i++) {
		const struct ct_waker_row *row = &r->row[i];
		const struct ct_site_info *site = &r->wakes.site[row->site];
		char *waiter = ct_group_label(r, row->waiter), *object = ct_object_label(&r->symbols, r->m, site);
		char *waker = row->waker == CT_NO ? strdup("") : ct_group_label(r, row->waker);
		const uint64_t numbers[] = { row->count, row->total_ns, row->max_ns, row->release_ns,
					     row->total_ns - row->release_ns, row->blame_ns };

		ct_csv_text(&csv, waiter);
		ct_csv_text(&csv, waker);
		ct_csv_text(&csv, ct_model_cause_name(r->m, site->site.cause));
		ct_csv_text(&csv, ct_model_category(r->m, site->site.cause));
		ct_csv_text(&csv, object);
		ct_csv_text(&csv, ct_ended_name((enum ct_ended)row->ended));
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			ct_csv_number(&csv, numbers[k]);
		if (!waiter || !waker || !object || ct_csv_site(&csv, &r->callstacks, &r->symbols, row->waiter_stack) ||
		    ct_csv_site(&csv, &r->callstacks, &r->symbols, row->waker_stack))
			error = -ENOMEM;
		ct_csv_end_row(&csv);
		free(waiter);
		free(waker);
		free(object);
	}
	return error;
}

int ct_cmd_wakers(struct ct_context *c)
{
	struct ct_model m;
	struct ct_wakers_report r = { 0 };
	int error = ct_command_load(c, &m, NULL);

	if (!error)
		error = ct_wakers_make(&r, &m, &c->reader);
	if (!error && c->options->json) {
		error = print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		if (r.waits || !ct_print_nothing(c, &m))
			print_report(c, &r);
	}
	ct_wakers_close(&r);
	ct_model_free(&m);
	return error;
}
