/* deadlocks as CSV: a row a wait that has not ended. */
#include <errno.h>
#include <stdlib.h>

#include "csv_tables.h"
#include "objects.h"
#include "stuck_print.h"

static int put_row(struct ct_deadlocks *d, struct ct_csv *csv, const struct ct_pending *p)
{
	const struct ct_model *m = &d->model;
	const struct ct_thread_info *t = &m->thread[p->thread];
	const struct ct_edge *edge = ct_stuck_main_edge(&d->stuck, p);
	char *object = ct_object_label(&d->report.symbols, m, &p->info);
	uint32_t callstack;
	int error = object ? ct_callstack_of(&d->report.callstacks,
					     ct_model_stack(m, p->info.process, p->info.site.stack), &callstack) : -ENOMEM;

	ct_csv_text(csv, ct_stuck_word(p->why));
	if (p->why == CT_STUCK_CYCLE)
		ct_csv_number(csv, p->cycle + 1ull);
	else
		ct_csv_text(csv, NULL);
	ct_csv_number(csv, m->process[t->process].pid);
	ct_csv_number(csv, t->tid);
	ct_csv_text(csv, t->name);
	ct_csv_text(csv, ct_model_cause_name(m, p->info.site.cause));
	ct_csv_text(csv, object);
	ct_csv_text(csv, ct_model_call_name(m, p->info.site.call));
	ct_csv_number(csv, ct_pending_ns(p));
	if (edge)
		ct_csv_number(csv, m->thread[edge->to].tid);
	else
		ct_csv_text(csv, NULL);
	ct_csv_text(csv, edge ? m->thread[edge->to].name : NULL);
	ct_csv_number(csv, ct_stuck_certain(p));
	ct_csv_number(csv, p->wakes);
	if (!error)
		error = ct_csv_site(csv, &d->report.callstacks, &d->report.symbols, callstack);
	ct_csv_end_row(csv);
	free(object);
	return error;
}

int ct_deadlocks_csv(struct ct_deadlocks *d)
{
	struct ct_csv csv = { .file = d->c->out.file };
	const struct ct_stuck *s = &d->stuck;
	uint32_t top = d->c->options->top, n = 0;
	int error = 0;

	ct_csv_header(&csv, CT_CSV_DEADLOCKS);
	for (uint32_t i = 0; i < s->cycle_count && !error; i++)
		for (uint32_t k = 0; k < s->cycle[i].count && !error && (!top || n < top); k++)
			if (ct_deadlocks_shows_cycle(d, &s->cycle[i])) {
				error = put_row(d, &csv, &s->pending[s->member[s->cycle[i].first + k]]);
				n++;
			}
	for (int open = 0; open < 2; open++)
		for (uint32_t i = 0; i < s->pending_count && !error && (!top || n < top); i++) {
			const struct ct_pending *p = &s->pending[i];

			if (p->why == CT_STUCK_CYCLE || ct_stuck_stalls(p) == !!open || !ct_deadlocks_shows(d, p))
				continue;
			error = put_row(d, &csv, p);
			n++;
		}
	return error;
}
