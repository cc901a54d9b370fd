/* The texts of debug data, made readable and kept. All return a text that lives
 * as long as s, or NULL: without memory, or if NULL was given. */
#ifndef CT_SYMBOL_TEXTS_H
#define CT_SYMBOL_TEXTS_H

#include "symbols.h"

/* A copy that is fit for terminals and JSON. */
const char *ct_symbol_text(struct ct_symbols *s, const char *text);
/* A linkage name, demangled if it is one of C++ or Rust. */
const char *ct_symbol_name(struct ct_symbols *s, const char *name);
/* A source path, made absolute by the folder of its compilation, without "..". */
const char *ct_symbol_path(struct ct_symbols *s, const char *path, const char *folder);

#endif
