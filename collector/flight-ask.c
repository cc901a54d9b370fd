/* When a snapshot is taken, and who is told. See flight.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector.h"
#include "control.h"
#include "names.h"
#include "proc.h"

static void tell(struct ct_flight *f, const char *path, int error, const char *why, uint64_t ns, uint64_t events,
		 uint64_t bytes)
{
	struct ct_control m = {
		.magic = CT_CONTROL_MAGIC,
		.kind = CT_CONTROL_SNAPSHOT,
		.error = -error,
		.events = events,
		.file_bytes = bytes,
		.duration_ns = ns,
	};

	snprintf(m.path, sizeof(m.path), "%s", path);
	snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, why);
	if (f->c->control >= 0 && send(f->c->control, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(m))
		return;
	if (error)
		fprintf(stderr, "ctrace: %s: %s; no snapshot (%s)\n", path, strerror(-error), why);
	else
		fprintf(stderr, "ctrace: %s: snapshot of %.2f s: %s\n", path, (double)ns / 1e9, why);
}

static int name_of(struct ct_flight *f, char path[PATH_MAX])
{
	const struct ct_options *o = &f->c->options;

	if (!*f->program && o->program_name)
		snprintf(f->program, sizeof(f->program), "%s", o->program_name);
	if (!*f->program && o->program) {
		char name[16] = "";

		ct_proc_comm(o->program, o->program, name);
		snprintf(f->program, sizeof(f->program), "%s", name);
	}
	return ct_expand_snapshot(path, PATH_MAX, o->out, o->program, f->program, f->number);
}

static int take(struct ct_flight *f, const char *path, const struct ct_reason *reason, char ret_path[PATH_MAX])
{
	int error = 0;

	if (f->writing)
		return -EBUSY;
	f->number++;
	if (path && strlen(path) < PATH_MAX)
		strcpy(ret_path, path);
	else
		error = path ? -ENAMETOOLONG : name_of(f, ret_path);
	if (!error)
		error = ct_snapshot_start(f, ret_path, reason, &f->writing);
	if (error)
		f->number--;
	return error;
}

int ct_flight_snapshot(struct ct_collector *c, const char *path, const char *why, char *ret_path, size_t size)
{
	struct ct_flight *f = c->trace.flight;
	struct ct_reason reason = { .tid = 0 };
	char taken[PATH_MAX], here[PATH_MAX];

	if (!f)
		return -ENOTSUP;
	snprintf(reason.why, sizeof(reason.why), "%s", why);
	int error = take(f, path, &reason, taken);

	/* Whoever asks may have another working folder. */
	if (!error && ret_path && (*taken == '/' || !getcwd(here, sizeof(here))))
		snprintf(ret_path, size, "%s", taken);
	else if (!error && ret_path)
		snprintf(ret_path, size, "%s/%s", here, taken);
	return error;
}

void ct_flight_ask(struct ct_flight *f, const struct ct_reason *reason)
{
	/* What was asked for first has its way; that it was asked for freely stays. */
	f->asked_free = true;
	f->asked = *reason;
}

/* What ends a process that nobody wanted to end. */
static bool is_crash(int signal)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGTRAP:
	case SIGSYS:
	case SIGXCPU:
	case SIGKILL:
		return true;
	}
	return false;
}

void ct_flight_died(struct ct_flight *f, pid_t pid, int signal)
{
	struct ct_reason reason = { .tid = 0 };
	bool program = pid == f->c->options.program;
	const char *name = sigabbrev_np(signal);

	if (program ? f->died : !is_crash(signal))
		return;
	f->died |= program;
	if (name)
		snprintf(reason.why, sizeof(reason.why), "SIG%s of process %d", name, pid);
	else
		snprintf(reason.why, sizeof(reason.why), "signal %d of process %d", signal, pid);
	/* Workers that die again and again are as what triggers ask for. */
	if (program || !*f->asked.why) {
		f->asked = reason;
		f->asked_free = program;
	}
}

void ct_flight_written(struct ct_flight *f)
{
	char path[PATH_MAX], why[160];
	uint64_t events, bytes, ns, ignored;

	if (read(f->written, &ignored, sizeof(ignored)) != sizeof(ignored) || !f->writing)
		return;
	int error = ct_snapshot_end(f, f->writing, path, &events, &bytes, &ns, why);

	f->writing = NULL;
	f->snapshots += !error;
	tell(f, path, error, why, ns, events, bytes);
}

void ct_flight_wait(struct ct_flight *f)
{
	struct pollfd p = { f->written, POLLIN, 0 };

	while (f->writing) {
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
		ct_flight_written(f);
	}
}

static bool may_take(const struct ct_flight *f, uint64_t now_ns)
{
	if (f->asked_free)
		return true;
	return now_ns >= f->pause_until_ns &&
	       (!f->options.max_snapshots || f->by_triggers < f->options.max_snapshots);
}

void ct_flight_ask_pass(struct ct_flight *f, uint64_t now_ns)
{
	char path[PATH_MAX] = "";
	struct ct_reason reason = f->asked;

	if (!*f->asked.why || f->writing)
		return;
	if (may_take(f, now_ns)) {
		if (!f->asked_free) {
			f->by_triggers++;
			f->pause_until_ns = now_ns + f->options.pause_ns;
		}
		int error = take(f, NULL, &reason, path);

		if (error)
			tell(f, path, error, reason.why, 0, 0, 0);
	}
	f->asked.why[0] = 0;
	f->asked_free = false;
}

void ct_flight_finish(struct ct_flight *f)
{
	struct ct_reason end = { .why = "the end of the program" };

	ct_flight_wait(f);
	if (f->program_signal && !f->died)
		ct_flight_died(f, f->c->options.program, f->program_signal);
	if (f->options.at_end && !f->died) {
		f->asked = end;
		f->asked_free = true;
	}
	ct_flight_ask_pass(f, ct_now_ns());
	ct_flight_wait(f);
}
