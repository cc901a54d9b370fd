/* Answers where no server sends them. See http.h. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http.h"

extern char **environ;

void ct_answer_free(struct ct_answer *a)
{
	for (char **arg = a->argv; arg && *arg; arg++)
		free(*arg);
	free(a->argv);
	if (a->trace)
		close(a->trace);
	ct_buf_free(&a->body);
	*a = (struct ct_answer){ 0 };
}

int ct_answer_finish(struct ct_answer *a)
{
	posix_spawn_file_actions_t actions;
	uint8_t block[65536];
	int ends[2], status;
	pid_t pid;
	ssize_t n;

	if (!a->argv)
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (a->trace)
		posix_spawn_file_actions_adddup2(&actions, a->trace, CT_ANSWER_TRACE);
	int error = -posix_spawn(&pid, a->argv[0], &actions, NULL, a->argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (!error && ((n = read(ends[0], block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			ct_put_bytes(&a->body, block, (size_t)n);
	close(ends[0]);
	if (error)
		return error;
	waitpid(pid, &status, 0);
	/* 1: the trace has damage, and the output says so. */
	a->status = WIFEXITED(status) && WEXITSTATUS(status) <= 1 ? 200 : 400;
	a->type = "application/json";
	return a->body.failed ? -ENOMEM : 0;
}
