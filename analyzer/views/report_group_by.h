/* Waits added up by what --group-by names. */
#ifndef CT_REPORT_GROUP_BY_H
#define CT_REPORT_GROUP_BY_H

#include "commands.h"

struct ct_grouped_row {
	char *label;                   /* owned */
	uint64_t count, unknown, open, total_ns, max_ns;
};

struct ct_grouped {
	CT_ARRAY(struct ct_grouped_row, row); /* in the order of --sort */
	struct ct_table by_label;
	uint64_t total_ns;
};

/* 0 or -ENOMEM. Close in either case. */
int ct_grouped_make(struct ct_grouped *g, struct ct_report *r, enum ct_group_by by);
void ct_grouped_close(struct ct_grouped *g);
/* As a table, as CSV, and as a member of the report's JSON. */
void ct_grouped_print(const struct ct_context *c, const struct ct_grouped *g);
void ct_grouped_csv(const struct ct_context *c, const struct ct_grouped *g);

#endif
