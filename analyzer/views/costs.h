/*
 * What recording a trace cost its program: an estimate, from how often ctrace did what and what
 * that costs on the machine that it ran on (COST records).
 */
#ifndef CT_COSTS_VIEW_H
#define CT_COSTS_VIEW_H

#include <jansson.h>

#include "model.h"
#include "text.h"

/* Where the time went, in ns. */
struct ct_cost_sum {
	double counted_ns, timed_ns, written_ns, stacks_ns, switches_ns, starts_ns;
	double program_ns;      /* their sum: of the program's CPU time */
	double cpu_ns;          /* all of the program's CPU time, with that */
	double wall_ns;         /* how much later the program ended, at most: where it computes, not where it waits */
	double duration_ns;
	double collector_ns;    /* CPU time of another process */
};

/* False: not known, since the trace is part of one, or older, or was cut. */
bool ct_cost_sum(const struct ct_model *m, struct ct_cost_sum *ret);
void ct_print_costs(const struct ct_out *o, const struct ct_model *m);
/* null where it is not known. */
json_t *ct_json_costs(const struct ct_model *m);

#endif
