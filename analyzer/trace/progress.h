/* One line on a terminal that says how far long work has come; it is erased when the work
 * is done, or when something is printed. Nothing is shown in the first second. */
#ifndef CT_PROGRESS_H
#define CT_PROGRESS_H

#include <stdint.h>

/* From now on, if standard error is a terminal. */
void ct_progress_begin(void);
/* So many bytes of a pass over the file are done; whole 0: it is not known how many there are.
 * Cheap. */
void ct_progress(uint64_t done, uint64_t whole);
/* No more: erases the line. May be called often. */
void ct_progress_end(void);

#endif
