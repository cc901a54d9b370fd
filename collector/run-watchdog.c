/* What ctrace-run says when the program makes no progress. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Signals are passed on and the program's end is noticed while the report is made. */
void ct_watchdog_hear(struct ct_run_watchdog *w)
{
	struct ct_control m;

	if (w->running && waitpid(w->running, NULL, WNOHANG) == w->running)
		w->running = 0;
	if (w->control < 0 || recv(w->control, &m, sizeof(m), MSG_DONTWAIT) != sizeof(m) ||
	    m.magic != CT_CONTROL_MAGIC || m.kind != CT_CONTROL_STALLED)
		return;
	fprintf(stderr, "ctrace: %s: no thread has made progress for %.1f s\n", w->out, (double)m.duration_ns / 1e9);
	if (!w->running)
		w->running = ct_start_analyzer(w->analyzer, (const char *const[]){ "ctrace-analyze", "deadlocks", "--",
										   w->out, NULL });
}

void ct_watchdog_end(struct ct_run_watchdog *w)
{
	if (w->running)
		ct_reap(w->running);
	w->running = 0;
}
