/* ctrace-top: what the threads of a running program wait for. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "top.h"

#define FAILED 1
#define USAGE  2

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;
	char *text, *plain;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);

	va_end(ap);
	plain = n < 0 ? NULL : ct_top_plain(text);
	fprintf(stderr, "ctrace-top: %s\n", plain ? plain : "no memory");
	free(plain);
	if (n >= 0)
		free(text);
}

/* --- batches --- */

static void print_lines(const struct ct_out *o, const struct ct_lines *l, uint32_t most)
{
	uint32_t rows = 0;

	for (uint32_t i = 0; i < l->line_count; i++) {
		if (l->line[i].head)
			rows = 0;
		else if (most && rows++ >= most)
			continue;
		ct_print(o, (enum ct_style)l->line[i].style, "%s", l->line[i].text);
		putc('\n', o->file);
	}
}

static void print_picture(struct ct_top *t, const struct ct_out *o, int sort)
{
	struct ct_lines head = { 0 }, rows = { 0 };

	ct_lines_header(&head, t, o->width);
	print_lines(o, &head, 0);
	putchar('\n');
	ct_lines_threads(&rows, t, t->options->thread, sort, o->width);
	for (enum ct_top_pane pane = CT_PANE_CAUSES; pane < CT_PANE_NONE; pane++) {
		print_lines(o, &rows, t->options->top);
		putchar('\n');
		ct_lines_free(&rows);
		ct_lines_pane(&rows, t, pane, o->width);
	}
	print_lines(o, &rows, t->options->top);
	ct_lines_free(&rows);
	ct_lines_free(&head);
}

static void sleep_until(const struct timespec *at)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL) == EINTR)
		;
}

static void add_ns(struct timespec *t, uint64_t ns)
{
	ns += (uint64_t)t->tv_nsec;
	t->tv_sec += (time_t)(ns / 1000000000u);
	t->tv_nsec = (long)(ns % 1000000000u);
}

static int width_of(void)
{
	const char *columns = getenv("COLUMNS");
	int n = columns ? atoi(columns) : 0;

	return n >= 40 && n <= 500 ? n : 100;
}

static int batch(const struct ct_top_options *o, json_t *row)
{
	struct ct_out out = { .file = stdout, .color = !o->no_color && isatty(STDOUT_FILENO), .width = width_of() };
	int sort = o->sort ? ct_top_column_of(o->sort) : ct_top_column_of("run");
	struct timespec next;
	struct ct_top t;
	bool ok;

	ct_top_open(&t, o, row);
	clock_gettime(CLOCK_MONOTONIC, &next);
	ok = ct_top_look(&t);
	for (uint32_t i = 0; ok && (!o->count || i < o->count); i++) {
		add_ns(&next, o->delay_ns);
		sleep_until(&next);
		ok = ct_top_look(&t);
		if (!ok)
			break;
		ct_top_sort(&t.now, sort, false);
		if (i && !o->json)
			putchar('\n');
		if (o->json)
			ct_top_json(&t, stdout);
		else
			print_picture(&t, &out, sort);
		/* Who reads has gone. */
		if (fflush(stdout))
			break;
	}
	int status = ok || t.ended ? 0 : FAILED;

	if (!ok)
		say("%s", t.why);
	ct_top_close(&t);
	return status;
}

/* --- which program --- */

static int list(const struct ct_top_options *o, const json_t *rows)
{
	struct ct_out out = { .file = stdout, .color = !o->no_color && isatty(STDOUT_FILENO), .width = width_of() };
	struct ct_lines l = { 0 };

	ct_lines_processes(&l, rows, out.width);
	print_lines(&out, &l, 0);
	ct_lines_free(&l);
	say("several programs are traced: name a process");
	return USAGE;
}

static int no_target(const struct ct_top_options *o, bool any)
{
	if (!o->target)
		say("no process of yours is traced (start one with ctrace-run PROGRAM)");
	else if (!access(o->target, F_OK))
		say("%s: nobody writes to it any more%s", o->target, any ? "" : "; ctrace-analyze shows what is in it");
	else
		say("%s: no such process of yours is traced%s", o->target, any ? " (ctrace-ctl list shows which are)" : "");
	return FAILED;
}

static int show(const struct ct_top_options *o, json_t *rows)
{
	const char *terminal = getenv("TERM");
	char wrong[256];

	if (o->batch)
		return json_array_size(rows) > 1 ? list(o, rows) : batch(o, json_array_get(rows, 0));
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !terminal || !*terminal || !strcmp(terminal, "dumb")) {
		say("no terminal to draw on: -b prints lines");
		return USAGE;
	}
	if (!ct_top_screen(o, rows, wrong))
		return 0;
	say("%s", wrong);
	return USAGE;
}

int main(int argc, char **argv)
{
	struct ct_top_options o;
	char wrong[256];

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	/* A screen that waits for a server of debug files is none. */
	unsetenv("DEBUGINFOD_URLS");
	if (ct_top_parse(argc, argv, &o, wrong)) {
		say("%s", wrong);
		return USAGE;
	}
	json_t *all = ct_top_processes(wrong), *rows = ct_top_targets(all, o.target);
	int status;

	/* Of a collector that did not answer it is not known which processes it has. */
	if (json_array_size(rows)) {
		status = show(&o, rows);
	} else if (*wrong) {
		say("%s", wrong);
		status = FAILED;
	} else {
		status = no_target(&o, json_array_size(all) > 0);
	}
	json_decref(rows);
	json_decref(all);
	return fflush(stdout) && !status ? FAILED : status;
}
