/* One line on a terminal that says how far long work has come; it is erased when the work
 * is done, or when something is printed. Nothing is shown in the first second. */
#ifndef CT_PROGRESS_H
#define CT_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on, if standard error is a terminal. */
void ct_progress_begin(void);
/* So many bytes of a pass over the file are done; whole 0: it is not known how many there are.
 * Cheap. */
void ct_progress(uint64_t done, uint64_t whole);
/* No more: erases the line. May be called often. */
void ct_progress_end(void);

/* How far a thread's reading has come, for another thread to look at; nothing is shown then. */
struct ct_progress_watch {
	_Atomic uint64_t done, whole; /* bytes of a pass */
	atomic_bool stop;             /* set by the other: ct_reader_next returns -ECANCELED */
};

/* Of this thread, from now on; NULL: no more. */
void ct_progress_watch(struct ct_progress_watch *watch);
bool ct_progress_stopped(void);

#endif
