/* Call stacks that are the same for a reader, though not in their addresses: one stands for all. */
#ifndef CT_ALIKE_H
#define CT_ALIKE_H

#include "callstacks.h"

struct ct_alike {
	struct ct_frame *frames; /* owned */
	uint32_t count, callstack;
};

struct ct_alikes {
	CT_ARRAY(struct ct_alike, alike);
	struct ct_table by_frames, by_callstack;
};

/* The call stack that stands for one; CT_NO for CT_NO. Reads symbols. 0 or -ENOMEM. */
int ct_alike_of(struct ct_alikes *a, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack,
		uint32_t *ret);
void ct_alikes_free(struct ct_alikes *a);

#endif
