/* Texts of a trace are untrusted: made fit for terminals and JSON. */
#ifndef CT_CLEAN_H
#define CT_CLEAN_H

#include <stddef.h>

/* A copy of n bytes as valid UTF-8: bytes that are none become U+FFFD, control
 * characters '?', NUL and line ends a space; those at the end are dropped.
 * NULL without memory. The caller frees it. */
char *ct_clean(const char *p, size_t n);

#endif
