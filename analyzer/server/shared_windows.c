/* See shared_windows.h. */
#include "shared_windows.h"

#include <errno.h>
#include <stdlib.h>

#define KEPT  2u
#define LANES 256u
#define BYTES (12u << 20)  /* that the sums of one may take */

void ct_shared_windows_open(struct ct_shared_windows *s)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->done, NULL);
	s->first = NULL;
}

static void free_window(struct ct_shared_window *w)
{
	ct_window_close(&w->w);
	free(w);
}

void ct_shared_windows_close(struct ct_shared_windows *s)
{
	for (struct ct_shared_window *w = s->first, *next; w; w = next) {
		next = w->next;
		free_window(w);
	}
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->done);
	s->first = NULL;
}

bool ct_shared_windows_can(const struct ct_trace_map *t, uint32_t pieces)
{
	return t->m->thread_count <= LANES && (uint64_t)pieces * t->m->thread_count * CT_SHADES * sizeof(float) <= BYTES;
}

/* --- with the lock --- */

static void unlist(struct ct_shared_windows *s, struct ct_shared_window *w)
{
	struct ct_shared_window **at = &s->first;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	w->listed = false;
}

static void list(struct ct_shared_windows *s, struct ct_shared_window *w)
{
	w->next = s->first;
	s->first = w;
	w->listed = true;
}

static void let_go(struct ct_shared_window *w)
{
	if (!--w->users && !w->listed)
		free_window(w);
}

/* Those that nobody has asked for lately. */
static void drop_old(struct ct_shared_windows *s)
{
	uint32_t n = 0;

	for (struct ct_shared_window *w = s->first, *next; w; w = next) {
		next = w->next;
		if (n++ < KEPT || w->users)
			continue;
		unlist(s, w);
		free_window(w);
	}
}

static struct ct_shared_window *find(const struct ct_shared_windows *s, uint64_t from_ns, uint64_t to_ns, uint32_t pieces, bool more)
{
	for (struct ct_shared_window *w = s->first; w; w = w->next)
		if (w->w.from_ns == from_ns && w->w.to_ns == to_ns && (w->w.pieces == pieces || (more && w->w.pieces > pieces)))
			return w;
	return NULL;
}

/* --- reading --- */

static int read_window(struct ct_window *w, struct ct_trace_map *t)
{
	int error = 0;

	for (uint32_t i = 0; i < t->m->thread_count && !error; i++)
		error = ct_window_want(w, t, i);
	return error ? error : ct_window_read(w, t);
}

static int make(struct ct_shared_windows *s, struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns, uint32_t pieces,
		struct ct_shared_window **ret)
{
	struct ct_shared_window *w = calloc(1, sizeof(*w));
	int error = w ? ct_window_open(&w->w, t, from_ns, to_ns, pieces) : -ENOMEM;

	if (error) {
		free(w);
		return error;
	}
	w->w.bar_ns = w->w.strip_ns = (to_ns - from_ns) * 2 / pieces;
	w->users = 1;
	w->reading = true;
	list(s, w);
	pthread_mutex_unlock(&s->lock);
	error = read_window(&w->w, t);
	pthread_mutex_lock(&s->lock);
	w->reading = false;
	w->error = error;
	pthread_cond_broadcast(&s->done);
	if (error) {
		unlist(s, w);
		let_go(w);
	}
	*ret = w;
	return error;
}

int ct_shared_windows_get(struct ct_shared_windows *s, struct ct_trace_map *t, uint64_t from_ns, uint64_t to_ns, uint32_t pieces,
			  bool more, struct ct_shared_window **ret)
{
	struct ct_shared_window *w;
	int error = 0;

	pthread_mutex_lock(&s->lock);
	while ((w = find(s, from_ns, to_ns, pieces, more))) {
		w->users++;
		while (w->reading)
			pthread_cond_wait(&s->done, &s->lock);
		if (!w->error)
			break;
		/* Who read it may just have been told to stop. */
		let_go(w);
	}
	if (w && w != s->first) {
		unlist(s, w);
		list(s, w);
	}
	if (w)
		*ret = w;
	else
		error = make(s, t, from_ns, to_ns, pieces, ret);
	drop_old(s);
	pthread_mutex_unlock(&s->lock);
	return error;
}

void ct_shared_windows_put(struct ct_shared_windows *s, struct ct_shared_window *w)
{
	pthread_mutex_lock(&s->lock);
	let_go(w);
	drop_old(s);
	pthread_mutex_unlock(&s->lock);
}
