/* See inject.h. */
#include "inject.h"

#include <stdio.h>

#if defined(__x86_64__)

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject-call.h"

#define HELPER_MS 60000 /* more than all of its time-outs together */

/* With the helper. */
struct shared {
	int done;                     /* 1: it came to an end of its own */
	int result;
	char wrong[CT_INJECT_WRONG];
	_Alignas(16) char data[];
};

/* One at a time for a process: the name is taken until we end. */
static bool is_alone(pid_t pid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "ctrace-attach-%d", pid);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || !bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) ||
	       errno != EADDRINUSE;
}

static int help(pid_t pid, const char *library, const char *function, void *data, size_t bytes, char *wrong)
{
	struct ct_hold h;
	struct ct_frames *frames;

	if (!is_alone(pid)) {
		snprintf(wrong, CT_INJECT_WRONG, "another ctrace-run is about to attach to it or to detach");
		return -1;
	}
	frames = ct_frames_open(pid);
	if (!frames) {
		snprintf(wrong, CT_INJECT_WRONG, "its modules cannot be read, or it has no glibc");
		return -1;
	}
	return ct_hold_find(pid, frames, &h, wrong) ? -1 : ct_inject_call(&h, frames, library, function, data, bytes, wrong);
}

/* Nothing that a terminal or its user does to ctrace-run is for the helper. */
static void settle_down(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setpgid(0, 0);
	prctl(PR_SET_NAME, "ctrace-attach");
}

static int wait_for(pid_t helper)
{
	long until = ct_now_ms() + HELPER_MS;
	int status = 0;

	for (;;) {
		pid_t r = waitpid(helper, &status, WNOHANG);

		if (r == helper || (r < 0 && errno != EINTR))
			return status;
		if (ct_now_ms() >= until)
			kill(helper, SIGKILL);
		usleep(1000);
	}
}

int ct_inject(pid_t pid, const char *library, const char *function, void *data, size_t bytes, char wrong[CT_INJECT_WRONG])
{
	struct shared *s = mmap(NULL, sizeof(*s) + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	snprintf(wrong, CT_INJECT_WRONG, "%s", strerror(errno));
	if (s == MAP_FAILED)
		return -1;
	memcpy(s->data, data, bytes);
	pid_t helper = fork();

	if (!helper) {
		settle_down();
		s->result = help(pid, library, function, s->data, bytes, s->wrong);
		s->done = 1;
		_exit(0);
	}
	int result = -1;

	if (helper > 0) {
		wait_for(helper);
		snprintf(wrong, CT_INJECT_WRONG, "%s", s->done ? s->wrong : "who was to attach to it was killed");
		result = s->done ? s->result : -1;
		if (!result)
			memcpy(data, s->data, bytes);
	}
	munmap(s, sizeof(*s) + bytes);
	return result;
}

#else

int ct_inject(pid_t pid, const char *library, const char *function, void *data, size_t bytes, char wrong[CT_INJECT_WRONG])
{
	(void)pid, (void)library, (void)function, (void)data, (void)bytes;
	snprintf(wrong, CT_INJECT_WRONG, "attaching is there for x86-64 only");
	return -1;
}

#endif
