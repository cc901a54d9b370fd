/*
 * What only the order of waits tells of a lock: who held it where while others waited
 * where, convoys, and for how long somebody waited.
 */
#ifndef CT_LOCK_DETAILS_H
#define CT_LOCK_DETAILS_H

#include "report.h"
#include "wakes.h"

/* Waits at one site for holds that were released at another. */
struct ct_lock_pair {
	uint32_t lock;               /* place in ct_lock_details.lock */
	uint32_t holder, waiter;     /* call stacks, or CT_NO */
	uint64_t count, total_ns;    /* waits that such a hold ended; time that such holds cost */
};

struct ct_lock_span {
	uint64_t start_ns, end_ns;   /* start 0: counted already */
};

/* A convoy: somebody waits all the time, from one hand-over to the next. */
struct ct_convoy {
	uint64_t from_ns, to_ns;
	uint64_t hand_overs;
	uint32_t waiters;            /* at once, at most */
};

struct ct_lock_detail {
	uint32_t process;
	uint64_t address;
	uint64_t read_waits, read_wait_ns, write_waits, write_wait_ns;
	uint64_t first_ns, last_ns;  /* of its waits */
	uint64_t waited_ns;          /* time in which somebody waited: the lock was held then */
	uint32_t waiters;            /* at once, at most */
	uint64_t convoys;
	struct ct_convoy longest;
	/* Private: waits that are not counted yet, and where counting stands. */
	CT_ARRAY(struct ct_lock_span, span);
	uint64_t now_ns;
	uint32_t depth;
	struct ct_convoy current;
};

struct ct_lock_details {
	const struct ct_model *m;
	struct ct_report *report;
	struct ct_wakes wakes;
	CT_ARRAY(struct ct_lock_detail, lock);
	CT_ARRAY(struct ct_lock_pair, pair); /* by lock, most time first */
	struct ct_table lock_by_hash, pair_by_hash;
};

/* Reads the trace once more; memory: 16 bytes a wait for a lock, at most 1 MB each. 0, -ENOMEM,
 * -errno. Close in either case. */
int ct_lock_details_make(struct ct_lock_details *d, struct ct_report *r, struct ct_reader *reader);
void ct_lock_details_close(struct ct_lock_details *d);
/* The place of a lock, or CT_NO. */
uint32_t ct_lock_detail_of(const struct ct_lock_details *d, uint32_t process, uint64_t address);
/* The first of a lock's pairs; *ret_count: how many there are. */
const struct ct_lock_pair *ct_lock_pairs(const struct ct_lock_details *d, uint32_t lock, uint32_t *ret_count);

#endif
