/* What slices say in sum, for `sched` and for JSON. */
#ifndef CT_REPORT_SCHED_H
#define CT_REPORT_SCHED_H

#include "report.h"

struct ct_sched_sum {
	struct ct_delays wakes, preempted;
	uint64_t switches, preemptions, migrations;
	uint64_t running_ns, runnable_ns; /* of the selected threads */
	uint64_t covers_ns;               /* the trace, or what was asked for of it */
	uint64_t gap_ns;                  /* in it without records of some CPU */
};

void ct_sched_sum(struct ct_sched_sum *s, const struct ct_model *m);
/* "name (tid)", "an interrupt", "process 12", ... NULL without memory. */
char *ct_sched_waker_label(const struct ct_model *m, const struct ct_waker_info *w);
/* What running and ready times stand on, as a clause. */
const char *ct_sched_text(const struct ct_model *m);
/* Why there are no switches; "": not known. */
const char *ct_sched_reason(const struct ct_model *m, char *to, size_t bytes);

#endif
