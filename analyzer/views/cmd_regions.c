/* regions: the parts of its work that the program has named (include/ctrace.h). */
#include <errno.h>
#include <stdlib.h>

#include "json_parts.h"
#include "marks_rows.h"

static bool is_shown(const struct ct_model *m, uint32_t name)
{
	return !m->options->region || m->name[name].region;
}

static int print_text(const struct ct_context *c, const struct ct_model *m, const uint32_t *order, uint32_t count)
{
	const struct ct_out *o = &c->out;
	uint32_t shown = 0, top = c->options->top, more = 0;
	int error = 0;

	if (count) {
		ct_print(o, CT_TITLE, "\nRegions\n");
		ct_print(o, CT_FAINT, "  %-18s %8s %8s %8s %8s %7s %7s %7s\n", "region", "count", "total", "p50", "p99",
			 "running", "no CPU", "blocked");
	}
	for (uint32_t i = 0; i < count && !error; i++) {
		const struct ct_mark_sum *sum = &m->marks->region[order[i]];

		if (!is_shown(m, order[i]))
			continue;
		if (top && shown++ >= top) {
			more++;
			continue;
		}
		ct_marks_print_row(c, m, order[i], sum, sum->spent);
		error = ct_marks_print_more(c, m, sum, sum->spent, true);
	}
	if (more)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", more);
	return error;
}

/*
 * {"trace": ..., "regions": [{"region", "count", "open": not ended, "total_ns", "p50_ns", "p99_ns", "max_ns",
 *   "longest": {"start_ns", "pid", "tid", "name", "blocked_ns"}, "running_ns", "runnable_ns", "unexplained_ns": where
 *   the trace has switches, "blocked_ns", "by_cause": {}}], "unbalanced_ends", "left_open": ended by one around them}
 */
static int print_json(const struct ct_context *c, const struct ct_model *m, const uint32_t *order, uint32_t count)
{
	json_t *o = json_object(), *rows = json_array();
	uint32_t shown = 0, top = c->options->top;

	ct_json_begin();
	ct_json_set(o, "trace", ct_json_trace(c, m));
	for (uint32_t i = 0; i < count; i++) {
		const struct ct_mark_sum *sum = &m->marks->region[order[i]];

		if (!is_shown(m, order[i]) || (top && shown++ >= top))
			continue;
		json_t *row = json_object();

		ct_json_text(row, "region", m->name[order[i]].text);
		ct_marks_json(row, m, sum, sum->spent);
		ct_json_append(rows, row);
	}
	ct_json_set(o, "regions", rows);
	ct_json_number(o, "unbalanced_ends", m->marks ? m->marks->unbalanced : 0);
	ct_json_number(o, "left_open", m->marks ? m->marks->left : 0);
	if (!ct_json_failed() && !json_dumpf(o, c->out.file, JSON_INDENT(1)))
		fputc('\n', c->out.file);
	json_decref(o);
	return ct_json_failed() ? -ENOMEM : 0;
}

static void print_csv(const struct ct_context *c, const struct ct_model *m, const uint32_t *order, uint32_t count)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t shown = 0, top = c->options->top;

	ct_csv_header(&csv, CT_CSV_REGIONS);
	for (uint32_t i = 0; i < count; i++)
		if (is_shown(m, order[i]) && (!top || shown++ < top))
			ct_marks_csv(&csv, m, order[i], &m->marks->region[order[i]], m->marks->region[order[i]].spent);
}

int ct_cmd_regions(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	uint32_t count = 0, *order = NULL;
	int error = ct_command_load(c, &m, &r);

	if (!error) {
		const struct ct_mark_sum *sums = m.marks ? m.marks->region : NULL;

		order = ct_marks_order(c, &m, sums, sums, &count);
		error = order ? 0 : -ENOMEM;
	}
	if (!error && c->options->json) {
		error = print_json(c, &m, order, count);
	} else if (!error && c->options->csv) {
		print_csv(c, &m, order, count);
	} else if (!error) {
		ct_print_header(c, &m);
		if (count || !ct_print_nothing(c, &m)) {
			error = print_text(c, &m, order, count);
			ct_marks_print_odd(c, &m, m.marks ? m.marks->unbalanced : 0, m.marks ? m.marks->left : 0);
		}
		ct_print_notes(c, &r);
	}
	free(order);
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
