/* stats: the trace itself, and how often which call was made. */
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include "commands.h"
#include "costs.h"
#include "csv_tables.h"
#include "modules.h"
#include "report_sched.h"
#include "report_sort.h"

#define SWITCHES_SHOWN 20u

static void print_facts(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	const struct ct_reader *r = &c->reader;
	char a[CT_FORMAT], b[CT_FORMAT];

	ct_print(o, CT_TITLE, "\nThe file\n");
	fprintf(o->file, "  size      %s in %s chunks", ct_format_bytes(a, r->file_bytes), ct_format_count(b, m->chunks));
	if (m->events)
		fprintf(o->file, ", %.2f bytes an event with everything", (double)r->file_bytes / (double)m->events);
	fprintf(o->file, "\n  records   %s\n", ct_format_count(a, m->records));
	fprintf(o->file, "  stacks    %s distinct, %s frames\n", ct_format_count(a, m->stack_count),
		ct_format_count(b, m->frame_count));
	if (m->clock_pairs)
		fprintf(o->file, "  clock     %s comparison%s, uncertain by at most %s\n", ct_format_count(a, m->clock_pairs),
			m->clock_pairs == 1 ? "" : "s", ct_format_ns(b, m->clock_error_ns));
	if (m->has_end)
		fprintf(o->file, "  collector %s CPU time\n", ct_format_ns(a, m->end.collector_cpu_ns));
	if (r->damaged)
		ct_print(o, CT_BAD, "  damage    %llu place%s; the first at byte %llu: %s\n",
			 (unsigned long long)r->damaged, r->damaged == 1 ? "" : "s",
			 (unsigned long long)r->damage_offset, r->damage);
	for (uint32_t i = 0; i < m->meta_count; i++)
		fprintf(o->file, "  %-9s %s\n", m->meta[i].key, m->meta[i].value);
}

/* When it was switched what is recorded. */
static void print_recording(const struct ct_context *c, const struct ct_model *m)
{
	static const char *const families[] = {
#define CT_FAMILY(id, name, causes, text) name,
#include "families.def"
#undef CT_FAMILY
	};
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT];

	if (!m->recording_count)
		return;
	ct_print(o, CT_TITLE, "\nRecording, as it was switched\n");
	for (uint32_t i = 0; i < m->recording_count && i < SWITCHES_SHOWN; i++) {
		const struct ct_recording_info *r = &m->recording[i];
		uint64_t at_ns = r->at_ns > m->start_ns ? r->at_ns - m->start_ns : 0;
		const char *comma = "";

		fprintf(o->file, "  at %-10s process %llu: ", ct_format_ns(a, at_ns),
			(unsigned long long)m->process[r->process].pid);
		if (!r->off)
			fputs("all", o->file);
		for (uint32_t k = 0; k < sizeof(families) / sizeof(families[0]) && r->off; k++) {
			if (r->off & 1u << k)
				continue;
			fprintf(o->file, "%s%s", comma, families[k]);
			comma = ", ";
		}
		fprintf(o->file, "%s, --min %s\n", r->off && !*comma ? "nothing" : "", ct_format_ns(a, r->min_ns));
	}
	if (m->recording_count > SWITCHES_SHOWN)
		ct_print(o, CT_FAINT, "  and %u more\n", m->recording_count - SWITCHES_SHOWN);
}

/* What is known of who had a CPU when. */
static void print_sched(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	struct ct_sched_sum s;
	char a[CT_FORMAT], b[CT_FORMAT], reason[160];
	uint64_t estimated_ns = 0;

	ct_sched_sum(&s, m);
	ct_print(o, CT_TITLE, "\nThe scheduler\n");
	fprintf(o->file, "  stands on %s\n", ct_sched_text(m));
	if (*ct_sched_reason(m, reason, sizeof(reason)))
		fprintf(o->file, "  because   %s\n", reason);
	if (!m->states)
		return;
	fprintf(o->file, "  slices    %s, %s switch%s\n", ct_format_count(a, m->slices), ct_format_count(b, s.switches),
		s.switches == 1 ? "" : "es");
	ct_print(o, m->gap_records ? CT_BAD : CT_PLAIN, "  lost      %s record%s in %s gap%s",
		 ct_format_count(a, m->lost[CT_LOSS_SWITCHES]), m->lost[CT_LOSS_SWITCHES] == 1 ? "" : "s",
		 ct_format_count(b, m->gap_records), m->gap_records == 1 ? "" : "s");
	if (m->gap_records)
		ct_print(o, CT_BAD, " of %s in all", ct_format_ns(a, s.gap_ns));
	fputc('\n', o->file);
	for (uint32_t i = 0; i < m->thread_count; i++)
		estimated_ns += m->thread[i].estimated_ns;
	if (m->estimated)
		fprintf(o->file, "  estimated %s of %s runnable: waits are cut by it\n", ct_format_ns(a, estimated_ns),
			ct_format_ns(b, s.runnable_ns));
}

static void print_drops(const struct ct_context *c, const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (m->thread[i].dropped)
			ct_print(&c->out, CT_BAD, "  LOST      %llu event%s of thread %s (%llu)\n",
				 (unsigned long long)m->thread[i].dropped, m->thread[i].dropped == 1 ? "" : "s",
				 m->thread[i].name, (unsigned long long)m->thread[i].tid);
}

struct order {
	const struct ct_call_info *calls;
	uint32_t key; /* of CT_SORT_CALLS */
};

static int compare(const void *x, const void *y, void *order)
{
	const struct order *o = order;
	const struct ct_call_info *a = &o->calls[*(const uint32_t *)x], *b = &o->calls[*(const uint32_t *)y];
	const uint64_t values[][2] = {
		{ a->calls, b->calls },
		{ a->written, b->written },
		{ a->written_ns, b->written_ns },
		{ a->short_ns, b->short_ns },
	};
	int r = o->key < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[o->key][0], values[o->key][1]) :
							      strcmp(a->name, b->name);

	if (!r)
		r = ct_more_first(a->written, b->written);
	return r ? r : (a->id > b->id) - (a->id < b->id);
}

/* The calls in order; the caller frees it. NULL without memory. */
static uint32_t *order_calls(const struct ct_context *c, const struct ct_model *m)
{
	uint32_t *calls = calloc(m->call_count + 1u, sizeof(*calls));
	struct order order = { m->call, c->options->sort_key };

	for (uint32_t i = 0; i < m->call_count && calls; i++)
		calls[i] = i;
	if (calls && m->call_count)
		qsort_r(calls, m->call_count, sizeof(*calls), compare, &order);
	return calls;
}

static int print_csv(const struct ct_context *c, const struct ct_model *m)
{
	struct ct_csv csv = { .file = c->out.file };
	uint32_t *order = order_calls(c, m), top = c->options->top, shown = 0;

	if (!order)
		return -ENOMEM;
	ct_csv_header(&csv, CT_CSV_CALLS);
	for (uint32_t i = 0; i < m->call_count && (!top || shown < top); i++) {
		const struct ct_call_info *call = &m->call[order[i]];

		if (!call->calls && !call->written)
			continue;
		shown++;
		ct_csv_text(&csv, call->name);
		ct_csv_text(&csv, call->family);
		ct_csv_number(&csv, call->calls);
		ct_csv_number(&csv, call->written);
		ct_csv_number(&csv, call->written_ns);
		ct_csv_number(&csv, call->short_ns);
		ct_csv_end_row(&csv);
	}
	free(order);
	return 0;
}

static int print_calls(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	uint32_t *order = order_calls(c, m), top = c->options->top, shown = 0, used = 0;

	if (!order)
		return -ENOMEM;
	ct_print(o, CT_TITLE, "\nCalls\n");
	ct_print(o, CT_FAINT, "  %-28s %10s %10s %9s %9s\n", "call", "made", "written", "blocked", "short");
	for (uint32_t i = 0; i < m->call_count; i++) {
		const struct ct_call_info *call = &m->call[order[i]];

		if (!call->calls && !call->written)
			continue;
		used++;
		if (top && shown >= top)
			continue;
		shown++;
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 28, call->name);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -10, call->calls);
		fputc(' ', o->file);
		ct_column_count(o, CT_PLAIN, -10, call->written);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, call->written_ns);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, call->short_ns);
		fputc('\n', o->file);
	}
	if (used > shown)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", used - shown);
	free(order);
	return 0;
}

int ct_cmd_stats(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r = { 0 };

	c->all_facts = true;
	int error = ct_command_load(c, &m, c->options->json ? &r : NULL);

	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = print_csv(c, &m);
	} else if (!error) {
		ct_print_header(c, &m);
		print_drops(c, &m);
		print_facts(c, &m);
		print_recording(c, &m);
		print_sched(c, &m);
		ct_print_costs(&c->out, &m);
		error = print_calls(c, &m);
		if (!error)
			error = ct_print_modules(c, &m);
	}
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
