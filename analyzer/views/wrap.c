/* See wrap.h. */
#include "wrap.h"

#include <string.h>

void ct_print_wrapped(const struct ct_out *o, enum ct_style style, int indent, int column, const char *text)
{
	bool first = true;

	if (style != CT_PLAIN)
		ct_style(o, style);
	for (; *text; text += *text == ' ') {
		size_t n = strcspn(text, " ");
		char word[1024];

		snprintf(word, sizeof(word), "%.*s", (int)(n < 1000 ? n : 1000), text);
		int width = ct_text_width(word);

		if (!first && column + 1 + width > o->width) {
			fprintf(o->file, "\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', o->file);
			column++;
		}
		fputs(word, o->file);
		first = false;
		column += width;
		text += n;
	}
	if (style != CT_PLAIN)
		ct_style(o, CT_PLAIN);
	fputc('\n', o->file);
}
