/*
 * Times of which a trace has nothing, though its threads lived: recording was switched
 * off (a piece of each thread's time, in events of the cause "unrecorded"), or a chunk
 * of events is damaged. What the scheduler's records lack is in the model's gaps; of
 * events that were lost is not known when.
 *
 * A pass over the events, which tells of regions, too. Memory: a row a thread.
 */
#ifndef CT_BLANKS_H
#define CT_BLANKS_H

#include "marks.h"

enum ct_blank_kind {
	CT_BLANK_OFF,            /* recording was switched off */
	CT_BLANK_DAMAGED,
};

struct ct_blank {
	uint64_t start_ns, end_ns;
	uint32_t thread;         /* of the model; CT_NO: all of the process */
	uint32_t process;
	enum ct_blank_kind kind;
};

struct ct_blanks {
	/* Those of a thread in the order of time, apart from each other, and so those of a process; in
	 * the whole trace, whatever the window. 0, -errno, or 1 for no more. */
	int (*take)(void *self, const struct ct_blank *blank);
	void *self;
	struct ct_marks *marks;  /* gets the begins and ends of regions; NULL: nobody wants them */
	/* Private. */
	const struct ct_model *m;
	struct ct_blank_piece {
		uint64_t start_ns, end_ns; /* end 0: none */
	} *piece;                /* by thread: not told yet */
	uint64_t *seen_ns;       /* by process: up to here its events are there */
};

/* Whether there can be any, as far as has been read. */
bool ct_blanks_matter(const struct ct_model *m, const struct ct_reader *r);
/* 0 or -errno; 1: the taker wants no more. */
int ct_blanks_read(struct ct_blanks *b, const struct ct_model *m, const struct ct_reader *reader);

#endif
