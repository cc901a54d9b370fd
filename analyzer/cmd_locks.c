/* locks: who waited for which lock, and who held it. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "objects.h"

#define LINES 4u /* of holders and of pairs, a lock */

static void print_holders(const struct ct_out *o, const struct ct_lock_row *row)
{
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];

	for (uint32_t i = 0; i < row->owners.item_count && i < LINES; i++) {
		const struct ct_tally *item = &row->owners.item[i];

		ct_print(o, CT_FAINT, "      holder    ");
		ct_column_text(o, CT_PLAIN, 24, item->label);
		if (item->count)
			fprintf(o->file, " made wait %sx", ct_format_count(n, item->count));
		if (item->holds)
			fprintf(o->file, "%s held it %s, longest %s", item->count ? "," : "",
				ct_format_ns(a, item->hold_ns), ct_format_ns(b, item->max_hold_ns));
		fputc('\n', o->file);
	}
	if (row->owners.item_count > LINES)
		ct_print(o, CT_FAINT, "                and %u more holders\n", row->owners.item_count - LINES);
}

static int print_pairs(const struct ct_out *o, const struct ct_model *m, const struct ct_lock_row *row)
{
	char a[CT_FORMAT], n[CT_FORMAT];

	for (uint32_t i = 0; i < row->pairs.item_count && i < LINES; i++) {
		const struct ct_tally *item = &row->pairs.item[i];
		const struct ct_thread_info *t = &m->thread[item->key >> 32];
		char *waiter = ct_thread_label(m, t->process, t->tid);
		char *owner = item->tid ? ct_thread_label(m, item->process, item->tid) : strdup("an unknown holder");

		if (waiter && owner)
			ct_print(o, CT_PLAIN, "      %s waited %s for %s (%s time%s)\n", waiter,
				 ct_format_ns(a, item->total_ns), owner, ct_format_count(n, item->count),
				 item->count == 1 ? "" : "s");
		free(waiter);
		free(owner);
		if (!waiter || !owner)
			return -1;
	}
	if (row->pairs.item_count > LINES)
		ct_print(o, CT_FAINT, "      and %u more pairs\n", row->pairs.item_count - LINES);
	return 0;
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
		fputs(frames[0].function, o->file);
	else
		fprintf(o->file, "%s+0x%llx", frames[0].module ? ct_base_name(frames[0].module) : "",
			(unsigned long long)frames[0].offset);
	if (frames[0].file)
		ct_print(o, CT_FAINT, "  %s:%d", frames[0].file, frames[0].line);
	fputc('\n', o->file);
	free(frames);
}

static void print_lock(const struct ct_context *c, struct ct_report *r, const struct ct_lock_row *row, uint32_t rank)
{
	const struct ct_out *o = &c->out;
	char wait[CT_FORMAT], max[CT_FORMAT], n[CT_FORMAT];

	fprintf(o->file, "\n%4u. ", rank);
	ct_print(o, CT_TITLE, "%s", row->label);
	const char *kind = ct_model_cause_name(r->model, row->cause);

	/* A lock without a name says already of which kind it is. */
	if (strncmp(row->label, kind, strlen(kind)))
		ct_print(o, CT_FAINT, "  (%s)", kind);
	fputc('\n', o->file);
	fprintf(o->file, "      waited    %s in %s wait%s, the longest %s", ct_format_ns(wait, row->wait_ns),
		ct_format_count(n, row->contended), row->contended == 1 ? "" : "s", ct_format_ns(max, row->max_wait_ns));
	if (row->unknown)
		fprintf(o->file, ", %llu of unknown duration", (unsigned long long)row->unknown);
	if (row->open)
		fprintf(o->file, ", %llu not over", (unsigned long long)row->open);
	fputc('\n', o->file);
	if (row->acquisitions || row->hold_ns) {
		fprintf(o->file, "      held      %s", ct_format_ns(wait, row->hold_ns));
		if (row->acquisitions)
			fprintf(o->file, " in %s acquisitions", ct_format_count(n, row->acquisitions));
		if (row->max_hold_ns)
			fprintf(o->file, ", the longest %s", ct_format_ns(max, row->max_hold_ns));
		ct_print(o, CT_FAINT, " while others waited\n");
	}
	print_place(r, o, row);
	print_holders(o, row);
	print_pairs(o, r->model, row);
}

int ct_cmd_locks(struct ct_context *c)
{
	struct ct_model m;
	struct ct_report r;
	int error = ct_command_load(c, &m, &r);
	uint32_t top = c->options->top;

	if (!error && c->options->json) {
		error = ct_print_json(c, &r);
	} else if (!error) {
		ct_print_header(c, &m);
		ct_print(&c->out, CT_TITLE, "\nLocks, by the time that threads waited for them\n");
		for (uint32_t i = 0; i < r.lock_count && (!top || i < top); i++)
			print_lock(c, &r, &r.lock[i], i + 1);
		if (!r.lock_count)
			ct_print(&c->out, CT_PLAIN, "  no thread had to wait for a lock\n");
		if (top && r.lock_count > top)
			ct_print(&c->out, CT_FAINT, "\n      %u more locks: --top 0 shows all\n", r.lock_count - top);
		ct_print_notes(c, &r);
	}
	ct_report_close(&r);
	ct_model_free(&m);
	return error;
}
