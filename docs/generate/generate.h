/* The manual and the completions of the shells, from the tables of commands and options. Each
 * writes one file to standard output. */
#ifndef GENERATE_H
#define GENERATE_H

#include <stdbool.h>

#include "ctl.h"
#include "export.h"
#include "help.h"
#include "run.h"
#include "top.h"

/* man.c; of a command, or with NULL of ctrace-analyze. */
void generate_man(const struct ct_command *command);
void generate_man_run(void);
/* bash.c, zsh.c, fish.c: of ctrace-analyze, or of ctrace-run. */
void generate_bash(bool run);
void generate_zsh(bool run);
void generate_fish(bool run);

/* ctl.c: the manual page and completions of ctrace-ctl. */
void generate_ctl(const char *what);

/* top.c: those of ctrace-top. */
void generate_top(const char *what);

/* options.c: docs/options.md. */
void generate_options(void);

/* man.c: parts of a page. Text is filled; lines of it that begin with blanks stay as they are. */
void man_head(const char *name, const char *summary);
void man_line(const char *text);
void man_text(const char *text);
void man_option(char letter, const char *name, const char *value, const char *help);

/* words.c: what an option's value can be, with spaces between. "": anything; NULL: a file. */
const char *value_words(const struct ct_option *option);
/* The causes and their categories. */
const char *cause_words(void);
/* A help text on one line, with what is special to the shell after "\": the caller frees it. */
char *one_line(const char *text, const char *special);
/* Whether a word of a value can be followed by another after a comma. */
bool is_list(const struct ct_option *option);

#endif
