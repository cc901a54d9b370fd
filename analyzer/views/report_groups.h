/* Threads that do the same, with sums: by program, start routine and name, or as --group-by says. */
#ifndef CT_REPORT_GROUPS_H
#define CT_REPORT_GROUPS_H

#include "grouping.h"
#include "report.h"

struct ct_group {
	uint32_t first;          /* one of its threads, by index */
	uint32_t count, stuck;   /* threads; those that were blocked all their life */
	const char *routine;     /* of the symbols; "": not known */
	bool main;               /* main threads of their processes */
	int stem;                /* bytes of the name that they share */
	bool same_name;
	uint64_t lifetime_ns, running_ns, runnable_ns, blocked_ns, unexplained_ns, unknown_ns, longest_ns;
	uint64_t unrecorded_ns;  /* part of unknown */
	uint64_t *by_cause;      /* as rows of the report's causes; owned */
	const char *label;       /* with --group-by; otherwise NULL */
	struct ct_states *states; /* added up: delays, and how often; NULL: there are no slices; owned */
};

struct ct_groups {
	CT_ARRAY(struct ct_group, group); /* most time off the CPU first */
	struct ct_table by_hash;
	struct ct_grouping grouping;      /* with --group-by */
};

/* by: CT_GROUP_NONE, or one of those that group threads. 0 or -ENOMEM. Close in either case. */
int ct_groups_make(struct ct_groups *g, struct ct_report *r, enum ct_group_by by);
void ct_groups_close(struct ct_groups *g);
/* "worker-*", or the name that all have. */
const char *ct_group_name(const struct ct_group *g, const struct ct_model *m, char *to, size_t bytes);
/* The function that a thread began with; "": not known. NULL without memory. */
const char *ct_routine_of(struct ct_symbols *s, const struct ct_model *m, uint32_t thread);
/* Whether it did nothing but wait, once. */
bool ct_is_stuck(const struct ct_thread_info *t);

#endif
