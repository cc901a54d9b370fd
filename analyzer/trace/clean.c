/* Untrusted texts. See clean.h. */
#include "clean.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the valid UTF-8 character at p, 0: none is there. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	uint32_t c;
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		length = 2;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		length = 3;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		length = 4;
	else
		return 0;
	if (length > n)
		return 0;
	c = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates, beyond Unicode, and the C1 controls. */
	if ((length == 2 && c < 0xa0) || (length == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (length == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return length;
}

char *ct_clean(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	char *out = malloc(3 * n + 1), *to = out;

	if (!out)
		return NULL;
	while (n && (!p[n - 1] || p[n - 1] == '\n'))
		n--;
	while (n) {
		size_t length = utf8_length(p, n);

		if (!length) {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			length = 1;
		} else if (length == 1 && (*p < 0x20 || *p == 0x7f)) {
			*to++ = !*p || *p == '\n' || *p == '\t' ? ' ' : '?';
		} else {
			memcpy(to, p, length);
			to += length;
		}
		p += length;
		n -= length;
	}
	*to = 0;
	return out;
}
