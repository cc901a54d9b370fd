/* Whether context switches are wanted, and of whom. See collector.h. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector.h"
#include "env.h"
#include "proc.h"

static enum ct_sched_mode parse_mode(const char *text)
{
	if (!strcmp(text, "off"))
		return CT_SCHED_OFF;
	if (!strcmp(text, "switches"))
		return CT_SCHED_SWITCHES;
	return strcmp(text, "on") ? CT_SCHED_AUTO : CT_SCHED_ON;
}

/* As the option says, or else the environment, of which the preloaded library
 * hands us none. */
static enum ct_sched_mode wanted(const struct ct_options *o, pid_t program)
{
	const char *value = o->sched ? o->sched : getenv(CT_ENV_SCHED);
	char text[16];

	if (value)
		return parse_mode(value);
	if (o->daemon && program && !ct_proc_environment(program, CT_ENV_SCHED, text, sizeof(text)))
		return parse_mode(text);
	return CT_SCHED_AUTO;
}

/* Told once for each time that a ring fills, and once when its last task is gone. */
static void watch(struct ct_collector *c, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = (uint64_t)CT_SOURCE_SCHED << 56 };

	/* Without it the passes alone drain the ring. */
	epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* Whether a seccomp filter would kill us for the call, as those of systemd's services do: somebody else tries. */
static bool is_deadly(void)
{
	struct rlimit none = { 0, 0 };
	int status = 0;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
		return false;
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFSIGNALED(status);
}

int ct_collector_sched(struct ct_collector *c)
{
	pid_t program = c->options.program;
	char why[CT_PERF_WRONG];

	enum ct_sched_mode mode = wanted(&c->options, program);

	c->sched_off = mode == CT_SCHED_OFF;
	if (c->sched_off)
		return 0;
	int error = -ESRCH;

	snprintf(why, sizeof(why), "it is not known of whom");
	if (program && is_deadly()) {
		error = -EPERM;
		snprintf(why, sizeof(why), "a seccomp filter kills for perf_event_open");
	} else if (program) {
		error = ct_sched_open(&c->sched, program, mode != CT_SCHED_SWITCHES, why);
	}
	/* A ring that fills must not wait for the next pass. */
	for (size_t i = 0; i < c->sched.perf.ring_count && !error; i++)
		watch(c, c->sched.perf.ring[i].fd);
	if (!error)
		return 0;
	if (mode == CT_SCHED_ON)
		snprintf(c->sched_refused, sizeof(c->sched_refused), "--sched on: %s", why);
	else
		snprintf(c->sched_refused, sizeof(c->sched_refused), "%s", why);
	return mode == CT_SCHED_ON ? error : 0;
}
