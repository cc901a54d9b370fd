/* Pictures as lines of text. See top.h. */
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "clean.h"
#include "lines.h"
#include "types.h"

#define WIDTH_MIN 40

void ct_lines_free(struct ct_lines *l)
{
	for (uint32_t i = 0; i < l->line_count; i++)
		free(l->line[i].text);
	free(l->line);
	*l = (struct ct_lines){ 0 };
}

char *ct_top_plain(const char *text)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char *plain = malloc(strlen(text) + 1), *to = plain;
	mbstate_t state = { 0 };

	if (!plain)
		return NULL;
	while (*text) {
		wchar_t c = 0;
		size_t n = (unsigned char)*text < 0x80 ? 1 : mbrtowc(&c, text, strlen(text), &state);

		if (n == 1 && (unsigned char)*text < 0x80) {
			*to++ = *text < 0x20 || *text == 0x7f ? '?' : *text;
		} else if (n > 4 || !utf8) {
			/* One question mark for a character, where the terminal has another set of them. */
			if (((unsigned char)*text & 0xc0) != 0x80)
				*to++ = '?';
			state = (mbstate_t){ 0 };
			n = 1;
		} else if (wcwidth(c) == 1) {
			memcpy(to, text, n);
			to += n;
		} else {
			*to++ = '?';
		}
		text += n;
	}
	*to = 0;
	return plain;
}

/* --- a line --- */

bool ct_line_begin(struct ct_pen *p, int width)
{
	*p = (struct ct_pen){ .out = { .width = width < WIDTH_MIN ? WIDTH_MIN : width } };
	p->out.file = open_memstream(&p->text, &p->bytes);
	return p->out.file != NULL;
}

void ct_line_end(struct ct_pen *p, struct ct_lines *l, enum ct_style style, bool head)
{
	if (fclose(p->out.file) || !p->text)
		return;
	while (p->bytes && p->text[p->bytes - 1] == ' ')
		p->text[--p->bytes] = 0;
	char *plain = ct_top_plain(p->text);
	struct ct_line *line = plain ? CT_APPEND(l, line) : NULL;

	free(p->text);
	if (line)
		*line = (struct ct_line){ plain, style, head };
	else
		free(plain);
}

void ct_line_say(struct ct_lines *l, enum ct_style style, int width, const char *format, ...)
{
	struct ct_pen p;
	va_list ap;
	char *text;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);

	va_end(ap);
	if (n < 0)
		return;
	if (ct_line_begin(&p, width)) {
		ct_last_text(&p.out, CT_PLAIN, p.out.width, text);
		ct_line_end(&p, l, style, false);
	}
	free(text);
}

/* --- what is waited for --- */

const struct ct_top_thread *ct_top_thread_of(const struct ct_top *t, pid_t tid)
{
	uint32_t at = ct_table_get(&t->now.by_tid, (uint64_t)tid);

	return at ? &t->now.thread[at - 1] : NULL;
}

char *ct_top_thread_label(const struct ct_top *t, pid_t tid)
{
	const struct ct_top_thread *th = ct_top_thread_of(t, tid);
	char *text;
	int n = th && *th->name ? asprintf(&text, "%s (%d)", th->name, tid) : asprintf(&text, "thread %d", tid);

	return n < 0 ? NULL : text;
}

char *ct_top_object(struct ct_top *t, const struct ct_top_what *w)
{
	char *text = NULL;
	int n = 0;

	switch (w->object_kind) {
	case CT_OBJECT_ADDRESS:
	case CT_OBJECT_FD:
		return ct_names_object(&t->names, w);
	case CT_OBJECT_THREAD:
		for (uint32_t i = 0; i < t->now.thread_count; i++)
			if (t->now.thread[i].pthread == w->object)
				return ct_top_thread_label(t, t->now.thread[i].tid);
		break;
	case CT_OBJECT_PID:
		n = asprintf(&text, w->object ? "process %" PRIu64 : "any child", w->object);
		break;
	case CT_OBJECT_ID:
		n = asprintf(&text, "%s %" PRIu64, ct_names_cause(&t->names, w->cause), w->object);
		break;
	}
	return n < 0 ? NULL : text ? text : strdup("");
}

char *ct_top_waits_for(struct ct_top *t, const struct ct_top_what *w)
{
	char *object = w->call ? ct_top_object(t, w) : NULL, *text;
	const char *cause = ct_names_cause(&t->names, w->cause);

	if (!w->call)
		return strdup("");
	/* Its kind may be in the label. */
	if (object && !strncmp(object, cause, strlen(cause)))
		return object;
	int n = asprintf(&text, "%s%s%s", cause, object && *object ? " " : "", object ? object : "");

	free(object);
	return n < 0 ? NULL : text;
}

/* --- header --- */

void ct_lines_header(struct ct_lines *l, struct ct_top *t, int width)
{
	const struct ct_picture *p = &t->now;
	double seconds = (double)p->interval_ns / 1e9;
	char events[CT_FORMAT], lost[CT_FORMAT], causes[512] = "";
	size_t n = 0;

	struct ct_pen pen;

	/* Of a long path the end says most. */
	if (ct_line_begin(&pen, width)) {
		int used = fprintf(pen.out.file, "ctrace-top: %s (%d), %" PRIu64 " threads, recording %s, %s", t->name, t->pid,
				p->threads, p->recording, p->flight ? "flight recorder" : "to ");

		if (!p->flight && used > 0)
			ct_last_text(&pen.out, CT_PLAIN, pen.out.width - used > 12 ? pen.out.width - used : 12, t->output);
		ct_line_end(&pen, l, CT_TITLE, false);
	}
	ct_line_say(l, CT_PLAIN, width, "Threads: %.2f running, %.2f ready, %.2f blocked  Events: %s/s  Lost: %s%s  %.1f s",
	    p->running, p->ready, p->blocked,
	    ct_format_count(events, seconds > 0 ? (uint64_t)((double)p->new_events / seconds + 0.5) : 0),
	    ct_format_count(lost, p->lost), p->new_lost ? " (more)" : "", seconds);
	seconds = (double)p->sums_ns / 1e9;
	for (uint32_t i = 0; i < p->cause_count && i < 8 && n < sizeof(causes) - 64 && seconds > 0; i++)
		n += (size_t)snprintf(causes + n, sizeof(causes) - n, "%s%s %.2f", i ? ", " : "",
				      ct_names_cause(&t->names, p->cause[i].what.cause),
				      (double)p->cause[i].total_ns / 1e9 / seconds);
	ct_line_say(l, CT_PLAIN, width, "Waiting: %s", *causes ? causes : "nobody");
}
