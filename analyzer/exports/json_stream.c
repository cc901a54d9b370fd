/* See json_stream.h. */
#include "json_stream.h"

#include <errno.h>
#include <string.h>

void ct_js_raw(struct ct_buf *b, const char *text)
{
	ct_put_bytes(b, text, strlen(text));
}

void ct_js_part(struct ct_buf *b, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\"\\");

		ct_put_bytes(b, text, n);
		text += n;
		if (!*text)
			break;
		ct_put_bytes(b, (const char[]){ '\\', *text++ }, 2);
	}
}

void ct_js_text(struct ct_buf *b, const char *text)
{
	ct_put_bytes(b, "\"", 1);
	ct_js_part(b, text);
	ct_put_bytes(b, "\"", 1);
}

void ct_js_uint(struct ct_buf *b, uint64_t value)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + value % 10);
	while (value /= 10);
	ct_put_bytes(b, p, (size_t)(digits + sizeof(digits) - p));
}

void ct_js_int(struct ct_buf *b, int64_t value)
{
	if (value < 0)
		ct_put_bytes(b, "-", 1);
	ct_js_uint(b, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void ct_js_decimal(struct ct_buf *b, uint64_t ns, uint64_t unit_ns)
{
	uint64_t rest = ns % unit_ns;
	char digits[10];
	size_t n = 0;

	ct_js_uint(b, ns / unit_ns);
	if (!rest)
		return;
	digits[n++] = '.';
	for (; rest; rest %= unit_ns) {
		unit_ns /= 10;
		digits[n++] = (char)('0' + rest / unit_ns);
	}
	ct_put_bytes(b, digits, n);
}

int ct_js_flush(struct ct_buf *b, FILE *file, size_t at_least)
{
	if (b->failed)
		return -ENOMEM;
	if (b->size < at_least)
		return 0;
	fwrite(b->data, 1, b->size, file);
	ct_buf_clear(b);
	return ferror(file) ? 1 : 0;
}
