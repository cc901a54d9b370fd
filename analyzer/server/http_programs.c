/* Requests that are suspended, and the programs that answer them. See http_parts.h. */
#include "http_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAMS_MOST 4u          /* at once; others wait for their turn */
#define LATER         5     /* niceness */
#define OUTPUT_MOST   (256u << 20)

extern char **environ;

static void free_argv(struct ct_answer *a)
{
	for (char **arg = a->argv; arg && *arg; arg++)
		free(*arg);
	free(a->argv);
	a->argv = NULL;
	if (a->trace)
		close(a->trace);
	a->trace = 0;
}

void ct_pending_say(struct ct_answer *a, unsigned int status, const char *text)
{
	free_argv(a);
	ct_buf_free(&a->body);
	*a = (struct ct_answer){ .status = status, .type = "text/plain; charset=utf-8" };
	ct_put_bytes(&a->body, text, strlen(text));
	ct_put_bytes(&a->body, "\n", 1);
}

static int start_program(struct pending *p)
{
	posix_spawn_file_actions_t actions;
	int ends[2];

	p->errors = memfd_create("errors", MFD_CLOEXEC);
	if (p->errors < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	/* Its end may block. */
	fcntl(ends[1], F_SETFL, 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, p->errors, 2);
	if (p->answer.trace)
		posix_spawn_file_actions_adddup2(&actions, p->answer.trace, CT_ANSWER_TRACE);
	int error = posix_spawn(&p->pid, p->answer.argv[0], &actions, NULL, p->answer.argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		p->pid = 0;
		return -error;
	}
	p->output = ends[0];
	/* Pictures are waited for with more impatience. */
	setpriority(PRIO_PROCESS, (id_t)p->pid, LATER);
	return 0;
}

void ct_pending_suspend(struct pending *p)
{
	struct pending **at = &p->http->suspended;

	while (*at)
		at = &(*at)->next;
	*at = p;
	p->next = NULL;
	MHD_suspend_connection(p->connection);
}

void ct_pending_forget(struct pending *p)
{
	struct pending **at = &p->http->suspended;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	p->waits = false;
	if (p->job)
		ct_jobs_forget(p->http->jobs, p);
	if (p->output >= 0)
		close(p->output);
	if (p->errors >= 0)
		close(p->errors);
	p->output = p->errors = -1;
	if (p->pid) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
	free_argv(&p->answer);
}

/* Its output is complete. Exit status 1 is damage, which the output tells of; with any other
 * the line on stderr is the answer. */
static void program_ended(struct pending *p, bool too_much)
{
	char text[1024] = "";
	int status = 0;

	if (too_much)
		kill(p->pid, SIGKILL);
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	bool failed = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
	ssize_t n = pread(p->errors, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (too_much || p->answer.body.failed) {
		ct_pending_say(&p->answer, MHD_HTTP_CONTENT_TOO_LARGE, "the answer is too large: choose less with --top or a filter");
	} else if (failed) {
		ct_pending_say(&p->answer, MHD_HTTP_BAD_REQUEST, *text ? text : "ctrace-analyze failed");
	} else {
		p->answer.status = MHD_HTTP_OK;
		p->answer.type = "application/json";
	}
	ct_pending_forget(p);
	MHD_resume_connection(p->connection);
}

void ct_http_read_program(struct pending *p)
{
	for (;;) {
		uint8_t block[65536];
		ssize_t n = read(p->output, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			program_ended(p, false);
			return;
		}
		ct_put_bytes(&p->answer.body, block, (size_t)n);
		if (p->answer.body.size > OUTPUT_MOST || p->answer.body.failed) {
			program_ended(p, true);
			return;
		}
	}
}

void ct_http_start_programs(struct ct_http *h)
{
	unsigned int running = 0;

	for (struct pending *p = h->suspended; p; p = p->next)
		running += p->pid != 0;
	for (struct pending *p = h->suspended, *next; p; p = next) {
		next = p->next;
		if (p->waits || p->job || p->pid || running >= PROGRAMS_MOST)
			continue;
		if (start_program(p)) {
			ct_pending_say(&p->answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "no process could be started");
			ct_pending_forget(p);
			MHD_resume_connection(p->connection);
		} else {
			running++;
		}
	}
}

bool ct_http_has_gone(int socket)
{
	struct pollfd fd = { .fd = socket, .events = POLLRDHUP };

	return socket >= 0 && poll(&fd, 1, 0) > 0 && fd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

void ct_http_drop_gone(struct ct_http *h)
{
	for (struct pending *p = h->suspended, *next; p; p = next) {
		next = p->next;
		if (!ct_http_has_gone(p->socket))
			continue;
		ct_pending_say(&p->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "gone");
		ct_pending_forget(p);
		MHD_resume_connection(p->connection);
	}
}
