/*
 * Reading ahead. The thread has a reader of its own on the same file, and does with it
 * what the user of the reader would do; what it finds waits in a ring of places, in
 * order. Damage is found by the thread, but counted when its place in the ring comes to
 * be used: so it is counted as without a thread, also if the rest is never used.
 */
#include "reader_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "columns.h"

#define PLACES      16u
#define BYTES_AHEAD (2u << 20) /* at least one chunk may wait whatever its size */
#define BYTES_KEPT  (1u << 20) /* larger buffers are given back */
#define STACK_BYTES (512u << 10)
#define LEAST_BYTES (256u << 10) /* of a file */

struct damage {
	uint64_t offset;
	const char *what;         /* NULL: none */
};

struct place {
	int found;                /* what ct_reader_next returned */
	struct ct_chunk chunk;
	uint64_t offset, walked;  /* of the reader afterwards */
	struct damage gap, damage; /* found by ct_reader_next, by ct_reader_payload */
	bool loaded, sound;
	int error;                /* what ct_reader_payload returned */
	struct ct_span payload;   /* in raw */
	struct ct_buf raw;
};

struct ct_ahead {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t filled, freed;
	/* Under the mutex. Places from first on are filled; a place in use by the reader's
	 * user is none of them any more, but is not filled again before it is freed. */
	uint32_t first, count, used;
	size_t bytes;             /* in the filled places */
	bool stop;
	/* The thread's. */
	struct ct_reader reader;
	struct ct_want want;
	struct ct_events_decoder events;
	struct ct_switches_decoder switches;
	struct place place[PLACES];
};

bool ct_is_wanted(const struct ct_want *w, const struct ct_chunk_header *h)
{
	bool timed = h->kind == CT_CHUNK_EVENTS || h->kind == CT_CHUNK_SWITCHES;
	uint32_t low = 0, high = w->process_count;

	if (h->kind >= CT_CHUNK_KINDS || !(w->kinds & CT_WANT(h->kind)))
		return false;
	if (timed && w->to_ns && (h->last_ns < w->from_ns || h->first_ns > w->to_ns))
		return false;
	if (!w->process || h->kind != CT_CHUNK_EVENTS)
		return true;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (w->process[middle] == h->process)
			return true;
		if (w->process[middle] < h->process)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* --- the thread --- */

static struct damage take_damage(struct ct_reader *r)
{
	struct damage d = { r->damage_offset, r->damaged ? r->damage : NULL };

	r->damaged = 0;
	return d;
}

static bool is_sound(struct ct_ahead *a, const struct place *p)
{
	uint64_t count;

	switch (p->chunk.header.kind) {
	case CT_CHUNK_EVENTS:
		return !ct_events_open(&a->events, p->payload) && ct_columns_sound(&a->events);
	case CT_CHUNK_SWITCHES:
		return !ct_switches_open(&a->switches, p->payload) && ct_slices_sound(&a->switches, &count) &&
		       count == p->chunk.header.count;
	}
	return false;
}

static void fill(struct ct_ahead *a, struct place *p)
{
	struct ct_reader *r = &a->reader;

	p->found = ct_reader_next(r, &p->chunk);
	p->offset = r->offset;
	p->walked = r->walked;
	p->gap = take_damage(r);
	p->loaded = p->found > 0 && ct_is_wanted(&a->want, &p->chunk.header);
	if (!p->loaded)
		return;
	r->raw = p->raw;
	p->error = ct_reader_payload(r, &p->chunk, &p->payload);
	p->raw = r->raw;
	r->raw = (struct ct_buf){ 0 };
	p->damage = take_damage(r);
	p->sound = a->want.sound && !p->error && is_sound(a, p);
}

static size_t bytes_of(const struct place *p)
{
	return p->loaded ? p->raw.capacity : 0;
}

/* Once the ring is full it fills up only when half of it is empty: threads change less often. */
static void await_room(struct ct_ahead *a)
{
	if (a->count + a->used < PLACES && a->bytes < BYTES_AHEAD)
		return;
	while (!a->stop && a->count && (a->count + a->used > PLACES / 2 || a->bytes > BYTES_AHEAD / 2))
		pthread_cond_wait(&a->freed, &a->mutex);
}

static void *run(void *argument)
{
	struct ct_ahead *a = argument;
	int found = 1;

	pthread_mutex_lock(&a->mutex);
	while (found > 0) {
		await_room(a);
		if (a->stop)
			break;
		struct place *p = &a->place[(a->first + a->count) % PLACES];

		pthread_mutex_unlock(&a->mutex);
		fill(a, p);
		pthread_mutex_lock(&a->mutex);
		found = p->found;
		a->count++;
		a->bytes += bytes_of(p);
		pthread_cond_signal(&a->filled);
	}
	pthread_mutex_unlock(&a->mutex);
	return NULL;
}

/* --- its user --- */

static void count_damage(struct ct_reader *r, const struct damage *d)
{
	if (d->what)
		ct_reader_damage(r, d->offset, d->what);
}

/* Gives back the place in use: the one before the first. */
static void free_used(struct ct_ahead *a)
{
	struct place *p = &a->place[(a->first + PLACES - 1) % PLACES];

	if (a->used && p->raw.capacity > BYTES_KEPT)
		ct_buf_free(&p->raw);
	a->used = 0;
}

int ct_ahead_next(struct ct_reader *r, struct ct_chunk *ret)
{
	struct ct_ahead *a = r->ahead;

	r->sound = false;
	pthread_mutex_lock(&a->mutex);
	free_used(a);
	pthread_cond_signal(&a->freed);
	while (!a->count)
		pthread_cond_wait(&a->filled, &a->mutex);
	const struct place *p = &a->place[a->first];

	a->first = (a->first + 1) % PLACES;
	a->count--;
	a->used = 1;
	a->bytes -= bytes_of(p);
	pthread_mutex_unlock(&a->mutex);

	int found = p->found;

	count_damage(r, &p->gap);
	r->offset = p->offset;
	r->walked = p->walked;
	if (found > 0) {
		*ret = p->chunk;
		r->after = r->offset;
	} else {
		ct_ahead_stop(r);
	}
	return found;
}

bool ct_ahead_payload(struct ct_reader *r, const struct ct_chunk *c, struct ct_span *ret, int *ret_error)
{
	struct ct_ahead *a = r->ahead;
	/* first changes in the user's thread only. */
	const struct place *p = &a->place[(a->first + PLACES - 1) % PLACES];

	if (!a->used || !p->loaded || p->chunk.offset != c->offset)
		return false;
	count_damage(r, &p->damage);
	r->sound = p->sound;
	if (!p->error)
		*ret = p->payload;
	*ret_error = p->error;
	return true;
}

static void free_ahead(struct ct_ahead *a)
{
	pthread_mutex_destroy(&a->mutex);
	pthread_cond_destroy(&a->filled);
	pthread_cond_destroy(&a->freed);
	for (uint32_t i = 0; i < PLACES; i++)
		ct_buf_free(&a->place[i].raw);
	ct_buf_free(&a->reader.stored);
	ZSTD_freeDCtx(a->reader.zstd);
	ct_events_close(&a->events);
	ct_switches_close(&a->switches);
	free(a);
}

void ct_ahead_stop(struct ct_reader *r)
{
	struct ct_ahead *a = r->ahead;

	if (!a)
		return;
	pthread_mutex_lock(&a->mutex);
	a->stop = true;
	pthread_cond_signal(&a->freed);
	pthread_mutex_unlock(&a->mutex);
	pthread_join(a->thread, NULL);
	free_ahead(a);
	r->ahead = NULL;
}

/* Signals are the main thread's. */
static int start(struct ct_ahead *a)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&a->thread, &attr, run, a);

	if (!error)
		pthread_setname_np(a->thread, "ctrace-read");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}

void ct_reader_ahead(struct ct_reader *r, const struct ct_want *want)
{
	const char *setting = getenv(CT_ENV_READ_AHEAD);
	/* Of a small file there is nothing to gain. */
	bool wanted = setting && *setting ? strcmp(setting, "0") != 0 : r->file_bytes >= LEAST_BYTES;
	struct ct_ahead *a = r->ahead || !wanted || r->alone ? NULL : calloc(1, sizeof(*a));

	if (!a)
		return;
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->filled, NULL);
	pthread_cond_init(&a->freed, NULL);
	a->want = *want;
	a->reader = (struct ct_reader){
		.fd = r->fd, .file_bytes = r->file_bytes, .header = r->header, .has_trailer = r->has_trailer,
		.index_offset = r->index_offset, .offset = r->offset, .limit = r->limit, .walked = r->walked,
		.entry = r->entry, .entry_count = r->entry_count, .entry_at = r->entry_at, .zstd = ZSTD_createDCtx(),
	};
	if (!a->reader.zstd || start(a))
		free_ahead(a);
	else
		r->ahead = a;
}
