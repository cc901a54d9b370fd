/* threads: how each thread spent its life, by cause. */
#include <string.h>

#include "commands.h"

/* Columns for causes that fit, beside those that are always there. */
#define FIXED_COLUMNS 54
#define CAUSE_COLUMN  10

static void print_row(const struct ct_context *c, const struct ct_report *r, uint32_t thread, uint32_t causes)
{
	const struct ct_thread_info *t = &r->model->thread[thread];
	const uint64_t *by_cause = &r->by_cause[(size_t)thread * r->cause_count];
	const struct ct_out *o = &c->out;
	uint64_t rest_ns = 0;

	ct_column_text(o, CT_PLAIN, 15, *t->name ? t->name : "(no name)");
	fprintf(o->file, " %7llu", (unsigned long long)t->tid);
	const uint64_t fixed[] = { t->lifetime_ns, t->running_ns, t->runnable_ns };

	for (size_t i = 0; i < 3; i++) {
		fputc(' ', o->file);
		if (i && !r->model->has_sched)
			ct_column_text(o, CT_FAINT, -8, "?");
		else
			ct_column_ns(o, CT_PLAIN, -8, fixed[i]);
	}
	for (uint32_t k = 0; k < r->cause_count; k++) {
		if (k >= causes) {
			rest_ns += by_cause[k];
			continue;
		}
		fputc(' ', o->file);
		if (by_cause[k])
			ct_column_ns(o, ct_style_of(r->model, r->cause[k].cause), -9, by_cause[k]);
		else
			ct_column_text(o, CT_FAINT, -9, "-");
	}
	if (causes < r->cause_count) {
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -9, rest_ns);
	}
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, t->unexplained_ns);
	if (t->dropped)
		ct_print(o, CT_BAD, " %llu events lost", (unsigned long long)t->dropped);
	fputc('\n', o->file);
}

static void print_table(const struct ct_context *c, const struct ct_report *r)
{
	const struct ct_out *o = &c->out;
	uint32_t top = c->options->top, room = (uint32_t)(o->width > 80 ? o->width : 80) - FIXED_COLUMNS - 5;
	uint32_t causes = room / CAUSE_COLUMN;

	if (causes >= r->cause_count)
		causes = r->cause_count;
	else if (causes > 1)
		causes--; /* for those that do not fit */
	fputc('\n', o->file);
	ct_style(o, CT_FAINT);
	fprintf(o->file, "%-15s %7s %8s %8s %8s", "name", "tid", "lifetime", "running", "runnable");
	for (uint32_t k = 0; k < causes; k++)
		fprintf(o->file, " %9.9s", ct_model_cause_name(r->model, r->cause[k].cause));
	fprintf(o->file, "%s %8s\n", causes < r->cause_count ? "    others" : "", "unexpl.");
	ct_style(o, CT_PLAIN);
	for (uint32_t i = 0; i < r->thread_count && (!top || i < top); i++)
		print_row(c, r, r->thread[i], causes);
	if (top && r->thread_count > top)
		ct_print(o, CT_FAINT, "and %u more: --top 0 shows all\n", r->thread_count - top);
}

int ct_cmd_threads(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	int error = ct_command_load(c, &m, &r);

	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		print_table(c, &r);
	}
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
