/*
 * Chunks that are kept in memory as they will stand in a file: bytes in pieces of one
 * size, each with a mapping of its own, so that what is given up is given back.
 *
 * Bytes, once added, stay where they are: another thread may read those that were there
 * when it was started while more are added. Zero-initialise but for piece_bytes.
 */
#ifndef CT_CHUNKS_H
#define CT_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "trace.h"

struct ct_piece_of_chunks {
	struct ct_piece_of_chunks *next;
	uint8_t data[];
};

struct ct_chunks {
	size_t piece_bytes;              /* a multiple of the page size */
	struct ct_piece_of_chunks *first, *last; /* owned */
	size_t used;                     /* bytes in last */
	uint64_t bytes;                  /* of chunks */
	struct ct_buf index;             /* struct ct_index_entry of each; offsets from the first chunk */
	uint32_t count;
	uint64_t events, slices;
};

/* Adds a packed chunk whose header is h. -ENOMEM: it is not there. */
int ct_chunks_add(struct ct_chunks *c, const struct ct_buf *packed, const struct ct_chunk_header *h);
/* Memory that it takes. */
uint64_t ct_chunks_memory(const struct ct_chunks *c);
void ct_chunks_free(struct ct_chunks *c);

#endif
