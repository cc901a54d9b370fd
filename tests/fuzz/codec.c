/* The decoders of payloads alone. See fuzz.h. */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "columns.h"
#include "fuzz.h"
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
		break;
	case 3:
		decode_switches(payload);
		break;
	case 0:
		free(ct_clean((const char *)copy, size - 1));
	}
	free(copy);
}
