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

static int map_threads(struct ct_trace_map *t)
{
	t->next_by_tid = calloc(t->m->thread_count + 1u, sizeof(*t->next_by_tid));
	if (!t->next_by_tid)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->m->thread_count; i++) {
		uint64_t tid = t->m->thread[i].tid;

		t->next_by_tid[i] = ct_table_get(&t->thread_by_tid, tid) - 1;
		if (ct_table_put(&t->thread_by_tid, tid, i + 1))
			return -ENOMEM;
	}
	return 0;
}

static int map_chunks(struct ct_trace_map *t)
{
	struct ct_reader r;
	struct ct_chunk c;
	int found = ct_reader_dup(&r, t->reader);

	if (found)
		return found;
	while ((found = ct_reader_next(&r, &c)) > 0) {
		uint32_t process = ct_table_get(&t->m->process_by_id, c.header.process) - 1;

		if (c.header.kind != CT_CHUNK_SWITCHES && (c.header.kind != CT_CHUNK_EVENTS || process == CT_NO))
			continue;
		struct ct_chunk_place *p = CT_APPEND(t, chunk);

		if (!p) {
			found = -ENOMEM;
			break;
		}
		*p = (struct ct_chunk_place){ c.offset, c.header.first_ns, c.header.last_ns, c.header.kind, process, c.header.count };
	}
	ct_reader_close(&r);
	return found;
}

int ct_trace_map_open(struct ct_trace_map *t, const struct ct_model *m, const struct ct_reader *reader)
{
	*t = (struct ct_trace_map){ .m = m, .reader = reader, .site_lock = PTHREAD_MUTEX_INITIALIZER };
	for (uint32_t i = 0; i < CT_CAUSES; i++)
		t->shade[i] = shade_of(m, i);
	int error = map_threads(t);

	return error ? error : map_chunks(t);
}

bool ct_trace_map_site(struct ct_trace_map *t, uint64_t number, struct ct_site_info *ret)
{
	pthread_mutex_lock(&t->site_lock);
	bool is_there = number < t->site_count;

	if (is_there)
		*ret = t->site[number];
	pthread_mutex_unlock(&t->site_lock);
	return is_there;
}

void ct_trace_map_close(struct ct_trace_map *t)
{
	ct_table_free(&t->site_by_hash);
	ct_table_free(&t->thread_by_tid);
	free(t->next_by_tid);
	free(t->chunk);
	free(t->site);
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
