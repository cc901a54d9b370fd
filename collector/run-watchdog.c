/* What ctrace-run says when the program makes no progress. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

pid_t ct_start_analyzer(const char *analyzer, const char *const argv[])
{
	if (!*analyzer)
		return 0;
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		ct_child_reset();
		dup2(STDERR_FILENO, STDOUT_FILENO);
		/* The terminal is the program's: nobody is to page in it. */
		setenv("CTRACE_PAGER", "cat", 1);
		execv(analyzer, (char *const *)argv);
		_exit(127);
	}
	return pid > 0 ? pid : 0;
}

void ct_watchdog_listen(int control)
{
	fcntl(control, F_SETOWN, getpid());
	fcntl(control, F_SETFL, fcntl(control, F_GETFL) | O_ASYNC);
}

static void report(struct ct_run_watchdog *w, const char *trace)
{
	if (!w->running)
		w->running = ct_start_analyzer(w->analyzer, (const char *const[]){ "ctrace-analyze", "deadlocks", "--",
										   trace, NULL });
}

static void take_snapshot(struct ct_run_watchdog *w, const struct ct_control *m)
{
	if (m->error) {
		fprintf(stderr, "ctrace: %.*s: %s; no snapshot (%s)\n", (int)sizeof(m->path), m->path, strerror(m->error),
			m->text);
		return;
	}
	snprintf(w->last, sizeof(w->last), "%.*s", (int)sizeof(w->last) - 1, m->path);
	if (!w->quiet)
		fprintf(stderr, "ctrace: %s: snapshot of %.2f s, %llu event%s, %.1f MiB: %s\n", w->last,
			(double)m->duration_ns / 1e9, (unsigned long long)m->events, m->events == 1 ? "" : "s",
			(double)m->file_bytes / (1 << 20), m->text);
	if (!strncmp(m->text, CT_CONTROL_STALL, strlen(CT_CONTROL_STALL)))
		report(w, w->last);
}

void ct_watchdog_take(struct ct_run_watchdog *w, const struct ct_control *m)
{
	if (m->kind == CT_CONTROL_SNAPSHOT)
		take_snapshot(w, m);
	if (m->kind != CT_CONTROL_STALLED)
		return;
	fprintf(stderr, "ctrace: %s: " CT_CONTROL_STALL " for %.1f s\n", w->flight ? "flight recorder" : w->out,
		(double)m->duration_ns / 1e9);
	/* A flight recorder has no file yet. */
	if (!w->flight)
		report(w, w->out);
}

/* Signals are passed on and the program's end is noticed while the report is made. */
void ct_watchdog_hear(struct ct_run_watchdog *w)
{
	struct ct_control m;

	if (w->running && waitpid(w->running, NULL, WNOHANG) == w->running)
		w->running = 0;
	while (w->control >= 0 && recv(w->control, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m) &&
	       m.magic == CT_CONTROL_MAGIC)
		ct_watchdog_take(w, &m);
}

void ct_watchdog_end(struct ct_run_watchdog *w)
{
	if (w->running)
		ct_reap(w->running);
	w->running = 0;
}
