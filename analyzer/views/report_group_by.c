/* See report_group_by.h. */
#include "report_group_by.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csv_tables.h"
#include "json_parts.h"
#include "objects.h"
#include "report_sort.h"

/* --- what is added up --- */

static bool is_memory(const struct ct_model *m, uint32_t cause)
{
	const char *name = ct_model_cause_name(m, cause);

	return !strcmp(name, "malloc") || !strcmp(name, "mmap");
}

struct what {
	const char *command;
	bool (*takes)(const struct ct_model *m, uint32_t cause); /* NULL: all */
	bool delays;                   /* not the waits, but then ready without a CPU */
	const char *title;
};

static const struct what *what_of(const struct ct_options *o)
{
	static const struct what whats[] = {
		{ "locks", ct_is_lock, false, "Waits for locks" },
		{ "malloc", is_memory, false, "Waits in the allocator and for the address space" },
		{ "sched", NULL, true, "Ready after a wait, without a CPU," },
		{ "blocks", NULL, false, "Blocked time" },
	};
	size_t i = 0;

	while (i < sizeof(whats) / sizeof(whats[0]) - 1 && !ct_is_command(o, whats[i].command))
		i++;
	return &whats[i];
}

/* --- adding up --- */

struct ct_grouped_row *ct_grouped_row(struct ct_grouped *g, uint32_t group)
{
	while (group != CT_NO && g->row_count <= group) {
		struct ct_grouped_row *row = CT_APPEND(g, row);

		if (!row)
			return NULL;
		row->label = g->grouping.label[g->row_count - 1];
	}
	return group == CT_NO ? NULL : &g->row[group];
}

static int add_cell(struct ct_grouped *g, const struct ct_model *m, const struct ct_cell *cell, bool delays)
{
	const struct ct_site *site = &m->site[cell->site].site;
	struct ct_grouped_row *row = ct_grouped_row(g, ct_grouping_of(&g->grouping, cell->thread, &m->site[cell->site]));

	if (!row)
		return -ENOMEM;
	if (delays) {
		row->count += cell->delays;
		row->total_ns += cell->delay_ns;
		g->total_ns += cell->delay_ns;
		if (cell->max_delay_ns > row->max_ns)
			row->max_ns = cell->max_delay_ns;
		return 0;
	}
	row->count += cell->count;
	row->unknown += cell->unknown;
	if ((site->flags & (CT_EV_OPEN | CT_EV_NO_TIME)) == CT_EV_OPEN)
		row->open += cell->count;
	row->total_ns += cell->total_ns;
	g->total_ns += cell->total_ns;
	if (cell->max_ns > row->max_ns)
		row->max_ns = cell->max_ns;
	return 0;
}

static int compare(const void *x, const void *y, void *key)
{
	const struct ct_grouped_row *a = x, *b = y;
	enum ct_site_key by = *(const enum ct_site_key *)key;
	int order = ct_more_first(ct_site_value(by, a->count, a->total_ns, a->max_ns),
				  ct_site_value(by, b->count, b->total_ns, b->max_ns));

	return order ? order : strcmp(a->label, b->label);
}

/* --sort has the names of each command's own columns. */
static enum ct_site_key key_of(const struct ct_options *o)
{
	static const struct {
		const char *name;
		enum ct_site_key key;
	} keys[] = {
		{ "count", CT_SITE_COUNT },	{ "waits", CT_SITE_COUNT },	{ "wakes", CT_SITE_COUNT },
		{ "longest", CT_SITE_LONGEST }, { "average", CT_SITE_AVERAGE },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && o->sort; i++)
		if (!strcmp(o->sort, keys[i].name))
			return keys[i].key;
	return CT_SITE_TOTAL;
}

void ct_grouped_sort(struct ct_grouped *g, const struct ct_options *o)
{
	enum ct_site_key key = key_of(o);

	if (g->row_count)
		qsort_r(g->row, g->row_count, sizeof(*g->row), compare, &key);
}

int ct_grouped_make(struct ct_grouped *g, struct ct_report *r)
{
	const struct ct_model *m = r->model;
	const struct what *what = what_of(m->options);
	int error = 0;

	*g = (struct ct_grouped){ 0 };
	ct_grouping_begin(&g->grouping, m, &r->symbols, &r->callstacks, m->options->group_by);
	for (uint32_t i = 0; i < m->cell_count && !error; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;

		if (site->kind == CT_EVENT_INTERVAL && (what->delays ? cell->delays : cell->count) &&
		    (!what->takes || what->takes(m, site->cause)))
			error = add_cell(g, m, cell, what->delays);
	}
	ct_grouped_sort(g, m->options);
	return error;
}

void ct_grouped_close(struct ct_grouped *g)
{
	free(g->row);
	ct_grouping_free(&g->grouping);
	*g = (struct ct_grouped){ 0 };
}

/* --- output --- */

void ct_grouped_print(const struct ct_context *c, const struct ct_grouped *g, const char *title)
{
	const struct ct_out *o = &c->out;
	const char *by = ct_group_by_name(g->grouping.by);
	uint32_t top = c->options->top;
	int width = o->width - (g->sums ? 30 : 50);
	char share[CT_FORMAT];

	ct_print(o, CT_TITLE, "\n%s by %s\n", title, by);
	ct_print(o, CT_FAINT, "  %-*s %9s %9s %6s%s\n", width, by, g->sums ? "times" : "waits", "total", "share",
		 g->sums ? "" : "   average   longest");
	for (uint32_t i = 0; i < g->row_count && (!top || i < top); i++) {
		const struct ct_grouped_row *row = &g->row[i];

		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, width, row->label);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -9, row->count);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, row->total_ns);
		fputc(' ', o->file);
		ct_column_text(o, CT_PLAIN, -6, ct_format_share(share, row->total_ns, g->total_ns));
		if (!g->sums) {
			fputc(' ', o->file);
			ct_column_ns(o, CT_PLAIN, -9, row->count ? row->total_ns / row->count : 0);
			fputc(' ', o->file);
			ct_column_ns(o, CT_PLAIN, -9, row->max_ns);
		}
		fputc('\n', o->file);
	}
	if (!g->row_count)
		ct_print(o, CT_PLAIN, "  none\n");
	if (top && g->row_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", g->row_count - top);
}

void ct_grouped_csv(const struct ct_context *c, const struct ct_grouped *g)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;

	ct_csv_group_header(&csv, g->grouping.by, g->sums ? "group count total_ns" : "group " CT_CSV_GROUPED);
	for (uint32_t i = 0; i < g->row_count && (!top || i < top); i++) {
		const struct ct_grouped_row *row = &g->row[i];

		ct_csv_text(&csv, row->label);
		ct_csv_number(&csv, row->count);
		ct_csv_number(&csv, row->total_ns);
		if (g->sums) {
			ct_csv_end_row(&csv);
			continue;
		}
		ct_csv_number(&csv, row->count ? row->total_ns / row->count : 0);
		ct_csv_number(&csv, row->max_ns);
		ct_csv_number(&csv, row->unknown);
		ct_csv_number(&csv, row->open);
		ct_csv_end_row(&csv);
	}
}

json_t *ct_grouped_json(const struct ct_context *c, const struct ct_grouped *g)
{
	json_t *o = json_object(), *array = json_array();
	uint32_t top = c->options->top;

	for (uint32_t i = 0; i < g->row_count && (!top || i < top); i++) {
		const struct ct_grouped_row *row = &g->row[i];
		json_t *x = json_object();

		ct_json_text(x, "label", row->label);
		ct_json_number(x, "count", row->count);
		ct_json_number(x, "total_ns", row->total_ns);
		if (!g->sums) {
			ct_json_number(x, "max_ns", row->max_ns);
			ct_json_number(x, "unknown", row->unknown);
			ct_json_number(x, "open", row->open);
		}
		ct_json_append(array, x);
	}
	ct_json_text(o, "by", ct_group_by_name(g->grouping.by));
	ct_json_set(o, "rows", array);
	return o;
}

int ct_grouped_show(const struct ct_context *c, struct ct_report *r)
{
	struct ct_grouped g;
	int error = ct_grouped_make(&g, r);

	if (!error && c->options->csv)
		ct_grouped_csv(c, &g);
	else if (!error)
		ct_grouped_print(c, &g, what_of(c->options)->title);
	ct_grouped_close(&g);
	return error;
}
