/* blocks: why threads waited, where, and who. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "report_group_by.h"
#include "stuck.h"

#define FRAMES_SHOWN 16u

static void print_total(const struct ct_context *c, const struct ct_report *r)
{
	const struct ct_out *o = &c->out;
	uint64_t running_ns = 0, runnable_ns = 0, unexplained_ns = 0, idle_ns = 0, unknown_ns = 0, hidden_ns = 0, gap_ns = 0;
	char a[CT_FORMAT], b[CT_FORMAT];

	for (uint32_t i = 0; i < r->thread_count; i++) {
		const struct ct_thread_info *t = &r->model->thread[r->thread[i]];

		running_ns += t->running_ns;
		runnable_ns += t->runnable_ns;
		unexplained_ns += t->unexplained_ns;
		unknown_ns += t->unknown_ns - t->unrecorded_ns;
		gap_ns += t->unrecorded_ns;
		hidden_ns += t->excluded_ns;
	}
	for (uint32_t i = 0; i < r->cause_count; i++)
		if (ct_cause_is_idle(r->model, r->cause[i].cause))
			idle_ns += r->cause[i].total_ns;
	const struct {
		const char *what, *text;
		uint64_t ns;
	} parts[] = {
		{ "running", "on a CPU", running_ns },
		{ "runnable", "ready, but no CPU was free", runnable_ns },
		{ "blocked", "waiting for what others have or do (see below)", r->blocked_ns - idle_ns },
		{ "idle", "waiting for work to arrive, or for time to pass", idle_ns },
		{ "unexplained", r->model->has_sched ? "off the CPU in no call that ctrace wraps" :
						       "running, or in no call that ctrace wraps",
		  unexplained_ns },
		{ "not known", "records of context switches are missing", unknown_ns },
		{ "not recorded", "recording, or a part of it, was switched off", gap_ns },
		{ "not shown", "blocked, but not selected", hidden_ns },
	};

	ct_print(o, CT_TITLE, "\nWhere the threads' time went");
	ct_print(o, CT_PLAIN, " (%s, added up over all threads)\n", ct_format_ns(a, r->lifetime_ns));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].ns && (i < 2 || i > 3))
			continue;
		fprintf(o->file, "  %-12s", parts[i].what);
		ct_column_ns(o, CT_PLAIN, -9, parts[i].ns);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(b, parts[i].ns, r->lifetime_ns));
		ct_print(o, CT_FAINT, "  %s\n", parts[i].text);
	}
}

static void print_causes(const struct ct_context *c, const struct ct_report *r)
{
	const struct ct_model *m = r->model;
	const struct ct_out *o = &c->out;
	char share[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nBlocked time by cause");
	ct_print(o, CT_PLAIN, "\n");
	ct_print(o, CT_FAINT, "  %-10s %-10s %9s %8s %6s %8s %8s %8s\n", "cause", "category", "waits", "total", "share",
		 "median", "p99", "longest");
	for (uint32_t i = 0; i < r->cause_count; i++) {
		const struct ct_cause_row *row = &r->cause[i];
		enum ct_style style = ct_style_of(m, row->cause);

		fputs("  ", o->file);
		ct_column_text(o, style, 10, ct_model_cause_name(m, row->cause));
		fputc(' ', o->file);
		ct_column_text(o, style, 10, ct_model_category(m, row->cause));
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, row->count);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -8, row->total_ns);
		fputc(' ', o->file);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(share, row->total_ns, r->blocked_ns));
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -8, row->p50_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -8, row->p99_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -8, row->max_ns);
		fputc('\n', o->file);
		if (row->unknown || row->open) {
			ct_print(o, CT_FAINT, "  %21s", "");
			if (row->unknown)
				ct_print(o, CT_FAINT, " %llu of unknown duration", (unsigned long long)row->unknown);
			if (row->open)
				ct_print(o, CT_FAINT, " %llu not over when the trace ended",
					 (unsigned long long)row->open);
			fputc('\n', o->file);
		}
	}
	if (!r->cause_count)
		ct_print(o, CT_PLAIN, "  no wait%s\n", ct_options_select(c->options) ? " matches" : "");
}

/* "a (12) 3 ms", "b (3 threads)" */
static int waiter_text(const struct ct_tallies *t, uint32_t i, char *to, size_t bytes)
{
	const struct ct_tally *item = &t->item[i];
	char ns[CT_FORMAT];
	int n = 0;

	*to = 0;
	if (item->members > 1)
		n = snprintf(to, bytes, " (%u threads)", item->members);
	else if (item->tid && t->item_count < 4)
		n = snprintf(to, bytes, " (%llu)", (unsigned long long)item->tid);
	if (t->item_count > 1 && i < 3)
		snprintf(to + n, bytes - (size_t)n, " %s", ct_format_ns(ns, item->total_ns));
	return ct_text_width(to);
}

/* "a, b (3 threads) and 4 more" */
static void print_waiters(const struct ct_out *o, struct ct_site_row *row)
{
	struct ct_tallies *t = &row->waiters;
	char text[96];
	int room = o->width - 16 - 15; /* what is left out is told */

	ct_print(o, CT_FAINT, "      waited    ");
	ct_tallies_merge(t);
	for (uint32_t i = 0; i < t->item_count; i++) {
		const char *name = *t->item[i].label ? t->item[i].label : "(no name)";

		room -= ct_text_width(name) + waiter_text(t, i, text, sizeof(text)) + (i ? 2 : 0);
		if (i && room < 0) {
			ct_print(o, CT_FAINT, " and %u more", t->item_count - i);
			break;
		}
		ct_print(o, CT_PLAIN, "%s%s", i ? ", " : "", name);
		ct_print(o, CT_FAINT, "%s", text);
	}
	fputc('\n', o->file);
}

static void print_owners(const struct ct_out *o, const struct ct_site_row *row)
{
	const struct ct_tallies *t = &row->owners;

	if (!t->item_count)
		return;
	ct_print(o, CT_FAINT, "      held by   ");
	for (uint32_t i = 0; i < t->item_count && i < 3; i++)
		ct_print(o, CT_PLAIN, "%s%s %llu of %llu times", i ? "\n                " : "", t->item[i].label,
			 (unsigned long long)t->item[i].count, (unsigned long long)row->count);
	if (t->item_count > 3)
		ct_print(o, CT_FAINT, ", and %u more", t->item_count - 3);
	fputc('\n', o->file);
}

/* The file's name with its folder: the full path is in the JSON. */
static const char *short_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	while (slash && slash > path && slash[-1] != '/')
		slash--;
	return slash && slash > path ? slash : path;
}

static void print_frame(const struct ct_out *o, const struct ct_frame *f)
{
	char place[512], name[512];
	int room = o->width - 8;

	if (f->function)
		snprintf(name, sizeof(name), "%.480s%s", f->function, f->inlined ? " (inlined)" : "");
	else if (f->module)
		snprintf(name, sizeof(name), "%.480s+0x%llx", ct_base_name(f->module), (unsigned long long)f->offset);
	else
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)f->offset);
	*place = 0;
	if (f->file && !f->line)
		snprintf(place, sizeof(place), "%.480s", short_path(f->file));
	else if (f->file)
		snprintf(place, sizeof(place), "%.480s:%d", short_path(f->file), f->line);
	else if (f->function && f->module)
		snprintf(place, sizeof(place), "%.480s", ct_base_name(f->module));

	/* The name gets what the place leaves, but at least half. */
	int taken = ct_text_width(place), named = ct_text_width(name);

	if (named + 2 + taken > room && named > room / 2)
		named = room - 2 - taken > room / 2 ? room - 2 - taken : room / 2;
	if (named < 36 && 38 + taken <= room)
		named = 36;
	fputs("        ", o->file);
	if (*place) {
		ct_column_text(o, CT_PLAIN, named, name);
		fputs("  ", o->file);
		ct_last_text(o, CT_FAINT, room - 2 - named > 5 ? room - 2 - named : 5, place);
	} else {
		ct_last_text(o, CT_PLAIN, room, name);
	}
	fputc('\n', o->file);
}

int ct_print_stack(const struct ct_context *c, struct ct_report *r, uint32_t callstack)
{
	struct ct_frame *frames;
	uint32_t count;
	int error = ct_callstack_frames(&r->callstacks, &r->symbols, callstack, &frames, &count);

	if (error)
		return error;
	uint32_t shown = ct_frames_shown(frames, count);

	for (uint32_t i = 0; i < shown; i++) {
		/* Of deep stacks both ends say most. */
		if (shown > FRAMES_SHOWN && i == FRAMES_SHOWN - 4) {
			ct_print(&c->out, CT_FAINT, "        ... %u frames ...\n", shown - FRAMES_SHOWN);
			i = shown - 4;
		}
		print_frame(&c->out, &frames[i]);
	}
	if (!shown)
		ct_print(&c->out, CT_FAINT, "        (no call stack)\n");
	free(frames);
	return 0;
}

static void print_objects(const struct ct_out *o, const struct ct_site_row *row)
{
	const struct ct_tallies *t = &row->objects;

	if (!t->item_count)
		return;
	ct_print(o, CT_FAINT, "      on        ");
	ct_last_text(o, CT_TITLE, o->width - 32, t->item[0].label);
	if (t->item_count > 1)
		ct_print(o, CT_FAINT, " and %u more", t->item_count - 1);
	fputc('\n', o->file);
}

static int print_site(const struct ct_context *c, struct ct_report *r, struct ct_site_row *row, uint32_t rank)
{
	const struct ct_model *m = r->model;
	const struct ct_out *o = &c->out;
	char total[CT_FORMAT], max[CT_FORMAT], count[CT_FORMAT];
	const char *text = m->cause[row->cause].text;

	fprintf(o->file, "\n%4u. ", rank);
	ct_print(o, ct_style_of(m, row->cause), "%s", ct_model_cause_name(m, row->cause));
	ct_print(o, CT_TITLE, "  %s", ct_format_ns(total, row->total_ns));
	fprintf(o->file, " in %s wait%s, the longest %s", ct_format_count(count, row->count), row->count == 1 ? "" : "s",
		ct_format_ns(max, row->max_ns));
	fputc('\n', o->file);
	ct_print_odd(o, row->unknown, row->open);
	if (text && *text)
		ct_print(o, CT_FAINT, "      %s: %s\n", ct_model_call_name(m, row->call), text);
	print_objects(o, row);
	print_owners(o, row);
	print_waiters(o, row);
	return ct_print_stack(c, r, row->callstack);
}

static int print_sites(const struct ct_context *c, struct ct_report *r, bool idle, const char *title,
		       const char *text)
{
	uint32_t shown = 0, all = 0;
	uint64_t rest_ns = 0;
	char ns[CT_FORMAT];

	for (uint32_t i = 0; i < r->site_count; i++) {
		if (r->site[i].idle != idle)
			continue;
		if (!all++) {
			ct_print(&c->out, CT_TITLE, "\n%s", title);
			ct_print(&c->out, CT_FAINT, "%s\n", text);
		}
		if (c->options->top && all > c->options->top) {
			rest_ns += r->site[i].total_ns;
			continue;
		}
		int error = print_site(c, r, &r->site[i], ++shown);

		if (error)
			return error;
	}
	if (all > shown)
		ct_print(&c->out, CT_FAINT, "\n      %u more site%s with %s: --top 0 shows all\n", all - shown,
			 all - shown == 1 ? "" : "s", ct_format_ns(ns, rest_ns));
	return 0;
}

/* Whoever looks for what threads wait for may have a deadlock. */
static int print_deadlocks(struct ct_context *c, const struct ct_model *m)
{
	struct ct_stuck s;
	int error = 0;

	if (!ct_stuck_maybe(m))
		return 0;
	error = ct_stuck_find(&s, m, &c->reader);
	for (uint32_t i = 0; i < s.cycle_count && !error; i++) {
		if (s.cycle[i].count == 1)
			ct_print(&c->out, CT_BAD, "\ndeadlock: a thread waits for itself");
		else
			ct_print(&c->out, CT_BAD, "\ndeadlock: %u threads wait for each other", s.cycle[i].count);
		ct_print(&c->out, CT_PLAIN, ": ctrace-analyze deadlocks %s", c->options->file);
	}
	if (s.cycle_count && !error)
		fputc('\n', c->out.file);
	ct_stuck_close(&s);
	return error;
}

/* The waits, by site or by what --group-by names. */
static int print_waits(const struct ct_context *c, struct ct_report *r)
{
	if (c->options->group_by)
		return ct_grouped_show(c, r);
	int error = print_sites(c, r, false, "Where threads waited for others", " (contention, io, runtime)");

	if (!error)
		error = print_sites(c, r, true, "Where threads were idle",
				    " (waiting for work to arrive: often as it should be)");
	return error;
}

int ct_cmd_blocks(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	int error = ct_command_load(c, &m, &r);

	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = c->options->group_by ? ct_grouped_show(c, &r) : ct_csv_blocks(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		if (ct_print_nothing(c, &m))
			goto out;
		error = print_deadlocks(c, &m);
		if (error)
			goto out;
		print_total(c, &r);
		print_causes(c, &r);
		error = print_waits(c, &r);
		if (!error)
			ct_print_threads(c, &r);
		ct_print_notes(c, &r);
	}
out:
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
