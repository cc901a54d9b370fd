/* The map of a trace. See window.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

static uint8_t shade_of(const struct ct_model *m, uint32_t cause)
{
	const char *category = ct_model_category(m, cause);

	if (!strcmp(category, "contention"))
		return CT_SHADE_CONTENTION;
	if (!strcmp(category, "io"))
		return CT_SHADE_IO;
	return strcmp(category, "idle") ? CT_SHADE_RUNTIME : CT_SHADE_IDLE;
}

int ct_trace_map_threads(struct ct_trace_map *t)
{
	uint32_t *next = realloc(t->next_by_tid, (t->m->thread_count + 1u) * sizeof(*next));

	if (!next)
		return -ENOMEM;
	t->next_by_tid = next;
	for (uint32_t i = 0; i < CT_CAUSES; i++)
		t->shade[i] = shade_of(t->m, i);
	ct_table_free(&t->thread_by_tid);
	for (uint32_t i = 0; i < t->m->thread_count; i++) {
		uint64_t tid = t->m->thread[i].tid;

		t->next_by_tid[i] = ct_table_get(&t->thread_by_tid, tid) - 1;
		if (ct_table_put(&t->thread_by_tid, tid, i + 1))
			return -ENOMEM;
	}
	return 0;
}

int ct_trace_map_add(struct ct_trace_map *t, const struct ct_chunk *c)
{
	uint32_t process = ct_table_get(&t->m->process_by_id, c->header.process) - 1;

	if (c->header.kind != CT_CHUNK_SWITCHES && (c->header.kind != CT_CHUNK_EVENTS || process == CT_NO))
		return 0;
	struct ct_chunk_place *p = CT_APPEND(t, chunk);

	if (!p)
		return -ENOMEM;
	*p = (struct ct_chunk_place){ c->offset, c->header.first_ns, c->header.last_ns, c->header.kind, process, c->header.count,
				      c->header.raw_bytes, c->header.process };
	return 1;
}

int ct_trace_map_choose(const struct ct_trace_map *t, struct ct_reader *r, uint64_t from_ns, uint64_t to_ns)
{
	struct ct_index_entry *e = NULL;
	uint32_t n = 0;

	/* Once to count them. */
	for (int pass = 0; pass < 2; pass++) {
		if (pass && !(e = malloc((n + 1u) * sizeof(*e))))
			return -ENOMEM;
		n = 0;
		for (uint32_t i = 0; i < t->chunk_count; i++) {
			const struct ct_chunk_place *p = &t->chunk[i];

			if (p->last_ns < from_ns || p->first_ns > to_ns)
				continue;
			if (pass)
				e[n] = (struct ct_index_entry){ .offset = p->offset, .kind = p->kind, .process = p->id, .count = p->count,
								.raw_bytes = p->raw_bytes, .first_ns = p->first_ns, .last_ns = p->last_ns };
			n++;
		}
	}
	ct_reader_choose(r, e, n);
	return 0;
}

static int map_chunks(struct ct_trace_map *t)
{
	struct ct_reader r;
	struct ct_chunk c;
	int found = ct_reader_dup(&r, t->reader), error = 0;

	if (found)
		return found;
	while (error >= 0 && (found = ct_reader_next(&r, &c)) > 0)
		error = ct_trace_map_add(t, &c);
	ct_reader_close(&r);
	return error < 0 ? error : found;
}

static struct ct_map_sites *make_sites(void)
{
	struct ct_map_sites *s = calloc(1, sizeof(*s));

	if (s)
		pthread_mutex_init(&s->lock, NULL);
	return s;
}

int ct_trace_map_begin(struct ct_trace_map *t, const struct ct_model *m, const struct ct_reader *reader,
		       struct ct_map_sites *sites)
{
	*t = (struct ct_trace_map){ .m = m, .reader = reader, .sites = sites ? sites : make_sites() };
	if (!t->sites)
		return -ENOMEM;
	atomic_fetch_add(&t->sites->users, 1);
	return ct_trace_map_threads(t);
}

int ct_trace_map_open(struct ct_trace_map *t, const struct ct_model *m, const struct ct_reader *reader)
{
	int error = ct_trace_map_begin(t, m, reader, NULL);

	return error ? error : map_chunks(t);
}

uint32_t ct_trace_map_sites(const struct ct_trace_map *t)
{
	pthread_mutex_lock(&t->sites->lock);
	uint32_t count = t->sites->site_count;

	pthread_mutex_unlock(&t->sites->lock);
	return count;
}

bool ct_trace_map_site(struct ct_trace_map *t, uint64_t number, struct ct_site_info *ret)
{
	pthread_mutex_lock(&t->sites->lock);
	bool is_there = number < t->sites->site_count;

	if (is_there)
		*ret = t->sites->site[number];
	pthread_mutex_unlock(&t->sites->lock);
	return is_there;
}

static void let_go(struct ct_map_sites *s)
{
	if (!s || atomic_fetch_sub(&s->users, 1) != 1)
		return;
	ct_table_free(&s->by_hash);
	free(s->site);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void ct_trace_map_close(struct ct_trace_map *t)
{
	let_go(t->sites);
	ct_table_free(&t->thread_by_tid);
	free(t->next_by_tid);
	free(t->chunk);
	*t = (struct ct_trace_map){ 0 };
}

void ct_life_of(const struct ct_model *m, uint32_t thread, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	const struct ct_thread_info *t = &m->thread[thread];
	const struct ct_process_info *p = &m->process[t->process];
	uint64_t from_ns = t->start_ns < m->start_ns ? m->start_ns : t->start_ns;
	uint64_t to_ns = t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns;

	*ret_to_ns = to_ns > m->end_ns ? m->end_ns : to_ns;
	*ret_from_ns = from_ns < *ret_to_ns ? from_ns : *ret_to_ns;
}
