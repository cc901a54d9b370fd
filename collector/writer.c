/* Chunks, compression and index. See writer.h and abi/trace.h. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define RECORDS_BYTES (512u << 10)
#define RECORDS_NS    1000000000u

int ct_write_all(int fd, const void *data, size_t n)
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
	w->error = ct_write_all(w->fd, data, n);
	if (!w->error) {
		w->file_bytes += n;
		return;
	}
	/* Not a regular file: then what is there stays there. */
	int ignored = ftruncate(w->fd, (off_t)w->file_bytes);

	(void)ignored;
}

uint64_t ct_real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* What stands under the name may have been put there by another, in a folder of many users: a link that leads
 * to a file of ours, or a file or a FIFO that they can read. */
static bool is_trap(const struct stat *there)
{
	if (there->st_uid == geteuid())
		return false;
	return S_ISLNK(there->st_mode) ? there->st_uid != 0 : S_ISREG(there->st_mode) || S_ISFIFO(there->st_mode);
}

/* A new file takes the place of one that is there: another collector may be about to write its
 * end. What cannot be removed, or is no plain file, is written over. Others may not read it: it
 * holds paths and addresses. */
int ct_open_trace(const char *path)
{
	struct stat there;
	bool is_there = !lstat(path, &there), is_link = is_there && S_ISLNK(there.st_mode);
	int fd;

	if (is_there && S_ISREG(there.st_mode) && !access(path, W_OK) && !unlink(path)) {
		/* In a folder of many users somebody may have been quicker. */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd < 0 ? -errno : fd;
	}
	if (is_there && is_trap(&there))
		return -EACCES;
	/* A link of our own stays ours in /tmp; one that was not there a moment ago is not. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (is_link ? 0 : O_NOFOLLOW), 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &there) || !S_ISREG(there.st_mode))
		return fd;
	int error = !is_link && is_trap(&there) ? -EACCES : ftruncate(fd, 0) ? -errno : 0;

	if (!error && there.st_uid == geteuid())
		fchmod(fd, 0600);
	if (error)
		close(fd);
	return error ? error : fd;
}

void ct_file_header(struct ct_file_header *h, uint64_t start_ns, uint64_t start_real_ns)
{
	*h = (struct ct_file_header){
		.magic = CT_TRACE_MAGIC,
		.version = CT_TRACE_VERSION,
		.header_bytes = sizeof(*h),
		.start_ns = start_ns,
		.start_real_ns = start_real_ns,
	};
	h->crc = ct_crc32c(h, offsetof(struct ct_file_header, crc));
}

int ct_writer_open_memory(struct ct_writer *w, struct ct_chunks *memory)
{
	*w = (struct ct_writer){ .fd = -1, .memory = memory };
	return ct_packer_open(&w->packer);
}

int ct_writer_open(struct ct_writer *w, const char *path)
{
	struct ct_file_header header;

	ct_file_header(&header, ct_now_ns(), ct_real_ns());
	*w = (struct ct_writer){ .fd = -1 };
	if (ct_packer_open(&w->packer))
		return -ENOMEM;
	w->fd = ct_open_trace(path);
	int error = w->fd < 0 ? w->fd : ct_write_all(w->fd, &header, sizeof(header));

	if (error) {
		if (w->fd >= 0)
			ct_writer_discard(w, path);
		ct_packer_close(&w->packer);
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

/* Whether the chunk is there now. */
static bool write_chunk(struct ct_writer *w, struct ct_chunk_header *h, const struct ct_buf *payload,
			const struct ct_cuts *cuts)
{
	if (w->error)
		return false;
	bool packed = ct_pack(&w->packer, h, payload, cuts);

	/* What is kept in memory goes on when there is none for a while. */
	if (w->memory)
		return packed && (!w->room || w->room(w->self, w->packer.out.size)) &&
		       !ct_chunks_add(w->memory, &w->packer.out, h);
	if (!packed) {
		w->error = -ENOMEM;
		return false;
	}
	struct ct_index_entry entry = ct_index_entry_of(h, w->file_bytes);

	put(w, w->packer.out.data, w->packer.out.size);
	if (w->error || h->kind == CT_CHUNK_INDEX)
		return !w->error;
	ct_put_bytes(&w->index, &entry, sizeof(entry));
	w->index_count++;
	return true;
}

void ct_writer_close(struct ct_writer *w)
{
	ct_writer_flush(w);
	/* An index too large for a chunk is left out: readers scan instead. */
	if (!w->memory && !w->error && !w->index.failed && w->index_count <= CT_INDEX_MAX) {
		struct ct_trailer trailer = { .index_offset = w->file_bytes, .magic = CT_TRAILER_MAGIC };
		struct ct_chunk_header h = { .kind = CT_CHUNK_INDEX, .count = w->index_count };

		h.first_ns = h.last_ns = ct_now_ns();
		write_chunk(w, &h, &w->index, NULL);
		trailer.file_bytes = w->file_bytes + sizeof(trailer);
		trailer.crc = ct_crc32c(&trailer, offsetof(struct ct_trailer, crc));
		put(w, &trailer, sizeof(trailer));
	}
	/* Some file systems tell only now that there is no room. */
	if (!w->memory && close(w->fd) && !w->error && errno != EINTR)
		w->error = -errno;
	ct_buf_free(&w->records);
	ct_buf_free(&w->raw);
	ct_buf_free(&w->index);
	ct_packer_close(&w->packer);
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
static void cut_columns(struct ct_cuts *cuts, size_t at, const struct ct_buf *columns, unsigned int count)
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

	struct ct_cuts cuts;

	ct_buf_clear(&w->raw);
	if (ct_events_finish(e, &w->raw))
		w->raw.failed = true;
	cut_columns(&cuts, w->raw.size, e->columns, CT_COLUMNS);
	if (write_chunk(w, &h, &w->raw, &cuts))
		w->events += h.count;
	else
		w->events_dropped += h.count;
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
	struct ct_cuts cuts;

	ct_buf_clear(&w->raw);
	if (ct_switches_finish(e, &w->raw))
		w->raw.failed = true;
	cut_columns(&cuts, w->raw.size, e->columns, CT_SLICES_COLUMNS);
	if (write_chunk(w, &h, &w->raw, &cuts))
		w->slices += h.count;
}

void ct_writer_tick(struct ct_writer *w, uint64_t now_ns)
{
	if (w->record_count && now_ns - w->records_since_ns >= RECORDS_NS)
		ct_writer_flush(w);
}
