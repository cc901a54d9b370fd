/*
 * make-events SEED EVENTS FILE: a trace with at least so many events, from a real one.
 *
 * The seed's time is repeated, again and again, as if its programs had done the same
 * for longer: the same threads, sites, locks, slices and wake-ups, chunk by chunk as
 * they were written, each time a little later. Processes that became another program
 * (exec) do so once, since the other program has their threads' numbers. What was not over
 * when the seed ended is so in the last round only. Sums (counters, locks, CPU times,
 * losses) are multiplied. `ctrace-analyze check` finds nothing wrong with the result.
 *
 * Only the base of a chunk's times changes from round to round, so that a hundred
 * million events take seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "reader.h"
#include "switches.h"
#include "table.h"

#define BETWEEN_NS 1000000ull /* between two rounds */
#define INDEX_MAX  (CT_CHUNK_RAW_MAX / sizeof(struct ct_index_entry))
#define LEVEL      1          /* as the collector's */

/* A chunk in one form: its payload is unit, if it has slices, base and rest. */
struct form {
	struct ct_buf rest;
	uint64_t unit_ns, base;
	uint32_t count;
	uint64_t first_ns, last_ns;
};

struct part {
	uint16_t kind;
	uint32_t process;
	struct form last, other; /* of the last round, of the others */
};

struct seed {
	struct ct_file_header header;
	CT_ARRAY(struct part, part);
	struct ct_table exec;     /* processes that became another program */
	struct ct_table thread;   /* thread -> process */
	CT_ARRAY(struct ct_chunk, records);
	struct ct_buf records_raw; /* payloads of the RECORDS chunks, one after the other */
	uint64_t first_ns, last_ns, unit_ns;
	uint64_t events, once;    /* once: of processes that became another program */
	uint64_t slices;
};

struct out {
	FILE *file;
	uint64_t bytes, events, slices;
	struct ct_buf index, payload, packed;
	uint32_t index_count;
	ZSTD_CCtx *zstd;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "make-events: %s\n", what);
	exit(1);
}

/* --- reading the seed --- */

static void span_of(struct seed *s, const struct form *f)
{
	if (!f->count)
		return;
	if (f->first_ns < s->first_ns)
		s->first_ns = f->first_ns;
	if (f->last_ns > s->last_ns)
		s->last_ns = f->last_ns;
}

/* Takes a payload apart. */
static struct form form_of(struct ct_span payload, bool slices, uint32_t count, uint64_t first_ns, uint64_t last_ns)
{
	struct form f = { .count = count, .first_ns = first_ns, .last_ns = last_ns };

	need((!slices || !ct_get_varint(&payload, &f.unit_ns)) && !ct_get_varint(&payload, &f.base), "bad payload");
	ct_put_bytes(&f.rest, payload.p, (size_t)(payload.end - payload.p));
	return f;
}

/* The events without those that were not over. */
static struct form without_open(struct ct_span payload)
{
	struct ct_events_decoder d = { 0 };
	struct ct_events_encoder e = { 0 };
	struct ct_events_cursor c;
	struct ct_buf b = { 0 };
	struct form f = { 0 };

	need(!ct_events_open(&d, payload), "bad events");
	ct_events_reset(&e);
	ct_events_cursor(&d, &c);
	for (uint32_t i = 0; i < d.batch_count; i++) {
		c.end_ns = d.base_ns;
		for (uint32_t k = 0; k < d.batch[i].events; k++) {
			need(!ct_events_next(&c), "bad events");
			if (!(d.site[c.site].flags & CT_EV_OPEN))
				ct_events_add(&e, d.batch[i].thread, &d.site[c.site], c.start_ns, c.end_ns, c.result);
		}
	}
	if (e.count) {
		need(!ct_events_finish(&e, &b), "no memory");
		f = form_of((struct ct_span){ b.data, b.data + b.size }, false, e.count, e.first_ns, e.last_ns);
	}
	ct_buf_free(&b);
	ct_events_free(&e);
	ct_events_close(&d);
	return f;
}

/* The slices without ends of threads and of the trace: they only sleep until the next round. */
static struct form without_ends(struct ct_span payload)
{
	struct ct_switches_decoder d = { 0 };
	struct ct_switches_encoder e = { 0 };
	struct ct_buf b = { 0 };
	struct ct_slice s;
	struct form f = { 0 };

	need(!ct_switches_open(&d, payload), "bad slices");
	ct_switches_reset(&e, d.unit_ns);
	for (uint32_t i = 0; i < d.task_count; i++)
		ct_switches_task(&e, d.task[i].pid, d.task[i].tid, d.task[i].name);
	for (uint32_t i = 0; i < d.gap_count; i++)
		ct_switches_gap(&e, &d.gap[i]);
	while (ct_switches_next(&d, &s) > 0) {
		if (s.end == CT_SLICE_EXITED || s.end == CT_SLICE_TRACE)
			s.end = CT_SLICE_BLOCKED;
		ct_switches_add(&e, &s);
	}
	need(!ct_switches_finish(&e, &b), "no memory");
	f = form_of((struct ct_span){ b.data, b.data + b.size }, true, e.count, e.first_ns, e.last_ns);
	ct_buf_free(&b);
	ct_switches_free(&e);
	ct_switches_close(&d);
	return f;
}

static void note_records(struct seed *s, struct ct_span payload)
{
	struct ct_record r;

	while (ct_get_record(&payload, &r) > 0) {
		if (r.type == CT_RECORD_PROCESS_END && r.process_end.how == CT_END_EXEC)
			need(!ct_table_put(&s->exec, r.process_end.process, 1), "no memory");
		if (r.type == CT_RECORD_THREAD_START)
			need(!ct_table_put(&s->thread, r.thread_start.thread, (uint32_t)r.thread_start.process), "no memory");
	}
}

static void take_part(struct seed *s, const struct ct_chunk *c, struct ct_span payload)
{
	const struct ct_chunk_header *h = &c->header;
	bool slices = h->kind == CT_CHUNK_SWITCHES;
	struct part *p = CT_APPEND(s, part);

	need(p != NULL, "no memory");
	p->kind = h->kind;
	p->process = h->process;
	p->last = form_of(payload, slices, h->count, h->first_ns, h->last_ns);
	p->other = slices ? without_ends(payload) : without_open(payload);
	span_of(s, &p->last);
	if (slices) {
		need(!s->unit_ns || s->unit_ns == p->last.unit_ns, "slices in several units");
		s->unit_ns = p->last.unit_ns;
		s->slices += h->count;
	}
}

static void read_seed(struct seed *s, const char *path)
{
	struct ct_reader r;
	struct ct_chunk c;
	struct ct_span payload;

	s->first_ns = UINT64_MAX;
	need(!ct_reader_open(&r, path), "the seed cannot be read");
	s->header = r.header;
	while (ct_reader_next(&r, &c) > 0) {
		if (c.header.kind == CT_CHUNK_INDEX || c.header.kind >= CT_CHUNK_KINDS)
			continue;
		need(!ct_reader_payload(&r, &c, &payload), "the seed is damaged");
		if (c.header.kind != CT_CHUNK_RECORDS) {
			take_part(s, &c, payload);
			continue;
		}
		struct ct_chunk *copy = CT_APPEND(s, records);

		need(copy != NULL, "no memory");
		*copy = c;
		copy->offset = s->part_count; /* which parts come before it */
		ct_put_bytes(&s->records_raw, payload.p, (size_t)(payload.end - payload.p));
		note_records(s, payload);
	}
	need(!r.damaged && r.has_trailer && s->part_count, "the seed is damaged, or has no events");
	ct_reader_close(&r);
	for (uint32_t i = 0; i < s->part_count; i++) {
		const struct part *p = &s->part[i];

		if (p->kind != CT_CHUNK_EVENTS)
			continue;
		if (ct_table_get(&s->exec, p->process))
			s->once += p->last.count;
		else
			s->events += p->other.count;
	}
	need(s->events > 0, "the seed has no events");
}

/* --- writing --- */

static void put(struct out *o, const void *data, size_t n)
{
	need(fwrite(data, 1, n, o->file) == n, "cannot be written");
	o->bytes += n;
}

/* Compressed as the collector does: a new block, with statistics of its own, where a column begins. */
static size_t pack(struct out *o, const size_t *cut, uint32_t cuts)
{
	ct_buf_clear(&o->packed);
	need(ct_buf_reserve(&o->packed, ZSTD_compressBound(o->payload.size) + 256), "no memory");
	ZSTD_inBuffer in = { o->payload.data, 0, 0 };
	ZSTD_outBuffer out = { o->packed.data, o->packed.capacity, 0 };

	ZSTD_CCtx_reset(o->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(o->zstd, o->payload.size);
	for (uint32_t i = 0; i <= cuts; i++) {
		in.size = i == cuts ? o->payload.size : cut[i];
		need(!ZSTD_compressStream2(o->zstd, &out, &in, i == cuts ? ZSTD_e_end : ZSTD_e_flush), "compression");
	}
	return out.pos;
}

static void write_chunk(struct out *o, struct ct_chunk_header h, const size_t *cut, uint32_t cuts)
{
	size_t n = pack(o, cut, cuts);
	bool smaller = n < o->payload.size;

	h.magic = CT_CHUNK_MAGIC;
	h.codec = smaller ? CT_CODEC_ZSTD : CT_CODEC_RAW;
	h.stored_bytes = (uint32_t)(smaller ? n : o->payload.size);
	h.raw_bytes = (uint32_t)o->payload.size;
	const uint8_t *stored = smaller ? o->packed.data : o->payload.data;

	h.stored_crc = ct_crc32c(stored, h.stored_bytes);
	h.crc = ct_crc32c(&h, offsetof(struct ct_chunk_header, crc));
	if (h.kind != CT_CHUNK_INDEX) {
		struct ct_index_entry e = { o->bytes, h.kind, 0, h.process, h.count, h.raw_bytes, h.first_ns, h.last_ns };

		ct_put_bytes(&o->index, &e, sizeof(e));
		o->index_count++;
	}
	put(o, &h, sizeof(h));
	put(o, stored, h.stored_bytes);
}

static void write_form(struct out *o, const struct part *p, const struct form *f, uint64_t shift_ns)
{
	struct ct_events_decoder events = { 0 };
	struct ct_switches_decoder slices = { 0 };
	size_t cut[CT_SLICES_COLUMNS];
	uint32_t cuts = 0;
	bool is_events = p->kind == CT_CHUNK_EVENTS;

	ct_buf_clear(&o->payload);
	if (!is_events)
		ct_put_varint(&o->payload, f->unit_ns);
	ct_put_varint(&o->payload, f->base + (is_events ? shift_ns : shift_ns / f->unit_ns));
	ct_put_bytes(&o->payload, f->rest.data, f->rest.size);
	struct ct_span payload = { o->payload.data, o->payload.data + o->payload.size };

	need(!(is_events ? ct_events_open(&events, payload) : ct_switches_open(&slices, payload)), "bad payload");
	for (; cuts < (is_events ? (uint32_t)CT_COLUMNS : (uint32_t)CT_SLICES_COLUMNS); cuts++)
		cut[cuts] = (size_t)((is_events ? events.columns[cuts] : slices.first[cuts]).p - payload.p);
	write_chunk(o, (struct ct_chunk_header){ .kind = p->kind, .process = p->process, .count = f->count,
						 .first_ns = f->first_ns + shift_ns, .last_ns = f->last_ns + shift_ns },
		    cut, cuts);
	if (is_events)
		o->events += f->count;
	else
		o->slices += f->count;
	ct_events_close(&events);
	ct_switches_close(&slices);
}

/* --- records --- */

static void put_counters(struct ct_buf *b, struct ct_record *r, uint64_t rounds)
{
	struct ct_array *a = &r->counters.short_ticks;
	uint64_t *v = calloc(a->n + 1, sizeof(*v));

	need(v != NULL, "no memory");
	for (size_t i = 0; i < a->n; i++) {
		need(!ct_get_varint(&a->packed, &v[i]), "bad counters");
		v[i] *= rounds;
	}
	a->v = v;
	r->counters.calls *= rounds;
	r->counters.short_ns *= rounds;
	ct_put_record(b, r);
	free(v);
}

/* What ends with the trace: shifted and multiplied. False: it stays where it is. */
static bool put_end(const struct seed *s, const struct out *o, struct ct_buf *b, struct ct_record *r, uint64_t rounds,
		    uint64_t shift_ns)
{
	uint32_t process = 0;

	switch (r->type) {
	case CT_RECORD_PROCESS_END:
		process = (uint32_t)r->process_end.process;
		if (!ct_table_get(&s->exec, process))
			r->process_end.end_ns += shift_ns;
		break;
	case CT_RECORD_THREAD_END:
		process = ct_table_get(&s->thread, r->thread_end.thread);
		if (ct_table_get(&s->exec, process))
			break;
		r->thread_end.end_ns += shift_ns;
		r->thread_end.cpu_ns *= rounds;
		r->thread_end.run_delay_ns *= rounds;
		break;
	case CT_RECORD_COUNTERS:
		process = ct_table_get(&s->thread, r->counters.thread);
		put_counters(b, r, ct_table_get(&s->exec, process) ? 1 : rounds);
		return true;
	case CT_RECORD_LOCK:
		r->lock.acquisitions *= rounds;
		r->lock.hold_ns *= rounds;
		break;
	case CT_RECORD_LOSS:
		r->loss.count *= rounds;
		break;
	case CT_RECORD_WAITING:
		r->waiting.seen_ns += shift_ns;
		r->waiting.start_ns += r->waiting.start_ns ? shift_ns : 0;
		break;
	case CT_RECORD_RECORDING:
		r->recording.at_ns += shift_ns;
		break;
	case CT_RECORD_HOLDER:
		r->holder.seen_ns += shift_ns;
		break;
	case CT_RECORD_END:
		r->end.end_ns += shift_ns;
		r->end.events = o->events;
		r->end.slices = o->slices;
		r->end.dropped *= rounds;
		r->end.collector_cpu_ns *= rounds;
		break;
	default:
		return false;
	}
	ct_put_record(b, r);
	return true;
}

/* The records of a chunk that are to come now: at the end, or in the first round. */
static void write_records(const struct seed *s, struct out *o, const struct ct_chunk *c, const uint8_t *raw, bool end,
			  uint64_t rounds, uint64_t shift_ns)
{
	struct ct_span in = { raw, raw + c->header.raw_bytes };
	struct ct_buf b = { 0 };
	struct ct_record r;
	uint32_t count = 0;

	for (const uint8_t *before = in.p; ct_get_record(&in, &r) > 0; before = in.p) {
		size_t size = b.size;
		bool is_end = put_end(s, o, &b, &r, rounds, shift_ns);

		if (is_end != end)
			b.size = size;
		else if (!is_end)
			ct_put_bytes(&b, before, (size_t)(in.p - before));
		count += is_end == end;
	}
	need(!b.failed, "no memory");
	ct_buf_clear(&o->payload);
	ct_put_bytes(&o->payload, b.data, b.size);
	ct_buf_free(&b);
	if (count)
		write_chunk(o, (struct ct_chunk_header){ .kind = CT_CHUNK_RECORDS, .count = count,
							 .first_ns = c->header.first_ns + (end ? shift_ns : 0),
							 .last_ns = c->header.last_ns + (end ? shift_ns : 0) }, NULL, 0);
}

static void write_all_records(const struct seed *s, struct out *o, uint32_t *next, uint32_t parts, const uint8_t **raw,
			      bool end, uint64_t rounds, uint64_t shift_ns)
{
	for (; *next < s->records_count && s->records[*next].offset <= parts; (*next)++) {
		write_records(s, o, &s->records[*next], *raw, end, rounds, shift_ns);
		*raw += s->records[*next].header.raw_bytes;
	}
}

static void write_round(const struct seed *s, struct out *o, uint64_t round, uint64_t rounds, uint64_t length_ns)
{
	const uint8_t *raw = s->records_raw.data;
	uint32_t next = round ? s->records_count : 0;

	for (uint32_t i = 0; i < s->part_count; i++) {
		const struct part *p = &s->part[i];
		bool exec = p->kind == CT_CHUNK_EVENTS && ct_table_get(&s->exec, p->process);
		const struct form *f = exec || round + 1 == rounds ? &p->last : &p->other;

		write_all_records(s, o, &next, i, &raw, false, rounds, 0);
		if (f->count && !(exec && round))
			write_form(o, p, f, round * length_ns);
	}
	write_all_records(s, o, &next, UINT32_MAX, &raw, false, rounds, 0);
}

static void write_index(struct out *o)
{
	struct ct_trailer t = { .index_offset = o->bytes, .magic = CT_TRAILER_MAGIC };

	if (o->index_count > INDEX_MAX)
		return;
	ct_buf_clear(&o->payload);
	ct_put_bytes(&o->payload, o->index.data, o->index.size);
	write_chunk(o, (struct ct_chunk_header){ .kind = CT_CHUNK_INDEX, .count = o->index_count }, NULL, 0);
	t.file_bytes = o->bytes + sizeof(t);
	t.crc = ct_crc32c(&t, offsetof(struct ct_trailer, crc));
	put(o, &t, sizeof(t));
}

int main(int argc, char **argv)
{
	struct seed s = { 0 };
	struct out o = { 0 };

	need(argc == 4, "usage: make-events SEED EVENTS FILE");
	read_seed(&s, argv[1]);
	uint64_t events = strtoull(argv[2], NULL, 10), left = events > s.once ? events - s.once : 0;
	uint64_t rounds = left ? (left + s.events - 1) / s.events : 1, unit_ns = s.unit_ns ? s.unit_ns : 1;
	uint64_t length_ns = (s.last_ns - s.first_ns + BETWEEN_NS) / unit_ns * unit_ns + unit_ns, shift_ns = (rounds - 1) * length_ns;
	const uint8_t *raw = s.records_raw.data;
	uint32_t next = 0;

	o.file = fopen(argv[3], "wb");
	o.zstd = ZSTD_createCCtx();
	need(o.file && o.zstd, "cannot be written");
	ZSTD_CCtx_setParameter(o.zstd, ZSTD_c_compressionLevel, LEVEL);
	put(&o, &s.header, sizeof(s.header));
	for (uint64_t i = 0; i < rounds; i++)
		write_round(&s, &o, i, rounds, length_ns);
	write_all_records(&s, &o, &next, UINT32_MAX, &raw, true, rounds, shift_ns);
	write_index(&o);
	need(!fclose(o.file), "cannot be written");
	printf("%llu events, %llu slices, %llu bytes, %llu rounds\n", (unsigned long long)o.events,
	       (unsigned long long)o.slices, (unsigned long long)o.bytes, (unsigned long long)rounds);
	return 0;
}
