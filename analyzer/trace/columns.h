/*
 * Fast reading of the columns of EVENTS and SWITCHES payloads: first every
 * column is checked as a whole, then its varints are read without a branch on
 * their lengths.
 */
#ifndef CT_COLUMNS_H
#define CT_COLUMNS_H

#include <string.h>

#include "switches.h"

/* Whether every event of an opened payload can be decoded and nothing follows
 * the last one: what cannot be trusted must not be counted either. */
bool ct_columns_sound(const struct ct_events_decoder *d);
/* The same for slices, and how many there are. */
bool ct_slices_sound(const struct ct_switches_decoder *d, uint64_t *ret_count);

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

/* The same where nearly all take a byte. */
static inline uint64_t ct_column_byte(struct ct_span *column, const uint8_t *limit)
{
	return __builtin_expect(*column->p < 0x80, 1) ? *column->p++ : ct_column_next(column, limit);
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

/* The next slice of an opened payload that is sound and has one more: ct_switches_next
 * without its checks. */
static inline void ct_slices_next(struct ct_switches_decoder *d, struct ct_slice *ret)
{
	const uint8_t *limit = d->first[CT_SLICES_WAKER].end;
	struct ct_span *c = d->columns;
	struct ct_switches_cpu *on = &d->cpu[ct_column_byte(&c[CT_SLICES_CPU], limit)];
	uint32_t how = (uint32_t)ct_column_byte(&c[CT_SLICES_HOW], limit);
	uint64_t start = on->end + (uint64_t)ct_unzigzag(ct_column_next(&c[CT_SLICES_GAP], limit));

	on->end = start + ct_column_next(&c[CT_SLICES_DURATION], limit);
	ret->task = (uint32_t)ct_column_byte(&c[CT_SLICES_TASK], limit);
	ret->cpu = on->number;
	ret->end = how % (1u << CT_SLICE_FLAG_SHIFT);
	ret->flags = how >> CT_SLICE_FLAG_SHIFT;
	ret->start_ns = start * d->unit_ns;
	ret->end_ns = on->end * d->unit_ns;
	if (ret->flags & CT_SL_WOKEN) {
		ret->woken_ns = (start - ct_column_next(&c[CT_SLICES_DELAY], limit)) * d->unit_ns;
		ret->waker = (uint32_t)ct_column_byte(&c[CT_SLICES_WAKER], limit);
	} else {
		ret->woken_ns = 0;
		ret->waker = 0;
	}
}

#endif
