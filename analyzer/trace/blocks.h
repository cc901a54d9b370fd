/*
 * Events and slices of sound columns (columns.h), many at a time: their varints are
 * read without a branch on their lengths, those of several columns side by side, as
 * what is next in one is known only when the one before it has been measured.
 *
 * Where the CPU has PEXT, and fast, it gathers the seven bits of each byte (BMI2);
 * elsewhere shifts do. Whole words are read: behind the payload there must be
 * CT_PAYLOAD_SLACK bytes, as there are behind those of a reader.
 */
#ifndef CT_BLOCKS_H
#define CT_BLOCKS_H

#include "columns.h"

#define CT_BLOCK_MAX 128u

struct ct_event_block {
	uint64_t start_ns[CT_BLOCK_MAX], end_ns[CT_BLOCK_MAX];
	uint32_t site[CT_BLOCK_MAX];
	uint64_t first_ns, last_ns; /* the earliest start and the latest end in it; UINT64_MAX, 0: none */
	uint64_t odd;               /* not 0: some end before their start, or begin after INT64_MAX */
};

/* The next n events of a batch, at most CT_BLOCK_MAX: there must be as many. */
void ct_event_block(struct ct_columns *c, uint32_t n, struct ct_event_block *ret);

struct ct_slice_block {
	struct ct_slice slice[CT_BLOCK_MAX];
	uint64_t first_ns, last_ns; /* as above */
	uint64_t odd;               /* not 0: times of some make no sense: ct_slice_is_odd */
};

/* Whether its times cannot be: it ends before it starts, or was woken after it. */
static inline uint64_t ct_slice_is_odd(const struct ct_slice *s)
{
	return (uint64_t)(s->end_ns < s->start_ns) | s->end_ns >> 63 | (uint64_t)(s->woken_ns > s->start_ns);
}

/* Whether all numbers of an opened payload's slices but the times are of a byte each. */
bool ct_slices_small(const struct ct_switches_decoder *d);
/* The next n slices of an opened payload that is sound and has as many: ct_switches_next
 * without its checks. small: what ct_slices_small said. */
void ct_slice_block(struct ct_switches_decoder *d, uint32_t n, bool small, struct ct_slice_block *ret);

/* For tests: 0: shifts, 1: PEXT, which the CPU must have, 2: as is best here. */
void ct_blocks_use(int how);
/* Whether this CPU has it. */
bool ct_blocks_pext(void);

#endif
