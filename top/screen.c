/* The screen: pictures, keys, until there is enough. See top.h. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define FIRST_NS 300000000ull /* the first picture with times comes that soon */

uint64_t ct_screen_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void ct_screen_look(struct ct_screen *s)
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
	s->top.delay_ns = s->delay_ns;
	if (ct_top_look(&s->top)) {
		ct_top_sort(&s->top.now, s->sort, s->reverse);
		*s->note = 0;
		return;
	}
	char *why = ct_top_plain(s->top.why);

	snprintf(s->note, sizeof(s->note), "%.250s%s", why ? why : "", s->top.ended ? ": this was the last. q Quit" : "");
	free(why);
}

void ct_screen_open(struct ct_screen *s)
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
	ct_screen_look(s);
	/* It has ended meanwhile. */
	if (!s->top.now.now_ns) {
		s->mode = LIST;
		s->next_ns = ct_screen_now() + s->delay_ns;
		return;
	}
	s->next_ns = ct_screen_now() + (s->delay_ns < FIRST_NS ? s->delay_ns : FIRST_NS);
}

/* Waits for a key or the next picture. False: nobody is at the terminal any more. */
static bool wait_for_key(const struct ct_screen *s)
{
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };
	uint64_t now = ct_screen_now();
	int ms = s->paused ? -1 : s->next_ns > now ? (int)((s->next_ns - now) / 1000000u) + 1 : 0;

	return poll(&p, 1, ms) < 0 ? errno == EINTR : !(p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void loop(struct ct_screen *s)
{
	while (!s->quit) {
		if (!s->paused && ct_screen_now() >= s->next_ns) {
			ct_screen_look(s);
			s->next_ns = ct_screen_now() + s->delay_ns;
		}
		ct_screen_draw(s);
		if (!wait_for_key(s))
			return;
		for (int key; !s->quit && (key = getch()) != ERR;)
			ct_screen_key(s, key);
	}
}

int ct_top_screen(const struct ct_top_options *o, json_t *rows, char ret_wrong[256])
{
	struct ct_screen s = { .options = o, .delay_ns = o->delay_ns, .pane = CT_PANE_SITES, .rows = json_incref(rows) };
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
		ct_screen_open(&s);
	loop(&s);
	endwin();
	delscreen(terminal);
	if (s.open)
		ct_top_close(&s.top);
	json_decref(s.rows);
	return 0;
}
