/* The inner loop: from EVENTS chunks to cells. See model.h. */
#ifndef CT_MODEL_EVENTS_H
#define CT_MODEL_EVENTS_H

#include "model.h"

/* What is reused from chunk to chunk. Zero-initialise. */
struct ct_event_pass {
	struct ct_events_decoder decoder;
	struct ct_resolved *resolved; /* one a site of the chunk */
	uint32_t resolved_capacity;
	struct ct_histogram *no_times; /* of events whose times are not wanted */
	uint64_t first_ns, last_ns;   /* of the chunk's events */
	bool marked;                  /* regions begin or end in the chunk, or did before it, or are asked for */
	bool sound;                   /* the next payload's events are known to be: columns.h */
};

/* Takes in the events of a process's chunk. 0, -ENOMEM, -EBADMSG: nothing was
 * taken in, or they are not those that the header says. */
int ct_model_events(struct ct_model *m, struct ct_event_pass *pass, struct ct_span payload, uint32_t process,
		    const struct ct_chunk_header *header);
void ct_event_pass_free(struct ct_event_pass *pass);

#endif
