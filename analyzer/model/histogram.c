/* Quantiles. See histogram.h. */
#include "histogram.h"

static uint64_t middle(uint32_t bucket)
{
	if (bucket < 128)
		return bucket;
	uint32_t shift = (bucket >> CT_HISTOGRAM_STEP) - 1;
	uint64_t low = (uint64_t)(64 + (bucket & 63)) << shift;

	return low + ((1ull << shift) - 1) / 2;
}

uint64_t ct_histogram_quantile(const struct ct_histogram *h, double share)
{
	if (!h->count)
		return 0;
	/* The rank of the value, from 1: the nearest-rank definition. */
	double exact = share * (double)h->count;
	uint64_t rank = (uint64_t)exact, seen = 0;

	rank += (double)rank < exact;
	if (rank < 1)
		rank = 1;
	if (rank > h->count)
		rank = h->count;
	for (uint32_t i = 0; i < CT_HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return middle(i);
	}
	return 0;
}
