/* Defaults of options: CTRACE_ANALYZE_* variables and the user's file. See common/defaults.h. */
#ifndef CT_OPTION_DEFAULTS_H
#define CT_OPTION_DEFAULTS_H

#include "options.h"

/* Takes those that the command has and the command line has not; given: as ct_options_table. */
void ct_option_defaults(struct ct_options *o, const char *command, const bool *given);

#endif
