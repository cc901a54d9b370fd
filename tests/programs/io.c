/* Waits for data and descriptors. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "case.h"

static int fds[2];

/* The other end, as a thread that does something after a while. */
static void *late(void *act)
{
	name_me("peer");
	pause_ns(60 * MS);
	((void (*)(void))(uintptr_t)act)();
	return NULL;
}

static pthread_t later(void (*act)(void))
{
	return start(late, (void *)(uintptr_t)act);
}

static void put_byte(void)
{
	MUST(write(fds[1], "x", 1) == 1);
}

static int done(pthread_t t, const struct said *s)
{
	pthread_join(t, NULL);
	say(s);
	return 0;
}

/* --- pipes --- */

static NOINLINE void read_pipe(struct said *s)
{
	char c = 0;
	ssize_t n;

	WAIT(s, n = read(fds[0], &c, 1));
	MUST(n == 1 && c == 'x');
}

static int pipe_read(int argc, char **argv)
{
	struct said s = { "main", "pipe", "read", "read_pipe", "pipe", NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pthread_t t = later(put_byte);

	read_pipe(&s);
	return done(t, &s);
}

static NOINLINE void readv_pipe(struct said *s)
{
	char c = 0;
	struct iovec v = { &c, 1 };
	ssize_t n;

	WAIT(s, n = readv(fds[0], &v, 1));
	MUST(n == 1 && c == 'x');
}

static int pipe_readv(int argc, char **argv)
{
	struct said s = { "main", "pipe", "readv", "readv_pipe", "pipe", NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pthread_t t = later(put_byte);

	readv_pipe(&s);
	return done(t, &s);
}

static void drain(void)
{
	static char b[1 << 16];

	MUST(read(fds[0], b, sizeof(b)) == (ssize_t)sizeof(b));
}

static NOINLINE void write_full_pipe(struct said *s)
{
	static char b[1 << 12];

	WAIT(s, MUST(write(fds[1], b, sizeof(b)) == (ssize_t)sizeof(b)));
}

static int pipe_write(int argc, char **argv)
{
	struct said s = { "main", "pipe", "write", "write_full_pipe", "pipe", NULL, 0, 0 };
	static char b[1 << 16];

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	MUST(fcntl(fds[1], F_SETPIPE_SZ, 1 << 16) == 1 << 16);
	MUST(write(fds[1], b, sizeof(b)) == (ssize_t)sizeof(b));
	pthread_t t = later(drain);

	write_full_pipe(&s);
	return done(t, &s);
}

/* --- sockets --- */

static NOINLINE void receive(struct said *s)
{
	char c = 0;
	ssize_t n;

	WAIT(s, n = recv(fds[0], &c, 1, 0));
	MUST(n == 1 && c == 'x');
}

static int socket_recv(int argc, char **argv)
{
	struct said s = { "main", "socket", "recv", "receive", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	pthread_t t = later(put_byte);

	receive(&s);
	return done(t, &s);
}

static NOINLINE void read_socket(struct said *s)
{
	char c = 0;
	ssize_t n;

	WAIT(s, n = read(fds[0], &c, 1));
	MUST(n == 1 && c == 'x');
}

static int socket_read(int argc, char **argv)
{
	struct said s = { "main", "socket", "read", "read_socket", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	pthread_t t = later(put_byte);

	read_socket(&s);
	return done(t, &s);
}

static NOINLINE void receive_message(struct said *s)
{
	char c = 0;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;

	WAIT(s, n = recvmsg(fds[0], &m, 0));
	MUST(n == 1 && c == 'x');
}

static int socket_recvmsg(int argc, char **argv)
{
	struct said s = { "main", "socket", "recvmsg", "receive_message", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	pthread_t t = later(put_byte);

	receive_message(&s);
	return done(t, &s);
}

static size_t sent;

static void take_all(void)
{
	static char b[4096];

	for (size_t n = 0; n < sent;) {
		ssize_t r = read(fds[0], b, sizeof(b) < sent - n ? sizeof(b) : sent - n);

		MUST(r > 0);
		n += (size_t)r;
	}
}

static NOINLINE void send_to_full(struct said *s)
{
	static char b[256];

	WAIT(s, MUST(send(fds[1], b, sizeof(b), MSG_NOSIGNAL) == (ssize_t)sizeof(b)));
}

static int socket_send(int argc, char **argv)
{
	struct said s = { "main", "socket", "send", "send_to_full", NULL, NULL, 0, 0 };
	static char b[256];
	ssize_t n;

	(void)argc, (void)argv;
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	while ((n = send(fds[1], b, sizeof(b), MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	MUST(errno == EAGAIN);
	pthread_t t = later(take_all);

	send_to_full(&s);
	return done(t, &s);
}

static struct sockaddr_in address;

static void connect_peer(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)));
	MUST(write(fd, "x", 1) == 1);
	close(fd);
}

static int listen_loopback(int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(address);

	address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	MUST(fd >= 0 && !bind(fd, (struct sockaddr *)&address, n) && !listen(fd, backlog));
	MUST(!getsockname(fd, (struct sockaddr *)&address, &n));
	return fd;
}

static NOINLINE int accept_one(int fd, struct said *s)
{
	int peer;

	WAIT(s, peer = accept(fd, NULL, NULL));
	MUST(peer >= 0);
	return peer;
}

static int accept_(int argc, char **argv)
{
	struct said s = { "main", "accept", "accept", "accept_one", "127.0.0.1:", NULL, 0, 0 };
	int listener = listen_loopback(5);
	char c;

	(void)argc, (void)argv;
	pthread_t t = later(connect_peer);
	int fd = accept_one(listener, &s);

	MUST(read(fd, &c, 1) == 1 && c == 'x');
	return done(t, &s);
}

/* A listener whose queue is full answers only after a retransmission: about a second. */
static int listener;

static void make_room(void)
{
	for (int i = 0; i < 2; i++)
		MUST(accept(listener, NULL, NULL) >= 0);
}

static NOINLINE void connect_to_full(int fd, struct said *s)
{
	WAIT(s, MUST(!connect(fd, (struct sockaddr *)&address, sizeof(address))));
}

static int connect_(int argc, char **argv)
{
	struct said s = { "main", "connect", "connect", "connect_to_full", "127.0.0.1:", NULL, 0, 0 };

	(void)argc, (void)argv;
	listener = listen_loopback(0);
	int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);

	MUST(!connect(first, (struct sockaddr *)&address, sizeof(address)));
	pthread_t t = later(make_room);

	connect_to_full(second, &s);
	return done(t, &s);
}

/* --- poll and its kin --- */

static NOINLINE void poll_for_byte(struct said *s)
{
	struct pollfd p = { fds[0], POLLIN, 0 };

	WAIT(s, MUST(poll(&p, 1, 5000) == 1));
	MUST(p.revents == POLLIN);
}

static NOINLINE void ppoll_for_time(struct said *s)
{
	struct timespec t = { 0, 40000000 };

	WAIT(s, MUST(!ppoll(NULL, 0, &t, NULL)));
}

static int poll_(int argc, char **argv)
{
	struct said s = { "main", "poll", "poll", "poll_for_byte", NULL, NULL, 0, 0 };
	struct said p = { "main", "poll", "ppoll", "ppoll_for_time", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pthread_t t = later(put_byte);

	poll_for_byte(&s);
	ppoll_for_time(&p);
	say(&p);
	return done(t, &s);
}

static NOINLINE void select_for_byte(struct said *s)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	WAIT(s, MUST(select(fds[0] + 1, &set, NULL, NULL, NULL) == 1));
	MUST(FD_ISSET(fds[0], &set));
}

static NOINLINE void pselect_for_time(struct said *s)
{
	struct timespec t = { 0, 40000000 };

	WAIT(s, MUST(!pselect(0, NULL, NULL, NULL, &t, NULL)));
}

static int select_(int argc, char **argv)
{
	struct said s = { "main", "poll", "select", "select_for_byte", NULL, NULL, 0, 0 };
	struct said p = { "main", "poll", "pselect", "pselect_for_time", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pthread_t t = later(put_byte);

	select_for_byte(&s);
	pselect_for_time(&p);
	say(&p);
	return done(t, &s);
}

static NOINLINE void epoll_for_byte(int epoll, struct said *s)
{
	struct epoll_event e;

	WAIT(s, MUST(epoll_wait(epoll, &e, 1, -1) == 1));
	MUST(e.data.u32 == 42);
}

static NOINLINE void epoll_for_time(int epoll, struct said *s)
{
	struct epoll_event e;

	WAIT(s, MUST(epoll_pwait(epoll, &e, 1, 40, NULL) == 0));
}

static int epoll(int argc, char **argv)
{
	struct said s = { "main", "poll", "epoll_wait", "epoll_for_byte", NULL, NULL, 0, 0 };
	struct said p = { "main", "poll", "epoll_pwait", "epoll_for_time", NULL, NULL, 0, 0 };
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 42 };
	int fd = epoll_create1(0);

	(void)argc, (void)argv;
	MUST(!pipe(fds) && !epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], &e));
	pthread_t t = later(put_byte);

	epoll_for_byte(fd, &s);
	epoll_for_time(fd, &p);
	say(&p);
	return done(t, &s);
}

/* --- others --- */

static void post_event(void)
{
	MUST(!eventfd_write(fds[0], 5));
}

static NOINLINE void read_eventfd(struct said *s)
{
	uint64_t v;

	WAIT(s, MUST(read(fds[0], &v, 8) == 8));
	MUST(v == 5);
}

static int eventfd_(int argc, char **argv)
{
	struct said s = { "main", "eventfd", "read", "read_eventfd", "eventfd", NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST((fds[0] = eventfd(0, 0)) >= 0);
	pthread_t t = later(post_event);

	read_eventfd(&s);
	return done(t, &s);
}

/* How long a sync takes is the disk's affair: the driver compares only long ones. */
static NOINLINE void sync_file(int fd, struct said *f, struct said *d)
{
	static char b[1 << 20];

	for (int i = 0; i < 5; i++) {
		memset(b, i, sizeof(b));
		MUST(write(fd, b, sizeof(b)) == (ssize_t)sizeof(b));
		WAIT(f, MUST(!fsync(fd)));
		MUST(pwrite(fd, b, 4096, 0) == 4096);
		WAIT(d, MUST(!fdatasync(fd)));
	}
}

static int sync_(int argc, char **argv)
{
	struct said f = { "main", "file", "fsync", "sync_file", "synced.data", NULL, 0, 0 };
	struct said d = { "main", "file", "fdatasync", "sync_file", "synced.data", NULL, 0, 0 };
	int fd = open("synced.data", O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)argc, (void)argv;
	MUST(fd >= 0);
	sync_file(fd, &f, &d);
	close(fd);
	unlink("synced.data");
	say(&f);
	say(&d);
	return 0;
}

/* --- what the calls answer must not change --- */

static int returns(int argc, char **argv)
{
	char b[8];
	struct pollfd p = { 999, POLLIN, 0 };
	volatile int minus_one = -1; /* the compiler would refuse the call */

	(void)argc, (void)argv;
	SHOW(read(-1, b, 1));
	SHOW(read(999, b, 1));
	SHOW(write(-1, b, 1));
	SHOW(pread(0, b, 1, -5));
	SHOW(readv(0, NULL, minus_one));
	SHOW(recv(0, b, 1, 0));
	SHOW(send(1, b, 1, 0));
	SHOW(accept(0, NULL, NULL));
	SHOW(connect(-1, NULL, 0));
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents == POLLNVAL);
	SHOW(select(-1, NULL, NULL, NULL, NULL));
	SHOW(epoll_wait(-1, NULL, 0, 0));
	SHOW(fsync(-1));
	SHOW(fdatasync(999));
	SHOW(nanosleep(&(struct timespec){ 0, -1 }, NULL));
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ -1, 0 }, NULL));
	MUST(!pipe(fds));
	MUST(!fcntl(fds[0], F_SETFL, O_NONBLOCK));
	SHOW(read(fds[0], b, 1));
	SHOW(write(fds[1], "abc", 3));
	SHOW(read(fds[0], b, 8));
	close(fds[1]);
	SHOW(read(fds[0], b, 8));
	return 0;
}

CASES_MAIN({ "pipe-read", pipe_read }, { "pipe-readv", pipe_readv }, { "pipe-write", pipe_write },
	   { "recv", socket_recv }, { "socket-read", socket_read }, { "recvmsg", socket_recvmsg }, { "send", socket_send },
	   { "accept", accept_ }, { "connect", connect_ }, { "poll", poll_ }, { "select", select_ }, { "epoll", epoll },
	   { "eventfd", eventfd_ }, { "sync", sync_ }, { "returns", returns })
