/* The decoders of payloads alone. See fuzz.h. */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "clean.h"
#include "fuzz.h"
#include "reader.h"
#include "switches.h"

static void must(int holds)
{
	if (!holds)
		abort();
}

static void decode_records(struct ct_span payload)
{
	struct ct_record record;

	while (ct_get_record(&payload, &record) > 0)
		must(payload.p <= payload.end);
}

/* The fast way to read columns and the careful one find the same. */
static void decode_events(struct ct_span payload)
{
	struct ct_events_decoder d = { 0 };
	struct ct_events_cursor cursor;
	struct ct_columns columns;

	if (!ct_events_open(&d, payload)) {
		bool sound = ct_columns_sound(&d);

		ct_events_cursor(&d, &cursor);
		ct_columns_begin(&columns, &d);
		for (uint32_t i = 0; i < d.batch_count; i++) {
			cursor.end_ns = d.base_ns;
			for (uint32_t k = 0; k < d.batch[i].events; k++) {
				uint64_t before_ns = cursor.end_ns;
				int error = ct_events_next(&cursor);

				must(!sound || !error);
				if (error)
					goto out;
				must(cursor.site < d.site_count);
				if (!sound)
					continue;
				uint64_t site = ct_column_next(&columns.site, columns.limit);
				uint64_t gap = ct_column_next(&columns.gap, columns.limit);
				uint64_t duration = ct_column_next(&columns.duration, columns.limit);

				must(site == cursor.site && before_ns + (uint64_t)ct_unzigzag(gap) == cursor.start_ns &&
				     cursor.start_ns + duration == cursor.end_ns);
			}
		}
	}
out:
	ct_events_close(&d);
}

/* A copy with the bytes behind it that a reader's payload has. */
static struct ct_span with_slack(struct ct_span payload)
{
	size_t n = (size_t)(payload.end - payload.p);
	uint8_t *copy = calloc(1, n + CT_PAYLOAD_SLACK);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, payload.p, n);
	return (struct ct_span){ copy, copy + n };
}

/* Blocks of events, read in both ways, are what the careful one finds. */
static void decode_event_blocks(struct ct_span from)
{
	struct ct_span payload = with_slack(from);
	struct ct_events_decoder d = { 0 };
	struct ct_events_cursor cursor;
	struct ct_columns columns;
	struct ct_event_block b;

	for (int pext = 0; pext <= ct_blocks_pext(); pext++) {
		ct_blocks_use(pext);
		if (ct_events_open(&d, payload) || !ct_columns_sound(&d))
			continue;
		ct_events_cursor(&d, &cursor);
		ct_columns_begin(&columns, &d);
		for (uint32_t i = 0; i < d.batch_count; i++) {
			uint32_t left = d.batch[i].events;

			cursor.end_ns = columns.end_ns = d.base_ns;
			for (uint32_t n; left; left -= n) {
				n = left < CT_BLOCK_MAX ? left : CT_BLOCK_MAX;
				ct_event_block(&columns, n, &b);
				for (uint32_t k = 0; k < n; k++)
					must(!ct_events_next(&cursor) && b.site[k] == cursor.site &&
					     b.start_ns[k] == cursor.start_ns && b.end_ns[k] == cursor.end_ns);
			}
		}
	}
	ct_events_close(&d);
	free((void *)payload.p);
}

static void decode_slice_blocks(struct ct_span from)
{
	struct ct_span payload = with_slack(from);
	struct ct_switches_decoder d = { 0 }, careful = { 0 };
	struct ct_slice_block b;
	struct ct_slice s;
	uint64_t count, said;

	for (int pext = 0; pext <= ct_blocks_pext(); pext++) {
		ct_blocks_use(pext);
		if (ct_switches_open(&d, payload) || ct_switches_open(&careful, payload))
			continue;
		bool sound = ct_slices_sound(&d, &count);

		must(sound == !ct_switches_count(&careful, &said) && (!sound || count == said));
		bool small = sound && ct_slices_small(&d);

		for (uint32_t n; sound && count; count -= n) {
			n = count < CT_BLOCK_MAX ? (uint32_t)count : CT_BLOCK_MAX;
			ct_slice_block(&d, n, small, &b);
			for (uint32_t k = 0; k < n; k++)
				must(ct_switches_next(&careful, &s) == 1 && s.task == b.slice[k].task &&
				     s.cpu == b.slice[k].cpu && s.waker == b.slice[k].waker &&
				     s.end == b.slice[k].end && s.flags == b.slice[k].flags &&
				     s.start_ns == b.slice[k].start_ns && s.end_ns == b.slice[k].end_ns &&
				     s.woken_ns == b.slice[k].woken_ns);
		}
	}
	ct_switches_close(&d);
	ct_switches_close(&careful);
	free((void *)payload.p);
}

static void decode_switches(struct ct_span payload)
{
	struct ct_switches_decoder d = { 0 };
	struct ct_slice slice;
	uint64_t count = 0, said = 0;
	int found = 0;

	if (!ct_switches_open(&d, payload)) {
		while ((found = ct_switches_next(&d, &slice)) > 0)
			count++;
		ct_switches_rewind(&d);
		int counted = ct_switches_count(&d, &said);

		must(found || counted || count == said);
	}
	ct_switches_close(&d);
}

void fuzz_codec(const uint8_t *data, size_t size)
{
	if (!size)
		return;
	/* A block of its own: what is read behind its end is seen. */
	uint8_t *copy = malloc(size);

	must(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	struct ct_span payload = { copy, copy + size - 1 };

	switch (data[0] & 3) {
	case 1:
		decode_records(payload);
		break;
	case 2:
		decode_events(payload);
		decode_event_blocks(payload);
		break;
	case 3:
		decode_switches(payload);
		decode_slice_blocks(payload);
		break;
	case 0:
		free(ct_clean((const char *)copy, size - 1));
	}
	free(copy);
}
