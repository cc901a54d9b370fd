/*
 * Wrappers that must leave the stack and the caller as they found them, or end in a jump: each is an entry in
 * assembly (arch_*.c) that passes the call on, or goes to a function here.
 */
#ifndef CT_ENTRIES_H
#define CT_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "real.h"

#pragma GCC visibility push(hidden)

/* Whether what dlopen does depends on who calls it: then it is passed on by a jump. */
bool ct_dlopen_depends(const char *path, const void *caller);
void *ct_dlopen_timed(const char *path, int mode);
/* For handles other than RTLD_DEFAULT and RTLD_NEXT, which search from the caller's place. */
void *ct_dlsym_timed(void *handle, const char *name);

#define CT_RAW_CALLS 512u
/* What to do with a system call; 0: it cannot wait, and is passed on by a jump. */
extern const struct ct_raw {
	uint8_t what, cause, object_kind, fill;
} ct_raw[CT_RAW_CALLS];
long ct_syscall_other(long number, long a, long b, long c, long d, long e, long f);

#pragma GCC visibility pop

_Static_assert(sizeof(struct ct_raw) == 4, "as syscall indexes it");
_Static_assert((long)RTLD_DEFAULT == 0 && (long)RTLD_NEXT == -1, "as dlsym compares them");

#endif
