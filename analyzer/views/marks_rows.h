/* What regions and tasks have in common: rows in an order, and how their time was spent. */
#ifndef CT_MARKS_ROWS_H
#define CT_MARKS_ROWS_H

#include <jansson.h>

#include "commands.h"
#include "csv.h"
#include "marks.h"

#define CT_SORT_MARKS   "total count longest blocked name"
#define CT_CSV_REGIONS                                                                                   \
	"region count open total_ns p50_ns p99_ns longest_ns longest_at_ns running_ns runnable_ns "      \
	"blocked_ns unexplained_ns mostly mostly_ns"
#define CT_CSV_TASKS                                                                                     \
	"task count open total_ns p50_ns p99_ns longest_ns longest_at_ns running_ns runnable_ns "        \
	"blocked_ns unexplained_ns mostly mostly_ns"

/* The rows of a table: names with something in their sum, by --sort. spent: of each name, NULL: nothing.
 * Returns their places, which the caller frees; NULL without memory. */
uint32_t *ct_marks_order(const struct ct_context *c, const struct ct_model *m, const struct ct_mark_sum *sums,
			 const struct ct_mark_sum *spent, uint32_t *ret_count);
/* A percentile, which is never more than the longest. */
uint64_t ct_marks_quantile(const struct ct_mark_sum *sum, double share);

/* The line of a table, without how its time was spent. */
void ct_marks_print_row(const struct ct_context *c, const struct ct_model *m, uint32_t name,
			const struct ct_mark_sum *sum, const struct ct_mark_spent *spent);
/* Lines below it: causes, the longest. 0 or -ENOMEM. */
int ct_marks_print_more(const struct ct_context *c, const struct ct_model *m, const struct ct_mark_sum *sum,
			const struct ct_mark_spent *spent, bool blocked_in_longest);
/* Adds the members of a row to its object. */
void ct_marks_json(json_t *o, const struct ct_model *m, const struct ct_mark_sum *sum, const struct ct_mark_spent *spent);
void ct_marks_csv(struct ct_csv *csv, const struct ct_model *m, uint32_t name, const struct ct_mark_sum *sum,
		  const struct ct_mark_spent *spent);
/* A line if something did not add up; or that the program says nothing. */
void ct_marks_print_odd(const struct ct_context *c, const struct ct_model *m, uint64_t unbalanced, uint64_t left);
/* Running time, 0 where it is not known. */
uint64_t ct_mark_running(const struct ct_mark_spent *s);

#endif
