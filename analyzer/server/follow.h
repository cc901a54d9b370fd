/*
 * The trace that serve shows. A thread reads it while the server is up already, and again
 * when the file is another one: until that is done, what was read before is shown. One that
 * grows is read on while somebody looks (growth.h), and once as a whole when it has been
 * finished. One reading is in use, and at most one is being made; each has a generation.
 *
 *     GET api/progress      {"ready", "doing", "percent"}: how far the first reading is
 *         api/trace         as in api.h; waits for the first reading, as all of api/ does
 *
 * Requests are answered from the reading that was in use when they came; it stays until they
 * are done.
 *
 * Memory: that of two readings; of one more while a request of it is being answered.
 */
#ifndef CT_FOLLOW_H
#define CT_FOLLOW_H

#include "api.h"

struct ct_follow;

/* Begins to read the trace that the context has opened. 0, -ENOMEM, -errno. */
int ct_follow_start(struct ct_follow **ret, struct ct_context *c);
ct_answerer ct_follow_answer;
/* For struct ct_http_options: takes over what has been read. The first reading's failure is an
 * error, said in c->usage where it can be. */
int ct_follow_tick(void *self);
int ct_follow_wake_fd(const struct ct_follow *f);
/* Whom to tell when there is something to answer with. */
void ct_follow_tell(struct ct_follow *f, struct ct_http *http);
/* What damage the last reading found is in the context then. */
void ct_follow_stop(struct ct_follow *f);

#endif
