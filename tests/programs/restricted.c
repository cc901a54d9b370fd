/* Programs that may do little: filters, limits, no time stamp counter, no standard descriptors. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "case.h"
#include "restricted.h"

static int ends[2];
static struct said other_said = { "other", "sleep", "usleep", "rest", NULL, NULL, 0, 0 };

static NOINLINE void rest(struct said *s)
{
	WAIT(s, usleep(80000));
}

/* Is not restricted: says what it waited for, then wakes main. */
static void *other(void *unused)
{
	(void)unused;
	name_me("other");
	rest(&other_said);
	say(&other_said);
	fflush(stdout);
	MUST(write(ends[1], "x", 1) == 1);
	return NULL;
}

static NOINLINE void say_ok(void)
{
	MUST(write(1, "ok\n", 3) == 3);
}

/* --- seccomp's strict mode: read, write, _exit, and no time stamp counter --- */

static NOINLINE void read_one(void)
{
	char c;

	if (read(ends[0], &c, 1) == 1)
		say_ok();
}

static int strict(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pipe(ends));
	start(other, NULL);
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	read_one();
	syscall(SYS_exit, 0); /* exit_group is not allowed */
	return 0;
}

/* --- a filter that allows what the program itself uses, and kills for anything else --- */

#define ALLOW(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void confine(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* what it does */
		ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_clock_nanosleep), ALLOW(SYS_wait4),
		/* threads and processes */
		ALLOW(SYS_clone3), ALLOW(SYS_clone), ALLOW(SYS_set_robust_list), ALLOW(SYS_rseq), ALLOW(SYS_mmap),
		ALLOW(SYS_mprotect), ALLOW(SYS_munmap), ALLOW(SYS_madvise), ALLOW(SYS_futex), ALLOW(SYS_rt_sigprocmask),
		ALLOW(SYS_rt_sigreturn), ALLOW(SYS_exit), ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(f) / sizeof(*f), f };

	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* getrusage is not allowed: whether a wait was disturbed is not known. */
#define CONFINED(said, call) \
	do { \
		uint64_t start_ns_ = now_ns(); \
		call; \
		(said)->ns += now_ns() - start_ns_; \
		(said)->count++; \
	} while (0)

static struct said join_said = { "main", "join", "pthread_join", "join_confined", NULL, NULL, 0, 0, .disturbed = 1 };
static struct said child_said = { "main", "child", "waitpid", "wait_confined", NULL, NULL, 0, 0, .disturbed = 1 };

static NOINLINE void join_confined(pthread_t t, struct said *s)
{
	CONFINED(s, MUST(!pthread_join(t, NULL)));
}

static NOINLINE void read_confined(void)
{
	char c;

	MUST(read(ends[0], &c, 1) == 1);
}

static NOINLINE int wait_confined(pid_t pid, struct said *s)
{
	int status;

	CONFINED(s, MUST(waitpid(pid, &status, 0) == pid));
	return status;
}

static void *late(void *unused)
{
	struct timespec t = { 0, 50000000 };

	(void)unused;
	nanosleep(&t, NULL);
	MUST(write(ends[1], "y", 1) == 1);
	return NULL;
}

/* stdout asks what its descriptor is, while it may. */
static void prepare(void)
{
	MUST(!pipe(ends));
	printf("confined\n");
	fflush(stdout);
}

/* One thread from before, one that is born confined. */
static int filter(int argc, char **argv)
{
	(void)argc, (void)argv;
	prepare();
	pthread_t t = start(other, NULL);

	confine();
	join_confined(t, &join_said);
	read_confined();
	t = start(late, NULL);
	join_confined(t, &join_said);
	read_confined();
	say(&join_said);
	return 0;
}

static int filter_fork(int argc, char **argv)
{
	(void)argc, (void)argv;
	prepare();
	confine();
	pid_t pid = fork();

	if (!pid) {
		late(NULL);
		free(malloc(300000));
		_exit(5);
	}
	printf("status %x\n", (unsigned)wait_confined(pid, &child_said));
	say(&child_said);
	return 0;
}

/* --- the time stamp counter is taken away: even clock_gettime would fault --- */

static int no_tsc(int argc, char **argv)
{
	(void)argc, (void)argv;
	other_said.thread = "main";
	rest(&other_said);
	say(&other_said);
	fflush(stdout);
	MUST(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	usleep(1000);
	free(malloc(300000));
	say_ok();
	_exit(0);
}

/* --- limits --- */

/* The limit may be there already, from before the program was started. */
static int address_space(int argc, char **argv)
{
	struct rlimit l = { 1ul << 30, 1ul << 30 };

	(void)argc, (void)argv;
	MUST(!setrlimit(RLIMIT_AS, &l));
	char *p = malloc(200ul << 20);

	printf("200 MB: %s\n", p ? "there" : "none");
	MUST(p);
	free(p);
	other_said.thread = "main";
	rest(&other_said);
	say(&other_said);
	return 0;
}

/* Locked memory is filled: the driver compares how much of it there is. */
static int lock_memory(int argc, char **argv)
{
	char line[256];
	long kb = 0;

	(void)argc, (void)argv;
	SHOW(mlockall(MCL_CURRENT | MCL_FUTURE));
	free(malloc(1 << 20));
	FILE *f = fopen("/proc/self/status", "r");

	MUST(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kb);
	fclose(f);
	printf("{\"rss\":%ld}\n", kb);
	other_said.thread = "main";
	rest(&other_said);
	say(&other_said);
	return 0;
}

/* --- without standard input, output and errors: the program's own files get their numbers --- */

static int closed(int argc, char **argv)
{
	char path[] = "/tmp";
	int fd[3], status;

	(void)argc, (void)argv;
	for (int i = 0; i < 3; i++)
		fd[i] = open(path, O_TMPFILE | O_RDWR, 0600);
	other_said.thread = "main";
	rest(&other_said);
	MUST(write(fd[2], "data\n", 5) == 5);

	/* A child that cannot be attached, and says so nowhere. */
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &l);
	pid_t pid = fork();

	if (!pid) {
		usleep(20000);
		_exit(4);
	}
	MUST(waitpid(pid, &status, 0) == pid);

	MUST(dup2(SAY_FD, 100) == 100);
	FILE *f = fdopen(100, "w");

	MUST(f);
	fprintf(f, "descriptors %d %d %d, child %x\n", fd[0], fd[1], fd[2], (unsigned)status);
	for (int i = 0; i < 3; i++) {
		char b[64];
		long n = (long)pread(fd[i], b, sizeof(b), 0);

		fprintf(f, "file %d: %ld bytes: %.*s\n", i, n, n > 0 ? (int)n : 0, b);
	}
	fflush(f);
	dup2(100, 1);
	say(&other_said);
	return 3;
}

CASES_MAIN({ "strict", strict }, { "filter", filter }, { "filter-fork", filter_fork }, { "no-tsc", no_tsc },
	   { "address-space", address_space }, { "lock-memory", lock_memory }, { "closed", closed })
