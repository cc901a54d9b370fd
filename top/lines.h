/* What the files that make lines of text share. See top.h. */
#ifndef CT_TOP_LINES_H
#define CT_TOP_LINES_H

#include "text.h"
#include "top.h"

/* Writes a line by the functions of text.h. */
struct ct_pen {
	struct ct_out out;
	char *text;
	size_t bytes;
};

/* False without memory. */
bool ct_line_begin(struct ct_pen *p, int width);
/* Takes it over as the next line; blanks at the end go. */
void ct_line_end(struct ct_pen *p, struct ct_lines *l, enum ct_style style, bool head);
/* A whole line. */
__attribute__((format(printf, 4, 5))) void ct_line_say(struct ct_lines *l, enum ct_style style, int width,
						       const char *format, ...);

/* NULL: there is none. */
const struct ct_top_thread *ct_top_thread_of(const struct ct_top *t, pid_t tid);
/* "name (tid)"; "mutex g_lock", "pipe fd 3", "sleep". The caller frees them; NULL without memory. */
char *ct_top_thread_label(const struct ct_top *t, pid_t tid);
char *ct_top_waits_for(struct ct_top *t, const struct ct_top_what *w);

#endif
