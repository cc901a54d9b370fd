/* The table of threads. See commands.h. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

/* Threads that are shown as one row: equal names but for digits at their end. */
struct group {
	uint32_t first;   /* its first thread */
	uint32_t count;
	int stem;         /* bytes of the name that they share */
	bool same_name;
	uint64_t lifetime_ns, running_ns, runnable_ns, blocked_ns, unexplained_ns;
};

static int stem_of(const char *name)
{
	size_t n = strlen(name);

	while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	return (int)n;
}

static bool belongs(const struct ct_model *m, const struct group *g, const struct ct_thread_info *t)
{
	const struct ct_thread_info *first = &m->thread[g->first];

	return first->process == t->process && g->stem == stem_of(t->name) &&
	       !strncmp(first->name, t->name, (size_t)g->stem);
}

static void add(struct group *g, const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];

	if (!g->count++) {
		g->first = thread;
		g->stem = stem_of(t->name);
		g->same_name = true;
	}
	g->same_name &= !strcmp(m->thread[g->first].name, t->name);
	g->lifetime_ns += t->lifetime_ns;
	g->running_ns += t->running_ns;
	g->runnable_ns += t->runnable_ns;
	g->blocked_ns += t->blocked_ns;
	g->unexplained_ns += t->unexplained_ns;
}

static int by_blocked(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	/* What is off the CPU for a reason that we do not see is no less off it. */
	uint64_t off_a = a->blocked_ns + a->unexplained_ns, off_b = b->blocked_ns + b->unexplained_ns;

	if (off_a != off_b)
		return off_a < off_b ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

/* The groups, or with a group for each thread if those are few. */
static struct group *make_groups(const struct ct_report *r, uint32_t top, uint32_t *ret_count)
{
	struct group *groups = calloc(r->thread_count + 1u, sizeof(*groups));
	bool together = top && r->thread_count > top;
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->thread_count && groups; i++) {
		uint32_t k = n;

		/* Few groups are found first; many are not worth the search. */
		if (together)
			for (k = 0; k < n && k < 256; k++)
				if (belongs(r->model, &groups[k], &r->model->thread[r->thread[i]]))
					break;
		if (k == n || k == 256)
			k = n++;
		add(&groups[k], r->model, r->thread[i]);
	}
	if (groups && n)
		qsort(groups, n, sizeof(*groups), by_blocked);
	*ret_count = groups ? n : 0;
	return groups;
}

static bool is_member(const struct ct_report *r, const struct group *g, uint32_t thread)
{
	return g->count == 1 ? thread == g->first : belongs(r->model, g, &r->model->thread[thread]);
}

/* "mutex 45 %": the cause with the most of the group's blocked time. */
static void top_cause(const struct ct_report *r, const struct group *g, char *to, size_t bytes)
{
	uint64_t most_ns = 0, cause = 0;
	char share[CT_FORMAT];

	for (uint32_t k = 0; k < r->cause_count; k++) {
		uint64_t ns = 0;

		for (uint32_t i = 0; i < r->thread_count; i++)
			if (is_member(r, g, r->thread[i]))
				ns += r->by_cause[(size_t)r->thread[i] * r->cause_count + k];
		if (ns > most_ns) {
			most_ns = ns;
			cause = r->cause[k].cause;
		}
	}
	if (most_ns)
		snprintf(to, bytes, "%s %s", ct_model_cause_name(r->model, (uint32_t)cause),
			 ct_format_share(share, most_ns, g->blocked_ns));
	else
		snprintf(to, bytes, "-");
}

static void print_group(const struct ct_context *c, const struct ct_report *r, const struct group *g)
{
	const struct ct_thread_info *t = &r->model->thread[g->first];
	const struct ct_out *o = &c->out;
	char name[128], id[32], cause[96];

	if (g->count == 1) {
		snprintf(name, sizeof(name), "%.100s", *t->name ? t->name : "(no name)");
		snprintf(id, sizeof(id), "%llu", (unsigned long long)t->tid);
	} else {
		snprintf(name, sizeof(name), "%.*s%s", g->stem > 100 ? 100 : g->stem, t->name,
			 g->same_name ? t->name + g->stem : "*");
		snprintf(id, sizeof(id), "x %u", g->count);
	}
	top_cause(r, g, cause, sizeof(cause));
	fputs("  ", o->file);
	ct_column_text(o, CT_PLAIN, 16, name);
	fprintf(o->file, " %8s ", id);
	ct_column_ns(o, CT_PLAIN, -8, g->lifetime_ns);
	fputc(' ', o->file);
	if (r->model->has_sched)
		ct_column_ns(o, CT_PLAIN, -8, g->running_ns);
	else
		ct_column_text(o, CT_FAINT, -8, "?");
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, g->blocked_ns);
	fputs("  ", o->file);
	ct_column_text(o, CT_PLAIN, 14, cause);
	fputc(' ', o->file);
	ct_column_ns(o, CT_PLAIN, -8, g->unexplained_ns);
	fputc('\n', o->file);
}

void ct_print_threads(const struct ct_context *c, const struct ct_report *r)
{
	uint32_t top = c->options->top, count;
	struct group *groups = make_groups(r, top, &count);

	ct_print(&c->out, CT_TITLE, "\nThreads");
	ct_print(&c->out, CT_PLAIN, "\n");
	ct_print(&c->out, CT_FAINT, "  %-16s %8s %8s %8s %8s  %-14s %8s\n", "name", "tid", "lifetime", "running",
		 "blocked", "mostly in", "unexpl.");
	for (uint32_t i = 0; i < count && (!top || i < top); i++)
		print_group(c, r, &groups[i]);
	if (top && count > top)
		ct_print(&c->out, CT_FAINT, "  and %u more: --top 0 shows all\n", count - top);
	free(groups);
}
