/* Between the files of this folder. */
#ifndef FUZZ_PARTS_H
#define FUZZ_PARTS_H

#include "commands.h"

/* As a command. */
int fuzz_serve(struct ct_context *c);

#endif
