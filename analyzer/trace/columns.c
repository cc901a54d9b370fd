/* Checks of whole columns. See columns.h. */
#include "columns.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define NO_VARINTS UINT64_MAX

/* How many varints a column holds; NO_VARINTS: something else is in it. One by one. */
static uint64_t varints_slowly(struct ct_span s)
{
	uint64_t v, n = 0;

	for (; s.p != s.end; n++)
		if (ct_get_varint(&s, &v))
			return NO_VARINTS;
	return n;
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
 * The same by sixteen bytes: the number of bytes without the continuation bit is
 * that of the varints, if the last byte is one of them. That leaves varints of 10
 * bytes and more: one has four continuation bits in a row in one of the sixteens,
 * or there is one of its bytes among the last ones, which are fewer.
 */
static uint64_t varints(struct ct_span s)
{
	const uint8_t *p = s.p;
	uint64_t n = 0;

#if defined(__SSE2__)
	const __m128i none = _mm_setzero_si128();
	__m128i more = none;
	uint64_t sums[2];

	for (; s.end - p >= (ptrdiff_t)sizeof(none); p += sizeof(none)) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)p);
		uint32_t run = (uint32_t)_mm_movemask_epi8(bytes);

		run &= run >> 1;
		run &= run >> 2;
		for (; __builtin_expect(run, 0); run &= run - 1)
			if (long_run(&s, p + __builtin_ctz(run)))
				return varints_slowly(s);
		/* 0 or 1 a byte, added up in each half. */
		more = _mm_add_epi64(more, _mm_sad_epu8(_mm_and_si128(_mm_srli_epi64(bytes, 7), _mm_set1_epi8(1)), none));
	}
	_mm_storeu_si128((__m128i *)sums, more);
	n = (uint64_t)(p - s.p) - sums[0] - sums[1];
#endif
	for (; p < s.end; p++) {
		n += *p < 0x80;
		if (*p >= 0x80 && long_run(&s, p))
			return varints_slowly(s);
	}
	return s.p == s.end || s.end[-1] < 0x80 ? n : NO_VARINTS;
}

/* The largest of a column's n varints. */
static uint64_t largest(struct ct_span s, uint64_t n, const uint8_t *limit)
{
	const uint8_t *p = s.p;
	uint64_t max = 0;

	if ((uint64_t)(s.end - s.p) == n) {
		/* Each is a byte. */
#if defined(__SSE2__)
		__m128i most = _mm_setzero_si128();
		uint8_t byte[sizeof(most)];

		for (; s.end - p >= (ptrdiff_t)sizeof(most); p += sizeof(most))
			most = _mm_max_epu8(most, _mm_loadu_si128((const __m128i *)p));
		_mm_storeu_si128((__m128i *)byte, most);
		for (size_t i = 0; i < sizeof(byte); i++)
			max = byte[i] > max ? byte[i] : max;
#endif
		for (; p < s.end; p++)
			max = *p > max ? *p : max;
		return max;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = ct_column_next(&s, limit);

		max = v > max ? v : max;
	}
	return max;
}

bool ct_columns_sound(const struct ct_events_decoder *d)
{
	for (int i = 0; i < CT_COLUMNS; i++)
		if (varints(d->columns[i]) != d->count)
			return false;
	return !d->count ||
	       largest(d->columns[CT_COLUMN_SITE], d->count, d->columns[CT_COLUMN_RESULT].end) < d->site_count;
}

/* How many slices have the flag, and all that HOW says in one. */
static uint64_t woken_slices(struct ct_span how, uint64_t n, const uint8_t *limit, uint64_t *ret_all)
{
	const uint64_t bit = CT_SL_WOKEN << CT_SLICE_FLAG_SHIFT, each = 0x0101010101010101ull;
	uint64_t woken = 0, all = 0, w;

	if ((uint64_t)(how.end - how.p) == n) {
		/* A byte each. */
		for (; n >= sizeof(w); n -= sizeof(w), how.p += sizeof(w)) {
			memcpy(&w, how.p, sizeof(w));
			woken += ((w & bit * each) / bit) * each >> 56;
		}
	}
	for (; n; n--) {
		uint64_t v = ct_column_next(&how, limit);

		woken += v >> CT_SLICE_FLAG_SHIFT & CT_SL_WOKEN;
		all |= v;
	}
	*ret_all = all;
	return woken;
}

bool ct_slices_sound(const struct ct_switches_decoder *d, uint64_t *ret_count)
{
	const struct ct_span *c = d->first;
	const uint8_t *limit = c[CT_SLICES_WAKER].end;
	uint64_t n = varints(c[CT_SLICES_TASK]), woken = 0, max = 0;

	*ret_count = n;
	for (int i = CT_SLICES_CPU; i <= CT_SLICES_DURATION; i++)
		if (varints(c[i]) != n)
			return false;
	if (n == NO_VARINTS || (n && (largest(c[CT_SLICES_TASK], n, limit) >= d->task_count ||
				      largest(c[CT_SLICES_CPU], n, limit) >= d->cpu_count)))
		return false;
	woken = n ? woken_slices(c[CT_SLICES_HOW], n, limit, &max) : 0;
	return max <= UINT32_MAX && varints(c[CT_SLICES_DELAY]) == woken && varints(c[CT_SLICES_WAKER]) == woken &&
	       (!woken || largest(c[CT_SLICES_WAKER], woken, limit) < d->task_count);
}
