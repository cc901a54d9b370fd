/* Paths, directories, spawns, raw system calls and the rarer of the threads' calls: answers, and waits. */
#undef _FILE_OFFSET_BITS /* so that stat, readdir and the like are those, and not stat64 */
#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <linux/futex.h>
#include <locale.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <termios.h>
#include <threads.h>
#include <utime.h>

#include "case.h"
#include "later.h"


extern char **environ;
static int fds[2];
static char text[4096];

static void put_byte(void)
{
	MUST(write(fds[1], "x", 1) == 1);
}

static int descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* --- paths and directories --- */

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static long size_of(const char *path)
{
	struct stat s;

	return stat(path, &s) ? -1 : (long)s.st_size;
}

static int paths(int argc, char **argv)
{
	char *const roots[] = { (char[]){ "d" }, NULL };
	struct dirent **list;
	struct statvfs vfs;
	struct statx x;
	struct stat s;
	struct stat64 s64;
	int before = descriptors(), fd;

	(void)argc, (void)argv;
	SHOW(mkdir("d", 0755));
	SHOW(mkdir("d", 0755));
	SHOW(mkdirat(AT_FDCWD, "d/e", 0700));
	MUST((fd = open("d/file", O_RDWR | O_CREAT, 0640)) >= 0 && write(fd, "data", 4) == 4);
	SHOW(size_of("d/file"));
	SHOW(stat("d/none", &s));
	SHOW(stat("", &s));
	SHOW(stat(NULL, &s));
	SHOW(stat64("d/file", &s64));
	SHOW(s64.st_mode);
	SHOW(lstat("d/file", &s));
	SHOW(fstat(fd, &s));
	SHOW(fstat(-1, &s));
	SHOW(fstatat(AT_FDCWD, "d/file", &s, 0));
	SHOW(fstatat(fd, "", &s, AT_EMPTY_PATH));
	SHOW(fstatat(fd, "x", &s, 0));
	SHOW(statx(AT_FDCWD, "d/file", 0, STATX_SIZE, &x));
	SHOW(x.stx_size);
	SHOW(access("d/file", R_OK));
	SHOW(access("d/none", R_OK));
	SHOW(faccessat(AT_FDCWD, "d/file", R_OK, AT_EACCESS));
	SHOW(symlink("file", "d/link"));
	SHOW(readlink("d/link", text, sizeof(text)));
	SHOW(readlink("d/file", text, sizeof(text)));
	SHOW(readlinkat(AT_FDCWD, "d/link", text, 2));
	SHOW(realpath("d/../d/link", text) == text);
	printf("%s\n", strrchr(text, '/'));
	char *own = realpath("d/e/", NULL);

	printf("%s\n", own ? strrchr(own, '/') : "none");
	free(own);
	SHOW(realpath("d/none", NULL) != NULL);
	SHOW(realpath(NULL, NULL) != NULL);
	char *(*old)(const char *, char *) =
		(char *(*)(const char *, char *))(uintptr_t)dlvsym(RTLD_DEFAULT, "realpath", "GLIBC_2.2.5");

	SHOW(old("d/file", NULL) != NULL);
	SHOW(old("d/file", text) == text);
	SHOW((own = getcwd(NULL, 0)) != NULL);
	free(own);
	SHOW(getcwd(text, 1) != NULL);
	SHOW(link("d/file", "d/other"));
	SHOW(rename("d/other", "d/e/moved"));
	SHOW(rename("d/none", "d/x"));
	SHOW(renameat2(AT_FDCWD, "d/file", AT_FDCWD, "d/e/moved", RENAME_NOREPLACE));
	SHOW(chmod("d/file", 0600));
	SHOW(fchmod(-1, 0600));
	SHOW(chown("d/file", (uid_t)-1, (gid_t)-1));
	SHOW(utime("d/file", NULL));
	SHOW(utimensat(AT_FDCWD, "d/none", NULL, 0));
	SHOW(futimens(fd, NULL));
	SHOW(futimens(-1, NULL));
	SHOW(setxattr("d/file", "user.x", "v", 1, 77));
	SHOW(getxattr("d/file", "user.none", text, 4));
	SHOW(removexattr("d/none", "user.x"));
	SHOW(truncate("d/file", 2));
	SHOW(ftruncate(fd, 100));
	SHOW(posix_fallocate(fd, 0, 200));
	SHOW(posix_fallocate(-1, 0, 200));
	SHOW(posix_fadvise(fd, 0, 0, 99));
	SHOW(size_of("d/file"));
	SHOW(statvfs("d", &vfs));
	SHOW(fstatvfs(-1, &vfs));
	SHOW(mkfifo("d/fifo", 0600));
	SHOW(mknod("d/none/fifo", 0600 | S_IFIFO, 0));
	SHOW(lseek(fd, 10, SEEK_SET));
	SHOW(lseek(fd, -1, SEEK_SET));
	SHOW(lseek64(-1, 0, SEEK_CUR));
	strcpy(text, "d/tmp-XXXXXX");
	SHOW(close(mkstemp(text)));
	SHOW(unlink(text));
	strcpy(text, "d/bad");
	SHOW(mkstemp(text));
	strcpy(text, "d/dir-XXXXXX");
	SHOW(mkdtemp(text) == text);
	SHOW(rmdir(text));
	SHOW(chdir("d/file"));
	SHOW(fchdir(fd));

	int n = scandir("d", &list, no_dots, alphasort);

	for (int i = 0; i < n; i++) {
		printf("%s\n", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	SHOW(scandir("d/none", &list, NULL, NULL));
	SHOW(opendir("d/none") != NULL);
	SHOW(opendir("d/file") != NULL);
	SHOW(fdopendir(-1) != NULL);
	SHOW(fdopendir(fd) != NULL);
	DIR *d = opendir("d");
	struct dirent *e, room, *found;

	for (n = 0; (e = readdir(d));)
		n += e->d_name[0] != '.';
	SHOW(n);
	rewinddir(d);
	for (n = 0; !readdir_r(d, &room, &found) && found;)
		n += found->d_name[0] != '.';
	SHOW(n);
	rewinddir(d);
	for (n = 0; readdir64(d);)
		n++;
	SHOW(n);
	SHOW(closedir(d));
	SHOW(closedir(NULL));
	FTS *walk = fts_open(roots, FTS_PHYSICAL, by_name);
	FTSENT *entry;

	while ((entry = fts_read(walk)))
		printf("%d %s\n", entry->fts_info, entry->fts_path);
	SHOW(fts_close(walk));
	SHOW(fts_open((char *const[]){ NULL }, 0, NULL) != NULL);

	SHOW(unlinkat(AT_FDCWD, "d/e/moved", 0));
	SHOW(rmdir("d"));
	SHOW(remove("d/e"));
	SHOW(remove("d/link") + remove("d/file") + remove("d/fifo"));
	SHOW(rmdir("d"));
	SHOW(shm_unlink("/ctrace-none"));
	SHOW(sem_unlink("/ctrace-none"));
	SHOW(dup2(fd, fd));
	SHOW(dup2(fd, 200));
	SHOW(dup2(-1, 201));
	SHOW(dup3(fd, fd, 0));
	SHOW(dup3(fd, 201, O_CLOEXEC));
	SHOW(fcntl(201, F_GETFD));
	SHOW(close_range(200, 201, 0));
	SHOW(close_range(5, 4, 0));
	SHOW(fcntl(200, F_GETFD));
	MUST(dup2(fd, 200) == 200);
	closefrom(200);
	SHOW(fcntl(200, F_GETFD));
	SHOW(close(fd));
	SHOW(descriptors() - before);
	return 0;
}

/* --- spawns --- */

static void end_of(int r, const pid_t *pid)
{
	int status = 0;

	if (!r)
		MUST(waitpid(*pid, &status, 0) == *pid);
	printf("spawn %d, status %x\n", r, (unsigned)status);
}

typedef int spawner(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
		    char *const *, char *const *);

static int spawns(int argc, char **argv)
{
	char *const args[] = { "sh", "-c", "echo ran; exit 3", NULL }, *const script[] = { "spawned.script", "arg", NULL };
	static const char *const versions[] = { "GLIBC_2.2.5", "GLIBC_2.15" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t mask, was;
	pid_t pid = -7;
	int before = descriptors();

	(void)argc, (void)argv;
	fflush(stdout);
	end_of(posix_spawn(&pid, "/bin/sh", NULL, NULL, args, environ), &pid);
	fflush(stdout);
	end_of(posix_spawnp(&pid, "sh", NULL, NULL, args, environ), &pid);
	pid = -7;
	SHOW(posix_spawn(&pid, "/nonexistent", NULL, NULL, args, environ));
	SHOW(pid);
	SHOW(posix_spawnp(&pid, "nonexistent-program", NULL, NULL, args, environ));
	SHOW(posix_spawn(NULL, "/nonexistent", NULL, NULL, args, environ));
	fflush(stdout);
	SHOW(posix_spawn(NULL, "/bin/true", NULL, NULL, args, environ));
	SHOW(wait(NULL) > 0);

	/* Without a format that the kernel knows: the older versions ask the shell. */
	int fd = open("spawned.script", O_WRONLY | O_CREAT, 0755);

	MUST(fd >= 0 && write(fd, "echo script $1; exit 4\n", 23) == 23 && !close(fd));
	for (int i = 0; i < 2; i++) {
		spawner *plain = (spawner *)(uintptr_t)dlvsym(RTLD_DEFAULT, "posix_spawn", versions[i]);
		spawner *path = (spawner *)(uintptr_t)dlvsym(RTLD_DEFAULT, "posix_spawnp", versions[i]);

		fflush(stdout);
		end_of(plain(&pid, "./spawned.script", NULL, NULL, script, environ), &pid);
		fflush(stdout);
		end_of(path(&pid, "./spawned.script", NULL, NULL, script, environ), &pid);
	}
	unlink("spawned.script");

	MUST(!posix_spawn_file_actions_init(&actions) && !posix_spawnattr_init(&attributes));
	MUST(!posix_spawn_file_actions_addopen(&actions, 7, "/dev/null", O_RDONLY, 0));
	MUST(!posix_spawn_file_actions_adddup2(&actions, 1, 8));
	MUST(!posix_spawn_file_actions_addclose(&actions, 9));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	MUST(!posix_spawnattr_setsigmask(&attributes, &mask) &&
	     !posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
	char *const fancy[] = { "sh", "-c", "grep SigBlk /proc/self/status >&8; test -e /proc/self/fd/7", NULL };

	fflush(stdout);
	end_of(posix_spawn(&pid, "/bin/sh", &actions, &attributes, fancy, environ), &pid);
	MUST(!posix_spawn_file_actions_addopen(&actions, 7, "/nonexistent", O_RDONLY, 0));
	SHOW(posix_spawn(&pid, "/bin/sh", &actions, &attributes, fancy, environ));
	sigprocmask(0, NULL, &was);
	SHOW(sigismember(&was, SIGUSR2));
	SHOW(waitpid(-1, NULL, 0));
	SHOW(descriptors() - before);
	return 0;
}

/* --- raw system calls --- */

static NOINLINE void read_raw(struct said *s)
{
	WAIT(s, MUST(syscall(SYS_read, fds[0], text, 1L) == 1));
}

static NOINLINE void poll_raw(struct said *s)
{
	struct pollfd p = { fds[0], POLLIN, 0 };

	WAIT(s, MUST(syscall(SYS_poll, &p, 1L, -1L) == 1));
}

static uint32_t word;

static void set_word(void)
{
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	MUST(syscall(SYS_futex, &word, FUTEX_WAKE, 1L) >= 0);
}

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static NOINLINE bool futex_waitv_raw(struct said *s)
{
	struct waiter w = { 0, (uint64_t)&word, 2 /* 32 bits */, 0 };
	long r;

	WAIT(s, r = syscall(449L, &w, 1L, 0L, NULL, 0L));
	return r == 0;
}

static int raw(int argc, char **argv)
{
	struct said r = { "main", "pipe", "syscall", "read_raw", "pipe", NULL, 0, 0 };
	struct said p = { "main", "poll", "syscall", "poll_raw", NULL, NULL, 0, 0 };
	struct said v = { "main", "futex", "syscall", "futex_waitv_raw", NULL, NULL, 0, 0 };
	int status;

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	pthread_t t = later(put_byte);

	read_raw(&r);
	join(t);
	t = later(put_byte);
	poll_raw(&p);
	join(t);
	MUST(read(fds[0], text, 1) == 1);
	t = later(set_word);
	bool waited = futex_waitv_raw(&v);

	join(t);
	SHOW(syscall(SYS_read, -1L, text, 1L));
	SHOW(syscall(SYS_read, fds[0], NULL, 0L));
	SHOW(syscall(-1L));
	SHOW(syscall(511L));
	SHOW(syscall(512L));
	SHOW(syscall(1L << 40));
	SHOW(syscall(SYS_getppid) == getppid());
	/* The sixth argument: where a mapping starts in its file. */
	int fd = memfd_create("mapped", 0);

	MUST(!ftruncate(fd, 12288) && pwrite(fd, "third", 5, 8192) == 5);
	char *m = (char *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ, (long)MAP_SHARED, (long)fd, 8192L);

	printf("%.5s\n", m);
	SHOW(syscall(SYS_pselect6, 0L, NULL, NULL, NULL, &(struct timespec){ 0, 0 }, NULL));
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		long pid = i ? syscall(SYS_fork) : syscall(SYS_clone, (long)SIGCHLD, NULL, NULL, NULL, NULL);

		if (!pid) {
			printf("child %d\n", i);
			fflush(stdout);
			_exit(5);
		}
		MUST(waitpid((pid_t)pid, &status, 0) == pid);
		SHOW(WEXITSTATUS(status));
	}
	say(&r);
	say(&p);
	if (waited)
		say(&v);
	return 0;
}

/* --- threads --- */

static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct said nap_said = { "c11", "sleep", "nanosleep", "nap", NULL, NULL, 0, 0 };

static NOINLINE void nap(struct said *s)
{
	struct timespec t = { 0, 50000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static int leaves(void *result)
{
	name_me("c11");
	nap(&nap_said);
	thrd_exit(*(int *)result);
}

static void *cond_waiter(void *unused)
{
	(void)unused;
	MUST(!pthread_mutex_lock(&g_mutex));
	word = 2;
	MUST(!pthread_cond_wait(&g_cond, &g_mutex));
	pause_ns(LATER); /* inside of the wait no more, but it holds the mutex */
	MUST(!pthread_mutex_unlock(&g_mutex));
	return NULL;
}

static NOINLINE void suspend(struct said *s, const struct aiocb *cb)
{
	WAIT(s, MUST(!aio_suspend(&cb, 1, NULL)));
}

static NOINLINE void wait_for_signal(struct said *s)
{
	WAIT(s, MUST(sigpause(SIGUSR1) == -1));
}

static volatile sig_atomic_t signals;
static pthread_t main_thread;

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

static void send_signal(void)
{
	MUST(!pthread_kill(main_thread, SIGUSR1));
}

static int rare(int argc, char **argv)
{
	struct said a = { "main", "file", "aio_suspend", "suspend", NULL, NULL, 0, 0 };
	struct said g = { "main", "signal", "sigsuspend", "wait_for_signal", NULL, NULL, 0, 0 };
	struct aiocb cb = { 0 };
	pthread_barrier_t b;
	sigset_t set;
	int r = 7;
	thrd_t t;

	(void)argc, (void)argv;
	MUST(thrd_create(&t, leaves, &r) == thrd_success);
	SHOW(pthread_tryjoin_np(t, NULL));
	r = 0;
	MUST(thrd_join(t, &r) == thrd_success);
	SHOW(r);
	pthread_t w = start(cond_waiter, NULL);

	while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) != 2)
		pause_ns(MS);
	MUST(!pthread_mutex_lock(&g_mutex) && !pthread_cond_broadcast(&g_cond) && !pthread_mutex_unlock(&g_mutex));
	SHOW(pthread_cond_destroy(&g_cond));
	join(w);
	MUST(!pthread_barrier_init(&b, NULL, 1));
	SHOW(pthread_barrier_wait(&b));
	SHOW(pthread_barrier_destroy(&b));

	MUST(!pipe(fds));
	cb.aio_fildes = fds[0];
	cb.aio_buf = text;
	cb.aio_nbytes = 1;
	MUST(!aio_read(&cb));
	w = later(put_byte);
	suspend(&a, &cb);
	join(w);
	SHOW(aio_return(&cb));

	main_thread = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(signal(SIGUSR1, count_signal) != SIG_ERR && !sigprocmask(SIG_BLOCK, &set, NULL));
	w = later(send_signal);
	wait_for_signal(&g);
	join(w);
	SHOW(signals);

	SHOW(sched_yield());
	thrd_yield();
	SHOW(mlock(text, 1));
	SHOW(munlock(text, 1));
	SHOW(mlock((void *)8, 1));
	openlog("ctrace-test", LOG_NDELAY, LOG_USER);
	syslog(LOG_DEBUG, "%s %d %m", "nobody", 5);
	SHOW(getpwnam("root")->pw_uid);
	SHOW(getpwnam("ctrace-nobody") != NULL);
	SHOW(getpwuid(0)->pw_name[0]);
	SHOW(getgrgid(0)->gr_name[0]);
	struct passwd entry, *found;

	SHOW(getpwnam_r("root", &entry, text, sizeof(text), &found));
	SHOW(getpwnam_r("root", &entry, text, 1, &found));
	SHOW(getservbyname("http", "tcp") != NULL);
	SHOW(getprotobyname("tcp") != NULL);
	struct ifaddrs *list;

	SHOW(getifaddrs(&list));
	freeifaddrs(list);
	SHOW(setlocale(LC_ALL, "C.UTF-8") != NULL);
	SHOW(setlocale(LC_ALL, "nonexistent") != NULL);
	SHOW((intptr_t)iconv_open("nonexistent", "UTF-8"));
	iconv_t i = iconv_open("UTF-16", "UTF-8");

	SHOW(i != (iconv_t)-1 && !iconv_close(i));
	int pty = posix_openpt(O_RDWR | O_NOCTTY);

	SHOW(tcdrain(pty));
	SHOW(tcdrain(fds[0]));
	say(&nap_said);
	say(&a);
	say(&g);
	return 0;
}

CASES_MAIN({ "paths", paths }, { "spawns", spawns }, { "raw", raw }, { "rare", rare })
