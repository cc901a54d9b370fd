/* A model that grows. See model_grow.h. */
#include "model_grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "marks.h"

/* Slices that have not come by then do not come. */
#define PATIENCE_MS 4000u

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int ct_growing_open(struct ct_growing *g, const struct ct_reader *r, const struct ct_options *o)
{
	*g = (struct ct_growing){ .records.fd = -1, .events.fd = -1, .slices.reader.fd = -1 };
	ct_model_init(&g->m, o);
	g->m.header_start_ns = r->header.start_ns;
	g->m.header_real_ns = r->header.start_real_ns;
	int error = ct_reader_dup(&g->records, r);

	if (error)
		g->records.fd = -1;
	else if ((error = ct_reader_dup(&g->events, r)))
		g->events.fd = -1;
	return error;
}

void ct_growing_close(struct ct_growing *g)
{
	if (g->records.fd >= 0)
		ct_reader_close(&g->records);
	if (g->events.fd >= 0)
		ct_reader_close(&g->events);
	if (g->has_slices)
		ct_slices_close(&g->slices);
	ct_record_pass_free(&g->first);
	ct_event_pass_free(&g->second);
	ct_model_free(&g->m);
	*g = (struct ct_growing){ .records.fd = -1, .events.fd = -1, .slices.reader.fd = -1 };
}

/* --- records --- */

/* The next chunk; at the end nothing is damage: it is being written. */
static int next_chunk(struct ct_reader *r, struct ct_chunk *ret)
{
	uint64_t damaged = r->damaged, offset = r->damage_offset, walked = r->walked;
	const char *damage = r->damage;
	int found = ct_reader_next(r, ret);

	if (!found) {
		r->damaged = damaged;
		r->damage_offset = offset;
		r->damage = damage;
		r->walked = walked;
	}
	return found;
}

static int read_records(struct ct_growing *g, uint64_t file_bytes)
{
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_RECORDS) | CT_WANT(CT_CHUNK_SWITCHES) };
	uint64_t start_ns = g->m.start_ns;
	bool first = !g->m.chunks;
	struct ct_chunk c;
	int found = 0, error = 0;

	ct_reader_grow(&g->records, file_bytes);
	if (first)
		ct_reader_ahead(&g->records, &want);
	while (!error && (found = next_chunk(&g->records, &c)) > 0)
		error = ct_model_first_pass(&g->first, &g->m, &g->records, &c, true);
	if (error || found < 0)
		return error ? error : found;
	ct_model_first_end(&g->first, &g->m, &g->records);
	ct_model_finish_names(&g->m);
	error = ct_model_select(&g->m);
	/* Times in pictures are counted from there. */
	return error ? error : !first && g->m.start_ns != start_ns ? -EAGAIN : 0;
}

/* --- events and slices --- */

static int read_slices(struct ct_growing *g, uint64_t file_bytes)
{
	struct ct_model *m = &g->m;

	if (!m->slices)
		return 0;
	if (g->has_slices)
		return ct_slices_more(&g->slices, m, file_bytes);
	if (m->events)
		return -EAGAIN;
	m->wakes = !strcmp(ct_model_meta(m, "wakes"), "sched_waking");
	g->has_slices = true;
	return ct_slices_open(&g->slices, m, &g->records);
}

bool ct_growing_is_due(const struct ct_growing *g)
{
	return g->waits && now_ms() - g->since_ms >= PATIENCE_MS;
}

/* Whether a chunk's events may be taken in: the slices of their time are there, or will not come any more. */
static int is_due(struct ct_growing *g, const struct ct_chunk *c)
{
	uint64_t last_ns = c->header.last_ns;
	int error = g->has_slices ? ct_slices_until(&g->slices, &g->m, &g->records, last_ns) : 0;

	if (error)
		return error;
	if (!g->has_slices || g->slices.seen_ns >= last_ns + CT_SLICES_AHEAD_NS) {
		g->waits = false;
		return 1;
	}
	if (!g->waits)
		g->since_ms = now_ms();
	g->waits = true;
	/* Those behind it have waited as long. */
	return ct_growing_is_due(g);
}

static int read_events(struct ct_growing *g, uint64_t file_bytes)
{
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS), .sound = true };
	struct ct_reader *r = &g->events;
	struct ct_chunk c;
	int found = 0, error = 0;

	ct_reader_grow(r, file_bytes);
	if (!g->m.events)
		ct_reader_ahead(r, &want);
	g->waits &= g->has_slices;
	while (!error && (found = next_chunk(r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_EVENTS)
			continue;
		int due = is_due(g, &c);
		uint32_t process = due > 0 ? ct_model_process(&g->m, c.header.process) : CT_NO;

		if (!due) {
			ct_reader_seek(r, c.offset);
			break;
		}
		error = due < 0 ? due : process == CT_NO ? -ENOMEM : ct_model_second_pass(&g->m, r, &g->second, &c, process);
	}
	if (found <= 0)
		g->waits = false;
	/* Regions are for views, which read for themselves. */
	ct_marks_close(g->m.marks);
	g->m.marks = NULL;
	return error ? error : found < 0 ? found : 0;
}

int ct_growing_read(struct ct_growing *g, uint64_t file_bytes)
{
	int error = read_records(g, file_bytes);

	if (!error)
		error = read_slices(g, file_bytes);
	return error ? error : read_events(g, file_bytes);
}

/* --- snapshots --- */

/* The lives' sums; of their pieces nothing is asked any more. 0 or -ENOMEM. */
static int copy_states(struct ct_model *ret, const struct ct_model *m)
{
	ret->states = m->states ? calloc(m->states_count + 1u, sizeof(*ret->states)) : NULL;
	if (!ret->states)
		return m->states ? -ENOMEM : 0;
	for (; ret->states_count < m->states_count; ret->states_count++) {
		const struct ct_states *from = &m->states[ret->states_count];
		struct ct_states *st = &ret->states[ret->states_count];

		*st = *from;
		st->line.piece = NULL;
		st->line.piece_count = st->line.piece_capacity = st->line.merged = st->line.hint = 0;
		st->ready = NULL;
		if (!from->ready)
			continue;
		st->ready = malloc(sizeof(*st->ready));
		if (!st->ready)
			return -ENOMEM;
		*st->ready = *from->ready;
	}
	return 0;
}

/* What the books are made of. 0 or -ENOMEM. */
static int copy_cells(struct ct_model *ret, const struct ct_model *m)
{
	ret->cell = m->cell_count ? malloc(m->cell_count * sizeof(*m->cell)) : NULL;
	if (m->cell_count && !ret->cell)
		return -ENOMEM;
	if (m->cell_count)
		memcpy(ret->cell, m->cell, m->cell_count * sizeof(*m->cell));
	ret->cell_count = ret->cell_capacity = m->cell_count;
	return 0;
}

int ct_growing_snapshot(const struct ct_growing *g, struct ct_model *ret)
{
	int error = ct_model_copy(ret, &g->m);

	if (!error)
		error = copy_states(ret, &g->m);
	if (!error && ret->states)
		error = ct_slices_end(ret);
	if (!error)
		error = copy_cells(ret, &g->m);
	/* The books want to know what the cells are of, and then nobody any more. */
	ret->site = g->m.site;
	ret->site_count = g->m.site_count;
	if (!error)
		error = ct_model_finish(ret);
	ret->site = NULL;
	ret->site_count = 0;
	free(ret->cell);
	ret->cell = NULL;
	ret->cell_count = ret->cell_capacity = 0;
	return error;
}
