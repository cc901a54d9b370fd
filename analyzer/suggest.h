/* "Did you mean": the nearest of some words to one that was mistyped. */
#ifndef CT_SUGGEST_H
#define CT_SUGGEST_H

#include <stdint.h>

/* How many letters are to be added, left out, changed or swapped with their neighbour. */
uint32_t ct_distance(const char *a, const char *b);

/* Zero-initialise but for typed; show it all words; best is then the nearest that is near
 * enough, or NULL. */
struct ct_suggestion {
	const char *typed;
	const char *best;
	uint32_t distance;
};
void ct_suggest(struct ct_suggestion *s, const char *word);

#endif
