/* See grouping.h. */
#include "grouping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "report_groups.h"

bool ct_groups_threads(enum ct_group_by by)
{
	return by == CT_GROUP_THREAD || by == CT_GROUP_ROUTINE || by == CT_GROUP_PROCESS;
}

void ct_grouping_begin(struct ct_grouping *g, const struct ct_model *m, struct ct_symbols *symbols,
		       struct ct_callstacks *callstacks, enum ct_group_by by)
{
	*g = (struct ct_grouping){ .m = m, .symbols = symbols, .callstacks = callstacks, .by = by };
}

void ct_grouping_free(struct ct_grouping *g)
{
	for (uint32_t i = 0; i < g->label_count; i++)
		free(g->label[i]);
	free(g->label);
	ct_table_free(&g->by_label);
	ct_table_free(&g->by_key);
	*g = (struct ct_grouping){ 0 };
}

/* --- labels --- */

static char *or_else(char *text, const char *otherwise)
{
	if (!text || *text)
		return text;
	free(text);
	return strdup(otherwise);
}

static char *label_of_thread(struct ct_grouping *g, uint32_t thread)
{
	const struct ct_thread_info *t = &g->m->thread[thread];
	const struct ct_process_info *p = &g->m->process[t->process];
	char *text = NULL;
	int n;

	if (g->by == CT_GROUP_ROUTINE) {
		const char *routine = ct_routine_of(g->symbols, g->m, thread);

		if (routine && !*routine)
			routine = t->tid == p->pid ? "(main thread)" : "(not known)";
		return routine ? strdup(routine) : NULL;
	}
	if (g->by == CT_GROUP_THREAD)
		n = asprintf(&text, "%s (%llu)", *t->name ? t->name : "(no name)", (unsigned long long)t->tid);
	else
		n = asprintf(&text, "%s (%llu)", *p->executable ? ct_base_name(p->executable) : "(not known)",
			     (unsigned long long)p->pid);
	return n < 0 ? NULL : text;
}

static char *label_of_site(struct ct_grouping *g, const struct ct_site_info *s)
{
	uint32_t callstack;

	if (g->by == CT_GROUP_CAUSE)
		return strdup(ct_model_cause_name(g->m, s->site.cause));
	if (g->by == CT_GROUP_OBJECT)
		return or_else(ct_object_label(g->symbols, g->m, s), "(no object)");
	if (ct_callstack_of(g->callstacks, ct_model_stack(g->m, s->process, s->site.stack), &callstack))
		return NULL;
	return or_else(ct_callstack_text(g->callstacks, g->symbols, callstack, false), "(no call stack)");
}

/* --- groups --- */

uint32_t ct_grouping_put(struct ct_grouping *g, char *label)
{
	uint64_t key = 0;
	uint32_t at;

	if (!label)
		return CT_NO;
	for (const char *p = label; *p; p++)
		key = (key ^ (uint8_t)*p) * 0x100000001b3ull;
	for (key = ct_mix(key); (at = ct_table_get(&g->by_label, key)); key++) {
		if (strcmp(g->label[at - 1], label))
			continue;
		free(label);
		return at - 1;
	}
	char **place = CT_APPEND(g, label);

	if (!place) {
		free(label);
		return CT_NO;
	}
	*place = label;
	return ct_table_put(&g->by_label, key, g->label_count) ? CT_NO : g->label_count - 1;
}

/* What has the same key has the same label: making one may look up symbols. */
static uint64_t key_of(const struct ct_grouping *g, uint32_t thread, const struct ct_site_info *s)
{
	if (ct_groups_threads(g->by))
		return thread;
	if (g->by == CT_GROUP_CAUSE)
		return s->site.cause;
	/* The name of a lock depends on the code that was mapped when it was used. */
	if (g->by == CT_GROUP_OBJECT)
		return ct_mix(s->site.object ^ ct_mix(ct_pair(s->process, s->site.stack) ^
						      ct_mix((uint64_t)s->site.object_kind << 8 | s->site.cause)));
	return ct_pair(s->process, s->site.stack);
}

uint32_t ct_grouping_of(struct ct_grouping *g, uint32_t thread, const struct ct_site_info *site)
{
	uint64_t key = key_of(g, thread, site);
	uint32_t at = ct_table_get(&g->by_key, key);

	if (at)
		return at - 1;
	at = ct_grouping_put(g, ct_groups_threads(g->by) ? label_of_thread(g, thread) : label_of_site(g, site));
	return at == CT_NO || ct_table_put(&g->by_key, key, at + 1) ? CT_NO : at;
}
