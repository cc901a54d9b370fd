/* See latency.h. */
#include "latency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report_sort.h"

uint32_t ct_latency_bucket(uint64_t ns)
{
	return ns < 2 ? 0 : 63u - (uint32_t)__builtin_clzll(ns);
}

/* Whether the options choose a place or an object. */
static bool is_chosen(const struct ct_options *o)
{
	return o->site || o->region || o->task;
}

static struct ct_latency *latency_of(struct ct_latencies *l, uint32_t cause)
{
	uint32_t place = l->together ? 0 : cause;

	if (l->by_cause[place])
		return &l->item[l->by_cause[place] - 1];
	struct ct_latency *x = CT_APPEND(l, item);

	if (!x)
		return NULL;
	x->cause = l->together ? CT_CAUSES : cause;
	l->by_cause[place] = l->item_count;
	return x;
}

static struct ct_latency *latency_of_group(struct ct_latencies *l, const struct ct_call_event *e)
{
	const struct ct_site_info info = { e->process, *e->site };
	uint32_t group = ct_grouping_of(&l->grouping, e->thread, &info);
	uint32_t at = group == CT_NO ? 0 : ct_table_get(&l->by_group, group);

	if (at)
		return &l->item[at - 1];
	struct ct_latency *x = group == CT_NO ? NULL : CT_APPEND(l, item);

	if (!x || ct_table_put(&l->by_group, group, l->item_count))
		return NULL;
	x->cause = CT_CAUSES;
	x->label = l->grouping.label[group];
	return x;
}

static int take_call(void *self, const struct ct_call_event *e)
{
	struct ct_latencies *l = self;
	uint64_t ns = e->end_ns - e->start_ns;

	if (l->call && strcmp(ct_model_call_name(l->m, e->site->call), l->call))
		return 0;
	struct ct_latency *x = l->grouping.by ? latency_of_group(l, e) : latency_of(l, e->site->cause);

	if (!x)
		return -ENOMEM;
	x->recorded++;
	x->total_ns += ns;
	if (ns > x->max_ns)
		x->max_ns = ns;
	x->bucket[ct_latency_bucket(ns)]++;
	ct_delays_add(&x->lengths, ns);
	return 0;
}

/* Of short calls only their number is known, by call and thread: not when, at which place or on what. */
static int add_short(struct ct_latencies *l, struct ct_reader *reader)
{
	const struct ct_model *m = l->m;
	struct ct_short_calls *sums = calloc(m->call_count + 1u, sizeof(*sums));
	int error = sums ? ct_calls_short(m, reader, sums) : -ENOMEM;

	for (uint32_t i = 0; i < m->call_count && !error; i++) {
		if (strcmp(m->call[i].name, l->call) || !sums[i].count)
			continue;
		struct ct_latency *x = latency_of(l, 0);

		if (!x) {
			error = -ENOMEM;
			break;
		}
		x->short_calls += sums[i].count;
		x->total_ns += sums[i].total_ns;
		for (uint32_t b = 0; b < CT_LATENCY_BUCKETS; b++) {
			x->bucket[b] += sums[i].bucket[b];
			ct_delays_add_many(&x->lengths, (1ull << b) + (1ull << b) / 2, sums[i].bucket[b]);
		}
		l->with_short = true;
	}
	free(sums);
	return error;
}

/* By the keys of CT_SORT_LATENCY. */
static int by_key(const void *x, const void *y, void *latencies)
{
	const struct ct_latencies *l = latencies;
	const struct ct_latency *a = x, *b = y;
	const uint64_t values[][2] = {
		{ a->total_ns, b->total_ns },
		{ a->recorded + a->short_calls, b->recorded + b->short_calls },
		{ a->max_ns, b->max_ns },
	};
	uint32_t key = l->m->options->sort_key;
	int order = key < sizeof(values) / sizeof(values[0]) ? ct_more_first(values[key][0], values[key][1]) : 0;

	if (order)
		return order;
	if (a->label)
		return strcmp(a->label, b->label);
	if (a->cause == CT_CAUSES || b->cause == CT_CAUSES)
		return 0;
	return strcmp(ct_model_cause_name(l->m, a->cause), ct_model_cause_name(l->m, b->cause));
}

static int begin_groups(struct ct_latencies *l)
{
	int error = ct_symbols_open(&l->symbols, l->m);

	if (!error)
		error = ct_callstacks_open(&l->callstacks, l->m);
	ct_grouping_begin(&l->grouping, l->m, &l->symbols, &l->callstacks, l->m->options->group_by);
	return error;
}

int ct_latencies_make(struct ct_latencies *l, const struct ct_model *m, struct ct_reader *reader)
{
	const struct ct_options *o = m->options;
	bool known = !o->call;

	*l = (struct ct_latencies){ .m = m, .call = o->call };
	l->together = !o->group_by && (o->call || o->cause_count == 1 || is_chosen(o));
	for (uint32_t i = 0; i < m->call_count && !known; i++)
		known = !strcmp(m->call[i].name, o->call);
	if (!known)
		return -ENOENT;
	int error = o->group_by ? begin_groups(l) : 0;

	if (!error)
		error = ct_calls_read(m, reader, take_call, l);

	/* To which place or object short calls belong is not known. */
	if (!error && l->call && !m->window && !o->group_by && !o->min_ns && !o->max_ns && !o->cause_count && !is_chosen(o))
		error = add_short(l, reader);
	if (l->item_count)
		qsort_r(l->item, l->item_count, sizeof(*l->item), by_key, l);
	return error;
}

void ct_latencies_close(struct ct_latencies *l)
{
	free(l->item);
	ct_table_free(&l->by_group);
	ct_grouping_free(&l->grouping);
	if (l->callstacks.model)
		ct_callstacks_close(&l->callstacks);
	if (l->symbols.model)
		ct_symbols_close(&l->symbols);
	l->item = NULL;
	l->item_count = 0;
}

uint64_t ct_latency_quantile(const struct ct_latency *l, double share)
{
	uint64_t v = ct_delays_quantile(&l->lengths, share);

	return l->max_ns && v > l->max_ns ? l->max_ns : v;
}
