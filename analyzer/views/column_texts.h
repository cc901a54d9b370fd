/*
 * What the columns of tables mean, by the names that JSON and CSV give them: in a few words, as --help and
 * the manual have them, and in a sentence or two for `explain` and the page.
 */
#ifndef CT_COLUMN_TEXTS_H
#define CT_COLUMN_TEXTS_H

#include <stddef.h>

struct ct_column_words {
	const char *name;
	const char *commands; /* names with spaces between: only of those; NULL: of all others */
	const char *help;     /* of --csv; NULL: no table has it */
	const char *text;     /* whatever the command; NULL: help says it, or another row of that name */
};

/* Up to one without a name. */
extern const struct ct_column_words ct_columns[];
/* In a few words; name: n bytes. "": no row says so. */
const char *ct_column_help(const char *command, const char *name, size_t n);
const char *ct_column_text_of(const char *name); /* or NULL */

#endif
