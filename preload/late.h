/* Tracing that begins while the program runs: see late.c, patch.c. */
#ifndef CT_LATE_H
#define CT_LATE_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Whether the library was loaded after libc, so that no call comes to it by itself. */
bool ct_is_late(void);
/* The object whose scope is that of the program. */
struct link_map *ct_main_map(void);

struct ct_patched {
	uint64_t done, left; /* slots */
};
/* Leads the slots of all modules to the wrappers (to: true), or back to what is behind these.
 * Only under the loader's lock: what is being loaded has not all of its slots yet, what is
 * being unloaded has none any more. */
struct ct_patched ct_patch(bool to);
/* The wrappers' addresses, once; before the first ct_patch. */
void ct_patch_prepare(void);

/* In a process that was attached to: a module has been loaded. Not under the loader's lock. */
void ct_late_loaded(void);
/* In the child of a fork: what another thread was about in the parent is not done here. */
void ct_late_forked(void);

/* The mapping of the calling process that holds address. False: there is none, or it is not known. */
bool ct_mapping_at(uint64_t address, uint64_t *ret_start, uint64_t *ret_end, int *ret_protection);

#pragma GCC visibility pop

#endif
