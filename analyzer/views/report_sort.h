/* The orders that --sort knows: of each command the keys, the first is the default. */
#ifndef CT_REPORT_SORT_H
#define CT_REPORT_SORT_H

#include "report_groups.h"

#define CT_SORT_SITES   "total count longest average"
#define CT_SORT_THREADS "blocked lifetime running runnable unexplained longest name"
#define CT_SORT_LOCKS   "wait waits longest hold acquisitions name"
#define CT_SORT_SCHED   "runnable running wakes longest lost name"
#define CT_SORT_WAKERS  "total count longest blame"
#define CT_SORT_IO      "blocked calls read written longest name"
#define CT_SORT_MALLOC  "calls blocked waits name"
#define CT_SORT_LATENCY "total count longest name"
#define CT_SORT_WAITS   "length start"
#define CT_SORT_PATH    "time count"
#define CT_SORT_CALLS   "made written blocked short name"

enum ct_site_key {
	CT_SITE_TOTAL,
	CT_SITE_COUNT,
	CT_SITE_LONGEST,
	CT_SITE_AVERAGE,
};

/* More is first. */
static inline int ct_more_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* What sums of waits are sorted by. */
uint64_t ct_site_value(enum ct_site_key key, uint64_t count, uint64_t total_ns, uint64_t max_ns);
/* The key of a report's sites: that of blocks, for all others the default. */
enum ct_site_key ct_site_key_of(const struct ct_options *o);

/* By the places of keys in the lists above. */
void ct_sort_threads(struct ct_report *r, uint32_t key);
void ct_sort_groups(struct ct_groups *g, uint32_t key);
void ct_sort_locks(struct ct_report *r, uint32_t key);

#endif
