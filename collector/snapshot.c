/*
 * A snapshot: what is in memory as a trace in a file. Put together here, written by a
 * thread of its own, which reads only what does not change any more.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomics.h"
#include "collector.h"
#include "flight.h"

/* A list of chunks as it was when the snapshot was taken. */
struct part {
	const struct ct_piece_of_chunks *first;
	size_t piece_bytes;
	uint64_t bytes;
	struct ct_buf index;          /* a copy; owned */
	uint32_t generation;          /* whose it is */
	bool last;                    /* of that generation */
};

struct ct_snapshot {
	pthread_t thread;
	int written;                  /* eventfd */
	int fd;                       /* of draft; owned by the thread; -1: path is no plain file */
	char path[PATH_MAX], draft[PATH_MAX + 16];
	char why[160];
	struct ct_file_header header;
	struct part *part;            /* owned, as are all of the next */
	uint32_t part_count, part_room;
	struct ct_generation **generation;
	uint32_t generation_count;
	uint32_t released;            /* of those */
	uint32_t generations_written; /* written by the thread: nothing of the first so many is read any more */
	struct ct_codes_job *codes;
	uint32_t codes_count;
	struct ct_chunks head, named, end;
	struct ct_buf index;          /* of the file */
	uint32_t chunk_count;
	uint64_t now_ns, begin_ns, events, slices, file_bytes;
	int error;
};

/* --- in the thread --- */

static int put(struct ct_snapshot *s, int fd, const void *data, size_t n)
{
	int error = ct_write_all(fd, data, n);

	if (!error)
		s->file_bytes += n;
	return error;
}

static int put_part(struct ct_snapshot *s, int fd, const struct part *p)
{
	uint64_t left = p->bytes, base = s->file_bytes;
	size_t room = p->piece_bytes - sizeof(struct ct_piece_of_chunks);
	struct ct_index_entry e;
	int error = 0;

	for (const struct ct_piece_of_chunks *at = p->first; left && !error;) {
		size_t n = left < room ? (size_t)left : room;

		error = put(s, fd, at->data, n);
		left -= n;
		/* The last one's next may just be being written. */
		at = left ? at->next : NULL;
	}
	for (size_t i = 0; i < p->index.size; i += sizeof(e)) {
		memcpy(&e, p->index.data + i, sizeof(e));
		e.offset += base;
		ct_put_bytes(&s->index, &e, sizeof(e));
		s->chunk_count++;
	}
	return error ? error : s->index.failed ? -ENOMEM : 0;
}

static struct part part_of(const struct ct_chunks *c)
{
	struct part p = { .first = c->first, .piece_bytes = c->piece_bytes, .bytes = c->bytes };

	ct_put_bytes(&p.index, c->index.data, c->index.size);
	return p;
}

static int put_list(struct ct_snapshot *s, int fd, const struct ct_chunks *c)
{
	struct part p = part_of(c);
	int error = p.index.failed ? -ENOMEM : put_part(s, fd, &p);

	ct_buf_free(&p.index);
	return error;
}

static int put_index(struct ct_snapshot *s, int fd)
{
	struct ct_trailer trailer = { .index_offset = s->file_bytes, .magic = CT_TRAILER_MAGIC };
	struct ct_chunk_header h = { .kind = CT_CHUNK_INDEX, .count = s->chunk_count, .first_ns = s->now_ns,
				     .last_ns = s->now_ns };
	struct ct_packer packer;
	int error = 0;

	if (s->chunk_count > CT_INDEX_MAX)
		return 0;
	if (ct_packer_open(&packer))
		return -ENOMEM;
	if (!ct_pack(&packer, &h, &s->index, NULL))
		error = -ENOMEM;
	if (!error)
		error = put(s, fd, packer.out.data, packer.out.size);
	ct_packer_close(&packer);
	trailer.file_bytes = s->file_bytes + sizeof(trailer);
	trailer.crc = ct_crc32c(&trailer, offsetof(struct ct_trailer, crc));
	return error ? error : put(s, fd, &trailer, sizeof(trailer));
}

/* Names of code that was made at run time: files that may be large. */
static void name_codes(struct ct_snapshot *s)
{
	struct ct_writer w;

	if (!s->codes_count || ct_writer_open_memory(&w, &s->named))
		return;
	for (uint32_t i = 0; i < s->codes_count; i++)
		ct_codes_do(&s->codes[i], &w);
	ct_writer_close(&w);
}

static int write_part(struct ct_snapshot *s, int fd, struct part *p)
{
	int error = put_part(s, fd, p);

	ct_buf_free(&p->index);
	/* The collector acquires it before it frees them. */
	if (p->last)
		ct_store_release(&s->generations_written, p->generation + 1);
	return error;
}

static int write_file(struct ct_snapshot *s, int fd)
{
	int error = put(s, fd, &s->header, sizeof(s->header));

	if (!error)
		error = put_list(s, fd, &s->head);
	for (uint32_t i = 0; i < s->part_count && !error; i++)
		error = write_part(s, fd, &s->part[i]);
	name_codes(s);
	if (!error)
		error = put_list(s, fd, &s->named);
	if (!error)
		error = put_list(s, fd, &s->end);
	return error ? error : put_index(s, fd);
}

static void *run(void *self)
{
	struct ct_snapshot *s = self;
	uint64_t one = 1;
	int fd = s->fd >= 0 ? s->fd : ct_open_trace(s->path);

	s->error = fd < 0 ? fd : write_file(s, fd);
	/* Some file systems tell only now that there is no room. */
	if (fd >= 0 && close(fd) && !s->error && errno != EINTR)
		s->error = -errno;
	if (s->fd >= 0 && !s->error && rename(s->draft, s->path))
		s->error = -errno;
	if (s->fd >= 0 && s->error)
		unlink(s->draft);
	ssize_t ignored = write(s->written, &one, sizeof(one));

	(void)ignored;
	return NULL;
}

/* --- in the collector --- */

static int add_part(struct ct_snapshot *s, const struct ct_chunks *c, uint32_t generation, bool last)
{
	if (!c->count)
		return 0;
	if (s->part_count == s->part_room) {
		uint32_t room = s->part_room ? s->part_room * 2 : 16;
		struct part *larger = realloc(s->part, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		s->part = larger;
		s->part_room = room;
	}
	s->part[s->part_count] = part_of(c);
	s->part[s->part_count].generation = generation;
	s->part[s->part_count].last = last;
	s->events += c->events;
	s->slices += c->slices;
	return s->part[s->part_count++].index.failed ? -ENOMEM : 0;
}

/* From the oldest on; none of them is freed before the snapshot is. */
static int add_generations(struct ct_snapshot *s, struct ct_generation *begin)
{
	uint32_t n = 0;
	int error = add_part(s, &begin->opening, 0, false);

	for (struct ct_generation *g = begin; g; g = g->next)
		n++;
	s->generation = calloc(n, sizeof(struct ct_generation *));
	if (!s->generation)
		return -ENOMEM;
	for (struct ct_generation *g = begin; g && !error; g = g->next) {
		error = add_part(s, &g->body, s->generation_count, true);
		g->readers++;
		s->generation[s->generation_count++] = g;
	}
	return error;
}

static int list_codes(struct ct_collector *c, struct ct_snapshot *s)
{
	s->codes = calloc(c->process_count + 1, sizeof(*s->codes));
	if (!s->codes)
		return -ENOMEM;
	for (size_t i = 0; i < c->process_count; i++)
		if (c->process[i]->codes.count &&
		    !ct_codes_list(&c->trace, c->process[i], &s->codes[s->codes_count]))
			s->codes_count++;
	return 0;
}

/* The file's header tells of the time when what it holds begins. */
static void make_header(struct ct_snapshot *s, uint64_t begin_ns)
{
	uint64_t real_ns = ct_real_ns(), now_ns = ct_now_ns();

	ct_file_header(&s->header, begin_ns, real_ns - (now_ns - begin_ns));
}

static int write_head(struct ct_flight *f, struct ct_snapshot *s, const struct ct_generation *begin,
		      const struct ct_reason *reason)
{
	struct ct_writer w;

	if (ct_writer_open_memory(&w, &s->head))
		return -ENOMEM;
	ct_meta_write(f->c, &w);
	ct_meta_snapshot(f, &w, begin->first ? 0 : begin->begin_ns, s->now_ns, reason);
	ct_writer_close(&w);
	return s->head.count ? 0 : -ENOMEM;
}

static void write_end_record(struct ct_flight *f, struct ct_snapshot *s, const struct ct_generation *begin,
			     struct ct_writer *w)
{
	const struct ct_trace *t = &f->c->trace;
	struct ct_record r = { .type = CT_RECORD_END, .end = {
		.end_ns = s->now_ns,
		.events = s->events + s->end.events,
		.dropped = t->lost + t->writer.events_dropped - begin->lost_before,
		.collector_cpu_ns = ct_cpu_ns(),
		.slices = s->slices + s->end.slices,
	} };

	ct_writer_record(w, &r);
	s->events = r.end.events;
}

void ct_snapshot_reap(struct ct_flight *f, struct ct_snapshot *s)
{
	while (s->released < ct_load_acquire(&s->generations_written))
		ct_flight_release(f, s->generation[s->released++]);
}

static void free_snapshot(struct ct_flight *f, struct ct_snapshot *s)
{
	while (s->released < s->generation_count)
		ct_flight_release(f, s->generation[s->released++]);
	for (uint32_t i = 0; i < s->part_count; i++)
		ct_buf_free(&s->part[i].index);
	for (uint32_t i = 0; i < s->codes_count; i++)
		ct_codes_free(&s->codes[i]);
	free(s->generation);
	free(s->part);
	free(s->codes);
	ct_chunks_free(&s->head);
	ct_chunks_free(&s->named);
	ct_chunks_free(&s->end);
	ct_buf_free(&s->index);
	free(s);
}

static int start(struct ct_snapshot *s)
{
	sigset_t all, before;

	/* Signals are the collector's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = -pthread_create(&s->thread, NULL, run, s);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* The oldest generation that is whole; the one that is being filled may be broken. */
static struct ct_generation *begin_of(struct ct_flight *f, uint64_t now_ns)
{
	struct ct_generation *begin = ct_flight_begin(f, now_ns);

	if (!begin->broken)
		return begin;
	ct_flight_cut(f, now_ns);
	return f->current;
}

/* In this order: what waits in progress declare stands in the generations, of which the
 * snapshot is then what is there, and END tells how much that is. */
static int fill(struct ct_flight *f, struct ct_snapshot *s, const struct ct_reason *reason)
{
	struct ct_writer w;

	ct_alive_gather(f->c, s->now_ns);
	begin_of(f, s->now_ns);
	if (ct_writer_open_memory(&w, &s->end))
		return -ENOMEM;
	ct_alive_end(f->c, &w, s->now_ns);
	struct ct_generation *begin = ct_flight_begin(f, s->now_ns);
	/* The bound is less than what is alive takes. */
	int error = begin->broken ? -ENOBUFS : add_generations(s, begin);

	write_end_record(f, s, begin, &w);
	ct_writer_close(&w);
	s->begin_ns = begin->begin_ns;
	make_header(s, begin->begin_ns);
	if (!error)
		error = list_codes(f->c, s);
	return error ? error : write_head(f, s, begin, reason);
}

/* What is to be at path is written beside it, so that whoever sees it sees all of it. What is
 * no plain file (a pipe, a device) is written as it is, and may keep the thread waiting. */
static int open_draft(struct ct_snapshot *s)
{
	struct stat there;

	if (!lstat(s->path, &there) && !S_ISREG(there.st_mode))
		return 0;
	s->fd = ct_open_trace(s->draft);
	return s->fd < 0 ? s->fd : 0;
}

int ct_snapshot_start(struct ct_flight *f, const char *path, const struct ct_reason *reason, struct ct_snapshot **ret)
{
	struct ct_snapshot *s = calloc(1, sizeof(*s));
	int error = 0;

	if (!s)
		return -ENOMEM;
	s->head.piece_bytes = s->named.piece_bytes = s->end.piece_bytes = f->piece_bytes;
	s->written = f->written;
	s->fd = -1;
	s->now_ns = ct_now_ns();
	memcpy(s->why, reason->why, sizeof(s->why));
	if ((size_t)snprintf(s->path, sizeof(s->path), "%s", path) >= sizeof(s->path))
		error = -ENAMETOOLONG;
	snprintf(s->draft, sizeof(s->draft), "%s.part", s->path);
	if (!error)
		error = open_draft(s);
	if (!error)
		error = fill(f, s, reason);
	if (!error)
		error = start(s);
	if (error && s->fd >= 0) {
		close(s->fd);
		unlink(s->draft);
	}
	if (error)
		free_snapshot(f, s);
	else
		*ret = s;
	return error;
}

int ct_snapshot_end(struct ct_flight *f, struct ct_snapshot *s, char ret_path[PATH_MAX], uint64_t *ret_events,
		    uint64_t *ret_bytes, uint64_t *ret_ns, char ret_why[160])
{
	pthread_join(s->thread, NULL);
	int error = s->error;

	memcpy(ret_path, s->path, PATH_MAX);
	memcpy(ret_why, s->why, sizeof(s->why));
	*ret_events = s->events;
	*ret_bytes = s->file_bytes;
	*ret_ns = s->now_ns - s->begin_ns;
	free_snapshot(f, s);
	return error;
}
