/* See ask.h. */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime.h"

#define ANSWER_MS  10000     /* a collector that is busy answers between two passes */
#define ANSWER_MAX (64u << 20)
#define MESSAGE    65536u

int ct_ask_find(struct ct_found *ret, char ret_wrong[CT_ASK_WRONG])
{
	struct ct_runtime r;
	int error = ct_runtime_open(&r, false);

	*ret = (struct ct_found){ 0 };
	if (error == -ENOENT)
		return 0;
	if (error) {
		snprintf(ret_wrong, CT_ASK_WRONG, "%.*s", CT_ASK_WRONG - 1, r.wrong);
		return error;
	}
	ct_runtime_sweep(&r, 1000);
	DIR *dir = opendir(r.path);

	if (!dir)
		return -errno;
	for (const struct dirent *e; (e = readdir(dir));) {
		pid_t pid = ct_runtime_collector(e->d_name);
		pid_t *larger = pid ? realloc(ret->collector, (ret->count + 1) * sizeof(*larger)) : NULL;

		if (!larger)
			continue;
		ret->collector = larger;
		ret->collector[ret->count++] = pid;
	}
	closedir(dir);
	return 0;
}

static int dial(pid_t collector)
{
	struct ct_runtime r;
	struct sockaddr_un address;
	int error = ct_runtime_open(&r, false);

	if (!error)
		error = ct_runtime_address(&r, collector, &address);
	if (error)
		return error;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* All messages up to the end. The caller frees it. NULL: errno says why. */
static char *hear(int fd, size_t *ret_bytes)
{
	char *text = NULL;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int ready = poll(&p, 1, ANSWER_MS);
		char *larger = ready == 1 && n < ANSWER_MAX ? realloc(text, n + MESSAGE) : NULL;

		if (ready < 0 && errno == EINTR)
			continue;
		if (!ready)
			errno = ETIMEDOUT;
		if (!larger)
			break;
		text = larger;
		ssize_t got = recv(fd, text + n, MESSAGE, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		if (!got) {
			*ret_bytes = n;
			return text;
		}
		n += (size_t)got;
	}
	free(text);
	return NULL;
}

/* The object, if it is one of an answer. */
static json_t *check(pid_t collector, const char *text, size_t bytes, char ret_wrong[CT_ASK_WRONG])
{
	json_t *answer = json_loadb(text, bytes, 0, NULL);
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	if (error)
		snprintf(ret_wrong, CT_ASK_WRONG, "%s", error);
	else if (bytes)
		snprintf(ret_wrong, CT_ASK_WRONG, "collector %d: its answer makes no sense", collector);
	json_decref(answer);
	return NULL;
}

json_t *ct_ask(pid_t collector, const char *request, char ret_wrong[CT_ASK_WRONG])
{
	size_t bytes = 0;
	int fd = dial(collector);

	*ret_wrong = 0;
	if (fd < 0) {
		if (fd != -ECONNREFUSED && fd != -ENOENT)
			snprintf(ret_wrong, CT_ASK_WRONG, "collector %d: %s", collector, strerror(-fd));
		return NULL;
	}
	char *text = send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ? NULL : hear(fd, &bytes);
	json_t *answer = NULL;

	if (text)
		answer = check(collector, text, bytes, ret_wrong);
	else if (errno != EPIPE && errno != ECONNRESET)
		snprintf(ret_wrong, CT_ASK_WRONG, "collector %d: %s", collector,
			 errno == ETIMEDOUT ? "does not answer" : strerror(errno));
	free(text);
	close(fd);
	return answer;
}
