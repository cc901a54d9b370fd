/* How long calls took: histograms with buckets of a power of two. */
#ifndef CT_LATENCY_H
#define CT_LATENCY_H

#include <jansson.h>

#include "calls.h"
#include "grouping.h"
#include "symbols.h"

#define CT_LATENCY_BUCKETS 64u

struct ct_latency {
	uint32_t cause;               /* CT_CAUSES: all that is selected, or a group of it */
	const char *label;            /* of the group; NULL: there is no --group-by */
	uint64_t recorded, short_calls; /* short: counted, but no events; in all of the following */
	uint64_t total_ns, max_ns;
	uint64_t bucket[CT_LATENCY_BUCKETS]; /* by the log2 of the ns; 0 and 1 ns: the first */
	struct ct_delays lengths;
};

struct ct_latencies {
	const struct ct_model *m;
	const char *call;             /* only of that call; NULL: all */
	bool together;                /* one histogram of all that is selected */
	bool with_short;              /* short calls are in it */
	CT_ARRAY(struct ct_latency, item); /* most time first */
	uint32_t by_cause[CT_CAUSES]; /* index + 1 */
	struct ct_symbols symbols;    /* with --group-by, as the next two */
	struct ct_callstacks callstacks;
	struct ct_grouping grouping;
	struct ct_table by_group;     /* index + 1 */
};

/* Reads the trace once more. 0, -ENOENT: it has no such call, -errno. Close in either case. */
int ct_latencies_make(struct ct_latencies *l, const struct ct_model *m, struct ct_reader *reader);
void ct_latencies_close(struct ct_latencies *l);
/* Which bucket a length belongs to. */
uint32_t ct_latency_bucket(uint64_t ns);
/* [{"from_ns", "to_ns", "count"}] of those that are not empty. */
json_t *ct_latency_json(const uint64_t bucket[CT_LATENCY_BUCKETS]);
uint64_t ct_latency_quantile(const struct ct_latency *l, double share);

#endif
