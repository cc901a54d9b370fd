/* What a report holds of a view: without the ends of its lists, where it would be too large. */
#ifndef CT_REPORT_CUT_H
#define CT_REPORT_CUT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The JSON of a view in at most so many bytes, as far as shorter lists can make it so: of lists
 * of objects, which begin with what weighs most, the first stay; of the critical path's legs the
 * longest, in their order. A text to be freed, NULL: it is no JSON, or there is no memory.
 * ret_left_out: objects.
 */
char *ct_report_cut(const uint8_t *text, size_t bytes, size_t most, uint64_t *ret_left_out);
/* The same of api/trace, which is left with that many lanes. */
char *ct_report_cut_trace(const uint8_t *text, size_t bytes, size_t most, uint64_t *ret_left_out);

#endif
