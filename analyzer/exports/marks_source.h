/* The program's own regions, tasks and lines as a stream, for exports: a pass of its own each. The window clips. */
#ifndef CT_MARKS_SOURCE_H
#define CT_MARKS_SOURCE_H

#include "tasks.h"
#include "timeline_source.h"

struct ct_region_slice {
	uint64_t start_ns, end_ns;
	uint32_t thread, name, task; /* of the model; task: a name, CT_NO: of none */
	uint32_t depth;              /* 0: no region is around it */
};

/* Regions of the selected threads that --region and --task mean, as they end: inner ones first. The taker returns 0, -errno, or 1
 * for no more. */
int ct_source_regions(struct ct_timeline_source *s, int (*take)(void *self, const struct ct_region_slice *slice), void *self);
/* Tasks and lines; either may be NULL. Times are clipped to the window. */
int ct_source_tasks(struct ct_timeline_source *s, int (*task)(void *self, const struct ct_task *task),
		    int (*log)(void *self, const struct ct_log_line *line), void *self);

/* Regions are told to begin a little earlier and to end a little later than they do, outer ones more, so that tools that order by
 * time nest what has equal times as it was. Times of the trace are 16 ns apart. */
static inline uint64_t ct_region_margin(const struct ct_region_slice *r)
{
	return r->depth < 3 ? 4 - r->depth : 1;
}

/* What was not recorded is told so much later, and to end so much earlier, that it lies in them. */
#define CT_BLANK_MARGIN 8u
static inline uint64_t ct_blank_end(const struct ct_blank *b)
{
	return b->end_ns - b->start_ns > 2 * CT_BLANK_MARGIN ? b->end_ns - CT_BLANK_MARGIN : b->start_ns + CT_BLANK_MARGIN;
}

#endif
