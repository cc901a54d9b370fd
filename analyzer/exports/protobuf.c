/* See protobuf.h. */
#include "protobuf.h"

#include <string.h>

enum wire {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
};

/* Room for a length before it is known; longer varints than need be are valid. */
#define LENGTH_BYTES 4u
#define LENGTH_MAX   ((1u << 7 * LENGTH_BYTES) - 1)

static void put_tag(struct ct_buf *b, uint32_t field, enum wire wire)
{
	ct_put_varint(b, (uint64_t)field << 3 | wire);
}

void ct_pb_uint(struct ct_buf *b, uint32_t field, uint64_t value)
{
	put_tag(b, field, WIRE_VARINT);
	ct_put_varint(b, value);
}

void ct_pb_int(struct ct_buf *b, uint32_t field, int64_t value)
{
	ct_pb_uint(b, field, (uint64_t)value);
}

void ct_pb_fixed64(struct ct_buf *b, uint32_t field, uint64_t value)
{
	put_tag(b, field, WIRE_FIXED64);
	ct_put_bytes(b, &value, sizeof(value));
}

void ct_pb_bytes(struct ct_buf *b, uint32_t field, const void *p, size_t n)
{
	put_tag(b, field, WIRE_BYTES);
	ct_put_varint(b, n);
	ct_put_bytes(b, p, n);
}

void ct_pb_text(struct ct_buf *b, uint32_t field, const char *text)
{
	ct_pb_bytes(b, field, text, strlen(text));
}

size_t ct_pb_begin(struct ct_buf *b, uint32_t field)
{
	static const uint8_t room[LENGTH_BYTES];

	put_tag(b, field, WIRE_BYTES);
	ct_put_bytes(b, room, sizeof(room));
	return b->size;
}

void ct_pb_end(struct ct_buf *b, size_t begin)
{
	if (b->failed)
		return;
	uint8_t *length = b->data + begin - LENGTH_BYTES;
	size_t n = b->size - begin;

	if (n > LENGTH_MAX) {
		b->failed = true;
		return;
	}
	/* Most are short: worth a move. */
	if (n < 0x80) {
		*length = (uint8_t)n;
		memmove(length + 1, length + LENGTH_BYTES, n);
		b->size -= LENGTH_BYTES - 1;
		return;
	}
	for (uint32_t i = 0; i < LENGTH_BYTES; i++)
		length[i] = (uint8_t)((n >> 7 * i & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}
