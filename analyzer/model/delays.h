/* How long threads that were ready waited for a CPU: sums, and quantiles to within 6 %. */
#ifndef CT_DELAYS_H
#define CT_DELAYS_H

#include <stdint.h>

#define CT_DELAYS_STEP    3u /* log2 of the buckets of a power of two */
#define CT_DELAYS_BUCKETS (16u + (64u - 4u) * 8u)

/* Zero-initialise. */
struct ct_delays {
	uint64_t count, total_ns, max_ns;
	uint32_t bucket[CT_DELAYS_BUCKETS];
};

static inline void ct_delays_add(struct ct_delays *d, uint64_t ns)
{
	/* 0 for ns < 16 */
	uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns | 15) - CT_DELAYS_STEP;

	d->count++;
	d->total_ns += ns;
	d->max_ns = ns > d->max_ns ? ns : d->max_ns;
	/* ns >> shift is from 8 to 15, but for small ones: its upper bit is the octave's. */
	d->bucket[(shift << CT_DELAYS_STEP) + (uint32_t)(ns >> shift)]++;
}

/* A number of about the same length. */
static inline void ct_delays_add_many(struct ct_delays *d, uint64_t ns, uint64_t count)
{
	uint32_t shift = ns < 16 ? 0 : 63u - (uint32_t)__builtin_clzll(ns) - CT_DELAYS_STEP;
	uint32_t *to = &d->bucket[(shift << CT_DELAYS_STEP) + (uint32_t)(ns >> shift)];

	d->count += count;
	d->total_ns += ns * count;
	if (count && ns > d->max_ns)
		d->max_ns = ns;
	*to = count > UINT32_MAX - *to ? UINT32_MAX : *to + (uint32_t)count;
}

void ct_delays_merge(struct ct_delays *to, const struct ct_delays *from);
/* The value below or at which a share (0 to 1) of them lies. */
uint64_t ct_delays_quantile(const struct ct_delays *d, double share);

#endif
