/*
 * Waits that a signal ends, whose sender is known, between threads and processes: see
 * tests/run_writers.py. Each case says on stdout what told.h says.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "case.h"
#include "told.h"

#define TURNS 50

static volatile int *turn; /* waits that are over; shared with a forked process */
static pid_t receiver;
static pthread_t receiving;
static volatile sig_atomic_t handled;

static void count(int signal)
{
	(void)signal;
	handled++;
}

/* Blocked, SIGUSR1 waits for who takes it; else its handler counts. */
static void prepare(bool blocked)
{
	sigset_t set;
	struct sigaction a = { .sa_handler = count };

	turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(turn != MAP_FAILED && !sigaction(SIGUSR1, &a, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL));
	receiver = getpid();
	receiving = pthread_self();
}

static sigset_t only_usr1(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return set;
}

/* --- ways to send --- */

static NOINLINE void by_kill(void)
{
	MUST(!kill(receiver, SIGUSR1));
	__asm__ volatile("");
}

static NOINLINE void by_sigqueue(void)
{
	MUST(!sigqueue(receiver, SIGUSR1, (union sigval){ .sival_int = 1 }));
	__asm__ volatile("");
}

static NOINLINE void by_pthread_kill(void)
{
	MUST(!pthread_kill(receiving, SIGUSR1));
	__asm__ volatile("");
}

static NOINLINE void by_pthread_sigqueue(void)
{
	MUST(!pthread_sigqueue(receiving, SIGUSR1, (union sigval){ .sival_int = 1 }));
	__asm__ volatile("");
}

static NOINLINE void by_tgkill(void)
{
	MUST(!tgkill(receiver, receiver, SIGUSR1));
	__asm__ volatile("");
}

static NOINLINE void by_syscall(void)
{
	MUST(!syscall(SYS_tgkill, receiver, receiver, SIGUSR1));
	__asm__ volatile("");
}

static NOINLINE void by_killpg(void)
{
	MUST(!killpg(receiver, SIGUSR1));
	__asm__ volatile("");
}

/* --- ways to wait --- */

static NOINLINE void in_sigwait(int unused)
{
	sigset_t set = only_usr1();
	int signal;

	(void)unused;
	MUST(!sigwait(&set, &signal) && signal == SIGUSR1);
	__asm__ volatile("");
}

static NOINLINE void in_sigwaitinfo(int unused)
{
	sigset_t set = only_usr1();
	siginfo_t info;

	(void)unused;
	MUST(sigwaitinfo(&set, &info) == SIGUSR1);
	__asm__ volatile("");
}

static NOINLINE void in_sigsuspend(int unused)
{
	sigset_t none;

	(void)unused;
	sigemptyset(&none);
	MUST(sigsuspend(&none) == -1 && errno == EINTR);
	__asm__ volatile("");
}

static NOINLINE void in_signalfd(int fd)
{
	struct signalfd_siginfo info;

	MUST(read(fd, &info, sizeof(info)) == sizeof(info));
	__asm__ volatile("");
}

static NOINLINE void in_epoll(int epoll)
{
	struct epoll_event e;
	struct signalfd_siginfo info;

	MUST(epoll_wait(epoll, &e, 1, -1) == 1);
	MUST(read(e.data.fd, &info, sizeof(info)) == sizeof(info));
	__asm__ volatile("");
}

static NOINLINE void in_read(int fd)
{
	char c;

	MUST(read(fd, &c, 1) == -1 && errno == EINTR);
	__asm__ volatile("");
}

static NOINLINE void in_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	MUST(poll(&p, 1, -1) == -1 && errno == EINTR);
	__asm__ volatile("");
}

static NOINLINE void in_nanosleep(int unused)
{
	(void)unused;
	MUST(nanosleep(&(struct timespec){ 10, 0 }, NULL) == -1 && errno == EINTR);
	__asm__ volatile("");
}

/* --- who sends and who waits --- */

/* Once more where the signal came before the wait. */
static void send_all(void (*send)(void))
{
	for (int i = 0; i < TURNS; i++) {
		pause_ns(MS);
		send();
		for (int n = 1; *turn == i; n++) {
			pause_ns(MS);
			if (!(n % 50))
				send();
		}
	}
}

static void *thread_sends(void *send)
{
	name_me("sender");
	send_all((void (*)(void))send);
	return NULL;
}

static void wait_all(void (*await)(int), int fd)
{
	for (int i = 0; i < TURNS; i++) {
		await(fd);
		++*turn;
	}
}

static int of_process(void (*send)(void), void (*await)(int), int fd)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		name_me("sender");
		signal(SIGUSR1, SIG_IGN);
		send_all(send);
		_exit(0);
	}
	wait_all(await, fd);
	MUST(waitpid(pid, NULL, 0) == pid);
	return 0;
}

static int of_thread(void (*send)(void), void (*await)(int), int fd)
{
	pthread_t t = start(thread_sends, (void *)send);

	wait_all(await, fd);
	return pthread_join(t, NULL);
}

static int nothing_comes(void)
{
	int fds[2];

	MUST(!pipe(fds));
	return fds[0];
}

static int signals(void)
{
	sigset_t set = only_usr1();
	int fd = signalfd(-1, &set, SFD_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

#define CASE(name, blocked, of, send, await, fd, cause) \
	static int name(int argc, char **argv) \
	{ \
		(void)argc, (void)argv; \
		prepare(blocked); \
		MUST(!of(send, await, fd)); \
		told("main", "sender", cause, #await, #send, TURNS, true); \
		return 0; \
	}

CASE(sigwaits, true, of_process, by_kill, in_sigwait, -1, "signal")
CASE(queued, true, of_process, by_sigqueue, in_sigwaitinfo, -1, "signal")
CASE(to_thread, true, of_thread, by_pthread_kill, in_sigwait, -1, "signal")
CASE(queued_to_thread, true, of_thread, by_pthread_sigqueue, in_sigwaitinfo, -1, "signal")
CASE(tgkilled, true, of_process, by_tgkill, in_sigwait, -1, "signal")
CASE(raw, true, of_process, by_syscall, in_sigwait, -1, "signal")
CASE(suspended, true, of_process, by_kill, in_sigsuspend, -1, "signal")
CASE(signalfds, true, of_process, by_kill, in_signalfd, signals(), "eventfd")
CASE(cut_read, false, of_thread, by_pthread_kill, in_read, nothing_comes(), "pipe")
CASE(cut_poll, false, of_process, by_kill, in_poll, nothing_comes(), "poll")
CASE(cut_sleep, false, of_process, by_kill, in_nanosleep, -1, "sleep")

static int latches(int argc, char **argv)
{
	int epoll = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };

	(void)argc, (void)argv;
	prepare(true);
	e.data.fd = signals();
	MUST(!epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e));
	MUST(!of_process(by_kill, in_epoll, epoll));
	told("main", "sender", "poll", "in_epoll", "by_kill", TURNS, true);
	return 0;
}

static int groups(int argc, char **argv)
{
	(void)argc, (void)argv;
	prepare(true);
	MUST(!setpgid(0, 0));
	MUST(!of_process(by_killpg, in_sigwait, -1));
	told("main", "sender", "signal", "in_sigwait", "by_killpg", TURNS, true);
	return 0;
}

/* --- what must be as without tracing --- */

static pid_t g_other;

static void passes_on(int signal)
{
	(void)signal;
	kill(g_other, SIGUSR2);
	handled++;
}

static void *ends(void *unused)
{
	(void)unused;
	return NULL;
}

/* Answers, errno, a sender in a handler, the caller as the receiver, and those who are no more. */
static int answers(int argc, char **argv)
{
	struct sigaction a = { .sa_handler = passes_on };
	union sigval none = { .sival_int = 0 };
	pthread_t t = start(ends, NULL);

	(void)argc, (void)argv;
	prepare(false);
	MUST(!sigaction(SIGUSR1, &a, NULL));
	signal(SIGUSR2, SIG_IGN);
	g_other = getpid();
	errno = 77;
	MUST(!kill(getpid(), SIGUSR1) && handled == 1 && errno == 77);
	MUST(!raise(SIGUSR1) && handled == 2 && errno == 77);
	MUST(!pthread_kill(pthread_self(), SIGUSR1) && handled == 3 && errno == 77);
	MUST(!tgkill(getpid(), gettid(), SIGUSR1) && handled == 4 && errno == 77);
	MUST(!sigqueue(getpid(), SIGUSR1, none) && handled == 5 && errno == 77);
	MUST(!pthread_sigqueue(pthread_self(), SIGUSR1, none) && handled == 6 && errno == 77);
	MUST(!kill(getpid(), 0) && !pthread_kill(pthread_self(), 0) && errno == 77);
	MUST(kill(getpid(), 1000) == -1 && errno == EINVAL);
	MUST(pthread_kill(pthread_self(), 1000) == EINVAL);
	MUST(tgkill(getpid(), 0, SIGUSR1) == -1 && errno == EINVAL);
	MUST(kill(0x7ffffff0, SIGUSR1) == -1 && errno == ESRCH);
	MUST(syscall(SYS_kill, 0x7ffffff0, SIGUSR1) == -1 && errno == ESRCH);
	pause_ns(20 * MS);
	MUST(!pthread_kill(t, SIGUSR1)); /* has ended, and is not joined */
	pthread_join(t, NULL);
	pid_t pid = fork();

	if (!pid) {
		kill(getpid(), SIGTERM);
		_exit(1);
	}
	int status;

	MUST(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	printf("{\"handled\":%d}\n", (int)handled);
	return 0;
}

CASES_MAIN({ "sigwaits", sigwaits }, { "queued", queued }, { "to-thread", to_thread },
	   { "queued-to-thread", queued_to_thread }, { "tgkilled", tgkilled }, { "raw", raw }, { "suspended", suspended },
	   { "signalfds", signalfds }, { "latches", latches }, { "groups", groups }, { "cut-read", cut_read },
	   { "cut-poll", cut_poll }, { "cut-sleep", cut_sleep }, { "answers", answers })
