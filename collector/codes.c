/*
 * Names of code that a process made at run time: what its compiler wrote to
 * /tmp/perf-PID.map (START SIZE NAME, a line each, numbers in hexadecimal; see
 * tools/perf/Documentation/jit-interface.txt of Linux). When the process has ended,
 * lines that cover frames of its stacks go to the trace: the file is only here, and
 * only for a while. Some compilers write it at the very end.
 *
 * Anybody can have made the file, of any size: it must be a plain one, of the
 * process's time, and what is kept of it is bounded by the frames that were seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "process.h"

#define ADDRESSES_MAX 65536u
#define NAME_BYTES     1024u
#define FILE_MAX      (256ull << 20) /* bytes that are read */
#define BLOCK         65536u
#define MATCHES_MAX   (16u << 20)    /* of lines and addresses; a line that covers everything is no code */

static bool in_module(const struct ct_process *p, uint64_t address)
{
	uint64_t used = ct_load_acquire(&p->region->modules_used);

	for (uint64_t i = 0; i < used && i < CT_MODULES; i++) {
		const struct ct_module *m = &p->region->modules[i];

		if (ct_load_acquire(&m->ready) && address >= ct_load(&m->start) && address < ct_load(&m->end))
			return true;
	}
	return false;
}

void ct_codes_seen(struct ct_process *p, const uint64_t *frames, uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++) {
		uint64_t address = frames[i] - 1;

		uint64_t *known = &p->in_module[(address ^ address >> 10) % CT_IN_MODULE];

		/* Stacks are much alike. */
		if (!address || address == UINT64_MAX || *known == address || ct_map_get(&p->codes, address))
			continue;
		if (in_module(p, address)) {
			*known = address;
			continue;
		}
		if (p->codes.count >= ADDRESSES_MAX || ct_map_put(&p->codes, address, 1))
			return;
	}
}

static int by_address(const void *x, const void *y)
{
	const struct ct_code_wanted *a = x, *b = y;

	return (a->address > b->address) - (a->address < b->address);
}

static int by_line(const void *x, const void *y)
{
	const struct ct_code_wanted *a = x, *b = y;

	return (a->line > b->line) - (a->line < b->line);
}

static int list_wanted(const struct ct_process *p, struct ct_codes_wanting *ret)
{
	*ret = (struct ct_codes_wanting){ calloc(p->codes.count, sizeof(*ret->wanted)), 0, MATCHES_MAX };
	if (!ret->wanted)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->codes.size; i++)
		if (p->codes.entry[i].id)
			ret->wanted[ret->count++].address = p->codes.entry[i].key;
	qsort(ret->wanted, ret->count, sizeof(*ret->wanted), by_address);
	return 0;
}

static bool get_hex(const char **p, uint64_t *ret)
{
	const char *from = *p;
	uint64_t v = 0;

	if (from[0] == '0' && from[1] == 'x')
		from = *p += 2;
	for (;; (*p)++) {
		char c = **p;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint64_t)(c - 'A' + 10);
		else
			break;
	}
	*ret = v;
	return *p > from && *p - from <= 16;
}

/* One line, without its end, that stands at a place in the file. */
static void take_line(struct ct_codes_wanting *all, const char *line, size_t bytes, uint64_t at)
{
	const char *p = line;
	uint64_t start, size;
	uint32_t low = 0, high = all->count;

	if (!get_hex(&p, &start) || *p++ != ' ' || !get_hex(&p, &size) || *p++ != ' ' || start + size <= start)
		return;
	size_t name = bytes - (size_t)(p - line);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (all->wanted[middle].address < start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; name && low < all->count && all->wanted[low].address < start + size && all->matches; low++) {
		struct ct_code_wanted *w = &all->wanted[low];

		*w = (struct ct_code_wanted){ w->address, start, size, at + (uint64_t)(p - line),
				      (uint32_t)(name < NAME_BYTES ? name : NAME_BYTES) };
		all->matches--;
	}
}

/* Goes through the lines of the file. */
static void read_lines(int fd, struct ct_codes_wanting *all)
{
	char *block = malloc(BLOCK + 1);
	uint64_t offset = 0; /* in the file, of block */
	size_t have = 0;
	bool skip = false;   /* the rest of a line that is too long */

	while (block && offset < FILE_MAX && all->matches) {
		ssize_t n = pread(fd, block + have, BLOCK - have, (off_t)(offset + have));
		size_t from = 0;
		char *end;

		if (n <= 0)
			break;
		have += (size_t)n;
		while ((end = memchr(block + from, '\n', have - from))) {
			*end = 0;
			if (!skip)
				take_line(all, block + from, (size_t)(end - block) - from, offset + from);
			skip = false;
			from = (size_t)(end - block) + 1;
		}
		if (!from && have == BLOCK) {
			/* Its beginning is good enough. */
			block[have] = 0;
			if (!skip)
				take_line(all, block, have, offset);
			skip = true;
			from = have;
		}
		memmove(block, block + from, have - from);
		have -= from;
		offset += from;
	}
	free(block);
}

/* Whether the file is one that the process can have written: no link, no pipe, and not left
 * over by an earlier process of its number. */
static bool is_trusted(const struct ct_codes_job *job, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	if (st.st_uid && geteuid() && st.st_uid != geteuid())
		return false;
	/* File times are coarse. */
	return st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec >= job->started_real_ns - 20000000;
}

static void write_code(struct ct_writer *to, const struct ct_codes_job *job, int fd, const struct ct_code_wanted *w)
{
	char name[NAME_BYTES];
	ssize_t n = pread(fd, name, w->bytes, (off_t)w->line);

	if (n <= 0)
		return;
	struct ct_record r = { .type = CT_RECORD_CODE, .code = {
		.process = job->process,
		.start = w->start,
		.size = w->size,
		.name = { name, (size_t)n },
	} };

	ct_writer_record(to, &r);
}

int ct_codes_list(struct ct_trace *t, struct ct_process *p, struct ct_codes_job *ret)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	*ret = (struct ct_codes_job){ .process = p->id, .pid = p->pid };
	ret->started_real_ns = (int64_t)ct_process_ns(t, p, p->base.ticks) -
			       (int64_t)(mono.tv_sec * 1000000000ll + mono.tv_nsec) +
			       (int64_t)(real.tv_sec * 1000000000ll + real.tv_nsec);
	return list_wanted(p, &ret->all);
}

void ct_codes_do(struct ct_codes_job *job, struct ct_writer *to)
{
	struct ct_codes_wanting *all = &job->all;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", job->pid);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return;
	if (is_trusted(job, fd)) {
		read_lines(fd, all);
		qsort(all->wanted, all->count, sizeof(*all->wanted), by_line);
		for (uint32_t i = 0; i < all->count; i++)
			if (all->wanted[i].bytes && (!i || all->wanted[i].line != all->wanted[i - 1].line))
				write_code(to, job, fd, &all->wanted[i]);
	}
	close(fd);
}

void ct_codes_free(struct ct_codes_job *job)
{
	free(job->all.wanted);
	job->all.wanted = NULL;
}

void ct_codes_write(struct ct_trace *t, struct ct_process *p)
{
	struct ct_codes_job job;

	if (!p->codes.count || ct_codes_list(t, p, &job))
		return;
	ct_codes_do(&job, &t->writer);
	ct_codes_free(&job);
}
