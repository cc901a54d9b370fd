/* Groups of threads. See report_groups.h. */
#include "report_groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shorter lives say nothing. */
#define STUCK_NS 10000000u

bool ct_is_stuck(const struct ct_thread_info *t)
{
	/* A busy machine may have let it wait for a CPU before and after. */
	uint64_t rest_ns = t->lifetime_ns - t->runnable_ns;

	return rest_ns >= STUCK_NS && rest_ns >= t->lifetime_ns / 2 && t->longest_ns >= rest_ns - rest_ns / 50;
}

const char *ct_routine_of(struct ct_symbols *s, const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];
	uint32_t at = t->routine ? ct_model_module_at(m, t->process, t->routine, UINT64_MAX) : CT_NO;

	if (at == CT_NO)
		return "";
	/* Symbols are looked up for return addresses: one behind. */
	const struct ct_frames *f =
		ct_symbols_frames(s, m->module[at].file, t->routine - m->module[at].bias + 1);

	if (!f)
		return NULL;
	const char *name = f->count ? f->frame[f->count - 1].function : NULL;

	return name ? name : "";
}

static int stem_of(const char *name)
{
	size_t n = strlen(name);

	while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	return (int)n;
}

static uint64_t hash_text(uint64_t h, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return ct_mix(h);
}

static const char *program_of(const struct ct_model *m, uint32_t thread)
{
	return m->process[m->thread[thread].process].executable;
}

static bool is_main(const struct ct_model *m, uint32_t thread)
{
	return m->thread[thread].tid == m->process[m->thread[thread].process].pid;
}

static bool belongs(const struct ct_model *m, const struct ct_group *g, uint32_t thread, const char *routine, int stem)
{
	return g->stem == stem && g->main == is_main(m, thread) && !strcmp(g->routine, routine) &&
	       !strncmp(m->thread[g->first].name, m->thread[thread].name, (size_t)stem) &&
	       !strcmp(program_of(m, g->first), program_of(m, thread));
}

static struct ct_group *new_group(struct ct_groups *groups, const struct ct_report *r, uint32_t thread)
{
	const struct ct_model *m = r->model;
	struct ct_group *g = CT_APPEND(groups, group);

	if (!g)
		return NULL;
	*g = (struct ct_group){ .first = thread, .main = is_main(m, thread), .same_name = true,
				.by_cause = calloc(r->cause_count + 1u, sizeof(*g->by_cause)),
				.states = m->states ? calloc(1, sizeof(*g->states)) : NULL };
	if (g->states)
		g->states->ready = calloc(1, sizeof(*g->states->ready));
	return g->by_cause && (!m->states || (g->states && g->states->ready)) ? g : NULL;
}

static struct ct_group *group_of(struct ct_groups *groups, struct ct_report *r, uint32_t thread)
{
	const struct ct_model *m = r->model;
	const char *routine = ct_routine_of(&r->symbols, m, thread), *name = m->thread[thread].name;
	int stem = stem_of(name);
	uint32_t at;

	if (!routine)
		return NULL;
	uint64_t key = hash_text(is_main(m, thread), routine, strlen(routine));

	key = hash_text(hash_text(key, name, (size_t)stem), program_of(m, thread), strlen(program_of(m, thread)));
	for (; (at = ct_table_get(&groups->by_hash, key)); key++)
		if (belongs(m, &groups->group[at - 1], thread, routine, stem))
			return &groups->group[at - 1];
	struct ct_group *g = new_group(groups, r, thread);

	if (!g || ct_table_put(&groups->by_hash, key, groups->group_count))
		return NULL;
	g->routine = routine;
	g->stem = stem;
	return g;
}

/* Groups of --group-by are made in the order of the grouping's. */
static struct ct_group *group_by(struct ct_groups *groups, struct ct_report *r, uint32_t thread)
{
	uint32_t at = ct_grouping_of(&groups->grouping, thread, NULL);

	if (at == CT_NO)
		return NULL;
	struct ct_group *g = at < groups->group_count ? &groups->group[at] : new_group(groups, r, thread);

	if (!g)
		return NULL;
	g->label = groups->grouping.label[at];
	g->routine = "";
	return g;
}

static void add_states(struct ct_states *to, const struct ct_states *from)
{
	ct_delays_merge(&to->ready->wakes, &ct_ready_of(from)->wakes);
	ct_delays_merge(&to->ready->preempted, &ct_ready_of(from)->preempted);
	to->preemptions += from->preemptions;
	to->migrations += from->migrations;
	to->line.begun |= from->line.begun;
}

static void add(struct ct_group *g, const struct ct_report *r, uint32_t thread)
{
	const struct ct_thread_info *t = &r->model->thread[thread];

	g->count++;
	g->stuck += ct_is_stuck(t);
	g->same_name &= !strcmp(r->model->thread[g->first].name, t->name);
	g->lifetime_ns += t->lifetime_ns;
	g->running_ns += t->running_ns;
	g->runnable_ns += t->runnable_ns;
	g->blocked_ns += t->blocked_ns;
	g->unexplained_ns += t->unexplained_ns;
	g->unknown_ns += t->unknown_ns;
	g->unrecorded_ns += t->unrecorded_ns;
	if (t->longest_ns > g->longest_ns)
		g->longest_ns = t->longest_ns;
	for (uint32_t k = 0; k < r->cause_count; k++)
		g->by_cause[k] += r->by_cause[(size_t)thread * r->cause_count + k];
	if (g->states && thread < r->model->states_count)
		add_states(g->states, &r->model->states[thread]);
}

static int by_off_time(const void *x, const void *y)
{
	const struct ct_group *a = x, *b = y;
	uint64_t off_a = a->blocked_ns + a->unexplained_ns, off_b = b->blocked_ns + b->unexplained_ns;

	if (off_a != off_b)
		return off_a < off_b ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

int ct_groups_make(struct ct_groups *groups, struct ct_report *r, enum ct_group_by by)
{
	*groups = (struct ct_groups){ 0 };
	ct_grouping_begin(&groups->grouping, r->model, &r->symbols, &r->callstacks, by);
	for (uint32_t i = 0; i < r->thread_count; i++) {
		struct ct_group *g = (by ? group_by : group_of)(groups, r, r->thread[i]);

		if (!g)
			return -ENOMEM;
		add(g, r, r->thread[i]);
	}
	if (groups->group_count)
		qsort(groups->group, groups->group_count, sizeof(*groups->group), by_off_time);
	return 0;
}

void ct_groups_close(struct ct_groups *groups)
{
	for (uint32_t i = 0; i < groups->group_count; i++) {
		free(groups->group[i].by_cause);
		if (groups->group[i].states)
			free(groups->group[i].states->ready);
		free(groups->group[i].states);
	}
	free(groups->group);
	ct_table_free(&groups->by_hash);
	ct_grouping_free(&groups->grouping);
	*groups = (struct ct_groups){ 0 };
}

const char *ct_group_name(const struct ct_group *g, const struct ct_model *m, char *to, size_t bytes)
{
	const char *name = m->thread[g->first].name;

	if (g->label)
		return g->label;
	if (!*name)
		return "(no name)";
	if (g->count == 1 || g->same_name)
		return name;
	snprintf(to, bytes, "%.*s*", g->stem > 64 ? 64 : g->stem, name);
	return to;
}
