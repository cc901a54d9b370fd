/* From joined waits to rows. See report_wakers.h. */
#include "report_wakers.h"

#include "alike.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "report_sort.h"

const char *ct_ended_name(enum ct_ended ended)
{
	static const char *const names[CT_ENDED_KINDS] = {
		[CT_ENDED_UNKNOWN] = "unknown", [CT_ENDED_RELEASE] = "release", [CT_ENDED_WAKE] = "wake",
		[CT_ENDED_ARRIVAL] = "arrival", [CT_ENDED_EXIT] = "exit",	[CT_ENDED_KERNEL] = "kernel",
		[CT_ENDED_TIME] = "time",	[CT_ENDED_NOT] = "open",
	};

	return names[ended];
}

#define ALIKE_MOST 512u

/* --- groups of threads --- */

/* The length of a name without the number at its end. */
static size_t stem(const char *name)
{
	size_t n = strlen(name);

	while (n && isdigit((unsigned char)name[n - 1]))
		n--;
	return n;
}

static uint64_t hash_name(const char *name, size_t n, uint64_t h)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	return ct_mix(h);
}

/* What --group-by says of threads stands for the names. */
static int group_threads(struct ct_wakers_report *r)
{
	struct ct_table first = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < r->m->thread_count && !error; i++) {
		uint32_t group = ct_grouping_of(&r->grouping, i, NULL);
		uint32_t at = group == CT_NO ? 0 : ct_table_get(&first, group);

		if (group == CT_NO || (!at && ct_table_put(&first, group, i + 1)))
			error = -ENOMEM;
		r->group[i] = at ? at - 1 : i;
		r->members[r->group[i]]++;
	}
	ct_table_free(&first);
	return error;
}

static int make_groups(struct ct_wakers_report *r)
{
	const struct ct_model *m = r->m;
	struct ct_table by_name = { 0 };

	r->group = calloc(m->thread_count + 1u, sizeof(*r->group));
	r->members = calloc(m->thread_count + 1u, sizeof(*r->members));
	if (!r->group || !r->members)
		return -ENOMEM;
	if (r->grouping.by)
		return group_threads(r);
	r->grouped = m->thread_count > CT_WAKERS_THREADS;
	for (uint32_t i = 0; i < m->thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		uint32_t at = 0;
		uint64_t key = *t->name ? hash_name(t->name, stem(t->name), 1) : ct_mix(t->routine) + 2;

		if (r->grouped)
			at = ct_table_get(&by_name, key);
		if (!at && r->grouped && ct_table_put(&by_name, key, i + 1)) {
			ct_table_free(&by_name);
			return -ENOMEM;
		}
		r->group[i] = at ? at - 1 : i;
		r->members[r->group[i]]++;
	}
	ct_table_free(&by_name);
	return 0;
}

char *ct_group_label(const struct ct_wakers_report *r, uint32_t waker)
{
	char *text;

	if (waker < r->m->thread_count && r->grouping.by) {
		uint32_t at = ct_table_get(&r->grouping.by_key, waker);

		return strdup(at ? r->grouping.label[at - 1] : "");
	}
	if (waker >= r->m->thread_count || r->members[waker] < 2)
		return ct_waker_label(&r->wakes, waker);
	const char *name = r->m->thread[waker].name;
	size_t n = stem(name);
	int length = asprintf(&text, "%.*s%s (%u threads)", (int)n, *name ? name : "no name", name[n] ? "*" : "",
			      r->members[waker]);

	return length < 0 ? NULL : text;
}

/* --- taking waits --- */

static uint32_t group_of(const struct ct_wakers_report *r, uint32_t waker)
{
	return waker < r->m->thread_count ? r->group[waker] : waker;
}

static struct ct_waker_row *row_of(struct ct_wakers_report *r, const struct ct_wait *wait, uint32_t waker,
				   uint32_t stack)
{
	const struct ct_site_info *s = &r->wakes.site[wait->site];
	uint32_t waiter_stack = s->site.stack ? ct_model_stack(r->m, s->process, s->site.stack) : CT_NO;
	uint32_t waiter = r->group[wait->thread], at;

	waker = group_of(r, waker);
	uint64_t key = ct_mix(ct_pair(waiter, waker) ^ ct_mix(ct_pair(waiter_stack, stack)) ^
			      (uint64_t)s->site.cause << 56 ^ (uint64_t)wait->ended << 28);

	for (; (at = ct_table_get(&r->row_by_hash, key)); key++) {
		struct ct_waker_row *row = &r->row[at - 1];

		if (row->waiter == waiter && row->waker == waker && row->waiter_stack == waiter_stack &&
		    row->waker_stack == stack && row->ended == wait->ended &&
		    r->wakes.site[row->site].site.cause == s->site.cause)
			return row;
	}
	struct ct_waker_row *row = CT_APPEND(r, row);

	if (!row || ct_table_put(&r->row_by_hash, key, r->row_count))
		return NULL;
	*row = (struct ct_waker_row){ .waiter = waiter, .waker = waker, .site = wait->site,
				      .waiter_stack = waiter_stack, .waker_stack = stack, .ended = wait->ended };
	return row;
}

/* What was waited for is to be selected, and the waiter's place or the waker's. */
static bool selects_site(const struct ct_wakers_report *r, const struct ct_wait *wait)
{
	const struct ct_site_info *s = &r->wakes.site[wait->site];
	const struct ct_model *m = r->m;

	if (!m->cause[s->site.cause].selected || !m->filter)
		return m->cause[s->site.cause].selected;
	return ct_filter_object(m->filter, s->process, &s->site) > 0 &&
	       (ct_filter_stack(m->filter, ct_model_stack(m, s->process, s->site.stack)) > 0 ||
		(wait->waker_stack != CT_NO && ct_filter_stack(m->filter, wait->waker_stack) > 0));
}

static bool is_selected(const struct ct_wakers_report *r, const struct ct_wait *wait)
{
	const struct ct_model *m = r->m;

	if (!wait->inside || !selects_site(r, wait))
		return false;
	/* Those who waited for a thread are of interest where it is. */
	return m->thread[wait->thread].selected ||
	       (wait->waker < m->thread_count && m->thread[wait->waker].selected);
}

/* With --group-by site, object or cause: rows keep only one of their objects. */
static int add_to_place(struct ct_wakers_report *r, const struct ct_wait *wait, uint64_t ns)
{
	struct ct_grouped *g = &r->by_place;
	uint32_t group = ct_grouping_of(&g->grouping, wait->thread, &r->wakes.site[wait->site]);
	struct ct_grouped_row *row = ct_grouped_row(g, group);

	if (!row)
		return -ENOMEM;
	row->count++;
	row->open += wait->ended == CT_ENDED_NOT;
	row->total_ns += ns;
	g->total_ns += ns;
	if (ns > row->max_ns)
		row->max_ns = ns;
	return 0;
}

static int take_wait(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
		     uint32_t count)
{
	struct ct_wakers_report *r = self;
	const struct ct_model *m = r->m;
	uint64_t from_ns = wait->start_ns > m->from_ns ? wait->start_ns : m->from_ns;
	uint64_t to_ns = wait->end_ns < m->to_ns ? wait->end_ns : m->to_ns;
	uint64_t release_ns = wait->release_ns < from_ns ? from_ns : wait->release_ns;

	(void)w;
	if (from_ns > to_ns || (from_ns == to_ns && wait->start_ns < wait->end_ns) ||
	    to_ns - from_ns < m->options->min_ns || !is_selected(r, wait))
		return 0;
	if (release_ns > to_ns)
		release_ns = to_ns;
	struct ct_waker_row *row = row_of(r, wait, wait->waker, wait->waker_stack);

	if (!row)
		return -ENOMEM;
	row->count++;
	row->agree += wait->agrees == CT_AGREES;
	row->disagree += wait->agrees == CT_AGREES_NOT;
	row->total_ns += to_ns - from_ns;
	row->release_ns += release_ns - from_ns;
	if (to_ns - from_ns > row->max_ns)
		row->max_ns = to_ns - from_ns;
	r->waits++;
	r->by[wait->ended]++;
	r->total_ns += to_ns - from_ns;
	if (wait->waker != CT_NO) {
		r->known++;
		r->known_ns += to_ns - from_ns;
	}
	if (r->by_place.grouping.by && wait->waker != CT_NO && add_to_place(r, wait, to_ns - from_ns))
		return -ENOMEM;
	/* The shares begin with the last. */
	uint64_t left_ns = release_ns - from_ns;

	for (uint32_t i = 0; i < count && left_ns; i++) {
		uint64_t ns = shares[i].ns < left_ns ? shares[i].ns : left_ns;

		row = ns ? row_of(r, wait, shares[i].waker, shares[i].stack) : NULL;
		if (ns && !row)
			return -ENOMEM;
		if (ns)
			row->blame_ns += ns;
		left_ns -= ns;
	}
	return 0;
}

/* --- putting in order --- */

static int to_callstacks(struct ct_wakers_report *r)
{
	int error = 0;

	for (uint32_t i = 0; i < r->row_count && !error; i++) {
		error = ct_callstack_of(&r->callstacks, r->row[i].waiter_stack, &r->row[i].waiter_stack);
		if (!error)
			error = ct_callstack_of(&r->callstacks, r->row[i].waker_stack, &r->row[i].waker_stack);
	}
	return error;
}

/* Of the rows with the most time: symbols take a while. */
static int to_alike(struct ct_wakers_report *r)
{
	struct ct_alikes alikes = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < r->row_count && i < ALIKE_MOST && !error; i++) {
		struct ct_waker_row *row = &r->row[i];

		error = ct_alike_of(&alikes, &r->callstacks, &r->symbols, row->waiter_stack, &row->waiter_stack);
		if (!error)
			error = ct_alike_of(&alikes, &r->callstacks, &r->symbols, row->waker_stack, &row->waker_stack);
	}
	ct_alikes_free(&alikes);
	return error;
}

/* Rows that only their stacks told apart, which have become the same, become one. */
static int merge_rows(struct ct_wakers_report *r)
{
	struct ct_table by_hash = { 0 };
	uint32_t n = 0, at;
	int error = 0;

	for (uint32_t i = 0; i < r->row_count && !error; i++) {
		struct ct_waker_row row = r->row[i];
		uint8_t cause = r->wakes.site[row.site].site.cause;

		uint64_t key = ct_mix(ct_pair(row.waiter, row.waker) ^
				      ct_mix(ct_pair(row.waiter_stack, row.waker_stack)) ^ (uint64_t)cause << 56 ^
				      (uint64_t)row.ended << 28);

		for (; (at = ct_table_get(&by_hash, key)); key++) {
			const struct ct_waker_row *o = &r->row[at - 1];

			if (o->waiter == row.waiter && o->waker == row.waker && o->waiter_stack == row.waiter_stack &&
			    o->waker_stack == row.waker_stack && o->ended == row.ended &&
			    r->wakes.site[o->site].site.cause == cause)
				break;
		}
		if (!at) {
			r->row[n++] = row;
			error = ct_table_put(&by_hash, key, n);
			continue;
		}
		struct ct_waker_row *to = &r->row[at - 1];

		to->count += row.count;
		to->agree += row.agree;
		to->disagree += row.disagree;
		to->total_ns += row.total_ns;
		to->release_ns += row.release_ns;
		to->blame_ns += row.blame_ns;
		if (row.max_ns > to->max_ns)
			to->max_ns = row.max_ns;
	}
	r->row_count = n;
	ct_table_free(&by_hash);
	return error;
}

static struct ct_blame_row *blame_of(struct ct_blame_row **rows, uint32_t *count, uint32_t *capacity,
				     struct ct_table *by_key, uint32_t key)
{
	uint32_t at = ct_table_get(by_key, key + 1ull);

	if (at)
		return &(*rows)[at - 1];
	struct ct_blame_row *row = ct_append((void **)rows, count, capacity, sizeof(*row));

	return row && !ct_table_put(by_key, key + 1ull, *count) ? row : NULL;
}

static int add_blame(struct ct_wakers_report *r, const struct ct_waker_row *row, struct ct_table *threads,
		     struct ct_table *sites)
{
	bool idle = ct_cause_is_idle(r->m, r->wakes.site[row->site].site.cause);
	struct ct_blame_row *t =
		blame_of(&r->thread, &r->thread_count, &r->thread_capacity, threads, row->waker);
	struct ct_blame_row *s = blame_of(&r->site, &r->site_count, &r->site_capacity, sites, row->waker_stack);

	if (!t || !s)
		return -ENOMEM;
	t->waker = row->waker;
	t->stack = CT_NO;
	s->waker = CT_NO;
	s->stack = row->waker_stack;
	t->count += row->count;
	s->count += row->count;
	*(idle ? &t->idle_ns : &t->blame_ns) += row->blame_ns;
	*(idle ? &s->idle_ns : &s->blame_ns) += row->blame_ns;
	return 0;
}

static int by_key(const void *x, const void *y, void *key)
{
	const struct ct_waker_row *a = x, *b = y;
	const uint64_t values[][2] = {
		{ a->total_ns, b->total_ns },
		{ a->count, b->count },
		{ a->max_ns, b->max_ns },
		{ a->blame_ns, b->blame_ns },
	};
	uint32_t at = *(const uint32_t *)key;

	if (values[at][0] != values[at][1])
		return ct_more_first(values[at][0], values[at][1]);
	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return a->waiter != b->waiter ? (a->waiter < b->waiter ? -1 : 1) : (a->waker > b->waker) - (a->waker < b->waker);
}

static int by_blame(const void *x, const void *y)
{
	const struct ct_blame_row *a = x, *b = y;

	if (a->blame_ns != b->blame_ns)
		return a->blame_ns < b->blame_ns ? 1 : -1;
	if (a->idle_ns != b->idle_ns)
		return a->idle_ns < b->idle_ns ? 1 : -1;
	return a->count < b->count ? 1 : a->count > b->count ? -1 : (a->waker > b->waker) - (a->waker < b->waker);
}

static int put_in_order(struct ct_wakers_report *r)
{
	struct ct_table threads = { 0 }, sites = { 0 };
	uint32_t key = ct_is_command(r->m->options, "wakers") ? r->m->options->sort_key : 0;
	int error = to_callstacks(r);

	if (!error)
		error = merge_rows(r);
	if (r->row_count)
		qsort_r(r->row, r->row_count, sizeof(*r->row), by_key, &key);
	if (!error)
		error = to_alike(r);
	if (!error)
		error = merge_rows(r);

	for (uint32_t i = 0; i < r->row_count && !error; i++)
		if (r->row[i].waker != CT_NO)
			error = add_blame(r, &r->row[i], &threads, &sites);
	ct_table_free(&threads);
	ct_table_free(&sites);
	if (r->row_count)
		qsort_r(r->row, r->row_count, sizeof(*r->row), by_key, &key);
	if (r->thread_count)
		qsort(r->thread, r->thread_count, sizeof(*r->thread), by_blame);
	if (r->site_count)
		qsort(r->site, r->site_count, sizeof(*r->site), by_blame);
	return error;
}

int ct_wakers_make(struct ct_wakers_report *r, const struct ct_model *m, struct ct_reader *reader)
{
	*r = (struct ct_wakers_report){ .m = m };
	int error = ct_symbols_open(&r->symbols, m);

	if (!error)
		error = ct_callstacks_open(&r->callstacks, m);
	if (!error && ct_is_command(m->options, "wakers"))
		ct_grouping_begin(ct_groups_threads(m->options->group_by) ? &r->grouping : &r->by_place.grouping, m,
				  &r->symbols, &r->callstacks, m->options->group_by);
	if (!error)
		error = make_groups(r);
	if (!error)
		error = ct_wakes_read(&r->wakes, m, reader, false, take_wait, r);
	ct_grouped_sort(&r->by_place, m->options);
	return error ? error : put_in_order(r);
}

void ct_wakers_close(struct ct_wakers_report *r)
{
	if (!r->m)
		return;
	ct_wakes_close(&r->wakes);
	ct_grouping_free(&r->grouping);
	ct_grouped_close(&r->by_place);
	ct_callstacks_close(&r->callstacks);
	ct_symbols_close(&r->symbols);
	ct_table_free(&r->row_by_hash);
	free(r->group);
	free(r->members);
	free(r->row);
	free(r->thread);
	free(r->site);
	*r = (struct ct_wakers_report){ 0 };
}
