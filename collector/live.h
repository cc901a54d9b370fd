/*
 * What a process has waited for lately, summed up by site while somebody looks
 * (ctrace-top). Nothing is summed while nobody asks; memory is bounded by CT_LIVE_SITES (when
 * they are nearly used up, objects are not told apart any more)
 * and, of each thread, by CT_LIVE_LAST.
 *
 * Sums only grow, so that each who looks takes differences. Waits in progress are added
 * up to the moment of each look, and when they end the rest: a wait counts in the time
 * in which it is, not in that of its end. Times are from call to return; of calls inside
 * of each other the outer one has what the inner ones leave.
 */
#ifndef CT_LIVE_H
#define CT_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#define CT_LIVE_SITES  1024u /* a power of two */
#define CT_LIVE_NESTED 8u
#define CT_LIVE_LAST   8u

struct ct_process;
struct ct_thread;
struct ct_event;

/* As the process has them: a descriptor is its number << 32 | fd, a stack the arena's word. */
struct ct_live_what {
	uint64_t object;
	uint64_t ip;         /* of a wait in progress without a stack: its return address; else 0 */
	uint32_t stack;
	uint16_t call;
	uint8_t cause, object_kind;
};

struct ct_live_site {
	struct ct_live_what what; /* call 0: the place is free */
	uint64_t count;           /* of waits that ended */
	uint64_t total_ns, max_ns;
};

/* Of a thread, while somebody looks on. */
struct ct_live_thread {
	uint64_t begun_ns;     /* as in struct ct_live; another one: it is of an older look */
	uint64_t counted_ns;   /* up to there waits in progress have been added */
	/* The last calls that are not known to be inside of another one. */
	struct {
		uint64_t start_ns, own_ns;
	} nested[CT_LIVE_NESTED];
	uint32_t nested_count;
	uint32_t last_count;   /* the n-th wait that ended is at n % CT_LIVE_LAST */
	struct {
		struct ct_live_what what;
		uint64_t start_ns, end_ns;
		uint32_t owner;
	} last[CT_LIVE_LAST];
};

struct ct_live {
	uint64_t until_ns;   /* nobody has asked for a while: it is given up then */
	uint64_t begun_ns;   /* sums begin; another number: they begin anew */
	uint64_t other_ns, other_count; /* waits that found no room */
	uint32_t count;
	struct ct_live_site site[CT_LIVE_SITES];
};

/* Somebody looks: sums are there from now on, for that long. False without memory. */
bool ct_live_look(struct ct_process *p, uint64_t now_ns, uint64_t keep_ns);
/* They have been told: where there was no room they begin anew. */
void ct_live_told(struct ct_process *p, uint64_t now_ns);
/* A wait is over. p->live is there. */
void ct_live_wait(struct ct_process *p, struct ct_thread *th, const struct ct_event *e, uint64_t start_ns,
		  uint64_t end_ns);
/* A wait is in progress. p->live is there. */
void ct_live_waiting(struct ct_process *p, struct ct_thread *th, const struct ct_live_what *what, uint64_t start_ns,
		     uint64_t now_ns);
/* NULL: nothing is known of it. */
const struct ct_live_thread *ct_live_of(const struct ct_process *p, const struct ct_thread *th);

#endif
