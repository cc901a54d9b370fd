/* Takes a trace file apart. See test_collector.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "test_collector.h"

static uint8_t *load(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");

	ck_assert_msg(f != NULL, "%s", path);
	fseek(f, 0, SEEK_END);
	size_t size = (size_t)ftell(f);
	uint8_t *data = malloc(size + 1);

	rewind(f);
	ck_assert_uint_eq(fread(data, 1, size, f), size);
	fclose(f);
	*ret_size = size;
	return data;
}

static bool known(const struct tc_trace *t, enum ct_record_type type, uint64_t id)
{
	for (size_t i = t->records; i-- > 0;) {
		const struct ct_record *r = &t->record[i];

		if (r->type != type)
			continue;
		if (type == CT_RECORD_THREAD_START && r->thread_start.thread == id)
			return true;
		if (type == CT_RECORD_THREAD_END && r->thread_end.thread == id)
			return true;
		if (type == CT_RECORD_PROCESS_START && r->process_start.process == id)
			return true;
		if (type == CT_RECORD_STACK && r->stack.stack == id)
			return true;
		if (type == CT_RECORD_DESCRIPTOR && r->descriptor.descriptor == id)
			return true;
	}
	return false;
}

static void read_records(struct tc_trace *t, struct ct_span payload, uint32_t count)
{
	struct ct_record r;
	int more;

	while ((more = ct_get_record(&payload, &r)) == 1) {
		t->record = realloc(t->record, (t->records + 1) * sizeof(r));
		t->record[t->records++] = r;
		count--;
	}
	ck_assert_int_eq(more, 0);
	ck_assert_uint_eq(count, 0);
}

static void read_events(struct tc_trace *t, struct ct_span payload, const struct ct_chunk_header *h)
{
	struct ct_events_decoder d = { 0 };
	struct ct_events_cursor c;

	ck_assert_int_eq(ct_events_open(&d, payload), 0);
	ck_assert_uint_eq(d.count, h->count);
	ck_assert(known(t, CT_RECORD_PROCESS_START, h->process));
	for (uint32_t i = 0; i < d.site_count; i++) {
		const struct ct_site *s = &d.site[i];

		ck_assert(!s->stack || known(t, CT_RECORD_STACK, s->stack));
		ck_assert(s->object_kind != CT_OBJECT_FD || !s->object || known(t, CT_RECORD_DESCRIPTOR, s->object));
	}
	t->event = realloc(t->event, (t->events + d.count) * sizeof(*t->event));
	ct_events_cursor(&d, &c);
	for (uint32_t b = 0; b < d.batch_count; b++) {
		ck_assert(known(t, CT_RECORD_THREAD_START, d.batch[b].thread));
		ck_assert_msg(!known(t, CT_RECORD_THREAD_END, d.batch[b].thread), "an event after its thread's end");
		c.end_ns = d.base_ns;
		for (uint32_t i = 0; i < d.batch[b].events; i++) {
			ck_assert_int_eq(ct_events_next(&c), 0);
			ck_assert_uint_ge(c.start_ns, h->first_ns);
			ck_assert_uint_le(c.end_ns, h->last_ns);
			t->event[t->events++] = (struct tc_event_seen){
				.process = h->process,
				.thread = d.batch[b].thread,
				.site = d.site[c.site],
				.start_ns = c.start_ns,
				.end_ns = c.end_ns,
				.result = c.result,
			};
		}
	}
	ct_events_close(&d);
}

static void read_chunk(struct tc_trace *t, const struct ct_chunk_header *h, const uint8_t *stored)
{
	uint8_t *raw = malloc(h->raw_bytes + 1);

	ck_assert_uint_eq(ct_crc32c(stored, h->stored_bytes), h->stored_crc);
	if (h->codec == CT_CODEC_RAW)
		memcpy(raw, stored, h->raw_bytes);
	else
		ck_assert_uint_eq(ZSTD_decompress(raw, h->raw_bytes, stored, h->stored_bytes), h->raw_bytes);
	struct ct_span payload = { raw, raw + h->raw_bytes };

	if (h->kind == CT_CHUNK_RECORDS) {
		read_records(t, payload, h->count);
		ck_assert_uint_lt(t->payloads, 4096);
		t->payload[t->payloads++] = raw;
		return;
	}
	if (h->kind == CT_CHUNK_EVENTS)
		read_events(t, payload, h);
	free(raw);
}

/* The index of a complete file names all chunks before it. */
static void check_trailer(struct tc_trace *t, const uint8_t *data, size_t size, uint64_t index_at, uint32_t chunks)
{
	struct ct_trailer trailer;
	struct ct_chunk_header h;

	ck_assert_uint_eq(size - t->bytes, sizeof(trailer));
	memcpy(&trailer, data + t->bytes, sizeof(trailer));
	ck_assert_uint_eq(trailer.magic, CT_TRAILER_MAGIC);
	ck_assert_uint_eq(trailer.crc, ct_crc32c(&trailer, offsetof(struct ct_trailer, crc)));
	ck_assert_uint_eq(trailer.file_bytes, size);
	ck_assert_uint_eq(trailer.index_offset, index_at);
	memcpy(&h, data + index_at, sizeof(h));
	ck_assert_uint_eq(h.count, chunks - 1);
	ck_assert_uint_eq(tc_count(t, CT_RECORD_END), 1);
	t->complete = true;
}

void tc_read(struct tc_trace *t, const char *path)
{
	size_t size;
	uint8_t *data = load(path, &size);
	struct ct_file_header f;
	uint64_t index_at = 0;
	uint32_t chunks = 0;

	*t = (struct tc_trace){ 0 };
	ck_assert_uint_ge(size, sizeof(f));
	memcpy(&f, data, sizeof(f));
	ck_assert_uint_eq(f.magic, CT_TRACE_MAGIC);
	ck_assert_uint_eq(f.crc, ct_crc32c(&f, offsetof(struct ct_file_header, crc)));
	size_t at = f.header_bytes;

	while (size - at >= sizeof(struct ct_chunk_header)) {
		struct ct_chunk_header h;

		memcpy(&h, data + at, sizeof(h));
		if (h.magic != CT_CHUNK_MAGIC || size - at - sizeof(h) < h.stored_bytes)
			break;
		ck_assert_uint_eq(h.crc, ct_crc32c(&h, offsetof(struct ct_chunk_header, crc)));
		read_chunk(t, &h, data + at + sizeof(h));
		chunks++;
		if (h.kind == CT_CHUNK_INDEX)
			index_at = at;
		at += sizeof(h) + h.stored_bytes;
	}
	t->bytes = at;
	if (index_at)
		check_trailer(t, data, size, index_at, chunks);
	free(data);
}

void tc_free(struct tc_trace *t)
{
	for (size_t i = 0; i < t->payloads; i++)
		free(t->payload[i]);
	free(t->record);
	free(t->event);
}

const struct ct_record *tc_next(const struct tc_trace *t, size_t *position, enum ct_record_type type)
{
	while (*position < t->records) {
		const struct ct_record *r = &t->record[(*position)++];

		if (r->type == type)
			return r;
	}
	return NULL;
}

size_t tc_count(const struct tc_trace *t, enum ct_record_type type)
{
	size_t n = 0;

	for (size_t i = 0; tc_next(t, &i, type);)
		n++;
	return n;
}

uint64_t tc_lost(const struct tc_trace *t, enum ct_loss what)
{
	const struct ct_record *r;
	uint64_t n = 0;

	for (size_t i = 0; (r = tc_next(t, &i, CT_RECORD_LOSS));)
		if (r->loss.what == what)
			n += r->loss.count;
	return n;
}
