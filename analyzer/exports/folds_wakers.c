/*
 * Waits with the stack that ended them, as in Brendan Gregg's wake-up graphs: the waker's
 * stack stands upside down on the waiter's.
 */
#include "folds_wakers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report_wakers.h"

static const char *ended_text(uint8_t ended)
{
	switch (ended) {
	case CT_ENDED_TIME:
		return "[time, or a device]";
	case CT_ENDED_NOT:
		return "[not over]";
	}
	return NULL;
}

static int give_row(struct ct_folder *f, struct ct_wakers_report *r, const struct ct_waker_row *row)
{
	const char *cause = ct_model_cause_name(r->m, r->wakes.site[row->site].site.cause);
	const char *ended = ended_text(row->ended);
	char *waiter = ct_group_label(r, row->waiter);
	char *waker = row->waker == CT_NO ? NULL : ct_group_label(r, row->waker);
	int error = -ENOMEM;

	if (waiter && (waker || row->waker == CT_NO)) {
		ct_fold_add(f, waiter);
		ct_fold_stack(f, &r->callstacks, row->waiter_stack, false);
		ct_fold_add(f, cause);
		if (waker || ended)
			ct_fold_add(f, "--");
		if (waker)
			ct_fold_stack(f, &r->callstacks, row->waker_stack, true);
		if (waker || ended)
			ct_fold_add(f, waker ? waker : ended);
		error = ct_fold_give(f, cause, row->count, row->total_ns);
	}
	free(waiter);
	free(waker);
	return error;
}

int ct_fold_wakers(struct ct_folder *f, const struct ct_model *m, struct ct_reader *r)
{
	struct ct_wakers_report report;
	int error = ct_wakers_make(&report, m, r);

	for (uint32_t i = 0; i < report.row_count && !error; i++)
		if (report.row[i].total_ns)
			error = give_row(f, &report, &report.row[i]);
	ct_wakers_close(&report);
	return error;
}
