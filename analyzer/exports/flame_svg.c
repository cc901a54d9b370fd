/* See flame_svg.h. The root is at the bottom; widths are times. */
#include "flame_svg.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH       1200.0
#define MARGIN      10.0
#define ROW         17u  /* pixels of a frame and the gap above it */
#define LETTER      6.7  /* of the 11 px monospace font */
#define HEAD        62u
#define FOOT        46u
/* What is narrower is not drawn: nobody sees it, and a graph stays small. */
#define NARROW      0.1
#define LEGEND_WIDE 108.0

static const char script[] =
#include "flame.js.h"
	;
static const char style[] =
#include "flame.css.h"
	;

/*
 * Eight colours that people tell apart however they see colours (Okabe and Ito, Color
 * Universal Design), each plain, striped, dotted and with bars: one a cause. Frames of
 * functions have a light tint of the colour of what most of their time went into.
 */
static const char *const colours[] = {
	"#d55e00", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442", "#999999",
};
#define COLOURS  8u
#define PATTERNS 4u

static const struct {
	const char *cause;
	uint8_t colour, pattern;
} looks[] = {
	{ "mutex", 0, 0 },    { "file", 1, 0 },	      { "rwlock", 2, 0 },   { "socket", 3, 0 },	  { "futex", 4, 0 },
	{ "cond", 5, 0 },     { "runnable", 6, 0 },   { "sleep", 7, 0 },    { "spin", 0, 1 },	  { "pipe", 1, 1 },
	{ "barrier", 2, 1 },  { "connect", 3, 1 },    { "once", 4, 1 },	    { "semaphore", 5, 1 }, { "malloc", 6, 1 },
	{ "poll", 7, 1 },     { "filelock", 0, 2 },   { "tty", 1, 2 },	    { "join", 2, 2 },	  { "dns", 3, 2 },
	{ "loader", 4, 2 },   { "eventfd", 5, 2 },    { "mmap", 6, 2 },	    { "unexplained", 7, 2 }, { "child", 1, 3 },
	{ "signal", 2, 3 },   { "accept", 3, 3 },     { "msgqueue", 5, 3 },
};
#define OTHER_LOOK (PATTERNS * COLOURS - 1)

static uint32_t look_of(const struct ct_flame_tree *t, uint32_t cause)
{
	for (size_t i = 0; cause != CT_NO && i < sizeof(looks) / sizeof(looks[0]); i++)
		if (!strcmp(t->text[cause], looks[i].cause))
			return looks[i].colour + COLOURS * looks[i].pattern;
	return OTHER_LOOK;
}

/* --- text --- */

/* XML has no control characters; the texts of a trace have none either. */
static void put_text(FILE *file, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes && text[i]; i++) {
		switch (text[i]) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			putc((unsigned char)text[i] < 0x20 ? ' ' : text[i], file);
		}
	}
}

/* As much of a text as fits, with two dots where it was cut: bytes, at a letter's end. */
static size_t fitting(const char *text, double pixels, bool *ret_cut)
{
	double room = (pixels - 6) / LETTER;
	size_t letters = room > 0 ? (size_t)room : 0, bytes = 0;

	*ret_cut = (size_t)ct_text_width(text) > letters;
	if (!*ret_cut)
		return strlen(text);
	if (letters < 3)
		return 0;
	for (size_t n = 0; text[bytes] && (n < letters - 2 || ((uint8_t)text[bytes] & 0xc0) == 0x80); bytes++)
		n += ((uint8_t)text[bytes + 1] & 0xc0) != 0x80;
	return bytes;
}

/* --- looks --- */

/* Half white. */
static void put_tint(FILE *file, const char *colour)
{
	unsigned int rgb = (unsigned int)strtoul(colour + 1, NULL, 16);

	fputc('#', file);
	for (int shift = 16; shift >= 0; shift -= 8)
		fprintf(file, "%02x", 255 - (255 - (rgb >> shift & 255)) * 2 / 5);
}

static void put_looks(FILE *file)
{
	static const char *const marks[PATTERNS] = {
		NULL, "<path d=\"M-2 2L2 -2M0 8L8 0M6 10L10 6\" stroke=\"#fff\" stroke-width=\"1.6\"/>",
		"<circle cx=\"4\" cy=\"4\" r=\"1.5\" fill=\"#fff\"/>",
		"<path d=\"M0 4H8\" stroke=\"#fff\" stroke-width=\"1.6\"/>",
	};

	fputs("<defs>\n", file);
	for (uint32_t k = COLOURS; k < COLOURS * PATTERNS; k++)
		fprintf(file, "<pattern id=\"p%u\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
			      "<rect width=\"8\" height=\"8\" fill=\"%s\"/>%s</pattern>\n",
			k, colours[k % COLOURS], marks[k / COLOURS]);
	fputs("</defs>\n<style>\n", file);
	fputs(style, file);
	for (uint32_t k = 0; k < COLOURS * PATTERNS; k++) {
		if (k < COLOURS) {
			fprintf(file, ".t%u rect{fill:", k);
			put_tint(file, colours[k]);
			fprintf(file, "}.c%u rect{fill:%s}\n", k, colours[k]);
		} else {
			fprintf(file, ".c%u rect{fill:url(#p%u)}\n", k, k);
		}
	}
	fputs("</style>\n", file);
}

static int by_time(const void *x, const void *y, void *sums)
{
	const uint64_t *ns = sums;
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return ns[a] < ns[b] ? 1 : ns[a] > ns[b] ? -1 : (a > b) - (a < b);
}

/* The causes of the graph, the most time first, as many as there is room for. */
static void put_legend(FILE *file, const struct ct_flame_tree *t)
{
	uint64_t *ns = calloc(t->text_count, sizeof(*ns));
	uint32_t *order = calloc(t->text_count, sizeof(*order)), n = 0;
	double x = MARGIN;

	for (uint32_t i = 0; ns && order && i < t->node_count; i++) {
		const struct ct_flame_node *node = &t->node[i];

		if (!node->is_cause)
			continue;
		if (!ns[node->text])
			order[n++] = node->text;
		/* One at least: it is in the list. */
		ns[node->text] += node->ns + !node->ns;
	}
	if (ns && order)
		qsort_r(order, n, sizeof(*order), by_time, ns);
	fputs("<g id=\"legend\">\n", file);
	for (uint32_t i = 0; i < n && x + LEGEND_WIDE <= WIDTH; i++, x += LEGEND_WIDE) {
		fprintf(file, "<g class=\"c%u\"><rect x=\"%.0f\" y=\"40\" width=\"22\" height=\"13\"/></g>"
			      "<text x=\"%.0f\" y=\"51\">", look_of(t, order[i]), x, x + 27);
		put_text(file, t->text[order[i]], 40);
		fputs("</text>\n", file);
	}
	fputs("</g>\n", file);
	free(ns);
	free(order);
}

/* --- frames --- */

static void put_node(FILE *file, const struct ct_flame_tree *t, const struct ct_flame_node *n, uint32_t height)
{
	double scale = t->node[0].ns ? (WIDTH - 2 * MARGIN) / (double)t->node[0].ns : 0;
	double x = MARGIN + (double)n->from_ns * scale;
	double width = n->depth ? (double)n->ns * scale : WIDTH - 2 * MARGIN;
	uint32_t y = height - FOOT - (n->depth + 1) * ROW;
	char time[CT_FORMAT], count[CT_FORMAT];
	uint32_t look = look_of(t, n->cause);
	bool cut;

	if (width < NARROW)
		return;
	if (n->is_cause)
		fprintf(file, "<g class=\"f c%u\"><title>", look);
	else
		fprintf(file, "<g class=\"f t%u\"><title>", n->depth ? look % COLOURS : COLOURS - 1);
	put_text(file, t->text[n->text], SIZE_MAX);
	fprintf(file, " (%s, %.2f %%, %s wait%s)</title><rect x=\"%.3f\" y=\"%u\" width=\"%.3f\" height=\"%u\"/>",
		ct_format_ns(time, n->ns), t->node[0].ns ? 100.0 * (double)n->ns / (double)t->node[0].ns : 100.0,
		ct_format_count(count, n->count), n->count == 1 ? "" : "s", x, y, width, ROW - 1);
	size_t bytes = fitting(t->text[n->text], width, &cut);

	fprintf(file, "<text x=\"%.2f\" y=\"%u\">", x + 3, y + 12);
	put_text(file, t->text[n->text], bytes);
	fputs(cut && bytes ? "..</text></g>\n" : "</text></g>\n", file);
}

void ct_flame_svg(FILE *file, const struct ct_flame_tree *t, const char *title, const char *note)
{
	uint32_t height = HEAD + FOOT + (t->depth + 1) * ROW;

	fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" height=\"%u\" "
		      "viewBox=\"0 0 %.0f %u\">\n<title>", WIDTH, height, WIDTH, height);
	put_text(file, title, SIZE_MAX);
	fputs("</title>\n", file);
	put_looks(file);
	fprintf(file, "<rect id=\"background\" width=\"%.0f\" height=\"%u\"/>\n<text id=\"head\" x=\"%.0f\" y=\"24\">",
		WIDTH, height, MARGIN);
	put_text(file, title, 150);
	fprintf(file, "</text>\n<text id=\"reset\" class=\"button\" x=\"%.0f\" y=\"24\">reset zoom</text>\n"
		      "<text id=\"search\" class=\"button\" x=\"%.0f\" y=\"24\">search</text>\n", WIDTH - 110, WIDTH - MARGIN);
	put_legend(file, t);
	fputs("<g id=\"frames\">\n", file);
	for (uint32_t i = 0; i < t->node_count && !ferror(file); i++)
		put_node(file, t, &t->node[i], height);
	fprintf(file, "</g>\n<text id=\"details\" x=\"%.0f\" y=\"%u\"></text>\n"
		      "<text id=\"matched\" x=\"%.0f\" y=\"%u\"></text>\n<text id=\"note\" x=\"%.0f\" y=\"%u\">",
		MARGIN, height - FOOT + 17, WIDTH - 330, height - FOOT + 17, MARGIN, height - 8);
	put_text(file, note, SIZE_MAX);
	fputs("</text>\n<script><![CDATA[\n", file);
	fputs(script, file);
	fputs("]]></script>\n</svg>\n", file);
}
