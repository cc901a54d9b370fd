/* The collector as ctrace-run sees it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* Words of the collector's command line, at most. */
#define WORDS_MAX (32 + 2 * CT_TRIGGERS_MAX)
#define READY_MS  10000
#define ANSWER_MS 60000 /* draining and writing what is left */

/* Takes one message. -ETIMEDOUT, -ECONNRESET: the collector has ended. */
static int hear(int fd, int timeout_ms, struct ct_control *ret)
{
	struct pollfd p = { fd, POLLIN, 0 };
	struct ct_control m;
	int n;

	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	ssize_t bytes = recv(fd, &m, sizeof(m), 0);

	if (bytes != sizeof(m) || m.magic != CT_CONTROL_MAGIC)
		return -ECONNRESET;
	m.text[sizeof(m.text) - 1] = 0;
	*ret = m;
	return 0;
}

static void add_flight(const char **argv, unsigned int n, const struct ct_run_options *o)
{
	const char *const words[][2] = {
		{ "--flight", o->flight_bounds },
		{ "--max-snapshots", o->max_snapshots },
		{ "--snapshot-pause", o->snapshot_pause },
		{ "--program-name", o->argv[0] },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i][1]) {
			argv[n++] = words[i][0];
			argv[n++] = words[i][1];
		}
	for (uint32_t i = 0; i < o->trigger_words; i++) {
		argv[n++] = "--trigger";
		argv[n++] = o->trigger[i];
	}
	if (o->flight.at_end)
		argv[n++] = "--snapshot-at-end";
}

_Noreturn static void become(const struct ct_collector_arguments *a, int control)
{
	char number[16], program[16], watchdog[32];
	/* The one descriptor that it inherits. */
	int fd = fcntl(control, F_DUPFD, 3);

	ct_child_reset();
	/* A terminal's ^C and ^Z are not for the collector; hangups it ignores. No session
	 * of its own: the kernel's autogroups would set it, alone, against all of the
	 * program, and leave it without a CPU for half a second (measured, Linux 6.18). */
	setpgid(0, 0);
	snprintf(number, sizeof(number), "%d", fd);
	snprintf(program, sizeof(program), "%d", a->program);
	snprintf(watchdog, sizeof(watchdog), "%llu", (unsigned long long)a->watchdog_ns);
	const char *argv[WORDS_MAX] = { "ctrace-collector", "--socket", a->socket_name, "-o", a->out, "--control-fd", number,
					"--program", program, "--watchdog", watchdog };
	unsigned int n = 11;

	if (a->sched) {
		argv[n++] = "--sched";
		argv[n++] = a->sched;
	}
	if (a->options->flight.on)
		add_flight(argv, n, a->options);
	execv(a->path, (char *const *)argv);
	struct ct_control m = { .magic = CT_CONTROL_MAGIC, .kind = CT_CONTROL_ERROR };

	snprintf(m.text, sizeof(m.text), "ctrace-collector: %s", strerror(errno));
	send(control, &m, sizeof(m), MSG_NOSIGNAL);
	_exit(1);
}

static void reap(struct ct_collector_process *c)
{
	while (c->pid && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	if (c->control >= 0)
		close(c->control);
	c->control = -1;
}

int ct_collector_start(const struct ct_collector_arguments *a, struct ct_collector_process *ret, char ret_wrong[256])
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		snprintf(ret_wrong, 256, "socketpair: %s", strerror(errno));
		return -1;
	}
	pid_t pid = fork();

	if (pid < 0) {
		snprintf(ret_wrong, 256, "fork: %s", strerror(errno));
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (!pid)
		become(a, pair[1]);
	close(pair[1]);

	struct ct_collector_process c = { pid, pair[0] };
	struct ct_control m;
	int error = hear(c.control, READY_MS, &m);

	if (!error && m.kind == CT_CONTROL_READY) {
		*ret = c;
		return 0;
	}
	if (error)
		snprintf(ret_wrong, 256, "ctrace-collector: %s",
			 error == -ETIMEDOUT ? "does not answer" : "ended before it was ready");
	else
		snprintf(ret_wrong, 256, "%s", m.text);
	kill(c.pid, SIGKILL);
	reap(&c);
	return -1;
}

void ct_collector_cancel(struct ct_collector_process *c, const char *out)
{
	struct stat st;

	if (c->pid)
		kill(c->pid, SIGKILL);
	reap(c);
	if (!lstat(out, &st) && S_ISREG(st.st_mode))
		unlink(out);
}

int ct_collector_end(struct ct_collector_process *c, struct ct_control *ret)
{
	struct ct_control m = { .magic = CT_CONTROL_MAGIC, .kind = CT_CONTROL_DETACHED };
	int error = 0;

	if (send(c->control, &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m))
		error = -ECONNRESET;
	while (!error && !(error = hear(c->control, ANSWER_MS, &m)) && m.kind != CT_CONTROL_SUMMARY)
		;
	if (error != -ETIMEDOUT)
		reap(c);
	if (!error)
		*ret = m;
	return error;
}

int ct_collector_stop(struct ct_collector_process *c, pid_t program, int status, struct ct_run_watchdog *w,
		      struct ct_control *ret)
{
	struct ct_control m = {
		.magic = CT_CONTROL_MAGIC,
		.kind = CT_CONTROL_ENDED,
		.status = status,
		.pid = (uint32_t)program,
	};

	if (send(c->control, &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m)) {
		reap(c);
		return -ECONNRESET;
	}
	int error;

	/* It may have said before that the program stalls; snapshots may still be written. */
	while (!(error = hear(c->control, ANSWER_MS, &m)) &&
	       (m.kind == CT_CONTROL_STALLED || m.kind == CT_CONTROL_SNAPSHOT))
		if (m.kind == CT_CONTROL_SNAPSHOT)
			ct_watchdog_take(w, &m);
	if (!error && m.kind == CT_CONTROL_SUMMARY)
		reap(c);
	if (error == -ECONNRESET)
		reap(c);
	if (!error)
		*ret = m;
	return error;
}
