/* ctrace-collector: options, output, beginning and end. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector.h"
#include "control.h"
#include "costs.h"
#include "env.h"
#include "names.h"
#include "proc.h"

static const char usage[] =
	"usage: ctrace-collector --socket NAME -o FILE [--daemon | --control-fd N] [--program PID] [--sched MODE]\n"
	"                        [--watchdog NS] [--flight BOUNDS [--trigger T]... [--max-snapshots N]\n"
	"                        [--snapshot-pause D] [--snapshot-at-end] [--program-name NAME]]\n"
	"Started by ctrace-run and libctrace.so; collects what traced processes record. By hand, with the path of\n"
	"a socket, for programs in containers that have CTRACE_SOCKET=NAME; it ends with ^C or SIGTERM.\n";

/* Neither ctrace-run nor a library started us: who did sees what we say. */
static bool by_hand(const struct ct_collector *c)
{
	return !c->options.daemon && c->options.control < 0;
}

static void tell(struct ct_collector *c, struct ct_control *m)
{
	m->magic = CT_CONTROL_MAGIC;
	if (c->control >= 0)
		send(c->control, m, sizeof(*m), MSG_NOSIGNAL);
}

/* Says why nothing can be collected, to whoever started us; error 0: what says it
 * all. Returns the exit status. */
static int fail(struct ct_collector *c, const char *what, int error)
{
	struct ct_control m = { .kind = CT_CONTROL_ERROR, .error = -error };

	if (error)
		snprintf(m.text, sizeof(m.text), "%s: %s", what, strerror(-error));
	else
		snprintf(m.text, sizeof(m.text), "%s", what);
	if (c->control >= 0)
		tell(c, &m);
	else
		fprintf(stderr, "ctrace-collector: %s\n", m.text);
	return 1;
}

static int parse_number(const char *s, int *ret)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (end == s || *end || n < 0 || n > INT_MAX)
		return -EINVAL;
	*ret = (int)n;
	return 0;
}

static int parse_ns(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(s, &end, 10);

	if (end == s || *end || errno)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* What is wrong is said where it was given: here it is ours. */
static int parse_flight(int option, const char *value, struct ct_flight_options *o)
{
	char wrong[CT_FLIGHT_WRONG];

	switch (option) {
	case 'f':
		return ct_flight_parse(value, o, wrong);
	case 't':
		return ct_trigger_parse(value, o, wrong);
	case 'm':
		return ct_flight_parse_max(value, o, wrong);
	case 'P':
		return ct_flight_parse_pause(value, o, wrong);
	case 'e':
		o->at_end = true;
	}
	return 0;
}

static int parse(int argc, char **argv, struct ct_options *ret, struct ct_flight_options *ret_flight)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "control-fd", required_argument, NULL, 'c' },
		{ "program", required_argument, NULL, 'p' },
		{ "sched", required_argument, NULL, 'S' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "flight", required_argument, NULL, 'f' },
		{ "trigger", required_argument, NULL, 't' },
		{ "max-snapshots", required_argument, NULL, 'm' },
		{ "snapshot-pause", required_argument, NULL, 'P' },
		{ "snapshot-at-end", no_argument, NULL, 'e' },
		{ "program-name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct ct_options o = { .control = -1 };

	for (int option; (option = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (option) {
		case 's':
			o.socket_name = optarg;
			break;
		case 'o':
			o.out = optarg;
			break;
		case 'd':
			o.daemon = true;
			break;
		case 'c':
			if (parse_number(optarg, &o.control))
				return -EINVAL;
			break;
		case 'p':
			if (parse_number(optarg, &o.program))
				return -EINVAL;
			break;
		case 'S':
			o.sched = optarg;
			break;
		case 'w':
			if (parse_ns(optarg, &o.watchdog_ns))
				return -EINVAL;
			break;
		case 'f':
		case 't':
		case 'm':
		case 'P':
		case 'e':
			if (parse_flight(option, optarg, ret_flight))
				return -EINVAL;
			break;
		case 'n':
			o.program_name = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("ctrace " CTRACE_VERSION);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	if (optind != argc || !o.socket_name || !o.out || (o.daemon && o.control >= 0))
		return -EINVAL;
	*ret = o;
	return 0;
}

/* The preloaded library hands us no environment: it is the program's that counts. */
static void flight_of_environment(struct ct_collector *c)
{
	static const struct {
		const char *name;
		int option;
	} variables[] = {
		{ CT_ENV_FLIGHT, 'f' }, { CT_ENV_TRIGGER, 't' }, { CT_ENV_MAX_SNAPSHOTS, 'm' }, { CT_ENV_SNAPSHOT_PAUSE, 'P' },
		{ CT_ENV_SNAPSHOT_AT_END, 'e' },
	};
	char value[2048];

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!ct_proc_environment(c->options.program, variables[i].name, value, sizeof(value)) && *value &&
		    (variables[i].option != 'e' || strcmp(value, "0")))
			parse_flight(variables[i].option, value, &c->flight.options);
}

/* Where snapshots are to be written must be there now, not when it matters. */
static int check_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return access(folder, W_OK | X_OK) ? -errno : 0;
}

/* ctrace-run has expanded what it hands us, but for the names of snapshots. */
static int check_out(struct ct_collector *c)
{
	char wrong[CT_NAME_WRONG];

	if ((c->control >= 0 && !c->flight.options.on) || !ct_check_name(c->options.out, c->flight.options.on, wrong))
		return 0;
	return fail(c, wrong, 0);
}

/* Of a collector that is run by hand, and has no program yet, the names are its own. */
static int expand_out(struct ct_collector *c)
{
	static char out[PATH_MAX];
	char name[16] = "";
	pid_t program = c->options.program ? c->options.program : getpid();

	ct_proc_comm(program, program, name);
	int error = ct_expand_name(out, sizeof(out), c->options.out, program, name);

	if (!error)
		c->options.out = out;
	return error;
}

static int open_output(struct ct_collector *c)
{
	if (c->flight.options.on) {
		int error = check_folder(c->options.out);

		return error ? error : ct_flight_open(&c->flight, c);
	}
	/* ctrace-run has expanded it already. */
	int error = c->control < 0 ? expand_out(c) : 0;

	return error ? error : ct_writer_open(&c->trace.writer, c->options.out);
}

/* Everything that may fail before the traced program is let go. */
static int prepare(struct ct_collector *c)
{
	sigset_t heard;
	int error = ct_attach_listen(c->options.socket_name, &c->listener);

	if (error)
		return fail(c, "socket", error);
	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	if (c->options.daemon && c->options.program)
		flight_of_environment(c);
	if (c->flight.options.on) {
		sigaddset(&heard, SIGUSR1);
		sigaddset(&heard, SIGUSR2);
	}
	if (by_hand(c))
		sigaddset(&heard, SIGINT);
	sigprocmask(SIG_BLOCK, &heard, NULL);
	c->signals = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (c->signals < 0 || c->epoll < 0)
		return fail(c, "epoll", -errno);
	error = ct_collector_watch(c, c->listener, CT_SOURCE_LISTENER, 0);
	if (!error)
		error = ct_collector_watch(c, c->signals, CT_SOURCE_SIGNAL, 0);
	if (!error && c->control >= 0)
		error = ct_collector_watch(c, c->control, CT_SOURCE_CONTROL, 0);
	if (!error)
		error = ct_clock_init(&c->trace.clock);
	if (error)
		return fail(c, "epoll", error);
	if (ct_collector_sched(c))
		return fail(c, c->sched_refused, 0);
	/* Last, so that no file is left behind by another failure. */
	if (check_out(c))
		return 1;
	error = open_output(c);
	if (error)
		return fail(c, c->options.out, error);
	if (c->flight.options.on || !realpath(c->options.out, c->out_path))
		snprintf(c->out_path, sizeof(c->out_path), "%s", c->options.out);
	ct_commands_open(c);
	return 0;
}

/* The program waits for the process that it started to end, which does so when the
 * other one, that collects, is ready or has failed. A fork after that would lose the
 * kernel's rings. Returns the exit status of a failure; in the other process 0, and
 * where to say that it is ready. */
static int go_to_background(struct ct_collector *c, int *ret_ready)
{
	int ends[2];

	/* Ours is not its grandchild any more when it is looked for. */
	if (!c->options.program)
		ct_proc_starter(&c->options.program);
	if (pipe2(ends, O_CLOEXEC))
		return fail(c, "pipe", -errno);
	pid_t pid = fork();

	if (pid < 0)
		return fail(c, "fork", -errno);
	if (pid) {
		char ready;
		int killed;

		close(ends[1]);
		if (read(ends[0], &ready, 1) == 1)
			_exit(0);
		/* What went wrong it has said itself, if it could. */
		if (waitpid(pid, &killed, 0) == pid && WIFSIGNALED(killed))
			fprintf(stderr, "ctrace-collector: killed by signal %d\n", WTERMSIG(killed));
		_exit(1);
	}
	close(ends[0]);
	/* Not setsid(): see run-collector.c. */
	setpgid(0, 0);
	*ret_ready = ends[1];
	return 0;
}

/* ready: where to say so, -1: nowhere. */
static void announce(struct ct_collector *c, int ready)
{
	struct ct_control m = { .kind = CT_CONTROL_READY };

	tell(c, &m);
	if (!by_hand(c))
		ct_daemon_detach();
	if (ready < 0)
		return;
	ssize_t ignored = write(ready, "r", 1);

	(void)ignored;
	close(ready);
}

static void say_what_was_traced(const struct ct_collector *c)
{
	const struct ct_trace *t = &c->trace;

	fprintf(stderr, "ctrace: %s: %u process%s, %u thread%s, %llu events, %llu lost\n", c->options.out, t->last_process,
		t->last_process == 1 ? "" : "es", t->last_thread, t->last_thread == 1 ? "" : "s",
		(unsigned long long)t->writer.events, (unsigned long long)(t->lost + t->writer.events_dropped));
	if (c->refused)
		fprintf(stderr, "ctrace: %s: %u process%s not traced: %s\n", c->options.out, c->refused,
			c->refused == 1 ? "" : "es", c->refused_text);
}

static void answer(struct ct_collector *c)
{
	struct ct_trace *t = &c->trace;
	struct ct_writer *w = &t->writer;
	struct ct_control m = {
		.kind = CT_CONTROL_SUMMARY,
		.error = -w->error,
		.refused = c->refused,
		.processes = t->last_process,
		.threads = t->last_thread,
		.events = w->events,
		.lost = t->lost + w->events_dropped,
		.file_bytes = w->file_bytes,
		.duration_ns = t->last_ns > t->first_ns ? t->last_ns - t->first_ns : 0,
		.flight = c->flight.options.on,
		.snapshots = c->flight.snapshots,
	};

	snprintf(m.text, sizeof(m.text), "%s", c->refused_text);
	if (c->control >= 0) {
		tell(c, &m);
		return;
	}
	if (by_hand(c))
		say_what_was_traced(c);
	if (w->error)
		fprintf(stderr, "ctrace: %s: %s; the trace ends early\n", c->options.out, strerror(-w->error));
}

static void finish(struct ct_collector *c)
{
	struct ct_costs costs;
	struct ct_trace *t = &c->trace;
	struct ct_writer *w = &t->writer;
	struct ct_record end = { .type = CT_RECORD_END, .end = {
		.end_ns = ct_now_ns(),
		.events = w->events,
		.dropped = t->lost,
		.collector_cpu_ns = ct_cpu_ns(),
		.slices = w->slices,
	} };

	ct_costs_measure(&costs);
	ct_costs_write(&costs, w);
	ct_writer_record(w, &end);
	ct_writer_close(w);
	answer(c);
}

int main(int argc, char **argv)
{
	static struct ct_collector collector;
	struct ct_collector *c = &collector;

	ct_flight_defaults(&c->flight.options);
	if (parse(argc, argv, &c->options, &c->flight.options)) {
		fputs(usage, stderr);
		return 1;
	}
	c->control = c->options.control;
	ct_daemon_clean(c->control);
	if (c->control >= 0)
		fcntl(c->control, F_SETFD, FD_CLOEXEC);
	int ready = -1, status = c->options.daemon ? go_to_background(c, &ready) : 0;

	if (!status)
		status = prepare(c);
	if (status)
		return status;
	announce(c, ready);
	if (c->flight.options.on)
		c->wakes = !ct_sched_is_open(&c->sched) ? NULL : c->sched.perf.waking ? "sched_waking" : "none";
	else
		ct_meta_write(c, &c->trace.writer);
	ct_collector_loop(c);
	if (*c->options.socket_name == '/')
		unlink(c->options.socket_name);
	ct_commands_close(c);
	if (c->flight.options.on) {
		ct_flight_finish(&c->flight);
		answer(c);
		ct_flight_close(&c->flight);
		return 0;
	}
	/* Nobody was ever traced and nobody asks: the file is of no use. */
	if (!c->trace.last_process && c->control < 0)
		ct_writer_discard(&c->trace.writer, c->options.out);
	else
		finish(c);
	ct_ends_free(&c->trace.ends);
	return 0;
}
