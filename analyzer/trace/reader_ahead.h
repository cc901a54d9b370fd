/* The second thread of a reader: between reader.c and reader_ahead.c. */
#ifndef CT_READER_AHEAD_H
#define CT_READER_AHEAD_H

#include "reader.h"

/* As ct_reader_next. */
int ct_ahead_next(struct ct_reader *r, struct ct_chunk *ret);
/* As ct_reader_payload, into ret_error, if it is the chunk that was given last and
 * has been loaded. */
bool ct_ahead_payload(struct ct_reader *r, const struct ct_chunk *c, struct ct_span *ret, int *ret_error);
/* Ends the thread, if there is one. What the reader knows is as if there had been none. */
void ct_ahead_stop(struct ct_reader *r);

#endif
