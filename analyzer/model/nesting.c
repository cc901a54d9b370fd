/* Own times of nested intervals. See nesting.h. */
#include "nesting.h"

void ct_nesting_merge(struct ct_nesting *n)
{
	const uint32_t half = CT_NESTING_DEPTH / 2;

	for (uint32_t i = 0; i < half / 2; i++) {
		n->recent[i] = n->recent[2 * i];
		n->recent[i].end_ns = n->recent[2 * i + 1].end_ns;
	}
	for (uint32_t i = half; i < n->count; i++)
		n->recent[i - half / 2] = n->recent[i];
	n->count -= half / 2;
}

/* Covered time of the youngest entry from start_ns on. */
static uint64_t covered_since(const struct ct_nesting *n, uint64_t start_ns, uint64_t after_ns)
{
	const struct ct_nested *e = &n->recent[n->count - 1];
	uint64_t length_ns = e->end_ns - e->start_ns;

	if (e->end_ns <= start_ns || !length_ns)
		return 0;
	return (uint64_t)((unsigned __int128)(after_ns - e->before_ns) * (e->end_ns - start_ns) / length_ns);
}

/* An interval that ended after every remembered one, or overlaps the youngest. */
static uint64_t add_last(struct ct_nesting *n, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t length_ns = end_ns - start_ns, inner_ns = 0, before_ns = n->covered_ns;

	/* Those that began in it are nested in it. */
	while (n->count && n->recent[n->count - 1].start_ns >= start_ns)
		before_ns = n->recent[--n->count].before_ns;
	inner_ns = n->covered_ns - before_ns;
	if (n->count) {
		uint64_t shared_ns = covered_since(n, start_ns, before_ns);

		inner_ns += shared_ns;
		/* Entries stay disjoint. */
		if (shared_ns && n->recent[n->count - 1].end_ns > start_ns)
			start_ns = n->recent[n->count - 1].end_ns;
	}
	uint64_t own_ns = length_ns > inner_ns ? length_ns - inner_ns : 0;

	if (n->count == CT_NESTING_DEPTH)
		ct_nesting_merge(n);
	if (end_ns < start_ns)
		end_ns = start_ns;
	n->recent[n->count++] = (struct ct_nested){ start_ns, end_ns, before_ns };
	if (end_ns > n->last_end_ns)
		n->last_end_ns = end_ns;
	n->covered_ns += own_ns;
	return own_ns;
}

uint64_t ct_nesting_add_slow(struct ct_nesting *n, uint64_t start_ns, uint64_t end_ns)
{
	struct ct_nested after[CT_NESTING_DEPTH];
	uint32_t count = 0;

	/* A signal handler that ran when a call had ended, but was not recorded
	 * yet, is recorded before it: such intervals lie behind this one. */
	while (n->count && start_ns < end_ns && n->recent[n->count - 1].start_ns >= end_ns)
		after[count++] = n->recent[--n->count];
	if (!count)
		return add_last(n, start_ns, end_ns);

	uint64_t behind_ns = n->covered_ns - after[count - 1].before_ns;

	n->covered_ns -= behind_ns;
	uint64_t own_ns = add_last(n, start_ns, end_ns);

	n->covered_ns += behind_ns;
	while (count--) {
		if (n->count == CT_NESTING_DEPTH)
			ct_nesting_merge(n);
		after[count].before_ns += own_ns;
		n->recent[n->count++] = after[count];
	}
	return own_ns;
}
