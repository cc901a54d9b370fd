/* What --help prints, and the texts that the manual has in common with it. */
#ifndef CT_HELP_H
#define CT_HELP_H

#include <stdio.h>

#include "commands.h"

/* Of a command, or with NULL of the program. */
void ct_help_print(FILE *f, const struct ct_command *command);

/* Lines, two columns: a form and what it means. */
extern const char ct_help_moments[], ct_help_filters[], ct_help_environment[], ct_help_exit[];

/* What a column of --csv means; name: n bytes. "": no row says so. */
const char *ct_help_column(const struct ct_command *command, const char *name, size_t n);
/* The columns of the text, one a call: *place is 0 at first. help: lines with '\n' between. */
bool ct_help_head(const struct ct_command *command, size_t *place, const char **name, const char **help);

/* Whether a command takes an option. */
bool ct_help_takes(const struct ct_command *command, const char *option);

#endif
