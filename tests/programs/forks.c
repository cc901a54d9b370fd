/* Children that a program did not expect, and its own in strange places. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "case.h"

/* --- the collector is no child of the program --- */

static volatile sig_atomic_t signals;

static void child_ended(int signal)
{
	(void)signal;
	signals++;
}

static bool is_member(int (*get)(sigset_t *), int signal)
{
	sigset_t s;

	MUST(!get(&s));
	return sigismember(&s, signal);
}

static int blocked(sigset_t *s)
{
	return sigprocmask(SIG_SETMASK, NULL, s);
}

static void show_children(void)
{
	char line[256] = "";
	FILE *f = fopen("/proc/thread-self/children", "r");

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	printf("children: %s\n", line[0] ? "some" : "none");
}

/* Also with SIGCHLD blocked or ignored, and as the one who adopts orphans: see through.c. */
static int alone(int argc, char **argv)
{
	struct sigaction a = { .sa_handler = child_ended, .sa_flags = SA_RESTART }, before;
	int adopts = 0;

	(void)argc, (void)argv;
	printf("SIGCHLD blocked %d, pending %d\n", is_member(blocked, SIGCHLD), is_member(sigpending, SIGCHLD));
	MUST(!sigaction(SIGCHLD, NULL, &before) && !prctl(PR_GET_CHILD_SUBREAPER, &adopts));
	printf("SIGCHLD ignored %d, subreaper %d\n", before.sa_handler == SIG_IGN, adopts);
	if (before.sa_handler != SIG_IGN)
		MUST(!sigaction(SIGCHLD, &a, NULL));
	show_children();
	SHOW(waitpid(-1, NULL, WNOHANG));
	pause_ns(150 * MS); /* what starts in the background has done so */
	SHOW(waitpid(-1, NULL, WNOHANG));
	SHOW(waitpid(-1, NULL, WNOHANG | __WALL));
	SHOW(waitpid(-1, NULL, WNOHANG | __WCLONE));
	show_children();

	/* A child of its own, whose child outlives it. */
	fflush(stdout);
	pid_t pid = fork();

	if (!pid) {
		if (!fork())
			pause_ns(50 * MS);
		_exit(6);
	}
	SHOW(waitpid(pid, NULL, 0) == pid);
	SHOW(wait(NULL) > 0);
	SHOW(wait(NULL));
	printf("SIGCHLD pending %d, handled %d\n", is_member(sigpending, SIGCHLD), signals);
	return 0;
}

/* --- a fork in a handler that interrupted a wait: the child returns into the wait --- */

static const char *obstacle;
static volatile pid_t child = -1;
static int ends[2];
static struct said reader_said = { "reader", "pipe", "read", "read_interrupted", "pipe", NULL, 0, 0 };

static void limit(int resource, rlim_t to)
{
	struct rlimit l;

	MUST(!getrlimit(resource, &l));
	l.rlim_cur = to;
	MUST(!setrlimit(resource, &l));
}

/* A system call that no library sees. */
static long raw(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

/* As if the collector were gone. */
static void no_connect(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ECONNREFUSED),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(f) / sizeof(*f), f };

	MUST(!raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	     !raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0));
}

/* What keeps a child from being traced. */
static void obstruct(void)
{
	if (!strcmp(obstacle, "no-descriptors"))
		limit(RLIMIT_NOFILE, 0);
	else if (!strcmp(obstacle, "small-files"))
		limit(RLIMIT_FSIZE, 1 << 20);
	else if (!strcmp(obstacle, "no-collector"))
		no_connect();
	else
		MUST(!strcmp(obstacle, "none"));
}

static void fork_in_handler(int signal)
{
	(void)signal;
	obstruct();
	child = fork();
	if (!child)
		name_me("child");
}

static NOINLINE void read_interrupted(struct said *s)
{
	char c;

	WAIT(s, MUST(read(ends[0], &c, 1) == -1 && errno == EINTR));
}

static void *reader(void *unused)
{
	(void)unused;
	name_me("reader");
	read_interrupted(&reader_said);
	if (!child) {
		struct timespec t = { 0, 20000000 };

		free(malloc(300000));
		nanosleep(&t, NULL);
		_exit(7);
	}
	return NULL;
}

static void *interrupter(void *main_thread)
{
	pause_ns(60 * MS);
	MUST(!pthread_kill(*(pthread_t *)main_thread, SIGALRM));
	return NULL;
}

static void show_end(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	printf("%s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int in_handler(int argc, char **argv)
{
	struct sigaction a = { .sa_handler = fork_in_handler };
	pthread_t self = pthread_self(), t;

	MUST(argc == 4);
	obstacle = argv[2];
	MUST(!pipe(ends) && !sigaction(SIGALRM, &a, NULL));
	if (!strcmp(argv[3], "main")) {
		t = start(interrupter, &self);
		reader(NULL);
	} else {
		t = start(reader, NULL);
		interrupter(&t);
	}
	pthread_join(t, NULL);
	show_end(child);
	say(&reader_said);
	return 0;
}

/* --- a fork that nothing in user space takes notice of; the first thing is a busy lock --- */

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE int lock_twice(void)
{
	struct timespec t = in_ns(CLOCK_REALTIME, 50 * MS);

	MUST(!pthread_mutex_lock(&g_mutex));
	return pthread_mutex_timedlock(&g_mutex, &t) == ETIMEDOUT ? 7 : 8;
}

static int raw_fork(int argc, char **argv)
{
	MUST(argc == 3);
	obstacle = argv[2];
	obstruct();
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (!pid)
		_exit(lock_twice());
	show_end(pid);
	return 0;
}

CASES_MAIN({ "alone", alone }, { "in-handler", in_handler }, { "raw", raw_fork })
