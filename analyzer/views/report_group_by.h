/* Waits added up by what --group-by names: grouping.h says what belongs together. */
#ifndef CT_REPORT_GROUP_BY_H
#define CT_REPORT_GROUP_BY_H

#include <jansson.h>

#include "commands.h"
#include "grouping.h"

struct ct_grouped_row {
	const char *label;             /* of the grouping */
	uint64_t count, unknown, open, total_ns, max_ns;
};

struct ct_grouped {
	struct ct_grouping grouping;
	CT_ARRAY(struct ct_grouped_row, row); /* in the order of --sort; until then by group */
	uint64_t total_ns;
	bool sums;                     /* only count and total_ns are known */
};

/* Of the waits that the options' command is about, by their group_by: blocks all, locks those for
 * locks, malloc those in the allocator; of sched the delays after waits. 0 or -ENOMEM. Close in
 * either case. */
int ct_grouped_make(struct ct_grouped *g, struct ct_report *r);
void ct_grouped_close(struct ct_grouped *g);
/* The row of a group, which has just been asked for; NULL without memory. */
struct ct_grouped_row *ct_grouped_row(struct ct_grouped *g, uint32_t group);
/* Puts the rows in the order that the options ask for. */
void ct_grouped_sort(struct ct_grouped *g, const struct ct_options *o);
/* As a table, as CSV, and as a member of JSON. title: what is added up. */
void ct_grouped_print(const struct ct_context *c, const struct ct_grouped *g, const char *title);
void ct_grouped_csv(const struct ct_context *c, const struct ct_grouped *g);
/* {"by": what, "rows": [{"label", "count", "total_ns", "max_ns", "unknown", "open"}]} */
json_t *ct_grouped_json(const struct ct_context *c, const struct ct_grouped *g);

/* Makes it and writes it as text or CSV, as the options say. 0 or -ENOMEM. */
int ct_grouped_show(const struct ct_context *c, struct ct_report *r);

#endif
