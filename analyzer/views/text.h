/* Plain text for people: units, columns, colour. */
#ifndef CT_TEXT_H
#define CT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ct_out {
	FILE *file;
	bool color;
	int width; /* columns of the terminal; 80 where there is none */
};

/* What is emphasised, and how. */
enum ct_style {
	CT_PLAIN,
	CT_TITLE,
	CT_FAINT,
	CT_GOOD,
	CT_WARN,
	CT_BAD,
};

#define CT_FORMAT 32 /* bytes that a formatted number takes at most */

/* Formats into to, and returns it: "850 ns", "12.3 µs", "45.6 ms", "1.23 s", "2 m 03 s". */
const char *ct_format_ns(char to[CT_FORMAT], uint64_t ns);
/* "12,345", "1.23 M" */
const char *ct_format_count(char to[CT_FORMAT], uint64_t n);
/* "45 %", "<1 %"; "-" if the whole is 0. */
const char *ct_format_share(char to[CT_FORMAT], uint64_t part, uint64_t whole);
/* "123 bytes", "1.23 MB" */
const char *ct_format_bytes(char to[CT_FORMAT], uint64_t n);

/* Columns that a UTF-8 text takes (one a character). */
int ct_text_width(const char *text);
/* The bytes of the most whole characters that fit into so many: half a one is no UTF-8. */
size_t ct_text_whole(const char *text, size_t bytes);

void ct_style(const struct ct_out *o, enum ct_style style);
__attribute__((format(printf, 3, 4))) void ct_print(const struct ct_out *o, enum ct_style style,
						    const char *format, ...);
/* Text padded to width columns: at its right end, or with width < 0 at its left
 * (right-aligned). Longer texts lose their middle. */
void ct_column_text(const struct ct_out *o, enum ct_style style, int width, const char *text);
/* The same without padding: the last column of a line. */
void ct_last_text(const struct ct_out *o, enum ct_style style, int width, const char *text);
void ct_column_ns(const struct ct_out *o, enum ct_style style, int width, uint64_t ns);
void ct_column_count(const struct ct_out *o, enum ct_style style, int width, uint64_t n);

#endif
