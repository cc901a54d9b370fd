/*
 * What ctrace's own work costs on this machine, so that a trace says how much its program was
 * slowed down: COST records. It takes under a millisecond, when the program has ended.
 */
#ifndef CT_COSTS_H
#define CT_COSTS_H

#include "trace.h"
#include "writer.h"

struct ct_costs {
	uint64_t ps[CT_COST_KINDS]; /* picoseconds each */
};

void ct_costs_measure(struct ct_costs *ret);
void ct_costs_write(const struct ct_costs *c, struct ct_writer *w);

#endif
