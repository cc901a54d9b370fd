/* From an input to a whole trace. See fuzz.h. */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "fuzz.h"
#include "trace.h"

static struct ct_buf out;

/* Where the next chunk begins: its magic is searched for, so that a payload may grow and
 * shrink. */
static size_t next_chunk(const uint8_t *data, size_t size, size_t from)
{
	static const uint32_t magic = CT_CHUNK_MAGIC;
	const uint8_t *p = from < size ? memmem(data + from, size - from, &magic, sizeof(magic)) : NULL;

	return p ? (size_t)(p - data) : size;
}

static void put_chunk(const uint8_t *chunk, size_t bytes)
{
	struct ct_chunk_header h;

	if (bytes < sizeof(h))
		return;
	memcpy(&h, chunk, sizeof(h));
	h.stored_bytes = (uint32_t)(bytes - sizeof(h));
	if (h.codec == CT_CODEC_RAW)
		h.raw_bytes = h.stored_bytes;
	h.stored_crc = ct_crc32c(chunk + sizeof(h), h.stored_bytes);
	h.crc = ct_crc32c(&h, offsetof(struct ct_chunk_header, crc));
	ct_put_bytes(&out, &h, sizeof(h));
	ct_put_bytes(&out, chunk + sizeof(h), h.stored_bytes);
}

static void put_trailer(void)
{
	struct ct_trailer t = { .magic = CT_TRAILER_MAGIC, .file_bytes = out.size + sizeof(t) };

	/* The last chunk, if it is an index. */
	for (size_t at = sizeof(struct ct_file_header); at + sizeof(struct ct_chunk_header) <= out.size;) {
		struct ct_chunk_header h;

		memcpy(&h, out.data + at, sizeof(h));
		t.index_offset = h.kind == CT_CHUNK_INDEX ? at : 0;
		at += sizeof(h) + h.stored_bytes;
	}
	if (!t.index_offset)
		return;
	t.crc = ct_crc32c(&t, offsetof(struct ct_trailer, crc));
	ct_put_bytes(&out, &t, sizeof(t));
}

const uint8_t *fuzz_repair(const uint8_t *data, size_t size, size_t *ret_size)
{
	struct ct_file_header h;

	*ret_size = size;
	if (size < sizeof(h))
		return data;
	memcpy(&h, data, sizeof(h));
	if (h.reserved[1] == 1)
		return data;
	h.magic = CT_TRACE_MAGIC;
	h.version = CT_TRACE_VERSION;
	h.header_bytes = sizeof(h);
	h.must_know = 0;
	h.crc = ct_crc32c(&h, offsetof(struct ct_file_header, crc));
	ct_buf_clear(&out);
	ct_put_bytes(&out, &h, sizeof(h));
	for (size_t at = next_chunk(data, size, sizeof(h)), end; at < size; at = end) {
		end = next_chunk(data, size, at + sizeof(struct ct_chunk_header));
		put_chunk(data + at, end - at);
	}
	put_trailer();
	if (out.failed)
		abort();
	*ret_size = out.size;
	return out.data;
}
