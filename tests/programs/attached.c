/*
 * Threads in waits of all kinds, which say when anything is not as it must be: attached [MODULE], which is loaded and unloaded.
 * Runs until its standard input ends; the last line is "ended 0" if all was well. A call that fails
 * with EINTR where nobody sent a signal is not well (but with STOPS in the environment), nor is a register that has changed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int over;
static int stops; /* somebody stops us and lets us go on: some calls fail by that */

#define STOPPED (stops && errno == EINTR)
static int faults;
static uint64_t turns;

#define WELL(is) \
	do { \
		if (!(is)) \
			fault(#is, __LINE__, errno); \
	} while (0)

static void fault(const char *what, int line, int error)
{
	printf("line %d: not %s (%s)\n", line, what, strerror(error));
	fflush(stdout);
	__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
}

static void turn(void)
{
	__atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
}

/* --- locks --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, paired = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem[2];
static uint64_t counted, expected, ball;

static void *contend(void *unused)
{
	(void)unused;
	while (!over) {
		WELL(!pthread_mutex_lock(&mutex));
		counted++;
		free(malloc(100 + counted % 1000));
		if (counted % 8 == 0)
			usleep(500);
		WELL(!pthread_mutex_unlock(&mutex));
		__atomic_fetch_add(&expected, 1, __ATOMIC_RELAXED);
		turn();
	}
	return NULL;
}

static void *play(void *who)
{
	uint64_t own = (uint64_t)who;

	WELL(!pthread_mutex_lock(&paired));
	while (!over) {
		while (ball % 2 != own && !over)
			WELL(!pthread_cond_wait(&cond, &paired));
		ball++;
		if (ball % 4 == 0)
			usleep(1000);
		WELL(!pthread_cond_broadcast(&cond));
		turn();
	}
	pthread_cond_broadcast(&cond);
	WELL(!pthread_mutex_unlock(&paired));
	return NULL;
}

static void *pass(void *who)
{
	uint64_t own = (uint64_t)who;

	while (!over) {
		WELL(!sem_wait(&sem[own]));
		usleep(500);
		WELL(!sem_post(&sem[!own]));
		turn();
	}
	sem_post(&sem[!own]);
	return NULL;
}

static void *read_or_write(void *who)
{
	while (!over) {
		WELL(!(who ? pthread_rwlock_wrlock : pthread_rwlock_rdlock)(&rwlock));
		usleep(200);
		WELL(!pthread_rwlock_unlock(&rwlock));
		turn();
	}
	return NULL;
}

/* --- time --- */

static void *sleep_often(void *unused)
{
	const struct timespec t = { 0, 3000000 };
	struct timeval v;

	(void)unused;
	while (!over) {
		errno = 123;
		WELL(!nanosleep(&t, NULL));
		WELL(!clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
		WELL(errno == 123);
		WELL(poll(NULL, 0, 3) == 0);
		v = (struct timeval){ 0, 3000 };
		WELL(select(0, NULL, NULL, NULL, &v) == 0);
		turn();
	}
	return NULL;
}

/* --- descriptors --- */

static int pipes[2], pair[2], event, queue;

static void *write_bytes(void *unused)
{
	uint64_t one = 1;
	struct msgbuf_ {
		long type;
		char text[8];
	} m = { 1, "message" };

	(void)unused;
	while (!over) {
		WELL(write(pipes[1], "x", 1) == 1);
		WELL(send(pair[1], "y", 1, 0) == 1);
		WELL(write(event, &one, sizeof(one)) == sizeof(one));
		if (queue >= 0)
			WELL(!msgsnd(queue, &m, sizeof(m.text), 0));
		usleep(2000);
		turn();
	}
	close(pipes[1]);
	shutdown(pair[1], SHUT_RDWR);
	write(event, &one, sizeof(one));
	if (queue >= 0)
		msgsnd(queue, &m, sizeof(m.text), 0);
	return NULL;
}

static void *read_pipe(void *unused)
{
	ssize_t n;
	char c;

	(void)unused;
	while ((n = read(pipes[0], &c, 1)) == 1)
		WELL(c == 'x');
	WELL(n == 0);
	return NULL;
}

static void *receive(void *unused)
{
	const struct timeval limit = { 0, 1000 };
	char c;

	(void)unused;
	WELL(!setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	while (!over) {
		ssize_t n = recv(pair[0], &c, 1, 0);

		WELL(n == 1 || (n < 0 && errno == EAGAIN) || STOPPED || over);
	}
	return NULL;
}

static void *wait_events(void *timeout)
{
	int e = epoll_create1(0), ms = (int)(long)timeout;
	struct epoll_event want = { .events = EPOLLIN }, got;
	uint64_t n;

	if (ms < 0)
		WELL(!epoll_ctl(e, EPOLL_CTL_ADD, event, &want));
	while (!over) {
		int r = epoll_wait(e, &got, 1, ms);

		WELL(r == (ms < 0) || STOPPED);
		if (r == 1)
			WELL(read(event, &n, sizeof(n)) == sizeof(n));
		turn();
	}
	close(e);
	return NULL;
}

static void *take_messages(void *unused)
{
	char room[64];

	(void)unused;
	while (!over && queue >= 0)
		WELL(msgrcv(queue, room, 8, 0, 0) == 8 || STOPPED);
	return NULL;
}

/* --- signals --- */

static volatile sig_atomic_t got;
static sem_t seen;

static void on_signal(int signal)
{
	(void)signal;
	got++;
}

static void *suspend(void *unused)
{
	sigset_t with, without;

	(void)unused;
	sigemptyset(&with);
	sigaddset(&with, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &with, &without);
	sigdelset(&without, SIGUSR1);
	sem_post(&seen);
	while (!over) {
		sig_atomic_t before = got;

		WELL(sigsuspend(&without) == -1 && errno == EINTR && got == before + 1);
		WELL(!sem_post(&seen));
	}
	return NULL;
}

static void *send_signals(void *to)
{
	struct timespec t = { 0, 2000000 };
	sigset_t none;

	sigemptyset(&none);
	sigaddset(&none, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &none, NULL);
	while (!over) {
		WELL(!sem_wait(&seen));
		WELL(!pthread_kill(*(pthread_t *)to, SIGUSR1));
		WELL(sigtimedwait(&none, NULL, &t) == -1 && (errno == EAGAIN || STOPPED));
		turn();
	}
	return NULL;
}

/* --- threads and processes --- */

static void *be_cancelled(void *unused)
{
	char c;

	read(*(int *)unused, &c, 1);
	return NULL;
}

static void *do_little(void *unused)
{
	usleep(300);
	return unused;
}

static void *make_threads(void *unused)
{
	int idle[2];

	(void)unused;
	WELL(!pipe(idle));
	while (!over) {
		pthread_t t;
		void *result = NULL;

		WELL(!pthread_create(&t, NULL, be_cancelled, &idle[0]));
		usleep(500);
		WELL(!pthread_cancel(t));
		WELL(!pthread_join(t, &result) && result == PTHREAD_CANCELED);
		WELL(!pthread_create(&t, NULL, do_little, idle));
		WELL(!pthread_join(t, &result) && result == idle);
		turn();
	}
	return NULL;
}

static void *make_processes(void *unused)
{
	(void)unused;
	while (!over) {
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
			usleep(1000);
			_exit(7);
		}
		WELL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
		usleep(20000);
		turn();
	}
	return NULL;
}

static void *load_modules(void *path)
{
	while (!over) {
		void *handle = dlopen(path, RTLD_NOW);

		WELL(handle && !dlclose(handle));
		usleep(3000);
		turn();
	}
	return NULL;
}

/* --- registers --- */

#if defined(__x86_64__)
struct kept {
	uint64_t rsp;                        /* 0 */
	long (*call)(long, ...);             /* 8 */
	uint32_t own_csr, csr, csr_after;    /* 16 20 24 */
	uint16_t own_cw, cw, cw_after, fill; /* 28 30 32 */
	uint64_t fill2[3];
	uint64_t in[12], out[12];            /* 64 160 */
	uint64_t general[6];                 /* 256 */
};
_Static_assert(offsetof(struct kept, in) == 64 && offsetof(struct kept, out) == 160 && offsetof(struct kept, general) == 256,
	       "as the code has them");

/* Registers, vector registers and control words are the same after a call of libc's own syscall(). */
static void *keep_registers(void *unused)
{
	static const struct timespec t = { 0, 1000000 };
	static struct kept k = { .csr = 0x9fc0, .cw = 0x0f7f };
	static const uint64_t general[6] = { 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666 };

	(void)unused;
	k.call = (long (*)(long, ...))dlsym(dlopen("libc.so.6", RTLD_NOW), "syscall");
	for (int i = 0; i < 12; i++)
		k.in[i] = 0x0123456789abcdefull * (uint64_t)(i + 1);
	while (!over && k.call) {
		long r = 0;

		memset(k.out, 0, sizeof(k.out));
		__asm__ volatile(
			"push %%rbp\n push %%rbx\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
			"mov %%rsp, (%%rcx)\n and $-64, %%rsp\n sub $64, %%rsp\n mov %%rcx, (%%rsp)\n"
			"stmxcsr 16(%%rcx)\n fnstcw 28(%%rcx)\n ldmxcsr 20(%%rcx)\n fldcw 30(%%rcx)\n"
			"movups 64(%%rcx), %%xmm0\n movups 80(%%rcx), %%xmm1\n movups 96(%%rcx), %%xmm7\n"
			"movups 112(%%rcx), %%xmm8\n movups 128(%%rcx), %%xmm14\n movups 144(%%rcx), %%xmm15\n"
			"mov $0x1111, %%rbx\n mov $0x2222, %%r12\n mov $0x3333, %%r13\n mov $0x4444, %%r14\n"
			"mov $0x5555, %%r15\n mov $0x6666, %%rbp\n"
			"mov $35, %%edi\n xor %%edx, %%edx\n" /* nanosleep */
			"call *8(%%rcx)\n"
			"mov (%%rsp), %%rcx\n"
			"stmxcsr 24(%%rcx)\n fnstcw 32(%%rcx)\n ldmxcsr 16(%%rcx)\n fldcw 28(%%rcx)\n"
			"movups %%xmm0, 160(%%rcx)\n movups %%xmm1, 176(%%rcx)\n movups %%xmm7, 192(%%rcx)\n"
			"movups %%xmm8, 208(%%rcx)\n movups %%xmm14, 224(%%rcx)\n movups %%xmm15, 240(%%rcx)\n"
			"mov %%rbx, 256(%%rcx)\n mov %%r12, 264(%%rcx)\n mov %%r13, 272(%%rcx)\n mov %%r14, 280(%%rcx)\n"
			"mov %%r15, 288(%%rcx)\n mov %%rbp, 296(%%rcx)\n"
			"mov (%%rcx), %%rsp\n"
			"pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbx\n pop %%rbp\n"
			: "=a"(r)
			: "c"(&k), "S"(&t)
			: "rdi", "rdx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			  "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
		WELL(r == 0);
		WELL(!memcmp(k.in, k.out, sizeof(k.in)));
		WELL(k.csr_after == k.csr && k.cw_after == k.cw);
		WELL(!memcmp(k.general, general, sizeof(general)));
		turn();
	}
	return NULL;
}
#endif

static void *call(void *(*routine)(void *), void *argument)
{
	pthread_t *t = malloc(sizeof(*t));

	WELL(t && !pthread_create(t, NULL, routine, argument));
	return t;
}

static void *meet(void *unused)
{
	(void)unused;
	for (;;) {
		int r = pthread_barrier_wait(&barrier);

		WELL(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
		if (!unused && over)
			__atomic_store_n(&over, 2, __ATOMIC_RELEASE);
		pthread_barrier_wait(&barrier);
		if (over == 2)
			return NULL;
		usleep(1000);
		turn();
	}
}

#define THREADS_MAX 64

int main(int argc, char **argv)
{
	struct sigaction on = { .sa_handler = on_signal };
	pthread_t *thread[THREADS_MAX], *suspended;
	int n = 0;
	char c;

	(void)argc;
	stops = getenv("STOPS") != NULL;
	WELL(!sigaction(SIGUSR1, &on, NULL));
	WELL(!pthread_barrier_init(&barrier, NULL, 2));
	WELL(!sem_init(&sem[0], 0, 1) && !sem_init(&sem[1], 0, 0) && !sem_init(&seen, 0, 0));
	WELL(!pipe(pipes) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && (event = eventfd(0, 0)) >= 0);
	queue = msgget(IPC_PRIVATE, 0600);
	suspended = thread[n++] = call(suspend, NULL);
	thread[n++] = call(send_signals, suspended);
	for (long i = 0; i < 2; i++) {
		thread[n++] = call(contend, NULL);
		thread[n++] = call(play, (void *)i);
		thread[n++] = call(pass, (void *)i);
		thread[n++] = call(read_or_write, (void *)i);
		thread[n++] = call(meet, (void *)i);
		thread[n++] = call(wait_events, (void *)(i ? -1L : 2L));
	}
	thread[n++] = call(sleep_often, NULL);
	thread[n++] = call(write_bytes, NULL);
	thread[n++] = call(read_pipe, NULL);
	thread[n++] = call(receive, NULL);
	thread[n++] = call(take_messages, NULL);
	thread[n++] = call(make_threads, NULL);
	thread[n++] = call(make_processes, NULL);
	if (argv[1])
		thread[n++] = call(load_modules, argv[1]);
#if defined(__x86_64__)
	thread[n++] = call(keep_registers, NULL);
#endif
	puts("begun");
	fflush(stdout);
	ssize_t r;

	while ((r = read(0, &c, 1)) == 1)
		;
	WELL(r == 0);
	over = 1;
	sem_post(&seen);
	pthread_kill(*suspended, SIGUSR1);
	for (int i = 0; i < n; i++)
		WELL(!pthread_join(*thread[i], NULL));
	if (queue >= 0)
		msgctl(queue, IPC_RMID, NULL);
	WELL(counted == expected);
	printf("%llu turns\nended %d\n", (unsigned long long)turns, faults != 0);
	return faults != 0;
}
