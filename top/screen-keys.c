/* What keys do. See screen.h. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

static void sort_by(struct ct_screen *s, int column)
{
	s->sort = column;
	s->reverse = false;
	s->first = 0;
	ct_top_sort(&s->top.now, s->sort, s->reverse);
}

/* Goes to the thread that is so many lines away. */
static void go(struct ct_screen *s, int lines)
{
	uint32_t room = s->top.now.thread_count, selected;
	pid_t *tids = calloc(room + 1u, sizeof(*tids));
	uint32_t n = tids ? ct_screen_threads(s, tids, room, &selected) : 0;

	if (n) {
		int64_t to = (int64_t)selected + lines;

		s->selected = tids[to < 0 ? 0 : to >= n ? n - 1 : to];
	}
	free(tids);
}

static void prompt_key(struct ct_screen *s, int key)
{
	size_t n = strlen(s->answer);

	if (key == 27) {
		s->prompt = NULL;
	} else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		if (*s->prompt == 'S' && *s->answer && ct_top_delay(s->answer, &s->delay_ns))
			snprintf(s->note, sizeof(s->note), "%s: not a time of 0.1 s to an hour", s->answer);
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

static void ask(struct ct_screen *s, const char *prompt)
{
	s->prompt = prompt;
	*s->answer = 0;
	*s->note = 0;
}

static void list_key(struct ct_screen *s, int key)
{
	if ((key == KEY_UP || key == 'k') && s->row)
		s->row--;
	else if ((key == KEY_DOWN || key == 'j') && s->row + 1 < json_array_size(s->rows))
		s->row++;
	else if (key == '\n' || key == '\r' || key == KEY_ENTER)
		ct_screen_open(s);
}

static void move_key(struct ct_screen *s, int key)
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

static void back(struct ct_screen *s)
{
	s->first = 0;
	s->next_ns = 0;
	s->paused = s->paused && s->mode == THREAD;
	if (s->mode == THREAD)
		s->mode = THREADS;
	else if (s->mode == THREADS)
		s->mode = LIST;
	s->top.whole = 0;
}

static void threads_key(struct ct_screen *s, int key)
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
		ct_screen_look(s);
		break;
	}
}

void ct_screen_key(struct ct_screen *s, int key)
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
