/*
 * A trace that is being written, for serve: its model and its picture, which go on. One thread
 * reads on; each reading (api.h) is a snapshot that others answer from. Whatever the size of
 * the trace, a reading takes what its new part takes, and a copy of what records and threads
 * take.
 *
 * What the readings have in common lives as long as any of them.
 */
#ifndef CT_GROWTH_H
#define CT_GROWTH_H

#include "api.h"

struct ct_growth;

/* Begins with a trace of which nothing is read yet; the reader is dupped, the options must stay. 0, -ENOMEM, -errno. */
int ct_growth_begin(struct ct_growth **ret, const struct ct_reader *r, const struct ct_options *o, uint32_t generation);
void ct_growth_let_go(struct ct_growth *g); /* may be NULL */

/* What has become of the file. */
enum ct_growth_state {
	CT_GROWTH_MORE,     /* or as much as there was */
	CT_GROWTH_FINISHED, /* its writer has finished it */
	CT_GROWTH_ANOTHER,  /* the descriptor's file does not begin as it did, or is shorter */
};
/* ret_bytes: up to where there can be chunks to read. */
enum ct_growth_state ct_growth_look(const struct ct_growth *g, uint64_t *ret_bytes);
/* Whether it has been read up to there. */
bool ct_growth_is_done(const struct ct_growth *g, uint64_t bytes);
/* Whether to read again though nothing has been written: what was to come did not come. */
bool ct_growth_is_due(const struct ct_growth *g);

/* Reads on, and makes a snapshot. The context has no reader yet: it gets one. s is zeroed but for its generation. 0;
 * -EAGAIN: it must be begun anew; -ENOMEM, -errno. Close s in either case. */
int ct_growth_read(struct ct_growth *g, uint64_t bytes, struct ct_served *s, struct ct_context *c);

#endif
