/* Checks of whole columns. See columns.h. */
#include "columns.h"

/* Whether a column holds count varints and nothing else: one by one. */
static bool sound_slowly(struct ct_span s, uint32_t count)
{
	uint64_t v;

	for (uint32_t i = 0; i < count; i++)
		if (ct_get_varint(&s, &v))
			return false;
	return s.p == s.end;
}

/* Whether the bytes with a continuation bit around at are too many for a varint
 * that needs no closer look: one of 10 bytes has limits of its own. */
static bool long_run(const struct ct_span *s, const uint8_t *at)
{
	const uint8_t *first = at, *last = at;

	while (first > s->p && at - first < 10 && first[-1] & 0x80)
		first--;
	while (last < s->end && last - at < 10 && *last & 0x80)
		last++;
	return last - first >= 9;
}

/*
 * The same by words: the number of bytes without the continuation bit is that
 * of the varints, if the last byte is one of them. That leaves varints of 10
 * bytes and more: one has four continuation bits in one half of an aligned
 * word, or lies across the begin of the last bytes, which are no word.
 */
static bool sound(struct ct_span s, uint32_t count)
{
	const uint64_t more = 0x8080808080808080ull, half = 0x80808080ull;
	const uint8_t *p = s.p;
	uint64_t n = 0, w;

	for (; s.end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof(w));
		w &= more;
		if (((w & half) == half && long_run(&s, p)) || (w >> 32 == half && long_run(&s, p + 4)))
			return sound_slowly(s, count);
		n += 8 - ((w >> 7) * 0x0101010101010101ull >> 56);
	}
	if (s.end - s.p < 8 || long_run(&s, p))
		return sound_slowly(s, count);
	for (; p < s.end; p++)
		n += *p < 0x80;
	return n == count && s.end[-1] < 0x80;
}

bool ct_columns_sound(const struct ct_events_decoder *d)
{
	const uint8_t *limit = d->columns[CT_COLUMN_RESULT].end;
	struct ct_span site = d->columns[CT_COLUMN_SITE];
	uint64_t largest = 0;

	for (int i = 0; i < CT_COLUMNS; i++)
		if (!sound(d->columns[i], d->count))
			return false;
	for (uint32_t i = 0; i < d->count; i++) {
		uint64_t v = ct_column_next(&site, limit);

		largest = v > largest ? v : largest;
	}
	return !d->count || largest < d->site_count;
}
