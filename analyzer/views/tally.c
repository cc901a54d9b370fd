/* See tally.h. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

struct ct_tally *ct_tally_of(struct ct_tallies *t, uint32_t process, uint64_t key)
{
	uint32_t at;
	uint64_t hash = ct_mix(key ^ ct_mix(process));

	for (; (at = ct_table_get(&t->by_key, hash)); hash++)
		if (t->item[at - 1].key == key && t->item[at - 1].process == process)
			return &t->item[at - 1];
	struct ct_tally *item = CT_APPEND(t, item);

	if (!item || ct_table_put(&t->by_key, hash, t->item_count))
		return NULL;
	item->key = key;
	item->process = process;
	item->members = 1;
	return item;
}

static int larger(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare(const void *x, const void *y)
{
	const struct ct_tally *a = x, *b = y;
	int order = larger(a->hold_ns, b->hold_ns);

	if (!order)
		order = larger(a->total_ns, b->total_ns);
	if (!order)
		order = larger(a->count, b->count);
	if (!order) /* the same report every time */
		order = a->process != b->process ? larger(b->process, a->process) : larger(b->key, a->key);
	return order;
}

void ct_tallies_sort(struct ct_tallies *t)
{
	if (t->item_count)
		qsort(t->item, t->item_count, sizeof(*t->item), compare);
	/* The indices in it are wrong from now on. */
	ct_table_free(&t->by_key);
}

static int by_label(const void *x, const void *y)
{
	const struct ct_tally *a = x, *b = y;
	int order = strcmp(a->label, b->label);

	return order ? order : compare(x, y);
}

void ct_tallies_merge(struct ct_tallies *t)
{
	uint32_t n = 0;

	if (!t->item_count)
		return;
	qsort(t->item, t->item_count, sizeof(*t->item), by_label);
	for (uint32_t i = 1; i < t->item_count; i++) {
		struct ct_tally *to = &t->item[n], *from = &t->item[i];

		if (strcmp(to->label, from->label)) {
			t->item[++n] = *from;
			continue;
		}
		to->members += from->members;
		to->count += from->count;
		to->total_ns += from->total_ns;
		to->holds += from->holds;
		to->hold_ns += from->hold_ns;
		if (from->max_ns > to->max_ns)
			to->max_ns = from->max_ns;
		if (from->max_hold_ns > to->max_hold_ns)
			to->max_hold_ns = from->max_hold_ns;
		free(from->label);
	}
	t->item_count = n + 1;
	ct_tallies_sort(t);
}

void ct_tallies_free(struct ct_tallies *t)
{
	for (uint32_t i = 0; i < t->item_count; i++)
		free(t->item[i].label);
	free(t->item);
	ct_table_free(&t->by_key);
	*t = (struct ct_tallies){ 0 };
}
