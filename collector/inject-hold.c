/*
 * See inject-hold.h. Each thread is observed for a moment: stopped, and then let from system call to
 * system call until it stands at the entry of one at which dlopen can be called. No result of
 * ptrace is taken for granted: where one is not as expected all is given up, and the end of
 * this process, which is near then, lets go of the thread.
 */
#include "inject-hold.h"

#if defined(__x86_64__)

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS       2000  /* for a stop that was asked for */
#define TRY_MS        60    /* for a thread to come to a place that will do */
#define SEARCH_MS     6000  /* for any to come */
#define TOUCHY_ROUNDS 3     /* tries with threads in calls whose time-out begins anew */

long ct_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int ct_stop_wait(pid_t tid, int ms, int *ret_status)
{
	long until = ct_now_ms() + ms, left;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t r = waitpid(tid, ret_status, __WALL | WNOHANG);

		if (r == tid)
			return WIFSTOPPED(*ret_status) ? 1 : -1;
		if (r < 0 && errno != EINTR)
			return -1;
		if ((left = until - ct_now_ms()) <= 0)
			return 0;
		/* It is blocked, and tells of stops; who sleeps in it is woken at once. */
		sigtimedwait(&child, NULL, &(struct timespec){ 0, (left < 20 ? left : 20) * 1000000 });
	}
}

bool ct_stop_is_call(int status)
{
	return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static bool is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

int ct_stop_signal(int status)
{
	return status >> 16 || ct_stop_is_call(status) ? 0 : WSTOPSIG(status);
}

static int op_of(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 ? info.op : -1;
}

bool ct_stop_is_entry(pid_t tid)
{
	return op_of(tid) == PTRACE_SYSCALL_INFO_ENTRY;
}

/* --- interrupted calls --- */

/* Calls that may fail with EINTR when a thread is stopped and goes on, without a signal: see signal(7). */
static bool fails_when_stopped(long call)
{
	switch (call) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case 441: /* epoll_pwait2 */
	case 426: /* io_uring_enter */
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_msgrcv:
	case SYS_msgsnd:
	case SYS_io_getevents:
	case 333: /* io_pgetevents */
	case SYS_read: /* of a socket with a time-out, and so on */
	case SYS_readv:
	case SYS_write:
	case SYS_writev:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
	case SYS_accept:
	case SYS_accept4:
		return true;
	}
	return false;
}

/* Whether a signal is on its way to the thread: then what it interrupts is the program's affair. */
static bool signal_is_pending(pid_t pid, pid_t tid)
{
	char path[64], line[256];
	unsigned long pending = 0, blocked = 0, v;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SigPnd: %lx", &v) == 1 || sscanf(line, "ShdPnd: %lx", &v) == 1)
			pending |= v;
		else if (sscanf(line, "SigBlk: %lx", &v) == 1)
			blocked = v;
	}
	if (f)
		fclose(f);
	return !f || pending & ~blocked;
}

static bool is_syscall_instruction(pid_t tid, unsigned long at)
{
	errno = 0;
	long code = ptrace(PTRACE_PEEKTEXT, tid, at, 0);

	return !errno && (code & 0xffff) == 0x050f;
}

/* Our stop ended a wait that nothing else ended: it is to begin again. */
static void begin_again(pid_t pid, pid_t tid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) || (long)r.orig_rax < 0 || (long)r.rax != -EINTR ||
	    !fails_when_stopped((long)r.orig_rax) || signal_is_pending(pid, tid) || !is_syscall_instruction(tid, r.rip - 2))
		return;
	r.rax = r.orig_rax;
	r.orig_rax = (unsigned long)-1;
	r.rip -= 2;
	ptrace(PTRACE_SETREGS, tid, 0, &r);
}

/* --- one thread --- */

/* From a stop. False: it does not work. */
static bool drop_stopped(pid_t pid, pid_t tid, int status)
{
	/* Where a stop was asked for, the interrupted call's end is told of before it. */
	if (is_event(status) || (ct_stop_is_call(status) && op_of(tid) == PTRACE_SYSCALL_INFO_EXIT))
		begin_again(pid, tid);
	return !ptrace(PTRACE_DETACH, tid, 0, ct_stop_signal(status)) || errno == ESRCH;
}

bool ct_hold_drop(pid_t pid, pid_t tid)
{
	int status;

	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	int r = ct_stop_wait(tid, STOP_MS, &status);

	return r < 0 || (r > 0 && drop_stopped(pid, tid, status));
}

enum outcome { HELD, PASSED, STUCK, STOPPED, REFUSED };

static bool will_do(struct ct_hold *h, struct ct_frames *frames, pid_t tid)
{
	return ct_stop_is_entry(tid) && !ptrace(PTRACE_GETREGS, tid, 0, &h->regs) &&
	       is_syscall_instruction(tid, h->regs.rip - 2) && ct_frames_are_safe(frames, tid, (long)h->regs.orig_rax);
}

static enum outcome observe(struct ct_hold *h, struct ct_frames *frames, pid_t tid)
{
	long until = ct_now_ms() + TRY_MS;
	int status, signal, r = ct_stop_wait(tid, STOP_MS, &status);

	if (!r)
		return STUCK;
	while (r > 0) {
		if (is_event(status) && WSTOPSIG(status) != SIGTRAP) /* all of the process is stopped: so it stays */
			return drop_stopped(h->pid, tid, status) ? STOPPED : STUCK;
		if (ct_stop_is_call(status) && will_do(h, frames, tid)) {
			h->tid = tid;
			return HELD;
		}
		signal = ct_stop_signal(status);
		long left = until - ct_now_ms();

		if (left <= 0)
			return drop_stopped(h->pid, tid, status) ? PASSED : STUCK;
		if (is_event(status))
			begin_again(h->pid, tid);
		/* Fails if the thread was killed meanwhile: that is told below. */
		if (ptrace(PTRACE_SYSCALL, tid, 0, signal) && errno != ESRCH)
			return STUCK;
		r = ct_stop_wait(tid, (int)left, &status);
		if (!r)
			return ct_hold_drop(h->pid, tid) ? PASSED : STUCK;
	}
	return PASSED;
}

static enum outcome hold(struct ct_hold *h, struct ct_frames *frames, pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD))
		return errno == ESRCH ? PASSED : REFUSED;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) && errno != ESRCH)
		return STUCK;
	return observe(h, frames, tid);
}

/* --- all of them --- */

struct thread {
	char state;
	bool seccomp; /* system calls that it does not make itself might kill it */
	bool touchy;  /* waits in a call that would fail when it is stopped */
};

static struct thread look_at(pid_t pid, pid_t tid)
{
	struct thread t = { 0 };
	char path[64], line[256];
	int mode = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &t.state);
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			t.seccomp = mode != 0;
	}
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	f = fopen(path, "re");
	t.touchy = f && fgets(line, sizeof(line), f) && line[0] >= '0' && line[0] <= '9' && fails_when_stopped(atol(line));
	if (f)
		fclose(f);
	return t;
}

/* Once through the threads that run, or wait in a way that a stop can interrupt. */
static enum outcome round_of(struct ct_hold *h, struct ct_frames *frames, bool touchy, int *ret_error)
{
	char path[64];
	enum outcome r = PASSED;

	snprintf(path, sizeof(path), "/proc/%d/task", h->pid);
	DIR *d = opendir(path);

	if (!d) {
		*ret_error = ESRCH;
		return STUCK;
	}
	for (struct dirent *e; r == PASSED && (e = readdir(d));) {
		pid_t tid = atoi(e->d_name);
		struct thread t = tid > 0 ? look_at(h->pid, tid) : (struct thread){ 0 };

		if ((t.state != 'S' && t.state != 'R') || t.seccomp || t.touchy != touchy)
			continue;
		r = hold(h, frames, tid);
		if (r == REFUSED)
			*ret_error = errno;
		/* A thread of the kernel's that works for the process, or one that another tracer has. */
		if (r == REFUSED && tid != h->pid)
			r = PASSED;
	}
	closedir(d);
	return r;
}

int ct_hold_find(pid_t pid, struct ct_frames *frames, struct ct_hold *ret, char wrong[256])
{
	long until = ct_now_ms() + SEARCH_MS;
	enum outcome r = PASSED;
	int error = 0, touchy = 0;

	ret->pid = pid;
	do {
		r = round_of(ret, frames, false, &error);
		if (r == PASSED && touchy++ < TOUCHY_ROUNDS)
			r = round_of(ret, frames, true, &error);
		if (r == PASSED)
			usleep(5000);
	} while (r == PASSED && ct_now_ms() < until);
	if (r == HELD)
		return 0;
	if (r == REFUSED || (r == STUCK && error == ESRCH))
		snprintf(wrong, 256, "%s", strerror(error));
	else
		snprintf(wrong, 256, "%s",
			 r == STOPPED ? "it is stopped (kill -CONT lets it run)"
			 : r == STUCK ? "one of its threads does not stop"
				      : "none of its threads came to a place where a library can be loaded");
	return -1;
}

#endif
