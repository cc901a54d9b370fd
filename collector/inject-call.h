/* A call in a thread that is held. See inject.h. */
#ifndef CT_INJECT_CALL_H
#define CT_INJECT_CALL_H

#include <stddef.h>

#include "inject-hold.h"

/* Loads the library in the held thread and calls its function(copy of data), which is read back;
 * lets the thread go, whatever comes of it. 0, or -1 and why not. */
int ct_inject_call(const struct ct_hold *h, struct ct_frames *frames, const char *library, const char *function, void *data,
		   size_t bytes, char ret_wrong[256]);

#endif
