/* The shared objects that stacks point into, as the analyzer will need them. */
#ifndef CT_MODULES_H
#define CT_MODULES_H

#include <dlfcn.h>

#pragma GCC visibility push(hidden)

/* Notes an object in the region, once. Async-signal-safe. */
void ct_module_seen(const struct dl_find_object *object);
/* A shared object has been unloaded: its addresses may come to mean another. */
void ct_modules_changed(void);

#pragma GCC visibility pop

#endif
