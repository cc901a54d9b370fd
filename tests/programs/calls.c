/* Waits in calls that are rarer: C11 threads, once, files, locks on files, messages, names, shells. */
#undef _FILE_OFFSET_BITS /* so that open, fcntl, mmap and the like are those, and not open64 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads.h>

#include "case.h"
#include "later.h"

/* What fortified programs call. */
extern int __open_2(const char *path, int flags);
extern int __open64_2(const char *path, int flags);
extern int __openat_2(int at, const char *path, int flags);

#define LIMIT (40 * MS)

static int fds[2];
static char block[1 << 16];

/* --- C11: mutex --- */

static mtx_t g_mtx;
static pthread_barrier_t held;

static void *mtx_holder(void *unused)
{
	(void)unused;
	name_me("holder");
	for (int i = 0; i < 3; i++) {
		MUST(mtx_lock(&g_mtx) == thrd_success);
		pthread_barrier_wait(&held);
		pause_ns(LATER);
		MUST(mtx_unlock(&g_mtx) == thrd_success);
		pthread_barrier_wait(&held); /* the waiter had it, or gave up */
	}
	return NULL;
}

static NOINLINE void lock_mtx(struct said *s)
{
	WAIT(s, MUST(mtx_lock(&g_mtx) == thrd_success));
	MUST(mtx_unlock(&g_mtx) == thrd_success);
}

static NOINLINE void lock_mtx_in_time(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 5000 * MS);

	WAIT(s, MUST(mtx_timedlock(&g_mtx, &t) == thrd_success));
	MUST(mtx_unlock(&g_mtx) == thrd_success);
}

static NOINLINE void lock_mtx_too_late(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, LIMIT);

	WAIT(s, MUST(mtx_timedlock(&g_mtx, &t) == thrd_timedout));
}

static int mtx(int argc, char **argv)
{
	static void (*const waits[])(struct said *) = { lock_mtx, lock_mtx_in_time, lock_mtx_too_late };
	struct said said[] = {
		{ "main", "mutex", "mtx_lock", "lock_mtx", "g_mtx", "holder", 0, 0 },
		{ "main", "mutex", "mtx_timedlock", "lock_mtx_in_time", "g_mtx", "holder", 0, 0 },
		{ "main", "mutex", "mtx_timedlock", "lock_mtx_too_late", "g_mtx", "holder", 0, 0 },
	};
	struct timespec invalid = { 0, -1 };
	mtx_t recursive;

	(void)argc, (void)argv;
	MUST(mtx_init(&g_mtx, mtx_timed) == thrd_success && !pthread_barrier_init(&held, NULL, 2));
	pthread_t t = start(mtx_holder, NULL);

	for (int i = 0; i < 3; i++) {
		pthread_barrier_wait(&held);
		waits[i](&said[i]);
		pthread_barrier_wait(&held);
		say(&said[i]);
	}
	join(t);
	SHOW(mtx_timedlock(&g_mtx, &invalid));
	SHOW(mtx_trylock(&g_mtx));
	SHOW(mtx_timedlock(&g_mtx, &invalid));
	SHOW(mtx_unlock(&g_mtx));
	MUST(mtx_init(&recursive, mtx_plain | mtx_recursive) == thrd_success);
	SHOW(mtx_lock(&recursive));
	SHOW(mtx_lock(&recursive));
	SHOW(mtx_unlock(&recursive));
	SHOW(mtx_unlock(&recursive));
	SHOW(mtx_unlock(&recursive));
	return 0;
}

/* --- C11: condition --- */

static cnd_t g_cnd;
static int ready;

static void set_ready(void)
{
	MUST(mtx_lock(&g_mtx) == thrd_success);
	ready = 1;
	MUST(cnd_signal(&g_cnd) == thrd_success);
	MUST(mtx_unlock(&g_mtx) == thrd_success);
}

static NOINLINE void wait_for_cnd(struct said *s)
{
	while (!ready)
		WAIT(s, MUST(cnd_wait(&g_cnd, &g_mtx) == thrd_success));
}

static NOINLINE void wait_for_cnd_in_time(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, LIMIT);

	WAIT(s, MUST(cnd_timedwait(&g_cnd, &g_mtx, &t) == thrd_timedout));
}

static int cnd(int argc, char **argv)
{
	struct said w = { "main", "cond", "cnd_wait", "wait_for_cnd", "g_cnd", NULL, 0, 0 };
	struct said t = { "main", "cond", "cnd_timedwait", "wait_for_cnd_in_time", "g_cnd", NULL, 0, 0 };
	struct timespec invalid = { 0, -1 };

	(void)argc, (void)argv;
	MUST(mtx_init(&g_mtx, mtx_plain) == thrd_success && cnd_init(&g_cnd) == thrd_success);
	MUST(mtx_lock(&g_mtx) == thrd_success);
	pthread_t peer = later(set_ready);

	wait_for_cnd(&w);
	wait_for_cnd_in_time(&t);
	SHOW(cnd_timedwait(&g_cnd, &g_mtx, &invalid));
	SHOW(cnd_broadcast(&g_cnd));
	MUST(mtx_unlock(&g_mtx) == thrd_success);
	join(peer);
	say(&w);
	say(&t);
	return 0;
}

/* --- C11: threads --- */

static struct said thrd_sleep_said = { "c11", "sleep", "thrd_sleep", "sleep_thrd", NULL, NULL, 0, 0 };

static NOINLINE void sleep_thrd(struct said *s)
{
	struct timespec t = { 0, 70000000 };

	WAIT(s, MUST(!thrd_sleep(&t, NULL)));
}

static int thrd_main(void *result)
{
	name_me("c11");
	sleep_thrd(&thrd_sleep_said);
	return *(int *)result;
}

static NOINLINE void join_thrd(thrd_t t, int want, struct said *s)
{
	int result;

	WAIT(s, MUST(thrd_join(t, &result) == thrd_success));
	MUST(result == want);
}

static int thrd(int argc, char **argv)
{
	struct said s = { "main", "join", "thrd_join", "join_thrd", "c11", NULL, 0, 0 };
	struct timespec invalid = { 0, -1 }, none = { 0, 0 }, left = { 7, 7 };
	int result = 42;
	thrd_t t;

	(void)argc, (void)argv;
	MUST(thrd_create(&t, thrd_main, &result) == thrd_success);
	join_thrd(t, 42, &s);
	say(&thrd_sleep_said);
	say(&s);
	SHOW(thrd_sleep(&invalid, NULL));
	SHOW(thrd_sleep(&none, &left));
	SHOW(left.tv_nsec);
	return 0;
}

/* --- once: the second thread waits for the first one's initialiser --- */

static pthread_once_t g_once = PTHREAD_ONCE_INIT;
static once_flag g_flag = ONCE_FLAG_INIT;
static int initialised;
static sem_t initialising;

/* Runs for longer than it sleeps, and calls what is wrapped: whoever runs it does not wait for it. */
static void initialise(void)
{
	sem_post(&initialising);
	free(malloc(100));
	pause_ns(30 * MS);
	spin_ns(50 * MS);
	initialised++;
}

static void *first_once(void *unused)
{
	(void)unused;
	name_me("first");
	MUST(!pthread_once(&g_once, initialise));
	return NULL;
}

static void *first_call(void *unused)
{
	(void)unused;
	name_me("first");
	call_once(&g_flag, initialise);
	return NULL;
}

static NOINLINE void second_once(struct said *s)
{
	WAIT(s, MUST(!pthread_once(&g_once, initialise)));
	MUST(!pthread_once(&g_once, initialise));
}

static NOINLINE void second_call(struct said *s)
{
	WAIT(s, call_once(&g_flag, initialise));
	call_once(&g_flag, initialise);
}

static int once(int argc, char **argv)
{
	struct said o = { "main", "once", "pthread_once", "second_once", "g_once", NULL, 0, 0 };
	struct said c = { "main", "once", "call_once", "second_call", "g_flag", NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!sem_init(&initialising, 0, 0));
	pthread_t t = start(first_once, NULL);

	sem_wait(&initialising);
	second_once(&o);
	join(t);
	t = start(first_call, NULL);
	sem_wait(&initialising);
	second_call(&c);
	join(t);
	printf("initialised %d\n", initialised);
	say(&o);
	say(&c);
	return 0;
}

/* An initialiser that is cancelled has not run: the waiter runs it. */
static pthread_once_t g_cancelled_once = PTHREAD_ONCE_INIT;

static void initialise_forever(void)
{
	if (initialised++)
		return;
	sem_post(&initialising);
	for (;;)
		pause_ns(1000 * MS);
}

static void *initialises_forever(void *unused)
{
	(void)unused;
	pthread_once(&g_cancelled_once, initialise_forever);
	return NULL;
}

static int once_cancel(int argc, char **argv)
{
	void *result;

	(void)argc, (void)argv;
	MUST(!sem_init(&initialising, 0, 0));
	pthread_t t = start(initialises_forever, NULL);

	sem_wait(&initialising);
	pthread_t second = start(initialises_forever, NULL);

	pause_ns(20 * MS);
	SHOW(pthread_cancel(t));
	SHOW(pthread_join(t, &result));
	SHOW(result == PTHREAD_CANCELED);
	SHOW(pthread_join(second, &result));
	SHOW(result == NULL);
	SHOW(initialised);
	return 0;
}

/* --- spin locks: who spins does not wait; only that they lock --- */

static pthread_spinlock_t g_spin;
static long spun;

static void *spinner(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		pthread_spin_lock(&g_spin);
		long v = spun;

		for (volatile int k = 0; k < 10; k++)
			;
		spun = v + 1;
		pthread_spin_unlock(&g_spin);
	}
	return NULL;
}

static int spin(int argc, char **argv)
{
	pthread_t t[3];

	(void)argc, (void)argv;
	MUST(!pthread_spin_init(&g_spin, PTHREAD_PROCESS_PRIVATE));
	for (int i = 0; i < 3; i++)
		t[i] = start(spinner, NULL);
	for (int i = 0; i < 3; i++)
		join(t[i]);
	SHOW(spun);
	SHOW(pthread_spin_trylock(&g_spin));
	SHOW(pthread_spin_trylock(&g_spin));
	SHOW(pthread_spin_unlock(&g_spin));
	SHOW(pthread_spin_lock(&g_spin));
	SHOW(pthread_spin_unlock(&g_spin));
	return 0;
}

/* --- System V semaphores --- */

static int id;

static int change(int by, int flags)
{
	struct sembuf b = { 0, (short)by, (short)flags };

	return semop(id, &b, 1);
}

static void raise_semaphore(void)
{
	MUST(!change(1, 0));
}

static NOINLINE void take_semaphore(struct said *s)
{
	WAIT(s, MUST(!change(-1, 0)));
}

static NOINLINE void take_semaphore_in_time(struct said *s)
{
	struct sembuf b = { 0, -1, 0 };
	struct timespec t = { 0, LIMIT };

	WAIT(s, MUST(semtimedop(id, &b, 1, &t) == -1 && errno == EAGAIN));
}

static int sysv_semaphore(int argc, char **argv)
{
	struct said w = { "main", "semaphore", "semop", "take_semaphore", NULL, NULL, 0, 0 };
	struct said t = { "main", "semaphore", "semtimedop", "take_semaphore_in_time", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST((id = semget(IPC_PRIVATE, 1, 0600)) >= 0);
	pthread_t peer = later(raise_semaphore);

	take_semaphore(&w);
	take_semaphore_in_time(&t);
	SHOW(change(-1, IPC_NOWAIT));
	MUST(!semctl(id, 0, IPC_RMID));
	SHOW(change(-1, 0));
	SHOW(semop(-1, NULL, 0));
	join(peer);
	say(&w);
	say(&t);
	return 0;
}

/* --- message queues --- */

struct message {
	long type;
	char text[1024];
};

static NOINLINE void receive_message(struct said *s)
{
	struct message m;

	WAIT(s, MUST(msgrcv(id, &m, sizeof(m.text), 0, 0) == 3));
	MUST(m.type == 5 && !strcmp(m.text, "hi"));
}

static NOINLINE void send_message(struct said *s)
{
	struct message m = { 6, "full" };

	WAIT(s, MUST(!msgsnd(id, &m, sizeof(m.text), 0)));
}

static void put_message(void)
{
	struct message m = { 5, "hi" };

	MUST(!msgsnd(id, &m, 3, 0));
}

static void take_message(void)
{
	struct message m;

	MUST(msgrcv(id, &m, sizeof(m.text), 0, 0) == sizeof(m.text));
}

static void fill_queue(void)
{
	struct message m = { 6, "full" };

	while (!msgsnd(id, &m, sizeof(m.text), IPC_NOWAIT))
		;
	MUST(errno == EAGAIN);
}

static int sysv_queue(int argc, char **argv)
{
	struct said r = { "main", "msgqueue", "msgrcv", "receive_message", NULL, NULL, 0, 0 };
	struct said s = { "main", "msgqueue", "msgsnd", "send_message", NULL, NULL, 0, 0 };
	struct message m = { 0, "" };

	(void)argc, (void)argv;
	MUST((id = msgget(IPC_PRIVATE, 0600)) >= 0);
	pthread_t t = later(put_message);

	receive_message(&r);
	join(t);
	SHOW(msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT));
	SHOW(msgsnd(id, &m, 1, 0)); /* a message of type 0 */
	fill_queue();
	t = later(take_message);
	send_message(&s);
	join(t);
	SHOW(msgrcv(id, &m, 1, 0, 0)); /* too long for us */
	MUST(!msgctl(id, IPC_RMID, NULL));
	SHOW(msgrcv(id, &m, 1, 0, 0));
	say(&r);
	say(&s);
	return 0;
}

static mqd_t queue;
static char queue_name[32];

static bool open_queue(void)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = 8 };

	snprintf(queue_name, sizeof(queue_name), "/ctrace-%d", (int)getpid());
	queue = mq_open(queue_name, O_CREAT | O_EXCL | O_RDWR, 0600, &a);
	if (queue != (mqd_t)-1 && !mq_unlink(queue_name))
		return true;
	printf("no message queues: errno %d\n", errno);
	return false;
}

static void put_posix(void)
{
	MUST(!mq_send(queue, "posix", 6, 3));
}

static void take_posix(void)
{
	char b[8];

	MUST(mq_receive(queue, b, 8, NULL) == 6);
}

static NOINLINE void receive_posix(struct said *s)
{
	char b[8];
	unsigned priority;

	WAIT(s, MUST(mq_receive(queue, b, 8, &priority) == 6));
	MUST(priority == 3 && !strcmp(b, "posix"));
}

static NOINLINE void send_posix(struct said *s)
{
	WAIT(s, MUST(!mq_send(queue, "posix", 6, 3)));
}

static NOINLINE void receive_posix_in_time(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, LIMIT);
	char b[8];

	WAIT(s, MUST(mq_timedreceive(queue, b, 8, NULL, &t) == -1 && errno == ETIMEDOUT));
}

static NOINLINE void send_posix_in_time(struct said *s)
{
	struct timespec t = in_ns(CLOCK_REALTIME, LIMIT);

	WAIT(s, MUST(mq_timedsend(queue, "posix", 6, 3, &t) == -1 && errno == ETIMEDOUT));
}

static int posix_queue(int argc, char **argv)
{
	struct said said[] = {
		{ "main", "msgqueue", "mq_receive", "receive_posix", "/ctrace-", NULL, 0, 0 },
		{ "main", "msgqueue", "mq_timedreceive", "receive_posix_in_time", "/ctrace-", NULL, 0, 0 },
		{ "main", "msgqueue", "mq_send", "send_posix", "/ctrace-", NULL, 0, 0 },
		{ "main", "msgqueue", "mq_timedsend", "send_posix_in_time", "/ctrace-", NULL, 0, 0 },
	};
	char b[8];

	(void)argc, (void)argv;
	if (!open_queue())
		return 0;
	pthread_t t = later(put_posix);

	receive_posix(&said[0]);
	join(t);
	receive_posix_in_time(&said[1]);
	put_posix();
	put_posix();
	t = later(take_posix);
	send_posix(&said[2]);
	join(t);
	send_posix_in_time(&said[3]);
	SHOW(mq_send(queue, "much too long", 14, 0));
	SHOW(mq_receive(queue, b, 1, NULL));
	MUST(!mq_close(queue));
	SHOW(mq_receive(queue, b, 8, NULL));
	SHOW(mq_send(queue, b, 8, 0));
	for (int i = 0; i < 4; i++)
		say(&said[i]);
	return 0;
}

/* --- locks on files --- */

#define LOCKED "locked.data"

static int with_flock(int fd, bool lock)
{
	return flock(fd, lock ? LOCK_EX : LOCK_UN);
}

static int with_fcntl(int fd, bool lock)
{
	struct flock l = { .l_type = (short)(lock ? F_WRLCK : F_UNLCK), .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLKW, &l);
}

static int with_ofd(int fd, bool lock)
{
	struct flock l = { .l_type = (short)(lock ? F_WRLCK : F_UNLCK), .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLKW, &l);
}

static int with_lockf(int fd, bool lock)
{
	return lockf(fd, lock ? F_LOCK : F_ULOCK, 0);
}

static int with_lockf64(int fd, bool lock)
{
	return lockf64(fd, lock ? F_LOCK : F_ULOCK, 0);
}

/* A child that holds the lock when this returns, and for a while after the word is given. */
static pid_t hold(int (*with)(int, bool))
{
	int is_held[2], word[2];
	char c;

	MUST(!pipe2(is_held, O_CLOEXEC) && !pipe2(word, O_CLOEXEC));
	fflush(stdout);
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		name_me("holder");
		int fd = open(LOCKED, O_RDWR);

		MUST(fd >= 0 && !with(fd, true));
		close(is_held[0]);
		close(word[1]);
		MUST(write(is_held[1], "x", 1) == 1 && read(word[0], &c, 1) == 0);
		pause_ns(LATER);
		MUST(!with(fd, false));
		_exit(0);
	}
	close(word[0]);
	close(is_held[1]);
	MUST(read(is_held[0], &c, 1) == 1);
	close(is_held[0]);
	fds[0] = word[1];
	return pid;
}

static NOINLINE void lock_file(int fd, int (*with)(int, bool), struct said *s)
{
	close(fds[0]);
	WAIT(s, MUST(!with(fd, true)));
	MUST(!with(fd, false));
}

static int file_locks(int argc, char **argv)
{
	static const struct {
		int (*with)(int, bool);
		const char *call, *function;
	} kinds[] = {
		{ with_flock, "flock", "with_flock" },
		{ with_fcntl, "fcntl", "with_fcntl" },
		{ with_ofd, "fcntl", "with_ofd" },
		{ with_lockf, "lockf", "with_lockf" },
		{ with_lockf64, "lockf", "with_lockf64" },
	};
	int fd = open(LOCKED, O_RDWR | O_CREAT | O_EXCL, 0600);

	(void)argc, (void)argv;
	MUST(fd >= 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct said s = { "main", "filelock", kinds[i].call, kinds[i].function, LOCKED, NULL, 0, 0 };
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, ofd = l;
		pid_t pid = hold(kinds[i].with);

		SHOW(flock(fd, LOCK_EX | LOCK_NB));
		SHOW(flock(fd, LOCK_UN));
		SHOW(fcntl(fd, F_SETLK, &l));
		SHOW(fcntl(fd, F_GETLK, &l));
		SHOW(l.l_type);
		SHOW(fcntl(fd, F_OFD_GETLK, &ofd));
		SHOW(ofd.l_type);
		SHOW(lockf(fd, F_TEST, 0));
		SHOW(lockf(fd, F_TLOCK, 0));
		SHOW(lockf(fd, F_ULOCK, 0));
		lock_file(fd, kinds[i].with, &s);
		MUST(waitpid(pid, NULL, 0) == pid);
		say(&s);
	}
	unlink(LOCKED);
	SHOW(flock(-1, LOCK_EX));
	SHOW(lockf(-1, F_LOCK, 0));
	SHOW(lockf(fd, 77, 0));
	SHOW(fcntl(-1, F_SETLKW, NULL));
	SHOW(fcntl(fd, F_SETLKW, NULL));
	return 0;
}

/* --- a FIFO, whose opening waits for the other end --- */

#define FIFO "queue.fifo"

static void open_writer(void)
{
	MUST((fds[1] = open(FIFO, O_WRONLY)) >= 0);
}

static void open_reader(void)
{
	MUST((fds[1] = open(FIFO, O_RDONLY)) >= 0);
}

#define OPENS(function, call) \
	static NOINLINE void function(struct said *s) \
	{ \
		WAIT(s, MUST((fds[0] = call) >= 0)); \
	}

OPENS(open_fifo, open(FIFO, O_RDONLY))
OPENS(open64_fifo, open64(FIFO, O_RDONLY))
OPENS(openat_fifo, openat(AT_FDCWD, FIFO, O_WRONLY | O_CREAT, 0600))
OPENS(creat_fifo, creat(FIFO, 0600))
OPENS(open_2_fifo, __open_2(FIFO, O_RDONLY))

static int fifo(int argc, char **argv)
{
	static const struct {
		void (*open_)(struct said *);
		void (*other)(void);
		const char *call, *function;
	} opens[] = {
		{ open_fifo, open_writer, "open", "open_fifo" },
		{ open64_fifo, open_writer, "open", "open64_fifo" },
		{ openat_fifo, open_reader, "openat", "openat_fifo" },
		{ creat_fifo, open_reader, "creat", "creat_fifo" },
		{ open_2_fifo, open_writer, "open", "open_2_fifo" },
	};

	(void)argc, (void)argv;
	MUST(!mkfifo(FIFO, 0600));
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		struct said s = { "main", "pipe", opens[i].call, opens[i].function, FIFO, NULL, 0, 0 };
		pthread_t t = later(opens[i].other);

		opens[i].open_(&s);
		join(t);
		close(fds[0]);
		close(fds[1]);
		say(&s);
	}
	unlink(FIFO);
	return 0;
}

/* --- eventfd, splice and its kin, sendfile --- */

static void post_event(void)
{
	MUST(!eventfd_write(fds[0], 5));
}

static void take_event(void)
{
	eventfd_t v;

	MUST(!eventfd_read(fds[0], &v));
}

static NOINLINE void read_event(struct said *s)
{
	eventfd_t v;

	WAIT(s, MUST(!eventfd_read(fds[0], &v)));
	MUST(v == 5);
}

static NOINLINE void write_event(struct said *s)
{
	WAIT(s, MUST(!eventfd_write(fds[0], 7)));
}

static int eventfds(int argc, char **argv)
{
	struct said r = { "main", "eventfd", "eventfd_read", "read_event", "eventfd", NULL, 0, 0 };
	struct said w = { "main", "eventfd", "eventfd_write", "write_event", "eventfd", NULL, 0, 0 };
	eventfd_t v;

	(void)argc, (void)argv;
	MUST((fds[0] = eventfd(0, 0)) >= 0);
	pthread_t t = later(post_event);

	read_event(&r);
	join(t);
	MUST(!eventfd_write(fds[0], UINT64_MAX - 1));
	t = later(take_event);
	write_event(&w);
	join(t);
	SHOW(eventfd_read(fds[0], &v));
	SHOW(v);
	SHOW(eventfd_read(-1, &v));
	SHOW(eventfd_write(-1, 1));
	SHOW(eventfd_write(fds[0], UINT64_MAX));
	say(&r);
	say(&w);
	return 0;
}

static int other_pipe[2];

static void put_byte(void)
{
	MUST(write(fds[1], "x", 1) == 1);
}

static void drain(void)
{
	MUST(read(fds[0], block, sizeof(block)) == (ssize_t)sizeof(block));
}

static NOINLINE void splice_from_empty(struct said *s)
{
	WAIT(s, MUST(splice(fds[0], NULL, other_pipe[1], NULL, 100, 0) == 1));
}

static NOINLINE void tee_from_empty(struct said *s)
{
	WAIT(s, MUST(tee(fds[0], other_pipe[1], 100, 0) == 1));
}

static NOINLINE void vmsplice_to_full(struct said *s)
{
	struct iovec v = { block, 4096 };

	WAIT(s, MUST(vmsplice(fds[1], &v, 1, 0) == 4096));
}

static int splices(int argc, char **argv)
{
	struct said s = { "main", "pipe", "splice", "splice_from_empty", "pipe", NULL, 0, 0 };
	struct said t = { "main", "pipe", "tee", "tee_from_empty", "pipe", NULL, 0, 0 };
	struct said v = { "main", "pipe", "vmsplice", "vmsplice_to_full", "pipe", NULL, 0, 0 };
	off64_t at = 0;

	(void)argc, (void)argv;
	MUST(!pipe(fds) && !pipe(other_pipe) && fcntl(fds[1], F_SETPIPE_SZ, sizeof(block)) == sizeof(block));
	pthread_t peer = later(put_byte);

	splice_from_empty(&s);
	join(peer);
	peer = later(put_byte);
	tee_from_empty(&t);
	join(peer);
	MUST(read(fds[0], block, 1) == 1);
	MUST(write(fds[1], block, sizeof(block)) == (ssize_t)sizeof(block));
	peer = later(drain);
	vmsplice_to_full(&v);
	join(peer);
	SHOW(splice(fds[0], &at, other_pipe[1], NULL, 1, 0));
	SHOW(splice(-1, NULL, other_pipe[1], NULL, 1, 0));
	SHOW(tee(fds[0], fds[1], 1, 0));
	SHOW(vmsplice(-1, NULL, 0, 0));
	say(&s);
	say(&t);
	say(&v);
	return 0;
}

static size_t filled;

static void take_all(void)
{
	static char b[4096];

	for (size_t n = 0; n < filled;) {
		ssize_t r = read(fds[0], b, sizeof(b) < filled - n ? sizeof(b) : filled - n);

		MUST(r > 0);
		n += (size_t)r;
	}
}

static NOINLINE void send_file_to_full(int file, struct said *s)
{
	WAIT(s, MUST(sendfile(fds[1], file, NULL, 4096) == 4096));
}

static int sendfiles(int argc, char **argv)
{
	struct said s = { "main", "socket", "sendfile", "send_file_to_full", "socket pair", NULL, 0, 0 };
	int file = memfd_create("sent", 0), other = memfd_create("copy", 0);
	off_t at = 8000;
	off64_t at64 = 8191;
	ssize_t n;

	(void)argc, (void)argv;
	MUST(file >= 0 && write(file, block, 8192) == 8192 && lseek(file, 0, SEEK_SET) == 0);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	while ((n = send(fds[1], block, 256, MSG_DONTWAIT)) > 0)
		filled += (size_t)n;
	pthread_t t = later(take_all);

	send_file_to_full(file, &s);
	join(t);
	SHOW(sendfile(fds[1], file, &at, 4096));
	SHOW(at);
	SHOW(sendfile64(fds[1], file, &at64, 4096));
	SHOW(at64);
	SHOW(sendfile(-1, file, NULL, 1));
	SHOW(sendfile(fds[1], -1, NULL, 1));
	at64 = 0;
	SHOW(copy_file_range(file, &at64, other, NULL, 100, 0));
	SHOW(copy_file_range(file, NULL, -1, NULL, 100, 0));
	say(&s);
	return 0;
}

/* --- shells --- */

static NOINLINE void run_shell(struct said *s)
{
	WAIT(s, MUST(system("sleep 0.05; exit 3") == 3 << 8));
}

static NOINLINE void close_shell(FILE *f, struct said *s)
{
	WAIT(s, MUST(pclose(f) == 4 << 8));
}

static int shells(int argc, char **argv)
{
	struct said s = { "main", "child", "system", "run_shell", NULL, NULL, 0, 0 };
	struct said p = { "main", "child", "pclose", "close_shell", NULL, NULL, 0, 0 };
	char line[64] = "";

	(void)argc, (void)argv;
	fflush(stdout);
	run_shell(&s);
	FILE *f = popen("echo from a pipe; sleep 0.05; exit 4", "r");

	MUST(f && fgets(line, sizeof(line), f));
	printf("popen: %s", line);
	close_shell(f, &p);
	SHOW(system(NULL));
	SHOW(system("kill -9 $$"));
	SHOW(system("/nonexistent/program 2>/dev/null"));
	f = popen("exit 9", "w");
	SHOW(pclose(f));
	SHOW(wait(NULL)); /* no child is left */
	say(&s);
	say(&p);
	return 0;
}

/* --- names --- */

static void show_names(const char *node, const char *service, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list = NULL;
	char host[256], port[32];

	errno = 0;
	printf("%s: %d", node ? node : service, getaddrinfo(node, service, &hints, &list));
	printf(", errno %d", errno);
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		int r = getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST);

		printf("; %d %s %s", r, host, port);
	}
	printf("\n");
	if (list)
		freeaddrinfo(list);
}

static void show_host(const char *call, const struct hostent *h)
{
	char b[64];

	printf("%s: %s", call, h ? h->h_name : "none");
	for (int i = 0; h && h->h_addr_list[i]; i++)
		printf(" %s", inet_ntop(h->h_addrtype, h->h_addr_list[i], b, sizeof(b)));
	printf(", h_errno %d\n", h ? 0 : h_errno);
}

/* A server that answers late that there is no such name. */
static void *answer(void *unused)
{
	struct sockaddr_in from;
	struct pollfd p = { fds[0], POLLIN, 0 };

	(void)unused;
	name_me("server");
	for (;;) {
		socklen_t n = sizeof(from);

		MUST(poll(&p, 1, 5000) == 1);
		ssize_t r = recvfrom(fds[0], block, 512, 0, (struct sockaddr *)&from, &n);

		MUST(r > 0);
		if (r < 12)
			return NULL;
		pause_ns(LATER);
		block[2] = (char)(block[2] | 0x80); /* a response */
		block[3] = (char)0x83; /* recursion available, no such name */
		sendto(fds[0], block, (size_t)r, 0, (struct sockaddr *)&from, n);
	}
}

static NOINLINE void resolve(struct said *s)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *list;

	WAIT(s, MUST(getaddrinfo("slow.example.", NULL, &hints, &list) == EAI_NONAME));
}

static NOINLINE void resolve_old(struct said *s)
{
	WAIT(s, MUST(!gethostbyname("slow.example.")));
}

static int names(int argc, char **argv)
{
	struct said s = { "main", "dns", "getaddrinfo", "resolve", NULL, NULL, 0, 0 };
	struct said o = { "main", "dns", "gethostbyname", "resolve_old", NULL, NULL, 0, 0 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct hostent h, *found;
	socklen_t n = sizeof(a);
	uint32_t loopback = htonl(INADDR_LOOPBACK);
	int error;

	(void)argc, (void)argv;
	show_names("localhost", "80", 0);
	show_names("127.0.0.1", "http", AI_NUMERICHOST);
	show_names("no number", NULL, AI_NUMERICHOST);
	show_names(NULL, "no such service", 0);
	show_host("gethostbyname", gethostbyname("localhost"));
	show_host("gethostbyname2", gethostbyname2("localhost", AF_INET));
	show_host("gethostbyaddr", gethostbyaddr(&loopback, 4, AF_INET));
	SHOW(gethostbyname_r("localhost", &h, block, sizeof(block), &found, &error));
	show_host("gethostbyname_r", found);
	SHOW(gethostbyname_r("localhost", &h, block, 1, &found, &error));
	SHOW(gethostbyname2_r("localhost", AF_INET, &h, block, sizeof(block), &found, &error));
	show_host("gethostbyname2_r", found);
	SHOW(gethostbyaddr_r(&loopback, 4, AF_INET, &h, block, sizeof(block), &found, &error));
	show_host("gethostbyaddr_r", found);

	MUST((fds[0] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0 && !bind(fds[0], (struct sockaddr *)&a, n) &&
	     !getsockname(fds[0], (struct sockaddr *)&a, &n) && !res_init());
	_res.nscount = 1;
	_res.nsaddr_list[0] = a;
	_res.retrans = 5;
	pthread_t t = start(answer, NULL);

	resolve(&s);
	resolve_old(&o);
	MUST(sendto(fds[0], "end", 3, 0, (struct sockaddr *)&a, n) == 3);
	join(t);
	say(&s);
	say(&o);
	return 0;
}

/* --- what the calls answer must not change --- */

static void show_mode(const char *path)
{
	struct stat s;

	MUST(!stat(path, &s));
	printf("  %s: mode %o\n", path, s.st_mode);
	unlink(path);
}

static int open_answers(int argc, char **argv)
{
	int flags = O_RDONLY;

	(void)argc, (void)argv;
	umask(022);
	SHOW(open("a.data", O_RDWR));
	SHOW(open("a.data", O_RDWR | O_CREAT, 0640));
	SHOW(open("a.data", O_RDWR | O_CREAT | O_EXCL, 0640));
	SHOW(open("a.data", O_DIRECTORY));
	SHOW(open("a.data", flags));
	SHOW(__open_2("a.data", flags));
	SHOW(__open64_2("a.data", flags));
	SHOW(__openat_2(AT_FDCWD, "a.data", flags));
	SHOW(openat(AT_FDCWD, "a.data", O_WRONLY | O_TRUNC | O_CLOEXEC));
	SHOW(fcntl(10, F_GETFD));
	SHOW(fcntl(3, F_GETFD));
	show_mode("a.data");
	SHOW(open64("b.data", O_WRONLY | O_CREAT, 0777));
	show_mode("b.data");
	SHOW(openat(AT_FDCWD, "c.data", O_WRONLY | O_CREAT, 04755));
	show_mode("c.data");
	SHOW(openat64(AT_FDCWD, "d.data", O_WRONLY | O_CREAT | O_APPEND, 0400));
	show_mode("d.data");
	SHOW(creat("e.data", 0666));
	show_mode("e.data");
	SHOW(creat64("f.data", 0606));
	show_mode("f.data");
	int fd = open(".", O_TMPFILE | O_RDWR, 0640), other;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SHOW(fd);
	SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "g.data", AT_SYMLINK_FOLLOW));
	show_mode("g.data");
	SHOW(openat(AT_FDCWD, ".", O_TMPFILE | O_RDONLY, 0640));
	SHOW(open(".", O_PATH | O_DIRECTORY));
	SHOW(open(NULL, O_RDONLY));
	SHOW(open("", O_RDONLY));
	SHOW(open("/nonexistent/file", O_RDONLY));
	SHOW(openat(-1, "a.data", O_RDONLY));
	SHOW(openat(fd, "a.data", O_RDONLY));
	SHOW(creat("/nonexistent/file", 0600));
	SHOW(creat(".", 0600));

	SHOW(fcntl(fd, F_DUPFD, 100));
	SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 100));
	SHOW(fcntl64(fd, F_DUPFD, 100));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(101, F_GETFD));
	SHOW(fcntl(101, F_SETFD, 0));
	SHOW(fcntl(101, F_GETFD));
	SHOW(fcntl(fd, F_GETFL));
	SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	SHOW(fcntl(100, F_GETFL));
	SHOW(fcntl(fd, F_GETOWN));
	SHOW(fcntl(fd, F_GETSIG));
	SHOW(fcntl(fd, F_SETSIG, SIGUSR1));
	SHOW(fcntl(fd, F_GETSIG));
	SHOW(fcntl(fd, F_DUPFD, -1));
	SHOW(fcntl(fd, 9999, 0));
	SHOW(fcntl(999, F_GETFL));
	MUST(!pipe(fds));
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, 8192));
	SHOW(fcntl(fds[1], F_GETPIPE_SZ));
	MUST((other = memfd_create("sealed", MFD_ALLOW_SEALING)) >= 0);
	SHOW(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE));
	SHOW(fcntl(other, F_GET_SEALS));
	SHOW(write(other, "x", 1));

	put_byte();
	other = 77;
	SHOW(ioctl(fds[0], FIONREAD, &other));
	SHOW(other);
	SHOW(ioctl(fds[0], FIONBIO, &other));
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(ioctl(fds[0], TCGETS, block));
	SHOW(ioctl(fds[0], FIOCLEX));
	SHOW(fcntl(fds[0], F_GETFD));
	SHOW(ioctl(-1, FIONREAD, &other));
	SHOW(tcdrain(fds[0]));
	SHOW(isatty(fds[0]));
	SHOW(close(fds[0]));
	SHOW(close(fds[0]));
	SHOW(close(-1));
	SHOW(write(fd, "data", 4));
	SHOW(sync_file_range(fd, 0, 4, SYNC_FILE_RANGE_WRITE));
	SHOW(sync_file_range(fds[1], 0, 4, 0));
	SHOW(syncfs(fd));
	SHOW(syncfs(-1));
	return 0;
}

#define PAGE 4096

/* Whether the kernel can read and write there. */
static int access_of(char *p)
{
	int r = write(fds[1], p, 1) == 1;

	return r ? r + 2 * (read(fds[0], p, 1) == 1) : 0;
}

static int mapping(int argc, char **argv)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *hint = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	(void)argc, (void)argv;
	MUST(p != MAP_FAILED && hint != MAP_FAILED && !pipe(fds) && !fcntl(fds[0], F_SETFL, O_NONBLOCK));
	SHOW(p[PAGE]);
	memset(p, 'p', 4 * PAGE);
	SHOW(access_of(p));
	SHOW(mprotect(p, PAGE, PROT_NONE));
	SHOW(access_of(p));
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	SHOW(access_of(p));
	SHOW(mprotect(p + 1, PAGE, PROT_READ));
	SHOW(madvise(p, PAGE, MADV_DONTNEED));
	SHOW(p[0] + p[PAGE]);
	SHOW(madvise(p, PAGE, 9999));
	SHOW(madvise(p + 1, PAGE, MADV_DONTNEED));
	SHOW(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
	SHOW(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hint + PAGE) == hint + PAGE);
	SHOW(access_of(p));
	p += PAGE;
	q = mremap(p, PAGE, 32 * PAGE, MREMAP_MAYMOVE);
	SHOW(q != MAP_FAILED && q[0] == 'p' && q[31 * PAGE] == 0);
	SHOW((intptr_t)mremap(q + 1, PAGE, PAGE, MREMAP_MAYMOVE));
	SHOW((intptr_t)mremap(q, PAGE, PAGE, MREMAP_FIXED, hint));
	SHOW((intptr_t)mremap(hint + 63 * PAGE, PAGE, 1ull << 60, 0));
	/* Where a mapping is to go is not an argument of MREMAP_FIXED alone. */
	MUST(!munmap(hint + 8 * PAGE, 8 * PAGE));
	p = mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, hint + 8 * PAGE);
	SHOW(p == hint + 8 * PAGE);
	SHOW(p != MAP_FAILED && p[0] == 'p' && q[0] == 0);
	SHOW(munmap(q, 32 * PAGE));
	SHOW(access_of(q));
	SHOW(munmap(q + 1, PAGE));
	SHOW(munmap(q, 0));
	SHOW((intptr_t)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	SHOW((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
	SHOW((intptr_t)mmap64(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0));
	SHOW((intptr_t)mmap64(NULL, PAGE, PROT_READ, 0, -1, 0));
	int fd = memfd_create("mapped", 0);

	MUST(!ftruncate(fd, 3 * PAGE) && pwrite(fd, "third", 5, 2 * PAGE) == 5);
	p = mmap64(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PAGE);
	SHOW(memcmp(p, "third", 5));
	SHOW(msync(p, PAGE, MS_SYNC));
	SHOW(msync(p + 1, PAGE, MS_SYNC));
	SHOW(msync(p, PAGE, MS_SYNC | MS_ASYNC));
	free(malloc(1 << 20));
	SHOW(malloc_trim(0) >= 0);
	return 0;
}

/* --- cancellation: which of the calls are points for it must not change --- */

static sem_t about_to_block;
static thrd_t sleeper;
static FILE *shell;
static pid_t shell_pid;
static int idle_event, full_pipe[2];

static void point_open(void)
{
	open(FIFO, O_RDONLY);
}

static void point_openat(void)
{
	openat(AT_FDCWD, FIFO, O_WRONLY);
}

static void point_creat(void)
{
	creat(FIFO, 0600);
}

static void point_fcntl(void)
{
	with_fcntl(fds[1], true);
}

static void point_lockf(void)
{
	with_lockf(fds[1], true);
}

static void point_msgrcv(void)
{
	struct message m;

	msgrcv(id, &m, sizeof(m.text), 99, 0);
}

static void point_msgsnd(void)
{
	struct message m = { 6, "" };

	msgsnd(id, &m, sizeof(m.text), 0);
}

static void point_mq_receive(void)
{
	char b[8];

	mq_receive(queue, b, 8, NULL);
}

static void point_mq_timedreceive(void)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 100000 * MS);
	char b[8];

	mq_timedreceive(queue, b, 8, NULL, &t);
}

static void point_system(void)
{
	system("exec sleep 100");
}

static void point_eventfd_read(void)
{
	eventfd_t v;

	eventfd_read(idle_event, &v);
}

static void point_splice(void)
{
	splice(other_pipe[0], NULL, full_pipe[1], NULL, 1, 0);
}

static void point_tee(void)
{
	tee(other_pipe[0], full_pipe[1], 1, 0);
}

static void point_vmsplice(void)
{
	struct iovec v = { block, 4096 };

	vmsplice(full_pipe[1], &v, 1, 0);
}

static void unlock(void *m)
{
	printf("  the mutex was held again: unlock %d\n", mtx_unlock(m));
}

static void point_cnd_wait(void)
{
	mtx_lock(&g_mtx);
	pthread_cleanup_push(unlock, &g_mtx);
	cnd_wait(&g_cnd, &g_mtx);
	pthread_cleanup_pop(1);
}

static void point_cnd_timedwait(void)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 100000 * MS);

	mtx_lock(&g_mtx);
	pthread_cleanup_push(unlock, &g_mtx);
	cnd_timedwait(&g_cnd, &g_mtx, &t);
	pthread_cleanup_pop(1);
}

static void point_thrd_join(void)
{
	thrd_join(sleeper, NULL);
}

static void point_thrd_sleep(void)
{
	thrd_sleep(&(struct timespec){ 100, 0 }, NULL);
}

static const struct point {
	const char *name;
	void (*block)(void);
} points[] = {
#define POINT(name) { #name, point_##name }
	POINT(open), POINT(openat), POINT(creat), POINT(fcntl), POINT(lockf), POINT(msgrcv), POINT(msgsnd),
	POINT(system), POINT(eventfd_read), POINT(splice), POINT(tee), POINT(vmsplice), POINT(cnd_wait),
	POINT(cnd_timedwait), POINT(thrd_join), POINT(thrd_sleep), POINT(mq_receive), POINT(mq_timedreceive),
};

/* They return after the request, since somebody lets them. */
static void point_semop(void)
{
	SHOW(change(-1, 0));
}

static void let_semop(void)
{
	MUST(!change(1, 0));
}

static void point_flock(void)
{
	SHOW(flock(fds[1], LOCK_EX));
}

static void let_flock(void)
{
	close(fds[0]);
}

static void point_mtx_lock(void)
{
	SHOW(mtx_lock(&g_mtx));
	SHOW(mtx_unlock(&g_mtx));
}

static void let_mtx_lock(void)
{
	MUST(mtx_unlock(&g_mtx) == thrd_success);
}

static void point_pclose(void)
{
	SHOW(pclose(shell));
}

static void let_pclose(void)
{
	kill(shell_pid, SIGKILL);
}

static const struct no_point {
	struct point point;
	void (*let)(void);
} no_points[] = {
#define NO_POINT(name) { POINT(name), let_##name }
	NO_POINT(semop), NO_POINT(flock), NO_POINT(mtx_lock), NO_POINT(pclose),
};

static void cleanup(void *name)
{
	printf("  cleanup of %s\n", (const char *)name);
}

static void *victim(void *argument)
{
	const struct point *p = argument;

	name_me("victim");
	pthread_cleanup_push(cleanup, (void *)(uintptr_t)p->name);
	sem_post(&about_to_block);
	p->block();
	pthread_cleanup_pop(0);
	printf("  %s returned\n", p->name);
	pthread_testcancel();
	return NULL;
}

/* let: NULL, or what ends the call. */
static void cancel_one(const struct point *p, void (*let)(void), bool blocked)
{
	pthread_t t = start(victim, (void *)(uintptr_t)p);
	void *result;

	sem_wait(&about_to_block);
	if (blocked)
		pause_ns(20 * MS);
	int cancelled = pthread_cancel(t);

	if (let) {
		pause_ns(20 * MS);
		printf("%s is let\n", p->name);
		let();
	}
	int joined = pthread_join(t, &result);

	printf("%s: cancel %d, join %d, cancelled %d\n", p->name, cancelled, joined, result == PTHREAD_CANCELED);
}

static int sleeps_long(void *unused)
{
	(void)unused;
	for (;;)
		pause_ns(100000 * MS);
	return 0;
}

static int cancel(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!mkfifo(FIFO, 0600) && (fds[1] = open(LOCKED, O_RDWR | O_CREAT, 0600)) >= 0);
	int locked = fds[1];
	pid_t holder = hold(with_fcntl);

	MUST(!sem_init(&about_to_block, 0, 0) && (id = msgget(IPC_PRIVATE, 0600)) >= 0);
	MUST(mtx_init(&g_mtx, mtx_plain) == thrd_success && cnd_init(&g_cnd) == thrd_success);
	MUST((idle_event = eventfd(0, 0)) >= 0 && !pipe(other_pipe) && !pipe(full_pipe));
	MUST(fcntl(full_pipe[1], F_SETPIPE_SZ, sizeof(block)) == sizeof(block) &&
	     write(full_pipe[1], block, sizeof(block)) == (ssize_t)sizeof(block));
	MUST(thrd_create(&sleeper, sleeps_long, NULL) == thrd_success);
	fill_queue();
	size_t n = sizeof(points) / sizeof(points[0]) - (open_queue() ? 0 : 2);

	fflush(stdout);
	for (int when = 0; when < 2; when++)
		for (size_t i = 0; i < n; i++)
			cancel_one(&points[i], NULL, when);
	close(fds[0]);
	MUST(waitpid(holder, NULL, 0) == holder);
	MUST(!msgctl(id, IPC_RMID, NULL));
	SHOW(with_fcntl(locked, true)); /* nobody has it */
	unlink(FIFO);
	unlink(LOCKED);
	return 0;
}

static int cancel_not(int argc, char **argv)
{
	char line[64];

	(void)argc, (void)argv;
	MUST((fds[1] = open(LOCKED, O_RDWR | O_CREAT, 0600)) >= 0);
	MUST(!sem_init(&about_to_block, 0, 0) && (id = semget(IPC_PRIVATE, 1, 0600)) >= 0);
	MUST(mtx_init(&g_mtx, mtx_plain) == thrd_success && mtx_lock(&g_mtx) == thrd_success);
	pid_t holder = hold(with_flock);

	fflush(stdout);
	shell = popen("echo $$; exec sleep 100", "r");
	MUST(shell && fgets(line, sizeof(line), shell));
	shell_pid = atoi(line);
	for (size_t i = 0; i < sizeof(no_points) / sizeof(no_points[0]); i++)
		cancel_one(&no_points[i].point, no_points[i].let, true);
	MUST(waitpid(holder, NULL, 0) == holder);
	MUST(!semctl(id, 0, IPC_RMID));
	unlink(LOCKED);
	return 0;
}

CASES_MAIN({ "mtx", mtx }, { "cnd", cnd }, { "thrd", thrd }, { "once", once }, { "once-cancel", once_cancel },
	   { "spin", spin }, { "semop", sysv_semaphore }, { "msg", sysv_queue }, { "mq", posix_queue },
	   { "filelock", file_locks }, { "fifo", fifo }, { "eventfd", eventfds }, { "splice", splices },
	   { "sendfile", sendfiles }, { "shell", shells }, { "names", names }, { "opens", open_answers },
	   { "mapping", mapping }, { "cancel", cancel }, { "cancel-not", cancel_not })
