/* The collector's loop. See collector.h. */
#include <errno.h>
#include <signal.h>
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
#include "proc.h"

#define PERIOD_MIN_MS  1u
#define PERIOD_MAX_MS  10u
#define FILL_HIGH      64u  /* of 256: drain more often */
#define FILL_LOW       16u  /* less often */
#define LINGER_NS      200000000ull /* for a child that is about to attach */
#define LINGER_CONTROL_NS 20000000ull
#define TERMINATE_NS 5000000000ull /* for what ends when we are told to */
#define STILL_NS       50000000ull  /* for processes that end with the program */
#define FIRST_NS       10000000000ull
#define CLOCK_NS       1000000000ull
#define KILL_PROBE_NS  200000000ull
#define TOKENS_MAX     200
#define EMPTY_TURNS    1000u /* 20 s */
#define EVENTS_AT_ONCE 64

int ct_collector_watch(struct ct_collector *c, int fd, enum ct_source source, uint64_t id)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)source << 56 | id };

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int ct_collector_add(struct ct_collector *c, struct ct_process *p)
{
	if (c->process_count == c->process_room) {
		size_t room = c->process_room ? c->process_room * 2 : 16;
		struct ct_process **larger = realloc(c->process, room * sizeof(struct ct_process *));

		if (!larger) {
			ct_process_finish(&c->trace, p, CT_END_TRACE, ct_now_ns(), -1);
			return -ENOMEM;
		}
		c->process = larger;
		c->process_room = room;
	}
	c->process[c->process_count++] = p;
	if (p->pidfd >= 0 && ct_collector_watch(c, p->pidfd, CT_SOURCE_PROCESS, p->id)) {
		close(p->pidfd);
		p->pidfd = -1;
	}
	/* Its first events are there already. */
	c->period_ms = PERIOD_MIN_MS;
	return 0;
}

struct ct_process *ct_collector_find(struct ct_collector *c, pid_t pid)
{
	for (size_t i = 0; i < c->process_count; i++)
		if (c->process[i]->pid == pid)
			return c->process[i];
	return NULL;
}

/* All that a process with many threads has written may take seconds to be read: the others have their turns
 * meanwhile. One that somebody goes on writing for is not waited for. */
static void empty(struct ct_collector *c, struct ct_process *p)
{
	p->next_slot = 0;
	for (unsigned int i = 0; i < EMPTY_TURNS && !ct_process_empty(&c->trace, p); i++) {
		for (size_t k = 0; k < c->process_count; k++) {
			c->trace.synced = false;
			ct_process_pass(&c->trace, c->process[k], ct_now_ns());
		}
		if (ct_sched_is_open(&c->sched))
			ct_sched_pass(&c->sched, &c->trace.writer, ct_now_ns());
	}
}

void ct_collector_end(struct ct_collector *c, struct ct_process *p, int how, uint64_t end_ns)
{
	int status = how == CT_END_EXEC ? 0 : -1;

	if (how == CT_END_EXIT)
		ct_proc_exit_status(p->pid, p->pidfd, &status);
	for (size_t i = 0; i < c->process_count; i++)
		if (c->process[i] == p)
			c->process[i] = c->process[--c->process_count];
	empty(c, p);
	pid_t pid = p->pid;

	/* Who waits for the program knows how it ended, and may have taken that away from us. */
	if (status < 0 && pid == c->options.program && c->flight.program_signal)
		status = c->flight.program_signal;
	ct_process_finish(&c->trace, p, how, end_ns, status);
	if (c->trace.flight && how == CT_END_EXIT && status >= 0 && WIFSIGNALED(status))
		ct_flight_died(c->trace.flight, pid, WTERMSIG(status));
	c->idle_since_ns = ct_now_ns();
}

static void end_process(struct ct_collector *c, uint64_t id)
{
	for (size_t i = 0; i < c->process_count; i++)
		if (c->process[i]->id == id) {
			ct_collector_end(c, c->process[i], CT_END_EXIT, ct_now_ns());
			return;
		}
}

static void program_ended(struct ct_collector *c, bool listening)
{
	c->ended = true;
	c->ended_ns = ct_now_ns();
	if (listening)
		return;
	epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->control, NULL);
	close(c->control);
	c->control = -1;
}

static void hear_control(struct ct_collector *c)
{
	struct ct_control m;
	ssize_t n = recv(c->control, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == sizeof(m) && m.magic == CT_CONTROL_MAGIC && m.kind == CT_CONTROL_DETACHED) {
		c->terminated = true;
	} else if (n == sizeof(m) && m.magic == CT_CONTROL_MAGIC && m.kind == CT_CONTROL_ENDED) {
		c->flight.program_signal = WIFSIGNALED(m.status) ? WTERMSIG(m.status) : 0;
		/* Its process ended before it was known how. */
		if (c->trace.flight && c->flight.program_signal && !ct_collector_find(c, c->options.program))
			ct_flight_died(c->trace.flight, c->options.program, c->flight.program_signal);
		program_ended(c, true);
	}
	else
		program_ended(c, false);
}

/* Whoever stops a service tells all of its processes at once: the program's last moments, and its end, are to
 * be in the trace. Told twice, we end at once. */
static void terminate(struct ct_collector *c)
{
	c->terminated = c->terminated_ns || !c->process_count || (!c->options.daemon && c->options.control < 0);
	c->terminated_ns = ct_now_ns();
}

static void hear_signal(struct ct_collector *c)
{
	struct signalfd_siginfo info;

	if (read(c->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		terminate(c);
	else if (c->trace.flight)
		ct_flight_ask(c->trace.flight, &(struct ct_reason){ .why = "signal to the collector" });
}

static void dispatch(struct ct_collector *c, uint64_t what)
{
	uint64_t id = what & ((1ull << 56) - 1);

	switch ((enum ct_source)(what >> 56)) {
	case CT_SOURCE_LISTENER:
		ct_attach_accept(c);
		break;
	case CT_SOURCE_SIGNAL:
		hear_signal(c);
		break;
	case CT_SOURCE_CONTROL:
		hear_control(c);
		break;
	case CT_SOURCE_PEER:
		ct_attach_peer(c, (int)id);
		break;
	case CT_SOURCE_PROCESS:
		end_process(c, id);
		break;
	case CT_SOURCE_FLIGHT:
		ct_flight_written(&c->flight);
		break;
	case CT_SOURCE_SCHED:
		ct_sched_pass(&c->sched, &c->trace.writer, ct_now_ns());
		break;
	case CT_SOURCE_COMMANDS:
		ct_commands_accept(c);
		break;
	case CT_SOURCE_ASKER:
		ct_commands_asker(c, (int)id);
		break;
	}
}

/* Processes whose end no descriptor reports. */
static void probe_processes(struct ct_collector *c, uint64_t now_ns)
{
	for (size_t i = c->process_count; i-- > 0;) {
		struct ct_process *p = c->process[i];

		if (p->pidfd >= 0 || now_ns < p->kill_probe_ns)
			continue;
		p->kill_probe_ns = now_ns + KILL_PROBE_NS;
		if (kill(p->pid, 0) && errno == ESRCH)
			ct_collector_end(c, p, CT_END_EXIT, now_ns);
	}
}

static void adapt(struct ct_collector *c, unsigned int fullest)
{
	if (fullest > FILL_HIGH)
		c->period_ms = c->period_ms > 4 ? c->period_ms / 4 : PERIOD_MIN_MS;
	else if (fullest < FILL_LOW && c->period_ms < PERIOD_MAX_MS)
		c->period_ms++;
}

static void clock_record(struct ct_collector *c, uint64_t now_ns)
{
	struct ct_trace *t = &c->trace;

	if (now_ns < c->clock_ns || !c->process_count)
		return;
	c->clock_ns = now_ns + CLOCK_NS;
	ct_trace_sync(t);
	const struct ct_knot *last = ct_clock_last(&t->clock);
	struct ct_record r = { .type = CT_RECORD_CLOCK, .clock = {
		.ticks = last->ticks,
		.ns = last->ns,
		.error_ns = t->clock.error_ns,
	} };

	ct_writer_record(&t->writer, &r);
	t->clock.error_ns = 0;
}

static void pass(struct ct_collector *c, uint64_t now_ns)
{
	struct ct_trace *t = &c->trace;
	uint64_t elapsed_ms = (now_ns - c->pass_ns) / 1000000u;
	unsigned int fullest = 0;

	/* A token a millisecond bounds what reading /proc may cost. */
	t->proc_tokens += (int)(elapsed_ms < TOKENS_MAX ? elapsed_ms : TOKENS_MAX);
	if (t->proc_tokens > TOKENS_MAX)
		t->proc_tokens = TOKENS_MAX;
	c->pass_ns = now_ns;
	clock_record(c, now_ns);
	probe_processes(c, now_ns);
	for (size_t i = 0; i < c->process_count; i++) {
		t->synced = false;
		unsigned int fill = ct_process_pass(t, c->process[i], now_ns);

		if (fill > fullest)
			fullest = fill;
	}
	if (ct_sched_is_open(&c->sched))
		ct_sched_pass(&c->sched, &t->writer, now_ns);
	adapt(c, fullest);
	ct_watchdog_pass(c, now_ns);
	if (t->flight)
		ct_flight_pass(t->flight, now_ns);
	ct_writer_tick(&t->writer, now_ns);
}

static void answer_running(struct ct_collector *c)
{
	struct ct_control m = {
		.magic = CT_CONTROL_MAGIC,
		.kind = CT_CONTROL_RUNNING,
		.processes = c->process_count,
	};

	send(c->control, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
	program_ended(c, false);
}

/* Nothing is attached: how long to wait for somebody; 0: for ever. */
static uint64_t patience_ns(const struct ct_collector *c)
{
	if (!c->options.daemon && !c->ended)
		return 0;
	if (!c->options.daemon && c->control >= 0)
		return LINGER_CONTROL_NS;
	if (!c->trace.last_process && c->options.daemon)
		return FIRST_NS;
	return LINGER_NS;
}

static bool finished(struct ct_collector *c, uint64_t now_ns)
{
	/* ctrace-run, which was told too, still says how the program ended. */
	bool all_said = !c->process_count && (c->ended || c->control < 0);

	if (c->terminated || (c->terminated_ns && (all_said || now_ns - c->terminated_ns > TERMINATE_NS)))
		return true;
	if (c->process_count) {
		if (c->ended && c->control >= 0 && now_ns - c->ended_ns >= STILL_NS)
			answer_running(c);
		return false;
	}
	/* Nothing to wait for: a program that starts another with each command would feel it. */
	if ((c->ended || (c->options.daemon && c->trace.last_process)) && ct_sched_is_open(&c->sched) &&
	    ct_perf_all_ended(&c->sched.perf))
		return true;
	uint64_t patience = patience_ns(c), since = c->idle_since_ns;

	if (c->ended && c->control >= 0 && c->ended_ns > since)
		since = c->ended_ns;
	return patience && now_ns - since >= patience;
}

static int timeout_ms(const struct ct_collector *c, uint64_t now_ns)
{
	if (c->process_count) {
		uint64_t next_ns = c->pass_ns + c->period_ms * 1000000ull;

		return next_ns > now_ns ? (int)((next_ns - now_ns + 999999u) / 1000000u) : 0;
	}
	uint64_t patience = patience_ns(c);

	/* Records that wait for their chunk want to be looked at, too. */
	if (!patience || patience > 1000000000u)
		return 1000;
	return (int)(patience / 1000000u);
}

void ct_collector_loop(struct ct_collector *c)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	uint64_t now_ns = ct_now_ns();

	c->idle_since_ns = c->pass_ns = now_ns;
	c->period_ms = PERIOD_MIN_MS;
	while (!finished(c, now_ns)) {
		int n = epoll_wait(c->epoll, events, EVENTS_AT_ONCE, timeout_ms(c, now_ns));

		for (int i = 0; i < n; i++)
			dispatch(c, events[i].data.u64);
		now_ns = ct_now_ns();
		if (now_ns - c->pass_ns + 200000u >= c->period_ms * 1000000ull)
			pass(c, now_ns);
	}
	now_ns = ct_now_ns();
	if (ct_sched_is_open(&c->sched))
		ct_sched_finish(&c->sched, &c->trace.writer, now_ns);
	if (c->sched.wakes_stopped && c->wakes)
		c->wakes = "stopped";
	if (c->control >= 0)
		ct_perf_leave(&c->sched.perf);
	ct_sched_close(&c->sched);
	while (c->process_count)
		ct_collector_end(c, c->process[c->process_count - 1], CT_END_TRACE, now_ns);
}
