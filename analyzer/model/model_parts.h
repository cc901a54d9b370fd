/* What the files of the model share among themselves. */
#ifndef CT_MODEL_PARTS_H
#define CT_MODEL_PARTS_H

#include "model.h"
#include "model_events.h"

/* Steps of ct_model_load: an empty model; between records and events, what is
 * missing, the window and the selection; after the events, the books. */
void ct_model_init(struct ct_model *m, const struct ct_options *o);
int ct_model_select(struct ct_model *m);
int ct_model_window(struct ct_model *m); /* from_ns, to_ns; 0 or -EINVAL */
int ct_model_finish(struct ct_model *m);
/* What a pass over the records has seen so far. Zero-initialise. */
struct ct_record_pass {
	struct ct_switches_decoder slices;
	uint64_t last_ns, last_event_ns;
	uint64_t index_hash, index_end, index_offset; /* of the chunks; where the INDEX chunk is, end 0: none was there */
	uint32_t index_count;
};

/* Takes in a chunk as far as the first pass does. gaps: those between slices, too. 0, -ENOMEM, -errno. */
int ct_model_first_pass(struct ct_record_pass *p, struct ct_model *m, struct ct_reader *r, const struct ct_chunk *c, bool gaps);
/* So far has been read: when the trace ends. */
void ct_model_first_end(const struct ct_record_pass *p, struct ct_model *m, const struct ct_reader *r);
void ct_record_pass_free(struct ct_record_pass *p);
/* Takes in a chunk of events. 0, -ENOMEM, -errno. */
int ct_model_second_pass(struct ct_model *m, struct ct_reader *r, struct ct_event_pass *pass, const struct ct_chunk *c,
			 uint32_t process);

/* A copy of what records and threads are known to be: of a model that stays as long, since it has texts of it. It has
 * no states, sites, cells, locks, waits and wakers. 0 or -ENOMEM; free in either case. */
int ct_model_copy(struct ct_model *ret, const struct ct_model *m);
/* The same as a model of which only the records have been read (ct_model_load_records), with a window of its own; the
 * options must select nothing else. 0, -EINVAL, -ENOMEM; free in any case. */
int ct_model_part(struct ct_model *ret, const struct ct_model *m, const struct ct_options *o);

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
