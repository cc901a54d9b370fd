/* Counts and times by name: who waited, for what, because of whom. */
#ifndef CT_TALLY_H
#define CT_TALLY_H

#include <stdint.h>

#include "table.h"

struct ct_tally {
	uint64_t key;          /* the maker's: what is counted */
	uint32_t process;      /* index */
	uint64_t tid;          /* of threads; otherwise 0 */
	char *label;           /* owned; NULL until it is given */
	uint32_t members;      /* how many were merged into it */
	uint64_t count, total_ns, max_ns;
	uint64_t holds, hold_ns, max_hold_ns; /* of a lock's owners */
};

struct ct_tallies {
	CT_ARRAY(struct ct_tally, item);
	struct ct_table by_key;
};

/* The tally of a key of a process, made if it is not there; NULL without memory. */
struct ct_tally *ct_tally_of(struct ct_tallies *t, uint32_t process, uint64_t key);
/* Largest total first, then count; of owners: hold time, then total. */
void ct_tallies_sort(struct ct_tallies *t);
/* Adds up those with the same label. All must have one. */
void ct_tallies_merge(struct ct_tallies *t);
void ct_tallies_free(struct ct_tallies *t);

#endif
