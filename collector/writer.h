/*
 * Writes the trace file: gathers records, compresses chunks, keeps the index.
 *
 * The first failure to write ends the file: it is cut back to its last whole
 * chunk, everything later is dropped without a word, and error says why.
 */
#ifndef CT_WRITER_H
#define CT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"
#include "chunks.h"

struct ct_writer {
	int fd;
	int error;               /* 0, or the -errno that ended the file */
	uint64_t file_bytes;     /* whole chunks in the file */
	uint64_t events;         /* events in them */
	uint64_t slices;         /* slices in them */
	uint64_t events_dropped; /* events that came after the error */
	struct ct_buf records;   /* not yet written */
	uint32_t record_count;
	uint64_t records_since_ns; /* when the oldest of them came */
	struct ct_buf raw, index;
	uint32_t index_count;
	struct ct_packer packer;
	/* Chunks are kept in memory instead: then there is no file, header, index or error. */
	struct ct_chunks *memory; /* NULL: a file */
	bool (*room)(void *self, size_t bytes); /* whether a chunk may be kept; NULL: each */
	void *self;
};

/* An index of more chunks is left out. */
#define CT_INDEX_MAX (CT_CHUNK_RAW_MAX / sizeof(struct ct_index_entry))

/* Creates the file with its header. Nothing is left behind on failure. -errno. */
int ct_writer_open(struct ct_writer *w, const char *path);
/* Gathers chunks in memory. -ENOMEM. */
int ct_writer_open_memory(struct ct_writer *w, struct ct_chunks *memory);
/* Ends the file with index and trailer, and closes it. */
void ct_writer_close(struct ct_writer *w);
/* Removes a file that turned out to be of no use, unless it is no regular file. */
void ct_writer_discard(struct ct_writer *w, const char *path);

void ct_writer_record(struct ct_writer *w, const struct ct_record *record);
/* Records that were encoded elsewhere. */
void ct_writer_records(struct ct_writer *w, const struct ct_buf *encoded, uint32_t count);
/* Writes the gathered records as a chunk. */
void ct_writer_flush(struct ct_writer *w);
/* Flushes the records, then writes the encoder's events as a chunk and resets it. */
void ct_writer_events(struct ct_writer *w, uint32_t process, struct ct_events_encoder *e);
/* Writes the encoder's slices and gaps as a chunk. It must be reset afterwards. */
void ct_writer_switches(struct ct_writer *w, struct ct_switches_encoder *e);
/* Flushes records that are many or old. */
void ct_writer_tick(struct ct_writer *w, uint64_t now_ns);

/* --- for whoever writes a trace from memory --- */

void ct_file_header(struct ct_file_header *h, uint64_t start_ns, uint64_t start_real_ns);
/* A new file in place of the one that is there, readable by nobody else. Its descriptor, or -errno. */
int ct_open_trace(const char *path);
int ct_write_all(int fd, const void *data, size_t n);
/* CLOCK_REALTIME. */
uint64_t ct_real_ns(void);

#endif
