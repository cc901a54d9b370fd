/* Reads a trace into the model, in two passes: records, then events. See model.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "marks.h"
#include "model_events.h"
#include "model_partial.h"
#include "model_parts.h"
#include "model_switches.h"

/* Whether to go on after an error in a chunk's payload; it is counted. */
static int forgive(struct ct_reader *r, const struct ct_chunk *c, int error, const char *what)
{
	if (error == -EBADMSG)
		ct_reader_damage(r, c->offset, what);
	return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
}

static bool all_ended(const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->process_count; i++)
		if (!m->process[i].ended)
			return false;
	return m->process_count > 0;
}

/* What the index should say, as a hash: the entries themselves would take memory. */
static void hash_entry(uint64_t *hash, const struct ct_index_entry *e)
{
	uint64_t words[sizeof(*e) / sizeof(uint64_t)];

	memcpy(words, e, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		*hash = ct_mix(*hash ^ words[i]) + i;
}

static int check_index(struct ct_record_pass *k, struct ct_reader *r, const struct ct_chunk *c)
{
	struct ct_span payload;
	struct ct_index_entry e;
	uint64_t hash = 0;
	int error = ct_reader_payload(r, c, &payload);

	k->index_offset = c->offset;
	k->index_end = r->offset;
	if (error)
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	bool right = c->header.count == k->index_count && (size_t)(payload.end - payload.p) == k->index_count * sizeof(e);

	for (; right && payload.p < payload.end; payload.p += sizeof(e)) {
		memcpy(&e, payload.p, sizeof(e));
		hash_entry(&hash, &e);
	}
	if (!right || hash != k->index_hash)
		ct_reader_damage(r, c->offset, "the index is not what the chunks say");
	return 0;
}

static void note_chunk(struct ct_record_pass *k, const struct ct_chunk *c)
{
	const struct ct_chunk_header *h = &c->header;

	hash_entry(&k->index_hash, &(struct ct_index_entry){ .offset = c->offset, .kind = h->kind, .process = h->process,
							     .count = h->count, .raw_bytes = h->raw_bytes,
							     .first_ns = h->first_ns, .last_ns = h->last_ns });
	k->index_count++;
}

/* What records take of memory is bounded by what the file holds, which a compressed one of
 * a few bytes need not say: a thread's record of 12 bytes becomes a kilobyte. Those of real
 * traces are at most eight times as large as stored. */
#define RECORDS_FEW  (4ull << 20)
#define RECORDS_MANY 16u /* bytes for each of the file's */

static int take_records(struct ct_model *m, struct ct_reader *r, const struct ct_chunk *c)
{
	struct ct_span payload;
	uint64_t before = m->records;

	m->record_bytes += c->header.raw_bytes;
	if (m->record_bytes > RECORDS_FEW + RECORDS_MANY * r->file_bytes) {
		ct_reader_damage(r, c->offset, "there are more records than a file of its size can have");
		return 0;
	}
	int error = ct_reader_payload(r, c, &payload);

	if (error)
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	error = ct_model_records(m, payload);
	if (!error && m->records - before != c->header.count)
		error = -EBADMSG;
	return forgive(r, c, error, "the records of a chunk make no sense");
}

/* Gaps this far from a window may be in calls that reach into it. */
#define GAPS_NEAR_NS 60000000000ull

static int note_gaps(struct ct_model *m, struct ct_reader *r, const struct ct_chunk *c, struct ct_switches_decoder *d)
{
	struct ct_span payload;
	int error = ct_reader_payload(r, c, &payload);

	if (error)
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	return forgive(r, c, ct_slices_gaps(m, d, payload), "the slices of a chunk make no sense");
}

/* Of a window, which is known only after the first pass: the gaps in and near it. */
static int note_window(struct ct_model *m, struct ct_reader *r)
{
	struct ct_switches_decoder d = { 0 };
	uint64_t near_ns = m->options->near_ns ? m->options->near_ns : GAPS_NEAR_NS;
	struct ct_want near = { .kinds = CT_WANT(CT_CHUNK_SWITCHES),
				.from_ns = m->from_ns > near_ns ? m->from_ns - near_ns : 0,
				.to_ns = m->to_ns < UINT64_MAX - near_ns ? m->to_ns + near_ns : UINT64_MAX };
	struct ct_chunk c;
	int found = 0, error = 0;

	ct_reader_rewind(r);
	ct_reader_ahead(r, &near);
	while (!error && (found = ct_reader_next(r, &c)) > 0)
		if (ct_is_wanted(&near, &c.header))
			error = note_gaps(m, r, &c, &d);
	ct_switches_close(&d);
	return error ? error : found;
}

int ct_model_first_pass(struct ct_record_pass *p, struct ct_model *m, struct ct_reader *r, const struct ct_chunk *c, bool gaps)
{
	int error = 0;

	m->chunks++;
	if (c->header.kind == CT_CHUNK_EVENTS && c->header.last_ns > p->last_event_ns)
		p->last_event_ns = c->header.last_ns;
	if (c->header.last_ns > p->last_ns)
		p->last_ns = c->header.last_ns;
	if (c->header.kind == CT_CHUNK_INDEX)
		error = check_index(p, r, c);
	else
		note_chunk(p, c);
	if (c->header.kind == CT_CHUNK_RECORDS)
		error = take_records(m, r, c);
	if (c->header.kind == CT_CHUNK_SWITCHES) {
		ct_slices_count(m, &c->header);
		if (gaps)
			error = note_gaps(m, r, c, &p->slices);
	}
	return error;
}

void ct_model_first_end(const struct ct_record_pass *p, struct ct_model *m, const struct ct_reader *r)
{
	uint64_t last_ns = p->last_event_ns;

	/* The collector goes on for a while after the last process: what counts is
	 * the processes' time, unless some were alive, or the end is missing. */
	if (!m->has_end)
		last_ns = p->last_ns;
	else if (!all_ended(m))
		last_ns = m->end.end_ns;
	if (last_ns > m->end_ns)
		m->end_ns = last_ns;
	if (r->header.start_ns > m->end_ns)
		m->end_ns = r->header.start_ns;
}

void ct_record_pass_free(struct ct_record_pass *p)
{
	ct_switches_close(&p->slices);
}

static int load_records(struct ct_model *m, struct ct_reader *r, bool window)
{
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_RECORDS) | (window ? 0 : CT_WANT(CT_CHUNK_SWITCHES)) };
	struct ct_record_pass pass = { 0 };
	struct ct_chunk c;
	int found, error = 0;

	ct_reader_ahead(r, &want);
	while (!error && (found = ct_reader_next(r, &c)) > 0)
		error = ct_model_first_pass(&pass, m, r, &c, !window);
	ct_record_pass_free(&pass);
	if (error)
		return error;
	if (r->has_trailer && (pass.index_offset != r->index_offset || pass.index_end != r->limit))
		ct_reader_damage(r, r->limit, "the file's end does not point to its index");
	ct_model_first_end(&pass, m, r);
	return found;
}

/* The ids of the selected processes, in order; NULL: all of them, or no memory. */
static uint32_t *selected_processes(const struct ct_model *m, uint32_t *ret_count)
{
	uint32_t *id = m->options->process ? malloc((m->process_count + 1u) * sizeof(*id)) : NULL, n = 0;

	for (uint32_t i = 0; id && i < m->process_count; i++) {
		uint32_t k = n;

		if (!m->process[i].selected)
			continue;
		for (; k && id[k - 1] > m->process[i].id; k--)
			id[k] = id[k - 1];
		id[k] = m->process[i].id;
		n++;
	}
	*ret_count = n;
	return id;
}

int ct_model_second_pass(struct ct_model *m, struct ct_reader *r, struct ct_event_pass *pass, const struct ct_chunk *c,
			 uint32_t process)
{
	struct ct_span payload;
	int error = ct_reader_payload(r, c, &payload);

	pass->sound = ct_reader_sound(r);
	if (error)
		return error == -EBADMSG || error == -ENOTSUP ? 0 : error;
	return forgive(r, c, ct_model_events(m, pass, payload, process, &c->header),
		       "the events of a chunk make no sense");
}

static int load_events(struct ct_model *m, struct ct_reader *r, struct ct_slice_pass *slices)
{
	struct ct_event_pass pass = { 0 };
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_EVENTS), .sound = true };
	struct ct_chunk c;
	uint32_t *selected = selected_processes(m, &want.process_count);
	int found = 0, error = 0;

	want.process = selected;
	/* Regions that reach into a window began before it. */
	if (m->window && !r->whole && !ct_marks_matter(m)) {
		want.from_ns = m->from_ns;
		want.to_ns = m->to_ns;
	}
	ct_reader_rewind(r);
	ct_reader_ahead(r, &want);
	while (!error && (found = ct_reader_next(r, &c)) > 0) {
		if (c.header.kind != CT_CHUNK_EVENTS)
			continue;
		uint32_t process = ct_model_process(m, c.header.process);

		if (process == CT_NO) {
			error = -ENOMEM;
			break;
		}
		if (!m->process[process].selected) {
			m->events += c.header.count;
			continue;
		}
		/* Also of those that are not wanted: the lives go on as if they had been read. */
		if (m->states)
			error = ct_slices_until(slices, m, r, c.header.last_ns);
		if (!error && m->recording_count)
			error = ct_partial_until(m, process, c.header.last_ns);
		if (!error && ct_is_wanted(&want, &c.header))
			error = ct_model_second_pass(m, r, &pass, &c, process);
		else
			m->events += c.header.count;
	}
	ct_reader_rewind(r); /* nobody reads ahead for this pass any more */
	ct_event_pass_free(&pass);
	free(selected);
	return error ? error : found;
}

int ct_model_load_records(struct ct_model *m, struct ct_reader *r, const struct ct_options *o)
{
	bool window = o->from.given || o->to.given;
	int error = window && !r->whole ? ct_reader_use_index(r) : 0;

	ct_model_init(m, o);
	m->header_start_ns = r->header.start_ns;
	m->header_real_ns = r->header.start_real_ns;
	if (!error)
		error = load_records(m, r, window);
	if (!error)
		error = ct_model_select(m);
	ct_model_finish_names(m);
	if (!error && (o->object || o->site))
		error = ct_filter_open(&m->filter, m, r, o->object, o->site);
	return !error && window && m->slices ? note_window(m, r) : error;
}

int ct_model_load(struct ct_model *m, struct ct_reader *r, const struct ct_options *o)
{
	struct ct_slice_pass slices = { .reader.fd = -1 };
	int error = ct_model_load_records(m, r, o);

	if (!error && m->slices) {
		m->wakes = !strcmp(ct_model_meta(m, "wakes"), "sched_waking");
		error = ct_slices_open(&slices, m, r);
	}
	if (!error)
		error = load_events(m, r, &slices);
	if (!error && m->states)
		error = ct_slices_finish(&slices, m, r);
	if (!error)
		error = ct_partial_finish(m);
	if (!error && m->marks)
		error = ct_marks_finish(m->marks, m);
	ct_slices_close(&slices);
	return error ? error : ct_model_finish(m);
}
