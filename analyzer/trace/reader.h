/*
 * From a trace file to its chunks, whole or damaged. The file is untrusted:
 * lengths are bounded, checksums verified, and what is damaged is skipped and
 * counted. Memory: two chunks, and a few more where a second thread reads ahead.
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
	bool whole;               /* set by tests: windows read all chunks, too */
	bool alone;               /* nothing is read ahead: for a few of many chunks it is not worth it */
	/* Private. */
	uint64_t offset;          /* where the next chunk is looked for */
	uint64_t after;           /* where the last one that was found ends */
	uint64_t limit;           /* where the chunks end */
	uint64_t walked;          /* bytes before it have been walked: gaps in them are counted */
	struct ct_buf stored, raw;
	void *zstd;
	struct ct_index_entry *entry; /* the index, where it is used */
	uint32_t entry_count, entry_at;
	struct ct_ahead *ahead;
	bool sound;               /* of the last payload: see ct_reader_sound */
};

#define CT_PAYLOAD_SLACK 16u

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
/* The same of a descriptor, which it takes over in any case. */
int ct_reader_open_fd(struct ct_reader *r, int fd);
void ct_reader_close(struct ct_reader *r);
/* Another reader of the same file, at its first chunk; it counts damage for
 * itself. 0 or -errno; on anything but 0 nothing needs closing. */
int ct_reader_dup(struct ct_reader *ret, const struct ct_reader *r);
/* Begins again at the first chunk. */
void ct_reader_rewind(struct ct_reader *r);
/* Goes on at a chunk that was found before. */
void ct_reader_seek(struct ct_reader *r, uint64_t offset);

/* The file has grown to so many bytes: goes on behind the last chunk that was found. What stood there
 * and was no whole chunk may be one now. */
void ct_reader_grow(struct ct_reader *r, uint64_t file_bytes);

/* Lets the passes to come go by the file's index, if it has one, instead of by the
 * chunks themselves: what is not wanted of the file is not touched, and damage there is
 * not seen. Chunks have of their header what the index has. 0, -ENOMEM, -errno. */
int ct_reader_use_index(struct ct_reader *r);
/* The same by an index that is given: in the order of the file, of chunks that were found in it. Takes it over. */
void ct_reader_choose(struct ct_reader *r, struct ct_index_entry *entry, uint32_t count);
/* The chunk at an offset: 1, 0 if none is there, -errno. */
int ct_reader_at(struct ct_reader *r, uint64_t offset, struct ct_chunk *ret);

/* What of the chunks to come will be wanted. */
struct ct_want {
	uint32_t kinds;           /* CT_WANT of those */
	uint64_t from_ns, to_ns;  /* EVENTS and SWITCHES that have something in between; to 0: all */
	const uint32_t *process;  /* EVENTS of these processes, in order; NULL: of all. In use until the pass ends */
	uint32_t process_count;
	bool sound;               /* look whether their events and slices are sound, too */
};
#define CT_WANT(kind) (1u << (kind))

/* Lets a second thread read, check and decompress what is wanted of the chunks to come,
 * a few of them ahead, until the end, a rewind or the close. Nothing else changes by it:
 * neither what the functions below return nor what damage is counted when. Where there
 * can be no thread, nothing is read ahead, nor from a small file; 0 or 1 in that variable of the
 * environment says otherwise. */
#define CT_ENV_READ_AHEAD "CTRACE_READ_AHEAD"
void ct_reader_ahead(struct ct_reader *r, const struct ct_want *want);
bool ct_is_wanted(const struct ct_want *want, const struct ct_chunk_header *h);
/* The next chunk with a valid header whose bytes are all there, of whatever
 * kind: 1 and the chunk, 0 at the end, -errno; -ECANCELED: see progress.h. */
int ct_reader_next(struct ct_reader *r, struct ct_chunk *ret);
/* The chunk's payload, valid until the next call; behind it are CT_PAYLOAD_SLACK bytes, all 0,
 * that may be read as well. 0; -EBADMSG: damaged, which
 * has been counted; -ENOTSUP: a codec that we do not know; -errno. */
int ct_reader_payload(struct ct_reader *r, const struct ct_chunk *c, struct ct_span *ret);
/* Whether the events or slices of the last payload are known to be sound (columns.h):
 * the second thread has looked. */
static inline bool ct_reader_sound(const struct ct_reader *r)
{
	return r->sound;
}
/* Counts damage that a user of the payload has met. */
void ct_reader_damage(struct ct_reader *r, uint64_t offset, const char *what);

#endif
