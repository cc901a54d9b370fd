/* Start of the preload. */
#ifndef CT_INIT_H
#define CT_INIT_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Path of libctrace.so as it was loaded. */
const char *ct_own_path(void);
/* Whose the allocator is: heap.c. After the symbols, before there are threads. */
void ct_heap_settle(bool huge_pages);
/* What the constructor does, once, where it has left that to ctrace_attach: see late.c. */
void ct_settle_late(bool huge_pages);
/* Registers what follows a fork, once. */
void ct_settle_forks(void);

#pragma GCC visibility pop

#endif
