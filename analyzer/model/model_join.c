/* Calls and slices together. See model_join.h. */
#include "model_join.h"

#include <errno.h>

/* A thread that came back from a wait soon leaves the call. */
#define AFTER_NS 1000000u

/* Shorter calls are not compared with what the kernel said of them. */
#define LONG_NS 1000000u

/* How far the two clocks may differ: the calls' was converted. */
static uint64_t slack_ns(const struct ct_model *m)
{
	return m->clock_error_ns + 1000;
}

static int go_on(struct ct_model *m, struct ct_states *st, uint64_t ns)
{
	return ns > st->line.now_ns ? ct_timeline_until(&st->line, ns, &m->gaps, m->wakes, m->exact_ns) : 0;
}

/* Whether records are missing for a part of it. */
static bool is_unknown(const struct ct_model *m, const struct ct_states *st, uint64_t start_ns, uint64_t end_ns)
{
	if (!st->line.unknown_ns)
		return false;
	if (!st->line.begun || start_ns < m->slices_from_ns)
		return true;
	const struct ct_span_ns *gap = m->gaps.gap_count ? ct_gaps_after(&m->gaps, start_ns) : NULL;

	return gap && gap->from_ns < end_ns;
}

int ct_join(struct ct_model *m, uint32_t thread, uint64_t start_ns, uint64_t end_ns, bool said,
	    struct ct_joined *ret)
{
	struct ct_states *st = &m->states[thread];
	uint64_t off_ns[2], ready_ns[2];

	if (go_on(m, st, end_ns))
		return -ENOMEM;
	ct_timeline_at(&st->line, start_ns, &off_ns[0], &ready_ns[0]);
	ct_timeline_at(&st->line, end_ns, &off_ns[1], &ready_ns[1]);
	ret->own_ns = ct_nesting_add(&m->thread[thread].nesting, off_ns[0], off_ns[1]);
	ret->elapsed_ns = end_ns - start_ns;
	ret->ready_ns = ready_ns[1] - ready_ns[0];
	ret->wait = off_ns[1] > off_ns[0];
	said &= end_ns - start_ns >= LONG_NS;
	if (!ret->wait) {
		uint64_t slack = slack_ns(m);

		ret->wait = is_unknown(m, st, start_ns, end_ns);
		if (said && !ret->wait && start_ns >= st->line.from_ns &&
		    !ct_timeline_losses(&st->line, start_ns > slack ? start_ns - slack : 0, end_ns + slack))
			st->calls_off_unseen++;
	}
	st->calls_off += said;
	if (end_ns > st->last_event_ns)
		st->last_event_ns = end_ns;
	return 0;
}

int ct_join_end(struct ct_model *m, uint32_t thread, uint64_t end_ns, struct ct_joined *ret)
{
	struct ct_states *st = &m->states[thread];
	uint64_t before_ns = st->last_event_ns, off_ns, ready_ns;
	struct ct_piece piece;

	if (go_on(m, st, end_ns))
		return -ENOMEM;
	if (end_ns > before_ns)
		st->last_event_ns = end_ns;
	if (!ct_timeline_last(&st->line, end_ns, &piece) || piece.from_ns < before_ns ||
	    is_unknown(m, st, piece.from_ns, end_ns))
		return 0;
	ct_timeline_at(&st->line, end_ns, &off_ns, &ready_ns);
	off_ns -= piece.off_ns;
	ready_ns -= piece.ready_ns;
	uint64_t ran_ns = end_ns - piece.from_ns - off_ns - ready_ns;

	if (ran_ns > AFTER_NS && ran_ns > off_ns + ready_ns)
		return 0;
	ret->own_ns = ct_nesting_add(&m->thread[thread].nesting, piece.off_ns, piece.off_ns + off_ns);
	ret->elapsed_ns = end_ns - piece.from_ns;
	ret->ready_ns = ready_ns;
	ret->wait = off_ns != 0;
	return 1;
}

int ct_join_ran(struct ct_model *m, uint32_t thread, uint64_t start_ns, uint64_t end_ns)
{
	struct ct_states *st = &m->states[thread];
	uint64_t slack = slack_ns(m), off_ns[2], ready_ns[2];

	if (go_on(m, st, end_ns))
		return -ENOMEM;
	if (end_ns > st->last_event_ns)
		st->last_event_ns = end_ns;
	start_ns += slack;
	end_ns -= slack < end_ns ? slack : end_ns;
	if (end_ns <= start_ns || start_ns < m->exact_ns || is_unknown(m, st, start_ns, end_ns))
		return 0;
	ct_timeline_at(&st->line, start_ns, &off_ns[0], &ready_ns[0]);
	ct_timeline_at(&st->line, end_ns, &off_ns[1], &ready_ns[1]);
	st->slept_unsaid += off_ns[1] - off_ns[0] > slack;
	return 0;
}
