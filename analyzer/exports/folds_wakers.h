/* Between folds.c and folds_wakers.c. */
#ifndef CT_FOLDS_WAKERS_H
#define CT_FOLDS_WAKERS_H

#include "callstacks.h"
#include "folds.h"
#include "grouping.h"

/* A fold that is being put together. */
struct ct_folder {
	struct ct_symbols *symbols;
	ct_fold_taker *take;
	void *self;
	CT_ARRAY(const char *, frame);
	CT_ARRAY(char *, kept); /* texts of the fold that nobody else owns */
	struct ct_grouping grouping; /* of --group-by; by waker: none */
	bool failed;            /* no memory */
};

void ct_fold_add(struct ct_folder *f, const char *text);
void ct_fold_stack(struct ct_folder *f, const struct ct_callstacks *c, uint32_t callstack, bool innermost_first);
/* Gives it away and begins the next one. 0 or -errno. */
int ct_fold_give(struct ct_folder *f, const char *cause, uint64_t count, uint64_t ns);

/* Reads the trace once more for who ended each wait. 0 or -errno. */
int ct_fold_wakers(struct ct_folder *f, const struct ct_model *m, struct ct_reader *r);

#endif
