/*
 * What libFuzzer calls; built by scripts/fuzz. CTRACE_FUZZ names the command to run; codec: the
 * decoders alone.
 *
 * Beside libFuzzer's own changes there are those that know chunks: one is changed alone,
 * is doubled, moved or dropped, and a varint becomes an odd number.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "fuzz.h"
#include "trace.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static bool codec;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *only = getenv("CTRACE_FUZZ");

	(void)argc, (void)argv;
	codec = only && !strcmp(only, "codec");
	if (!codec)
		fuzz_open(only);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (codec)
		fuzz_codec(data, size);
	else
		fuzz_run(data, size, UINT32_MAX - 1);
	return 0;
}

/* --- the mutator --- */

#define CHUNKS 64
#define HEADER sizeof(struct ct_file_header)

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The places of the chunks, and behind the last the end. */
static uint32_t find_chunks(const uint8_t *data, size_t size, size_t *at)
{
	static const uint32_t magic = CT_CHUNK_MAGIC;
	uint32_t n = 0;

	for (size_t from = HEADER; n < CHUNKS - 1 && from < size; n++) {
		const uint8_t *p = memmem(data + from, size - from, &magic, sizeof(magic));

		if (!p)
			break;
		at[n] = (size_t)(p - data);
		from = at[n] + sizeof(struct ct_chunk_header);
	}
	at[n] = size;
	return n;
}

/* Replaces old bytes at a place by new ones: the new size, or 0 if they do not fit. */
static size_t splice(uint8_t *data, size_t size, size_t max_size, size_t at, size_t old, const uint8_t *new_, size_t n)
{
	if (size - old + n > max_size)
		return 0;
	memmove(data + at + n, data + at + old, size - at - old);
	memcpy(data + at, new_, n);
	return size - old + n;
}

static size_t mutate_chunk(uint8_t *data, size_t size, size_t max_size, size_t from, size_t end)
{
	size_t room = end - from + 256;
	uint8_t *copy = malloc(room);

	if (!copy)
		abort();
	memcpy(copy, data + from, end - from);
	size_t n = LLVMFuzzerMutate(copy, end - from, room);

	n = splice(data, size, max_size, from, end - from, copy, n);
	free(copy);
	return n;
}

static size_t copy_chunk(uint8_t *data, size_t size, size_t max_size, size_t from, size_t end, size_t to)
{
	uint8_t *copy = malloc(end - from + 1);

	if (!copy)
		abort();
	memcpy(copy, data + from, end - from);
	size_t n = splice(data, size, max_size, to, 0, copy, end - from);

	free(copy);
	return n;
}

/* A varint of the payload becomes a number at which things break. */
static size_t odd_varint(uint8_t *data, size_t size, size_t max_size, size_t from, size_t end, uint32_t *state)
{
	size_t begin = from + sizeof(struct ct_chunk_header);
	struct ct_buf number = { 0 };

	if (begin >= end)
		return 0;
	size_t at = begin + next_random(state) % (end - begin);

	while (at > begin && data[at - 1] & 0x80)
		at--;
	size_t n = 1;

	while (at + n < end && data[at + n - 1] & 0x80)
		n++;
	uint32_t kind = next_random(state);
	uint64_t v = 1ull << kind % 64;

	ct_put_varint(&number, kind & 64 ? v - 1 : kind & 128 ? ~v : v);
	n = splice(data, size, max_size, at, n, number.data, number.size);
	ct_buf_free(&number);
	return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint32_t state = seed * 2654435761u + 1;
	size_t at[CHUNKS], n = 0;
	uint32_t chunks = codec ? 0 : find_chunks(data, size, at), what = next_random(&state) % 16;

	if (chunks && what < 12) {
		uint32_t i = next_random(&state) % chunks, to = next_random(&state) % chunks;

		if (what < 5)
			n = mutate_chunk(data, size, max_size, at[i] + sizeof(struct ct_chunk_header) < at[i + 1] && what ?
					 at[i] + sizeof(struct ct_chunk_header) : at[i], at[i + 1]);
		else if (what < 10)
			n = odd_varint(data, size, max_size, at[i], at[i + 1], &state);
		else if (what == 10)
			n = copy_chunk(data, size, max_size, at[i], at[i + 1], at[to]);
		else if (chunks > 1)
			n = splice(data, size, max_size, at[i], at[i + 1] - at[i], data, 0);
	}
	return n ? n : LLVMFuzzerMutate(data, size, max_size);
}
