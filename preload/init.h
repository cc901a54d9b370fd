/* Start of the preload. */
#ifndef CT_INIT_H
#define CT_INIT_H

#pragma GCC visibility push(hidden)

/* Path of libctrace.so as it was loaded. */
const char *ct_own_path(void);
/* Whose the allocator is: heap.c. After the symbols, before there are threads. */
void ct_heap_settle(void);

#pragma GCC visibility pop

#endif
