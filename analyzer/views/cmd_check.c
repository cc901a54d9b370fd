/* check: whether a trace keeps the rules of docs/trace-format.md, and whether
 * the books made from it balance. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "commands.h"

/* So many calls of a thread at least. */
#define SUSPECT 8u

static int note_chunk(struct ct_check *k, const struct ct_chunk *chunk)
{
	const struct ct_chunk_header *h = &chunk->header;
	struct ct_index_entry *e = CT_APPEND(k, entry);

	if (!e)
		return -ENOMEM;
	*e = (struct ct_index_entry){ chunk->offset, h->kind,	    0,		 h->process, h->count,
				      h->raw_bytes,  h->first_ns, h->last_ns };
	return 0;
}

static void check_index(struct ct_check *k, const struct ct_chunk *chunk, struct ct_span payload)
{
	struct ct_index_entry e;
	size_t bytes = (size_t)(payload.end - payload.p);

	k->index_seen = true;
	k->index_offset = chunk->offset;
	k->index_end = chunk->offset + sizeof(chunk->header) + chunk->header.stored_bytes;
	if (bytes != (size_t)chunk->header.count * sizeof(e)) {
		ct_violation(k, "the index has %zu bytes for %u entries", bytes, chunk->header.count);
		return;
	}
	if (chunk->header.count != k->entry_count)
		ct_violation(k, "the index has %u entries, there are %u chunks before it", chunk->header.count,
			     k->entry_count);
	for (uint32_t i = 0; i < chunk->header.count && i < k->entry_count; i++) {
		memcpy(&e, payload.p + (size_t)i * sizeof(e), sizeof(e));
		if (memcmp(&e, &k->entry[i], sizeof(e)))
			ct_violation(k, "entry %u of the index is not what its chunk says", i);
	}
}

static int check_chunk(struct ct_check *k, struct ct_reader *r, const struct ct_chunk *chunk)
{
	struct ct_span payload;
	uint16_t kind = chunk->header.kind;

	k->place = chunk->offset;
	if (k->index_seen)
		ct_violation(k, "a chunk stands behind the index");
	int error = kind == CT_CHUNK_INDEX ? 0 : note_chunk(k, chunk);

	if (error || (kind != CT_CHUNK_RECORDS && kind != CT_CHUNK_EVENTS && kind != CT_CHUNK_INDEX &&
		      kind != CT_CHUNK_SWITCHES))
		return error;
	error = ct_reader_payload(r, chunk, &payload);
	if (error == -EBADMSG) {
		ct_violation(k, "%s", "checksum or compressed data are wrong");
		return 0;
	}
	if (error)
		return error == -ENOTSUP ? 0 : error;
	if (kind == CT_CHUNK_RECORDS)
		return ct_check_records(k, payload, chunk->header.count);
	if (kind == CT_CHUNK_EVENTS)
		return ct_check_events(k, chunk, payload);
	if (kind == CT_CHUNK_SWITCHES)
		return ct_check_switches(k, chunk, payload);
	check_index(k, chunk, payload);
	return 0;
}

static void check_whole(struct ct_check *k, const struct ct_reader *r, uint64_t gaps)
{
	k->place = r->file_bytes;
	if (gaps)
		ct_violation(k, "%llu places hold no chunk, the first at byte %llu", (unsigned long long)gaps,
			     (unsigned long long)r->damage_offset);
	if (!r->has_trailer)
		ct_violation(k, "the file has no end: it was cut off, or is still being written");
	else if (!k->index_seen || k->index_offset != r->index_offset ||
		 k->index_end != r->file_bytes - sizeof(struct ct_trailer))
		ct_violation(k, "the trailer does not point to the index before it");
	if (!k->end_seen && r->has_trailer)
		ct_violation(k, "there is no END record");
	if (k->end_seen && k->end.events != k->events)
		ct_violation(k, "END says %llu events, there are %llu", (unsigned long long)k->end.events,
			     (unsigned long long)k->events);
	if (k->end_seen && k->end.slices != k->slices)
		ct_violation(k, "END says %llu slices, there are %llu", (unsigned long long)k->end.slices,
			     (unsigned long long)k->slices);
	if (k->end_seen && k->lost_switches != k->lost_in_gaps)
		ct_violation(k, "the LOSS records say %llu lost switches, the gaps %llu",
			     (unsigned long long)k->lost_switches, (unsigned long long)k->lost_in_gaps);
	if (k->end_seen && k->end.dropped < k->lost_events)
		ct_violation(k, "END says %llu lost events, the LOSS records %llu", (unsigned long long)k->end.dropped,
			     (unsigned long long)k->lost_events);
}

/* What the kernel said of calls as they were made, and its records of switches.
 * That a call left the CPU is also said of one that took a signal or had another
 * call in it, so only a thread most of whose long ones show no switch is suspect. */
static void check_states(struct ct_check *k, const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->states_count; i++) {
		const struct ct_states *st = &m->states[i];
		const struct ct_thread_info *t = &m->thread[i];

		/* A few may: a page fault between two calls of one wrapper, while the
		 * process forks, is a sleep that nobody watched. */
		if (st->slept_unsaid > 1 + t->events / 100)
			ct_violation(k, "thread %u slept in %llu call%s that did not leave the CPU", t->id,
				     (unsigned long long)st->slept_unsaid, st->slept_unsaid == 1 ? "" : "s");
		if (st->calls_off_unseen >= SUSPECT && st->calls_off_unseen > st->calls_off / 2)
			ct_violation(k, "thread %u left the CPU in %llu calls, but in %llu of them no slice ends", t->id,
				     (unsigned long long)st->calls_off, (unsigned long long)st->calls_off_unseen);
	}
}

static int check_books(struct ct_check *k, struct ct_context *c)
{
	struct ct_options plain = { .top = 1 };
	struct ct_model m;
	uint64_t by_cell_ns = 0, by_thread_ns = 0;

	ct_reader_rewind(&c->reader);
	int error = ct_model_load(&m, &c->reader, &plain);

	for (uint32_t i = 0; i < m.thread_count && !error; i++) {
		const struct ct_thread_info *t = &m.thread[i];

		by_thread_ns += t->blocked_ns;
		if (t->running_ns + t->runnable_ns + t->blocked_ns + t->unexplained_ns + t->unknown_ns !=
		    t->lifetime_ns)
			ct_violation(k, "the books of thread %u do not balance", t->id);
	}
	for (uint32_t i = 0; i < m.cell_count && !error; i++)
		if (m.site[m.cell[i].site].site.kind == CT_EVENT_INTERVAL)
			by_cell_ns += m.cell[i].total_ns;
	if (!error)
		check_states(k, &m);
	if (!error && by_cell_ns != by_thread_ns)
		ct_violation(k, "blocked time is %llu ns by cause, but %llu ns by thread",
			     (unsigned long long)by_cell_ns, (unsigned long long)by_thread_ns);
	ct_model_free(&m);
	return error;
}

static void print_result(const struct ct_context *c, const struct ct_check *k)
{
	FILE *f = c->out.file;

	if (c->options->json) {
		json_t *list = json_array(), *o;

		for (uint32_t i = 0; i < k->violation_count; i++)
			json_array_append_new(list, json_string(k->violation[i]));
		o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:o}", "ok", !k->violations, "chunks",
			      (json_int_t)k->entry_count, "events", (json_int_t)k->events, "slices",
			      (json_int_t)k->slices, "violation_count", (json_int_t)k->violations, "violations", list);
		json_dumpf(o, f, JSON_INDENT(1));
		fputc('\n', f);
		json_decref(o);
		return;
	}
	for (uint32_t i = 0; i < k->violation_count; i++)
		fprintf(f, "%s\n", k->violation[i]);
	if (k->violations > k->violation_count)
		fprintf(f, "and %llu more\n", (unsigned long long)(k->violations - k->violation_count));
	if (!k->violations)
		ct_print(&c->out, CT_GOOD, "OK: %u chunks, %llu events, %llu slices\n", k->entry_count,
			 (unsigned long long)k->events, (unsigned long long)k->slices);
}

int ct_cmd_check(struct ct_context *c)
{
	struct ct_check k = { 0 };
	struct ct_chunk chunk;
	uint64_t payloads = 0;
	int found, error = 0;

	ct_reader_ahead(&c->reader, &(struct ct_want){ .kinds = UINT32_MAX });
	while (!error && (found = ct_reader_next(&c->reader, &chunk)) > 0) {
		uint64_t before = c->reader.damaged;

		error = check_chunk(&k, &c->reader, &chunk);
		payloads += c->reader.damaged - before;
	}
	uint64_t damaged = c->reader.damaged;

	check_whole(&k, &c->reader, damaged - payloads);
	if (!error)
		error = check_books(&k, c);
	c->reader.damaged = damaged; /* each once, not once a pass */
	if (!error)
		print_result(c, &k);
	c->violations = k.violations;
	ct_check_free(&k);
	return error;
}
