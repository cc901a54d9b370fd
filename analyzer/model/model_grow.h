/*
 * The model of a trace that is being written: what has been read stays read, and reading
 * goes on where it ended. At any time a snapshot can be taken, with books of its own.
 *
 * What a snapshot says is what a whole reading of the same bytes says, but for:
 *   - the last seconds: calls count once the slices of their time are there, which are
 *     written up to some seconds later; a whole reading takes what is missing for unknown;
 *   - threads whose slices stood before the record of their begin: their first turns;
 *   - thread numbers that were used again before the record of the first one's end came.
 * Whoever follows a trace reads it as a whole once it has been finished.
 *
 * Memory: that of a model; a snapshot copies what records and threads take, but no sites
 * and cells.
 */
#ifndef CT_MODEL_GROW_H
#define CT_MODEL_GROW_H

#include "model_parts.h"
#include "model_switches.h"

struct ct_growing {
	struct ct_model m;         /* without books; options select nothing */
	/* Private. */
	struct ct_reader records, events;
	struct ct_record_pass first;
	struct ct_event_pass second;
	struct ct_slice_pass slices;
	bool has_slices;           /* slices is open */
	bool waits;                /* events that are there wait for their slices: */
	uint64_t since_ms;         /* so long */
};

/* Nothing is read yet. options must stay. 0, -ENOMEM, -errno. Close in either case. */
int ct_growing_open(struct ct_growing *g, const struct ct_reader *r, const struct ct_options *o);
void ct_growing_close(struct ct_growing *g);
/* Reads on up to file_bytes. 0; -EAGAIN: it must be begun anew, since what was read before would be read differently
 * now; -ENOMEM, -errno. */
int ct_growing_read(struct ct_growing *g, uint64_t file_bytes);
/* Whether events that wait have done so for long enough: reading takes them in even if nothing has come. */
bool ct_growing_is_due(const struct ct_growing *g);
/* A model of what has been read, to be freed before g is closed: it has g's texts. It knows of no sites, cells, locks,
 * waits and wakers. 0 or -ENOMEM; free in either case. */
int ct_growing_snapshot(const struct ct_growing *g, struct ct_model *ret);

#endif
