/* The program's process: forked early, let go late, waited for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env.h"
#include "run.h"

/* Puts the library first, where it is not yet in the list. */
static int preload(const char *library)
{
	const char *old = getenv(CT_ENV_PRELOAD);
	char *all;

	if (old && strstr(old, library))
		return 0;
	if (!old || !*old)
		return setenv(CT_ENV_PRELOAD, library, 1);
	if (asprintf(&all, "%s:%s", library, old) < 0)
		return -1;
	int result = setenv(CT_ENV_PRELOAD, all, 1);

	free(all);
	return result;
}

static int set_environment(const struct ct_environment *env)
{
	char min[32];

	if (preload(env->library) || setenv(CT_ENV_SOCKET, env->socket_name, 1))
		return -1;
	snprintf(min, sizeof(min), "%lluns", (unsigned long long)env->options->min_ns);
	if (env->options->min_given && setenv(CT_ENV_MIN, min, 1))
		return -1;
	if (env->options->stacks && setenv(CT_ENV_STACKS, env->options->stacks, 1))
		return -1;
	if (env->options->stopped && setenv(CT_ENV_START, "off", 1))
		return -1;
	return 0;
}

/* In the child. Its signals, descriptors and group are those we were started with. */
_Noreturn static void become(const char *path, const struct ct_environment *env, int held)
{
	char go;
	int error;

	/* End of file: ctrace-run is gone or has changed its mind. */
	while (read(held, &go, 1) < 0)
		if (errno != EINTR)
			_exit(125);
	if (go != 'g')
		_exit(125);
	if (!set_environment(env))
		execvp(path, env->options->argv);
	error = errno;
	ssize_t ignored = write(held, &error, sizeof(error));

	(void)ignored;
	_exit(127);
}

/* A program that ctrace-run is exec'ed in place of would be what it is: the one
 * attribute that exec keeps and fork does not. */
static int is_subreaper(void)
{
	int is = 0;

	return prctl(PR_GET_CHILD_SUBREAPER, &is) == 0 && is;
}

int ct_program_fork(const char *path, const struct ct_environment *env, struct ct_program *ret)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	int subreaper = is_subreaper();
	pid_t pid = fork();

	if (pid < 0) {
		int error = -errno;

		close(pair[0]);
		close(pair[1]);
		return error;
	}
	if (!pid) {
		close(pair[0]);
		if (subreaper)
			prctl(PR_SET_CHILD_SUBREAPER, 1);
		become(path, env, pair[1]);
	}
	close(pair[1]);
	*ret = (struct ct_program){ pid, pair[0] };
	return 0;
}

void ct_reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int ct_program_start(struct ct_program *p)
{
	int error = 0;
	ssize_t n = send(p->hold, "g", 1, MSG_NOSIGNAL);

	/* Its end closes with the exec. */
	do {
		n = recv(p->hold, &error, sizeof(error), 0);
	} while (n < 0 && errno == EINTR);
	close(p->hold);
	p->hold = -1;
	if (n != sizeof(error))
		return 0;
	ct_reap(p->pid);
	return error;
}

void ct_program_cancel(struct ct_program *p)
{
	close(p->hold);
	p->hold = -1;
	ct_reap(p->pid);
}

static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static void awaited(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < PASSED_ON; i++)
		sigaddset(ret, passed_on[i]);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGQUIT);
	sigaddset(ret, SIGCHLD);
	sigaddset(ret, SIGIO);
}

void ct_program_block_signals(void)
{
	sigset_t set;

	/* Where SIGCHLD is ignored, children vanish without a status. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	awaited(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void ct_child_reset(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv(CT_ENV_PRELOAD);
	unsetenv(CT_ENV_SOCKET);
}

/* The program has stopped. The shell that waits for us must see that, if it is
 * we whom it runs in the foreground; then it will also continue us. */
static void stop_too(pid_t pid)
{
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() && tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	kill(getpid(), SIGSTOP);
	kill(pid, SIGCONT);
}

static void pass_on(pid_t pid, const siginfo_t *info)
{
	/* What the terminal sends goes to the program as well. */
	if (info->si_code == SI_KERNEL)
		return;
	for (size_t i = 0; i < PASSED_ON; i++)
		if (info->si_signo == passed_on[i])
			kill(pid, info->si_signo);
}

int ct_program_wait(pid_t pid, pid_t *collector, struct ct_run_watchdog *w)
{
	sigset_t set;

	awaited(&set);
	for (;;) {
		int status;
		pid_t who = waitpid(pid, &status, WNOHANG | WUNTRACED);

		if (who == pid && !WIFSTOPPED(status))
			return status;
		if (who == pid)
			stop_too(pid);
		if (*collector && waitpid(*collector, NULL, WNOHANG) == *collector)
			*collector = 0;
		ct_watchdog_hear(w);
		siginfo_t info;

		if (sigwaitinfo(&set, &info) > 0)
			pass_on(pid, &info);
	}
}
