/*
 * What is drawn on lanes beside states: the regions and lines of the program (ctrace.h),
 * and times of which nothing was recorded.
 *
 * Where a trace has any, a pass over its events and records makes a coarse picture of the
 * whole: regions that are long enough as they are, runs of shorter ones as one note each
 * that says how many it stands for. For a small window the short ones are read from the
 * trace again; they lie within least_ns of it.
 *
 * Of a trace that grows and has any it is made anew for each reading.
 *
 * Memory: at most about CT_NOTES_MOST notes and lines, and as many blanks; where there are
 * more, more of them are one.
 */
#ifndef CT_NOTES_H
#define CT_NOTES_H

#include "blanks.h"
#include "overview.h"
#include "tasks.h"

#define CT_NOTE_DEPTHS 6u           /* regions in more others than that are not drawn */
#define CT_NOTES_MOST  1000000u

/* Regions of a thread that lie in the same number of others. */
struct ct_note {
	uint64_t start_ns, end_ns;
	uint32_t name, task;        /* in ct_model.name; CT_NO: none, or several */
	uint32_t count;
};

struct ct_note_row {
	CT_ARRAY(struct ct_note, note); /* in the order of time */
};

/* Log lines. */
struct ct_said {
	uint64_t ns, last_ns;
	uint32_t count;
};

struct ct_note_lane {
	struct ct_note_row row[CT_NOTE_DEPTHS];
	CT_ARRAY(struct ct_said, said);
	CT_ARRAY(struct ct_blank, blank);
};

struct ct_notes {
	const struct ct_trace_map *map;
	struct ct_note_lane *lane;  /* one a thread; NULL: there is nothing to draw; owned */
	uint64_t least_ns;          /* shorter regions may be merged */
	uint64_t said_ns;           /* lines that are nearer are one */
	uint64_t count;             /* of all notes and lines */
	uint64_t blanks;            /* of all lanes */
};

/* least_ns: two buckets of the overview. 0, -ENOMEM, -errno. Close in either case. */
int ct_notes_make(struct ct_notes *n, const struct ct_trace_map *map, uint64_t least_ns, bool damaged);
void ct_notes_close(struct ct_notes *n);

/* Adds a note behind the others of a row; shorter ones than least_ns become one with what is before them and near.
 * -ENOMEM: there is no memory. 1: it has become part of the last one. */
int ct_note_add(struct ct_note_row *row, uint64_t least_ns, const struct ct_note *note);
/* The same of those that are there. */
void ct_note_merge(struct ct_note_row *row, uint64_t least_ns);
/* Whether it stands for itself alone. */
static inline bool ct_note_is_one(const struct ct_note *n, uint64_t least_ns)
{
	return n->count == 1 && n->end_ns - n->start_ns >= least_ns;
}

/* Reads the regions again that have something in a window and are shorter than least_ns; lane: whose are wanted, by thread.
 * The taker returns 0 or -errno. */
int ct_notes_short(const struct ct_notes *n, uint64_t from_ns, uint64_t to_ns, const bool *lane,
		   int (*take)(void *self, uint32_t lane, uint32_t depth, const struct ct_note *note), void *self);
/* Whether so little lies there that they can be. */
bool ct_notes_are_few(const struct ct_notes *n, uint64_t from_ns, uint64_t to_ns);
/* The regions that a thread was in, outer ones first; count 0: none. */
int ct_notes_at(const struct ct_notes *n, uint32_t lane, uint64_t ns, struct ct_note ret[CT_NOTE_DEPTHS]);

#endif
