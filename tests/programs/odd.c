/*
 * Correct programs that do what few do to their processes, threads and surroundings. Nothing is measured:
 * what they print, and how they end, must be the same when traced. See tests/run_transparent.py.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "case.h"

extern char **environ;

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

/* A little of everything that is wrapped. */
static void work(void)
{
	char b[32];
	int p[2];

	MUST(!pthread_mutex_lock(&g_mutex) && !pthread_mutex_unlock(&g_mutex));
	free(malloc(100));
	free(realloc(malloc(10), 300000));
	MUST(!pipe(p) && write(p[1], "12345", 5) == 5 && read(p[0], b, sizeof(b)) == 5);
	MUST(!close(p[0]) && !close(p[1]));
	pause_ns(MS / 10);
}

static void say_status(const char *what, int status)
{
	if (WIFEXITED(status))
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
	else
		printf("%s: signal %d\n", what, WTERMSIG(status));
	fflush(stdout);
}

static void wait_and_say(const char *what, pid_t pid)
{
	int status;

	MUST(pid > 0 && waitpid(pid, &status, __WALL) == pid);
	say_status(what, status);
}

static void *works(void *unused)
{
	work();
	return unused;
}

static void *returns(void *i)
{
	return i;
}

/* --- calls in destructors, of all rounds and of both kinds, after the thread has ended for us --- */

static pthread_key_t key;
int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

static void round_ends(void *value)
{
	static __thread int round;

	work();
	printf("round %d\n", ++round);
	MUST(!pthread_setspecific(key, value));
}

static void object_ends(void *what)
{
	work();
	MUST(!pthread_join(start(works, NULL), NULL));
	printf("%s ends\n", (const char *)what);
}

static void *has_destructors(void *unused)
{
	MUST(!pthread_setspecific(key, "value"));
	MUST(!__cxa_thread_atexit_impl(object_ends, (void *)(uintptr_t) "object", &__dso_handle));
	if (unused)
		pthread_exit(NULL);
	return NULL;
}

static int destructors(int argc, char **argv)
{
	(void)argc;
	MUST(!pthread_key_create(&key, round_ends));
	MUST(!pthread_join(start(has_destructors, NULL), NULL) &&
	     !pthread_join(start(has_destructors, argv), NULL));
	has_destructors(NULL);
	return 0;
}

/* --- handlers of fork --- */

static void prepare_1(void)
{
	work();
	pthread_mutex_lock(&g_mutex);
	printf("prepare 1\n");
}
static void parent_1(void)
{
	pthread_mutex_unlock(&g_mutex);
	work();
	printf("parent 1\n");
}
static void child_1(void)
{
	pthread_mutex_unlock(&g_mutex);
	work();
	printf("child 1\n");
}
static void prepare_2(void)
{
	work();
	printf("prepare 2\n");
}
static void parent_2(void)
{
	work();
	printf("parent 2\n");
}
static void child_2(void)
{
	work();
	printf("child 2\n");
	MUST(!pthread_join(start(works, NULL), NULL));
}

static void parent_3(void)
{
}

static pid_t forks_when_forked;

/* Forks in the handler of a fork. */
static void child_3(void)
{
	if (!forks_when_forked)
		return;
	forks_when_forked = 0;
	wait_and_say("grandchild", fork() ?: (_exit(6), 0));
}

static int atfork(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!pthread_atfork(prepare_1, parent_1, child_1) && !pthread_atfork(prepare_2, parent_2, child_2));
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			MUST(!pthread_atfork(parent_3, parent_3, child_3));
		forks_when_forked = i == 2;
		fflush(stdout);
		pid_t pid = fork();

		if (!pid) {
			work();
			fflush(stdout);
			_exit(7 + i);
		}
		wait_and_say("child", pid);
	}
	return 0;
}

/* --- fork from a thread, while others hold locks, allocate, write and start threads --- */

static volatile int stop;
static pthread_mutex_t busy_locks[4] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
					PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *busy(void *n)
{
	char b[16];
	int fd = open("/dev/null", O_WRONLY);

	snprintf(b, sizeof(b), "busy-%d", (int)(intptr_t)n);
	name_me(b);
	for (unsigned i = 0; !stop; i++) {
		pthread_mutex_t *m = &busy_locks[i % 4];

		pthread_mutex_lock(m);
		free(malloc(i % 5000));
		(void)!write(fd, b, sizeof(b));
		if (i % 16 == 0)
			sched_yield();
		pthread_mutex_unlock(m);
		if (i % 64 == 0)
			pthread_join(start(works, NULL), NULL);
	}
	close(fd);
	return NULL;
}

static void *forks_often(void *unused)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = i % 10 ? fork() : (pid_t)syscall(SYS_fork);
		int status;

		if (!pid) {
			/* Whoever held it is not here. */
			g_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
			if (i % 10)
				MUST(!pthread_join(start(works, NULL), NULL));
			pause_ns(MS / 10);
			_exit(i);
		}
		MUST(pid > 0 && waitpid(pid, &status, 0) == pid);
		MUST(WIFEXITED(status) && WEXITSTATUS(status) == i);
	}
	return unused;
}

static int fork_locked(int argc, char **argv)
{
	pthread_t t[3];

	(void)argc, (void)argv;
	for (intptr_t i = 0; i < 3; i++)
		t[i] = start(busy, (void *)i);
	MUST(!pthread_join(start(forks_often, NULL), NULL));
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("100 children\n");
	return 0;
}

/* --- clone, as libraries for sandboxes call it --- */

static int cloned(void *argument)
{
	char b[8];
	int *p = argument;

	(void)!write(p[1], "cloned\n", 7);
	(void)!read(p[0], b, 7);
	free(malloc(10));
	return 11;
}

static int clone_(int argc, char **argv)
{
	static const struct {
		const char *name;
		int flags;
	} kinds[] = {
	    {"fork", SIGCHLD},
	    {"no signal", 0},
	    {"other signal", SIGUSR1},
	    {"vfork", CLONE_VM | CLONE_VFORK | SIGCHLD},
	    {"memory", CLONE_VM | SIGCHLD},
	    {"all but threads", CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | SIGCHLD},
	    {"files", CLONE_FILES | CLONE_FS | SIGCHLD},
	};
	char *stack = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int p[2];

	(void)argc, (void)argv;
	signal(SIGUSR1, SIG_IGN);
	MUST(stack != MAP_FAILED && !pipe(p));
	for (int i = 0; i < 20; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			int status;
			pid_t pid = clone(cloned, stack + (1 << 18), kinds[k].flags, p);

			MUST(pid > 0);
			MUST(waitpid(pid, &status, __WALL) == pid);
			if (!i)
				say_status(kinds[k].name, status);
		}
	/* fork and vfork without glibc, as Go and Rust programs do. */
	for (int i = 0; i < 20; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (!pid) {
			work();
			_exit(12);
		}
		if (!i)
			wait_and_say("raw fork", pid);
		else
			MUST(waitpid(pid, NULL, 0) == pid);
	}
	work();
	return 0;
}

/* --- posix_spawn with all that it can do --- */

static int spawn_attributes(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t a;
	sigset_t set;
	pid_t pid;
	char *script[] = {
	    (char *)"sh", (char *)"-c",
	    (char *)"echo to 5 >&5; ls /proc/self/fd | wc -l; grep SigBlk /proc/self/status; trap; exit 9",
	    NULL};

	(void)argc, (void)argv;
	MUST(!posix_spawn_file_actions_init(&actions) && !posix_spawnattr_init(&a));
	MUST(!posix_spawn_file_actions_addopen(&actions, 4, "/dev/null", O_RDONLY, 0) &&
	     !posix_spawn_file_actions_adddup2(&actions, 1, 5) &&
	     !posix_spawn_file_actions_addclose(&actions, 4) &&
	     !posix_spawn_file_actions_addchdir_np(&actions, "/") &&
	     !posix_spawn_file_actions_addclosefrom_np(&actions, 6));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!posix_spawnattr_setsigmask(&a, &set) && !posix_spawnattr_setsigdefault(&a, &set) &&
	     !posix_spawnattr_setpgroup(&a, 0) &&
	     !posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
					       POSIX_SPAWN_SETPGROUP));
	signal(SIGUSR1, SIG_IGN);
	SHOW(posix_spawnp(&pid, "sh", &actions, &a, script, environ));
	wait_and_say("spawned", pid);
	MUST(!posix_spawn_file_actions_addopen(&actions, 7, "/nonexistent/file", O_RDONLY, 0));
	SHOW(posix_spawnp(&pid, "sh", &actions, &a, script, environ));
	SHOW(posix_spawnp(&pid, "no-such-program", NULL, NULL, script, environ));
	SHOW(waitpid(-1, NULL, 0));
	return 0;
}

/* --- exec with environments of its own --- */

static int environment(int argc, char **argv)
{
	static char *const envs[][3] = {{NULL},
					{(char *)"A=b", NULL},
					{(char *)"LD_PRELOAD=", (char *)"A=b", NULL},
					{(char *)"CTRACE_SOCKET=ctrace-no-such-collector", NULL},
					{(char *)"LD_PRELOAD=/nonexistent.so", NULL}};
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (argc > 2) {
		work();
		int own = 0;

		for (char **e = environ; *e; e++)
			own += strncmp(*e, "LD_PRELOAD=", 11) && strncmp(*e, "CTRACE_", 7);
		printf("%s: %d variables\n", argv[2], own);
		return 5;
	}
	MUST(n > 0);
	self[n] = 0;
	for (size_t i = 0; i < sizeof(envs) / sizeof(envs[0]) - 1; i++) {
		fflush(stdout);
		pid_t pid = fork();

		if (!pid) {
			execle(self, self, "environment", "child", (char *)NULL, envs[i]);
			_exit(98);
		}
		wait_and_say("exec", pid);
	}
	clearenv();
	setenv("A", "b", 1);
	pid_t pid = fork();

	if (!pid) {
		execl(self, self, "environment", "cleared", (char *)NULL);
		_exit(98);
	}
	wait_and_say("cleared", pid);
	pid = fork();
	if (!pid)
		_exit(WEXITSTATUS(system("exit 4")));
	wait_and_say("forked, with an empty environment", pid);
	return 0;
}

/* --- exec and exit from another thread than the first --- */

static void *execs(void *self)
{
	execl(self, self, "environment", "exec'd by a thread", (char *)NULL);
	_exit(98);
}

static void *sleeps(void *unused)
{
	(void)unused;
	for (;;)
		pause_ns(1000 * MS);
	return NULL;
}

static int exec_from_thread(int argc, char **argv)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)argc, (void)argv;
	MUST(n > 0);
	self[n] = 0;
	start(sleeps, NULL);
	start(execs, self);
	pthread_join(pthread_self(), NULL);
	for (;;)
		pause();
}

static void say_bye(void)
{
	work();
	printf("bye\n");
	fflush(stdout);
}

static void *exits(void *how)
{
	work();
	if (!strcmp(how, "exit"))
		exit(21);
	if (!strcmp(how, "quick_exit"))
		quick_exit(22);
	if (!strcmp(how, "_exit"))
		_exit(23);
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "assert")) /* what assert does, without its text */
		raise(SIGABRT);
	if (!strcmp(how, "stack-overflow"))
		memset(alloca(64 << 20), 1, 64 << 20);
	if (!strcmp(how, "double-free")) {
		char *volatile p = malloc(10), *volatile q = p;

		free(p);
		free(q);
	}
	return NULL;
}

static int ends(int argc, char **argv)
{
	struct rlimit none = {0, 0};

	MUST(argc == 4 && !atexit(say_bye) && !at_quick_exit(say_bye));
	setrlimit(RLIMIT_CORE, &none);
	start(sleeps, NULL);
	if (!strcmp(argv[3], "main"))
		exits(argv[2]);
	else
		pthread_join(start(exits, argv[2]), NULL);
	return 24;
}

static sigjmp_buf after_abort;

static void leave_abort(int unused)
{
	(void)unused;
	work();
	siglongjmp(after_abort, 1);
}

static int survives_abort(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (volatile int i = 0; i < 3; i++) {
		signal(SIGABRT, leave_abort);
		if (!sigsetjmp(after_abort, 1))
			raise(SIGABRT);
		work();
		printf("survived\n");
	}
	return 0;
}

/* --- descriptors: all closed, few allowed, none free --- */

static int close_from(int argc, char **argv)
{
	struct rlimit l;

	(void)argc, (void)argv;
	getrlimit(RLIMIT_NOFILE, &l);
	closefrom(3);
	work();
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	work();
	SHOW(open("/dev/null", O_RDONLY));
	closefrom(3);
	l.rlim_cur = 3;
	MUST(!setrlimit(RLIMIT_NOFILE, &l));
	SHOW(open("/dev/null", O_RDONLY));
	fflush(stdout);
	pid_t pid = fork();

	if (!pid) {
		pause_ns(MS);
		free(malloc(1 << 20));
		_exit(3);
	}
	wait_and_say("without a free descriptor", pid);
	MUST(!pthread_join(start(returns, NULL), NULL));
	return 0;
}

/* --- limits that are there from the start; see through.c --- */

static int limits(int argc, char **argv)
{
	static const struct {
		const char *name;
		int resource;
	} kinds[] = {{"NOFILE", RLIMIT_NOFILE}, {"AS", RLIMIT_AS},       {"MEMLOCK", RLIMIT_MEMLOCK},
		     {"STACK", RLIMIT_STACK},   {"FSIZE", RLIMIT_FSIZE}, {"DATA", RLIMIT_DATA},
		     {"CORE", RLIMIT_CORE}};

	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct rlimit l;

		MUST(!getrlimit(kinds[i].resource, &l));
		printf("%s %lld %lld\n", kinds[i].name, (long long)l.rlim_cur, (long long)l.rlim_max);
	}
	int fd, open_ = 0;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		open_++;
	printf("%d more descriptors\n", open_ < 100 ? open_ : 100);
	closefrom(3);
	pause_ns(MS);
	free(malloc(1 << 20));
	fflush(stdout);
	wait_and_say("child", fork() ?: (pause_ns(MS), _exit(5), 0));
	MUST(!pthread_join(start(returns, NULL), NULL));
	return 6;
}

/* --- another root, other namespaces --- */

static int chroot_(int argc, char **argv)
{
	char name[] = "odd.root";

	(void)argc, (void)argv;
	work();
	if (mkdir(name, 0700) || chroot(name) || chdir("/")) {
		printf("no chroot: %s\n", strerror(errno));
		return 0;
	}
	work();
	MUST(!pthread_join(start(works, NULL), NULL));
	fflush(stdout);
	wait_and_say("child", fork() ?: (work(), _exit(8), 0));
	SHOW(open("/proc/self/exe", O_RDONLY));
	SHOW(system("true"));
	SHOW(dlopen("libm.so.6", RTLD_NOW) != NULL);
	return 0;
}

static void show_unshare(const char *name, int flags)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid) {
		wait_and_say(name, pid);
		return;
	}
	if (unshare(flags)) {
		printf("no %s: %s\n", name, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
	work();
	MUST(flags & CLONE_NEWPID || !pthread_join(start(works, NULL), NULL));
	pid = fork();
	if (!pid) {
		printf("%s: process %d\n", name, flags & CLONE_NEWPID ? getpid() : 0);
		work();
		MUST(!pthread_join(start(works, NULL), NULL));
		fflush(stdout);
		if (flags & CLONE_NEWPID)
			wait_and_say("grandchild", fork() ?: (work(), _exit(9), 0));
		wait_and_say("shell",
			     fork()
				 ?: (execl("/bin/sh", "sh", "-c", "sleep 0.01; exit 10", (char *)NULL), 0));
		_exit(11);
	}
	wait_and_say("child", pid);
	_exit(0);
}

static int namespaces(int argc, char **argv)
{
	(void)argc, (void)argv;
	show_unshare("pid", CLONE_NEWPID);
	show_unshare("net", CLONE_NEWNET);
	show_unshare("mount", CLONE_NEWNS);
	show_unshare("ipc", CLONE_NEWIPC);
	show_unshare("uts", CLONE_NEWUTS);
	show_unshare("user", CLONE_NEWUSER);
	show_unshare("all",
		     CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER);
	return 0;
}

/* What a container's first process sees: no /proc, or it is process 1. Said by through.c. */
static int confined(int argc, char **argv)
{
	(void)argc, (void)argv;
	work();
	SHOW(access("/proc/self", F_OK));
	MUST(!pthread_join(start(works, NULL), NULL));
	fflush(stdout);
	wait_and_say("child", fork() ?: (work(), _exit(9), 0));
	wait_and_say("shell",
		     fork() ?: (execl("/bin/sh", "sh", "-c", "sleep 0.01; exit 10", (char *)NULL), 0));
	SHOW(waitpid(-1, NULL, WNOHANG));
	return 12;
}

/* --- another allocator, another preload, another lookup order --- */

static void *allocates(void *seed)
{
	unsigned state = (unsigned)(uintptr_t)seed;
	void *p[64] = {NULL};
	uintptr_t bad = 0;

	for (int i = 0; i < 20000; i++) {
		state = state * 1103515245 + 12345;
		unsigned k = state >> 16 & 63, n = state >> 22 & 1023;

		if (i % 500 == 0)
			n <<= 10;
		switch (state >> 13 & 7) {
		case 0:
			free(p[k]);
			p[k] = calloc(n + 1, 2);
			break;
		case 1:
			p[k] = realloc(p[k], n + 1);
			break;
		case 2:
			free(p[k]);
			bad += posix_memalign(&p[k], 256, n + 1) != 0 || (uintptr_t)p[k] % 256;
			break;
		case 3:
			free(p[k]);
			p[k] = aligned_alloc(64, (n + 64) & ~63u);
			bad += (uintptr_t)p[k] % 64;
			break;
		case 4:
			free(p[k]);
			p[k] = strdup("a string of the library's own");
			break;
		default:
			free(p[k]);
			p[k] = malloc(n);
		}
		bad += p[k] && malloc_usable_size(p[k]) < 1 && n;
	}
	for (int k = 0; k < 64; k++)
		free(p[k]);
	return (void *)bad;
}

static int allocators(int argc, char **argv)
{
	pthread_t t[4];
	uintptr_t bad = 0;

	(void)argc, (void)argv;
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = start(allocates, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(t[i], &result);
		bad += (uintptr_t)result;
	}
	allocates((void *)9);
	printf("%d allocations were bad\n", (int)bad);
	fflush(stdout);
	wait_and_say("child", fork() ?: (_exit((int)(uintptr_t)allocates((void *)7)), 0));
	work();
	return 0;
}

static int deepbind(int argc, char **argv)
{
	(void)argv;
	MUST(argc == 3);
	for (int i = 0; i < 3; i++) {
		void *d = dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND);

		MUST(d);
		int (*f)(long) = (int (*)(long))(uintptr_t)dlsym(d, "plugin_sleep");

		MUST(f);
		SHOW(f(1000000));
		MUST(!dlclose(d));
	}
	/* A libc function by name, however it is asked for. */
	MUST(((ssize_t(*)(int, const void *, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "write"))(1, "", 0) == 0);
	MUST(((ssize_t(*)(int, const void *, size_t))(uintptr_t)dlsym(RTLD_NEXT, "write"))(1, "", 0) == 0);
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD),
	     *p = ((void *(*)(size_t))(uintptr_t)dlsym(libc, "malloc"))(10);

	MUST(p);
	free(p);
	work();
	return 0;
}

/* --- very many threads --- */

static sem_t all_there, go_on;

static void *one_of_many(void *i)
{
	sem_post(&all_there);
	while (sem_wait(&go_on))
		;
	return i;
}

static int crowd(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 1000, made = 0;
	pthread_t *t = calloc((size_t)n, sizeof(*t));
	pthread_attr_t a;
	uintptr_t sum = 0;

	MUST(!sem_init(&all_there, 0, 0) && !sem_init(&go_on, 0, 0) && !pthread_attr_init(&a) &&
	     !pthread_attr_setstacksize(&a, 16384));
	while (made < n && !pthread_create(&t[made], &a, one_of_many, (void *)(uintptr_t)made))
		made++;
	for (int i = 0; i < made; i++)
		while (sem_wait(&all_there))
			;
	printf("%d threads at once\n", made);
	for (int i = 0; i < made; i++)
		sem_post(&go_on);
	for (int i = 0; i < made; i++) {
		void *result;

		MUST(!pthread_join(t[i], &result));
		sum += (uintptr_t)result;
	}
	printf("sum %" PRIuPTR "\n", sum);
	return 0;
}

static int churn(int argc, char **argv)
{
	uintptr_t n = argc > 2 ? (uintptr_t)atol(argv[2]) : 1000000, sum = 0;

	for (uintptr_t i = 0; i < n; i++) {
		void *result;

		MUST(!pthread_join(start(returns, (void *)i), &result));
		sum += (uintptr_t)result;
	}
	printf("sum %" PRIuPTR "\n", sum);
	return 0;
}

/* --- is killed, stopped, or crashes in the middle of what is wrapped --- */

static int storm(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (intptr_t i = 0; i < 3; i++)
		start(busy, (void *)i);
	printf("ready\n");
	fflush(stdout);
	busy((void *)3);
	return 0;
}

static void crash(int unused)
{
	(void)unused;
	signal(SIGSEGV, SIG_DFL);
	*(volatile int *)(uintptr_t)8 = 1;
}

static int storm_crash(int argc, char **argv)
{
	struct rlimit none = {0, 0};

	(void)argc, (void)argv;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGUSR1, crash);
	return storm(argc, argv);
}

CASES_MAIN({"destructors", destructors}, {"atfork", atfork}, {"fork-locked", fork_locked}, {"clone", clone_},
	   {"spawn-attributes", spawn_attributes}, {"environment", environment},
	   {"exec-from-thread", exec_from_thread}, {"ends", ends}, {"survives-abort", survives_abort},
	   {"close-from", close_from}, {"limits", limits}, {"chroot", chroot_}, {"namespaces", namespaces},
	   {"confined", confined}, {"allocators", allocators}, {"deepbind", deepbind}, {"crowd", crowd},
	   {"churn", churn}, {"storm", storm}, {"storm-crash", storm_crash})
