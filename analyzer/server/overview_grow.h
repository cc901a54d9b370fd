/*
 * The picture of a trace that is being written: chunks are added as they come, and each
 * reading gets a copy (overview.h). When the time that the buckets cover is full they
 * become twice as long, so it takes the same memory however long the trace is: 24 bytes
 * for each of some million buckets, 12 bytes again in each copy, and the long waits.
 */
#ifndef CT_OVERVIEW_GROW_H
#define CT_OVERVIEW_GROW_H

#include "overview.h"

struct ct_overview_levels {
	uint8_t (*share[CT_OVERVIEW_LEVELS])[CT_SHADES]; /* as in struct ct_overview_lane */
	uint32_t count[CT_OVERVIEW_LEVELS], room[CT_OVERVIEW_LEVELS];
};

struct ct_overview_growing {
	struct ct_trace_map map;          /* of the model that grows */
	struct ct_window w;               /* of all of the time that the buckets cover */
	struct ct_overview_levels *levels; /* one a lane of w */
	bool begun;
};

/* Takes in what the reader has up to file_bytes; the model, which has read it, is the same each time. sites may be
 * NULL. 0, -ENOMEM, -errno. Close in either case. */
int ct_overview_go_on(struct ct_overview_growing *g, const struct ct_model *m, const struct ct_reader *reader, uint64_t file_bytes);
void ct_overview_growing_close(struct ct_overview_growing *g);
/* What has been taken in, for a snapshot of the model with its map, which has no chunks yet. 0 or -ENOMEM. */
int ct_overview_copy(struct ct_overview_growing *g, struct ct_overview *ret, struct ct_trace_map *map);

#endif
