/* See marks_rows.h. */
#include "marks_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_parts.h"
#include "report_sort.h"

enum key { TOTAL, COUNT, LONGEST, BLOCKED, NAME };

struct order {
	const struct ct_model *m;
	const struct ct_mark_sum *sums, *spent;
	uint32_t key;
};

static uint64_t blocked_of(const struct order *o, uint32_t name)
{
	return o->spent && o->spent[name].spent ? o->spent[name].spent->blocked_ns : 0;
}

static int by_key(const void *x, const void *y, void *arg)
{
	const struct order *o = arg;
	uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	const struct ct_mark_sum *a = &o->sums[i], *b = &o->sums[k];
	int r = 0;

	if (o->key == COUNT)
		r = ct_more_first(a->count, b->count);
	else if (o->key == LONGEST)
		r = ct_more_first(a->max_ns, b->max_ns);
	else if (o->key == BLOCKED)
		r = ct_more_first(blocked_of(o, i), blocked_of(o, k));
	else if (o->key == TOTAL)
		r = ct_more_first(a->total_ns, b->total_ns);
	return r ? r : strcmp(o->m->name[i].text, o->m->name[k].text);
}

uint32_t *ct_marks_order(const struct ct_context *c, const struct ct_model *m, const struct ct_mark_sum *sums,
			 const struct ct_mark_sum *spent, uint32_t *ret_count)
{
	struct order o = { m, sums, spent, c->options->sort_key };
	uint32_t *order = malloc((m->name_count + 1u) * sizeof(*order)), n = 0;

	*ret_count = 0;
	if (!order)
		return NULL;
	for (uint32_t i = 0; i < m->name_count && sums; i++)
		if (sums[i].count)
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), by_key, &o);
	*ret_count = n;
	return order;
}

uint64_t ct_marks_quantile(const struct ct_mark_sum *sum, double share)
{
	uint64_t v = sum->times ? ct_histogram_quantile(sum->times, share) : 0;

	return v > sum->max_ns ? sum->max_ns : v;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t ct_mark_running(const struct ct_mark_spent *s)
{
	return less(s->elapsed_ns, s->off_ns + s->ready_ns);
}

static void print_share(const struct ct_out *o, bool known, uint64_t ns, uint64_t of)
{
	char text[CT_FORMAT];

	fputc(' ', o->file);
	ct_column_text(o, CT_PLAIN, -7, known ? ct_format_share(text, ns, of) : "-");
}

void ct_marks_print_row(const struct ct_context *c, const struct ct_model *m, uint32_t name,
			const struct ct_mark_sum *sum, const struct ct_mark_spent *spent)
{
	const struct ct_out *o = &c->out;

	fputs("  ", o->file);
	ct_column_text(o, CT_PLAIN, 18, m->name[name].text);
	fputc(' ', o->file);
	ct_column_count(o, CT_PLAIN, -8, sum->count);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, sum->total_ns);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, ct_marks_quantile(sum, 0.5));
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, ct_marks_quantile(sum, 0.99));
	print_share(o, m->states && spent, spent ? ct_mark_running(spent) : 0, spent ? spent->elapsed_ns : 0);
	print_share(o, m->states && spent, spent ? spent->ready_ns : 0, spent ? spent->elapsed_ns : 0);
	print_share(o, spent, spent ? spent->blocked_ns : 0, spent ? spent->elapsed_ns : 0);
	fputc('\n', o->file);
}

/* The cause with the most time that is not yet in shown; CT_NO: none. */
static uint32_t next_cause(const struct ct_mark_spent *s, const bool *shown)
{
	uint32_t best = CT_NO;

	for (uint32_t i = 0; i < CT_CAUSES; i++)
		if (s->by_cause[i] && !shown[i] && (best == CT_NO || s->by_cause[i] > s->by_cause[best]))
			best = i;
	return best;
}

static void print_causes(const struct ct_context *c, const struct ct_model *m, const struct ct_mark_spent *s)
{
	const struct ct_out *o = &c->out;
	uint64_t unexplained_ns = m->states ? less(s->off_ns, s->blocked_ns) : 0;
	bool shown[CT_CAUSES] = { false };
	char text[CT_FORMAT];
	uint32_t cause, n = 0;
	int left = 78 - 22 - 17; /* columns: besides the begin, and what is unexplained */

	for (; (cause = next_cause(s, shown)) != CT_NO; n++) {
		left -= ct_text_width(ct_model_cause_name(m, cause)) + 3 + ct_text_width(ct_format_ns(text, s->by_cause[cause]));
		if (n && left < 0)
			break;
		shown[cause] = true;
		fputs(n ? ", " : "      blocked on ", o->file);
		ct_print(o, ct_style_of(m, cause), "%s", ct_model_cause_name(m, cause));
		fprintf(o->file, " %s", ct_format_ns(text, s->by_cause[cause]));
	}
	if (unexplained_ns && unexplained_ns >= s->elapsed_ns / 100)
		fprintf(o->file, "%s %s", n++ ? ", unexplained" : "      unexplained", ct_format_ns(text, unexplained_ns));
	if (n)
		fputc('\n', o->file);
}

int ct_marks_print_more(const struct ct_context *c, const struct ct_model *m, const struct ct_mark_sum *sum,
			const struct ct_mark_spent *spent, bool blocked_in_longest)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];

	if (spent)
		print_causes(c, m, spent);
	fprintf(o->file, "      longest %s at %s", ct_format_ns(a, sum->max_ns),
		ct_format_ns(b, less(sum->longest_ns, m->start_ns)));
	if (blocked_in_longest)
		fprintf(o->file, ", %s of it blocked", ct_format_ns(a, sum->longest_blocked_ns));
	if (sum->longest_thread != CT_NO) {
		const struct ct_thread_info *t = &m->thread[sum->longest_thread];
		char *label = ct_thread_label(m, t->process, t->tid);

		if (!label)
			return -ENOMEM;
		fputs(", in ", o->file);
		ct_last_text(o, CT_PLAIN, 24, label);
		free(label);
	}
	fputc('\n', o->file);
	if (sum->open)
		fprintf(o->file, "      %s not ended\n", ct_format_count(a, sum->open));
	return 0;
}

void ct_marks_json(json_t *o, const struct ct_model *m, const struct ct_mark_sum *sum, const struct ct_mark_spent *s)
{
	json_t *by_cause = json_object(), *longest = json_object();

	ct_json_number(o, "count", sum->count);
	ct_json_number(o, "open", sum->open);
	ct_json_number(o, "total_ns", sum->total_ns);
	ct_json_number(o, "p50_ns", ct_marks_quantile(sum, 0.5));
	ct_json_number(o, "p99_ns", ct_marks_quantile(sum, 0.99));
	ct_json_number(o, "max_ns", sum->max_ns);
	ct_json_number(longest, "start_ns", less(sum->longest_ns, m->start_ns));
	if (sum->longest_thread != CT_NO) {
		const struct ct_thread_info *t = &m->thread[sum->longest_thread];

		ct_json_number(longest, "pid", m->process[t->process].pid);
		ct_json_number(longest, "tid", t->tid);
		ct_json_text(longest, "name", t->name);
	}
	ct_json_number(longest, "blocked_ns", sum->longest_blocked_ns);
	ct_json_set(o, "longest", longest);
	if (m->states && s) {
		ct_json_number(o, "running_ns", ct_mark_running(s));
		ct_json_number(o, "runnable_ns", s->ready_ns);
		ct_json_number(o, "unexplained_ns", less(s->off_ns, s->blocked_ns));
	}
	ct_json_number(o, "blocked_ns", s ? s->blocked_ns : 0);
	for (uint32_t i = 0; i < CT_CAUSES && s; i++)
		if (s->by_cause[i])
			ct_json_number(by_cause, ct_model_cause_name(m, i), s->by_cause[i]);
	ct_json_set(o, "by_cause", by_cause);
}

void ct_marks_csv(struct ct_csv *csv, const struct ct_model *m, uint32_t name, const struct ct_mark_sum *sum,
		  const struct ct_mark_spent *s)
{
	const bool none[CT_CAUSES] = { false }, known = m->states && s;
	uint32_t mostly = s ? next_cause(s, none) : CT_NO;

	ct_csv_text(csv, m->name[name].text);
	ct_csv_number(csv, sum->count);
	ct_csv_number(csv, sum->open);
	ct_csv_number(csv, sum->total_ns);
	ct_csv_number(csv, ct_marks_quantile(sum, 0.5));
	ct_csv_number(csv, ct_marks_quantile(sum, 0.99));
	ct_csv_number(csv, sum->max_ns);
	ct_csv_number(csv, less(sum->longest_ns, m->start_ns));
	if (known) {
		ct_csv_number(csv, ct_mark_running(s));
		ct_csv_number(csv, s->ready_ns);
	} else {
		ct_csv_text(csv, NULL);
		ct_csv_text(csv, NULL);
	}
	ct_csv_number(csv, s ? s->blocked_ns : 0);
	if (known)
		ct_csv_number(csv, less(s->off_ns, s->blocked_ns));
	else
		ct_csv_text(csv, NULL);
	ct_csv_text(csv, mostly == CT_NO ? NULL : ct_model_cause_name(m, mostly));
	ct_csv_number(csv, mostly == CT_NO ? 0 : s->by_cause[mostly]);
	ct_csv_end_row(csv);
}

void ct_marks_print_odd(const struct ct_context *c, const struct ct_model *m, uint64_t unbalanced, uint64_t left)
{
	char text[CT_FORMAT];

	if (!m->name_count)
		ct_print(&c->out, CT_WARN, "\nThe program does not say what it is doing: see ctrace.h.\n");
	if (unbalanced)
		ct_print(&c->out, CT_FAINT, "\n%s ends without a begin were ignored.\n", ct_format_count(text, unbalanced));
	if (left)
		ct_print(&c->out, CT_FAINT, "%s%s regions were ended by one around them.\n", unbalanced ? "" : "\n",
			 ct_format_count(text, left));
}
