/* See csv.h. */
#include "csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "progress.h"

static void next(struct ct_csv *c)
{
	if (c->column++)
		fputc(',', c->file);
}

void ct_csv_header(struct ct_csv *c, const char *names)
{
	ct_progress_end();
	for (const char *at = names; *at; at++)
		fputc(*at == ' ' ? ',' : *at, c->file);
	fputc('\n', c->file);
}

void ct_csv_text(struct ct_csv *c, const char *text)
{
	next(c);
	if (!text)
		return;
	bool formula = *text && strchr("=+-@\t\r", *text);

	if (!text[strcspn(text, ",\"\r\n")]) {
		fprintf(c->file, "%s%s", formula ? "'" : "", text);
		return;
	}
	fprintf(c->file, "\"%s", formula ? "'" : "");
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', c->file);
		fputc(*text, c->file);
	}
	fputc('"', c->file);
}

void ct_csv_number(struct ct_csv *c, uint64_t n)
{
	next(c);
	fprintf(c->file, "%" PRIu64, n);
}

void ct_csv_literal(struct ct_csv *c, const char *number)
{
	next(c);
	fputs(number, c->file);
}

void ct_csv_end_row(struct ct_csv *c)
{
	fputc('\n', c->file);
	c->column = 0;
}
