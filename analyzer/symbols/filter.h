/*
 * Which sites --object and --site select. What is decided is remembered: by stack for --site,
 * by object for --object. Symbols are read for what has to be decided, and for nothing else.
 *
 * An object matches by its label (objects.h). A lock that lies in no module has no lasting
 * name: it matches by its address, or as "mutex of PLACE" by any place where it was waited for.
 */
#ifndef CT_FILTER_H
#define CT_FILTER_H

#include "model.h"

struct ct_filter;

/* Of a model whose records are loaded; each expression may be NULL, and must be a valid one.
 * reader is left as it is: it is read by another one where places of locks are to be known.
 * 0, -ENOMEM, -errno; on anything but 0 nothing needs closing. */
int ct_filter_open(struct ct_filter **ret, const struct ct_model *m, const struct ct_reader *reader,
		   const char *object, const char *site);
void ct_filter_close(struct ct_filter *f); /* NULL is none */
/* Whether it selects a site: 1, 0 or -ENOMEM. */
int ct_filter_site(struct ct_filter *f, uint32_t process, const struct ct_site *site);
/* The parts. stack is one of the model, or CT_NO. */
int ct_filter_object(struct ct_filter *f, uint32_t process, const struct ct_site *site);
int ct_filter_stack(struct ct_filter *f, uint32_t stack);
bool ct_filter_has_site(const struct ct_filter *f);

#endif
