/*
 * A part of a trace as a picture: what each thread did in each piece of time, and which
 * waits and turns on a CPU are long enough to be seen as such.
 *
 * Reads the chunks that can have to do with the window, and no others.
 */
#ifndef CT_WINDOW_H
#define CT_WINDOW_H

#include <pthread.h>
#include <stdatomic.h>

#include "model.h"
#include "reader.h"

/* What is told apart. The rest of its life a thread is off the CPU in no call that is recorded. */
enum ct_shade {
	CT_SHADE_RUNNING,
	CT_SHADE_READY,
	CT_SHADE_CONTENTION, /* waits, by their cause's category */
	CT_SHADE_IO,
	CT_SHADE_IDLE,
	CT_SHADE_RUNTIME,
	CT_SHADES
};

/* A wait, from call to return; of those inside of each other each is one. */
struct ct_bar {
	uint64_t start_ns, end_ns;
	uint32_t site;           /* in ct_trace_map.site */
	uint32_t open;           /* 1: it had not ended when the trace did */
};

/* A time with a CPU, or ready for one. */
struct ct_strip {
	uint64_t start_ns, end_ns;
	uint32_t cpu;            /* CT_NO: ready */
};

struct ct_chunk_place {
	uint64_t offset, first_ns, last_ns;
	uint32_t kind, process;  /* process: index, of EVENTS chunks */
	uint32_t count;          /* events or slices */
	uint32_t raw_bytes, id;  /* as in its header: id is its process */
};

/* The waits' sites, by the numbers under which the page knows them. Of all readings of a trace that
 * grows: numbers stay. */
struct ct_map_sites {
	atomic_uint users;
	pthread_mutex_t lock;
	CT_ARRAY(struct ct_site_info, site);
	struct ct_table by_hash;
};

/* Where things are in a trace. Threads may read windows of it beside each other: nothing but the
 * sites changes. */
struct ct_trace_map {
	const struct ct_model *m;
	const struct ct_reader *reader; /* to be dupped */
	CT_ARRAY(struct ct_chunk_place, chunk);
	struct ct_map_sites *sites; /* shared */
	struct ct_table thread_by_tid; /* the first thread with a number: index + 1 */
	uint32_t *next_by_tid;         /* the next one, or CT_NO */
	uint8_t shade[CT_CAUSES];
};

/* The model and the reader, which is not moved, must stay. 0, -ENOMEM, -errno. Close in either case. */
int ct_trace_map_open(struct ct_trace_map *t, const struct ct_model *m, const struct ct_reader *reader);
/* A map that chunks are added to; its threads are those of now. sites: to be shared; NULL: none yet. As above. */
int ct_trace_map_begin(struct ct_trace_map *t, const struct ct_model *m, const struct ct_reader *reader,
		       struct ct_map_sites *sites);
/* The model has more threads and causes now, or knows more of them. 0 or -ENOMEM. */
int ct_trace_map_threads(struct ct_trace_map *t);
/* Notes a chunk if windows need such ones. 1, 0: they do not, -ENOMEM. */
int ct_trace_map_add(struct ct_trace_map *t, const struct ct_chunk *c);
void ct_trace_map_close(struct ct_trace_map *t);
uint32_t ct_trace_map_sites(const struct ct_trace_map *t);
/* False: there is no such site. */
bool ct_trace_map_site(struct ct_trace_map *t, uint64_t number, struct ct_site_info *ret);
/* Lets a reader see only chunks that have something in a time: a bit before it, a bit after. 0 or -ENOMEM. */
int ct_trace_map_choose(const struct ct_trace_map *t, struct ct_reader *r, uint64_t from_ns, uint64_t to_ns);
/* The number of a site; CT_NO without memory. */
uint32_t ct_trace_map_number(struct ct_trace_map *t, uint32_t process, struct ct_site site);
/* How many events and slices are read for a window. */
uint64_t ct_trace_map_records(const struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns);

struct ct_window_lane {
	uint64_t from_ns, to_ns; /* the thread's life in the window */
	uint32_t first, count;   /* the pieces of its life */
	float (*sum)[CT_SHADES]; /* ns; of count pieces */
	CT_ARRAY(struct ct_bar, bar);
	CT_ARRAY(struct ct_strip, strip);
	/* Private. */
	uint64_t ready_from_ns;
	uint32_t touched;        /* no piece before it has changed since this was set */
	uint32_t room;           /* for pieces, in overview_grow.c */
};

struct ct_window {
	uint64_t from_ns, to_ns;
	uint32_t pieces;
	uint64_t bar_ns, strip_ns; /* the shortest that are kept; UINT64_MAX: none */
	struct ct_window_lane **lane; /* one a thread of the model: NULL where it is not wanted; owned */
	uint32_t lane_count;
	/* Private. */
	struct ct_reader reader;
	struct ct_events_decoder events;
	struct ct_switches_decoder switches;
	double per_ns;           /* pieces */
};

/* An empty window; pieces at least 1. 0 or -ENOMEM; close in either case. */
int ct_window_open(struct ct_window *w, const struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns, uint32_t pieces);
/* Wants a thread's lane. 0 or -ENOMEM. */
int ct_window_want(struct ct_window *w, const struct ct_trace_map *t, uint32_t thread);
/* Takes in a chunk that the window's reader is at. 0, -ENOMEM, -errno. */
int ct_window_take(struct ct_window *w, struct ct_trace_map *t, const struct ct_chunk_place *p, const struct ct_chunk *c);
/* 0, -ENOMEM, -errno. */
int ct_window_read(struct ct_window *w, struct ct_trace_map *t);
void ct_window_close(struct ct_window *w);

/* From and to a moment after the window's begin, in several pieces. */
void ct_window_add_slow(const struct ct_window *w, struct ct_window_lane *l, double at, double end, enum ct_shade shade);

/* The life of a thread in the trace. */
void ct_life_of(const struct ct_model *m, uint32_t thread, uint64_t *ret_from_ns, uint64_t *ret_to_ns);
/* A piece's shares of 255, from sums: waits together never have more than the whole. */
void ct_window_shares(const float sum[CT_SHADES], double piece_ns, uint8_t ret[CT_SHADES]);

#endif
