/*
 * Waits on descriptors whose ender is known, between processes: see tests/run_wakers.py.
 * Each case says on stdout what told.h says.
 */
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "case.h"
#include "told.h"

/* --- a question and its answer --- */

#define TURNS 50

static NOINLINE void ask(int fd)
{
	uint64_t one = 1;

	MUST(write(fd, &one, sizeof(one)) == sizeof(one));
	__asm__ volatile("");
}

static NOINLINE void reply(int fd)
{
	uint64_t one = 1;

	MUST(write(fd, &one, sizeof(one)) == sizeof(one));
	__asm__ volatile("");
}

static NOINLINE void await(int fd)
{
	uint64_t one;

	MUST(read(fd, &one, sizeof(one)) == sizeof(one));
	__asm__ volatile("");
}

static NOINLINE void await_poll(int fd)
{
	struct pollfd list[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1 } };

	MUST(poll(list, 2, -1) == 1);
	__asm__ volatile("");
}

static NOINLINE void await_epoll(int epoll)
{
	struct epoll_event e;

	MUST(epoll_wait(epoll, &e, 1, -1) == 1);
	__asm__ volatile("");
}

/* A forked process answers each question, when the other one waits. */
static pid_t echo_on(int from, int to)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	name_me("echo");
	for (int i = 0; i < TURNS; i++) {
		await(from);
		pause_ns(MS);
		reply(to);
	}
	_exit(0);
}

static void ask_on(int to, int from)
{
	for (int i = 0; i < TURNS; i++) {
		pause_ns(MS);
		ask(to);
		await(from);
	}
}

static int told_turns(const char *cause)
{
	told("main", "echo", cause, "await", "reply", TURNS, true);
	told("echo", "main", cause, "await", "ask", TURNS, true);
	return 0;
}

static int pipes(int argc, char **argv)
{
	int to[2], from[2];

	(void)argc, (void)argv;
	MUST(!pipe(to) && !pipe(from));
	pid_t pid = echo_on(to[0], from[1]);

	ask_on(to[1], from[0]);
	waitpid(pid, NULL, 0);
	return told_turns("pipe");
}

static int pair(int argc, char **argv)
{
	int ends[2];

	(void)argc, (void)argv;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid_t pid = echo_on(ends[1], ends[1]);

	ask_on(ends[0], ends[0]);
	waitpid(pid, NULL, 0);
	return told_turns("socket");
}

static int eventfds(int argc, char **argv)
{
	(void)argc, (void)argv;
	int to = eventfd(0, 0), from = eventfd(0, 0);
	pid_t pid = echo_on(to, from);

	ask_on(to, from);
	waitpid(pid, NULL, 0);
	return told_turns("eventfd");
}

static NOINLINE int await_caller(int fd)
{
	int r = accept(fd, NULL, NULL);

	MUST(r >= 0);
	return r;
}

static NOINLINE int call_up(const struct sockaddr *a, socklen_t size)
{
	int fd = socket(a->sa_family, SOCK_STREAM, 0);

	MUST(fd >= 0 && !connect(fd, a, size));
	return fd;
}

/* The forked process is called, and answers on what it accepts. */
static int connection(int listener, const struct sockaddr *a, socklen_t size)
{
	MUST(!listen(listener, 8));
	pid_t pid = fork();

	if (!pid) {
		name_me("echo");
		for (int i = 0; i < 5; i++) {
			int fd = await_caller(listener);

			for (int k = 0; k < TURNS / 5; k++) {
				await(fd);
				pause_ns(MS);
				reply(fd);
			}
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 5; i++) {
		pause_ns(5 * MS);
		int fd = call_up(a, size);

		for (int k = 0; k < TURNS / 5; k++) {
			pause_ns(MS);
			ask(fd);
			await(fd);
		}
		close(fd);
	}
	waitpid(pid, NULL, 0);
	told("echo", "main", "accept", "await_caller", "call_up", 5, true);
	return told_turns("socket");
}

static int tcp(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)argc, (void)argv;
	MUST(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !getsockname(fd, (struct sockaddr *)&a, &size));
	return connection(fd, (struct sockaddr *)&a, size);
}

static int named(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)argc, (void)argv;
	snprintf(a.sun_path, sizeof(a.sun_path), "socket.%d", (int)getpid());
	unlink(a.sun_path);
	MUST(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	connection(fd, (struct sockaddr *)&a, sizeof(a));
	unlink(a.sun_path);
	return 0;
}

/* --- a full pipe: the writer waits for the reader --- */

static NOINLINE void take_out(int fd)
{
	char block[16384];

	MUST(read(fd, block, sizeof(block)) > 0);
	__asm__ volatile("");
}

static NOINLINE void fill(int fd)
{
	static char block[16384];

	MUST(write(fd, block, sizeof(block)) == sizeof(block));
	__asm__ volatile("");
}

static int full(int argc, char **argv)
{
	int fds[2];

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pid_t pid = fork();

	if (!pid) {
		name_me("drain");
		close(fds[1]);
		for (int i = 0; i < TURNS; i++) {
			pause_ns(i ? 4 * MS : 100 * MS);
			take_out(fds[0]);
		}
		_exit(0);
	}
	close(fds[0]);
	for (int i = 0; i < TURNS; i++)
		fill(fds[1]);
	close(fds[1]);
	waitpid(pid, NULL, 0);
	told("main", "drain", "pipe", "fill", "take_out", TURNS - 4, true);
	return 0;
}

/* --- the end of a file: by close, and by exit --- */

static NOINLINE void await_last(int fd)
{
	char c;

	MUST(read(fd, &c, 1) == 0);
	__asm__ volatile("");
}

static NOINLINE void hang_up(int fd)
{
	MUST(!close(fd));
	__asm__ volatile("");
}

static int ends(int argc, char **argv)
{
	int fds[2];

	(void)argc, (void)argv;
	for (int i = 0; i < 10; i++) {
		MUST(!(i & 1 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
		pid_t pid = fork();

		if (!pid) {
			name_me("hangup");
			close(fds[0]);
			pause_ns(10 * MS);
			hang_up(fds[1]);
			pause_ns(30 * MS);
			_exit(0);
		}
		close(fds[1]);
		await_last(fds[0]);
		close(fds[0]);
		waitpid(pid, NULL, 0);
	}
	told("main", "hangup", "pipe", "await_last", "hang_up", 5, true);
	told("main", "hangup", "socket", "await_last", "hang_up", 5, true);
	return 0;
}

static int exits(int argc, char **argv)
{
	int fds[2];

	(void)argc, (void)argv;
	for (int i = 0; i < 10; i++) {
		MUST(!pipe(fds));
		pid_t pid = fork();

		if (!pid) {
			name_me("leaver");
			pause_ns(30 * MS);
			if (i & 1) {
				fill(fds[1]);
				pause_ns(30 * MS);
			}
			_exit(0);
		}
		close(fds[1]);
		if (i & 1)
			take_out(fds[0]);
		await_last(fds[0]);
		close(fds[0]);
		waitpid(pid, NULL, 0);
	}
	told("main", "leaver", "pipe", "await_last", NULL, 10, true);
	return 0;
}

/* --- polls --- */

static int polls(int argc, char **argv)
{
	int to[2], from[2], other[2];

	(void)argc, (void)argv;
	MUST(!pipe(to) && !pipe(from) && !pipe(other));
	pid_t pid = echo_on(to[0], from[1]);
	struct epoll_event e = { .events = EPOLLIN };
	int epoll = epoll_create1(0);

	MUST(!epoll_ctl(epoll, EPOLL_CTL_ADD, from[0], &e) && !epoll_ctl(epoll, EPOLL_CTL_ADD, other[0], &e));
	for (int i = 0; i < TURNS; i++) {
		pause_ns(MS);
		ask(to[1]);
		if (i & 1)
			await_poll(from[0]);
		else
			await_epoll(epoll);
		await(from[0]);
	}
	waitpid(pid, NULL, 0);
	told("main", "echo", "poll", "await_poll", "reply", TURNS / 2, true);
	told("main", "echo", "poll", "await_epoll", "reply", TURNS / 2, true);
	return 0;
}

/* --- streams --- */

static NOINLINE void print_line(FILE *f)
{
	MUST(fprintf(f, "%d\n", 1) == 2);
	MUST(!fflush(f));
	__asm__ volatile("");
}

static NOINLINE void await_line(FILE *f)
{
	char line[16];

	MUST(fgets(line, sizeof(line), f));
	__asm__ volatile("");
}

static int lines(int argc, char **argv)
{
	int fds[2];

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pid_t pid = fork();

	if (!pid) {
		FILE *f = fdopen(fds[1], "w");

		name_me("printer");
		for (int i = 0; i < TURNS; i++) {
			pause_ns(MS);
			print_line(f);
		}
		_exit(0);
	}
	FILE *f = fdopen(fds[0], "r");

	for (int i = 0; i < TURNS; i++)
		await_line(f);
	waitpid(pid, NULL, 0);
	told("main", "printer", "pipe", "await_line", "print_line", TURNS, true);
	return 0;
}

/* --- two calls on one line are one for a reader --- */

static NOINLINE void await_both(int fd) { await(fd); await(fd); __asm__ volatile(""); }

static int alike(int argc, char **argv)
{
	int fds[2];

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pid_t pid = fork();

	if (!pid) {
		name_me("echo");
		for (int i = 0; i < TURNS; i++) {
			pause_ns(MS);
			reply(fds[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < TURNS / 2; i++)
		await_both(fds[0]);
	waitpid(pid, NULL, 0);
	told("main", "echo", "pipe", "await", "reply", TURNS, true);
	return 0;
}

CASES_MAIN({ "pipes", pipes }, { "pair", pair }, { "eventfds", eventfds }, { "tcp", tcp }, { "unix", named },
	   { "full", full }, { "ends", ends }, { "exits", exits }, { "polls", polls }, { "lines", lines },
	   { "alike", alike })
