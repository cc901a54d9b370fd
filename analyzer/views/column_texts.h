/* What the columns of tables mean, by the names that JSON and CSV give them: for `explain` and the page. */
#ifndef CT_COLUMN_TEXTS_H
#define CT_COLUMN_TEXTS_H

struct ct_column_text {
	const char *name;
	const char *text; /* a sentence or two */
};

/* Up to one without a name. */
extern const struct ct_column_text ct_column_texts[];
const char *ct_column_text_of(const char *name); /* or NULL */

#endif
