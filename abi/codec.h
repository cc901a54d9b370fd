/*
 * Encoding and decoding of what a trace file holds: varints, CRC, records and
 * the payload of EVENTS chunks. Used by the collector (encode) and by the
 * analyzer (decode); neither files nor compression are its business.
 *
 * Decoders treat their input as hostile: they never read past its end, and
 * report -EBADMSG for anything that an encoder would not have written.
 */
#ifndef CT_CODEC_H
#define CT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

/* --- a growing buffer of bytes --- */

struct ct_buf {
	uint8_t *data;
	size_t size;      /* bytes in use */
	size_t capacity;
	bool failed;      /* out of memory: what was put since then is lost */
};

void ct_buf_free(struct ct_buf *b);
/* Ensures room for more bytes; false, and b->failed, when there is none. */
bool ct_buf_reserve(struct ct_buf *b, size_t more);
void ct_put_bytes(struct ct_buf *b, const void *p, size_t n);
void ct_put_varint(struct ct_buf *b, uint64_t v);

static inline void ct_buf_clear(struct ct_buf *b)
{
	b->size = 0;
	b->failed = false;
}

/* --- a bounded span to read from --- */

struct ct_span {
	const uint8_t *p, *end;
};

/* LEB128, at most 10 bytes. Returns 0, or -EBADMSG with *s unchanged. */
int ct_get_varint(struct ct_span *s, uint64_t *ret);
/* A length as varint and that many bytes, as a span into s. */
int ct_get_span(struct ct_span *s, struct ct_span *ret);

static inline uint64_t ct_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t ct_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* CRC-32C (Castagnoli, polynomial 0x1edc6f41, reflected; RFC 3720). */
uint32_t ct_crc32c(const void *p, size_t n);

/* --- records --- */

struct ct_text {
	const char *p; /* not terminated; into the decoded payload, or the encoder's caller's memory */
	size_t n;
};

struct ct_array {
	const uint64_t *v; /* encoding: the values */
	size_t n;          /* number of values */
	struct ct_span packed; /* decoding: n varints; read them with ct_get_varint */
};

enum ct_record_type {
	CT_RECORD_NONE,
#define CT_RECORD(NAME, name, number) CT_RECORD_##NAME = number,
#include "records.def"
#undef CT_RECORD
};

#define CT_FIELD_U(f) uint64_t f;
#define CT_FIELD_S(f) int64_t f;
#define CT_FIELD_T(f) struct ct_text f;
#define CT_FIELD_A(f) struct ct_array f;
#define CT_RECORD(NAME, name, number) \
	struct ct_record_##name { CT_FIELDS_##NAME(CT_FIELD_U, CT_FIELD_S, CT_FIELD_T, CT_FIELD_A) };
#include "records.def"
#undef CT_RECORD
#undef CT_FIELD_U
#undef CT_FIELD_S
#undef CT_FIELD_T
#undef CT_FIELD_A

/* A decoded record; texts and arrays point into the payload it came from. */
struct ct_record {
	uint64_t type;  /* enum ct_record_type; another value: unknown, no member set */
	union {
#define CT_RECORD(NAME, name, number) struct ct_record_##name name;
#include "records.def"
#undef CT_RECORD
	};
};

/* Appends a record: varint type, varint length, fields. */
void ct_put_record(struct ct_buf *b, const struct ct_record *record);
/* Takes the next record from a RECORDS payload. Returns 1 and the record, 0 at
 * the end, -EBADMSG. Fields that an older writer left out are zero. */
int ct_get_record(struct ct_span *s, struct ct_record *ret);

static inline struct ct_text ct_text_of(const char *s)
{
	return (struct ct_text){ s, __builtin_strlen(s) };
}

/* --- events --- */

/* What an event shares with others of its chunk. */
struct ct_site {
	uint8_t kind;        /* enum ct_event_kind */
	uint8_t cause;       /* enum ct_cause, as in the trace's CAUSE records */
	uint8_t flags;       /* CT_EV_* */
	uint8_t object_kind; /* enum ct_object_kind */
	uint32_t call;       /* as in the trace's CALL records */
	uint32_t stack;      /* id of a STACK record, 0: none */
	uint32_t owner;      /* tid, 0: not known */
	uint64_t object;
	uint64_t aux;
};

/* Builds one EVENTS chunk. Zero-initialise; reuse after ct_events_reset. */
struct ct_events_encoder {
	struct ct_buf sites, batches, columns[CT_COLUMNS];
	uint64_t *table;         /* open hash of sites: index + 1 */
	struct ct_site *site;    /* the sites, in order */
	uint32_t site_count, site_capacity, table_size;
	uint32_t batch_count, batch_events, thread;
	uint32_t count;          /* events so far */
	uint64_t base_ns;        /* reference for the first event of a batch */
	uint64_t previous_end_ns;
	uint64_t first_ns, last_ns;
	bool failed;             /* out of memory */
};

void ct_events_reset(struct ct_events_encoder *e);
void ct_events_free(struct ct_events_encoder *e);
/* Adds an event of thread; changing the thread begins a batch. */
void ct_events_add(struct ct_events_encoder *e, uint32_t thread, const struct ct_site *site,
		   uint64_t start_ns, uint64_t end_ns, int64_t result);
/* Appends the payload to out. -ENOMEM or 0. The chunk header takes first_ns and
 * last_ns. The encoder must be reset before its next use. */
int ct_events_finish(struct ct_events_encoder *e, struct ct_buf *out);

struct ct_batch {
	uint32_t thread, events;
};

/* Reads one EVENTS payload. The payload must outlive the decoder. */
struct ct_events_decoder {
	struct ct_site *site;     /* site_count of them; owned by the decoder, reused */
	uint32_t site_count, site_capacity;
	struct ct_batch *batch;   /* owned by the decoder */
	uint32_t batch_count, batch_capacity;
	uint32_t count;           /* events in all */
	struct ct_span columns[CT_COLUMNS];
	uint64_t base_ns;
};

/* Reads sites and batches and finds the columns. 0, -EBADMSG, -ENOMEM. */
int ct_events_open(struct ct_events_decoder *d, struct ct_span payload);
void ct_events_close(struct ct_events_decoder *d);

/* Cursor over the events, for inline use in the analyzer's inner loop:
 *	for each batch: cursor.end_ns = d.base_ns; for each event of it: ct_events_next */
struct ct_events_cursor {
	struct ct_span columns[CT_COLUMNS];
	uint64_t end_ns;   /* of the event before; the caller sets base_ns at a batch's start */
	uint32_t site;     /* index, checked against site_count */
	uint64_t start_ns;
	uint64_t duration_ns;
	int64_t result;
	uint32_t site_count;
};

static inline void ct_events_cursor(const struct ct_events_decoder *d, struct ct_events_cursor *c)
{
	for (int i = 0; i < CT_COLUMNS; i++)
		c->columns[i] = d->columns[i];
	c->end_ns = d->base_ns;
	c->site_count = d->site_count;
}

static inline int ct_get_varint_fast(struct ct_span *s, uint64_t *ret)
{
	if (__builtin_expect(s->p < s->end && *s->p < 0x80, 1)) {
		*ret = *s->p++;
		return 0;
	}
	return ct_get_varint(s, ret);
}

/* The next event of the batch: site, start_ns, duration_ns, end_ns, result. 0 or -EBADMSG. */
static inline int ct_events_next(struct ct_events_cursor *c)
{
	uint64_t site, gap, duration, result;

	if (ct_get_varint_fast(&c->columns[CT_COLUMN_SITE], &site) ||
	    ct_get_varint_fast(&c->columns[CT_COLUMN_GAP], &gap) ||
	    ct_get_varint_fast(&c->columns[CT_COLUMN_DURATION], &duration) ||
	    ct_get_varint_fast(&c->columns[CT_COLUMN_RESULT], &result) ||
	    site >= c->site_count)
		return -74; /* -EBADMSG */
	c->site = (uint32_t)site;
	c->start_ns = c->end_ns + (uint64_t)ct_unzigzag(gap);
	c->duration_ns = duration;
	c->end_ns = c->start_ns + duration;
	c->result = ct_unzigzag(result);
	return 0;
}

#endif
