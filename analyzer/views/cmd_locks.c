/* locks: who waited for which lock, and who held it. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv_tables.h"
#include "lock_details.h"
#include "objects.h"
#include "report_group_by.h"
#include "report_sort.h"

#define LINES 4u /* of holders and of pairs, a lock */

static void print_holders(const struct ct_out *o, const struct ct_lock_row *row)
{
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];

	for (uint32_t i = 0; i < row->owners.item_count && i < LINES; i++) {
		const struct ct_tally *item = &row->owners.item[i];

		ct_print(o, CT_FAINT, "      holder    ");
		ct_column_text(o, CT_PLAIN, 20, item->label);
		if (item->count)
			fprintf(o->file, " made %s wait", ct_format_count(n, item->count));
		if (item->holds)
			fprintf(o->file, "%s held it %s (max %s)", item->count ? "," : "",
				ct_format_ns(a, item->hold_ns), ct_format_ns(b, item->max_hold_ns));
		fputc('\n', o->file);
	}
	if (row->owners.item_count > LINES)
		ct_print(o, CT_FAINT, "                and %u more holder%s\n", row->owners.item_count - LINES,
			 row->owners.item_count - LINES == 1 ? "" : "s");
}

static int print_pairs(const struct ct_out *o, const struct ct_model *m, const struct ct_lock_row *row)
{
	char a[CT_FORMAT], n[CT_FORMAT];

	for (uint32_t i = 0; i < row->pairs.item_count && i < LINES; i++) {
		const struct ct_tally *item = &row->pairs.item[i];
		const struct ct_thread_info *t = &m->thread[item->key >> 32];
		char *waiter = ct_thread_label(m, t->process, t->tid);
		char *owner = item->tid ? ct_thread_label(m, item->process, item->tid) : strdup("an unknown holder");

		if (waiter && owner) {
			fputs("      ", o->file);
			ct_last_text(o, CT_PLAIN, 21, waiter);
			fprintf(o->file, " waited %s for ", ct_format_ns(a, item->total_ns));
			ct_last_text(o, CT_PLAIN, 21, owner);
			fprintf(o->file, " (%sx)\n", ct_format_count(n, item->count));
		}
		free(waiter);
		free(owner);
		if (!waiter || !owner)
			return -1;
	}
	if (row->pairs.item_count > LINES)
		ct_print(o, CT_FAINT, "      and %u more pair%s\n", row->pairs.item_count - LINES,
			 row->pairs.item_count - LINES == 1 ? "" : "s");
	return 0;
}

/* Convoys, readers and writers, and which holder's place cost which waiter's place. */
static void print_details(const struct ct_out *o, struct ct_report *r, const struct ct_lock_row *row)
{
	const struct ct_lock_details *d = r->details;
	uint32_t at = d ? ct_lock_detail_of(d, row->process, row->address) : CT_NO, count;
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];

	if (at == CT_NO)
		return;
	const struct ct_lock_detail *l = &d->lock[at];
	const struct ct_lock_pair *pair = ct_lock_pairs(d, at, &count);

	if (!strcmp(ct_model_cause_name(r->model, row->cause), "rwlock"))
		fprintf(o->file, "      readers   waited %s (%llux), writers %s (%llux)\n", ct_format_ns(a, l->read_wait_ns),
			(unsigned long long)l->read_waits, ct_format_ns(b, l->write_wait_ns),
			(unsigned long long)l->write_waits);
	fprintf(o->file, "      wanted    by others for %s, %s of the trace; at most %u waiting\n",
		ct_format_ns(a, l->waited_ns), ct_format_share(b, l->waited_ns, r->model->end_ns - r->model->start_ns),
		l->waiters);
	if (l->longest.hand_overs > 1)
		fprintf(o->file, "      convoy    %s hand-overs in %s, up to %u waiting; longest of %s\n",
			ct_format_count(n, l->longest.hand_overs), ct_format_ns(a, l->longest.to_ns - l->longest.from_ns),
			l->longest.waiters, ct_format_count(b, l->convoys));
	for (uint32_t i = 0; i < count && i < LINES; i++) {
		char *holder = ct_callstack_text(&r->callstacks, &r->symbols, pair[i].holder, false);
		char *waiter = ct_callstack_text(&r->callstacks, &r->symbols, pair[i].waiter, false);

		ct_print(o, CT_FAINT, "      %s", i ? "          " : "sites     ");
		ct_column_ns(o, CT_PLAIN, 8, pair[i].total_ns);
		fputc(' ', o->file);
		ct_last_text(o, CT_PLAIN, (o->width - 38) / 2, waiter && *waiter ? waiter : "?");
		fputs(" for ", o->file);
		ct_last_text(o, CT_PLAIN, (o->width - 38) / 2, holder && *holder ? holder : "?");
		fputc('\n', o->file);
		free(holder);
		free(waiter);
	}
	if (count > LINES)
		ct_print(o, CT_FAINT, "                and %u more pairs of sites\n", count - LINES);
}

static void print_place(struct ct_report *r, const struct ct_out *o, const struct ct_lock_row *row)
{
	struct ct_frame *frames;
	uint32_t callstack, count;

	if (ct_callstack_of(&r->callstacks, row->stack, &callstack) ||
	    ct_callstack_frames(&r->callstacks, &r->symbols, callstack, &frames, &count) || !count)
		return;
	ct_print(o, CT_FAINT, "      waited in ");
	if (frames[0].function)
		ct_last_text(o, CT_PLAIN, o->width - 50, frames[0].function);
	else
		fprintf(o->file, "%s+0x%llx", frames[0].module ? ct_base_name(frames[0].module) : "",
			(unsigned long long)frames[0].offset);
	if (frames[0].file) {
		fputs("  ", o->file);
		ct_last_text(o, CT_FAINT, 24, ct_base_name(frames[0].file));
		if (frames[0].line)
			ct_print(o, CT_FAINT, ":%d", frames[0].line);
	}
	fputc('\n', o->file);
	free(frames);
}

static void print_lock(const struct ct_context *c, struct ct_report *r, const struct ct_lock_row *row, uint32_t rank)
{
	const struct ct_out *o = &c->out;
	char wait[CT_FORMAT], max[CT_FORMAT], n[CT_FORMAT];

	fprintf(o->file, "\n%4u. ", rank);
	ct_last_text(o, CT_TITLE, o->width - 20, row->label);
	const char *kind = ct_model_cause_name(r->model, row->cause);

	/* A lock without a name says already of which kind it is. */
	if (strncmp(row->label, kind, strlen(kind)))
		ct_print(o, CT_FAINT, "  (%s)", kind);
	fputc('\n', o->file);
	fprintf(o->file, "      waited    %s in %s wait%s, the longest %s", ct_format_ns(wait, row->wait_ns),
		ct_format_count(n, row->contended), row->contended == 1 ? "" : "s", ct_format_ns(max, row->max_wait_ns));
	fputc('\n', o->file);
	ct_print_odd(o, row->unknown, row->open);
	if (row->acquisitions || row->hold_ns) {
		fprintf(o->file, "      held      %s", ct_format_ns(wait, row->hold_ns));
		if (row->acquisitions)
			fprintf(o->file, " in %s acquisition%s", ct_format_count(n, row->acquisitions),
				row->acquisitions == 1 ? "" : "s");
		if (row->acquisitions)
			fprintf(o->file, ", average %s", ct_format_ns(n, row->hold_ns / row->acquisitions));
		if (row->max_hold_ns)
			fprintf(o->file, ", max %s", ct_format_ns(max, row->max_hold_ns));
		fputc('\n', o->file);
	}
	print_place(r, o, row);
	print_details(o, r, row);
	print_holders(o, row);
	print_pairs(o, r->model, row);
}

int ct_cmd_locks(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	struct ct_lock_details details = { 0 };
	int error = ct_command_load(c, &m, &r);
	uint32_t top = c->options->top;

	if (!error && r.lock_count) {
		error = ct_lock_details_make(&details, &r, &c->reader);
		r.details = &details;
	}
	if (!error)
		ct_sort_locks(&r, c->options->sort_key);
	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error && c->options->csv) {
		error = c->options->group_by ? ct_grouped_show(c, &r) : ct_csv_locks(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		if (ct_print_nothing(c, &m))
			goto out;
		if (c->options->group_by) {
			error = ct_grouped_show(c, &r);
			goto out;
		}
		ct_print(&c->out, CT_TITLE, "\nLocks%s\n", c->options->sort_key ? "" : ", by the time that threads waited for them");
		for (uint32_t i = 0; i < r.lock_count && (!top || i < top); i++)
			print_lock(c, &r, &r.lock[i], i + 1);
		if (!r.lock_count)
			ct_print(&c->out, CT_PLAIN, "  no thread had to wait for a lock%s\n",
				 ct_options_select(c->options) ? " that matches" : "");
		if (top && r.lock_count > top)
			ct_print(&c->out, CT_FAINT, "\n      %u more lock%s: --top 0 shows all\n", r.lock_count - top,
				 r.lock_count - top == 1 ? "" : "s");
		ct_print_notes(c, &r);
	}
out:
	ct_lock_details_close(&details);
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
