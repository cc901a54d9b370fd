/* Start of the preload. */
#ifndef CT_INIT_H
#define CT_INIT_H

#pragma GCC visibility push(hidden)

/* Path of libctrace.so as it was loaded. */
const char *ct_own_path(void);

#pragma GCC visibility pop

#endif
