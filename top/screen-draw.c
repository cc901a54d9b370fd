/* What is drawn where. See screen.h. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"
#include "text.h"

#define PANE_MIN 14 /* lines of a screen that has a lower part */

static int attribute(int style, bool head, bool selected)
{
	bool colors = COLORS > 0 && COLOR_PAIRS > 3; /* they are set by start_color */

	if (head || selected)
		return A_REVERSE;
	switch (style) {
	case CT_TITLE:
		return A_BOLD;
	case CT_FAINT:
		return A_DIM;
	case CT_GOOD:
		return colors ? COLOR_PAIR(1) : 0;
	case CT_WARN:
		return colors ? COLOR_PAIR(2) : 0;
	case CT_BAD:
		return colors ? COLOR_PAIR(3) : A_BOLD;
	}
	return 0;
}

/* A line, as much of it as there is room for; a bar goes to the end. */
static void draw(int y, const char *text, int attributes)
{
	size_t n = 0;

	if (y < 0 || y >= LINES)
		return;
	for (int width = 0; text[n] && width < COLS; width++)
		do
			n++;
		while (((unsigned char)text[n] & 0xc0) == 0x80);
	attrset(attributes);
	move(y, 0);
	clrtoeol();
	if (attributes & A_REVERSE)
		mvhline(y, 0, ' ' | (chtype)attributes, COLS);
	mvaddnstr(y, 0, text, (int)n);
	attrset(0);
}

static void draw_lines(const struct ct_lines *l, uint32_t from, int y, int most)
{
	for (uint32_t i = from; i < l->line_count && most > 0; i++, y++, most--)
		draw(y, l->line[i].text, attribute(l->line[i].style, l->line[i].head, false));
}

static void draw_bottom(struct ct_screen *s, const char *keys)
{
	char line[PROMPT * 2 + 64];

	if (s->prompt)
		snprintf(line, sizeof(line), "%s%s", s->prompt, s->answer);
	if (s->prompt)
		draw(LINES - 1, line, A_BOLD);
	else
		draw(LINES - 1, *s->note ? s->note : keys, *s->note ? A_BOLD : A_REVERSE);
	if (s->prompt)
		move(LINES - 1, (int)strlen(line) < COLS ? (int)strlen(line) : COLS - 1);
	curs_set(s->prompt != NULL);
}

uint32_t ct_screen_threads(const struct ct_screen *s, pid_t *tids, uint32_t room, uint32_t *ret_selected)
{
	const struct ct_picture *p = &s->top.now;
	uint32_t n = 0;

	*ret_selected = 0;
	for (uint32_t i = 0; i < p->thread_count; i++) {
		if (!ct_top_shown(&p->thread[i], s->filter))
			continue;
		if (p->thread[i].tid == s->selected)
			*ret_selected = n;
		if (n < room)
			tids[n] = p->thread[i].tid;
		n++;
	}
	return n < room ? n : room;
}

static void draw_threads(struct ct_screen *s)
{
	struct ct_lines head = { 0 }, threads = { 0 }, pane = { 0 };
	int used = LINES >= 8 ? 4 : 1, below = 0, rows;
	uint32_t count, selected;
	pid_t none;

	ct_lines_header(&head, &s->top, COLS);
	ct_lines_threads(&threads, &s->top, s->filter, s->sort, COLS);
	if (s->pane != CT_PANE_NONE && LINES >= PANE_MIN)
		ct_lines_pane(&pane, &s->top, s->pane, COLS);
	/* The lower part takes a third at least, and what the upper one leaves. */
	if (pane.line_count) {
		int free_lines = LINES - used - (int)threads.line_count - 2;

		below = LINES / 3 > free_lines ? LINES / 3 : free_lines;
		below = below < (int)pane.line_count ? below : (int)pane.line_count;
	}
	rows = LINES - used - 1 - below - (below ? 1 : 0) - 1;
	if (rows < 0)
		rows = 0;
	ct_screen_threads(s, &none, 0, &selected);
	count = threads.line_count ? threads.line_count - 1 : 0;
	if (selected < s->first)
		s->first = selected;
	if (rows && selected >= s->first + (uint32_t)rows)
		s->first = selected - (uint32_t)rows + 1;
	if (s->first + (uint32_t)rows > count)
		s->first = count > (uint32_t)rows ? count - (uint32_t)rows : 0;
	draw_lines(&head, 0, 0, used > 1 ? used - 1 : 0);
	draw_lines(&threads, 0, used - 1 + (used > 1), 1);
	for (int i = 0; i < rows && s->first + (uint32_t)i < count; i++) {
		const struct ct_line *l = &threads.line[1 + s->first + (uint32_t)i];

		draw(used + (used > 1) + i, l->text, attribute(l->style, false, s->first + (uint32_t)i == selected));
	}
	if (below)
		draw_lines(&pane, 0, LINES - 1 - below, below);
	if (s->paused && LINES > 3)
		draw(3, "stopped: space goes on", A_BOLD);
	else if (*s->filter && LINES > 3) {
		char text[PROMPT + 32];

		snprintf(text, sizeof(text), "only threads: %s", s->filter);
		draw(3, text, A_BOLD);
	}
	ct_lines_free(&head);
	ct_lines_free(&threads);
	ct_lines_free(&pane);
	draw_bottom(s, "q Quit  h Help  t Below  < > Sort  / Filter  d Delay  space Stop  Enter Thread");
}

static void draw_scrolled(struct ct_screen *s, struct ct_lines *l, const char *keys)
{
	uint32_t rows = LINES > 1 ? (uint32_t)LINES - 1 : 0;

	if (s->first + rows > l->line_count)
		s->first = l->line_count > rows ? l->line_count - rows : 0;
	draw_lines(l, s->first, 0, (int)rows);
	ct_lines_free(l);
	draw_bottom(s, keys);
}

static void draw_help(struct ct_screen *s)
{
	char text[sizeof("ctrace-top " CTRACE_VERSION)] = "ctrace-top " CTRACE_VERSION;
	char *keys = strdup(ct_top_keys), *rest = keys;
	int y = 0;

	draw(y++, text, A_BOLD);
	y++;
	for (char *line; keys && (line = strsep(&rest, "\n"));)
		draw(y++, line, 0);
	draw(y++, "State: R runs, r is ready but has no CPU, B is blocked.", 0);
	draw(y++, "WAITING: threads that waited there on average; NOW: at this moment.", 0);
	free(keys);
	draw_bottom(s, "any key goes back");
}

void ct_screen_draw(struct ct_screen *s)
{
	struct ct_lines l = { 0 };

	erase();
	switch (s->mode) {
	case LIST:
		ct_lines_processes(&l, s->rows, COLS);
		draw_lines(&l, 0, 0, LINES - 1);
		if (s->row + 1 < l.line_count && s->row + 1 < (uint32_t)LINES)
			draw((int)s->row + 1, l.line[s->row + 1].text, A_REVERSE);
		ct_lines_free(&l);
		draw_bottom(s, "q Quit  Enter Show");
		break;
	case THREADS:
		draw_threads(s);
		break;
	case THREAD:
		ct_lines_thread(&l, &s->top, s->top.whole, COLS);
		draw_scrolled(s, &l, "q Quit  Esc Back  up, down Scroll  space Stop");
		break;
	case HELP:
		draw_help(s);
		break;
	}
	refresh();
}
