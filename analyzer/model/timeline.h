/*
 * The states of one thread over its life: running, ready, off the CPU, unknown.
 * Every moment has exactly one of them, so the sums add up to the life.
 *
 * What blocked a thread is known from its calls. A call's part in the time off
 * the CPU is the difference of off(x), the time off the CPU up to x, at its two
 * ends: that is exact while off(x) is known piece by piece. The pieces of the
 * last seconds are kept as they are; of older ones the older half is merged in
 * pairs, again and again, so that CT_TIMELINE_KEEP remain. In a merged piece
 * the time off the CPU counts as evenly spread: a call that began in one was so
 * many times longer than the piece that its error is below a percent of it.
 *
 * Memory: 24 bytes a piece (one a time that the thread lost its CPU) of the
 * last seconds, and CT_TIMELINE_KEEP pieces a thread.
 */
#ifndef CT_TIMELINE_H
#define CT_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "switches.h"

#define CT_TIMELINE_KEEP 512u

/* What a thread does while no slice says otherwise. */
enum ct_state {
	CT_STATE_OFF,     /* asleep; once a slice says when it was woken, ready from then on */
	CT_STATE_READY,
	CT_STATE_UNKNOWN, /* records are missing */
	CT_STATE_DEAD,
};

/* Times for which records are missing on some CPU, in order and apart. */
struct ct_gaps {
	struct ct_span_ns {
		uint64_t from_ns, to_ns;
	} *gap;
	uint32_t gap_count, gap_capacity;
};

/* A time without a CPU: first asleep, then ready. Ends where the sums say. */
struct ct_piece {
	uint64_t from_ns;
	uint64_t off_ns, ready_ns; /* before it, since the begin of the life */
};

struct ct_timeline {
	uint64_t from_ns, to_ns;   /* the life, or what was asked for of it */
	uint64_t now_ns;           /* what came before is in the sums */
	uint64_t running_ns, ready_ns, off_ns, unknown_ns;
	enum ct_state state;       /* from now on */
	bool begun;                /* a slice was seen */
	struct ct_piece *piece;
	uint32_t piece_count, piece_capacity;
	uint32_t merged;           /* so many of the first are merged ones */
	uint32_t hint;             /* where the last look-up ended */
};

/* What a slice meant for its thread. */
struct ct_turn {
	uint64_t ran_ns;           /* in the slice */
	uint64_t ready_ns;         /* before it */
	bool woken;                /* it had been asleep, and when it was woken is known */
};

/* A life. known_ns: when the records began. */
void ct_timeline_begin(struct ct_timeline *t, uint64_t from_ns, uint64_t to_ns, uint64_t known_ns);
/* Adds the next slice of the thread. wakes: all wake-ups outside gaps are in the
 * records. Pieces that began before exact_ns may be merged. 0 or -ENOMEM. */
int ct_timeline_slice(struct ct_timeline *t, const struct ct_slice *s, const struct ct_gaps *gaps, bool wakes,
		      uint64_t exact_ns, struct ct_turn *ret);
/* The same for the usual slice: of a thread that is asleep or ready, where nothing is
 * missing. False: it is none; nothing was done. */
static inline bool ct_timeline_usual(struct ct_timeline *t, const struct ct_slice *s, const struct ct_gaps *gaps,
				     struct ct_turn *ret);
/* Lets the thread go on as it does until a moment. 0 or -ENOMEM. */
int ct_timeline_until(struct ct_timeline *t, uint64_t ns, const struct ct_gaps *gaps, bool wakes,
		      uint64_t exact_ns);
void ct_timeline_free(struct ct_timeline *t);

/* Time off the CPU, and ready, before a moment that is not after now_ns. */
static inline void ct_timeline_at(struct ct_timeline *t, uint64_t ns, uint64_t *ret_off_ns, uint64_t *ret_ready_ns);
/* The last time without a CPU that began before a moment. False: not known. */
bool ct_timeline_last(struct ct_timeline *t, uint64_t ns, struct ct_piece *ret);
/* How many times the thread lost its CPU after one moment and up to another;
 * CT_MANY: not known any more. */
#define CT_MANY UINT32_MAX
uint32_t ct_timeline_losses(struct ct_timeline *t, uint64_t from_ns, uint64_t to_ns);

/* Adds a time; those that overlap become one. 0 or -ENOMEM. */
int ct_gaps_add(struct ct_gaps *g, uint64_t from_ns, uint64_t to_ns);
/* The first that ends after a moment, or NULL. */
const struct ct_span_ns *ct_gaps_after(const struct ct_gaps *g, uint64_t ns);

/* --- in the inner loops --- */

static inline bool ct_timeline_usual(struct ct_timeline *t, const struct ct_slice *s, const struct ct_gaps *gaps,
				     struct ct_turn *ret)
{
	uint64_t now_ns = t->now_ns, until_ns = s->start_ns < t->to_ns ? s->start_ns : t->to_ns;
	uint64_t end_ns = s->end_ns < t->to_ns ? s->end_ns : t->to_ns;

	if (__builtin_expect(gaps->gap_count || s->flags & CT_SL_NO_START || s->end > CT_SLICE_PREEMPTED ||
			     t->state > CT_STATE_READY || t->piece_count == t->piece_capacity, 0))
		return false;
	ret->woken = s->flags & CT_SL_WOKEN && t->state != CT_STATE_READY;
	ret->ready_ns = 0;
	if (now_ns < until_ns) {
		uint64_t woken_ns = t->state != CT_STATE_OFF ? now_ns : ret->woken ? s->woken_ns : until_ns;

		t->piece[t->piece_count++] = (struct ct_piece){ now_ns, t->off_ns, t->ready_ns };
		woken_ns = woken_ns < now_ns ? now_ns : woken_ns > until_ns ? until_ns : woken_ns;
		t->off_ns += woken_ns - now_ns;
		t->ready_ns += ret->ready_ns = until_ns - woken_ns;
		now_ns = until_ns;
	}
	ret->ran_ns = end_ns > now_ns ? end_ns - now_ns : 0;
	t->now_ns = now_ns + ret->ran_ns;
	t->running_ns += ret->ran_ns;
	t->begun = true;
	t->state = s->end == CT_SLICE_BLOCKED ? CT_STATE_OFF : CT_STATE_READY;
	return true;
}

/* The last piece that began at or before a moment; CT_MANY: none did. */
uint32_t ct_timeline_search(struct ct_timeline *t, uint64_t ns);
/* A part of what piece i says, or of merged ones. */
void ct_timeline_merged(const struct ct_timeline *t, uint32_t i, uint64_t ns, uint64_t *ret_off_ns,
			uint64_t *ret_ready_ns);

static inline void ct_timeline_at(struct ct_timeline *t, uint64_t ns, uint64_t *ret_off_ns, uint64_t *ret_ready_ns)
{
	uint32_t i = t->hint;

	/* Calls come in order: mostly it is where the last one ended, or the next one. */
	if (i >= t->piece_count || t->piece[i].from_ns > ns || (i + 1 < t->piece_count && t->piece[i + 1].from_ns <= ns)) {
		i = ct_timeline_search(t, ns);
		if (i == CT_MANY) {
			*ret_off_ns = *ret_ready_ns = 0;
			return;
		}
	}
	if (__builtin_expect(i < t->merged, 0)) {
		ct_timeline_merged(t, i, ns, ret_off_ns, ret_ready_ns);
		return;
	}
	const struct ct_piece *p = &t->piece[i];
	bool last = i + 1 == t->piece_count;
	uint64_t off_ns = (last ? t->off_ns : p[1].off_ns) - p->off_ns;
	uint64_t ready_ns = (last ? t->ready_ns : p[1].ready_ns) - p->ready_ns;
	uint64_t after_ns = ns - p->from_ns, rest_ns = after_ns > off_ns ? after_ns - off_ns : 0;

	*ret_off_ns = p->off_ns + (after_ns < off_ns ? after_ns : off_ns);
	*ret_ready_ns = p->ready_ns + (rest_ns < ready_ns ? rest_ns : ready_ns);
}

#endif
