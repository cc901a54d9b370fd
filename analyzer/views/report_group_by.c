/* See report_group_by.h. */
#include "report_group_by.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "report_groups.h"
#include "report_sort.h"

/* --- what a wait belongs to --- */

static bool is_by_thread(enum ct_group_by by)
{
	return by == CT_GROUP_THREAD || by == CT_GROUP_ROUTINE || by == CT_GROUP_PROCESS;
}

static char *or_else(char *text, const char *otherwise)
{
	if (!text || *text)
		return text;
	free(text);
	return strdup(otherwise);
}

static char *label_of_thread(struct ct_report *r, enum ct_group_by by, uint32_t thread)
{
	const struct ct_model *m = r->model;
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_process_info *p = &m->process[t->process];
	char *text = NULL;
	int n;

	if (by == CT_GROUP_ROUTINE) {
		const char *routine = ct_routine_of(&r->symbols, m, thread);

		if (routine && !*routine)
			routine = t->tid == p->pid ? "(main thread)" : "(not known)";
		return routine ? strdup(routine) : NULL;
	}
	if (by == CT_GROUP_THREAD)
		n = asprintf(&text, "%s (%llu)", *t->name ? t->name : "(no name)", (unsigned long long)t->tid);
	else
		n = asprintf(&text, "%s (%llu)", *p->executable ? ct_base_name(p->executable) : "(not known)",
			     (unsigned long long)p->pid);
	return n < 0 ? NULL : text;
}

static char *label_of_site(struct ct_report *r, enum ct_group_by by, uint32_t site)
{
	const struct ct_model *m = r->model;
	const struct ct_site_info *s = &m->site[site];
	uint32_t callstack;

	if (by == CT_GROUP_CAUSE)
		return strdup(ct_model_cause_name(m, s->site.cause));
	if (by == CT_GROUP_OBJECT)
		return or_else(ct_object_label(&r->symbols, m, s), "(no object)");
	if (ct_callstack_of(&r->callstacks, ct_model_stack(m, s->process, s->site.stack), &callstack))
		return NULL;
	return or_else(ct_callstack_text(&r->callstacks, &r->symbols, callstack, false), "(no call stack)");
}

/* --- adding up --- */

/* The place of a label's row, which takes it over; CT_NO without memory. */
static uint32_t row_of(struct ct_grouped *g, char *label)
{
	uint64_t key = 0;
	uint32_t at;

	for (const char *p = label; *p; p++)
		key = (key ^ (uint8_t)*p) * 0x100000001b3ull;
	for (key = ct_mix(key); (at = ct_table_get(&g->by_label, key)); key++) {
		if (strcmp(g->row[at - 1].label, label))
			continue;
		free(label);
		return at - 1;
	}
	struct ct_grouped_row *row = CT_APPEND(g, row);

	if (!row || ct_table_put(&g->by_label, key, g->row_count)) {
		if (row)
			row->label = label;
		else
			free(label);
		return CT_NO;
	}
	row->label = label;
	return g->row_count - 1;
}

static int add_cell(struct ct_grouped *g, struct ct_report *r, enum ct_group_by by, uint32_t *row_by,
		    const struct ct_cell *cell)
{
	const struct ct_site *site = &r->model->site[cell->site].site;
	uint32_t which = is_by_thread(by) ? cell->thread : cell->site;

	if (site->kind != CT_EVENT_INTERVAL || !cell->count)
		return 0;
	if (!row_by[which]) {
		char *label = is_by_thread(by) ? label_of_thread(r, by, which) : label_of_site(r, by, which);
		uint32_t at = label ? row_of(g, label) : CT_NO;

		if (at == CT_NO)
			return -ENOMEM;
		row_by[which] = at + 1;
	}
	struct ct_grouped_row *row = &g->row[row_by[which] - 1];

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

int ct_grouped_make(struct ct_grouped *g, struct ct_report *r, enum ct_group_by by)
{
	const struct ct_model *m = r->model;
	enum ct_site_key key = ct_site_key_of(m->options);
	uint32_t *row_by = calloc((is_by_thread(by) ? m->thread_count : m->site_count) + 1u, sizeof(*row_by));
	int error = row_by ? 0 : -ENOMEM;

	*g = (struct ct_grouped){ 0 };
	for (uint32_t i = 0; i < m->cell_count && !error; i++)
		error = add_cell(g, r, by, row_by, &m->cell[i]);
	free(row_by);
	ct_table_free(&g->by_label); /* wrong from now on */
	if (g->row_count)
		qsort_r(g->row, g->row_count, sizeof(*g->row), compare, &key);
	return error;
}

void ct_grouped_close(struct ct_grouped *g)
{
	for (uint32_t i = 0; i < g->row_count; i++)
		free(g->row[i].label);
	free(g->row);
	ct_table_free(&g->by_label);
	*g = (struct ct_grouped){ 0 };
}

/* --- output --- */

void ct_grouped_print(const struct ct_context *c, const struct ct_grouped *g)
{
	const struct ct_out *o = &c->out;
	const char *by = ct_group_by_name(c->options->group_by);
	uint32_t top = c->options->top;
	int width = o->width - 50;
	char share[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nBlocked time by %s\n", by);
	ct_print(o, CT_FAINT, "  %-*s %9s %9s %6s %9s %9s\n", width, by, "waits", "total", "share", "average", "longest");
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
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, row->count ? row->total_ns / row->count : 0);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, row->max_ns);
		fputc('\n', o->file);
	}
	if (top && g->row_count > top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", g->row_count - top);
}

void ct_grouped_csv(const struct ct_context *c, const struct ct_grouped *g)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t top = c->options->top;
	char names[128];

	snprintf(names, sizeof(names), "%s count total_ns average_ns max_ns unknown open",
		 c->options->group_by == CT_GROUP_ROUTINE ? "start_routine" : ct_group_by_name(c->options->group_by));
	ct_csv_header(&csv, names);
	for (uint32_t i = 0; i < g->row_count && (!top || i < top); i++) {
		const struct ct_grouped_row *row = &g->row[i];

		ct_csv_text(&csv, row->label);
		ct_csv_number(&csv, row->count);
		ct_csv_number(&csv, row->total_ns);
		ct_csv_number(&csv, row->count ? row->total_ns / row->count : 0);
		ct_csv_number(&csv, row->max_ns);
		ct_csv_number(&csv, row->unknown);
		ct_csv_number(&csv, row->open);
		ct_csv_end_row(&csv);
	}
}
