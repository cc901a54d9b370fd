/* threads: how each thread spent its life, by cause; groups of them with sums. */
#include "commands.h"
#include "csv_tables.h"
#include "report_sort.h"

/* What a row tells, of a thread or a group. */
struct times {
	uint64_t lifetime_ns, running_ns, runnable_ns, blocked_ns, unexplained_ns, unknown_ns, longest_ns;
	uint64_t dropped;
	const uint64_t *by_cause;
	uint32_t stuck, of;
	const char *routine;
	uint64_t unrecorded_ns; /* part of unknown */
};

static void print_times(const struct ct_context *c, const struct ct_model *m, const struct times *t)
{
	const struct ct_out *o = &c->out;
	const uint64_t columns[] = { t->lifetime_ns, t->running_ns,	t->runnable_ns,
				     t->blocked_ns,  t->unexplained_ns, t->longest_ns };

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		fputc(' ', o->file);
		if ((i == 1 || i == 2) && !m->has_sched)
			ct_column_text(o, CT_FAINT, -8, "?");
		else
			ct_column_ns(o, CT_PLAIN, -8, columns[i]);
	}
	fputc('\n', o->file);
}

/* Adds to a line that is cut where it would be too long. */
static bool add_part(const struct ct_out *o, int *room, bool first, enum ct_style style, const char *what,
		     const char *value)
{
	int width = ct_text_width(what) + ct_text_width(value) + 1 + (first ? 0 : 2);

	/* What follows needs room for its dots. */
	if (width + 5 > *room) {
		if (*room >= 5 && !first)
			ct_print(o, CT_FAINT, ", ...");
		*room = 0;
		return false;
	}
	*room -= width;
	if (!first)
		ct_print(o, CT_FAINT, ", ");
	ct_print(o, style, "%s", what);
	ct_print(o, CT_FAINT, "%s%s", *value ? " " : "", value);
	return true;
}

/* The second line: causes, most time first, and what is odd. */
static void print_causes(const struct ct_context *c, const struct ct_report *r, const struct times *t)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], text[64];
	int room = o->width - 4;
	bool first = true, more = true;
	uint32_t order[CT_CAUSES], n = 0;

	for (uint32_t k = 0; k < r->cause_count; k++) {
		uint32_t i = n;

		if (!t->by_cause[k])
			continue;
		for (; i && t->by_cause[order[i - 1]] < t->by_cause[k]; i--)
			order[i] = order[i - 1];
		order[i] = k;
		n++;
	}
	if (!n && !t->unknown_ns && !t->dropped && !*t->routine)
		return;
	fputs("    ", o->file);
	if (*t->routine) {
		int width = ct_text_width(t->routine);

		ct_last_text(o, CT_PLAIN, 32, t->routine);
		ct_print(o, CT_FAINT, n || t->unknown_ns ? "(): " : "()");
		room -= (width < 32 ? width : 32) + 4;
	}
	if (t->stuck) {
		snprintf(text, sizeof(text), "%u of them", t->stuck);
		if (t->of == 1)
			snprintf(text, sizeof(text), "blocked all its life: ");
		else
			snprintf(text, sizeof(text), "%u blocked all their life: ", t->stuck);
		ct_print(o, CT_BAD, "%s", text);
		room -= ct_text_width(text);
	}
	for (uint32_t i = 0; i < n && more; i++, first = false)
		more = add_part(o, &room, first, ct_style_of(r->model, r->cause[order[i]].cause),
				ct_model_cause_name(r->model, r->cause[order[i]].cause),
				ct_format_ns(a, t->by_cause[order[i]]));
	if (t->unrecorded_ns && more) {
		more = add_part(o, &room, first, CT_WARN, "not recorded", ct_format_ns(a, t->unrecorded_ns));
		first = false;
	}
	if (t->unknown_ns > t->unrecorded_ns && more) {
		more = add_part(o, &room, first, CT_BAD, "not known",
				ct_format_ns(a, t->unknown_ns - t->unrecorded_ns));
		first = false;
	}
	if (t->dropped && more) {
		snprintf(text, sizeof(text), "%s", ct_format_count(a, t->dropped));
		add_part(o, &room, first, CT_BAD, t->dropped == 1 ? "event lost:" : "events lost:", text);
	}
	fputc('\n', o->file);
}

static void print_thread(const struct ct_context *c, const struct ct_report *r, uint32_t thread)
{
	const struct ct_thread_info *t = &r->model->thread[thread];
	const struct times times = {
		t->lifetime_ns, t->running_ns, t->runnable_ns, t->blocked_ns, t->unexplained_ns, t->unknown_ns,
		t->longest_ns,	t->dropped,    &r->by_cause[(size_t)thread * r->cause_count], ct_is_stuck(t), 1, "",
		t->unrecorded_ns,
	};

	ct_column_text(&c->out, CT_PLAIN, 15, *t->name ? t->name : "(no name)");
	fprintf(c->out.file, " %7llu", (unsigned long long)t->tid);
	print_times(c, r->model, &times);
	print_causes(c, r, &times);
}

static void print_group(const struct ct_context *c, const struct ct_report *r, const struct ct_group *g)
{
	const struct times times = {
		g->lifetime_ns, g->running_ns, g->runnable_ns, g->blocked_ns, g->unexplained_ns, g->unknown_ns,
		g->longest_ns,	0,	       g->by_cause,    g->stuck,      g->count, g->routine,
		g->unrecorded_ns,
	};
	char name[80], count[40], n[CT_FORMAT];

	ct_column_text(&c->out, CT_PLAIN, 15, ct_group_name(g, r->model, name, sizeof(name)));
	snprintf(count, sizeof(count), "x %s", ct_format_count(n, g->count));
	fputc(' ', c->out.file);
	ct_column_text(&c->out, CT_PLAIN, -7, count);
	print_times(c, r->model, &times);
	print_causes(c, r, &times);
}

static void print_heads(const struct ct_out *o, const char *title, const char *what, const char *which)
{
	ct_print(o, CT_TITLE, "\n%s\n", title);
	ct_print(o, CT_FAINT, "%-15s %7s %8s %8s %8s %8s %8s %8s\n", what, which, "lifetime", "running", "runnable",
		 "blocked", "unexpl.", "longest");
}

static int print_groups(const struct ct_context *c, struct ct_report *r)
{
	struct ct_groups groups;
	uint32_t top = c->options->top;
	enum ct_group_by by = c->options->group_by;
	char title[64] = "Threads by name and start routine, added up";
	int error = ct_groups_make(&groups, r, by);

	ct_sort_groups(&groups, c->options->sort_key);
	if (by)
		snprintf(title, sizeof(title), "Threads by %s, added up", ct_group_by_name(by));
	if (!error)
		print_heads(&c->out, title, by ? ct_group_by_name(by) : "name", "threads");
	for (uint32_t i = 0; i < groups.group_count && !error && (!top || i < top); i++)
		print_group(c, r, &groups.group[i]);
	if (!error && top && groups.group_count > top)
		ct_print(&c->out, CT_FAINT, "and %u more: --top 0 shows all\n", groups.group_count - top);
	ct_groups_close(&groups);
	return error;
}

static void print_table(const struct ct_context *c, const struct ct_report *r)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top;

	print_heads(o, c->options->sort_key ? "Threads" : "Threads, most blocked first", "name", "tid");
	for (uint32_t i = 0; i < r->thread_count && (!top || i < top); i++)
		print_thread(c, r, r->thread[i]);
	if (top && r->thread_count > top)
		ct_print(o, CT_FAINT, "and %u more: --top 0 shows all\n", r->thread_count - top);
}

int ct_cmd_threads(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	uint32_t top = c->options->top;
	bool groups = c->options->group || c->options->group_by;
	int error = ct_command_load(c, &m, &r);

	if (!error)
		ct_sort_threads(&r, c->options->sort_key);
	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = groups ? ct_csv_groups(c, &r) : ct_csv_threads(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		if (!ct_print_nothing(c, &m)) {
			if (groups || (top && r.thread_count > top))
				error = print_groups(c, &r);
			if (!error && !groups)
				print_table(c, &r);
			ct_print_notes(c, &r);
		}
	}
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
