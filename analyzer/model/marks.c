/* Regions, as events go by. See marks.h. */
#include "marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_join.h"

struct ct_marks *ct_marks_open(const struct ct_model *m, bool sums)
{
	struct ct_marks *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->sums = sums;
	k->name_count = m->name_count;
	if (!sums)
		return k;
	k->region = calloc(m->name_count + 1u, sizeof(*k->region));
	k->task = calloc(m->name_count + 1u, sizeof(*k->task));
	if (k->region && k->task)
		return k;
	ct_marks_close(k);
	return NULL;
}

static void free_sums(struct ct_mark_sum *sums, uint32_t count)
{
	for (uint32_t i = 0; sums && i < count; i++) {
		free(sums[i].times);
		free(sums[i].spent);
	}
	free(sums);
}

void ct_marks_close(struct ct_marks *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->thread_count; i++)
		free(k->thread[i].open);
	free(k->thread);
	free_sums(k->region, k->name_count);
	free_sums(k->task, k->name_count);
	free(k->worker);
	ct_table_free(&k->worker_by_pair);
	free(k);
}

static struct ct_marks_thread *thread_of(struct ct_marks *k, uint32_t thread)
{
	if (thread >= k->thread_count) {
		uint32_t count = thread + thread / 2 + 64;
		struct ct_marks_thread *grown = realloc(k->thread, count * sizeof(*grown));

		if (!grown)
			return NULL;
		memset(grown + k->thread_count, 0, (count - k->thread_count) * sizeof(*grown));
		k->thread = grown;
		k->thread_count = count;
	}
	return &k->thread[thread];
}

/* Time off the CPU, and ready, of a thread before a moment; 0, 0 where it is not known. */
static int look(const struct ct_model *m, uint32_t thread, uint64_t ns, uint64_t *ret_off_ns, uint64_t *ret_ready_ns)
{
	struct ct_states *st = ct_states_of(m, thread);

	*ret_off_ns = *ret_ready_ns = 0;
	if (!st)
		return 0;
	if (ns > st->line.now_ns && ct_timeline_until(&st->line, ns, &m->gaps, m->wakes, m->exact_ns))
		return -ENOMEM;
	ct_timeline_at(&st->line, ns, ret_off_ns, ret_ready_ns);
	return 0;
}

static int begin(struct ct_marks *k, const struct ct_model *m, uint32_t thread, const struct ct_site *s, uint64_t ns)
{
	struct ct_marks_thread *t = thread_of(k, thread);
	struct ct_open_region *outer, *r;

	if (!t)
		return -ENOMEM;
	if (t->open_count >= CT_REGIONS_OPEN)
		return 0;
	r = CT_APPEND(t, open);
	if (!r)
		return -ENOMEM;
	outer = t->open_count > 1 ? r - 1 : NULL;
	*r = (struct ct_open_region){ .name = ct_model_name(m, s->object), .task = CT_NO, .start_ns = ns };
	if (s->aux)
		r->task = ct_model_name(m, s->aux);
	else if (outer)
		r->task = outer->task;
	for (const struct ct_open_region *o = t->open; o < r; o++) {
		r->inner |= o->name == r->name;
		r->task_inner |= o->task == r->task;
	}
	t->in_region += m->name[r->name].region;
	t->in_task += r->task != CT_NO && m->name[r->task].task;
	return k->sums ? look(m, thread, ns < m->from_ns ? m->from_ns : ns, &r->off_ns, &r->ready_ns) : 0;
}

static struct ct_mark_spent *spent_of(struct ct_mark_sum *sum)
{
	if (!sum->spent)
		sum->spent = calloc(1, sizeof(*sum->spent));
	return sum->spent;
}

static struct ct_task_thread *worker_of(struct ct_marks *k, uint32_t name, uint32_t thread)
{
	uint32_t at = ct_table_get(&k->worker_by_pair, ct_pair(name, thread));
	struct ct_task_thread *w = at ? &k->worker[at - 1] : CT_APPEND(k, worker);

	if (!w || (!at && ct_table_put(&k->worker_by_pair, ct_pair(name, thread), k->worker_count)))
		return NULL;
	w->name = name;
	w->thread = thread;
	return w;
}

/* Adds a region that ended to the sums, if any of it lies in the window. */
static int add_up(struct ct_marks *k, const struct ct_model *m, uint32_t thread, const struct ct_open_region *r,
		  uint64_t end_ns, bool open)
{
	uint64_t start_ns = r->start_ns, off_ns, ready_ns;
	struct ct_mark_sum *sum = &k->region[r->name];

	if (m->clip && (end_ns <= m->from_ns || start_ns >= m->to_ns))
		return 0;
	start_ns = start_ns < m->from_ns ? m->from_ns : start_ns;
	end_ns = end_ns > m->to_ns ? m->to_ns : end_ns;
	if (!m->thread[thread].selected || end_ns < start_ns)
		return 0;
	uint64_t ns = end_ns - start_ns;

	if (!sum->times)
		sum->times = calloc(1, sizeof(*sum->times));
	if (!sum->times || !spent_of(sum) || look(m, thread, end_ns, &off_ns, &ready_ns))
		return -ENOMEM;
	off_ns -= r->off_ns < off_ns ? r->off_ns : off_ns;
	ready_ns -= r->ready_ns < ready_ns ? r->ready_ns : ready_ns;
	ct_histogram_add(sum->times, ns);
	if (!sum->count++ || ns > sum->max_ns) {
		sum->max_ns = ns;
		sum->longest_ns = start_ns;
		sum->longest_thread = thread;
		sum->longest_blocked_ns = r->blocked_ns;
	}
	sum->open += open;
	if (!r->inner) {
		sum->total_ns += ns;
		sum->spent->elapsed_ns += ns;
		sum->spent->off_ns += off_ns;
		sum->spent->ready_ns += ready_ns;
		sum->spent->blocked_ns += r->blocked_ns;
	}
	if (r->task == CT_NO || r->task_inner)
		return 0;
	struct ct_mark_spent *spent = spent_of(&k->task[r->task]);
	struct ct_task_thread *w = worker_of(k, r->task, thread);

	if (!spent || !w)
		return -ENOMEM;
	spent->elapsed_ns += ns;
	spent->off_ns += off_ns;
	spent->ready_ns += ready_ns;
	spent->blocked_ns += r->blocked_ns;
	w->regions++;
	w->elapsed_ns += ns;
	w->off_ns += off_ns;
	w->ready_ns += ready_ns;
	w->blocked_ns += r->blocked_ns;
	return 0;
}

/* Ends the regions of a thread from one on. */
static int end_from(struct ct_marks *k, const struct ct_model *m, uint32_t thread, uint32_t from, uint64_t ns, bool open)
{
	struct ct_marks_thread *t = &k->thread[thread];
	int error = 0;

	while (t->open_count > from) {
		struct ct_open_region *r = &t->open[--t->open_count];

		t->in_region -= m->name[r->name].region;
		t->in_task -= r->task != CT_NO && m->name[r->task].task;
		if (k->ended && !error)
			error = k->ended(k->self, thread, r, t->open_count, ns < r->start_ns ? r->start_ns : ns);
		if (k->sums && !error)
			error = add_up(k, m, thread, r, ns < r->start_ns ? r->start_ns : ns, open);
	}
	return error;
}

int ct_marks_event(struct ct_marks *k, const struct ct_model *m, uint32_t thread, const struct ct_site *s, uint64_t ns)
{
	if (s->kind == CT_EVENT_REGION_BEGIN && k->name_count)
		return begin(k, m, thread, s, ns);
	if (!k->name_count)
		return 0;
	uint32_t name = ct_model_name(m, s->object), i;
	struct ct_marks_thread *t = thread_of(k, thread);

	if (!t)
		return -ENOMEM;
	for (i = t->open_count; i && t->open[i - 1].name != name; i--)
		;
	if (!i) {
		k->unbalanced++;
		return 0;
	}
	k->left += t->open_count - i;
	return end_from(k, m, thread, i - 1, ns, false);
}

void ct_marks_wait(struct ct_marks *k, uint32_t thread, uint8_t cause, uint64_t ns)
{
	if (thread >= k->thread_count)
		return;
	struct ct_marks_thread *t = &k->thread[thread];

	for (uint32_t i = 0; i < t->open_count; i++) {
		struct ct_open_region *r = &t->open[i];
		struct ct_mark_spent *spent = r->inner ? NULL : spent_of(&k->region[r->name]);

		r->blocked_ns += ns;
		if (spent)
			spent->by_cause[cause] += ns;
		spent = r->task == CT_NO || r->task_inner ? NULL : spent_of(&k->task[r->task]);
		if (spent)
			spent->by_cause[cause] += ns;
	}
}

bool ct_marks_matter(const struct ct_model *m)
{
	const char *command = m->options->command ? m->options->command : "";

	return m->name_count && (ct_marks_select(m) || !strcmp(command, "regions") || !strcmp(command, "tasks"));
}

bool ct_marks_inside(const struct ct_marks *k, const struct ct_model *m, uint32_t thread)
{
	const struct ct_marks_thread *t = k && thread < k->thread_count ? &k->thread[thread] : NULL;

	return (!m->options->region || (t && t->in_region)) && (!m->options->task || (t && t->in_task));
}

void ct_marks_tell(struct ct_marks *k, int (*ended)(void *self, uint32_t thread, const struct ct_open_region *r,
						    uint32_t depth, uint64_t end_ns), void *self)
{
	k->ended = ended;
	k->self = self;
}

int ct_marks_finish(struct ct_marks *k, const struct ct_model *m)
{
	int error = 0;

	for (uint32_t i = 0; i < k->thread_count && i < m->thread_count && !error; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		const struct ct_process_info *p = &m->process[t->process];

		error = end_from(k, m, i, 0, t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns, true);
	}
	return error;
}
