/* See inject.h. */
#include "inject.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inject-frames.h"

#if defined(__x86_64__)

#define STACK_BYTES  (512u << 10)
#define XSTATE_BYTES (32u << 10)
#define STOP_MS      2000  /* for a stop that was asked for */
#define TRY_MS       60    /* for a thread to come to a place that will do */
#define SEARCH_MS    15000 /* for any to come */
#define SIGSETXID    33    /* glibc's: setuid() in another thread waits for it */

struct ct_inject {
	pid_t pid, tid;
	struct ct_frames *frames;
	struct user_regs_struct saved; /* at the entry of the system call */
	uint8_t xstate[XSTATE_BYTES];
	size_t xstate_bytes;
	uint64_t mask, stack, top, room;
	uint64_t errno_at;             /* 0: not known */
	int error;
	bool gone, lost;
};

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The thread's next stop. 0: none in that time (ms < 0: without limit); -1: it has ended. */
static int wait_stop(pid_t tid, int ms, int *ret_status)
{
	long until = now_ms() + ms;

	for (;;) {
		pid_t r = waitpid(tid, ret_status, __WALL | WNOHANG);

		if (r == tid)
			return WIFSTOPPED(*ret_status) ? 1 : -1;
		if (r < 0 && errno != EINTR)
			return -1;
		if (ms >= 0 && now_ms() >= until)
			return 0;
		usleep(200);
	}
}

static bool is_syscall_stop(int status)
{
	return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* The signal to deliver when the thread goes on from this stop. */
static int signal_of(int status)
{
	return status >> 16 || is_syscall_stop(status) ? 0 : WSTOPSIG(status);
}

static int op_of(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 ? info.op : -1;
}

/* --- interrupted calls --- */

/* Calls that fail with EINTR when a thread is stopped and goes on, without a signal: see signal(7). */
static bool fails_when_stopped(long call)
{
	switch (call) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case 441: /* epoll_pwait2 */
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_msgrcv:
	case SYS_msgsnd:
	case SYS_io_getevents:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
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
	uint64_t pending = 0, blocked = 0, v;

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

/* Our stop ended a wait that nothing else ended: it is to begin again. */
static void begin_again(pid_t pid, pid_t tid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, 0, &r) || (long)r.orig_rax < 0 || (long)r.rax != -EINTR ||
	    !fails_when_stopped((long)r.orig_rax) || signal_is_pending(pid, tid))
		return;
	errno = 0;
	long code = ptrace(PTRACE_PEEKTEXT, tid, r.rip - 2, 0);

	if (errno || (code & 0xffff) != 0x050f)
		return;
	r.rax = r.orig_rax;
	r.orig_rax = (unsigned long)-1;
	r.rip -= 2;
	ptrace(PTRACE_SETREGS, tid, 0, &r);
}

/* --- holding --- */

/* Stops the thread and lets it go for good. */
static void let_go(pid_t pid, pid_t tid, bool stopped, int signal)
{
	int status;

	if (!stopped) {
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		if (wait_stop(tid, -1, &status) < 0)
			return;
		if (is_event_stop(status))
			begin_again(pid, tid);
		signal = signal_of(status);
	}
	ptrace(PTRACE_DETACH, tid, 0, signal);
}

/* Holds the thread at the entry of a call that will do. 1; 0: it comes to none, and runs on; -1: it cannot be held, see errno. */
static int hold(struct ct_inject *i, pid_t tid)
{
	long until = now_ms() + TRY_MS;
	int status, signal = 0;

	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD))
		return -1;
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	int r = wait_stop(tid, STOP_MS, &status);

	if (r == 0) { /* in a call that does not end: it stops when that does */
		let_go(i->pid, tid, false, 0);
		return 0;
	}
	while (r > 0) {
		if (is_syscall_stop(status)) {
			struct user_regs_struct regs;

			if (op_of(tid) == PTRACE_SYSCALL_INFO_ENTRY && !ptrace(PTRACE_GETREGS, tid, 0, &regs) &&
			    ct_frames_are_safe(i->frames, tid, (long)regs.orig_rax)) {
				i->tid = tid;
				i->saved = regs;
				return 1;
			}
			signal = 0;
		} else if (is_event_stop(status)) {
			begin_again(i->pid, tid);
			signal = 0;
		} else {
			signal = signal_of(status);
		}
		if (now_ms() >= until) {
			let_go(i->pid, tid, true, signal);
			return 0;
		}
		ptrace(PTRACE_SYSCALL, tid, 0, signal);
		long left = until - now_ms();

		r = wait_stop(tid, left > 0 ? (int)left : 0, &status);
		if (r == 0) {
			let_go(i->pid, tid, false, 0);
			return 0;
		}
	}
	return 0;
}

/* Whether the thread can be stopped: not in a wait that no signal ends, nor about to end. */
static bool can_be_stopped(pid_t pid, pid_t tid)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	FILE *f = fopen(path, "re");
	const char *behind = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;

	if (f)
		fclose(f);
	return behind && (behind[2] == 'S' || behind[2] == 'R');
}

/* Whether the thread waits in a call that would fail when it is stopped: others are tried first. */
static bool waits_touchily(pid_t pid, pid_t tid)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	FILE *f = fopen(path, "re");
	bool is = f && fgets(text, sizeof(text), f) && text[0] >= '0' && text[0] <= '9' && fails_when_stopped(atol(text));

	if (f)
		fclose(f);
	return is;
}

/* Tries all threads. As hold(). */
static int hold_one(struct ct_inject *i, bool touchy)
{
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", i->pid);
	DIR *d = opendir(path);

	if (!d) {
		errno = ESRCH;
		return -1;
	}
	for (struct dirent *e; !r && (e = readdir(d));) {
		pid_t tid = atoi(e->d_name);

		if (tid > 0 && can_be_stopped(i->pid, tid) && waits_touchily(i->pid, tid) == touchy)
			r = hold(i, tid);
		if (r < 0 && errno == ESRCH)
			r = 0;
	}
	int error = errno;

	closedir(d);
	errno = error;
	return r;
}

/* --- running --- */

static bool deadly(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
}

/* Lets the held thread run to its next stop at a system call. */
static int step(struct ct_inject *i)
{
	int status, signal = 0;

	for (long since = now_ms(); ; ) {
		if (ptrace(PTRACE_SYSCALL, i->tid, 0, signal)) {
			i->gone = true;
			return -1;
		}
		int r;

		while (!(r = wait_stop(i->tid, 10000, &status))) {
			fprintf(stderr, "ctrace: process %d: waits for the loader's lock since %ld s\n", i->pid, (now_ms() - since) / 1000);
		}
		if (r < 0) {
			i->gone = true;
			return -1;
		}
		if (is_syscall_stop(status))
			return 0;
		signal = signal_of(status);
		if (deadly(signal)) {
			i->lost = true;
			return -1;
		}
	}
}

/* From any stop but the entry of a call, makes one. */
static int remote_syscall(struct ct_inject *i, long number, const uint64_t a[6], uint64_t *ret)
{
	struct user_regs_struct r = i->saved;

	r.rip = i->saved.rip - 2;
	r.rax = (unsigned long)number;
	r.orig_rax = (unsigned long)-1;
	r.rdi = a[0], r.rsi = a[1], r.rdx = a[2], r.r10 = a[3], r.r8 = a[4], r.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, i->tid, 0, &r) || step(i) || step(i) || ptrace(PTRACE_GETREGS, i->tid, 0, &r))
		return -1;
	*ret = r.rax;
	return 0;
}

/* The call at whose entry the thread stands is left out. */
static int skip_call(struct ct_inject *i)
{
	struct user_regs_struct r = i->saved;

	r.orig_rax = (unsigned long)-1;
	return ptrace(PTRACE_SETREGS, i->tid, 0, &r) || step(i) ? -1 : 0;
}

int ct_inject_call(struct ct_inject *i, uint64_t function, uint64_t a, uint64_t b, uint64_t *ret_result)
{
	struct user_regs_struct r = i->saved;
	uint64_t back = i->saved.rip - 2; /* returns to the system call instruction: there we are told */

	if (i->gone || i->lost || ct_inject_write(i, i->top - 8, &back, sizeof(back)))
		return -1;
	r.rip = function;
	r.rsp = i->top - 8;
	r.rbp = 0;
	r.rdi = a;
	r.rsi = b;
	r.rax = 0;
	r.orig_rax = (unsigned long)-1;
	r.eflags &= ~0x500ul; /* direction and trap flags */
	if (ptrace(PTRACE_SETREGS, i->tid, 0, &r))
		return -1;
	for (;;) {
		if (step(i) || ptrace(PTRACE_GETREGS, i->tid, 0, &r))
			return -1;
		if (r.rip == i->saved.rip && r.rsp == i->top && op_of(i->tid) == PTRACE_SYSCALL_INFO_ENTRY)
			break;
	}
	*ret_result = r.orig_rax;
	r.orig_rax = (unsigned long)-1;
	return ptrace(PTRACE_SETREGS, i->tid, 0, &r) || step(i) ? -1 : 0;
}

int ct_inject_read(struct ct_inject *i, uint64_t at, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)at, bytes };

	return process_vm_readv(i->tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -1;
}

int ct_inject_write(struct ct_inject *i, uint64_t at, const void *from, size_t bytes)
{
	struct iovec local = { (void *)from, bytes }, remote = { (void *)at, bytes };

	return process_vm_writev(i->tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -1;
}

uint64_t ct_inject_libc(struct ct_inject *i, const char *name)
{
	return ct_frames_libc(i->frames, name);
}

uint64_t ct_inject_room(struct ct_inject *i, size_t bytes)
{
	uint64_t at = i->room;

	bytes = (bytes + 15) & ~(size_t)15;
	if (i->room + bytes > i->stack + STACK_BYTES)
		return 0;
	i->room += bytes;
	return at;
}

/* All that a function may change. */
static int save(struct ct_inject *i)
{
	/* Handlers run later. One might leave what we run by longjmp, or for a thread that is
	 * cancelled in its system call by unwinding. Not held up: what our own code may raise,
	 * and the one that setuid() in another thread waits for, maybe with the lock that the
	 * loader needs. */
	uint64_t blocked = ~0ull;
	struct iovec v = { i->xstate, sizeof(i->xstate) };
	static const int open[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSETXID };

	for (size_t k = 0; k < sizeof(open) / sizeof(open[0]); k++)
		blocked &= ~(1ull << (open[k] - 1));
	if (ptrace(PTRACE_GETREGSET, i->tid, NT_X86_XSTATE, &v) || v.iov_len == sizeof(i->xstate) ||
	    ptrace(PTRACE_GETSIGMASK, i->tid, 8, &i->mask) || ptrace(PTRACE_SETSIGMASK, i->tid, 8, &blocked))
		return -1;
	i->xstate_bytes = v.iov_len;
	return 0;
}

static void restore(struct ct_inject *i)
{
	struct user_regs_struct r = i->saved;
	struct iovec v = { i->xstate, i->xstate_bytes };

	/* It makes its system call now, if it ever does. */
	r.rip -= 2;
	r.rax = r.orig_rax;
	r.orig_rax = (unsigned long)-1;
	ptrace(PTRACE_SETREGSET, i->tid, NT_X86_XSTATE, &v);
	ptrace(PTRACE_SETREGS, i->tid, 0, &r);
	ptrace(PTRACE_SETSIGMASK, i->tid, 8, &i->mask);
	if (i->errno_at)
		ct_inject_write(i, i->errno_at, &i->error, sizeof(i->error));
}

static int prepare(struct ct_inject *i)
{
	const uint64_t map[6] = { 0, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 };
	uint64_t place = ct_frames_libc(i->frames, "__errno_location"), at;

	if (save(i))
		return -1;
	if (skip_call(i) || remote_syscall(i, SYS_mmap, map, &at) || at > -4096ul) {
		i->stack = 0;
		return -1;
	}
	i->stack = i->room = at;
	i->top = at + STACK_BYTES - 64;
	if (!place || ct_inject_call(i, place, 0, 0, &at) || ct_inject_read(i, at, &i->error, sizeof(i->error)))
		return -1;
	i->errno_at = at;
	return 0;
}

static void forget(struct ct_inject *i)
{
	ct_frames_close(i->frames);
	free(i);
}

int ct_inject_end(struct ct_inject *i)
{
	const uint64_t unmap[6] = { i->stack, STACK_BYTES };
	uint64_t ignored;
	int result = i->gone ? -1 : 0;

	if (!i->gone && !i->xstate_bytes) {
		ptrace(PTRACE_DETACH, i->tid, 0, 0);
	} else if (!i->gone) {
		/* What was lost may still have its frames there. */
		if (i->stack && !i->lost)
			remote_syscall(i, SYS_munmap, unmap, &ignored);
		if (i->gone) {
			result = -1;
		} else {
			restore(i);
			ptrace(PTRACE_DETACH, i->tid, 0, 0);
		}
	}
	forget(i);
	return result;
}

int ct_inject_begin(pid_t pid, struct ct_inject **ret, char ret_wrong[CT_INJECT_WRONG])
{
	struct ct_inject *i = calloc(1, sizeof(*i));
	long until = now_ms() + SEARCH_MS;
	int r = 0;

	if (!i)
		return -1;
	i->pid = pid;
	i->frames = ct_frames_open(pid);
	if (!i->frames) {
		snprintf(ret_wrong, CT_INJECT_WRONG, "its modules cannot be read, or it has no glibc");
		forget(i);
		return -1;
	}
	while (!(r = hold_one(i, false)) && !(r = hold_one(i, true)) && now_ms() < until)
		usleep(2000);
	if (r <= 0) {
		snprintf(ret_wrong, CT_INJECT_WRONG, "%s",
			 r ? strerror(errno) : "none of its threads came to a place where a library can be loaded");
		forget(i);
		return -1;
	}
	if (prepare(i)) {
		snprintf(ret_wrong, CT_INJECT_WRONG, "%s", i->gone ? "it has ended" : "a function cannot be called in it");
		ct_inject_end(i);
		return -1;
	}
	*ret = i;
	return 0;
}

#else

int ct_inject_begin(pid_t pid, struct ct_inject **ret, char ret_wrong[CT_INJECT_WRONG])
{
	(void)pid, (void)ret;
	snprintf(ret_wrong, CT_INJECT_WRONG, "attaching is there for x86-64 only");
	return -1;
}

uint64_t ct_inject_libc(struct ct_inject *i, const char *name)
{
	(void)i, (void)name;
	return 0;
}

uint64_t ct_inject_room(struct ct_inject *i, size_t bytes)
{
	(void)i, (void)bytes;
	return 0;
}

int ct_inject_call(struct ct_inject *i, uint64_t function, uint64_t a, uint64_t b, uint64_t *ret_result)
{
	(void)i, (void)function, (void)a, (void)b, (void)ret_result;
	return -1;
}

int ct_inject_read(struct ct_inject *i, uint64_t at, void *to, size_t bytes)
{
	(void)i, (void)at, (void)to, (void)bytes;
	return -1;
}

int ct_inject_write(struct ct_inject *i, uint64_t at, const void *from, size_t bytes)
{
	(void)i, (void)at, (void)from, (void)bytes;
	return -1;
}

int ct_inject_end(struct ct_inject *i)
{
	(void)i;
	return -1;
}

#endif
