/*
 * What --group-by puts together: the one way in which all views tell to which group a wait,
 * or a thread, belongs.
 *
 *   thread         "name (tid)"
 *   start-routine  the function that the thread began with; main threads are a group
 *   process        "program (pid)"
 *   site           the innermost function and line of the wait
 *   object         what was waited for, as reports name it
 *   cause          the wait's cause
 */
#ifndef CT_GROUPING_H
#define CT_GROUPING_H

#include "callstacks.h"

/* Zero-initialise, or begin with no group: by CT_GROUP_NONE. */
struct ct_grouping {
	const struct ct_model *m;
	struct ct_symbols *symbols;
	struct ct_callstacks *callstacks;
	enum ct_group_by by;
	CT_ARRAY(char *, label);           /* of each group; owned */
	struct ct_table by_label, by_key;  /* index + 1 */
};

/* symbols and callstacks are borrowed. */
void ct_grouping_begin(struct ct_grouping *g, const struct ct_model *m, struct ct_symbols *symbols,
		       struct ct_callstacks *callstacks, enum ct_group_by by);
void ct_grouping_free(struct ct_grouping *g);
/* The group of a thread's wait at a site; site may be NULL where groups are those of threads.
 * CT_NO without memory. */
uint32_t ct_grouping_of(struct ct_grouping *g, uint32_t thread, const struct ct_site_info *site);
/* The group that has a label, which is taken over. CT_NO without memory, or if label is NULL. */
uint32_t ct_grouping_put(struct ct_grouping *g, char *label);
/* Whether all that a thread does is in one group. */
bool ct_groups_threads(enum ct_group_by by);

#endif
