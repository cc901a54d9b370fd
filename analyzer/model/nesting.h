/*
 * The own time of intervals that may be nested in one another, such that the
 * own times of a thread add up to the time that any of its intervals covers.
 *
 * Intervals come in the order of their ends, so nested ones before the one
 * around them. A few recent ones are remembered; older ones are merged in
 * pairs, in which the covered time counts as evenly spread.
 */
#ifndef CT_NESTING_H
#define CT_NESTING_H

#include <stdint.h>

#define CT_NESTING_DEPTH 16u

struct ct_nested {
	uint64_t start_ns, end_ns;
	uint64_t before_ns; /* covered by everything before it */
};

/* Zero-initialise. */
struct ct_nesting {
	struct ct_nested recent[CT_NESTING_DEPTH]; /* disjoint, oldest first */
	uint32_t count;
	uint64_t last_end_ns;
	uint64_t covered_ns; /* by all: the sum of the own times */
};

/* Makes room: merges the older half in pairs. */
void ct_nesting_merge(struct ct_nesting *n);
/* For an interval that begins before the last one ended, or may be around one without length. */
uint64_t ct_nesting_add_slow(struct ct_nesting *n, uint64_t start_ns, uint64_t end_ns);

/* Adds an interval, start <= end; returns its own time. */
static inline uint64_t ct_nesting_add(struct ct_nesting *n, uint64_t start_ns, uint64_t end_ns)
{
	if (__builtin_expect(start_ns < n->last_end_ns, 0))
		return ct_nesting_add_slow(n, start_ns, end_ns);
	if (__builtin_expect(n->count == CT_NESTING_DEPTH, 0)) {
		if (n->recent[n->count - 1].start_ns >= start_ns)
			return ct_nesting_add_slow(n, start_ns, end_ns);
		ct_nesting_merge(n);
	}
	n->recent[n->count++] = (struct ct_nested){ start_ns, end_ns, n->covered_ns };
	n->last_end_ns = end_ns;
	n->covered_ns += end_ns - start_ns;
	return end_ns - start_ns;
}

#endif
