/* Text for people. See text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

/* Three digits and a unit. */
static void three_digits(char to[CT_FORMAT], double v, const char *unit)
{
	int digits = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

	snprintf(to, CT_FORMAT, "%.*f %s", digits, v, unit);
}

const char *ct_format_ns(char to[CT_FORMAT], uint64_t ns)
{
	if (ns < 1000)
		snprintf(to, CT_FORMAT, "%u ns", (unsigned int)ns);
	else if (ns < 999500)
		three_digits(to, (double)ns / 1e3, "\xc2\xb5s");
	else if (ns < 999500000)
		three_digits(to, (double)ns / 1e6, "ms");
	else if (ns < 100000000000)
		three_digits(to, (double)ns / 1e9, "s");
	else if (ns < 6000000000000)
		snprintf(to, CT_FORMAT, "%u m %02u s", (unsigned int)(ns / 60000000000),
			 (unsigned int)(ns / 1000000000 % 60));
	else
		snprintf(to, CT_FORMAT, "%u h %02u m", (unsigned int)(ns / 3600000000000),
			 (unsigned int)(ns / 60000000000 % 60));
	return to;
}

const char *ct_format_count(char to[CT_FORMAT], uint64_t n)
{
	if (n < 1000)
		snprintf(to, CT_FORMAT, "%u", (unsigned int)n);
	else if (n < 1000000)
		snprintf(to, CT_FORMAT, "%u,%03u", (unsigned int)(n / 1000), (unsigned int)(n % 1000));
	else if (n < 999500000)
		three_digits(to, (double)n / 1e6, "M");
	else
		three_digits(to, (double)n / 1e9, "G");
	return to;
}

const char *ct_format_share(char to[CT_FORMAT], uint64_t part, uint64_t whole)
{
	double share = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!whole)
		snprintf(to, CT_FORMAT, "-");
	else if (part && share < 1)
		snprintf(to, CT_FORMAT, "<1 %%");
	else
		snprintf(to, CT_FORMAT, "%.0f %%", share);
	return to;
}

const char *ct_format_bytes(char to[CT_FORMAT], uint64_t n)
{
	if (n < 1000)
		snprintf(to, CT_FORMAT, "%u bytes", (unsigned int)n);
	else if (n < 999500)
		three_digits(to, (double)n / 1e3, "kB");
	else if (n < 999500000)
		three_digits(to, (double)n / 1e6, "MB");
	else
		three_digits(to, (double)n / 1e9, "GB");
	return to;
}

size_t ct_text_whole(const char *text, size_t bytes)
{
	size_t n = strnlen(text, bytes);

	while (n && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

int ct_text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

void ct_style(const struct ct_out *o, enum ct_style style)
{
	static const char *const codes[] = {
		[CT_PLAIN] = "\033[0m", [CT_TITLE] = "\033[1m", [CT_FAINT] = "\033[2m",
		[CT_GOOD] = "\033[32m", [CT_WARN] = "\033[33m", [CT_BAD] = "\033[31m",
	};

	if (o->color)
		fputs(codes[style], o->file);
}

void ct_print(const struct ct_out *o, enum ct_style style, const char *format, ...)
{
	va_list args;

	ct_progress_end();
	if (style != CT_PLAIN)
		ct_style(o, style);
	va_start(args, format);
	vfprintf(o->file, format, args);
	va_end(args);
	if (style != CT_PLAIN)
		ct_style(o, CT_PLAIN);
}

/* The place of a text's character number n. */
static const char *character(const char *text, int n)
{
	for (; *text; text++)
		if ((*text & 0xc0) != 0x80 && !n--)
			break;
	return text;
}

void ct_last_text(const struct ct_out *o, enum ct_style style, int width, const char *text)
{
	int taken = ct_text_width(text);

	if (style != CT_PLAIN)
		ct_style(o, style);
	if (taken > width && width > 4) {
		int head = (width - 3) / 2, tail = width - 3 - head;
		const char *end = character(text, head);

		fprintf(o->file, "%.*s...%s", (int)(end - text), text, character(text, taken - tail));
	} else {
		fputs(text, o->file);
	}
	if (style != CT_PLAIN)
		ct_style(o, CT_PLAIN);
}

void ct_column_text(const struct ct_out *o, enum ct_style style, int width, const char *text)
{
	int room = abs(width), taken = ct_text_width(text);

	if (width < 0 && taken < room)
		fprintf(o->file, "%*s", room - taken, "");
	ct_last_text(o, style, room, text);
	if (width > 0 && taken < room)
		fprintf(o->file, "%*s", room - taken, "");
}

void ct_column_ns(const struct ct_out *o, enum ct_style style, int width, uint64_t ns)
{
	char text[CT_FORMAT];

	ct_column_text(o, style, width, ct_format_ns(text, ns));
}

void ct_column_count(const struct ct_out *o, enum ct_style style, int width, uint64_t n)
{
	char text[CT_FORMAT];

	ct_column_text(o, style, width, ct_format_count(text, n));
}
