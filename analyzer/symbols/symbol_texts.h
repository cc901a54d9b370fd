/* The texts of debug data, made readable and kept, each once. All return a text that
 * lives as long as s, or NULL: without memory, or if NULL was given. What is given
 * must stay where it is as long as s lives: texts are found again by their address. */
#ifndef CT_SYMBOL_TEXTS_H
#define CT_SYMBOL_TEXTS_H

#include "symbols.h"

/* A copy that is fit for terminals and JSON. */
const char *ct_symbol_text(struct ct_symbols *s, const char *text);
/* A linkage name without its version, demangled if it is one of C++, Rust or D. */
const char *ct_symbol_name(struct ct_symbols *s, const char *name);
/* A source path, made absolute by the folder of its compilation, without "..". */
const char *ct_symbol_path(struct ct_symbols *s, const char *path, const char *folder);
/* Keeps a text of the heap, and takes it over. */
const char *ct_symbol_keep(struct ct_symbols *s, char *text);

#endif
