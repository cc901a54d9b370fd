/* Processes: children that wait, and waits for children. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "case.h"

extern char **environ;

/* --- a child that waits; it says so itself --- */

static NOINLINE void child_sleeps(struct said *s)
{
	struct timespec t = { 0, 60000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static void be_child(void)
{
	struct said s = { "child", "sleep", "nanosleep", "child_sleeps", NULL, NULL, 0, 0 };

	name_me("child");
	child_sleeps(&s);
	say(&s);
	fflush(stdout);
}

static pid_t fork_child(int status)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		be_child();
		_exit(status);
	}
	return pid;
}

static NOINLINE void wait_for_child(pid_t pid, int expect, struct said *s)
{
	int status;

	WAIT(s, MUST(waitpid(pid, &status, 0) == pid));
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == expect);
}

static int fork_(int argc, char **argv)
{
	struct said s = { "main", "child", "waitpid", "wait_for_child", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	wait_for_child(fork_child(3), 3, &s);
	say(&s);
	SHOW(waitpid(-1, NULL, 0)); /* no other child: the collector is none of ours */
	return 0;
}

/* --- each call of the family --- */

static NOINLINE void wait_any(pid_t pid, struct said *s)
{
	WAIT(s, MUST(wait(NULL) == pid));
}

static NOINLINE void wait_by_id(pid_t pid, struct said *s)
{
	siginfo_t info;

	WAIT(s, MUST(!waitid(P_PID, (id_t)pid, &info, WEXITED)));
	MUST(info.si_status == 5);
}

static NOINLINE void wait_with_usage(pid_t pid, struct said *s)
{
	WAIT(s, MUST(wait4(pid, NULL, 0, NULL) == pid));
}

static int waits(int argc, char **argv)
{
	struct said w = { "main", "child", "wait", "wait_any", NULL, NULL, 0, 0 };
	struct said i = { "main", "child", "waitid", "wait_by_id", NULL, NULL, 0, 0 };
	struct said u = { "main", "child", "wait4", "wait_with_usage", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	wait_any(fork_child(0), &w);
	wait_by_id(fork_child(5), &i);
	wait_with_usage(fork_child(0), &u);
	say(&w);
	say(&i);
	say(&u);
	SHOW(wait(NULL));
	return 0;
}

/* --- children of other kinds --- */

static int be_execd(int argc, char **argv)
{
	(void)argc, (void)argv;
	be_child();
	return 7;
}

static char self[4096];

static void find_self(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	self[n] = 0;
	fflush(stdout);
}

static int exec_(int argc, char **argv)
{
	struct said s = { "main", "child", "waitpid", "wait_for_child", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	find_self();
	pid_t pid = fork();

	if (!pid) {
		execl(self, self, "be-execd", (char *)NULL);
		_exit(98);
	}
	wait_for_child(pid, 7, &s);
	say(&s);
	return 0;
}

static int vfork_(int argc, char **argv)
{
	struct said s = { "main", "child", "waitpid", "wait_for_child", NULL, NULL, 0, 0 };
	volatile int shared = 0;

	(void)argc, (void)argv;
	find_self();
	char *args[] = { self, (char *)"be-execd", NULL };
	pid_t pid = vfork();

	if (!pid) {
		shared = 1;
		execve(self, args, environ);
		_exit(98);
	}
	printf("shared %d\n", shared);
	wait_for_child(pid, 7, &s);
	say(&s);

	pid = vfork();
	if (!pid) {
		execl("/nonexistent/program", "program", (char *)NULL);
		shared = errno;
		_exit(9);
	}
	printf("failed exec: errno %d\n", shared);
	int status;

	MUST(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	return 0;
}

static int spawn(int argc, char **argv)
{
	struct said s = { "main", "child", "waitpid", "wait_for_child", NULL, NULL, 0, 0 };
	pid_t pid;

	(void)argc, (void)argv;
	find_self();
	char *args[] = { self, (char *)"be-execd", NULL };

	MUST(!posix_spawn(&pid, self, NULL, NULL, args, environ));
	wait_for_child(pid, 7, &s);
	say(&s);
	SHOW(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, args, environ));
	SHOW(system("exit 6") >> 8);
	FILE *f = popen("echo from a pipe", "r");
	char line[64] = "";

	MUST(f && fgets(line, sizeof(line), f));
	printf("popen: %s", line);
	SHOW(pclose(f));
	return 0;
}

/* An emptied environment loses the preload: the program must not notice. */
static int no_environment(int argc, char **argv)
{
	(void)argc, (void)argv;
	find_self();
	char *args[] = { self, (char *)"be-execd", NULL }, *none[] = { NULL };
	pid_t pid = fork();

	if (!pid) {
		execve(self, args, none);
		_exit(98);
	}
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	printf("status %d\n", WEXITSTATUS(status));
	return 0;
}

/* Replaces itself without a fork: same pid, two images in the trace. */
static int exec_self(int argc, char **argv)
{
	struct said s = { "main", "sleep", "nanosleep", "child_sleeps", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	child_sleeps(&s);
	say(&s);
	find_self();
	execl(self, self, "be-execd", (char *)NULL);
	return 98;
}

/* --- a program that closes every descriptor that it did not open --- */

static int close_all(int argc, char **argv)
{
	struct said s = { "main", "sleep", "nanosleep", "child_sleeps", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!close_range(3, ~0u, 0));
	int fd = open("/dev/null", O_RDONLY);

	printf("first descriptor %d\n", fd); /* 3 traced or not */
	child_sleeps(&s);
	say(&s);
	struct said w = { "main", "child", "waitpid", "wait_for_child", NULL, NULL, 0, 0 };

	wait_for_child(fork_child(0), 0, &w);
	say(&w);
	return 0;
}

/* Descriptors are inherited by nobody: what a program sees open is the same. */
static int descriptors(int argc, char **argv)
{
	int first = open("/dev/null", O_RDONLY), open_ = 0;

	(void)argc, (void)argv;
	for (int fd = 0; fd < 1024; fd++)
		open_ += fcntl(fd, F_GETFD) >= 0;
	printf("%d open descriptors; the first free one was %d\n", open_, first);
	return 0;
}

/* --- daemons --- */

static int daemon_(int argc, char **argv)
{
	struct said s = { "daemon", "sleep", "nanosleep", "child_sleeps", NULL, NULL, 0, 0 };
	FILE *f;

	MUST(argc == 3);
	fflush(stdout);
	MUST(!daemon(1, 1));
	name_me("daemon");
	child_sleeps(&s);
	say(&s);
	fflush(stdout);
	f = fopen(argv[2], "w"); /* tells the driver that it is done */
	MUST(f);
	fclose(f);
	return 0;
}

/* --- how a program ends --- */

static void at_exit(void)
{
	printf("atexit\n");
}

static int ends(int argc, char **argv)
{
	MUST(argc == 3);
	const char *how = argv[2];

	atexit(at_exit);
	pause_ns(2 * MS);
	if (!strcmp(how, "exit"))
		exit(42);
	if (!strcmp(how, "_exit"))
		_exit(43);
	if (!strcmp(how, "pthread_exit"))
		pthread_exit(NULL);
	if (!strcmp(how, "SEGV"))
		*(volatile int *)(uintptr_t)(argc - 3) = 1;
	if (!strcmp(how, "ABRT"))
		abort();
	if (!strcmp(how, "TERM"))
		kill(getpid(), SIGTERM);
	if (!strcmp(how, "KILL"))
		kill(getpid(), SIGKILL);
	return 44;
}

CASES_MAIN({ "fork", fork_ }, { "waits", waits }, { "exec", exec_ }, { "vfork", vfork_ }, { "spawn", spawn },
	   { "no-environment", no_environment }, { "exec-self", exec_self }, { "be-execd", be_execd },
	   { "close-all", close_all }, { "descriptors", descriptors }, { "daemon", daemon_ }, { "ends", ends })
