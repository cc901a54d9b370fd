/*
 * Places in well-known programs and libraries: what a wait there means to who knows the program.
 * A wait for a condition or a descriptor looks idle, and is not where a program builds its own
 * locks of them: that is said here, too.
 */
#ifndef CT_KNOWN_H
#define CT_KNOWN_H

#include <stdbool.h>

#include "symbols.h"

struct ct_known {
	const char *module;   /* how the name of a frame's file begins; NULL: any */
	const char *function; /* one of the frames; NULL: any */
	const char *object;   /* how the object's label begins; NULL: any */
	const char *cause;    /* NULL: any */
	bool contention;      /* somebody has what is needed, whatever the cause's category */
	bool idle;            /* waiting for work, whatever the cause's category */
	const char *what;     /* what is waited for: part of a sentence */
	const char *advice;   /* a sentence; NULL: none */
};

/* The first that matches; NULL: none. */
const struct ct_known *ct_known_find(const struct ct_frame *frames, uint32_t count, const char *object,
				     const char *cause);
/* The frame that says most to a reader: the innermost one with a name that is neither of the C or C++
 * library nor of an allocator; then one without a name. CT_NO: there are no frames. */
uint32_t ct_frame_telling(const struct ct_frame *frames, uint32_t count);

#endif
