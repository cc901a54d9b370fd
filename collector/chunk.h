/* Makes the chunks of a trace: payload to bytes. */
#ifndef CT_CHUNK_H
#define CT_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "switches.h"

#define CT_CUTS_MAX CT_SLICES_COLUMNS

/* Where a payload's parts begin that have little in common. */
struct ct_cuts {
	size_t at[CT_CUTS_MAX];
	unsigned int count;
};

struct ct_packer {
	void *zstd;        /* ZSTD_CCtx */
	struct ct_buf out; /* the chunk packed last: header and stored bytes */
};

/* -ENOMEM. */
int ct_packer_open(struct ct_packer *p);
void ct_packer_close(struct ct_packer *p);
/* Puts a chunk into p->out: compressed if that helps. kind, process, count and times of h are
 * the caller's, the rest is filled in; cuts may be NULL. False without memory, or if it is too large. */
bool ct_pack(struct ct_packer *p, struct ct_chunk_header *h, const struct ct_buf *payload, const struct ct_cuts *cuts);
/* What the index says of a chunk. */
struct ct_index_entry ct_index_entry_of(const struct ct_chunk_header *h, uint64_t offset);

#endif
