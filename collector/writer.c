/* Chunks, compression and index. See writer.h and abi/trace.h. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "clock.h"

/* Measured on mutexes, sockets and conditions: level 3 takes a fifth more time
 * and gains 1 %, level 9 five times as much and gains 2 %: times are noise. */
#define LEVEL         1
#define RECORDS_BYTES (512u << 10)
#define RECORDS_NS    1000000000u
#define CUTS_MAX      CT_SLICES_COLUMNS
#define INDEX_MAX     (CT_CHUNK_RAW_MAX / sizeof(struct ct_index_entry))

static int write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

static void put(struct ct_writer *w, const void *data, size_t n)
{
	if (w->error)
		return;
	w->error = write_all(w->fd, data, n);
	if (!w->error) {
		w->file_bytes += n;
		return;
	}
	/* Not a regular file: then what is there stays there. */
	int ignored = ftruncate(w->fd, (off_t)w->file_bytes);

	(void)ignored;
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A new file takes the place of one that is there: another collector may be about to write its
 * end. What cannot be removed, or is no plain file, is written over. Others may not read it: it
 * holds paths and command lines. */
static int open_file(const char *path)
{
	struct stat there;
	int fd;

	if (!lstat(path, &there) && S_ISREG(there.st_mode) && !access(path, W_OK) && !unlink(path)) {
		/* In a folder of many users somebody may have been quicker. */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd < 0 ? -errno : fd;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &there) && S_ISREG(there.st_mode)) {
		if (there.st_uid == geteuid())
			fchmod(fd, 0600);
		if (ftruncate(fd, 0)) {
			int error = -errno;

			close(fd);
			return error;
		}
	}
	return fd;
}

int ct_writer_open(struct ct_writer *w, const char *path)
{
	struct ct_file_header header = {
		.magic = CT_TRACE_MAGIC,
		.version = CT_TRACE_VERSION,
		.header_bytes = sizeof(header),
		.start_ns = ct_now_ns(),
		.start_real_ns = real_ns(),
	};

	header.crc = ct_crc32c(&header, offsetof(struct ct_file_header, crc));
	*w = (struct ct_writer){ .fd = -1 };
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_contentSizeFlag, 1);

	w->fd = open_file(path);
	int error = w->fd < 0 ? w->fd : write_all(w->fd, &header, sizeof(header));

	if (error) {
		if (w->fd >= 0)
			ct_writer_discard(w, path);
		ZSTD_freeCCtx(w->zstd);
		w->zstd = NULL;
		return error;
	}
	w->file_bytes = sizeof(header);
	return 0;
}

void ct_writer_discard(struct ct_writer *w, const char *path)
{
	struct stat here, there;

	if (!fstat(w->fd, &here) && S_ISREG(here.st_mode) && !lstat(path, &there) &&
	    here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		unlink(path);
	close(w->fd);
	w->fd = -1;
}

/* Where a payload's parts begin that have little in common. */
struct cuts {
	size_t at[CUTS_MAX];
	unsigned int count;
};

/* One frame; a new block, with statistics of its own, at each cut. Returns the
 * size, or 0 when compression failed. */
static size_t compress(struct ct_writer *w, uint8_t *to, size_t room, const struct ct_buf *payload,
		       const struct cuts *cuts)
{
	ZSTD_inBuffer in = { payload->data, 0, 0 };
	ZSTD_outBuffer out = { to, room, 0 };

	ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(w->zstd, payload->size);
	for (unsigned int i = 0; i <= cuts->count; i++) {
		bool last = i == cuts->count;

		in.size = last ? payload->size : cuts->at[i];
		if (ZSTD_compressStream2(w->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_flush))
			return 0;
	}
	return out.pos;
}

/* Puts the payload behind room for its header in w->out: compressed if that helps. */
static bool pack(struct ct_writer *w, struct ct_chunk_header *h, const struct ct_buf *payload,
		 const struct cuts *cuts)
{
	/* A block that does not shrink takes 3 bytes more. */
	size_t bound = ZSTD_compressBound(payload->size) + 16 * CUTS_MAX;

	ct_buf_clear(&w->out);
	if (!ct_buf_reserve(&w->out, sizeof(*h) + bound))
		return false;
	uint8_t *body = w->out.data + sizeof(*h);
	size_t n = compress(w, body, bound, payload, cuts);

	h->codec = CT_CODEC_ZSTD;
	if (!n || n >= payload->size) {
		memcpy(body, payload->data, payload->size);
		n = payload->size;
		h->codec = CT_CODEC_RAW;
	}
	h->stored_bytes = (uint32_t)n;
	h->raw_bytes = (uint32_t)payload->size;
	h->stored_crc = ct_crc32c(body, n);
	h->crc = ct_crc32c(h, offsetof(struct ct_chunk_header, crc));
	memcpy(w->out.data, h, sizeof(*h));
	w->out.size = sizeof(*h) + n;
	return true;
}

static void write_chunk(struct ct_writer *w, struct ct_chunk_header *h, const struct ct_buf *payload,
			const struct cuts *cuts)
{
	static const struct cuts none;

	if (w->error)
		return;
	h->magic = CT_CHUNK_MAGIC;
	if (payload->failed || payload->size > CT_CHUNK_RAW_MAX || !pack(w, h, payload, cuts ? cuts : &none)) {
		w->error = -ENOMEM;
		return;
	}
	struct ct_index_entry entry = {
		.offset = w->file_bytes,
		.kind = h->kind,
		.process = h->process,
		.count = h->count,
		.raw_bytes = h->raw_bytes,
		.first_ns = h->first_ns,
		.last_ns = h->last_ns,
	};

	put(w, w->out.data, w->out.size);
	if (w->error || h->kind == CT_CHUNK_INDEX)
		return;
	ct_put_bytes(&w->index, &entry, sizeof(entry));
	w->index_count++;
}

void ct_writer_close(struct ct_writer *w)
{
	ct_writer_flush(w);
	/* An index too large for a chunk is left out: readers scan instead. */
	if (!w->error && !w->index.failed && w->index_count <= INDEX_MAX) {
		struct ct_trailer trailer = { .index_offset = w->file_bytes, .magic = CT_TRAILER_MAGIC };
		struct ct_chunk_header h = { .kind = CT_CHUNK_INDEX, .count = w->index_count };

		h.first_ns = h.last_ns = ct_now_ns();
		write_chunk(w, &h, &w->index, NULL);
		trailer.file_bytes = w->file_bytes + sizeof(trailer);
		trailer.crc = ct_crc32c(&trailer, offsetof(struct ct_trailer, crc));
		put(w, &trailer, sizeof(trailer));
	}
	/* Some file systems tell only now that there is no room. */
	if (close(w->fd) && !w->error && errno != EINTR)
		w->error = -errno;
	ct_buf_free(&w->records);
	ct_buf_free(&w->raw);
	ct_buf_free(&w->out);
	ct_buf_free(&w->index);
	ZSTD_freeCCtx(w->zstd);
	w->zstd = NULL;
	w->fd = -1;
}

static void records_came(struct ct_writer *w, uint32_t count)
{
	if (!w->record_count)
		w->records_since_ns = ct_now_ns();
	w->record_count += count;
	if (w->records.size >= RECORDS_BYTES)
		ct_writer_flush(w);
}

void ct_writer_record(struct ct_writer *w, const struct ct_record *record)
{
	if (w->error)
		return;
	ct_put_record(&w->records, record);
	records_came(w, 1);
}

void ct_writer_records(struct ct_writer *w, const struct ct_buf *encoded, uint32_t count)
{
	if (w->error || !count)
		return;
	ct_put_bytes(&w->records, encoded->data, encoded->size);
	records_came(w, count);
}

void ct_writer_flush(struct ct_writer *w)
{
	if (!w->record_count)
		return;
	struct ct_chunk_header h = {
		.kind = CT_CHUNK_RECORDS,
		.count = w->record_count,
		.first_ns = w->records_since_ns,
		.last_ns = ct_now_ns(),
	};

	write_chunk(w, &h, &w->records, NULL);
	ct_buf_clear(&w->records);
	w->record_count = 0;
}

/* The columns stand at the payload's end. */
static void cut_columns(struct cuts *cuts, size_t at, const struct ct_buf *columns, unsigned int count)
{
	cuts->count = count;
	for (size_t i = count; i-- > 0; at -= 1 + (columns[i].size > 127))
		cuts->at[i] = at -= columns[i].size;
}

void ct_writer_events(struct ct_writer *w, uint32_t process, struct ct_events_encoder *e)
{
	if (!e->count)
		return;
	ct_writer_flush(w);
	struct ct_chunk_header h = {
		.kind = CT_CHUNK_EVENTS,
		.process = process,
		.count = e->count,
		.first_ns = e->first_ns,
		.last_ns = e->last_ns,
	};

	struct cuts cuts;

	ct_buf_clear(&w->raw);
	if (ct_events_finish(e, &w->raw) && !w->error)
		w->error = -ENOMEM;
	cut_columns(&cuts, w->raw.size, e->columns, CT_COLUMNS);
	write_chunk(w, &h, &w->raw, &cuts);
	if (w->error)
		w->events_dropped += h.count;
	else
		w->events += h.count;
	ct_events_reset(e);
}

void ct_writer_switches(struct ct_writer *w, struct ct_switches_encoder *e)
{
	struct ct_chunk_header h = {
		.kind = CT_CHUNK_SWITCHES,
		.count = e->count,
		.first_ns = e->first_ns,
		.last_ns = e->last_ns,
	};
	struct cuts cuts;

	ct_buf_clear(&w->raw);
	if (ct_switches_finish(e, &w->raw) && !w->error)
		w->error = -ENOMEM;
	cut_columns(&cuts, w->raw.size, e->columns, CT_SLICES_COLUMNS);
	write_chunk(w, &h, &w->raw, &cuts);
	if (!w->error)
		w->slices += h.count;
}

void ct_writer_tick(struct ct_writer *w, uint64_t now_ns)
{
	if (w->record_count && now_ns - w->records_since_ns >= RECORDS_NS)
		ct_writer_flush(w);
}
