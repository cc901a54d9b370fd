/* See malloc_report.h. */
#include "malloc_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "report_sort.h"
#include "wakes.h"

/* All that --top 0 keeps of the slow calls: they are events, which memory must not grow with. */
#define SLOW_MOST 1000u

int ct_malloc_part_of(const struct ct_model *m, uint32_t cause)
{
	const char *name = ct_model_cause_name(m, cause);

	return !strcmp(name, "malloc") ? CT_MALLOC_HEAP : !strcmp(name, "mmap") ? CT_MALLOC_MAPPING : -1;
}

/* --- arenas --- */

static struct ct_arena_row *arena_of(struct ct_malloc_report *v, uint32_t process, const struct ct_site *site)
{
	bool known = site->object_kind == CT_OBJECT_ARENA;
	uint64_t arena = known ? site->object : UINT64_MAX, key = ct_mix(arena + ct_mix(process));
	uint32_t at;

	for (; (at = ct_table_get(&v->arena_by_hash, key)); key++)
		if (v->arena[at - 1].process == process && v->arena[at - 1].arena == arena)
			return &v->arena[at - 1];
	struct ct_arena_row *row = CT_APPEND(v, arena);

	if (!row || ct_table_put(&v->arena_by_hash, key, v->arena_count))
		return NULL;
	const struct ct_site_info info = { process, *site };

	*row = (struct ct_arena_row){ .process = process, .arena = arena, .known = known,
				      .label = known ? ct_object_label(&v->report->symbols, v->m, &info) :
						       strdup("(not known)") };
	v->arenas |= known;
	return row->label ? row : NULL;
}

/* --- sums --- */


static int add_cell(struct ct_malloc_report *v, const struct ct_cell *cell, uint8_t *waited)
{
	const struct ct_site_info *site = &v->m->site[cell->site];
	int part = ct_malloc_part_of(v->m, site->site.cause);

	if (part < 0 || site->site.kind != CT_EVENT_INTERVAL || !cell->count)
		return 0;
	struct ct_malloc_sums *s = &v->sum[part];

	s->waits += cell->count;
	s->blocked_ns += cell->total_ns;
	s->elapsed_ns += cell->elapsed_ns;
	s->max_ns = cell->max_ns > s->max_ns ? cell->max_ns : s->max_ns;
	s->threads += !(waited[cell->thread] & 1 << part);
	waited[cell->thread] |= (uint8_t)(1 << part);
	if (part != CT_MALLOC_HEAP)
		return 0;
	struct ct_arena_row *row = arena_of(v, site->process, &site->site);

	if (!row)
		return -ENOMEM;
	row->waits += cell->count;
	row->blocked_ns += cell->total_ns;
	row->max_ns = cell->max_ns > row->max_ns ? cell->max_ns : row->max_ns;
	return 0;
}

struct pair {
	uint32_t arena, thread;
};

static int by_pair(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;

	return a->arena != b->arena ? (a->arena < b->arena ? -1 : 1) : (a->thread > b->thread) - (a->thread < b->thread);
}

/* How many threads waited in each arena. */
static int count_threads(struct ct_malloc_report *v)
{
	const struct ct_model *m = v->m;
	struct pair *pairs = calloc(m->cell_count + 1u, sizeof(*pairs));
	uint32_t n = 0;

	if (!pairs)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_site_info *site = &m->site[m->cell[i].site];
		struct ct_arena_row *row;

		if (ct_malloc_part_of(m, site->site.cause) != CT_MALLOC_HEAP || site->site.kind != CT_EVENT_INTERVAL ||
		    !m->cell[i].count)
			continue;
		row = arena_of(v, site->process, &site->site);
		if (row)
			pairs[n++] = (struct pair){ (uint32_t)(row - v->arena), m->cell[i].thread };
	}
	qsort(pairs, n, sizeof(*pairs), by_pair);
	for (uint32_t i = 0; i < n; i++)
		if (!i || by_pair(&pairs[i - 1], &pairs[i]))
			v->arena[pairs[i].arena].threads++;
	free(pairs);
	return 0;
}

static int add_up(struct ct_malloc_report *v)
{
	const struct ct_model *m = v->m;
	uint8_t *waited = calloc(m->thread_count + 1u, 1);
	int error = waited ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < m->call_count && !error; i++) {
		const char *family = m->call[i].family;
		int part = !strcmp(family, "heap") ? CT_MALLOC_HEAP : !strcmp(family, "mapping") ? CT_MALLOC_MAPPING : -1;

		if (part < 0)
			continue;
		v->sum[part].calls += m->call[i].calls;
		v->sum[part].short_ns += m->call[i].short_ns;
	}
	for (uint32_t i = 0; i < m->cell_count && !error; i++)
		error = add_cell(v, &m->cell[i], waited);
	free(waited);
	return error ? error : count_threads(v);
}

/* --- who ended the waits --- */

static bool in_window(const struct ct_model *m, const struct ct_wait *wait)
{
	return !m->window || (wait->end_ns > m->from_ns && wait->start_ns < m->to_ns);
}

/* A wait that another thread of the process ended was for a lock inside. */
static int take_wait(void *self, const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_share *shares,
		     uint32_t count)
{
	struct ct_malloc_report *v = self;
	const struct ct_site_info *site = &w->site[wait->site];
	const struct ct_model *m = v->m;
	int part = ct_malloc_part_of(m, site->site.cause);

	(void)shares;
	(void)count;
	if (part < 0 || !m->thread[wait->thread].selected || !wait->inside || !in_window(m, wait) ||
	    wait->end_ns - wait->start_ns < m->options->min_ns || ct_model_selects(m, site->process, &site->site) <= 0)
		return 0;
	struct ct_malloc_sums *s = &v->sum[part];
	uint64_t ns = wait->end_ns - wait->start_ns;

	if (wait->waker >= m->thread_count || wait->waker == wait->thread ||
	    m->thread[wait->waker].process != m->thread[wait->thread].process) {
		s->by_none++;
		return 0;
	}
	s->by_thread++;
	s->by_thread_ns += ns;
	struct ct_arena_row *row = part == CT_MALLOC_HEAP ? arena_of(v, site->process, &site->site) : NULL;

	if (row) {
		row->by_thread++;
		row->by_thread_ns += ns;
	}
	return part == CT_MALLOC_HEAP && !row ? -ENOMEM : 0;
}

/* --- the longest calls --- */

static int sift(struct ct_malloc_report *v, const struct ct_call_event *e)
{
	uint64_t ns = e->end_ns - e->start_ns;
	uint32_t at;

	if (v->slow_count == v->slow_most && v->slow[v->slow_count - 1].took_ns >= ns)
		return 0;
	if (v->slow_count < v->slow_most && !CT_APPEND(v, slow))
		return -ENOMEM;
	for (at = v->slow_count - 1; at && v->slow[at - 1].took_ns < ns; at--)
		v->slow[at] = v->slow[at - 1];
	v->slow[at] = (struct ct_slow_call){ .thread = e->thread, .process = e->process, .site = *e->site,
					     .start_ns = e->start_ns, .took_ns = ns, .bytes = e->result };
	return 0;
}

static int take_call(void *self, const struct ct_call_event *e)
{
	struct ct_malloc_report *v = self;

	return ct_malloc_part_of(v->m, e->site->cause) == CT_MALLOC_HEAP ? sift(v, e) : 0;
}

static int by_blocked(const void *x, const void *y)
{
	const struct ct_arena_row *a = x, *b = y;
	int order = (b->known > a->known) - (b->known < a->known);

	if (!order)
		order = ct_more_first(a->blocked_ns, b->blocked_ns);
	if (!order)
		order = ct_more_first(a->waits, b->waits);
	return order ? order : (a->arena > b->arena) - (a->arena < b->arena);
}

int ct_malloc_make(struct ct_malloc_report *v, struct ct_report *r, struct ct_reader *reader, uint32_t slow)
{
	struct ct_wakes w = { 0 };

	*v = (struct ct_malloc_report){ .m = r->model, .report = r,
					.slow_most = slow && slow < SLOW_MOST ? slow : SLOW_MOST };
	int error = add_up(v);
	bool waited = v->sum[CT_MALLOC_HEAP].waits || v->sum[CT_MALLOC_MAPPING].waits;

	if (!error && waited)
		error = ct_calls_read(v->m, reader, take_call, v);
	if (!error && waited && v->m->wakes)
		error = ct_wakes_read(&w, v->m, reader, false, take_wait, v);
	if (w.m)
		ct_wakes_close(&w);
	if (v->arena_count)
		qsort(v->arena, v->arena_count, sizeof(*v->arena), by_blocked);
	ct_table_free(&v->arena_by_hash); /* wrong from now on */
	return error;
}

void ct_malloc_close(struct ct_malloc_report *v)
{
	for (uint32_t i = 0; i < v->arena_count; i++)
		free(v->arena[i].label);
	free(v->arena);
	free(v->slow);
	ct_table_free(&v->arena_by_hash);
	*v = (struct ct_malloc_report){ 0 };
}
