/*
 * While some families of calls were not recorded, time off the CPU that no call explains
 * may have been in calls of theirs: it counts as not recorded. What is unexplained so far is
 * noted when the switch comes, and again at the next: what came to it in between is taken
 * from unexplained when the books are made.
 *
 * A call that was under way at a switch may be counted there in part: never more is taken
 * than is unexplained in all.
 */
#ifndef CT_MODEL_PARTIAL_H
#define CT_MODEL_PARTIAL_H

#include "model.h"

/* Before the events of a process that end up to a moment after ns are taken in: its
 * switches until then. UINT64_MAX: those that are left, and the end. 0 or -ENOMEM. */
int ct_partial_until(struct ct_model *m, uint32_t process, uint64_t ns);
/* The same for all processes, once all events are there. */
int ct_partial_finish(struct ct_model *m);
/* In the books of a thread. */
void ct_partial_books(struct ct_thread_info *t);

#endif
