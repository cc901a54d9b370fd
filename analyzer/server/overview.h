/*
 * A whole trace as a picture, from coarse to fine, so that any window of any trace is
 * drawn in a time that depends on the width of the screen.
 *
 * The time of the trace is divided into equal buckets, so many that all threads' lives
 * together take at most CT_OVERVIEW_BUCKETS of them; each coarser level has half as
 * many. Windows that need finer pieces are read from the trace again (window.h), if so
 * little lies in them that it takes a moment. Waits of two buckets or more are kept as
 * they are.
 *
 * Memory: 12 bytes a bucket and 24 bytes a long wait; while it is made 24 bytes a bucket
 * more.
 */
#ifndef CT_OVERVIEW_H
#define CT_OVERVIEW_H

#include "window.h"

#define CT_OVERVIEW_BUCKETS (4u << 20)
#define CT_OVERVIEW_LEVELS  24u

struct ct_overview_lane {
	uint32_t first, count;              /* its buckets */
	uint8_t (*level[CT_OVERVIEW_LEVELS])[CT_SHADES]; /* of 255; level n from bucket first >> n on */
	CT_ARRAY(struct ct_bar, bar);       /* of two buckets or more, by end */
};

struct ct_overview {
	const struct ct_trace_map *map;
	uint64_t from_ns, to_ns;
	uint32_t buckets, levels;
	struct ct_overview_lane *lane;      /* one a thread; owned */
};

/* 0, -ENOMEM, -errno. Close in either case. */
int ct_overview_make(struct ct_overview *o, struct ct_trace_map *map);
void ct_overview_close(struct ct_overview *o);

/* Sums of twice as long buckets, in their place; their first. */
uint32_t ct_overview_halve(float (*sum)[CT_SHADES], uint32_t first, uint32_t *count);

/* Whether a window in so many pieces is too fine for it, and small enough to be read. */
bool ct_overview_is_fine(const struct ct_overview *o, uint64_t from_ns, uint64_t to_ns, uint32_t pieces);
/* The shares of a lane's pieces: [pieces][CT_SHADES]. */
void ct_overview_shares(const struct ct_overview *o, uint32_t lane, uint64_t from_ns, uint64_t to_ns, uint32_t pieces,
			uint8_t (*ret)[CT_SHADES]);

#endif
