/* What the files of the screen share: it is drawn by screen-draw.c, keys are taken by screen-keys.c. */
#ifndef CT_TOP_SCREEN_H
#define CT_TOP_SCREEN_H

#include "top.h"

#define PROMPT 64

enum ct_screen_mode { LIST, THREADS, THREAD, HELP };

struct ct_screen {
	const struct ct_top_options *options;
	enum ct_screen_mode mode, before_help;
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

uint64_t ct_screen_now(void);
/* Takes the next picture, or the next list. */
void ct_screen_look(struct ct_screen *s);
/* Shows the program of the row. */
void ct_screen_open(struct ct_screen *s);
void ct_screen_draw(struct ct_screen *s);
/* The threads that are shown, in their order, and which of them is the selected one. Their number, at most room. */
uint32_t ct_screen_threads(const struct ct_screen *s, pid_t *tids, uint32_t room, uint32_t *ret_selected);
void ct_screen_key(struct ct_screen *s, int key);

#endif
