/*
 * Cancels a thread in every call that abi/symbols.def marks as a cancellation point: with the request
 * pending when it comes to the call, and while it is blocked in it, deferred and asynchronous. What is
 * cancelled, and which cleanup handlers run, must not change. A call without a case is an error.
 */
#include <aio.h>
#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <resolv.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <termios.h>
#include <threads.h>
#include <wchar.h>

#include "case.h"

#define FIFO   "cancels.fifo"
#define LOCKED "cancels.locked"
#define PLAIN  "cancels.data"

struct message {
	long type;
	char text[64];
};

static char block[1 << 16], page[4096] __attribute__((aligned(4096)));
static int idle[2];   /* an empty pipe */
static int full[2];   /* a full one */
static int pair[2];   /* quiet sockets */
static int jammed[2]; /* full ones */
static int listener, caller, epoll, zero_event, full_event, plain, locked, empty_queue, full_queue, nameless;
static struct sockaddr_un crowded; /* whose listener takes nobody any more */
static socklen_t crowded_size = sizeof(crowded);
static mqd_t empty_mq, full_mq;
static char *mapped;
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static mtx_t g_mtx;
static cnd_t g_cnd;
static sem_t g_sem;
static pthread_t sleeper;
static thrd_t c11_sleeper;
static pid_t child;
static sigset_t usr2, all_but_usr2;

static struct timespec late(void)
{
	return in_ns(CLOCK_REALTIME, 100000 * MS);
}

static struct iovec *bytes(size_t n)
{
	static struct iovec v;

	v = (struct iovec){ block, n };
	return &v;
}

static struct msghdr *message_of(size_t n)
{
	static struct msghdr m;

	m = (struct msghdr){ .msg_iov = bytes(n), .msg_iovlen = 1 };
	return &m;
}

static struct mmsghdr *messages_of(size_t n)
{
	static struct mmsghdr m;

	m = (struct mmsghdr){ .msg_hdr = *message_of(n) };
	return &m;
}

static fd_set *set_of(int fd)
{
	static fd_set s;

	FD_ZERO(&s);
	FD_SET(fd, &s);
	return &s;
}

static struct pollfd *poll_of(int fd)
{
	static struct pollfd p;

	p = (struct pollfd){ fd, POLLIN, 0 };
	return &p;
}

static struct message a_message = { 6, "" };
static struct epoll_event event;
static const struct timespec long_time = { 100, 0 };
static siginfo_t info;

/* Asks a server that never answers. */
static void slow_names(void)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	MUST(!res_init() && !getsockname(nameless, (struct sockaddr *)&a, &n));
	_res.nscount = 1;
	_res.nsaddr_list[0] = a;
	_res.retrans = 60;
	_res.retry = 1;
}

static void unlock(void *m)
{
	printf("  the mutex was held again: unlock %d\n", pthread_mutex_unlock(m));
}

static void unlock_c11(void *m)
{
	printf("  the mutex was held again: unlock %d\n", mtx_unlock(m));
}

#define LOCKED_MUTEX(call) \
	pthread_mutex_lock(&g_mutex); \
	pthread_cleanup_push(unlock, &g_mutex); \
	call; \
	pthread_cleanup_pop(1)
#define LOCKED_MTX(call) \
	mtx_lock(&g_mtx); \
	pthread_cleanup_push(unlock_c11, &g_mtx); \
	call; \
	pthread_cleanup_pop(1)

static struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
static struct sockaddr_in nobody = { .sin_family = AF_INET };
static struct hostent host;
static struct hostent *found;
static struct addrinfo *list;
static int error;
static eventfd_t value;
static off64_t at;

/* Streams of their own: what a cancelled call leaves in one is not compared. */
static FILE *quiet(void)
{
	FILE *f = fdopen(dup(idle[0]), "r");

	MUST(f);
	return f;
}

static FILE *stuffed(void)
{
	FILE *f = fdopen(dup(full[1]), "w");

	MUST(f && !setvbuf(f, NULL, _IONBF, 0));
	return f;
}

static FILE *file(void)
{
	FILE *f = fdopen(dup(plain), "r+");

	MUST(f);
	return f;
}

static char *line;
static size_t line_room;
static char *fts_path[] = { (char *)"/proc/self/fdinfo", NULL };
static struct dirent **entries;
static unsigned char answer[512];

static const struct aiocb *slow_request(void)
{
	static struct aiocb a;

	a = (struct aiocb){ .aio_fildes = idle[0], .aio_buf = answer, .aio_nbytes = 1 };
	MUST(!aio_read(&a));
	return &a;
}

static FTS *tree(void)
{
	FTS *f = fts_open(fts_path, FTS_PHYSICAL, NULL);

	MUST(f);
	return f;
}

/* What has no case: it waits for a thread of glibc, whose name server cannot be chosen. */
static const char *const no_case[] = { "gai_suspend" };

/* How a call is tested: whether it blocks, and whether it may be left asynchronously and used again. */
enum { PASSES, BLOCKS, BLOCKS_ONCE, BLOCKS_SAFELY };

/* P(call, how, body): the calls, as in abi/symbols.def */
#define POINTS \
	P(pthread_cond_wait, BLOCKS_SAFELY, LOCKED_MUTEX(pthread_cond_wait(&g_cond, &g_mutex))) \
	P(pthread_cond_timedwait, BLOCKS_SAFELY, struct timespec t = late(); \
	  LOCKED_MUTEX(pthread_cond_timedwait(&g_cond, &g_mutex, &t))) \
	P(pthread_cond_clockwait, BLOCKS_SAFELY, struct timespec t = late(); \
	  LOCKED_MUTEX(pthread_cond_clockwait(&g_cond, &g_mutex, CLOCK_REALTIME, &t))) \
	P(cnd_wait, BLOCKS_SAFELY, LOCKED_MTX(cnd_wait(&g_cnd, &g_mtx))) \
	P(cnd_timedwait, BLOCKS_SAFELY, struct timespec t = late(); LOCKED_MTX(cnd_timedwait(&g_cnd, &g_mtx, &t))) \
	P(sem_wait, BLOCKS_SAFELY, sem_wait(&g_sem)) \
	P(sem_timedwait, BLOCKS_SAFELY, struct timespec t = late(); sem_timedwait(&g_sem, &t)) \
	P(sem_clockwait, BLOCKS_SAFELY, struct timespec t = late(); sem_clockwait(&g_sem, CLOCK_REALTIME, &t)) \
	P(pthread_join, BLOCKS_SAFELY, pthread_join(sleeper, NULL)) \
	P(pthread_timedjoin_np, BLOCKS_SAFELY, struct timespec t = late(); pthread_timedjoin_np(sleeper, NULL, &t)) \
	P(pthread_clockjoin_np, BLOCKS_SAFELY, struct timespec t = late(); \
	  pthread_clockjoin_np(sleeper, NULL, CLOCK_REALTIME, &t)) \
	P(thrd_join, BLOCKS_SAFELY, thrd_join(c11_sleeper, NULL)) \
	P(thrd_sleep, BLOCKS_SAFELY, thrd_sleep(&long_time, NULL)) \
	P(read, BLOCKS_SAFELY, read(idle[0], block, 1)) \
	P(readv, BLOCKS_SAFELY, readv(idle[0], bytes(1), 1)) \
	P(preadv2, BLOCKS_SAFELY, preadv2(idle[0], bytes(1), 1, -1, 0)) \
	P(pread, PASSES, pread(plain, block, 1, 0)) \
	P(preadv, PASSES, preadv(plain, bytes(1), 1, 0)) \
	P(write, BLOCKS_SAFELY, write(full[1], block, 1)) \
	P(writev, BLOCKS_SAFELY, writev(full[1], bytes(1), 1)) \
	P(pwritev2, BLOCKS_SAFELY, pwritev2(full[1], bytes(1), 1, -1, 0)) \
	P(pwrite, PASSES, pwrite(plain, block, 1, 0)) \
	P(pwritev, PASSES, pwritev(plain, bytes(1), 1, 0)) \
	P(fsync, PASSES, fsync(plain)) \
	P(fdatasync, PASSES, fdatasync(plain)) \
	P(recv, BLOCKS_SAFELY, recv(pair[0], block, 1, 0)) \
	P(recvfrom, BLOCKS_SAFELY, recvfrom(pair[0], block, 1, 0, NULL, NULL)) \
	P(recvmsg, BLOCKS_SAFELY, recvmsg(pair[0], message_of(1), 0)) \
	P(recvmmsg, BLOCKS_SAFELY, recvmmsg(pair[0], messages_of(1), 1, 0, NULL)) \
	P(send, BLOCKS_SAFELY, send(jammed[1], block, sizeof(block), 0)) \
	P(sendto, BLOCKS_SAFELY, sendto(jammed[1], block, sizeof(block), 0, NULL, 0)) \
	P(sendmsg, BLOCKS_SAFELY, sendmsg(jammed[1], message_of(sizeof(block)), 0)) \
	P(sendmmsg, BLOCKS_SAFELY, sendmmsg(jammed[1], messages_of(sizeof(block)), 1, 0)) \
	P(accept, BLOCKS_SAFELY, accept(listener, NULL, NULL)) \
	P(accept4, BLOCKS_SAFELY, accept4(listener, NULL, NULL, SOCK_CLOEXEC)) \
	P(connect, BLOCKS_SAFELY, connect(caller, (struct sockaddr *)&crowded, crowded_size)) \
	P(poll, BLOCKS_SAFELY, poll(poll_of(idle[0]), 1, -1)) \
	P(ppoll, BLOCKS_SAFELY, ppoll(poll_of(idle[0]), 1, NULL, NULL)) \
	P(select, BLOCKS_SAFELY, select(idle[0] + 1, set_of(idle[0]), NULL, NULL, NULL)) \
	P(pselect, BLOCKS_SAFELY, pselect(idle[0] + 1, set_of(idle[0]), NULL, NULL, NULL, NULL)) \
	P(epoll_wait, BLOCKS_SAFELY, epoll_wait(epoll, &event, 1, -1)) \
	P(epoll_pwait, BLOCKS_SAFELY, epoll_pwait(epoll, &event, 1, -1, NULL)) \
	P(epoll_pwait2, BLOCKS_SAFELY, epoll_pwait2(epoll, &event, 1, NULL, NULL)) \
	P(nanosleep, BLOCKS_SAFELY, nanosleep(&long_time, NULL)) \
	P(clock_nanosleep, BLOCKS_SAFELY, clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL)) \
	P(usleep, BLOCKS_SAFELY, usleep(100000000)) \
	P(sleep, BLOCKS_SAFELY, sleep(100)) \
	P(wait, BLOCKS_SAFELY, wait(NULL)) \
	P(waitpid, BLOCKS_SAFELY, waitpid(child, NULL, 0)) \
	P(waitid, BLOCKS_SAFELY, waitid(P_PID, (id_t)child, &info, WEXITED)) \
	P(wait3, BLOCKS_SAFELY, wait3(NULL, 0, NULL)) \
	P(wait4, BLOCKS_SAFELY, wait4(child, NULL, 0, NULL)) \
	P(sigwait, BLOCKS_SAFELY, int s; sigwait(&usr2, &s)) \
	P(sigwaitinfo, BLOCKS_SAFELY, sigwaitinfo(&usr2, &info)) \
	P(sigtimedwait, BLOCKS_SAFELY, sigtimedwait(&usr2, &info, &long_time)) \
	P(sigsuspend, BLOCKS_SAFELY, sigsuspend(&all_but_usr2)) \
	P(pause, BLOCKS_SAFELY, pause()) \
	P(open, BLOCKS_SAFELY, open(FIFO, O_RDONLY)) \
	P(openat, BLOCKS_SAFELY, openat(AT_FDCWD, FIFO, O_WRONLY)) \
	P(creat, BLOCKS_SAFELY, creat(FIFO, 0600)) \
	P(close, PASSES, close(-1)) \
	P(splice, BLOCKS_SAFELY, splice(idle[0], NULL, full[1], NULL, 1, 0)) \
	P(tee, BLOCKS_SAFELY, tee(idle[0], full[1], 1, 0)) \
	P(vmsplice, BLOCKS_SAFELY, vmsplice(full[1], bytes(4096), 1, 0)) \
	P(copy_file_range, PASSES, copy_file_range(plain, &at, locked, &at, 1, 0)) \
	P(sync_file_range, PASSES, sync_file_range(plain, 0, 1, 0)) \
	P(msync, PASSES, msync(mapped, 4096, MS_SYNC)) \
	P(lockf, BLOCKS_SAFELY, lockf(locked, F_LOCK, 0)) \
	P(fcntl, BLOCKS_SAFELY, fcntl(locked, F_SETLKW, &whole_file)) \
	P(eventfd_read, BLOCKS_SAFELY, eventfd_read(zero_event, &value)) \
	P(eventfd_write, BLOCKS_SAFELY, eventfd_write(full_event, 2)) \
	P(msgsnd, BLOCKS_SAFELY, msgsnd(full_queue, &a_message, sizeof(a_message.text), 0)) \
	P(msgrcv, BLOCKS_SAFELY, struct message m; msgrcv(empty_queue, &m, sizeof(m.text), 0, 0)) \
	P(mq_send, BLOCKS_SAFELY, mq_send(full_mq, block, 8, 0)) \
	P(mq_timedsend, BLOCKS_SAFELY, struct timespec t = late(); mq_timedsend(full_mq, block, 8, 0, &t)) \
	P(mq_receive, BLOCKS_SAFELY, mq_receive(empty_mq, block, 8, NULL)) \
	P(mq_timedreceive, BLOCKS_SAFELY, struct timespec t = late(); mq_timedreceive(empty_mq, block, 8, NULL, &t)) \
	P(system, BLOCKS, system("exec sleep 100")) \
	P(getaddrinfo, BLOCKS, slow_names(); getaddrinfo("slow.example.", NULL, NULL, &list)) \
	P(getnameinfo, BLOCKS, slow_names(); getnameinfo((struct sockaddr *)&nobody, sizeof(nobody), block, 256, NULL, 0, \
							 NI_NAMEREQD)) \
	P(gethostbyname, BLOCKS_ONCE, slow_names(); gethostbyname("slow.example.")) \
	P(gethostbyname2, BLOCKS_ONCE, slow_names(); gethostbyname2("slow.example.", AF_INET)) \
	P(gethostbyaddr, BLOCKS_ONCE, slow_names(); gethostbyaddr(&nobody.sin_addr, 4, AF_INET)) \
	P(gethostbyname_r, BLOCKS, slow_names(); \
	  gethostbyname_r("slow.example.", &host, block, sizeof(block), &found, &error)) \
	P(gethostbyname2_r, BLOCKS, slow_names(); \
	  gethostbyname2_r("slow.example.", AF_INET, &host, block, sizeof(block), &found, &error)) \
	P(gethostbyaddr_r, BLOCKS, slow_names(); \
	  gethostbyaddr_r(&nobody.sin_addr, 4, AF_INET, &host, block, sizeof(block), &found, &error)) \
	P(res_query, BLOCKS, slow_names(); res_query("slow.example.", 1, 1, answer, sizeof(answer))) \
	P(fopen, BLOCKS_SAFELY, fopen(FIFO, "r")) \
	P(freopen, PASSES, freopen("/dev/null", "r", file())) \
	P(fgetc, BLOCKS, fgetc(quiet())) \
	P(fgets, BLOCKS, fgets(block, 2, quiet())) \
	P(getline, BLOCKS, getline(&line, &line_room, quiet())) \
	P(fread, BLOCKS, fread(block, 1, 1, quiet())) \
	P(fscanf, BLOCKS, int i; fscanf(quiet(), "%d", &i)) \
	P(scanf, PASSES, int i; scanf("%d", &i)) \
	P(fgetwc, BLOCKS, fgetwc(quiet())) \
	P(fgetws, BLOCKS, wchar_t w[2]; fgetws(w, 2, quiet())) \
	P(fwscanf, BLOCKS, int i; fwscanf(quiet(), L"%d", &i)) \
	P(wscanf, PASSES, int i; wscanf(L"%d", &i)) \
	P(fputc, BLOCKS, fputc('x', stuffed())) \
	P(fputs, BLOCKS, fputs("x", stuffed())) \
	P(fwrite, BLOCKS, fwrite(block, 1, 1, stuffed())) \
	P(fprintf, BLOCKS, fprintf(stuffed(), "%d", 1)) \
	P(fputwc, BLOCKS, fputwc(L'x', stuffed())) \
	P(fputws, BLOCKS, fputws(L"x", stuffed())) \
	P(fwprintf, BLOCKS, fwprintf(stuffed(), L"%d", 1)) \
	P(wprintf, PASSES, wprintf(L"%d", 1)) \
	P(dprintf, BLOCKS, dprintf(full[1], "%d", 1)) \
	P(printf, PASSES, printf("  %s\n", "printf prints")) \
	P(puts, PASSES, puts("  puts prints")) \
	P(perror, PASSES, errno = 0; perror("  perror prints")) \
	P(fflush, BLOCKS, FILE *f = stuffed(); setvbuf(f, NULL, _IOFBF, 0); fputc('x', f); fflush(f)) \
	P(fseek, PASSES, fseek(file(), 1, SEEK_SET)) \
	P(ftell, PASSES, ftell(file())) \
	P(fallocate, PASSES, fallocate(plain, 0, 0, 4096)) \
	P(mkstemp, PASSES, strcpy(block, "cancels.XXXXXX"); int fd = mkstemp(block); if (fd >= 0) unlink(block)) \
	P(shm_open, PASSES, shm_open("/no-such-object", O_RDONLY, 0)) \
	P(opendir, PASSES, opendir("/proc/self/fdinfo")) \
	P(readdir, PASSES, DIR *d = opendir("/proc/self/fdinfo"); if (d) readdir(d)) \
	P(closedir, PASSES, closedir(opendir("/proc/self/fdinfo"))) \
	P(scandir, PASSES, scandir("/proc/self/fdinfo", &entries, NULL, NULL)) \
	P(fts_open, PASSES, fts_open(fts_path, FTS_PHYSICAL, NULL)) \
	P(fts_read, PASSES, fts_read(tree())) \
	P(fts_close, PASSES, fts_close(tree())) \
	P(close_range, PASSES, close_range(1000000, 1000001, 0)) \
	P(tcdrain, PASSES, tcdrain(plain)) \
	P(aio_suspend, BLOCKS_ONCE, const struct aiocb *a = slow_request(); aio_suspend(&a, 1, NULL)) \
	P(syslog, PASSES, syslog(LOG_DEBUG, "a test")) \
	P(gethostid, PASSES, gethostid()) \
	P(getlogin, PASSES, getlogin()) \
	P(gethostent, PASSES, gethostent()) \
	P(getpwnam, PASSES, getpwnam("root")) \
	P(getpwuid, PASSES, getpwuid(0)) \
	P(getpwent, PASSES, getpwent()) \
	P(getgrnam, PASSES, getgrnam("root")) \
	P(getgrgid, PASSES, getgrgid(0)) \
	P(getgrent, PASSES, getgrent()) \
	P(getservbyname, PASSES, getservbyname("http", "tcp")) \
	P(getservbyport, PASSES, getservbyport(80, "tcp")) \
	P(getprotobyname, PASSES, getprotobyname("tcp")) \
	P(getprotobynumber, PASSES, getprotobynumber(6))

#define P(name, how, ...) \
	static void point_##name(void) \
	{ \
		__VA_ARGS__; \
	}
POINTS
#undef P

static const struct point {
	const char *name;
	int how;
	void (*call)(void);
} points[] = {
#define P(name, how, ...) { #name, how, point_##name },
	POINTS
#undef P
};

enum { N_POINTS = sizeof(points) / sizeof(points[0]) };

/* The table's cancellation points. */
static const struct {
	const char *name;
	unsigned flags;
} rows[] = {
#define CT_GLIBC (__GLIBC__ * 100 + __GLIBC_MINOR__)
#define CT_F_W 0u
#define CT_F_F 0u
#define CT_F_R 0u
#define CT_F_T 0u
#define CT_F_C 1u
#define CT_CALL(name, family, cause, flags) { #name, (flags) & CT_F_C },
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "../../abi/symbols.def"
};

static void must_have_all(void)
{
	int without = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool there = !rows[i].flags;

		for (size_t k = 0; k < N_POINTS && !there; k++)
			there = !strcmp(points[k].name, rows[i].name);
		for (size_t k = 0; k < sizeof(no_case) / sizeof(no_case[0]) && !there; k++)
			there = !strcmp(no_case[k], rows[i].name);
		if (!there)
			fprintf(stderr, "cancels.c has no case for %s\n", rows[i].name);
		without += !there;
	}
	if (without)
		_exit(99);
}

/* --- the victim --- */

static enum { PENDING, DEFERRED, ASYNCHRONOUS } way;
static sem_t ready, requested;
static volatile pid_t victim_tid;

static void cleanup(void *name)
{
	printf("  cleanup of %s\n", (const char *)name);
}

static void *victim(void *argument)
{
	const struct point *p = argument;

	name_me("victim");
	victim_tid = (pid_t)syscall(SYS_gettid);
	pthread_cleanup_push(cleanup, (void *)(uintptr_t) "the outer");
	pthread_cleanup_push(cleanup, (void *)(uintptr_t)p->name);
	if (way == PENDING) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		sem_post(&ready);
		sem_wait(&requested);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	} else {
		if (way == ASYNCHRONOUS)
			pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
		sem_post(&ready);
	}
	p->call();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	printf("  %s returned\n", p->name);
	return NULL;
}

/* Until it has been asleep for some milliseconds. */
static void wait_until_asleep(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (int asleep = 0, i = 0; asleep < 3 && i < 10000; i++) {
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		text[n < 0 ? 0 : n] = 0;
		const char *state = strrchr(text, ')');

		asleep = state && state[2] == 'S' ? asleep + 1 : 0;
		pause_ns(MS);
	}
}

static void cancel_one(const struct point *p)
{
	static const char *const ways[] = { "pending", "blocked", "asynchronous" };
	pthread_t t = start(victim, (void *)(uintptr_t)p);
	void *result;

	sem_wait(&ready);
	if (way != PENDING)
		wait_until_asleep(victim_tid);
	int cancelled = pthread_cancel(t);

	if (way == PENDING)
		sem_post(&requested);
	int joined = pthread_join(t, &result);

	printf("%s, %s: cancel %d, join %d, cancelled %d\n", p->name, ways[way], cancelled, joined,
	       result == PTHREAD_CANCELED);
	fflush(stdout);
}

static void *sleeps_long(void *unused)
{
	(void)unused;
	for (;;)
		pause_ns(100000 * MS);
	return NULL;
}

static int sleeps_long_c11(void *unused)
{
	return sleeps_long(unused) != NULL;
}

static mqd_t make_mq(const char *name, bool fill)
{
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);

	MUST(q >= 0 && !mq_unlink(name) && (!fill || !mq_send(q, block, 8, 0)));
	return q;
}

static void make_objects(void)
{
	struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr any = { .sa_family = AF_UNIX };
	struct msqid_ds queue;
	char name[64];
	int ends[2], fd;

	MUST(!pipe(idle) && !pipe(full) && !pipe(ends));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_STREAM, 0, jammed));
	MUST(fcntl(full[1], F_SETPIPE_SZ, sizeof(block)) == sizeof(block) &&
	     write(full[1], block, sizeof(block)) == (ssize_t)sizeof(block));
	while (send(jammed[1], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	MUST((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0 && !bind(listener, &any, sizeof(any.sa_family)) &&
	     !listen(listener, 1));
	MUST((fd = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0 && !bind(fd, &any, sizeof(any.sa_family)) && !listen(fd, 0) &&
	     !getsockname(fd, (struct sockaddr *)&crowded, &crowded_size));
	MUST((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	MUST((caller = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	MUST(!connect(fd, (struct sockaddr *)&crowded, crowded_size));
	MUST((epoll = epoll_create1(0)) >= 0 && (zero_event = eventfd(0, 0)) >= 0 && (full_event = eventfd(0, 0)) >= 0 &&
	     !eventfd_write(full_event, 0xfffffffffffffffe));
	MUST(!mkfifo(FIFO, 0600) && (locked = open(LOCKED, O_RDWR | O_CREAT, 0600)) >= 0 &&
	     (plain = open(PLAIN, O_RDWR | O_CREAT, 0600)) >= 0 && write(plain, page, sizeof(page)) == sizeof(page));
	MUST((mapped = mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0)) != MAP_FAILED);
	MUST((empty_queue = msgget(IPC_PRIVATE, 0600)) >= 0 && (full_queue = msgget(IPC_PRIVATE, 0600)) >= 0);
	MUST(!msgctl(full_queue, IPC_STAT, &queue));
	queue.msg_qbytes = sizeof(a_message.text);
	MUST(!msgctl(full_queue, IPC_SET, &queue) && !msgsnd(full_queue, &a_message, sizeof(a_message.text), 0));
	snprintf(name, sizeof(name), "/cancels-%d", getpid());
	empty_mq = make_mq(name, false);
	full_mq = make_mq(name, true);
	MUST((nameless = socket(AF_INET, SOCK_DGRAM, 0)) >= 0 &&
	     !bind(nameless, (struct sockaddr *)&loopback, sizeof(loopback)));
	nobody.sin_addr.s_addr = htonl(0xc0000277); /* 192.0.2.119, for documentation */
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigemptyset(&all_but_usr2);
	MUST(!pthread_sigmask(SIG_BLOCK, &usr2, NULL));
	MUST(mtx_init(&g_mtx, mtx_plain) == thrd_success && cnd_init(&g_cnd) == thrd_success);
	MUST(!sem_init(&g_sem, 0, 0) && !sem_init(&ready, 0, 0) && !sem_init(&requested, 0, 0));

	child = fork();
	MUST(child >= 0);
	if (!child) {
		MUST(!fcntl(locked, F_SETLKW, &whole_file) && write(ends[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	MUST(read(ends[0], block, 1) == 1);
	sleeper = start(sleeps_long, NULL);
	MUST(thrd_create(&c11_sleeper, sleeps_long_c11, NULL) == thrd_success);
}

/* cancels all [CALL...] */
static int all(int argc, char **argv)
{
	must_have_all();
	make_objects();
	for (size_t i = 0; i < N_POINTS; i++) {
		const struct point *p = &points[i];
		bool wanted = argc == 2;

		for (int k = 2; k < argc; k++)
			wanted |= !strcmp(argv[k], p->name);
		if (!wanted)
			continue;
		if (p->how != BLOCKS_ONCE) {
			way = PENDING;
			cancel_one(p);
		}
		if (p->how != PASSES) {
			way = DEFERRED;
			cancel_one(p);
		}
		if (p->how == BLOCKS_SAFELY) {
			way = ASYNCHRONOUS;
			cancel_one(p);
		}
	}
	/* Nothing was left locked. */
	SHOW(pthread_mutex_trylock(&g_mutex));
	SHOW(mtx_trylock(&g_mtx));
	MUST(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
	MUST(!msgctl(empty_queue, IPC_RMID, NULL) && !msgctl(full_queue, IPC_RMID, NULL));
	SHOW(fcntl(locked, F_SETLKW, &whole_file));
	unlink(FIFO);
	unlink(LOCKED);
	unlink(PLAIN);
	/* Streams that were left with something to write would wait for room. */
	fflush(stdout);
	_exit(0);
}

CASES_MAIN({ "all", all })
