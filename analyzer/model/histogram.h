/*
 * A log-linear histogram of times: each power of two is divided into 64 equal
 * buckets, so that a quantile is off by less than 1 % (half a bucket is 1/128
 * of its value); values below 128 have a bucket each.
 */
#ifndef CT_HISTOGRAM_H
#define CT_HISTOGRAM_H

#include <stdint.h>

#define CT_HISTOGRAM_STEP    6u /* log2 of the buckets of a power of two */
#define CT_HISTOGRAM_BUCKETS (128u + (64u - 7u) * 64u)

/* Zero-initialise. */
struct ct_histogram {
	uint64_t count;
	uint64_t bucket[CT_HISTOGRAM_BUCKETS];
};

static inline uint32_t ct_histogram_bucket(uint64_t v)
{
	/* 0 for v < 128 */
	uint32_t shift = 63u - (uint32_t)__builtin_clzll(v | 127) - CT_HISTOGRAM_STEP;

	/* v >> shift is from 64 to 127: its upper bit is the octave's. */
	return (shift << CT_HISTOGRAM_STEP) + (uint32_t)(v >> shift);
}

static inline void ct_histogram_add(struct ct_histogram *h, uint64_t v)
{
	h->count++;
	h->bucket[ct_histogram_bucket(v)]++;
}

/* The value below or at which a share (0 to 1) of the values lies: the middle
 * of its bucket; 0 if there are none. */
uint64_t ct_histogram_quantile(const struct ct_histogram *h, double share);

#endif
