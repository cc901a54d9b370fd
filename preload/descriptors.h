/* What a descriptor is: found out once in its life, when a thread blocked on it. */
#ifndef CT_DESCRIPTORS_H
#define CT_DESCRIPTORS_H

#include <stdbool.h>

#include "region.h"

#pragma GCC visibility push(hidden)

/* Replaces the event's object, a bare descriptor, by descriptor id << 32 | fd,
 * and a cause that stands for any descriptor (FILE) by that of its kind. Makes
 * system calls, none that sets errno. before: the event's call has not begun. */
void ct_descriptor(struct ct_event *event, bool before);

#pragma GCC visibility pop

#endif
