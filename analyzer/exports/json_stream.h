/*
 * JSON that is written as it comes. The writer of the format says what follows what;
 * these know how values look. Texts must be valid UTF-8 without control characters, as
 * those of the model and of symbols are.
 */
#ifndef CT_JSON_STREAM_H
#define CT_JSON_STREAM_H

#include <stdio.h>

#include "codec.h"

/* As it is: punctuation, and names with theirs. */
void ct_js_raw(struct ct_buf *b, const char *text);
/* What stands between quotes; and with them. */
void ct_js_part(struct ct_buf *b, const char *text);
void ct_js_text(struct ct_buf *b, const char *text);
void ct_js_uint(struct ct_buf *b, uint64_t value);
void ct_js_int(struct ct_buf *b, int64_t value);
/* Nanoseconds as a number of units of unit_ns, exactly: a power of ten up to 10^9. */
void ct_js_decimal(struct ct_buf *b, uint64_t ns, uint64_t unit_ns);
/* Writes what was gathered if it is at least so much. 0, -ENOMEM; 1: the file takes no
 * more, and whoever opened it says why. */
int ct_js_flush(struct ct_buf *b, FILE *file, size_t at_least);

#endif
