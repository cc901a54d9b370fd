/* Delays. See delays.h. */
#include "delays.h"

void ct_delays_merge(struct ct_delays *to, const struct ct_delays *from)
{
	to->count += from->count;
	to->total_ns += from->total_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (uint32_t i = 0; i < CT_DELAYS_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

static uint64_t middle(uint32_t bucket)
{
	if (bucket < 16)
		return bucket;
	uint32_t shift = (bucket >> CT_DELAYS_STEP) - 1;

	return ((uint64_t)(8 + (bucket & 7)) << shift) + ((1ull << shift) - 1) / 2;
}

uint64_t ct_delays_quantile(const struct ct_delays *d, double share)
{
	double exact = share * (double)d->count;
	uint64_t rank = (uint64_t)exact, seen = 0;

	/* The rank of the value, from 1: the nearest-rank definition. */
	rank += (double)rank < exact;
	if (rank < 1)
		rank = 1;
	for (uint32_t i = 0; i < CT_DELAYS_BUCKETS; i++) {
		seen += d->bucket[i];
		if (seen >= rank) {
			uint64_t ns = middle(i);

			return ns < d->max_ns ? ns : d->max_ns;
		}
	}
	return d->max_ns;
}
