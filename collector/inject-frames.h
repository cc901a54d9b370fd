/* Where a held thread stands: whether dlopen may be called there. */
#ifndef CT_INJECT_FRAMES_H
#define CT_INJECT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ct_frames;

/* Reads the process's modules. NULL: that cannot be done. */
struct ct_frames *ct_frames_open(pid_t pid);
void ct_frames_close(struct ct_frames *f);
/* The thread is held at the entry of this system call. Whether it is in nothing that dlopen
 * could find half done: not in the allocator, nor the loader, nor a signal handler. */
bool ct_frames_are_safe(struct ct_frames *f, pid_t tid, long call);
/* Address of a function of libc; 0: it is not there. */
uint64_t ct_frames_libc(struct ct_frames *f, const char *name);
/* Room for code that nothing uses: behind a module's last instruction, to the end of the page.
 * 0: there is none of that size. Modules are asked in an order that is the same each time. */
uint64_t ct_frames_room(struct ct_frames *f, size_t bytes);

#endif
