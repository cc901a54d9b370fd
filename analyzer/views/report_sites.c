/* Sites: causes at call stacks, and who waited there for what. See report.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "report_sort.h"

/* Of a site with a crowd of objects not all get a name. */
#define OBJECTS_NAMED 256u
/* So many sites at least are compared with one another by their symbols. */
#define ALIKE_MIN 200u

/* Group of each site of the model, CT_NO: it is no wait. */
static int group_sites(struct ct_report *r, uint32_t *group)
{
	const struct ct_model *m = r->model;
	struct ct_table by_key = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < m->site_count && !error; i++) {
		const struct ct_site_info *s = &m->site[i];
		uint32_t callstack;

		group[i] = CT_NO;
		if (s->site.kind != CT_EVENT_INTERVAL)
			continue;
		error = ct_callstack_of(&r->callstacks, ct_model_stack(m, s->process, s->site.stack), &callstack);
		if (error)
			break;
		/* Without a stack the call is all there is to tell sites apart. */
		uint64_t key = callstack != CT_NO ? (uint64_t)callstack << 8 :
						    1ull << 63 | (uint64_t)s->site.call << 8;
		uint32_t at = ct_table_get(&by_key, key | s->site.cause);

		if (!at) {
			struct ct_site_row *row = CT_APPEND(r, site);

			if (!row) {
				error = -ENOMEM;
				break;
			}
			row->cause = s->site.cause;
			row->idle = ct_cause_is_idle(m, s->site.cause);
			row->callstack = callstack;
			at = r->site_count;
			error = ct_table_put(&by_key, key | s->site.cause, at);
		}
		group[i] = at - 1;
	}
	ct_table_free(&by_key);
	return error;
}

static void add_cells(struct ct_report *r, const uint32_t *group)
{
	const struct ct_model *m = r->model;

	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;

		if (group[cell->site] == CT_NO)
			continue;
		struct ct_site_row *row = &r->site[group[cell->site]];

		row->count += cell->count;
		row->total_ns += cell->total_ns;
		row->elapsed_ns += cell->elapsed_ns;
		row->delays += cell->delays;
		row->delay_ns += cell->delay_ns;
		if (cell->max_delay_ns > row->max_delay_ns)
			row->max_delay_ns = cell->max_delay_ns;
		row->unknown += cell->unknown;
		if ((site->flags & (CT_EV_OPEN | CT_EV_NO_TIME)) == CT_EV_OPEN)
			row->open += cell->count;
		if (site->owner)
			row->owned += cell->count;
		if (cell->max_ns > row->max_ns)
			row->max_ns = cell->max_ns;
		if (!row->call || cell->total_ns > row->call_ns) {
			row->call = site->call;
			row->call_ns = cell->total_ns;
		}
	}
}

struct site_sort {
	const struct ct_site_row *rows;
	enum ct_site_key key;
};

static int by_importance(const void *x, const void *y, void *sort)
{
	const struct site_sort *s = sort;
	const struct ct_site_row *all = s->rows;
	const struct ct_site_row *a = &all[*(const uint32_t *)x], *b = &all[*(const uint32_t *)y];

	if (a->idle != b->idle)
		return a->idle ? 1 : -1;
	int order = ct_more_first(ct_site_value(s->key, a->count, a->total_ns, a->max_ns),
				  ct_site_value(s->key, b->count, b->total_ns, b->max_ns));

	if (order)
		return order;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return a < b ? -1 : a > b;
}

/* Sorts the rows; group follows. */
static int sort_sites(struct ct_report *r, uint32_t *group)
{
	uint32_t n = r->site_count;
	uint32_t *order = calloc(n + 1u, sizeof(*order)), *rank = calloc(n + 1u, sizeof(*rank));
	struct ct_site_row *sorted = calloc(n + 1u, sizeof(*sorted));

	if (!order || !rank || !sorted) {
		free(order);
		free(rank);
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	if (n)
		qsort_r(order, n, sizeof(*order), by_importance,
			&(struct site_sort){ r->site, ct_site_key_of(r->model->options) });
	for (uint32_t i = 0; i < n; i++) {
		sorted[i] = r->site[order[i]];
		rank[order[i]] = i;
	}
	for (uint32_t i = 0; i < r->model->site_count; i++)
		if (group[i] != CT_NO)
			group[i] = rank[group[i]];
	free(r->site);
	r->site = sorted;
	r->site_capacity = n + 1;
	free(order);
	free(rank);
	return 0;
}

/* --- sites that differ in addresses only --- */

struct alike {
	struct ct_frame *frames;
	uint32_t count, row;
};

static uint64_t hash_frames(const struct ct_site_row *row, const struct alike *a)
{
	uint64_t h = row->cause;

	for (uint32_t i = 0; i < a->count; i++) {
		for (const char *p = a->frames[i].function; p && *p; p++)
			h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
		h = ct_mix(h ^ (uint64_t)a->frames[i].line);
	}
	return h;
}

static void fold(struct ct_site_row *to, struct ct_site_row *from)
{
	to->count += from->count;
	to->unknown += from->unknown;
	to->open += from->open;
	to->owned += from->owned;
	to->total_ns += from->total_ns;
	to->elapsed_ns += from->elapsed_ns;
	to->delays += from->delays;
	to->delay_ns += from->delay_ns;
	if (from->max_delay_ns > to->max_delay_ns)
		to->max_delay_ns = from->max_delay_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	if (from->call_ns > to->call_ns) {
		to->call = from->call;
		to->call_ns = from->call_ns;
	}
	from->count = from->total_ns = 0;
}

/* Merges the first of the sorted rows where compilers copied code (unrolled a
 * loop, inlined a function twice): a reader sees one place. Not all, as their
 * symbols would have to be read. to[i]: the row that took in row i. */
static int merge_rows(struct ct_report *r, uint32_t limit, struct alike *alike, uint32_t *to)
{
	struct ct_table by_hash = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < r->site_count; i++)
		to[i] = i;
	for (uint32_t i = 0; i < limit && !error; i++) {
		struct alike *a = &alike[i];
		uint32_t at;

		a->row = i;
		error = ct_callstack_frames(&r->callstacks, &r->symbols, r->site[i].callstack, &a->frames, &a->count);
		if (error || !a->count)
			continue;
		uint64_t key = hash_frames(&r->site[i], a);

		for (; (at = ct_table_get(&by_hash, key)); key++) {
			const struct alike *b = &alike[at - 1];

			if (r->site[b->row].cause == r->site[i].cause && b->count == a->count &&
			    ct_frames_alike(a->frames, b->frames, a->count))
				break;
		}
		if (at) {
			to[i] = at - 1;
			fold(&r->site[at - 1], &r->site[i]);
		} else {
			error = ct_table_put(&by_hash, key, i + 1);
		}
	}
	ct_table_free(&by_hash);
	return error;
}

static int merge_alike(struct ct_report *r, uint32_t *group, uint32_t top)
{
	uint32_t limit = top && r->site_count > top * 4 + ALIKE_MIN ? top * 4 + ALIKE_MIN : r->site_count;
	uint32_t *to = calloc(r->site_count + 1u, sizeof(*to));
	struct alike *alike = calloc(limit + 1u, sizeof(*alike));
	int error = to && alike ? merge_rows(r, limit, alike, to) : -ENOMEM;

	for (uint32_t i = 0; i < r->model->site_count && !error; i++)
		if (group[i] != CT_NO)
			group[i] = to[group[i]];
	for (uint32_t i = 0; i < limit && alike; i++)
		free(alike[i].frames);
	free(alike);
	free(to);
	return error ? error : sort_sites(r, group);
}

/* Rows without events: merged into others, or all of theirs were filtered out. */
static void drop_empty(struct ct_report *r, uint32_t *group)
{
	uint32_t n = 0;
	uint32_t *to = calloc(r->site_count + 1u, sizeof(*to));

	if (!to)
		return; /* they stay, and show nothing */
	for (uint32_t i = 0; i < r->site_count; i++) {
		to[i] = r->site[i].count ? n : CT_NO;
		if (r->site[i].count)
			r->site[n++] = r->site[i];
	}
	r->site_count = n;
	for (uint32_t i = 0; i < r->model->site_count; i++)
		if (group[i] != CT_NO)
			group[i] = to[group[i]];
	free(to);
}

/* --- details --- */

static int add_tally(struct ct_tallies *t, uint32_t process, uint64_t key, const struct ct_cell *cell,
		     uint64_t tid, uint32_t members_from)
{
	struct ct_tally *item = ct_tally_of(t, process, key);

	if (!item)
		return -ENOMEM;
	item->tid = tid;
	item->count += cell->count;
	item->total_ns += cell->total_ns;
	if (cell->max_ns > item->max_ns)
		item->max_ns = cell->max_ns;
	/* Until labels are given this remembers a site that has the object. */
	item->members = members_from;
	return 0;
}

static int add_details(struct ct_site_row *row, const struct ct_model *m, const struct ct_cell *cell)
{
	const struct ct_site_info *s = &m->site[cell->site];
	const struct ct_thread_info *t = &m->thread[cell->thread];
	uint64_t object = s->site.object ^ (uint64_t)s->site.object_kind << 56;

	if (add_tally(&row->waiters, s->process, cell->thread, cell, t->tid, 1))
		return -ENOMEM;
	if (s->site.object_kind && add_tally(&row->objects, s->process, object, cell, 0, cell->site))
		return -ENOMEM;
	return s->site.owner ? add_tally(&row->owners, s->process, s->site.owner, cell, s->site.owner, 1) : 0;
}

static int label_details(struct ct_report *r, struct ct_site_row *row)
{
	const struct ct_model *m = r->model;

	row->object_count = row->objects.item_count;
	ct_tallies_sort(&row->objects);
	ct_tallies_sort(&row->waiters);
	ct_tallies_sort(&row->owners);
	if (row->objects.item_count > OBJECTS_NAMED)
		row->objects.item_count = OBJECTS_NAMED;
	for (uint32_t i = 0; i < row->objects.item_count; i++) {
		struct ct_tally *item = &row->objects.item[i];

		item->label = ct_object_label(&r->symbols, m, &m->site[item->members]);
		item->members = 1;
		if (!item->label)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < row->waiters.item_count; i++) {
		struct ct_tally *item = &row->waiters.item[i];

		item->label = strdup(m->thread[item->key].name);
		if (!item->label)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < row->owners.item_count; i++) {
		struct ct_tally *item = &row->owners.item[i];

		item->label = ct_thread_label(m, item->process, item->tid);
		if (!item->label)
			return -ENOMEM;
	}
	ct_tallies_merge(&row->objects);
	return 0;
}

int ct_report_sites(struct ct_report *r, uint32_t top)
{
	const struct ct_model *m = r->model;
	uint32_t *group = calloc(m->site_count + 1u, sizeof(*group)), busy = 0;
	uint8_t *wanted = NULL;
	int error = group ? group_sites(r, group) : -ENOMEM;

	if (!error) {
		add_cells(r, group);
		error = sort_sites(r, group);
	}
	if (!error)
		error = merge_alike(r, group, top);
	if (!error) {
		drop_empty(r, group);
		wanted = calloc(r->site_count + 1u, 1);
		error = wanted ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; i < r->site_count && !error; i++) {
		busy += !r->site[i].idle;
		wanted[i] = !top || (r->site[i].idle ? i - busy : i) < top;
	}
	for (uint32_t i = 0; i < m->cell_count && !error; i++) {
		uint32_t at = group[m->cell[i].site];

		if (at != CT_NO && wanted[at] && m->cell[i].count)
			error = add_details(&r->site[at], m, &m->cell[i]);
	}
	for (uint32_t i = 0; i < r->site_count && !error; i++)
		if (wanted[i])
			error = label_details(r, &r->site[i]);
	free(group);
	free(wanted);
	return error;
}
