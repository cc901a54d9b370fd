/*
 * From a trace file to its chunks, whole or damaged. The file is untrusted:
 * lengths are bounded, checksums verified, and what is damaged is skipped and
 * counted. Memory: two chunks.
 */
#ifndef CT_READER_H
#define CT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"

struct ct_reader {
	int fd;
	uint64_t file_bytes;      /* when it was opened */
	struct ct_file_header header;
	bool has_trailer;         /* the file was finished by its writer */
	uint64_t index_offset;    /* of the INDEX chunk, if has_trailer */
	/* Damage found so far, over all passes, each place counted once. */
	uint64_t damaged;         /* chunks and gaps that could not be read */
	uint64_t damage_offset;   /* of the first */
	const char *damage;       /* what was wrong there; static text */
	/* Private. */
	uint64_t offset;          /* where the next chunk is looked for */
	uint64_t limit;           /* where the chunks end */
	uint64_t walked;          /* bytes before it have been walked: gaps in them are counted */
	struct ct_buf stored, raw;
	void *zstd;
};

struct ct_chunk {
	struct ct_chunk_header header;
	uint64_t offset;          /* of the header in the file */
};

/* Why a file cannot be read at all, beside -errno of open(2) and read(2). */
enum ct_reader_error {
	CT_READER_EMPTY = 1,      /* no byte in it */
	CT_READER_NO_TRACE,       /* magic or header checksum is wrong */
	CT_READER_VERSION,        /* header.version or header.must_know is not ours */
	CT_READER_KIND,           /* not a regular file */
};

/* Opens a trace. 0; -errno; or an enum ct_reader_error, r->header holds what
 * was read. On anything but 0 nothing needs closing. */
int ct_reader_open(struct ct_reader *r, const char *path);
void ct_reader_close(struct ct_reader *r);
/* Another reader of the same file, at its first chunk; it counts damage for
 * itself. 0 or -errno; on anything but 0 nothing needs closing. */
int ct_reader_dup(struct ct_reader *ret, const struct ct_reader *r);
/* Begins again at the first chunk. */
void ct_reader_rewind(struct ct_reader *r);
/* Goes on at a chunk that was found before. */
void ct_reader_seek(struct ct_reader *r, uint64_t offset);
/* The next chunk with a valid header whose bytes are all there, of whatever
 * kind: 1 and the chunk, 0 at the end, -errno. */
int ct_reader_next(struct ct_reader *r, struct ct_chunk *ret);
/* The chunk's payload, valid until the next call. 0; -EBADMSG: damaged, which
 * has been counted; -ENOTSUP: a codec that we do not know; -errno. */
int ct_reader_payload(struct ct_reader *r, const struct ct_chunk *c, struct ct_span *ret);
/* Counts damage that a user of the payload has met. */
void ct_reader_damage(struct ct_reader *r, uint64_t offset, const char *what);

#endif
