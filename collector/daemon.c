/* What a process must let go of to live on its own. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector.h"

#define SLICE_NS 500000u

/* sched_setattr(2); the kernel's own header cannot stand beside sched.h. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

/* Rings fill while we wait for a CPU. Who asks for a CPU for short times gets it sooner, and in
 * the end no more of it (Linux 6.12; earlier ones do not listen). */
static void ask_for_short_slices(void)
{
	struct attributes a = { 0 };

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) || a.policy != SCHED_OTHER)
		return;
	a.size = sizeof(a);
	a.flags = 0;
	a.runtime_ns = SLICE_NS;
	syscall(SYS_sched_setattr, 0, &a, 0);
}

void ct_daemon_clean(int keep)
{
	sigset_t none;
	struct rlimit files;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);

	if (keep > 2) {
		close_range(3, (unsigned int)keep - 1, 0);
		close_range((unsigned int)keep + 1, ~0u, 0);
	} else {
		close_range(3, ~0u, 0);
	}
	/* Our own descriptors must not land where others expect standard ones. */
	for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = dup(fd))
		if (fd > 2) {
			close(fd);
			break;
		}
	/* A process that is traced costs a descriptor. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	unsetenv("LD_PRELOAD");

	/* The CPU that the program was pinned to is the program's, and so is a
	 * real-time class. Where this is refused the program's own holds. */
	cpu_set_t all;
	struct sched_param normal = { 0 };

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	if (sched_getscheduler(0) != SCHED_OTHER)
		sched_setscheduler(0, SCHED_OTHER, &normal);
	ask_for_short_slices();
}

/* Holding the writing end of a pipe would keep its reader from seeing the end. */
static bool may_keep(int fd)
{
	struct stat st, null;

	if (fstat(fd, &st))
		return false;
	if (S_ISREG(st.st_mode) || isatty(fd))
		return true;
	return S_ISCHR(st.st_mode) && !stat("/dev/null", &null) && st.st_rdev == null.st_rdev;
}

void ct_daemon_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!may_keep(STDERR_FILENO))
		dup2(null, STDERR_FILENO);
	close(null);
}

uint64_t ct_cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}
