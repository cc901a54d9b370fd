/* serve: the trace in a browser. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "follow.h"

extern char **environ;

/* A page that leads to the address: in an argument of a program the token could be read by
 * every user of the machine. False: there is no file, or no browser to be expected. */
static bool write_door(const char *address, char path[PATH_MAX])
{
	const char *folder = getenv("TMPDIR");
	int fd;

	if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
		return false;
	snprintf(path, PATH_MAX, "%.3000s/ctrace-XXXXXX.html", folder && *folder ? folder : "/tmp");
	fd = mkostemps(path, 5, O_CLOEXEC);
	if (fd < 0)
		return false;
	dprintf(fd, "<!doctype html><meta http-equiv=\"refresh\" content=\"0;url=%s\">\n", address);
	close(fd);
	return true;
}

/* It may be a program that runs until the browser is closed: it is not waited for. */
static void open_browser(const char *door)
{
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
			 (char *)(uintptr_t)"xdg-open \"$0\" >/dev/null 2>&1 &", (char *)(uintptr_t)door, NULL };
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;

	/* What is blocked here would be blocked there. */
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!posix_spawnp(&pid, argv[0], NULL, &attributes, argv, environ))
		waitpid(pid, NULL, 0);
	posix_spawnattr_destroy(&attributes);
}

/* Threads must not take the signals: they are blocked before there are any, to the end. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int serve(struct ct_context *c, struct ct_follow *f, int stop)
{
	const struct ct_options *o = c->options;
	struct ct_http_options options = {
		.host = o->host ? o->host : "127.0.0.1", .port = o->port, .answer = ct_follow_answer,
		.tick = ct_follow_tick, .wake_fd = ct_follow_wake_fd(f), .self = f,
	};
	struct ct_http *http;
	char address[128], host[64], door[PATH_MAX];
	bool opened = false;
	int error = ct_http_start(&http, &options);

	if (error) {
		snprintf(c->usage, sizeof(c->usage), "serve: %.40s port %u: %s", options.host, o->port, strerror(-error));
		return -EINVAL;
	}
	ct_follow_tell(f, http);
	snprintf(address, sizeof(address), "http://%s:%u/%s/", ct_http_shown(http, host, sizeof(host)), ct_http_port(http),
		 ct_http_token(http));
	ct_print(&c->out, CT_PLAIN, "%s\n", address);
	fflush(c->out.file);
	opened = !o->no_open && write_door(address, door);
	if (opened)
		open_browser(door);
	error = ct_http_run(http, stop);
	ct_http_stop(http);
	if (opened)
		unlink(door);
	return error;
}

int ct_cmd_serve(struct ct_context *c)
{
	struct ct_follow *f;
	int stop = open_signals(), error;

	if (stop < 0)
		return -errno;
	c->unfinished = true;
	error = ct_follow_start(&f, c);
	if (!error) {
		error = serve(c, f, stop);
		ct_follow_stop(f);
	}
	close(stop);
	return error;
}
