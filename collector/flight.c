/* Generations and their bounds. See flight.h. */
#include "flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collector.h"

#define PARTS      8u
#define PIECE_MIN  4096u
#define PIECE_MAX  (1u << 20)
#define BROKEN_NS  100000000u

/* With what a snapshot needs of it: a copy of the index, and the file's. */
static uint64_t memory_of(const struct ct_generation *g)
{
	return sizeof(*g) + ct_chunks_memory(&g->opening) + ct_chunks_memory(&g->body) + 2 * (g->opening.index.size + g->body.index.size);
}

static uint64_t memory(const struct ct_flight *f)
{
	uint64_t bytes = f->held_bytes;

	for (const struct ct_generation *g = f->oldest; g; g = g->next)
		bytes += memory_of(g);
	return bytes;
}

static void free_generation(struct ct_generation *g)
{
	ct_chunks_free(&g->opening);
	ct_chunks_free(&g->body);
	free(g);
}

static void drop_oldest(struct ct_flight *f)
{
	struct ct_generation *g = f->oldest;

	f->oldest = g->next;
	g->dropped = true;
	if (g->readers)
		f->held_bytes += g->held_bytes = memory_of(g);
	else
		free_generation(g);
}

void ct_flight_release(struct ct_flight *f, struct ct_generation *g)
{
	if (--g->readers || !g->dropped)
		return;
	f->held_bytes -= g->held_bytes;
	free_generation(g);
}

/* Whether a chunk may be kept: makes room for it. */
static bool make_room(void *self, size_t bytes)
{
	struct ct_flight *f = self;
	struct ct_generation *now = f->current;
	/* The last piece of a list is not full. */
	uint64_t need = bytes + 2 * f->piece_bytes;

	if (memory(f) + need > f->options.bytes && f->writing)
		ct_snapshot_reap(f, f->writing);
	/* What a snapshot has yet to write stays: giving it up would make no room. */
	while (memory(f) + need > f->options.bytes && f->oldest != now && !f->oldest->readers)
		drop_oldest(f);
	if (!now->broken && memory(f) + need <= f->options.bytes)
		return true;
	/* All of this came in one pass, or a snapshot is written more slowly than events come. What
	 * follows would miss declarations. */
	now->broken = true;
	if (!now->readers) {
		ct_chunks_free(&now->opening);
		ct_chunks_free(&now->body);
	}
	return false;
}

static void begin_generation(const struct ct_flight *f, struct ct_generation *g, uint64_t now_ns)
{
	*g = (struct ct_generation){ .begin_ns = now_ns };
	g->lost_before = f->c->trace.lost + f->c->trace.writer.events_dropped;
	g->opening.piece_bytes = g->body.piece_bytes = f->piece_bytes;
}

static struct ct_generation *new_generation(const struct ct_flight *f, uint64_t now_ns)
{
	struct ct_generation *g = calloc(1, sizeof(*g));

	if (g)
		begin_generation(f, g, now_ns);
	return g;
}

/* What is alive, into a generation's opening. */
static void write_opening(struct ct_flight *f, struct ct_generation *g)
{
	struct ct_writer w;

	if (ct_writer_open_memory(&w, &g->opening)) {
		g->broken = true;
		return;
	}
	w.room = make_room;
	w.self = f;
	ct_alive_begin(f->c, &w, g->begin_ns);
	ct_writer_close(&w);
}

void ct_flight_cut(struct ct_flight *f, uint64_t now_ns)
{
	struct ct_collector *c = f->c;
	struct ct_trace *t = &c->trace;

	for (size_t i = 0; i < c->process_count; i++) {
		ct_process_counters(t, c->process[i], now_ns);
		ct_process_flush(t, c->process[i]);
	}
	if (ct_sched_is_open(&c->sched))
		ct_sched_flush(&c->sched, &t->writer);
	ct_writer_flush(&t->writer);
	struct ct_generation *g = f->current;

	/* One of which nothing is kept is begun anew: where a snapshot takes long, there would be many. */
	if (g->broken && !g->readers) {
		ct_chunks_free(&g->opening);
		ct_chunks_free(&g->body);
		begin_generation(f, g, now_ns);
	} else {
		g = new_generation(f, now_ns);
	}
	/* Without memory the old one goes on. */
	if (!g)
		return;
	g->torn = f->current->broken || g == f->current;
	t->generation++;
	if (g != f->current)
		f->current->next = g;
	f->current = g;
	t->writer.memory = &g->body;
	write_opening(f, g);
}

/* An opening that is large for the bound must not be all that is kept. */
static bool is_due(const struct ct_flight *f, uint64_t now_ns)
{
	const struct ct_generation *g = f->current;
	uint64_t body = ct_chunks_memory(&g->body), opening = ct_chunks_memory(&g->opening), age_ns = now_ns - g->begin_ns;

	if (g->broken)
		return age_ns >= BROKEN_NS;
	return (body + opening >= f->options.bytes / PARTS && body >= opening) ||
	       (f->options.span_ns && age_ns >= f->options.span_ns / PARTS);
}

static bool is_old(const struct ct_flight *f, const struct ct_generation *g, uint64_t now_ns)
{
	return f->options.span_ns && now_ns - g->begin_ns > f->options.span_ns;
}

struct ct_generation *ct_flight_begin(const struct ct_flight *f, uint64_t now_ns)
{
	struct ct_generation *begin = f->current;

	for (struct ct_generation *g = f->oldest, *before = NULL; g; before = g, g = g->next)
		if (!is_old(f, g, now_ns) && (!before || g->torn || is_old(f, before, now_ns)) && !g->broken)
			begin = g;
	return begin;
}

void ct_flight_pass(struct ct_flight *f, uint64_t now_ns)
{
	while (f->oldest != f->current && is_old(f, f->oldest, now_ns))
		drop_oldest(f);
	if (is_due(f, now_ns))
		ct_flight_cut(f, now_ns);
	ct_trigger_pass(f, now_ns);
	ct_flight_ask_pass(f, now_ns);
}

int ct_flight_open(struct ct_flight *f, struct ct_collector *c)
{
	uint64_t piece = f->options.bytes / 256 & ~(uint64_t)(PIECE_MIN - 1);

	f->c = c;
	f->piece_bytes = piece < PIECE_MIN ? PIECE_MIN : piece > PIECE_MAX ? PIECE_MAX : (size_t)piece;
	f->written = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->written < 0)
		return -errno;
	f->current = f->oldest = new_generation(f, ct_now_ns());
	if (!f->current || ct_writer_open_memory(&c->trace.writer, &f->current->body))
		return -ENOMEM;
	f->current->first = true;
	c->trace.writer.room = make_room;
	c->trace.writer.self = f;
	c->trace.flight = f;
	ct_trigger_open(f);
	return ct_collector_watch(c, f->written, CT_SOURCE_FLIGHT, 0);
}

void ct_flight_close(struct ct_flight *f)
{
	ct_flight_wait(f);
	while (f->oldest)
		drop_oldest(f);
	close(f->written);
}
