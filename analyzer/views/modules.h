/* The files that frames of stacks lie in, and what is known of their symbols here. */
#ifndef CT_MODULES_VIEW_H
#define CT_MODULES_VIEW_H

#include "commands.h"
#include "json_parts.h"
#include "symbols.h"

/* Opens the files, without asking servers for them. 0 or -ENOMEM. */
int ct_print_modules(const struct ct_context *c, const struct ct_model *m);
json_t *ct_json_modules(struct ct_symbols *s);

#endif
