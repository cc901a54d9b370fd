/* How many threads ran at once. See path.h. */
#include <errno.h>
#include <stdlib.h>

#include "path.h"

struct edge {
	uint64_t ns;
	int32_t by;
};

struct edges {
	CT_ARRAY(struct edge, edge);
};

static int by_time(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;

	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return (a->by > b->by) - (a->by < b->by);
}

static int put(const struct ct_path *p, struct edges *e, uint64_t from_ns, uint64_t to_ns)
{
	from_ns = from_ns < p->from_ns ? p->from_ns : from_ns;
	to_ns = to_ns > p->to_ns ? p->to_ns : to_ns;
	if (from_ns >= to_ns)
		return 0;
	struct edge *begin = CT_APPEND(e, edge);

	if (!begin)
		return -ENOMEM;
	*begin = (struct edge){ from_ns, 1 };
	struct edge *end = CT_APPEND(e, edge);

	if (!end)
		return -ENOMEM;
	*end = (struct edge){ to_ns, -1 };
	return 0;
}

/* The times in which a thread was not stopped: it ran, or was ready to. */
static int put_active(const struct ct_path *p, struct edges *e, uint32_t thread)
{
	const struct ct_life *life = &p->lives.life[thread];
	uint64_t from_ns = life->from_ns;
	int error = 0;

	for (uint32_t i = 0; i < life->stop_count && !error; i++) {
		const struct ct_stop *s = &life->stop[i];

		error = put(p, e, from_ns, s->from_ns);
		/* It was ready from when it was woken; where that is not known, from when it ran. */
		from_ns = p->lives.wakes.wakes ? s->release_ns : s->to_ns;
	}
	return error ? error : put(p, e, from_ns, life->to_ns);
}

static int put_running(const struct ct_path *p, struct edges *e, uint32_t thread)
{
	const struct ct_thread_runs *t = &p->lives.wakes.runs[thread];
	int error = 0;

	if (!t->run_count)
		return p->m->slices ? 0 : put_active(p, e, thread);
	for (uint32_t i = 0; i < t->run_count && !error; i++)
		error = put(p, e, t->run[i].start_ns, t->run[i].end_ns);
	return error;
}

/* Adds a time with n threads to the equal parts. */
static void add_parts(struct ct_path *p, uint64_t from_ns, uint64_t to_ns, uint32_t n)
{
	double whole = (double)(p->to_ns - p->from_ns) / CT_PATH_PARTS;
	double from = (double)(from_ns - p->from_ns) / whole, to = (double)(to_ns - p->from_ns) / whole;

	for (uint32_t i = (uint32_t)from; i < CT_PATH_PARTS && i < to; i++) {
		double a = from > i ? from : i, b = to < i + 1 ? to : i + 1;

		if (b > a)
			p->part[i] += n * (b - a);
	}
}

/* Time by number of threads; the average. */
static double sweep(struct ct_path *p, struct edges *e, uint64_t *time_ns, bool parts)
{
	uint64_t now_ns = p->from_ns;
	double sum = 0;
	uint32_t n = 0;

	if (e->edge_count)
		qsort(e->edge, e->edge_count, sizeof(*e->edge), by_time);
	for (uint32_t i = 0; i <= e->edge_count; i++) {
		uint64_t ns = i < e->edge_count ? e->edge[i].ns : p->to_ns;

		if (ns > now_ns) {
			time_ns[n < CT_PATH_THREADS ? n : CT_PATH_THREADS - 1] += ns - now_ns;
			sum += (double)n * (double)(ns - now_ns);
			if (parts)
				add_parts(p, now_ns, ns, n);
			now_ns = ns;
		}
		if (i < e->edge_count)
			n += (uint32_t)e->edge[i].by;
	}
	return p->to_ns > p->from_ns ? sum / (double)(p->to_ns - p->from_ns) : 0;
}

int ct_path_parallel(struct ct_path *p)
{
	struct edges running = { 0 }, active = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < p->m->thread_count && !error; i++) {
		if (!p->m->process[p->m->thread[i].process].selected)
			continue;
		error = put_running(p, &running, i);
		if (!error)
			error = put_active(p, &active, i);
	}
	if (!error) {
		p->running = sweep(p, &running, p->running_ns, true);
		p->active = sweep(p, &active, p->active_ns, false);
		p->alone_ns = p->active_ns[0] + p->active_ns[1];
	}
	free(running.edge);
	free(active.edge);
	return error;
}
