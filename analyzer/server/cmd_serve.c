/* serve: the trace in a browser. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

extern char **environ;

static void open_browser(const char *address)
{
	char *argv[] = { (char *)(uintptr_t)"xdg-open", (char *)(uintptr_t)address, NULL };
	pid_t pid;

	/* Without a display there is none. */
	if ((getenv("DISPLAY") || getenv("WAYLAND_DISPLAY")) && !posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

static int serve(struct ct_context *c, struct ct_served *s)
{
	const struct ct_options *o = c->options;
	struct ct_http_options options = { o->host ? o->host : "127.0.0.1", o->port, ct_api_answer, s };
	struct ct_http *http;
	char address[128];
	sigset_t set;
	int error = ct_http_start(&http, &options);

	if (error) {
		snprintf(c->usage, sizeof(c->usage), "serve: %.40s port %u: %s", options.host, o->port, strerror(-error));
		return -EINVAL;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int stop = signalfd(-1, &set, SFD_CLOEXEC);

	snprintf(address, sizeof(address), "http://%s:%u/%s/", options.host, ct_http_port(http), ct_http_token(http));
	ct_print(&c->out, CT_PLAIN, "%s\n", address);
	fflush(c->out.file);
	if (!o->no_open)
		open_browser(address);
	error = stop < 0 ? -errno : ct_http_run(http, stop);
	ct_http_stop(http);
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
