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

#include "api.h"

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
	pid_t pid;

	if (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

static int serve(struct ct_context *c, struct ct_served *s)
{
	const struct ct_options *o = c->options;
	struct ct_http_options options = { o->host ? o->host : "127.0.0.1", o->port, ct_api_answer, s };
	struct ct_http *http;
	char address[128], door[PATH_MAX];
	bool opened = false;
	sigset_t set;
	int error = ct_http_start(&http, &options);

	if (error) {
		snprintf(c->usage, sizeof(c->usage), "serve: %.40s port %u: %s", options.host, o->port, strerror(-error));
		return -EINVAL;
	}
	snprintf(address, sizeof(address), "http://%s:%u/%s/", options.host, ct_http_port(http), ct_http_token(http));
	ct_print(&c->out, CT_PLAIN, "%s\n", address);
	fflush(c->out.file);
	/* Before signals are blocked, which it would inherit. */
	opened = !o->no_open && write_door(address, door);
	if (opened)
		open_browser(door);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int stop = signalfd(-1, &set, SFD_CLOEXEC);

	error = stop < 0 ? -errno : ct_http_run(http, stop);
	ct_http_stop(http);
	if (opened)
		unlink(door);
	if (stop >= 0)
		close(stop);
	return error;
}

int ct_cmd_serve(struct ct_context *c)
{
	struct ct_served s;
	int error = ct_served_open(&s, c);

	if (!error)
		error = serve(c, &s);
	ct_served_close(&s);
	return error;
}
