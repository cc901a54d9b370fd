/* Sums of cells. See profile_rows.h. */
#include "profile_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *ct_profile_thread_name(const struct ct_model *m, uint32_t thread)
{
	const char *name = m->thread[thread].name;

	return *name ? name : "thread";
}

static uint64_t hash_text(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return ct_mix(h);
}

static int find_who(struct ct_profile_rows *p)
{
	const struct ct_model *m = p->model;
	struct ct_table by_name = { 0 };
	uint32_t at;
	int error = 0;

	p->who = calloc(m->thread_count + 1u, sizeof(*p->who));
	if (!p->who)
		return -ENOMEM;
	/* Threads of one name can be in several groups. */
	for (uint32_t i = 0; i < m->thread_count && m->options->group_by; i++)
		p->who[i] = i;
	if (m->options->group_by)
		return 0;
	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		uint64_t key = hash_text(t->name, t->process + 1ull);

		for (; (at = ct_table_get(&by_name, key)); key++)
			if (m->thread[at - 1].process == t->process && !strcmp(m->thread[at - 1].name, t->name))
				break;
		p->who[i] = at ? at - 1 : i;
		if (!at)
			error = ct_table_put(&by_name, key, i + 1);
	}
	ct_table_free(&by_name);
	return error;
}

/* --- sites --- */

struct place {
	uint32_t callstack, call;
	uint32_t objects; /* how many different ones */
};

/* What is needed of the sites while rows are made. */
struct places {
	CT_ARRAY(struct place, place);
	uint32_t *place_of; /* by site */
	uint32_t *object;   /* by site: the first site with that object */
	struct ct_table by_key, object_by_hash, objects;
};

static void close_places(struct places *s)
{
	free(s->place);
	free(s->place_of);
	free(s->object);
	ct_table_free(&s->by_key);
	ct_table_free(&s->object_by_hash);
	ct_table_free(&s->objects);
}

static int find_place(struct ct_profile_rows *p, struct places *s, uint32_t site)
{
	const struct ct_site_info *info = &p->model->site[site];
	uint32_t callstack;
	int error = ct_callstack_of(&p->callstacks, ct_model_stack(p->model, info->process, info->site.stack), &callstack);

	if (error)
		return error;
	uint32_t call = callstack == CT_NO ? info->site.call : 0;
	uint64_t key = ct_mix(ct_pair(callstack, call));
	uint32_t at;

	for (; (at = ct_table_get(&s->by_key, key)); key++)
		if (s->place[at - 1].callstack == callstack && s->place[at - 1].call == call)
			break;
	if (!at) {
		struct place *new = CT_APPEND(s, place);

		if (!new || ct_table_put(&s->by_key, key, s->place_count))
			return -ENOMEM;
		*new = (struct place){ callstack, call, 0 };
		at = s->place_count;
	}
	s->place_of[site] = at - 1;
	return 0;
}

static int find_object(const struct ct_model *m, struct places *s, uint32_t site)
{
	const struct ct_site_info *a = &m->site[site];
	uint64_t key = ct_mix(a->site.object ^ ct_mix(ct_pair(a->process, a->site.object_kind)));
	uint32_t at;

	for (; (at = ct_table_get(&s->object_by_hash, key)); key++) {
		const struct ct_site_info *b = &m->site[at - 1];

		if (a->process == b->process && a->site.object == b->site.object && a->site.object_kind == b->site.object_kind)
			break;
	}
	s->object[site] = at ? at - 1 : site;
	if (!at && ct_table_put(&s->object_by_hash, key, site + 1))
		return -ENOMEM;
	uint64_t pair = ct_pair(s->place_of[site], s->object[site]);

	if (ct_table_get(&s->objects, pair))
		return 0;
	s->place[s->place_of[site]].objects++;
	return ct_table_put(&s->objects, pair, 1);
}

static int find_places(struct ct_profile_rows *p, struct places *s, bool objects)
{
	const struct ct_model *m = p->model;
	int error = 0;

	s->place_of = calloc(m->site_count + 1u, sizeof(*s->place_of));
	s->object = calloc(m->site_count + 1u, sizeof(*s->object));
	if (!s->place_of || !s->object)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->site_count && !error; i++) {
		s->object[i] = CT_NO;
		if (m->site[i].site.kind != CT_EVENT_INTERVAL)
			continue;
		error = find_place(p, s, i);
		if (!error && objects && m->site[i].site.object_kind != CT_OBJECT_NONE)
			error = find_object(m, s, i);
	}
	return error;
}

/* --- rows --- */

static int add(struct ct_profile_rows *p, struct ct_table *by_hash, const struct ct_profile_row *add)
{
	uint64_t key = ct_mix(ct_pair(add->thread, add->callstack) ^ ct_mix(ct_pair(add->site, add->call)) ^
			      (uint64_t)add->cause << 56 ^ (uint64_t)add->spent << 50 ^ ct_mix(add->region));
	uint32_t at;

	if (!add->count && !add->ns)
		return 0;
	for (; (at = ct_table_get(by_hash, key)); key++) {
		struct ct_profile_row *r = &p->row[at - 1];

		if (r->spent == add->spent && r->cause == add->cause && r->thread == add->thread &&
		    r->callstack == add->callstack && r->call == add->call && r->site == add->site &&
		    r->region == add->region) {
			r->count += add->count;
			r->ns += add->ns;
			return 0;
		}
	}
	struct ct_profile_row *new = CT_APPEND(p, row);

	if (!new || ct_table_put(by_hash, key, p->row_count))
		return -ENOMEM;
	*new = *add;
	return 0;
}

/* Waits around others have the others' delays too: of such a thread only the sum is known. */
static int add_cells(struct ct_profile_rows *p, struct places *s, struct ct_table *by_hash, const uint64_t *delays)
{
	const struct ct_model *m = p->model;
	int error = 0;

	for (uint32_t i = 0; i < m->cell_count && !error; i++) {
		const struct ct_cell *c = &m->cell[i];
		const struct ct_site *site = &m->site[c->site].site;

		if (site->kind != CT_EVENT_INTERVAL)
			continue;
		const struct place *place = &s->place[s->place_of[c->site]];
		struct ct_profile_row row = {
			.cause = site->cause,
			.thread = p->who[c->thread],
			.callstack = place->callstack,
			.call = place->call,
			.region = c->region,
			.site = place->objects > CT_PROFILE_OBJECTS ? CT_NO : s->object[c->site],
			.count = c->count,
			.ns = c->total_ns,
		};

		p->unknown += c->unknown;
		error = add(p, by_hash, &row);
		row.spent = CT_SPENT_READY;
		row.count = c->delays;
		row.ns = c->delay_ns;
		if (!error && delays[c->thread] <= m->thread[c->thread].runnable_ns)
			error = add(p, by_hash, &row);
	}
	return error;
}

static int add_threads(struct ct_profile_rows *p, struct ct_table *by_hash, const uint64_t *delays)
{
	const struct ct_model *m = p->model;
	int error = 0;

	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		struct ct_profile_row row = { .thread = p->who[i], .callstack = CT_NO, .region = CT_NO,
					      .site = CT_NO };

		if (!t->selected)
			continue;
		p->estimated_ns += t->estimated_ns;
		row.spent = CT_SPENT_READY;
		row.ns = t->runnable_ns - (delays[i] <= t->runnable_ns ? delays[i] : 0);
		row.count = i < m->states_count ? m->states[i].preemptions : 0;
		if (row.ns)
			error = add(p, by_hash, &row);
		row.spent = CT_SPENT_UNEXPLAINED;
		row.ns = t->unexplained_ns;
		row.count = 1;
		if (!error && row.ns)
			error = add(p, by_hash, &row);
	}
	return error;
}

int ct_profile_rows_make(struct ct_profile_rows *p, const struct ct_model *m, bool objects)
{
	struct places s = { 0 };
	struct ct_table by_hash = { 0 };
	uint64_t *delays = calloc(m->thread_count + 1u, sizeof(*delays));

	*p = (struct ct_profile_rows){ .model = m };
	int error = ct_callstacks_open(&p->callstacks, m);

	if (!error && !delays)
		error = -ENOMEM;
	for (uint32_t i = 0; i < m->cell_count && !error; i++)
		if (m->site[m->cell[i].site].site.kind == CT_EVENT_INTERVAL)
			delays[m->cell[i].thread] += m->cell[i].delay_ns;
	if (!error)
		error = find_who(p);
	if (!error)
		error = find_places(p, &s, objects);
	if (!error)
		error = add_cells(p, &s, &by_hash, delays);
	if (!error)
		error = add_threads(p, &by_hash, delays);
	free(delays);
	close_places(&s);
	ct_table_free(&by_hash);
	return error;
}

void ct_profile_rows_close(struct ct_profile_rows *p)
{
	free(p->row);
	free(p->who);
	if (p->model)
		ct_callstacks_close(&p->callstacks);
	*p = (struct ct_profile_rows){ 0 };
}

static int by_time(const void *x, const void *y)
{
	const struct ct_profile_row *a = x, *b = y;

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	if (a->callstack != b->callstack)
		return a->callstack < b->callstack ? -1 : 1;
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->spent != b->spent)
		return a->spent < b->spent ? -1 : 1;
	return (a->site > b->site) - (a->site < b->site);
}

void ct_profile_rows_sort(struct ct_profile_rows *p)
{
	if (p->row_count)
		qsort(p->row, p->row_count, sizeof(*p->row), by_time);
}
