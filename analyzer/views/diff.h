/*
 * Two sides of traces, one or several runs each, by cause, place, lock and group of threads. All times are
 * compared per second of the trace, so runs of different length compare.
 *
 * With several runs a side its value is the median, and its noise the distance between its smallest and its
 * largest. A difference that is not larger than the noise of both sides counts as none.
 */
#ifndef CT_DIFF_H
#define CT_DIFF_H

#include "report.h"

#define CT_DIFF_RUNS 32u /* of a side, at most */

enum ct_diff_kind {
	CT_DIFF_STATE,
	CT_DIFF_CAUSE,
	CT_DIFF_SITE,
	CT_DIFF_LOCK,
	CT_DIFF_THREAD,
	CT_DIFF_KINDS
};

struct ct_diff_side {
	double median, min, max; /* ns a second */
	uint64_t total_ns, count; /* of all its runs */
	uint32_t runs;           /* that had it */
};

struct ct_diff_row {
	enum ct_diff_kind kind;
	char *what;              /* owned: cause, "fdatasync in flush() at aof.c", lock, "worker-*: running" */
	bool idle;               /* waiting for work: neither better nor worse */
	uint64_t *ns, *count;    /* of each run, those of side A first; owned */
	struct ct_diff_side side[2];
	double change;           /* B - A, ns a second */
	bool noise;              /* not larger than the noise, where that is known */
};

struct ct_diff_run {
	const char *file;        /* owned */
	uint64_t duration_ns, events, lost;
	uint32_t processes, threads;
};

struct ct_diff {
	struct ct_diff_run run[2 * CT_DIFF_RUNS];
	uint32_t runs[2];        /* of each side; those of A come first in run */
	bool repeated;           /* both sides have several: the noise is known */
	CT_ARRAY(struct ct_diff_row, row); /* after ct_diff_finish: by kind; certain ones and large ones first */
	struct ct_table by_hash;
};

/* Takes in a report as the next run, of side A until there is one of B. Texts are copied. 0 or -ENOMEM. */
int ct_diff_add(struct ct_diff *d, struct ct_report *r, const char *file, int side);
void ct_diff_finish(struct ct_diff *d);
void ct_diff_free(struct ct_diff *d);
/* "state", "cause", "site", "lock", "thread" */
const char *ct_diff_kind_name(enum ct_diff_kind kind);

#endif
