/* See report_sort.h. */
#include "report_sort.h"

#include <stdlib.h>
#include <string.h>

uint64_t ct_site_value(enum ct_site_key key, uint64_t count, uint64_t total_ns, uint64_t max_ns)
{
	switch (key) {
	case CT_SITE_TOTAL:
		return total_ns;
	case CT_SITE_COUNT:
		return count;
	case CT_SITE_LONGEST:
		return max_ns;
	case CT_SITE_AVERAGE:
		return count ? total_ns / count : 0;
	}
	return total_ns;
}

enum ct_site_key ct_site_key_of(const struct ct_options *o)
{
	return ct_is_command(o, "blocks") ? (enum ct_site_key)o->sort_key : CT_SITE_TOTAL;
}

/* --- threads --- */

enum { BY_NAME = 6 };

struct thread_sort {
	const struct ct_model *m;
	uint32_t key;
};

static int compare_threads(const void *x, const void *y, void *sort)
{
	const struct thread_sort *s = sort;
	uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	const struct ct_thread_info *a = &s->m->thread[i], *b = &s->m->thread[k];
	const uint64_t values[][2] = {
		{ a->blocked_ns, b->blocked_ns },   { a->lifetime_ns, b->lifetime_ns },
		{ a->running_ns, b->running_ns },   { a->runnable_ns, b->runnable_ns },
		{ a->unexplained_ns, b->unexplained_ns }, { a->longest_ns, b->longest_ns },
	};
	int order = s->key == BY_NAME ? strcmp(a->name, b->name) : ct_more_first(values[s->key][0], values[s->key][1]);

	return order ? order : (a->id > b->id) - (a->id < b->id);
}

void ct_sort_threads(struct ct_report *r, uint32_t key)
{
	struct thread_sort s = { r->model, key };

	if (key && r->thread_count)
		qsort_r(r->thread, r->thread_count, sizeof(*r->thread), compare_threads, &s);
}

static int compare_groups(const void *x, const void *y, void *key)
{
	const struct ct_group *a = x, *b = y;
	const uint64_t values[][2] = {
		{ a->blocked_ns, b->blocked_ns },   { a->lifetime_ns, b->lifetime_ns },
		{ a->running_ns, b->running_ns },   { a->runnable_ns, b->runnable_ns },
		{ a->unexplained_ns, b->unexplained_ns }, { a->longest_ns, b->longest_ns },
	};
	uint32_t at = *(const uint32_t *)key;
	int order = at == BY_NAME ? strcmp(a->label ? a->label : a->routine, b->label ? b->label : b->routine) : ct_more_first(values[at][0], values[at][1]);

	return order ? order : (a->first > b->first) - (a->first < b->first);
}

void ct_sort_groups(struct ct_groups *g, uint32_t key)
{
	if (key && g->group_count)
		qsort_r(g->group, g->group_count, sizeof(*g->group), compare_groups, &key);
}

/* --- locks --- */

static int compare_locks(const void *x, const void *y, void *key)
{
	const struct ct_lock_row *a = x, *b = y;
	const uint64_t values[][2] = {
		{ a->wait_ns, b->wait_ns },	      { a->contended, b->contended },
		{ a->max_wait_ns, b->max_wait_ns },   { a->hold_ns, b->hold_ns },
		{ a->acquisitions, b->acquisitions },
	};
	uint32_t at = *(const uint32_t *)key;
	int order = at < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[at][0], values[at][1]) :
							      strcmp(a->label, b->label);

	if (!order)
		order = ct_more_first(a->wait_ns, b->wait_ns);
	return order ? order : (a->address > b->address) - (a->address < b->address);
}

void ct_sort_locks(struct ct_report *r, uint32_t key)
{
	if (key && r->lock_count)
		qsort_r(r->lock, r->lock_count, sizeof(*r->lock), compare_locks, &key);
}
