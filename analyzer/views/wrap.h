/* Sentences in lines. */
#ifndef CT_WRAP_H
#define CT_WRAP_H

#include "text.h"

/* Prints words in lines of the width of o and ends the last one; the first begins at column, those that follow at
 * indent. A word that is longer than a line has one of its own. */
void ct_print_wrapped(const struct ct_out *o, enum ct_style style, int indent, int column, const char *text);

#endif
