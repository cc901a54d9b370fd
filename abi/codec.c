/* Varints, CRC and records. See codec.h. */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <sys/platform/x86.h>
#endif

void ct_buf_free(struct ct_buf *b)
{
	free(b->data);
	*b = (struct ct_buf){ 0 };
}

bool ct_buf_reserve(struct ct_buf *b, size_t more)
{
	if (b->failed)
		return false;
	if (b->capacity - b->size >= more)
		return true;

	size_t capacity = b->capacity ? b->capacity : 256;

	while (capacity - b->size < more)
		capacity *= 2;
	uint8_t *data = realloc(b->data, capacity);

	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void ct_put_bytes(struct ct_buf *b, const void *p, size_t n)
{
	if (!n || !ct_buf_reserve(b, n))
		return;
	memcpy(b->data + b->size, p, n);
	b->size += n;
}

void ct_put_varint(struct ct_buf *b, uint64_t v)
{
	if (!ct_buf_reserve(b, 10))
		return;
	uint8_t *p = b->data + b->size;

	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	b->size = (size_t)(p - b->data);
}

int ct_get_varint(struct ct_span *s, uint64_t *ret)
{
	const uint8_t *p = s->p;
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (p == s->end)
			return -EBADMSG;
		uint8_t byte = *p++;

		if (shift == 63 && byte > 1)
			return -EBADMSG;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			s->p = p;
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

int ct_get_span(struct ct_span *s, struct ct_span *ret)
{
	struct ct_span in = *s;
	uint64_t n;

	if (ct_get_varint(&in, &n) || n > (uint64_t)(in.end - in.p))
		return -EBADMSG;
	*ret = (struct ct_span){ in.p, in.p + n };
	s->p = in.p + n;
	return 0;
}

#if defined(__x86_64__)
/* With the instruction for it: some 8 bytes in three cycles. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(const uint8_t *p, size_t n)
{
	uint64_t crc = ~0u, v;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&v, p, 8);
		crc = __builtin_ia32_crc32di(crc, v);
	}
	while (n--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}
#endif

uint32_t ct_crc32c(const void *data, size_t n)
{
#if defined(__x86_64__)
	/* Not __builtin_cpu_supports(): its constructor asks the processor again, 0.2 ms of a start in a virtual machine. */
	if (CPU_FEATURE_ACTIVE(SSE4_2))
		return crc32c_sse(data, n);
#endif

	static uint32_t table[8][256]; /* slicing by 8 (Kounavis and Berry, 2005) */
	static bool ready;

	if (!ready) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t crc = i;

			for (int k = 0; k < 8; k++)
				crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
			table[0][i] = crc;
		}
		for (int t = 1; t < 8; t++)
			for (uint32_t i = 0; i < 256; i++)
				table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
		ready = true;
	}

	const uint8_t *p = data;
	uint32_t crc = ~0u;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		v ^= crc;
		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^ table[5][v >> 16 & 0xff] ^
		      table[4][v >> 24 & 0xff] ^ table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		      table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

/* --- records --- */

static void put_array(struct ct_buf *b, const struct ct_array *a)
{
	ct_put_varint(b, a->n);
	for (size_t i = 0; i < a->n; i++)
		ct_put_varint(b, a->v[i]);
}

static void put_text(struct ct_buf *b, const struct ct_text *t)
{
	ct_put_varint(b, t->n);
	ct_put_bytes(b, t->p, t->n);
}

static void put_fields(struct ct_buf *b, const struct ct_record *record)
{
#define PUT_U(f) ct_put_varint(b, r->f);
#define PUT_S(f) ct_put_varint(b, ct_zigzag(r->f));
#define PUT_T(f) put_text(b, &r->f);
#define PUT_A(f) put_array(b, &r->f);
#define CT_RECORD(NAME, name, number) \
	case CT_RECORD_##NAME: { \
		const struct ct_record_##name *r = &record->name; \
		CT_FIELDS_##NAME(PUT_U, PUT_S, PUT_T, PUT_A) \
		break; \
	}
	switch (record->type) {
#include "records.def"
	}
#undef CT_RECORD
#undef PUT_U
#undef PUT_S
#undef PUT_T
#undef PUT_A
}

void ct_put_record(struct ct_buf *b, const struct ct_record *record)
{
	struct ct_buf fields = { 0 };

	put_fields(&fields, record);
	ct_put_varint(b, record->type);
	ct_put_varint(b, fields.size);
	ct_put_bytes(b, fields.data, fields.size);
	b->failed |= fields.failed;
	ct_buf_free(&fields);
}

/* At the end of the record a field is absent: an older writer did not know it. */
static int get_u(struct ct_span *s, uint64_t *ret)
{
	if (s->p == s->end) {
		*ret = 0;
		return 0;
	}
	return ct_get_varint(s, ret);
}

static int get_s(struct ct_span *s, int64_t *ret)
{
	uint64_t v;

	if (get_u(s, &v))
		return -EBADMSG;
	*ret = ct_unzigzag(v);
	return 0;
}

static int get_text(struct ct_span *s, struct ct_text *ret)
{
	struct ct_span text = { s->p, s->p };

	if (s->p != s->end && ct_get_span(s, &text))
		return -EBADMSG;
	*ret = (struct ct_text){ (const char *)text.p, (size_t)(text.end - text.p) };
	return 0;
}

static int get_array(struct ct_span *s, struct ct_array *ret)
{
	uint64_t n, v;

	if (get_u(s, &n) || n > (uint64_t)(s->end - s->p))
		return -EBADMSG;
	const uint8_t *first = s->p;

	for (uint64_t i = 0; i < n; i++)
		if (ct_get_varint(s, &v))
			return -EBADMSG;
	*ret = (struct ct_array){ .n = n, .packed = { first, s->p } };
	return 0;
}

static int get_fields(struct ct_span *s, struct ct_record *record)
{
#define GET_U(f) if (get_u(s, &r->f)) return -EBADMSG;
#define GET_S(f) if (get_s(s, &r->f)) return -EBADMSG;
#define GET_T(f) if (get_text(s, &r->f)) return -EBADMSG;
#define GET_A(f) if (get_array(s, &r->f)) return -EBADMSG;
#define CT_RECORD(NAME, name, number) \
	case CT_RECORD_##NAME: { \
		struct ct_record_##name *r = &record->name; \
		CT_FIELDS_##NAME(GET_U, GET_S, GET_T, GET_A) \
		break; \
	}
	switch (record->type) {
#include "records.def"
	}
#undef CT_RECORD
#undef GET_U
#undef GET_S
#undef GET_T
#undef GET_A
	return 0;
}

int ct_get_record(struct ct_span *s, struct ct_record *ret)
{
	if (s->p == s->end)
		return 0;

	struct ct_record record = { 0 };
	struct ct_span in = *s, fields;

	if (ct_get_varint(&in, &record.type) || ct_get_span(&in, &fields) || get_fields(&fields, &record))
		return -EBADMSG;
	s->p = in.p;
	*ret = record;
	return 1;
}
