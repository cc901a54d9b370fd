/* See recording.h. */
#include "recording.h"

#include <string.h>

#include "atomics.h"
#include "process.h"

#define PIECE_NS 5000000000ull

static bool is_stopped(const struct ct_process *p)
{
	return (p->recording.off & CT_FAMILIES_ALL) == CT_FAMILIES_ALL;
}

void ct_recording_record(const struct ct_process *p, uint64_t at_ns, struct ct_record *ret)
{
	*ret = (struct ct_record){ .type = CT_RECORD_RECORDING, .recording = {
		.process = p->id,
		.at_ns = at_ns,
		.off = p->recording.off,
		.min_ns = p->recording.min_ns,
		.stacks = p->recording.stacks,
	} };
}

static void write_record(struct ct_trace *t, struct ct_process *p, uint64_t at_ns)
{
	struct ct_record r;

	ct_recording_record(p, at_ns, &r);
	ct_process_record_after(t, p, &r);
}

/* The time of a thread that is not recorded up to end_ns. A call that is recorded, since it
 * began before, tells of itself when it ends. */
static void write_piece(struct ct_process *p, struct ct_thread *th, uint64_t end_ns)
{
	uint64_t start_ns = p->stopped_ns;
	struct ct_site site = { .kind = CT_EVENT_INTERVAL, .cause = CT_CAUSE_UNRECORDED };

	if (start_ns < th->start_ns)
		start_ns = th->start_ns;
	if (start_ns < th->last_end_ns)
		start_ns = th->last_end_ns;
	end_ns &= ~(uint64_t)(CT_GRAIN_NS - 1);
	start_ns = (start_ns + CT_GRAIN_NS - 1) & ~(uint64_t)(CT_GRAIN_NS - 1);
	if (end_ns <= start_ns)
		return;
	if (!ct_drain_put(p, th, &site, start_ns, end_ns, 0))
		return;
	th->last_end_ns = th->piece_end_ns = end_ns;
	th->piece_start_ns = start_ns;
}

static void write_pieces(struct ct_process *p, uint64_t end_ns)
{
	for (uint32_t i = 0; i < p->slot_count && p->thread_count; i++) {
		struct ct_thread *th = p->threads[i];
		struct ct_wait w;

		if (th && !ct_drain_recorded(p, th, &w))
			write_piece(p, th, end_ns);
	}
}

/* --- switching --- */

/* What a process or a request says may be beyond all. */
static uint64_t whole(double n)
{
	return n < 9e18 ? (uint64_t)n : INT64_MAX;
}

/* Tells the process. */
static void tell(struct ct_process *p)
{
	struct ct_settings *live = &p->region->live;
	uint32_t off = p->recording.off | (p->no_rseq ? CT_LIVE_NO_RSEQ : 0);

	ct_store(&live->stacks, p->recording.stacks);
	ct_store(&live->min_ticks, whole((double)p->recording.min_ns * p->ticks_per_ms / 1e6));
	for (uint32_t i = 0; i < CT_FAMILY_COUNT; i++)
		ct_store(&live->on_ticks[i], p->on_ticks[i]);
	ct_store_release(&live->off, off);
}

void ct_recording_read(struct ct_process *p)
{
	const struct ct_settings *live = &p->region->live;
	uint64_t min_ticks = ct_load(&live->min_ticks);

	p->recording.off = ct_load(&live->off) & CT_FAMILIES_ALL;
	p->recording.stacks = ct_load(&live->stacks);
	p->recording.min_ns = whole((double)min_ticks / p->ticks_per_ms * 1e6 + 0.5);
	if (p->recording.stacks >= CT_STACKS_KINDS)
		p->recording.stacks = CT_STACKS_AUTO;
}

void ct_recording_begin(struct ct_trace *t, struct ct_process *p, const struct ct_recording *wanted)
{
	p->stopped_ns = ct_process_ns(t, p, p->base.ticks);
	if (p->recording.off)
		write_record(t, p, p->stopped_ns);
	if (wanted && (wanted->off != p->recording.off || wanted->min_ns != p->recording.min_ns ||
		       wanted->stacks != p->recording.stacks))
		ct_recording_set(t, p, wanted);
}

void ct_recording_set(struct ct_trace *t, struct ct_process *p, const struct ct_recording *wanted)
{
	bool was_stopped = is_stopped(p);

	ct_trace_sync(t);
	uint64_t now_ticks = ct_process_latest(t, p), now_ns = ct_process_ns(t, p, now_ticks);
	uint32_t back_on = p->recording.off & ~wanted->off;

	/* What has happened until now belongs to what held until now. */
	ct_process_drain(t, p, now_ns);
	/* Of waits that are recorded only since the last switch, and will not be any more. */
	ct_drain_switched(t, p, wanted->off & ~p->recording.off, now_ns);
	if (was_stopped)
		write_pieces(p, now_ns);
	p->recording = *wanted;
	for (uint32_t i = 0; i < CT_FAMILY_COUNT; i++)
		if (back_on & 1u << i)
			p->on_ticks[i] = now_ticks;
	tell(p);
	if (is_stopped(p) && !was_stopped)
		p->stopped_ns = now_ns;
	p->piece_ns = now_ns + PIECE_NS;
	write_record(t, p, now_ns);
	/* So that who looks at the file sees it. */
	ct_process_flush(t, p);
}

void ct_recording_pass(struct ct_process *p, uint64_t now_ns)
{
	if (!is_stopped(p) || now_ns < p->piece_ns)
		return;
	p->piece_ns = now_ns + PIECE_NS;
	write_pieces(p, now_ns);
}

void ct_recording_now(struct ct_process *p, uint64_t now_ns)
{
	if (!is_stopped(p))
		return;
	p->piece_ns = now_ns + PIECE_NS;
	write_pieces(p, now_ns);
}

void ct_recording_thread_end(struct ct_process *p, struct ct_thread *th, uint64_t end_ns)
{
	if (is_stopped(p))
		write_piece(p, th, end_ns);
}
