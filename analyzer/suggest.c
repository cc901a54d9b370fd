/* See suggest.h. The distance is the restricted Damerau-Levenshtein distance. */
#include "suggest.h"

#include <string.h>

#define LETTERS 40u

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint32_t ct_distance(const char *a, const char *b)
{
	uint32_t rows[3][LETTERS + 1];
	uint32_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t n = strlen(a), k = strlen(b);

	if (n > LETTERS || k > LETTERS)
		return UINT32_MAX;
	for (size_t j = 0; j <= k; j++)
		last[j] = (uint32_t)j;
	for (size_t i = 1; i <= n; i++) {
		uint32_t *oldest = before;

		row[0] = (uint32_t)i;
		for (size_t j = 1; j <= k; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[k];
}

void ct_suggest(struct ct_suggestion *s, const char *word)
{
	size_t n = strlen(s->typed);
	uint32_t distance = ct_distance(s->typed, word);

	/* What is only begun is meant, however much of it is missing. */
	if (n >= 3 && !strncmp(s->typed, word, n))
		distance = 1;
	if (distance > (n < 4 ? 1 : n < 8 ? 2 : 3) || (s->best && distance >= s->distance))
		return;
	s->best = word;
	s->distance = distance;
}
