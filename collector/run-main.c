/* ctrace-run: runs a program traced and ends as it ends. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect.h"
#include "names.h"
#include "run-attach.h"

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list ap;

	fputs("ctrace-run: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CT_EXIT_FAILED;
}

static int random_name(char ret[64])
{
	uint64_t r[2];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return -errno;
	snprintf(ret, 64, "ctrace-%016llx%016llx", (unsigned long long)r[0], (unsigned long long)r[1]);
	return 0;
}

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t n, char ret[32])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *p = ret;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return ret;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_size(uint64_t bytes)
{
	if (bytes < 10240)
		fprintf(stderr, "%llu bytes\n", (unsigned long long)bytes);
	else if (bytes < 10u << 20)
		fprintf(stderr, "%llu KiB\n", (unsigned long long)bytes >> 10);
	else
		fprintf(stderr, "%.1f MiB\n", (double)bytes / (1 << 20));
}

static void print_summary(const char *out, const struct ct_control *m)
{
	char events[32], lost[32];

	fprintf(stderr, "ctrace: %s: %.2f s, %llu process%s, %llu thread%s, %s event%s, %s lost, ", out,
		(double)m->duration_ns / 1e9, (unsigned long long)m->processes, m->processes == 1 ? "" : "es",
		(unsigned long long)m->threads, plural(m->threads), grouped(m->events, events), plural(m->events),
		grouped(m->lost, lost));
	print_size(m->file_bytes);
}

/* What the user must know even with -q. Returns whether the trace is complete. */
static bool print_trouble(const char *out, int error, const struct ct_control *m, bool quiet)
{
	if (error) {
		fprintf(stderr, "ctrace: %s: the collector %s; the trace ends early\n", out,
			error == -ETIMEDOUT ? "does not answer" : "was killed");
		return false;
	}
	if (m->kind == CT_CONTROL_RUNNING) {
		if (!quiet)
			fprintf(stderr, "ctrace: %s: still running: %llu process%s; the trace ends with the last\n", out,
				(unsigned long long)m->processes, m->processes == 1 ? "" : "es");
		return false;
	}
	if (m->error) {
		fprintf(stderr, "ctrace: %s: %s; the trace ends early\n", out, strerror(m->error));
		return true;
	}
	if (m->refused)
		fprintf(stderr, "ctrace: %s: %u process%s not traced: %s\n", out, m->refused,
			m->refused == 1 ? "" : "es", m->text);
	else if (!m->processes)
		fprintf(stderr, "ctrace: %s: nothing was traced: the program did not load libctrace.so, or says above why not\n", out);
	return true;
}

/* Ends as the program ended. */
static int end_like(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	/* The program has left a core, if it was to; another of ours helps nobody. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	fflush(NULL);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + WTERMSIG(status);
}

static void print_flight(const struct ct_control *m)
{
	char events[32], lost[32];

	fprintf(stderr, "ctrace: flight recorder: %.2f s, %llu process%s, %llu thread%s, %s event%s, %s lost, %u snapshot%s\n",
		(double)m->duration_ns / 1e9, (unsigned long long)m->processes, m->processes == 1 ? "" : "es",
		(unsigned long long)m->threads, plural(m->threads), grouped(m->events, events), plural(m->events),
		grouped(m->lost, lost), m->snapshots, plural(m->snapshots));
}

static void print_findings(const char *analyzer, const char *trace)
{
	pid_t pid = *trace ? ct_start_analyzer(analyzer, (const char *const[]){ "ctrace-analyze", "summary", "--", trace,
										NULL }) : 0;

	if (pid)
		ct_reap(pid);
}

static const int ends_us[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static int run(const struct ct_run_options *o, const char *path, const struct ct_parts *parts)
{
	char socket_name[64], out[PATH_MAX], wrong[256];
	struct ct_environment env = { parts->library, socket_name, o };
	struct ct_program program;
	struct ct_collector_process collector;
	int error = random_name(socket_name);

	if (!error)
		error = ct_program_fork(path, &env, &program);
	if (error)
		return fail("%s: %s", o->argv[0], strerror(-error));
	/* Each snapshot has a name of its own: the collector makes it. */
	if (o->flight.on)
		error = (size_t)snprintf(out, sizeof(out), "%s", o->out ? o->out : "trace.%p.bin") < sizeof(out) ? 0 : -ENAMETOOLONG;
	else
		error = ct_expand_name(out, sizeof(out), o->out ? o->out : "trace.%p.bin", program.pid, o->argv[0]);
	if (error) {
		ct_program_cancel(&program);
		return fail("%s: %s", o->out, strerror(-error));
	}
	ct_program_block_signals();
	struct ct_collector_arguments arguments = { parts->collector, socket_name, out, o->sched, program.pid,
						    o->watchdog_ns, o };

	if (ct_collector_start(&arguments, &collector, wrong)) {
		ct_program_cancel(&program);
		return fail("%s", wrong);
	}
	error = ct_program_start(&program);
	if (error) {
		ct_collector_cancel(&collector, o->flight.on ? "" : out);
		fail("%s: %s", o->argv[0], strerror(error));
		return error == ENOENT ? CT_EXIT_NOT_FOUND : CT_EXIT_NOT_EXECUTABLE;
	}

	struct ct_control summary = { 0 };
	bool listen = o->watchdog_ns || o->flight.on;
	struct ct_run_watchdog watchdog = { listen ? collector.control : -1, 0, parts->analyzer, out, o->quiet, o->flight.on, "" };

	if (listen)
		ct_watchdog_listen(collector.control);
	if (o->flight.on && !o->quiet)
		fprintf(stderr, "ctrace: flight recorder (%s): kill -USR2 %d writes a snapshot\n", o->flight.text,
			collector.pid);
	int status = ct_program_wait(program.pid, &collector.pid, &watchdog);

	ct_watchdog_end(&watchdog);

	error = ct_collector_stop(&collector, program.pid, status, &watchdog, &summary);
	if (print_trouble(o->flight.on ? "flight recorder" : out, error, &summary, o->quiet) && !o->quiet) {
		if (o->flight.on)
			print_flight(&summary);
		else
			print_summary(out, &summary);
		print_findings(parts->analyzer, !o->flight.on ? out : WIFSIGNALED(status) ? watchdog.last : "");
	}
	return end_like(status);
}

/* Until the process ends (true), or somebody wants an end. */
static bool wait_attached(int pidfd, uint64_t for_ns)
{
	const struct timespec piece = { 0, 50000000 };
	struct timespec begin, now;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends_us) / sizeof(ends_us[0]); i++)
		sigaddset(&set, ends_us[i]);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		struct pollfd ended = { pidfd, POLLIN, 0 };

		if (poll(&ended, 1, 0) > 0)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		uint64_t ns = (uint64_t)(now.tv_sec - begin.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec - (uint64_t)begin.tv_nsec;

		if ((for_ns && ns >= for_ns) || sigtimedwait(&set, NULL, &piece) > 0)
			return false;
	}
}

static int attach(const struct ct_run_options *o, const struct ct_parts *parts)
{
	char socket_name[64], out[PATH_MAX], wrong[256], name[16] = "process";
	struct ct_collector_process collector;
	struct ct_control summary = { 0 };

	/* Before all else: what is found out is of the process that it stands for, or it has ended. */
	int pidfd = (int)syscall(SYS_pidfd_open, o->attach, 0);
	int error = pidfd < 0 ? -errno : random_name(socket_name);

	if (ct_attach_check(o->attach, parts->library, wrong))
		return fail("%s", wrong);

	if (!error)
		ct_attach_name(o->attach, name);
	if (!error)
		error = ct_expand_name(out, sizeof(out), o->out ? o->out : "trace.%p.bin", o->attach, name);
	if (error)
		return fail("process %d: %s", o->attach, strerror(-error));
	/* Nor does a signal end us while we hold a thread of the process. */
	ct_program_block_signals();
	struct ct_collector_arguments arguments = { parts->collector, socket_name, out, o->sched, o->attach, 0, o };

	if (ct_collector_start(&arguments, &collector, wrong))
		return fail("%s", wrong);
	if (ct_attach_process(o->attach, parts, socket_name, o, wrong)) {
		ct_collector_cancel(&collector, out);
		return fail("%s", wrong);
	}
	if (!o->quiet)
		fprintf(stderr, "ctrace: attached to process %d: Ctrl-C ends the trace, not the process\n", o->attach);
	if (wait_attached(pidfd, o->for_ns)) {
		struct ct_run_watchdog none = { -1, 0, parts->analyzer, out, o->quiet, "" };

		error = ct_collector_stop(&collector, o->attach, 0, &none, &summary);
	} else {
		ct_detach_all(o->attach, parts);
		error = ct_collector_end(&collector, &summary);
	}
	if (print_trouble(out, error, &summary, o->quiet) && !o->quiet) {
		print_summary(out, &summary);
		print_findings(parts->analyzer, out);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct ct_run_options options;
	struct ct_refusal refusal;
	struct ct_parts parts;
	char wrong[256], path[PATH_MAX];

	if (ct_run_options(argc, argv, &options, wrong))
		return fail("%s", wrong);
	if (options.attach)
		return ct_find_parts(&parts, wrong) ? fail("%s", wrong) : attach(&options, &parts);
	if (ct_resolve(options.argv[0], path, &refusal) || ct_inspect(path, &refusal)) {
		fail("%s", refusal.text);
		return refusal.status;
	}
	if (ct_find_parts(&parts, wrong))
		return fail("%s", wrong);
	return run(&options, path, &parts);
}
