/* What the files of the model share among themselves. */
#ifndef CT_MODEL_PARTS_H
#define CT_MODEL_PARTS_H

#include "model.h"

/* Steps of ct_model_load: an empty model; between records and events, what is
 * missing, the window and the selection; after the events, the books. */
void ct_model_init(struct ct_model *m, const struct ct_options *o);
int ct_model_select(struct ct_model *m);
int ct_model_window(struct ct_model *m); /* from_ns, to_ns; 0 or -EINVAL */
int ct_model_finish(struct ct_model *m);
/* Takes in all records of a payload. 0, -ENOMEM, -EBADMSG. */
int ct_model_records(struct ct_model *m, struct ct_span payload);
/* Replaces a text, which may be NULL, by a record's. 0 or -ENOMEM. */
int ct_model_text(char **to, struct ct_text text);
int ct_model_take_module(struct ct_model *m, const struct ct_record_module *r);
int ct_model_take_stack(struct ct_model *m, const struct ct_record_stack *r);
int ct_model_take_code(struct ct_model *m, const struct ct_record_code *r);
int ct_model_take_descriptor(struct ct_model *m, const struct ct_record_descriptor *r);
/* Once all modules are there: makes them findable by address. 0 or -ENOMEM. */
int ct_model_order_modules(struct ct_model *m);
void ct_model_order_code(struct ct_model *m);

#endif
