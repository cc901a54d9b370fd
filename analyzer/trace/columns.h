/*
 * Fast reading of the columns of an EVENTS payload: first every column is
 * checked as a whole, then its varints are read without a branch on their
 * lengths.
 */
#ifndef CT_COLUMNS_H
#define CT_COLUMNS_H

#include <string.h>

#include "codec.h"

/* Whether every event of an opened payload can be decoded and nothing follows
 * the last one: what cannot be trusted must not be counted either. */
bool ct_columns_sound(const struct ct_events_decoder *d);

/* Reads the next varint of a sound column. limit: the end of the payload, up to
 * which whole words may be loaded. */
static inline uint64_t ct_column_next(struct ct_span *column, const uint8_t *limit)
{
	const uint64_t more = 0x8080808080808080ull;
	uint64_t w;

	if (__builtin_expect(limit - column->p >= 8, 1)) {
		memcpy(&w, column->p, sizeof(w));
		uint64_t last = ~w & more; /* bytes that end a varint */

		if (__builtin_expect(last != 0, 1)) {
			column->p += (__builtin_ctzll(last) >> 3) + 1;
			/* The first varint's bytes, then its groups of 7 bits moved
			 * together: in pairs, in fours, in eights. */
			w &= last ^ (last - 1);
			w = (w & 0x007f007f007f007full) | (w & 0x7f007f007f007f00ull) >> 1;
			w = (w & 0x00003fff00003fffull) | (w & 0x3fff00003fff0000ull) >> 2;
			return (w & 0x0fffffffull) | (w & 0x0fffffff00000000ull) >> 4;
		}
	}
	w = 0;
	(void)ct_get_varint(column, &w); /* cannot fail: the column is sound */
	return w;
}

/* Cursor over what sums need of the events: not their results. */
struct ct_columns {
	struct ct_span site, gap, duration;
	const uint8_t *limit;
	uint64_t end_ns; /* of the event before; set to the base at a batch's begin */
};

static inline void ct_columns_begin(struct ct_columns *c, const struct ct_events_decoder *d)
{
	c->site = d->columns[CT_COLUMN_SITE];
	c->gap = d->columns[CT_COLUMN_GAP];
	c->duration = d->columns[CT_COLUMN_DURATION];
	c->limit = d->columns[CT_COLUMN_RESULT].end;
	c->end_ns = d->base_ns;
}

#endif
