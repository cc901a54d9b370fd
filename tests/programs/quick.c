/*
 * Does one thing, that does not block, as often as its second argument says: quick CASE TURNS.
 * tests/run_syscalls.py counts the system calls.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>

#include "case.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_spinlock_t spin;
static mtx_t c11;
static sem_t sem;
static int ends[2], pair[2], epoll, event, file;
static FILE *stream, *sink;
static jmp_buf back;
static sigset_t set;
static char b[4096];
static volatile uint32_t word;

static void nothing(void)
{
}

static void *returns(void *p)
{
	return p;
}

static void prepare(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	char path[] = "/tmp";

	MUST(!pipe(ends) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && write(ends[1], "ready", 5) == 5);
	MUST((epoll = epoll_create1(0)) >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &e));
	MUST((event = eventfd(1, EFD_SEMAPHORE)) >= 0 && (file = open(path, O_TMPFILE | O_RDWR, 0600)) >= 0);
	MUST(write(file, b, sizeof(b)) == sizeof(b) && !lseek(file, 0, SEEK_SET));
	MUST((stream = fdopen(dup(file), "r")) && (sink = fopen("/dev/null", "w")));
	MUST(!pthread_spin_init(&spin, 0) && mtx_init(&c11, mtx_plain) == thrd_success && !sem_init(&sem, 0, 1));
}

/* P(name, what one turn does) */
#define CASES \
	P(mutex, pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex)) \
	P(mutex_recursive, pthread_mutex_lock(&recursive); pthread_mutex_lock(&recursive); \
	  pthread_mutex_unlock(&recursive); pthread_mutex_unlock(&recursive)) \
	P(mutex_trylock, pthread_mutex_trylock(&mutex); pthread_mutex_trylock(&mutex); pthread_mutex_unlock(&mutex)) \
	P(mutex_timedlock, struct timespec t = { 1, 0 }; pthread_mutex_timedlock(&mutex, &t); pthread_mutex_unlock(&mutex)) \
	P(rwlock, pthread_rwlock_rdlock(&rwlock); pthread_rwlock_unlock(&rwlock); pthread_rwlock_wrlock(&rwlock); \
	  pthread_rwlock_unlock(&rwlock)) \
	P(spin, pthread_spin_lock(&spin); pthread_spin_unlock(&spin)) \
	P(cond_signal, pthread_cond_signal(&cond); pthread_cond_broadcast(&cond)) \
	P(sem, sem_wait(&sem); sem_post(&sem); sem_trywait(&sem); sem_post(&sem)) \
	P(once, pthread_once(&once, nothing)) \
	P(c11_mutex, mtx_lock(&c11); mtx_unlock(&c11)) \
	P(malloc, free(malloc(100)); free(calloc(3, 100))) \
	P(malloc_large, free(malloc(200000))) \
	P(realloc, free(realloc(malloc(10), 1000))) \
	P(read_pipe, MUST(read(ends[0], b, 1) == 1 && write(ends[1], "x", 1) == 1)) \
	P(write_pipe, MUST(write(ends[1], "x", 1) == 1 && read(ends[0], b, 1) == 1)) \
	P(read_file, MUST(read(file, b, 0) == 0 && read(file, b, 1) >= 0)) \
	P(pread, MUST(pread(file, b, 100, 0) == 100 && pwrite(file, b, 100, 0) == 100)) \
	P(readv, struct iovec v = { b, 1 }; MUST(preadv(file, &v, 1, 0) == 1)) \
	P(send_recv, MUST(send(pair[0], "x", 1, 0) == 1 && recv(pair[1], b, 1, 0) == 1)) \
	P(poll, struct pollfd p = { ends[0], POLLIN, 0 }; MUST(poll(&p, 1, -1) == 1)) \
	P(poll_timeout, struct pollfd p = { ends[1], POLLIN, 0 }; MUST(poll(&p, 1, 0) == 0)) \
	P(select, fd_set s; FD_ZERO(&s); FD_SET(ends[0], &s); MUST(select(ends[0] + 1, &s, NULL, NULL, NULL) == 1)) \
	P(epoll, struct epoll_event e; MUST(epoll_wait(epoll, &e, 1, -1) == 1)) \
	P(eventfd, eventfd_t v; MUST(!eventfd_read(event, &v) && !eventfd_write(event, 1))) \
	P(open_close, MUST(!close(open("/dev/null", O_RDONLY)))) \
	P(fcntl, MUST(fcntl(file, F_GETFD) >= 0)) \
	P(flock, MUST(!flock(file, LOCK_EX) && !flock(file, LOCK_UN))) \
	P(lseek, MUST(!lseek(file, 0, SEEK_SET))) \
	P(fsync_none, MUST(fdatasync(ends[0]) == -1)) \
	P(stat, struct stat s; MUST(!stat("/", &s) && !fstat(file, &s))) \
	P(fgets, rewind(stream); MUST(fread(b, 1, 1, stream) == 1)) \
	P(fputs, fputs("a line\n", sink)) \
	P(fread, if (fread(b, 1, 100, stream) != 100) rewind(stream)) \
	P(printf, fprintf(sink, "%d %s\n", 5, "words")) \
	P(getpid, getpid()) \
	P(clock, struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t)) \
	P(sigprocmask, pthread_sigmask(SIG_BLOCK, &set, NULL)) \
	P(longjmp, if (!_setjmp(back)) longjmp(back, 1)) \
	P(sched_yield, sched_yield()) \
	P(futex_wake, syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0)) \
	P(thread, pthread_t t; MUST(!pthread_create(&t, NULL, returns, NULL)); pthread_join(t, NULL)) \
	P(fork, pid_t pid = fork(); if (!pid) _exit(0); MUST(waitpid(pid, NULL, 0) == pid))

#define P(name, ...) \
	static void turn_##name(void) \
	{ \
		__VA_ARGS__; \
	}
CASES
#undef P

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*turn)(void);
	} cases[] = {
#define P(name, ...) { #name, turn_##name },
		CASES
#undef P
	};

	MUST(argc == 3);
	prepare();
	for (char *p = argv[1]; *p; p++)
		if (*p == '-')
			*p = '_';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(cases[i].name, argv[1])) {
			for (long n = atol(argv[2]); n > 0; n--)
				cases[i].turn();
			return 0;
		}
	fprintf(stderr, "no case %s\n", argv[1]);
	return 2;
}
