/* See pager.h. */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager;

static int is_in_path(const char *program)
{
	const char *path = getenv("PATH");
	char file[4096];

	for (const char *at = path ? path : "", *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ':');
		if (snprintf(file, sizeof(file), "%.*s/%s", (int)(end - at), at, program) < (int)sizeof(file) &&
		    !access(file, X_OK))
			return 1;
	}
	return 0;
}

/* NULL: none. */
static const char *wanted(void)
{
	const char *command = getenv("CTRACE_PAGER");

	if (!command)
		command = getenv("PAGER");
	if (!command)
		command = is_in_path("less") ? "less" : "";
	return *command && strcmp(command, "cat") ? command : NULL;
}

static void become(const char *command, int in)
{
	if (dup2(in, STDIN_FILENO) < 0)
		_exit(127);
	/* A user who has set LESS knows what it should do. */
	setenv("LESS", "FRX", 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

void ct_pager_begin(void)
{
	const char *command = isatty(STDOUT_FILENO) ? wanted() : NULL;
	int ends[2];

	if (!command || pipe2(ends, O_CLOEXEC))
		return;
	pid_t pid = fork();

	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return;
	}
	if (!pid)
		become(command, ends[0]);
	close(ends[0]);
	if (dup2(ends[1], STDOUT_FILENO) < 0) {
		close(ends[1]);
		return;
	}
	close(ends[1]);
	pager = pid;
}

void ct_pager_end(void)
{
	if (!pager)
		return;
	close(STDOUT_FILENO);
	/* From here on an interrupt is the pager's: it stops a search, say. */
	signal(SIGINT, SIG_IGN);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
	pager = 0;
}
