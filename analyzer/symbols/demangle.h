/* Linkage names for people. */
#ifndef CT_DEMANGLE_H
#define CT_DEMANGLE_H

/* The name that C++, Rust (both schemes) or D made of a function's: a text that
 * the caller frees. NULL: it is none, it would be too long, or no memory. */
char *ct_demangle(const char *name);

#endif
