/* The states of a thread. See timeline.h. */
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* So many gaps are told apart; then they grow together. */
#define GAPS_MAX 65536u

/* --- gaps --- */

const struct ct_span_ns *ct_gaps_after(const struct ct_gaps *g, uint64_t ns)
{
	uint32_t low = 0, high = g->gap_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (g->gap[middle].to_ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->gap_count ? &g->gap[low] : NULL;
}

int ct_gaps_add(struct ct_gaps *g, uint64_t from_ns, uint64_t to_ns)
{
	uint32_t first, end;

	if (from_ns >= to_ns)
		return 0;
	/* They come nearly in order: those that it touches stand near the end. */
	for (end = g->gap_count; end && g->gap[end - 1].from_ns > to_ns; end--)
		;
	for (first = end; first && g->gap[first - 1].to_ns >= from_ns; first--)
		;
	if (first == end && g->gap_count >= GAPS_MAX) {
		first -= first == g->gap_count;
		end = first + 1;
	}
	if (first == end) {
		struct ct_span_ns *grown = ct_grow(g->gap, &g->gap_capacity, g->gap_count + 1u, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		g->gap = grown;
		memmove(grown + first + 1, grown + first, (g->gap_count - first) * sizeof(*grown));
		grown[first] = (struct ct_span_ns){ from_ns, to_ns };
		g->gap_count++;
		return 0;
	}
	if (g->gap[first].from_ns < from_ns)
		from_ns = g->gap[first].from_ns;
	if (g->gap[end - 1].to_ns > to_ns)
		to_ns = g->gap[end - 1].to_ns;
	g->gap[first] = (struct ct_span_ns){ from_ns, to_ns };
	memmove(g->gap + first + 1, g->gap + end, (g->gap_count - end) * sizeof(*g->gap));
	g->gap_count -= end - first - 1;
	return 0;
}

/* --- pieces --- */

/* Merges the older half of the first n in pairs, until few are left. */
static void merge(struct ct_timeline *t, uint32_t n)
{
	uint32_t left = n;

	while (left > CT_TIMELINE_KEEP) {
		uint32_t pairs = left / 4;

		for (uint32_t i = 0; i < pairs; i++)
			t->piece[i] = t->piece[2 * i];
		memmove(t->piece + pairs, t->piece + 2 * pairs, (left - 2 * pairs) * sizeof(*t->piece));
		t->merged = t->merged > 2 * pairs ? t->merged - pairs : pairs;
		left -= pairs;
	}
	memmove(t->piece + left, t->piece + n, (t->piece_count - n) * sizeof(*t->piece));
	t->piece_count -= n - left;
	t->hint = t->piece_count;
}

/* Makes room for one more. */
static int make_room(struct ct_timeline *t, uint64_t exact_ns)
{
	uint32_t old = 0, high = t->piece_count;

	if (t->piece_count < t->piece_capacity)
		return 0;
	while (old < high) {
		uint32_t middle = old + (high - old) / 2;

		if (t->piece[middle].from_ns < exact_ns)
			old = middle + 1;
		else
			high = middle;
	}
	if (old > CT_TIMELINE_KEEP)
		merge(t, old);
	/* Merging pays only where it makes much room. */
	if (t->piece_count < t->piece_capacity - t->piece_capacity / 4)
		return 0;
	struct ct_piece *grown = ct_grow(t->piece, &t->piece_capacity, t->piece_capacity + 1ull, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	t->piece = grown;
	return 0;
}

/* Passes to a moment; the time until then, within the life. */
static uint64_t pass(struct ct_timeline *t, uint64_t until_ns)
{
	uint64_t before_ns = t->now_ns;

	if (until_ns > t->to_ns)
		until_ns = t->to_ns;
	if (until_ns <= before_ns)
		return 0;
	t->now_ns = until_ns;
	return until_ns - before_ns;
}

/* The thread has no CPU until a moment: asleep until woken_ns, then ready. */
static int pass_off(struct ct_timeline *t, uint64_t woken_ns, uint64_t until_ns, uint64_t exact_ns)
{
	if (t->now_ns >= until_ns || t->now_ns >= t->to_ns)
		return 0;
	if (make_room(t, exact_ns))
		return -ENOMEM;
	t->piece[t->piece_count++] = (struct ct_piece){ t->now_ns, t->off_ns, t->ready_ns };
	t->off_ns += pass(t, woken_ns < until_ns ? woken_ns : until_ns);
	t->ready_ns += pass(t, until_ns);
	return 0;
}

uint32_t ct_timeline_search(struct ct_timeline *t, uint64_t ns)
{
	uint32_t low = 0, high = t->piece_count, i = t->hint;

	if (i >= high)
		i = high ? high - 1 : 0;
	/* Calls come in order: mostly it is near the last one. */
	for (uint32_t k = 0; k < 8 && i < high; k++) {
		if (t->piece[i].from_ns > ns) {
			high = i;
			if (!i)
				break;
			i--;
		} else {
			low = i + 1;
			if (low == high)
				break;
			i++;
		}
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->piece[middle].from_ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	t->hint = low ? low - 1 : 0;
	return low ? low - 1 : CT_MANY;
}

static uint64_t share(uint64_t whole, uint64_t part, uint64_t of)
{
	return of ? (uint64_t)((unsigned __int128)whole * part / of) : 0;
}

void ct_timeline_merged(const struct ct_timeline *t, uint32_t i, uint64_t ns, uint64_t *ret_off_ns,
			uint64_t *ret_ready_ns)
{
	const struct ct_piece *p = &t->piece[i];
	bool last = i + 1 == t->piece_count;
	uint64_t off_ns = (last ? t->off_ns : p[1].off_ns) - p->off_ns;
	uint64_t ready_ns = (last ? t->ready_ns : p[1].ready_ns) - p->ready_ns;
	uint64_t after_ns = ns - p->from_ns, length_ns = (last ? t->now_ns : p[1].from_ns) - p->from_ns;

	if (after_ns < length_ns) {
		off_ns = share(off_ns, after_ns, length_ns);
		ready_ns = share(ready_ns, after_ns, length_ns);
	}
	*ret_off_ns = p->off_ns + off_ns;
	*ret_ready_ns = p->ready_ns + ready_ns;
}

bool ct_timeline_last(struct ct_timeline *t, uint64_t ns, struct ct_piece *ret)
{
	uint32_t i = ct_timeline_search(t, ns);

	if (i == CT_MANY || i < t->merged)
		return false;
	*ret = t->piece[i];
	return true;
}

uint32_t ct_timeline_losses(struct ct_timeline *t, uint64_t from_ns, uint64_t to_ns)
{
	uint32_t last = ct_timeline_search(t, to_ns), first = ct_timeline_search(t, from_ns);

	if (last == CT_MANY)
		return 0;
	if (first == CT_MANY)
		first = 0;
	else if (first < t->merged)
		return CT_MANY;
	else
		first++;
	return last + 1 > first ? last + 1 - first : 0;
}

/* --- life --- */

void ct_timeline_begin(struct ct_timeline *t, uint64_t from_ns, uint64_t to_ns, uint64_t known_ns)
{
	*t = (struct ct_timeline){ .from_ns = from_ns, .to_ns = to_ns > from_ns ? to_ns : from_ns,
				   .now_ns = from_ns };
	/* Of what was before the records began nothing is known. Since then the
	 * thread had no CPU: its first slice would say so if it was otherwise. */
	t->unknown_ns = pass(t, known_ns);
}

void ct_timeline_free(struct ct_timeline *t)
{
	free(t->piece);
	t->piece = NULL;
	t->piece_count = t->piece_capacity = t->merged = 0;
}

/* As the thread was, but with gaps in the time: in those and between them it is
 * unknown, and behind them unless a wake-up tells that it was asleep. woken_ns
 * UINT64_MAX: none is known. */
static int pass_gaps(struct ct_timeline *t, const struct ct_gaps *gaps, const struct ct_span_ns *first, bool wakes,
		     uint64_t woken_ns, uint64_t until_ns, uint64_t exact_ns)
{
	const struct ct_span_ns *last = first;
	bool asleep = t->state == CT_STATE_OFF && !wakes;

	while (last + 1 < gaps->gap + gaps->gap_count && last[1].from_ns < until_ns)
		last++;
	if (t->state == CT_STATE_UNKNOWN)
		t->unknown_ns += pass(t, first->from_ns);
	else if (pass_off(t, t->state == CT_STATE_OFF ? first->from_ns : 0, first->from_ns, exact_ns))
		return -ENOMEM;
	t->unknown_ns += pass(t, last->to_ns < until_ns ? last->to_ns : until_ns);
	if (woken_ns != UINT64_MAX && woken_ns >= last->to_ns)
		return pass_off(t, woken_ns, until_ns, exact_ns);
	if (asleep)
		return pass_off(t, until_ns, until_ns, exact_ns);
	t->unknown_ns += pass(t, until_ns);
	return 0;
}

/* The time up to the next slice, or to a moment before it. */
static int pass_until(struct ct_timeline *t, const struct ct_gaps *gaps, bool wakes, uint64_t woken_ns,
		      uint64_t until_ns, uint64_t exact_ns)
{
	if (until_ns > t->to_ns)
		until_ns = t->to_ns;
	if (t->now_ns >= until_ns || t->state == CT_STATE_DEAD)
		return 0;
	if (gaps->gap_count) {
		const struct ct_span_ns *first = ct_gaps_after(gaps, t->now_ns);

		if (first && first->from_ns < until_ns)
			return pass_gaps(t, gaps, first, wakes, woken_ns, until_ns, exact_ns);
	}
	if (t->state == CT_STATE_UNKNOWN) {
		t->unknown_ns += pass(t, until_ns);
		return 0;
	}
	return pass_off(t, t->state == CT_STATE_OFF ? woken_ns : 0, until_ns, exact_ns);
}

int ct_timeline_until(struct ct_timeline *t, uint64_t ns, const struct ct_gaps *gaps, bool wakes,
		      uint64_t exact_ns)
{
	return pass_until(t, gaps, wakes, UINT64_MAX, ns, exact_ns);
}

int ct_timeline_slice(struct ct_timeline *t, const struct ct_slice *s, const struct ct_gaps *gaps, bool wakes,
		      uint64_t exact_ns, struct ct_turn *ret)
{
	static const enum ct_state after[CT_SLICE_KINDS] = {
		[CT_SLICE_BLOCKED] = CT_STATE_OFF,	[CT_SLICE_PREEMPTED] = CT_STATE_READY,
		[CT_SLICE_EXITED] = CT_STATE_DEAD,	[CT_SLICE_CONTINUED] = CT_STATE_UNKNOWN,
		[CT_SLICE_LOST] = CT_STATE_UNKNOWN,	[CT_SLICE_TRACE] = CT_STATE_UNKNOWN,
	};
	bool woken = s->flags & CT_SL_WOKEN && !(s->flags & CT_SL_NO_START) && t->state != CT_STATE_READY;
	uint64_t ready_ns = t->ready_ns;

	*ret = (struct ct_turn){ 0 };

	if (s->end == CT_SLICE_EXITED && s->end_ns <= t->from_ns) {
		/* An earlier thread with the same number. */
		t->state = CT_STATE_OFF;
		t->begun = false;
		return 0;
	}
	if (s->flags & CT_SL_NO_START)
		t->state = CT_STATE_UNKNOWN;
	int error = pass_until(t, gaps, wakes, woken ? s->woken_ns : UINT64_MAX, s->start_ns, exact_ns);

	if (error)
		return error;
	ret->ready_ns = t->ready_ns - ready_ns;
	ret->ran_ns = pass(t, s->end_ns);
	ret->woken = woken;
	t->running_ns += ret->ran_ns;
	t->begun = true;
	t->state = s->end < CT_SLICE_KINDS ? after[s->end] : CT_STATE_UNKNOWN;
	/* The dead have no time; the record of their end may come later. */
	if (t->state == CT_STATE_DEAD && t->to_ns > t->now_ns)
		t->to_ns = t->now_ns;
	return 0;
}
