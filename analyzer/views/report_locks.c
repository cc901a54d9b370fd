/* Locks: who waited, who held. See report.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "report.h"

static struct ct_lock_row *find_lock(struct ct_report *r, struct ct_table *by_hash, uint32_t process,
				     uint32_t cause, uint64_t address)
{
	uint32_t at;
	uint64_t key = ct_mix(address ^ ct_mix(process));

	for (; (at = ct_table_get(by_hash, key)); key++)
		if (r->lock[at - 1].process == process && r->lock[at - 1].address == address)
			return &r->lock[at - 1];
	struct ct_lock_row *row = CT_APPEND(r, lock);

	if (!row || ct_table_put(by_hash, key, r->lock_count))
		return NULL;
	row->process = process;
	row->cause = (uint8_t)cause;
	row->address = address;
	row->stack = row->first_stack = CT_NO;
	return row;
}

static int add_wait(struct ct_lock_row *row, const struct ct_model *m, const struct ct_cell *cell)
{
	const struct ct_site_info *s = &m->site[cell->site];

	row->contended += cell->count;
	row->wait_ns += cell->total_ns;
	if (cell->max_ns > row->max_wait_ns)
		row->max_wait_ns = cell->max_ns;
	row->unknown += cell->unknown;
	if ((s->site.flags & (CT_EV_OPEN | CT_EV_NO_TIME)) == CT_EV_OPEN)
		row->open += cell->count;
	if (s->site.stack && (row->stack == CT_NO || cell->total_ns > row->stack_ns)) {
		row->stack = ct_model_stack(m, s->process, s->site.stack);
		row->stack_ns = cell->total_ns;
	}
	/* Cells are in the order in which the trace first has them. */
	if (s->site.stack && row->first_stack == CT_NO)
		row->first_stack = ct_model_stack(m, s->process, s->site.stack);
	struct ct_tally *pair =
		ct_tally_of(&row->pairs, s->process, (uint64_t)cell->thread << 32 | s->site.owner);

	if (!pair)
		return -ENOMEM;
	pair->tid = s->site.owner;
	pair->count += cell->count;
	pair->total_ns += cell->total_ns;
	if (cell->max_ns > pair->max_ns)
		pair->max_ns = cell->max_ns;
	if (!s->site.owner)
		return 0;
	struct ct_tally *owner = ct_tally_of(&row->owners, s->process, s->site.owner);

	if (!owner)
		return -ENOMEM;
	owner->tid = s->site.owner;
	owner->count += cell->count;
	owner->total_ns += cell->total_ns;
	if (cell->max_ns > owner->max_ns)
		owner->max_ns = cell->max_ns;
	return 0;
}

static bool is_cause(const struct ct_model *m, uint32_t cause, const char *name)
{
	return cause < CT_CAUSES && m->cause[cause].name && !strcmp(m->cause[cause].name, name);
}

static int add_hold(struct ct_lock_row *row, const struct ct_model *m, const struct ct_cell *cell)
{
	uint64_t tid = m->thread[cell->thread].tid;
	struct ct_tally *owner = ct_tally_of(&row->owners, row->process, tid);

	if (!owner)
		return -ENOMEM;
	owner->tid = tid;
	owner->holds += cell->count;
	owner->hold_ns += cell->total_ns;
	if (cell->max_ns > owner->max_hold_ns)
		owner->max_hold_ns = cell->max_ns;
	row->holds += cell->count;
	if (m->site[cell->site].site.flags & CT_EV_NO_START && is_cause(m, row->cause, "rwlock"))
		row->shared_holds += cell->count;
	row->hold_ns += cell->total_ns;
	if (cell->max_ns > row->max_hold_ns)
		row->max_hold_ns = cell->max_ns;
	return 0;
}

static int add_cell(struct ct_report *r, struct ct_table *by_hash, const struct ct_cell *cell)
{
	const struct ct_model *m = r->model;
	const struct ct_site_info *s = &m->site[cell->site];

	if (s->site.object_kind != CT_OBJECT_ADDRESS || !ct_is_lock(m, s->site.cause) ||
	    !m->cause[s->site.cause].selected)
		return 0;
	struct ct_lock_row *row = find_lock(r, by_hash, s->process, s->site.cause, s->site.object);

	if (!row)
		return -ENOMEM;
	return s->site.kind == CT_EVENT_HOLD ? add_hold(row, m, cell) : add_wait(row, m, cell);
}

/* The records know of all acquisitions while the lock was watched, the HOLD
 * events only of those in which others waited. A part of the trace has no
 * records of its own. */
static int add_record(struct ct_report *r, struct ct_table *by_hash, const struct ct_lock_info *info)
{
	const struct ct_model *m = r->model;

	if (m->window || !m->process[info->process].selected || !m->cause[info->cause].selected)
		return 0;
	struct ct_lock_row *row = find_lock(r, by_hash, info->process, info->cause, info->address);

	if (!row)
		return -ENOMEM;
	row->acquisitions += info->acquisitions;
	if (info->hold_ns > row->hold_ns)
		row->hold_ns = info->hold_ns;
	return 0;
}

static int by_wait_time(const void *x, const void *y)
{
	const struct ct_lock_row *a = x, *b = y;

	if (a->wait_ns != b->wait_ns)
		return a->wait_ns < b->wait_ns ? 1 : -1;
	if (a->contended != b->contended)
		return a->contended < b->contended ? 1 : -1;
	if (a->process != b->process)
		return a->process > b->process ? 1 : -1;
	return (a->address > b->address) - (a->address < b->address);
}

static int label(struct ct_report *r, struct ct_lock_row *row)
{
	ct_tallies_sort(&row->owners);
	ct_tallies_sort(&row->pairs);
	row->label = ct_lock_name(&r->callstacks, &r->symbols, r->model, row->process, row->cause, row->address,
				  row->first_stack);
	for (uint32_t i = 0; i < row->owners.item_count; i++) {
		struct ct_tally *owner = &row->owners.item[i];

		owner->label = ct_thread_label(r->model, row->process, owner->tid);
		if (!owner->label)
			return -ENOMEM;
	}
	return row->label ? 0 : -ENOMEM;
}

/* With --thread a lock for which none of those threads waited is of no interest. Who
 * spins is not blocked, but others hold what it spins for. */
static void drop_others(struct ct_report *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->lock_count; i++) {
		if (r->lock[i].contended || (r->lock[i].holds && is_cause(r->model, r->lock[i].cause, "spin"))) {
			r->lock[n++] = r->lock[i];
			continue;
		}
		ct_tallies_free(&r->lock[i].owners);
		ct_tallies_free(&r->lock[i].pairs);
	}
	r->lock_count = n;
}

int ct_report_locks(struct ct_report *r)
{
	struct ct_table by_hash = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < r->model->cell_count && !error; i++)
		error = add_cell(r, &by_hash, &r->model->cell[i]);
	for (uint32_t i = 0; i < r->model->lock_count && !error; i++)
		error = add_record(r, &by_hash, &r->model->lock[i]);
	ct_table_free(&by_hash);
	drop_others(r);
	if (r->lock_count)
		qsort(r->lock, r->lock_count, sizeof(*r->lock), by_wait_time);
	for (uint32_t i = 0; i < r->lock_count && !error; i++)
		error = label(r, &r->lock[i]);
	return error;
}
