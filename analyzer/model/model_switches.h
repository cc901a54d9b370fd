/*
 * Slices: from SWITCHES chunks to the lives of threads. See timeline.h.
 *
 * They are read along with the events, a little ahead of them, by a reader of
 * their own: an EVENTS chunk says which moments it is about. What is held of
 * them is bounded by the number of threads and by the slices of the seconds
 * that the writer of the events may be behind, not by the length of the trace.
 */
#ifndef CT_MODEL_SWITCHES_H
#define CT_MODEL_SWITCHES_H

#include "model.h"

struct ct_slice_pass {
	struct ct_reader reader;
	struct ct_switches_decoder decoder;
	struct ct_want want;      /* of the chunks; those outside of a window are not read */
	uint64_t seen_ns;         /* everything up to there was read */
	bool at_end;
	uint32_t *task;           /* of the chunk's tasks: 1 + place in order; CT_NO: not looked up yet */
	uint32_t task_capacity;
	uint32_t *waker;          /* of the chunk's tasks, four each, by the kinds of interrupts: 1 + place in
				   * the model's wakers; 0: not looked up yet */
	uint32_t waker_capacity;
	struct ct_delays other;   /* of slices that say nothing of them */
	uint32_t *order;          /* selected threads by tid and start */
	struct ct_table by_tid;   /* tid -> 1 + place of its first thread that may still live */
};

/* Before the first event: lives for the selected threads. r is the reader of the
 * events; damage is counted there. 0, -ENOMEM. Close in either case. */
int ct_slices_open(struct ct_slice_pass *p, struct ct_model *m, const struct ct_reader *r);
/* Reads on until all is known of a moment, or to the end. 0, -ENOMEM, -errno. */
int ct_slices_until(struct ct_slice_pass *p, struct ct_model *m, struct ct_reader *r, uint64_t ns);
/* Reads the rest. Afterwards all lives are whole. */
int ct_slices_finish(struct ct_slice_pass *p, struct ct_model *m, struct ct_reader *r);
void ct_slices_close(struct ct_slice_pass *p);

/* The trace has grown (model_grow.h): lives for threads that are new, and the others' go on. 0 or -ENOMEM. */
int ct_slices_more(struct ct_slice_pass *p, struct ct_model *m, uint64_t file_bytes);
/* Ends all lives, of what has been read. 0 or -ENOMEM. */
int ct_slices_end(struct ct_model *m);
/* A chunk is complete up to about so long before its end. */
#define CT_SLICES_AHEAD_NS 1500000000ull

/* In the first pass: what a chunk's header says, and what its gaps are. 0, -EBADMSG, -ENOMEM. */
void ct_slices_count(struct ct_model *m, const struct ct_chunk_header *h);
int ct_slices_gaps(struct ct_model *m, struct ct_switches_decoder *d, struct ct_span payload);

/* --- between model_switches.c and model_before.c --- */

/* The lives as they are when the window begins: from the last slice of each thread in
 * the chunks before it. 0, -ENOMEM, -errno. */
int ct_slices_before(struct ct_slice_pass *p, struct ct_model *m);
/* Forgets whose tasks' the decoder's are. */
int ct_slices_tasks(struct ct_slice_pass *p);
int ct_slices_take(struct ct_slice_pass *p, struct ct_model *m, const struct ct_slice *s);

#endif
