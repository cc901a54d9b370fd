/*
 * A pass over the calls that a trace has as events, for what sums do not keep: lengths and results. Of calls
 * that were only counted, the histograms.
 */
#ifndef CT_CALLS_H
#define CT_CALLS_H

#include "model.h"

/* A call of a selected thread, from call to return, at a site that the options select. */
struct ct_call_event {
	uint32_t thread, process;    /* indices */
	const struct ct_site *site;
	uint64_t start_ns, end_ns;   /* in the time that the options select */
	int64_t result;              /* of whole calls; -errno */
};

/* 0 or -errno, which ends the pass. */
typedef int ct_call_taker(void *self, const struct ct_call_event *e);

/* In the order of the file. Calls of unknown length are left out. 0, -errno. */
int ct_calls_read(const struct ct_model *m, struct ct_reader *r, ct_call_taker *take, void *self);

/* Calls that were too short to be events, by their length. */
struct ct_short_calls {
	uint64_t count, total_ns;
	uint64_t bucket[64];         /* by the log2 of the ns; 0 and 1 ns: the first */
};

/* Adds up the selected threads' short calls of each call: sums has call_count elements. Only of the whole
 * trace, as no times are known of them. 0, -errno. */
int ct_calls_short(const struct ct_model *m, struct ct_reader *r, struct ct_short_calls *sums);

#endif
