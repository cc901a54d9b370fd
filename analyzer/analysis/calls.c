/* See calls.h. */
#include "calls.h"

#include <errno.h>
#include <stdlib.h>

#include "marks.h"

/* The first bucket of COUNTERS.short_ticks ends at this power of two; see docs/trace-format.md. */
#define FIRST_BITS 5u

/* marks: what is open, where that decides what is selected; NULL: it does not. */
static int take_batch(const struct ct_model *m, struct ct_marks *marks, const struct ct_events_decoder *d,
		      struct ct_events_cursor *c, uint32_t events, uint32_t process, uint32_t thread, ct_call_taker *take, void *self)
{
	bool wanted = thread != CT_NO && m->thread[thread].selected;
	const uint64_t min_ns = m->options->min_ns, max_ns = m->options->max_ns ? m->options->max_ns : UINT64_MAX;
	int error = 0;

	for (uint32_t i = 0; i < events && !error; i++) {
		if (ct_events_next(c))
			return -EBADMSG;
		const struct ct_site *s = &d->site[c->site];

		if (marks && thread != CT_NO && ct_is_mark(s)) {
			error = ct_marks_event(marks, m, thread, s, c->start_ns);
			continue;
		}
		if (!wanted || s->kind != CT_EVENT_INTERVAL || s->flags & CT_EV_NO_TIME || c->end_ns < c->start_ns ||
		    c->start_ns > INT64_MAX || !m->cause[s->cause].is_wait || ct_model_selects(m, process, s) <= 0)
			continue;
		struct ct_call_event e = { thread, process, s, c->start_ns, c->end_ns, c->result };

		if (m->clip) {
			if (e.end_ns <= m->from_ns || e.start_ns >= m->to_ns)
				continue;
			e.start_ns = e.start_ns < m->from_ns ? m->from_ns : e.start_ns;
			e.end_ns = e.end_ns > m->to_ns ? m->to_ns : e.end_ns;
		}
		if (e.end_ns - e.start_ns >= min_ns && e.end_ns - e.start_ns < max_ns &&
		    (!marks || ct_marks_inside(marks, m, thread)))
			error = take(self, &e);
	}
	return error;
}

static int take_chunk(const struct ct_model *m, struct ct_marks *marks, struct ct_events_decoder *d,
		      struct ct_span payload, uint32_t process, ct_call_taker *take, void *self)
{
	int error = ct_events_open(d, payload);
	struct ct_events_cursor c;

	if (error)
		return error;
	ct_events_cursor(d, &c);
	for (uint32_t i = 0; i < d->batch_count && !error; i++) {
		c.end_ns = d->base_ns;
		error = take_batch(m, marks, d, &c, d->batch[i].events, process,
				   ct_table_get(&m->thread_by_id, d->batch[i].thread) - 1, take, self);
	}
	return error;
}

/* Damage was counted when the model was loaded. */
static bool is_damage(int error)
{
	return error == -EBADMSG || error == -ENOTSUP;
}

int ct_calls_read(const struct ct_model *m, struct ct_reader *r, ct_call_taker *take, void *self)
{
	struct ct_events_decoder d = { 0 };
	struct ct_span payload;
	struct ct_chunk c;
	struct ct_marks *marks = ct_marks_select(m) ? ct_marks_open(m, false) : NULL;
	/* Regions that reach into a window began before it. */
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS), .from_ns = marks ? 0 : m->from_ns,
				.to_ns = marks ? 0 : m->to_ns };
	int found = 0, error = marks || !ct_marks_select(m) ? 0 : -ENOMEM;

	ct_reader_rewind(r);
	ct_reader_ahead(r, &want);
	while (!error && (found = ct_reader_next(r, &c)) > 0) {
		uint32_t process = ct_table_get(&m->process_by_id, c.header.process) - 1;

		if (c.header.kind != CT_CHUNK_EVENTS || process == CT_NO || !m->process[process].selected ||
		    (m->clip && !marks && (c.header.last_ns < m->from_ns || c.header.first_ns > m->to_ns)))
			continue;
		error = ct_reader_payload(r, &c, &payload);
		if (!error)
			error = take_chunk(m, marks, &d, payload, process, take, self);
		if (is_damage(error))
			error = 0;
	}
	ct_events_close(&d);
	ct_marks_close(marks);
	return error ? error : found;
}

/* --- calls that were only counted --- */

static uint32_t log2_of(double v)
{
	uint32_t n = 0;

	while (v >= 2 && n < 63) {
		v /= 2;
		n++;
	}
	return n;
}

static void add_counters(const struct ct_model *m, const uint64_t *ticks_per_ms, const struct ct_record_counters *r,
			 struct ct_short_calls *sums)
{
	uint32_t call = ct_table_get(&m->call_by_id, r->call), thread = ct_table_get(&m->thread_by_id, r->thread);

	if (!call || !thread || !m->thread[thread - 1].selected)
		return;
	struct ct_short_calls *to = &sums[call - 1];
	struct ct_span packed = r->short_ticks.packed;
	uint64_t n, rate = ticks_per_ms[m->thread[thread - 1].process];

	to->total_ns += r->short_ns;
	for (uint32_t b = 0; b < r->short_ticks.n && b < 64 && !ct_get_varint(&packed, &n); b++) {
		/* The middle of the bucket, in ticks. */
		double ticks = b ? 1.5 * (double)(1ull << (FIRST_BITS - 1 + (b < 40 ? b : 40))) : 1 << (FIRST_BITS - 1);

		to->count += n;
		to->bucket[log2_of(ticks * 1e6 / (double)(rate ? rate : 1000000))] += n;
	}
}

static void take_records(const struct ct_model *m, struct ct_span payload, uint64_t *ticks_per_ms,
			 struct ct_short_calls *sums)
{
	struct ct_record record;

	while (ct_get_record(&payload, &record) > 0) {
		if (record.type == CT_RECORD_PROCESS_START) {
			uint32_t at = ct_table_get(&m->process_by_id, record.process_start.process);

			if (at)
				ticks_per_ms[at - 1] = record.process_start.ticks_per_ms;
		} else if (record.type == CT_RECORD_COUNTERS) {
			add_counters(m, ticks_per_ms, &record.counters, sums);
		}
	}
}

int ct_calls_short(const struct ct_model *m, struct ct_reader *r, struct ct_short_calls *sums)
{
	uint64_t *ticks_per_ms = calloc(m->process_count + 1u, sizeof(*ticks_per_ms));
	struct ct_span payload;
	struct ct_chunk c;
	int found = 0, error = 0;

	if (!ticks_per_ms)
		return -ENOMEM;
	ct_reader_rewind(r);
	while (!error && (found = ct_reader_next(r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_RECORDS)
			continue;
		error = ct_reader_payload(r, &c, &payload);
		if (!error)
			take_records(m, payload, ticks_per_ms, sums);
		else if (is_damage(error))
			error = 0;
	}
	free(ticks_per_ms);
	return error ? error : found;
}
