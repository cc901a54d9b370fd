/* Tables for spreadsheets and scripts: CSV as RFC 4180 has it, but lines end with LF. */
#ifndef CT_CSV_H
#define CT_CSV_H

#include <stdint.h>
#include <stdio.h>

/* Failures of writing are the FILE's, and looked at where it is closed. */
struct ct_csv {
	FILE *file;
	uint32_t column; /* of the row that is being written */
};

/* The first line: names with spaces between, snake_case, times end in _ns. */
void ct_csv_header(struct ct_csv *c, const char *names);
/*
 * The next cell of a row. text: NULL is an empty cell. A text that a spreadsheet
 * would take for a formula, since it begins with = + - @, a tab or a carriage
 * return, gets a ' before it (https://owasp.org/www-community/attacks/CSV_Injection):
 * names of threads, files and functions are chosen by who made the trace.
 */
void ct_csv_text(struct ct_csv *c, const char *text);
/* The same for what is known to be a number, with a sign or a point. */
void ct_csv_literal(struct ct_csv *c, const char *number);
void ct_csv_number(struct ct_csv *c, uint64_t n);
void ct_csv_end_row(struct ct_csv *c);

#endif
