/* Building JSON: failures are remembered, and looked at once at the end. */
#ifndef CT_JSON_PARTS_H
#define CT_JSON_PARTS_H

#include <jansson.h>
#include <stdint.h>

#include "commands.h"

/* jansson's setters take over the value, and fail on NULL: one check of the
 * whole at the end would not see a lost member. */
void ct_json_begin(void);
bool ct_json_failed(void);
void ct_json_fail(void);

void ct_json_set(json_t *object, const char *key, json_t *value);
void ct_json_number(json_t *object, const char *key, uint64_t v);
/* null where it is no number. */
void ct_json_real(json_t *object, const char *key, double v);
void ct_json_text(json_t *object, const char *key, const char *v);
void ct_json_append(json_t *array, json_t *value);

/* The trace, as in every report: report_json.c. */
json_t *ct_json_trace(const struct ct_context *c, const struct ct_model *m);
/* The filters that were applied: report_filters.c. */
json_t *ct_json_filters(const struct ct_context *c, const struct ct_model *m);
/* The frames of a call stack: json_stacks.c. */
json_t *ct_json_stack(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack);

/* --- parts: json_sched.c --- */

/* What the states of threads stand on. */
json_t *ct_json_scheduler(const struct ct_model *m);
/* Adds what slices say of a thread. */
void ct_json_states(json_t *o, const struct ct_model *m, uint32_t thread);
json_t *ct_json_wakers(const struct ct_report *r);
/* The file and the calls, for stats. */
json_t *ct_json_file(const struct ct_context *c, const struct ct_model *m);
json_t *ct_json_calls(const struct ct_model *m);

#endif
