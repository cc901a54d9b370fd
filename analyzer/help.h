/* What --help prints, and the texts that the manual has in common with it. */
#ifndef CT_HELP_H
#define CT_HELP_H

#include <stdio.h>

#include "commands.h"

/* Of a command, or with NULL of the program. */
void ct_help_print(FILE *f, const struct ct_command *command);

/* Lines, two columns: a form and what it means. */
extern const char ct_help_moments[], ct_help_filters[], ct_help_environment[], ct_help_exit[];

/* Whether a command takes an option. */
bool ct_help_takes(const struct ct_command *command, const char *option);

#endif
