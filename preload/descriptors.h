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
/* Finds out what an open descriptor is, and lets fdwakes.h know it. Makes system calls. */
void ct_descriptor_look(int fd);
/* The socket with that number is another channel's end from now on. */
void ct_descriptor_renew(int fd);
/* A descriptor with that number was closed. */
void ct_descriptor_forget(int fd);
/* In the child of a fork: who was changing an entry is not there. */
void ct_descriptors_forked(void);
/* All is forgotten: descriptors were closed without our seeing it, and the table is a new one. */
void ct_descriptors_renew(void);
/* The cause of waits on a kind of descriptor. */
uint8_t ct_descriptor_cause(uint32_t kind);

#pragma GCC visibility pop

#endif
