/*
 * The watchdog: tells ctrace-run when no thread has made progress for a while.
 * Whoever makes a call, or comes back from one, uses a CPU; so progress is what
 * the kernel says of the CPU time of each process, and of switches in all of the tree.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "collector.h"
#include "control.h"

#define PERIOD_MAX_NS 250000000ull

static uint64_t cpu_ns_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Changes with every process that comes or goes, and whenever one of them runs. */
static uint64_t mark(const struct ct_collector *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->process_count; i++) {
		const struct ct_process *p = c->process[i];

		sum += (cpu_ns_of(p->pid) ^ (uint64_t)p->id << 48) * 0x9e3779b97f4a7c15ull;
	}
	return sum;
}

/* When anybody in the tree, traced or not, last had a CPU: UINT64_MAX if now. */
static uint64_t last_run_ns(const struct ct_collector *c)
{
	uint64_t last_ns = 0;

	for (uint32_t i = 0; i < c->sched.task_count; i++) {
		const struct ct_sched_task *t = &c->sched.task[i];

		if (t->running && !t->gone)
			return UINT64_MAX;
		if (t->out_ns > last_ns)
			last_ns = t->out_ns;
	}
	return last_ns;
}

/* As a trigger: a program that stalls again and again is no reason to fill the disk. */
static void ask_snapshot(struct ct_flight *f, uint64_t ns)
{
	if (*f->asked.why)
		return;
	f->asked = (struct ct_reason){ .tid = 0 };
	snprintf(f->asked.why, sizeof(f->asked.why), CT_CONTROL_STALL " for %.1f s", (double)ns / 1e9);
}

static void tell(struct ct_collector *c, uint64_t now_ns)
{
	struct ct_control m = {
		.magic = CT_CONTROL_MAGIC,
		.kind = CT_CONTROL_STALLED,
		.processes = c->process_count,
		.duration_ns = now_ns - c->watchdog.since_ns,
	};

	for (size_t i = 0; i < c->process_count; i++) {
		c->trace.synced = false;
		ct_trace_sync(&c->trace);
		ct_process_flush(&c->trace, c->process[i]);
		ct_waiting_now(&c->trace, c->process[i], now_ns);
	}
	ct_writer_flush(&c->trace.writer);
	if (c->trace.flight)
		ask_snapshot(c->trace.flight, m.duration_ns);
	send(c->control, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void ct_watchdog_pass(struct ct_collector *c, uint64_t now_ns)
{
	struct ct_watchdog *w = &c->watchdog;
	uint64_t limit_ns = c->options.watchdog_ns;

	if (!limit_ns || c->control < 0 || now_ns < w->next_ns)
		return;
	w->next_ns = now_ns + (limit_ns / 8 < PERIOD_MAX_NS ? limit_ns / 8 : PERIOD_MAX_NS);
	uint64_t mark_now = mark(c), run_ns = last_run_ns(c);

	if (mark_now != w->mark || run_ns > w->since_ns || !c->process_count) {
		w->mark = mark_now;
		w->since_ns = now_ns;
		w->told = false;
	} else if (!w->told && now_ns - w->since_ns >= limit_ns) {
		w->told = true;
		tell(c, now_ns);
	}
}
