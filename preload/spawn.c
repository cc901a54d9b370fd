/*
 * Starts a collector where the program was run with nothing but LD_PRELOAD.
 *
 * The collector must be invisible to the program: no wait() of the program may
 * see it, and no SIGCHLD may come of it. So the direct child is made by clone()
 * without an exit signal, and never execs, since execve would give it one. It
 * starts the collector, waits until that has put itself into the background,
 * and ends.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env.h"
#include "init.h"

static char *put(char *to, const char *end, const char *text)
{
	while (*text && to < end - 1)
		*to++ = *text++;
	*to = 0;
	return to;
}

static bool runnable(const char *path)
{
	return ct_sys(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

/* In the build folder beside us, where meson installs it, or below the prefix
 * that we were moved to. */
static bool find_collector(char *path, size_t size)
{
	static const char *const beside[] = { "../collector/ctrace-collector",
					      "../libexec/ctrace/ctrace-collector",
					      "../../libexec/ctrace/ctrace-collector" };
	const char *own = ct_own_path(), *slash = strrchr(own, '/'), *end = path + size;
	const char *given = getenv(CT_ENV_COLLECTOR);

	if (given) {
		put(path, end, given);
		return runnable(path);
	}
	for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
		char *p = path;

		for (const char *q = own; slash && q <= slash && p < end - 1; q++)
			*p++ = *q;
		put(p, end, beside[i]);
		if (runnable(path))
			return true;
	}
	put(path, end, CTRACE_LIBEXECDIR "/ctrace-collector");
	return runnable(path);
}

static void random_socket_name(char *name)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[16];

	if (ct_sys(SYS_getrandom, random, sizeof(random), 0) != sizeof(random)) {
		uint64_t now = ct_read_ticks();
		uint64_t pid = (uint64_t)ct_sys(SYS_getpid, 0);

		memcpy(random, &now, 8);
		memcpy(random + 8, &pid, 8);
	}
	char *p = put(name, name + 64, "ctrace-");

	for (size_t i = 0; i < sizeof(random); i++) {
		*p++ = hex[random[i] >> 4];
		*p++ = hex[random[i] & 15];
	}
	*p = 0;
}

static void default_output(char *path, size_t size)
{
	char digits[24], *p = digits + sizeof(digits);
	long pid = ct_sys(SYS_getpid, 0);

	*--p = 0;
	do
		*--p = (char)('0' + pid % 10);
	while (pid /= 10);
	put(put(put(path, path + size, "trace."), path + size, p), path + size, ".bin");
}

/*
 * Like vfork: a child borrows our stack until it execs or ends, while we stand
 * still, and runs nothing but system calls. Inlined, so that no frame which we
 * still need is left by the child. Returns the wait status, or -errno.
 */
static inline __attribute__((always_inline)) long spawn_and_wait(const char *path, char *const argv[],
								 char *const envp[])
{
	int status = 0;
	long pid = ct_sys(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0), r;

	if (pid == 0) {
		ct_sys(SYS_execve, path, argv, envp);
		ct_sys(SYS_exit, 127);
	}
	if (pid < 0)
		return pid;
	do
		r = ct_sys(SYS_wait4, pid, &status, __WALL, NULL);
	while (r == -EINTR);
	/* Where SIGCHLD is ignored nothing is left to wait for; whether a
	 * collector is there is seen when we attach. */
	return r == pid ? status : 0;
}

static long run(const char *path, char *const argv[], char *const envp[])
{
	uint64_t all = ~0ull, before;
	volatile long result = -ECHILD; /* written by the child, in our memory */

	ct_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	long pid = ct_sys(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);

	if (pid == 0) {
		result = spawn_and_wait(path, argv, envp);
		ct_sys(SYS_exit, 0);
	}
	if (pid > 0)
		ct_sys(SYS_wait4, pid, NULL, __WCLONE, NULL);
	ct_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(all));
	return pid < 0 ? pid : result;
}

bool ct_spawn_collector(void)
{
	static char path[4096], output[4096];
	const char *out = getenv(CT_ENV_OUT);

	if (!find_collector(path, sizeof(path))) {
		ct_say("not tracing: no collector at", path);
		return false;
	}
	if (out && *out)
		put(output, output + sizeof(output), out);
	else
		default_output(output, sizeof(output));
	random_socket_name(ct_state.socket);

	char *argv[] = { path, "--daemon", "--socket", ct_state.socket, "-o", output, NULL };
	char *envp[] = { NULL };
	/* The collector is left to whoever adopts orphans: that must not be us. */
	int adopts = 0;

	if (ct_sys(SYS_getpid, 0) == 1) {
		ct_say("not tracing", "process 1 would have to adopt the collector: use ctrace-run");
		return false;
	}
	ct_sys(SYS_prctl, PR_GET_CHILD_SUBREAPER, &adopts);
	if (adopts)
		ct_sys(SYS_prctl, PR_SET_CHILD_SUBREAPER, 0);
	long status = run(path, argv, envp);

	if (adopts)
		ct_sys(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);

	if (status < 0 || WEXITSTATUS(status) == 127) {
		ct_say("not tracing: cannot start", path);
		return false;
	}
	/* It has said itself what went wrong. */
	if (status)
		return false;
	setenv(CT_ENV_SOCKET, ct_state.socket, 1);
	return true;
}

void ct_say(const char *what, const char *why)
{
	static char line[512];
	char *end = line + sizeof(line);

	char *p = put(put(put(put(line, end, "ctrace: "), end, what), end, ": "), end, why);

	put(p, end, "\n");
	ct_sys(SYS_write, 2, line, strlen(line));
}
