/* Waits of an interval by cause, by place in the program, and by lock. See top.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "top.h"
#include "types.h"

static uint64_t key_of(const struct ct_top_what *w)
{
	uint64_t h = ct_mix(w->object);

	h = ct_mix(h ^ w->ip);
	h = ct_mix(h ^ ((uint64_t)w->stack << 16 | (uint64_t)w->cause << 8 | w->object_kind));
	for (const char *c = w->call ? w->call : ""; *c; c++)
		h = ct_mix(h ^ (uint64_t)(unsigned char)*c);
	return h;
}

bool ct_top_is_lock(const struct ct_top_what *w)
{
	return w->object_kind == CT_OBJECT_ADDRESS &&
	       (w->cause == CT_CAUSE_MUTEX || w->cause == CT_CAUSE_RWLOCK || w->cause == CT_CAUSE_SPIN ||
		w->cause == CT_CAUSE_FUTEX);
}

/* A wait in progress on a descriptor of which only the number is known counts as one for a file: what it
 * is will be found out when the wait ends. */
static void find_cause(const struct ct_top *t, struct ct_top_what *w)
{
	static const struct {
		const char *begin;
		uint8_t cause;
	} kinds[] = { { "pipe:", CT_CAUSE_PIPE }, { "socket:", CT_CAUSE_SOCKET }, { "/dev/tty", CT_CAUSE_TTY },
		      { "/dev/pts/", CT_CAUSE_TTY }, { "anon_inode:[eventfd]", CT_CAUSE_EVENTFD },
		      { "anon_inode:[timerfd]", CT_CAUSE_EVENTFD }, { "anon_inode:[signalfd]", CT_CAUSE_EVENTFD } };
	char path[64], target[64] = "";

	if (w->cause != CT_CAUSE_FILE || w->object_kind != CT_OBJECT_FD || w->label)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->pid, (int)(uint32_t)w->object);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(target, kinds[i].begin, strlen(kinds[i].begin)))
			w->cause = kinds[i].cause;
}

/* The row of a table with a key; NULL without memory. */
static struct ct_top_row *row_of(struct ct_table *table, struct ct_top_row **rows, uint32_t *count, uint32_t *capacity,
				 uint64_t key)
{
	uint32_t at = ct_table_get(table, key);

	if (at)
		return &(*rows)[at - 1];
	struct ct_top_row *r = ct_append((void **)rows, count, capacity, sizeof(**rows));

	if (!r || ct_table_put(table, key, *count))
		return NULL;
	return r;
}

#define ROW(p, tables, what, key) row_of(&(tables)->what, &(p)->what, &(p)->what##_count, &(p)->what##_capacity, key)

struct tables {
	struct ct_table cause, site, lock;
};

/* A descriptor of which the program has not said what it is has its number alone. */
static bool same_object(const struct ct_top_what *a, const struct ct_top_what *b)
{
	if (a->object_kind == CT_OBJECT_FD && (!(a->object >> 32) || !(b->object >> 32)))
		return (uint32_t)a->object == (uint32_t)b->object;
	return a->object == b->object;
}

static void add(struct ct_top_row *r, const struct ct_top_what *w, uint64_t total_ns, uint64_t count, uint64_t max_ns,
		uint32_t waiting)
{
	if (!r)
		return;
	if (r->what.call && !same_object(&r->what, w))
		r->several = true;
	if (!r->what.call || total_ns > r->top_ns || (total_ns == r->top_ns && w->label && !r->what.label)) {
		r->what = *w;
		r->top_ns = total_ns;
	}
	r->total_ns += total_ns;
	r->count += count;
	r->waiting += waiting;
	if (max_ns > r->max_ns)
		r->max_ns = max_ns;
}

static void add_everywhere(struct ct_top *t, struct ct_picture *p, struct tables *tables, const struct ct_top_what *w,
			   uint64_t total_ns, uint64_t count, uint64_t max_ns, uint32_t waiting)
{
	struct ct_top_what place = { .call = w->call, .cause = w->cause };

	add(ROW(p, tables, cause, w->cause + 1u), w, total_ns, count, max_ns, waiting);
	add(ROW(p, tables, site, key_of(&place) ^ ct_names_place_key(&t->names, w)), w, total_ns, count, max_ns, waiting);
	if (ct_top_is_lock(w))
		add(ROW(p, tables, lock, ct_mix(w->object)), w, total_ns, count, max_ns, waiting);
}

static int longest_first(const void *a, const void *b)
{
	const struct ct_top_row *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns < y->total_ns ? 1 : -1;
	return (x->count < y->count) - (x->count > y->count);
}

static void order(struct ct_top_row *rows, uint32_t *count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < *count; i++)
		if (rows[i].total_ns || rows[i].count || rows[i].waiting)
			rows[kept++] = rows[i];
	*count = kept;
	if (kept)
		qsort(rows, kept, sizeof(*rows), longest_first);
}

static void learn(struct ct_top *t, const struct ct_top_what *what, uint32_t count)
{
	const struct ct_top_what **list = calloc(count + 1u, sizeof(*list));

	for (uint32_t i = 0; list && i < count; i++)
		list[i] = &what[i];
	if (list)
		ct_names_learn(&t->names, list, count);
	free(list);
}

void ct_top_group(struct ct_top *t, struct ct_picture *p, const struct ct_picture *before)
{
	const json_t *sites = json_object_get(p->answer, "sites"), *o;
	uint32_t site_count = (uint32_t)json_array_size(sites), n = 0;
	struct ct_top_what *what = calloc(site_count + p->thread_count + 1u, sizeof(*what));
	bool continues = !p->first && before->begun_ns == p->begun_ns;
	struct tables tables = { 0 };
	size_t i;

	p->sums_ns = continues ? p->interval_ns : p->now_ns - p->begun_ns;
	if (!what)
		return;
	json_array_foreach(sites, i, o)
		what[n++] = ct_top_what_of(o);
	for (uint32_t k = 0; k < p->thread_count; k++) {
		find_cause(t, &p->thread[k].wait);
		what[n++] = p->thread[k].wait;
	}
	learn(t, what, n);
	json_array_foreach(sites, i, o) {
		struct ct_top_sum *sum = CT_APPEND(p, sum);
		uint64_t total = (uint64_t)json_integer_value(json_object_get(o, "total_ns"));
		uint64_t count = (uint64_t)json_integer_value(json_object_get(o, "count"));
		uint64_t max = (uint64_t)json_integer_value(json_object_get(o, "max_ns"));
		uint32_t at = continues ? ct_table_get(&before->total_by_key, key_of(&what[i])) : 0;
		struct ct_top_sum old = at ? before->sum[at - 1] : (struct ct_top_sum){ 0 };

		if (!sum || ct_table_put(&p->total_by_key, key_of(&what[i]), p->sum_count))
			break;
		*sum = (struct ct_top_sum){ total, count };
		find_cause(t, &what[i]);
		if (total >= old.total_ns && count >= old.count && (total > old.total_ns || count > old.count))
			add_everywhere(t, p, &tables, &what[i], total - old.total_ns, count - old.count, max, 0);
	}
	for (uint32_t k = 0; k < p->thread_count; k++)
		if (p->thread[k].wait.call)
			add_everywhere(t, p, &tables, &p->thread[k].wait, 0, 0, p->thread[k].age_ns, 1);
	p->other_ns = (uint64_t)json_integer_value(json_object_get(p->answer, "other_ns"));
	order(p->cause, &p->cause_count);
	order(p->site, &p->site_count);
	order(p->lock, &p->lock_count);
	ct_table_free(&tables.cause);
	ct_table_free(&tables.site);
	ct_table_free(&tables.lock);
	free(what);
}
