/* Parts of the sentences of findings. */
#ifndef CT_FINDINGS_WORDS_H
#define CT_FINDINGS_WORDS_H

#include "findings.h"
#include "text.h"

enum ct_say {
	CT_SAY_CAPITAL = 1, /* at the begin of a sentence */
	CT_SAY_NAMES = 2,   /* each by name */
};

/* "redis-server's main thread", "thread worker-3 (123)", "3 of 4 worker-* threads", "8 of 19 postgres processes".
 * Keys of t are indices of threads, in order of weight. */
void ct_say_threads(struct ct_findings *f, FILE *out, const struct ct_tallies *t, int how);
/* "threads", "processes" */
const char *ct_say_unit(const struct ct_findings *f, const struct ct_tallies *t);
/* ", in process() at x.c:12" after the text before; nothing where there is no call stack. */
void ct_say_place(FILE *out, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack, const char *before);
/* An object's label, not too long. */
void ct_say_object(FILE *out, const char *label);
/* " of FILE and 3 more" */
void ct_say_of(FILE *out, const struct ct_finding *x);
/* The command line that shows more, with the selection of this one. NULL without memory. */
char *ct_finding_next(struct ct_findings *f, const struct ct_finding *x);
/* "lock", "wait"... */
const char *ct_finding_name(enum ct_finding_kind kind);

#endif
