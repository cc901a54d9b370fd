/*
 * Runs a program under a condition that it inherits: through CONDITION COMMAND [ARG...]
 * It is not traced itself: what it execs is, and meets the condition from the start.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "restricted.h"

static int sigchld_blocked(void)
{
	sigset_t s;

	return sigemptyset(&s) || sigaddset(&s, SIGCHLD) || sigprocmask(SIG_BLOCK, &s, NULL);
}

static int sigchld_ignored(void)
{
	return signal(SIGCHLD, SIG_IGN) == SIG_ERR;
}

static int subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* What the program says goes to another descriptor. */
static int closed(void)
{
	return dup2(1, SAY_FD) != SAY_FD || close(0) || close(1) || close(2);
}

static int address_space(void)
{
	struct rlimit l = { 1ul << 30, 1ul << 30 };

	return setrlimit(RLIMIT_AS, &l);
}

static int limit(int resource, rlim_t n)
{
	struct rlimit l = { n, n };

	return setrlimit(resource, &l);
}

/* Standard descriptors and one more: the loader needs one, ctrace would like two. */
static int few_files(void)
{
	return limit(RLIMIT_NOFILE, 4);
}

static int little_memory(void)
{
	return limit(RLIMIT_AS, 48 << 20);
}

static int little_stack(void)
{
	return limit(RLIMIT_STACK, 128 << 10);
}

static int nothing_locked(void)
{
	return limit(RLIMIT_MEMLOCK, 0);
}

static int small_files(void)
{
	return limit(RLIMIT_FSIZE, 64 << 10);
}

/* System calls that a container may refuse. */
static int answer(int number, uint32_t with)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, with),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(f) / sizeof(*f), f };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int refuse(int number)
{
	return answer(number, SECCOMP_RET_ERRNO | EPERM);
}

/* As a unit of systemd with SystemCallFilter=@system-service. */
static int deadly_perf(void)
{
	return answer(SYS_perf_event_open, SECCOMP_RET_KILL_PROCESS);
}

static int no_memfd(void)
{
	return refuse(SYS_memfd_create);
}

static int no_sockets(void)
{
	return refuse(SYS_socket);
}

static int no_madvise(void)
{
	return refuse(SYS_madvise);
}

static int no_proc(void)
{
	return unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || umount2("/proc", MNT_DETACH);
}

/* Process 1 of a namespace; its status is passed on. */
static int process_1(void)
{
	int status;

	if (unshare(CLONE_NEWPID))
		return -1;
	pid_t pid = fork();

	if (pid <= 0)
		return pid;
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*set)(void);
	} conditions[] = {
		{ "sigchld-blocked", sigchld_blocked }, { "sigchld-ignored", sigchld_ignored },
		{ "subreaper", subreaper },		{ "closed", closed },
		{ "address-space", address_space },	{ "few-files", few_files },
		{ "little-memory", little_memory },	{ "little-stack", little_stack },
		{ "nothing-locked", nothing_locked },	{ "small-files", small_files },
		{ "no-memfd", no_memfd },		{ "no-sockets", no_sockets },
		{ "no-madvise", no_madvise },		{ "no-proc", no_proc },
		{ "process-1", process_1 },		{ "deadly-perf", deadly_perf },
	};

	for (size_t i = 0; argc > 2 && i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (!strcmp(conditions[i].name, argv[1])) {
			if (!conditions[i].set())
				execv(argv[2], argv + 2);
			return 99;
		}
	fprintf(stderr, "usage: %s CONDITION COMMAND [ARG...]\n", argv[0]);
	return 99;
}
