/* The screen: what is drawn where, and keys. See top.h. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "top.h"

#define FIRST_NS 300000000ull /* the first picture with times comes that soon */
#define PANE_MIN 14           /* lines of a screen that has a lower part */
#define PROMPT   64

enum mode { LIST, THREADS, THREAD, HELP };

struct screen {
	const struct ct_top_options *options;
	enum mode mode, before_help;
	struct ct_top top;
	bool open;             /* top is */
	json_t *rows;          /* to choose from; owned */
	uint32_t row;
	uint64_t delay_ns, next_ns;
	bool paused, quit;
	enum ct_top_pane pane;
	int sort;
	bool reverse;
	char filter[PROMPT];
	pid_t selected;        /* thread */
	uint32_t first;        /* line that is shown at the top */
	const char *prompt;    /* what is asked for; NULL: nothing */
	char answer[PROMPT];
	char note[300];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- drawing --- */

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

static void draw_bottom(struct screen *s, const char *keys)
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

/* Which thread is shown in which line: the n-th that is shown. */
static uint32_t shown_threads(const struct screen *s, pid_t *tids, uint32_t room, uint32_t *ret_selected)
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

static void draw_threads(struct screen *s)
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
	shown_threads(s, &none, 0, &selected);
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

static void draw_scrolled(struct screen *s, struct ct_lines *l, const char *keys)
{
	uint32_t rows = LINES > 1 ? (uint32_t)LINES - 1 : 0;

	if (s->first + rows > l->line_count)
		s->first = l->line_count > rows ? l->line_count - rows : 0;
	draw_lines(l, s->first, 0, (int)rows);
	ct_lines_free(l);
	draw_bottom(s, keys);
}

static void draw_help(struct screen *s)
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

static void redraw(struct screen *s)
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

/* --- looking --- */

static void look(struct screen *s)
{
	if (s->mode == LIST || !s->open) {
		char wrong[256];
		json_t *all = ct_top_processes(wrong);

		json_decref(s->rows);
		s->rows = all;
		if (s->row >= json_array_size(all))
			s->row = json_array_size(all) ? (uint32_t)json_array_size(all) - 1 : 0;
		snprintf(s->note, sizeof(s->note), "%s", json_array_size(all) ? wrong : "no process of yours is traced: q ends");
		return;
	}
	if (s->top.ended)
		return;
	if (ct_top_look(&s->top)) {
		ct_top_sort(&s->top.now, s->sort, s->reverse);
		*s->note = 0;
		return;
	}
	char *why = ct_top_plain(s->top.why);

	snprintf(s->note, sizeof(s->note), "%.250s%s", why ? why : "", s->top.ended ? ": this was the last. q Quit" : "");
	free(why);
}

static void open_row(struct screen *s)
{
	json_t *row = json_array_get(s->rows, s->row);

	if (!row)
		return;
	if (s->open)
		ct_top_close(&s->top);
	ct_top_open(&s->top, s->options, row);
	s->open = true;
	s->mode = THREADS;
	s->first = 0;
	s->selected = 0;
	s->paused = false;
	look(s);
	/* It has ended meanwhile. */
	if (!s->top.now.now_ns) {
		s->mode = LIST;
		s->next_ns = now_ns() + s->delay_ns;
		return;
	}
	s->next_ns = now_ns() + (s->delay_ns < FIRST_NS ? s->delay_ns : FIRST_NS);
}

static void sort_by(struct screen *s, int column)
{
	s->sort = column;
	s->reverse = false;
	s->first = 0;
	ct_top_sort(&s->top.now, s->sort, s->reverse);
}

/* --- keys --- */

/* Goes to the thread that is so many lines away. */
static void go(struct screen *s, int lines)
{
	uint32_t room = s->top.now.thread_count, selected;
	pid_t *tids = calloc(room + 1u, sizeof(*tids));
	uint32_t n = tids ? shown_threads(s, tids, room, &selected) : 0;

	if (n) {
		int64_t to = (int64_t)selected + lines;

		s->selected = tids[to < 0 ? 0 : to >= n ? n - 1 : to];
	}
	free(tids);
}

static void prompt_key(struct screen *s, int key)
{
	size_t n = strlen(s->answer);

	if (key == 27) {
		s->prompt = NULL;
	} else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		if (*s->prompt == 'S' && *s->answer && ct_top_delay(s->answer, &s->delay_ns))
			snprintf(s->note, sizeof(s->note), "%s: not a time of at least 0.1 s", s->answer);
		else if (*s->prompt == 'S')
			s->next_ns = 0;
		else
			memcpy(s->filter, s->answer, sizeof(s->filter));
		s->first = 0;
		s->prompt = NULL;
	} else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n) {
		s->answer[n - 1] = 0;
	} else if (key >= 32 && key < 127 && n + 1 < sizeof(s->answer)) {
		s->answer[n] = (char)key;
		s->answer[n + 1] = 0;
	}
}

static void ask(struct screen *s, const char *prompt)
{
	s->prompt = prompt;
	*s->answer = 0;
	*s->note = 0;
}

static void list_key(struct screen *s, int key)
{
	if ((key == KEY_UP || key == 'k') && s->row)
		s->row--;
	else if ((key == KEY_DOWN || key == 'j') && s->row + 1 < json_array_size(s->rows))
		s->row++;
	else if (key == '\n' || key == '\r' || key == KEY_ENTER)
		open_row(s);
}

static void move_key(struct screen *s, int key)
{
	int page = LINES > 10 ? LINES / 2 : 5, by = 0;

	switch (key) {
	case KEY_UP:
		by = -1;
		break;
	case KEY_DOWN:
		by = 1;
		break;
	case KEY_PPAGE:
		by = -page;
		break;
	case KEY_NPAGE:
		by = page;
		break;
	case KEY_HOME:
		by = -1000000;
		break;
	case KEY_END:
		by = 1000000;
		break;
	default:
		return;
	}
	if (s->mode == THREADS)
		go(s, by);
	else if (by < 0 && s->first < (uint32_t)-by)
		s->first = 0;
	else
		s->first += (uint32_t)by;
}

static void back(struct screen *s)
{
	s->first = 0;
	s->next_ns = 0;
	if (s->mode == THREAD)
		s->mode = THREADS;
	else if (s->mode == THREADS)
		s->mode = LIST;
	s->top.whole = 0;
}

static void threads_key(struct screen *s, int key)
{
	static const int columns[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	const int last = (int)(sizeof(columns) / sizeof(columns[0])) - 1;

	for (int i = 0; ct_top_columns[i].key; i++)
		if (ct_top_columns[i].letter && key == ct_top_columns[i].letter)
			sort_by(s, i);
	switch (key) {
	case 'T':
		sort_by(s, ct_top_column_of("age"));
		break;
	case '<':
		sort_by(s, s->sort ? s->sort - 1 : last);
		break;
	case '>':
		sort_by(s, s->sort < last ? s->sort + 1 : 0);
		break;
	case 'I':
		s->reverse = !s->reverse;
		ct_top_sort(&s->top.now, s->sort, s->reverse);
		break;
	case 't':
	case '\t':
		s->pane = s->pane == CT_PANE_SITES ? CT_PANE_LOCKS : s->pane == CT_PANE_LOCKS ? CT_PANE_CAUSES :
			  s->pane == CT_PANE_CAUSES ? CT_PANE_NONE : CT_PANE_SITES;
		break;
	case '/':
		ask(s, "Threads (name or tid, empty: all): ");
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
		go(s, 0);
		s->top.whole = s->selected;
		s->mode = THREAD;
		s->first = 0;
		look(s);
		break;
	}
}

static void take_key(struct screen *s, int key)
{
	if (key == KEY_RESIZE)
		return;
	if (s->prompt) {
		prompt_key(s, key);
		return;
	}
	if (s->mode == HELP) {
		s->mode = s->before_help;
		return;
	}
	switch (key) {
	case 'q':
	case 'Q':
		s->quit = true;
		return;
	case 'h':
	case '?':
	case KEY_F(1):
		s->before_help = s->mode;
		s->mode = HELP;
		return;
	case 12:
		clearok(curscr, TRUE);
		return;
	case ' ':
	case 'p':
		s->paused = !s->paused && s->mode != LIST;
		return;
	case 'd':
	case 's':
		ask(s, "Seconds between two pictures: ");
		return;
	case 27:
	case KEY_BACKSPACE:
	case 127:
		back(s);
		return;
	}
	if (s->mode == LIST)
		list_key(s, key);
	else if (s->mode == THREADS)
		threads_key(s, key);
	if (s->mode != LIST)
		move_key(s, key);
}

/* Waits for a key or the next picture. False: nobody is at the terminal any more. */
static bool wait_for_key(const struct screen *s)
{
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };
	uint64_t now = now_ns();
	int ms = s->paused ? -1 : s->next_ns > now ? (int)((s->next_ns - now) / 1000000u) + 1 : 0;

	return poll(&p, 1, ms) < 0 ? errno == EINTR : !(p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void loop(struct screen *s)
{
	while (!s->quit) {
		if (!s->paused && now_ns() >= s->next_ns) {
			look(s);
			s->next_ns = now_ns() + s->delay_ns;
		}
		redraw(s);
		if (!wait_for_key(s))
			return;
		for (int key; !s->quit && (key = getch()) != ERR;)
			take_key(s, key);
	}
}

int ct_top_screen(const struct ct_top_options *o, json_t *rows, char ret_wrong[256])
{
	struct screen s = { .options = o, .delay_ns = o->delay_ns, .pane = CT_PANE_SITES, .rows = json_incref(rows) };
	SCREEN *terminal = newterm(NULL, stdout, stdin);

	if (!terminal) {
		snprintf(ret_wrong, 256, "TERM=%.100s: such a terminal is not known: -b prints lines", getenv("TERM"));
		json_decref(rows);
		return -1;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	if (!o->no_color && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_GREEN, -1);
		init_pair(2, COLOR_YELLOW, -1);
		init_pair(3, COLOR_RED, -1);
	}
	s.sort = ct_top_column_of(o->sort ? o->sort : "run");
	if (o->thread)
		snprintf(s.filter, sizeof(s.filter), "%s", o->thread);
	if (json_array_size(rows) == 1)
		open_row(&s);
	loop(&s);
	endwin();
	delscreen(terminal);
	if (s.open)
		ct_top_close(&s.top);
	json_decref(s.rows);
	return 0;
}
