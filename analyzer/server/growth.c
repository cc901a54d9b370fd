/* See growth.h. */
#include "growth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_grow.h"
#include "overview_grow.h"

struct ct_growth {
	atomic_uint users;
	uint32_t since;              /* the first generation */
	struct ct_reader reader;     /* of what has been read */
	struct ct_growing model;
	struct ct_overview_growing overview;
	struct ct_names *names;
};

int ct_growth_begin(struct ct_growth **ret, const struct ct_reader *r, const struct ct_options *o, uint32_t generation)
{
	struct ct_growth *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	atomic_init(&g->users, 1);
	g->since = generation;
	int error = ct_reader_dup(&g->reader, r);

	if (error)
		g->reader.fd = -1;
	else
		error = ct_growing_open(&g->model, &g->reader, o);
	if (error) {
		ct_growth_let_go(g);
		return error;
	}
	*ret = g;
	return 0;
}

void ct_growth_let_go(struct ct_growth *g)
{
	if (!g || atomic_fetch_sub(&g->users, 1) != 1)
		return;
	ct_names_let_go(g->names);
	ct_overview_growing_close(&g->overview);
	ct_growing_close(&g->model);
	if (g->reader.fd >= 0)
		ct_reader_close(&g->reader);
	free(g);
}

/* --- the file --- */

enum ct_growth_state ct_growth_look(const struct ct_growth *g, uint64_t *ret_bytes)
{
	struct ct_reader r;
	int fd = fcntl(g->reader.fd, F_DUPFD_CLOEXEC, 0), error = fd < 0 ? -errno : ct_reader_open_fd(&r, fd);

	*ret_bytes = g->reader.file_bytes;
	if (error)
		return CT_GROWTH_ANOTHER;
	bool same = !memcmp(&r.header, &g->reader.header, sizeof(r.header)) && r.file_bytes >= g->reader.file_bytes;
	bool finished = r.has_trailer;

	*ret_bytes = finished ? r.index_offset : r.file_bytes;
	ct_reader_close(&r);
	return !same || *ret_bytes < g->reader.file_bytes ? CT_GROWTH_ANOTHER : finished ? CT_GROWTH_FINISHED : CT_GROWTH_MORE;
}

bool ct_growth_is_done(const struct ct_growth *g, uint64_t bytes)
{
	return bytes == g->reader.file_bytes;
}

bool ct_growth_is_due(const struct ct_growth *g)
{
	return ct_growing_is_due(&g->model);
}

/* --- a reading --- */

static int snapshot(struct ct_growth *g, struct ct_served *s, struct ct_context *c)
{
	int error = ct_growing_snapshot(&g->model, &s->m);

	if (!error)
		error = ct_trace_map_begin(&s->map, &s->m, &c->reader, g->overview.map.sites);
	if (!error)
		error = ct_overview_copy(&g->overview, &s->overview, &s->map);
	if (!error && !g->names) {
		g->names = ct_names_open(&g->model.m);
		error = g->names ? 0 : -ENOMEM;
	}
	if (error)
		return error;
	s->names = g->names;
	atomic_fetch_add(&g->names->users, 1);
	return 0;
}

int ct_growth_read(struct ct_growth *g, uint64_t bytes, struct ct_served *s, struct ct_context *c)
{
	s->context = c;
	s->since = g->since;
	s->growth = g;
	atomic_fetch_add(&g->users, 1);
	pthread_mutex_init(&s->lock, NULL);
	ct_shared_windows_open(&s->windows);
	c->unfinished = true;
	s->path = realpath(c->options->file, NULL);
	if (fstat(g->reader.fd, &s->file))
		return -errno;
	ct_reader_grow(&g->reader, bytes);
	int error = ct_growing_read(&g->model, bytes);

	atomic_store(&s->drawing, true);
	if (!error)
		error = ct_overview_go_on(&g->overview, &g->model.m, &g->reader, bytes);
	if (!error)
		error = ct_reader_dup(&c->reader, &g->reader);
	if (error) {
		c->reader.fd = -1;
		return error;
	}
	c->reader.damaged = g->model.records.damaged;
	c->reader.damage = g->model.records.damage;
	c->reader.damage_offset = g->model.records.damage_offset;
	error = snapshot(g, s, c);
	return error ? error : ct_served_notes(s);
}
