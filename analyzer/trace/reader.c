/* Chunks of a trace file. See reader.h and docs/trace-format.md. */
#include "reader_ahead.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define SEARCH_BYTES (64u << 10)

/* Reads n bytes at offset. 0, -EBADMSG where the file ends before, -errno. */
static int read_at(int fd, uint64_t offset, void *data, size_t n)
{
	char *p = data;

	while (n) {
		ssize_t done = pread(fd, p, n, (off_t)offset);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!done)
			return -EBADMSG;
		p += done;
		offset += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

void ct_reader_damage(struct ct_reader *r, uint64_t offset, const char *what)
{
	if (!r->damaged++ || offset < r->damage_offset) {
		r->damage_offset = offset;
		r->damage = what;
	}
}

static int read_trailer(struct ct_reader *r)
{
	struct ct_trailer t;

	if (r->file_bytes < r->header.header_bytes + sizeof(t))
		return 0;
	uint64_t offset = r->file_bytes - sizeof(t);
	int error = read_at(r->fd, offset, &t, sizeof(t));

	if (error)
		return error == -EBADMSG ? 0 : error;
	if (t.magic != CT_TRAILER_MAGIC || t.file_bytes != r->file_bytes ||
	    t.crc != ct_crc32c(&t, offsetof(struct ct_trailer, crc)))
		return 0;
	r->has_trailer = true;
	r->index_offset = t.index_offset;
	r->limit = offset;
	return 0;
}

static int read_header(struct ct_reader *r)
{
	struct ct_file_header *h = &r->header;
	struct stat st;

	if (fstat(r->fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return CT_READER_KIND;
	r->file_bytes = r->limit = (uint64_t)st.st_size;
	if (!st.st_size)
		return CT_READER_EMPTY;
	int error = read_at(r->fd, 0, h, sizeof(*h));

	if (error)
		return error == -EBADMSG ? CT_READER_NO_TRACE : error;
	if (h->magic != CT_TRACE_MAGIC || h->crc != ct_crc32c(h, offsetof(struct ct_file_header, crc)) ||
	    h->header_bytes < sizeof(*h))
		return CT_READER_NO_TRACE;
	if (h->version != CT_TRACE_VERSION || h->must_know)
		return CT_READER_VERSION;
	return read_trailer(r);
}

int ct_reader_open(struct ct_reader *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*r = (struct ct_reader){ .fd = -1 };
	return fd < 0 ? -errno : ct_reader_open_fd(r, fd);
}

int ct_reader_open_fd(struct ct_reader *r, int fd)
{
	*r = (struct ct_reader){ .fd = fd };
	int error = read_header(r);

	if (!error) {
		r->zstd = ZSTD_createDCtx();
		if (!r->zstd)
			error = -ENOMEM;
	}
	if (error) {
		close(r->fd);
		r->fd = -1;
		return error;
	}
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	ct_reader_rewind(r);
	return 0;
}

int ct_reader_dup(struct ct_reader *ret, const struct ct_reader *r)
{
	struct ct_reader d = {
		.fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0),
		.file_bytes = r->file_bytes,
		.header = r->header,
		.has_trailer = r->has_trailer,
		.index_offset = r->index_offset,
		.limit = r->limit,
		.alone = r->alone,
	};

	if (d.fd < 0)
		return -errno;
	d.zstd = ZSTD_createDCtx();
	if (!d.zstd) {
		close(d.fd);
		return -ENOMEM;
	}
	if (r->entry) {
		d.entry = malloc((r->entry_count + 1u) * sizeof(*d.entry));
		if (!d.entry) {
			close(d.fd);
			ZSTD_freeDCtx(d.zstd);
			return -ENOMEM;
		}
		memcpy(d.entry, r->entry, r->entry_count * sizeof(*d.entry));
		d.entry_count = r->entry_count;
	}
	ct_reader_rewind(&d);
	*ret = d;
	return 0;
}

void ct_reader_close(struct ct_reader *r)
{
	ct_ahead_stop(r);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	ct_buf_free(&r->stored);
	ct_buf_free(&r->raw);
	free(r->entry);
	r->entry = NULL;
	ZSTD_freeDCtx(r->zstd);
	r->zstd = NULL;
}

void ct_reader_rewind(struct ct_reader *r)
{
	ct_ahead_stop(r);
	r->offset = r->after = r->header.header_bytes;
	r->entry_at = 0;
}

void ct_reader_seek(struct ct_reader *r, uint64_t offset)
{
	ct_ahead_stop(r);
	/* From there on by the chunks themselves. */
	free(r->entry);
	r->entry = NULL;
	r->offset = r->after = offset;
}

void ct_reader_grow(struct ct_reader *r, uint64_t file_bytes)
{
	ct_ahead_stop(r);
	r->file_bytes = r->limit = file_bytes;
	r->offset = r->after;
}

/* A valid chunk header at offset whose bytes are all there: 1, otherwise 0, or -errno. */
static int chunk_at(const struct ct_reader *r, uint64_t offset, struct ct_chunk *ret)
{
	struct ct_chunk_header h;

	if (offset > r->limit || r->limit - offset < sizeof(h))
		return 0;
	int error = read_at(r->fd, offset, &h, sizeof(h));

	if (error)
		return error == -EBADMSG ? 0 : error;
	if (h.magic != CT_CHUNK_MAGIC || h.crc != ct_crc32c(&h, offsetof(struct ct_chunk_header, crc)) ||
	    h.raw_bytes > CT_CHUNK_RAW_MAX || h.stored_bytes > CT_CHUNK_RAW_MAX ||
	    h.stored_bytes > r->limit - offset - sizeof(h))
		return 0;
	*ret = (struct ct_chunk){ .header = h, .offset = offset };
	return 1;
}

/* Whether the file ends in what was to become a chunk: it was cut, or is still
 * being written, which is no damage. */
static bool is_cut(const struct ct_reader *r, uint64_t offset)
{
	struct ct_chunk_header h = { 0 };
	uint64_t rest = r->limit - offset;
	size_t n = rest < sizeof(h) ? (size_t)rest : sizeof(h);

	if (r->has_trailer || read_at(r->fd, offset, &h, n))
		return false;
	uint32_t magic = CT_CHUNK_MAGIC;

	if (n < sizeof(h))
		return !memcmp(&h, &magic, n < sizeof(magic) ? n : sizeof(magic));
	return h.magic == magic && h.crc == ct_crc32c(&h, offsetof(struct ct_chunk_header, crc)) &&
	       h.stored_bytes <= CT_CHUNK_RAW_MAX && h.stored_bytes > rest - sizeof(h);
}

/* The first valid chunk at or after offset: 1, 0 if there is none, -errno. */
static int search(const struct ct_reader *r, uint64_t offset, struct ct_chunk *ret)
{
	static const uint32_t magic = CT_CHUNK_MAGIC;
	uint8_t block[SEARCH_BYTES];

	while (offset < r->limit && r->limit - offset >= sizeof(struct ct_chunk_header)) {
		size_t n = r->limit - offset < sizeof(block) ? (size_t)(r->limit - offset) : sizeof(block);
		int error = read_at(r->fd, offset, block, n);

		if (error)
			return error == -EBADMSG ? 0 : error;
		const uint8_t *p = block;

		while ((p = memmem(p, (size_t)(block + n - p), &magic, sizeof(magic)))) {
			int found = chunk_at(r, offset + (uint64_t)(p - block), ret);

			if (found)
				return found;
			p++;
		}
		/* A magic that the block's end cuts is seen in the next one. */
		offset += n - (sizeof(magic) - 1);
	}
	return 0;
}

int ct_reader_at(struct ct_reader *r, uint64_t offset, struct ct_chunk *ret)
{
	return chunk_at(r, offset, ret);
}

/* --- by the index --- */

static int next_entry(struct ct_reader *r, struct ct_chunk *ret)
{
	if (r->entry_at < r->entry_count) {
		const struct ct_index_entry *e = &r->entry[r->entry_at++];

		*ret = (struct ct_chunk){ .offset = e->offset, .header = {
			.magic = CT_CHUNK_MAGIC, .kind = e->kind, .process = e->process, .count = e->count,
			.raw_bytes = e->raw_bytes, .first_ns = e->first_ns, .last_ns = e->last_ns } };
		return 1;
	}
	if (r->entry_at++ > r->entry_count)
		return 0;
	int found = chunk_at(r, r->index_offset, ret);

	r->offset = r->limit;
	return found;
}

static bool same_chunk(const struct ct_chunk_header *a, const struct ct_chunk_header *b)
{
	return a->kind == b->kind && a->process == b->process && a->count == b->count &&
	       a->raw_bytes == b->raw_bytes && a->first_ns == b->first_ns && a->last_ns == b->last_ns;
}

/* Whether the entries can be those of chunks: apart, in order, and before the index. */
static bool is_index(const struct ct_reader *r, const struct ct_index_entry *e, uint32_t count)
{
	uint64_t from = r->header.header_bytes;

	for (uint32_t i = 0; i < count; i++) {
		if (e[i].offset < from || e[i].offset >= r->index_offset || e[i].kind == CT_CHUNK_INDEX ||
		    r->index_offset - e[i].offset < sizeof(struct ct_chunk_header))
			return false;
		from = e[i].offset + sizeof(struct ct_chunk_header);
	}
	return count > 0;
}

int ct_reader_use_index(struct ct_reader *r)
{
	struct ct_chunk c;
	struct ct_span payload;
	uint64_t damaged = r->damaged;

	if (!r->has_trailer || r->entry || r->ahead)
		return 0;
	int error = chunk_at(r, r->index_offset, &c);

	if (error <= 0 || c.header.kind != CT_CHUNK_INDEX)
		return error < 0 ? error : 0;
	error = ct_reader_payload(r, &c, &payload);
	r->damaged = damaged; /* the walk over the chunks will meet it */
	if (error)
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	size_t bytes = (size_t)(payload.end - payload.p);
	struct ct_index_entry *e = bytes == c.header.count * sizeof(*e) ? malloc(bytes + 1) : NULL;

	if (!e)
		return bytes == c.header.count * sizeof(*e) ? -ENOMEM : 0;
	memcpy(e, payload.p, bytes);
	if (!is_index(r, e, c.header.count)) {
		free(e);
		return 0;
	}
	r->entry = e;
	r->entry_count = c.header.count;
	r->entry_at = 0;
	/* What is read is far apart. */
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_RANDOM);
	return 0;
}

void ct_reader_choose(struct ct_reader *r, struct ct_index_entry *entry, uint32_t count)
{
	ct_ahead_stop(r);
	free(r->entry);
	r->entry = entry;
	r->entry_count = count;
	r->entry_at = 0;
}

/* --- one after the other --- */

int ct_reader_next(struct ct_reader *r, struct ct_chunk *ret)
{
	struct ct_chunk c;

	if (ct_progress_stopped())
		return -ECANCELED;
	if (r->ahead || r->entry) {
		int found = r->ahead ? ct_ahead_next(r, ret) : next_entry(r, ret);

		if (found > 0)
			ct_progress(ret->offset, r->limit);
		return found;
	}
	ct_progress(r->offset, r->limit);
	if (r->offset >= r->limit) {
		/* A header that says to begin beyond the end. */
		if (r->offset > r->limit && r->walked <= r->limit)
			ct_reader_damage(r, r->limit, "the first chunk would begin beyond the end of the file");
		r->walked = r->offset + 1;
		return 0;
	}
	int found = chunk_at(r, r->offset, &c);

	if (!found) {
		found = search(r, r->offset + 1, &c);
		if (r->offset >= r->walked && (found || !is_cut(r, r->offset)))
			ct_reader_damage(r, r->offset, "no valid chunk begins here");
		r->walked = r->offset + 1;
	}
	if (found <= 0) {
		r->offset = r->limit;
		return found;
	}
	r->offset = r->after = c.offset + sizeof(c.header) + c.header.stored_bytes;
	if (r->walked < r->offset)
		r->walked = r->offset;
	*ret = c;
	return 1;
}

int ct_reader_payload(struct ct_reader *r, const struct ct_chunk *c, struct ct_span *ret)
{
	const struct ct_chunk_header *h = &c->header;
	struct ct_chunk real;
	int error;

	if (r->ahead && ct_ahead_payload(r, c, ret, &error))
		return error;
	r->sound = false;
	if (r->entry) {
		error = chunk_at(r, c->offset, &real);
		if (error < 0)
			return error;
		if (!error || !same_chunk(&real.header, h)) {
			ct_reader_damage(r, c->offset, "the index is not what the chunks say");
			return -EBADMSG;
		}
		h = &real.header;
	}
	if (h->codec != CT_CODEC_RAW && h->codec != CT_CODEC_ZSTD)
		return -ENOTSUP;
	ct_buf_clear(&r->stored);
	ct_buf_clear(&r->raw);
	/* The payload ends up in raw. */
	struct ct_buf *from = h->codec == CT_CODEC_ZSTD ? &r->stored : &r->raw;

	if (!ct_buf_reserve(from, h->stored_bytes + CT_PAYLOAD_SLACK) ||
	    !ct_buf_reserve(&r->raw, h->raw_bytes + CT_PAYLOAD_SLACK))
		return -ENOMEM;
	error = read_at(r->fd, c->offset + sizeof(*h), from->data, h->stored_bytes);
	if (error && error != -EBADMSG)
		return error;
	if (error || ct_crc32c(from->data, h->stored_bytes) != h->stored_crc) {
		ct_reader_damage(r, c->offset, "a chunk's checksum is wrong");
		return -EBADMSG;
	}
	size_t n = h->stored_bytes;

	if (h->codec == CT_CODEC_ZSTD)
		n = ZSTD_decompressDCtx(r->zstd, r->raw.data, h->raw_bytes, r->stored.data, h->stored_bytes);
	if (n != h->raw_bytes) {
		ct_reader_damage(r, c->offset, "a chunk does not decompress to its size");
		return -EBADMSG;
	}
	memset(r->raw.data + n, 0, CT_PAYLOAD_SLACK);
	*ret = (struct ct_span){ r->raw.data, r->raw.data + n };
	return 0;
}
