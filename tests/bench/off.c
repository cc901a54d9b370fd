/*
 * What calls cost that do not block: off [ROUNDS]. A line each: a name, and the CPU time of one call in ns, of the
 * quickest round: on a machine that others use, it is the one that tells. Under ctrace-run --stopped
 * it says what ctrace costs while nothing is recorded: see docs/ctl.md.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 2000

static int zero, null, event, epoll, ends[2];
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static FILE *in, *out;
static char buffer[64];

static void nothing(void)
{
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define OPERATION(name, ...) \
	static void name(void) \
	{ \
		for (int i = 0; i < CALLS; i++) { \
			__VA_ARGS__; \
		} \
	}
OPERATION(mutex_pair, pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex))
OPERATION(rwlock_pair, pthread_rwlock_rdlock(&rwlock); pthread_rwlock_unlock(&rwlock))
OPERATION(spin_pair, pthread_spin_lock(&spin); pthread_spin_unlock(&spin))
OPERATION(once_done, pthread_once(&once, nothing))
OPERATION(cond_signal, pthread_cond_signal(&cond))
OPERATION(sem_pair, sem_post(&sem); sem_wait(&sem))
OPERATION(poll_nothing, poll(NULL, 0, 0))
OPERATION(select_nothing, select(0, NULL, NULL, NULL, &(struct timeval){ 0, 0 }))
OPERATION(epoll_nothing, epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0))
OPERATION(read_byte, (void)!read(zero, buffer, 1))
OPERATION(write_byte, (void)!write(null, buffer, 1))
OPERATION(pread_byte, (void)!pread(zero, buffer, 1, 0))
OPERATION(send_pair, send(ends[0], buffer, 1, 0); recv(ends[1], buffer, 1, 0))
OPERATION(eventfd_pair, eventfd_write(event, 1); eventfd_read(event, &(eventfd_t){ 0 }))
OPERATION(fsync_null, fsync(null))
OPERATION(fread_byte, (void)!fread(buffer, 1, 1, in))
OPERATION(fwrite_byte, fwrite(buffer, 1, 1, out))
OPERATION(getc_byte, getc(in))
OPERATION(nanosleep_invalid, nanosleep(&(struct timespec){ 0, -1 }, NULL))
OPERATION(waitpid_none, waitpid(-1, NULL, WNOHANG))
OPERATION(malloc_pair, void *volatile p = malloc(64); free(p))
OPERATION(malloc_large, void *volatile p = malloc(20000); free(p))

static const struct {
	const char *name;
	void (*run)(void);
	int calls;
} operations[] = {
	{ "lock + unlock", mutex_pair, 2 },
	{ "rdlock + unlock", rwlock_pair, 2 },
	{ "spin lock + unlock", spin_pair, 2 },
	{ "once, done", once_done, 1 },
	{ "cond_signal", cond_signal, 1 },
	{ "sem_post + sem_wait", sem_pair, 2 },
	{ "poll", poll_nothing, 1 },
	{ "select", select_nothing, 1 },
	{ "epoll_wait", epoll_nothing, 1 },
	{ "read", read_byte, 1 },
	{ "write", write_byte, 1 },
	{ "pread", pread_byte, 1 },
	{ "send + recv", send_pair, 2 },
	{ "eventfd: write + read", eventfd_pair, 2 },
	{ "fsync", fsync_null, 1 },
	{ "fread of a byte", fread_byte, 1 },
	{ "fwrite of a byte", fwrite_byte, 1 },
	{ "getc", getc_byte, 1 },
	{ "nanosleep", nanosleep_invalid, 1 },
	{ "waitpid", waitpid_none, 1 },
	{ "malloc + free", malloc_pair, 2 },
	{ "malloc + free of 20 kB", malloc_large, 2 },
};

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	in = fopen("/dev/zero", "r");
	out = fopen("/dev/null", "w");
	event = eventfd(0, 0);
	epoll = epoll_create1(0);
	sem_init(&sem, 0, 0);
	pthread_spin_init(&spin, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return 1;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		double least = 1e18;

		for (int k = 0; k < rounds; k++) {
			double begin = now_ns();

			operations[i].run();
			double took = now_ns() - begin;

			least = took < least ? took : least;
		}
		printf("%s\t%.2f\n", operations[i].name, least / CALLS / operations[i].calls);
	}
	return 0;
}
