/* Whether a process can be attached to: said in one line before it is touched. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect.h"
#include "run-attach.h"

struct status {
	char state;
	int group, tracer, seccomp;
	unsigned int uid;
	bool shadow_stack;
};

static int read_status(pid_t pid, pid_t tid, struct status *ret)
{
	char path[64], line[512];
	struct status s = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &s.state);
		sscanf(line, "Tgid: %d", &s.group);
		sscanf(line, "TracerPid: %d", &s.tracer);
		sscanf(line, "Seccomp: %d", &s.seccomp);
		sscanf(line, "Uid: %u", &s.uid);
		if (!strncmp(line, "x86_Thread_features:", 20) && strstr(line, "shstk"))
			s.shadow_stack = true;
	}
	fclose(f);
	*ret = s;
	return 0;
}

/* What holds for one of the threads holds for the process. */
static void add_threads(pid_t pid, struct status *s)
{
	char path[64];
	struct status one;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (atoi(e->d_name) <= 0 || read_status(pid, atoi(e->d_name), &one))
			continue;
		s->seccomp |= one.seccomp;
		s->shadow_stack |= one.shadow_stack;
		if (one.tracer)
			s->tracer = one.tracer;
	}
	if (d)
		closedir(d);
}

static int yama(void)
{
	int scope = 0;
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	return scope;
}

static bool same_namespace(pid_t pid, const char *name)
{
	char path[64], own[64];
	struct stat a, b;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	snprintf(own, sizeof(own), "/proc/self/ns/%s", name);
	return stat(path, &a) || stat(own, &b) || a.st_ino == b.st_ino;
}

static bool same_root(pid_t pid)
{
	char path[64];
	struct stat a, b;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return stat(path, &a) || stat("/", &b) || (a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

/* What of interest is mapped. */
struct mapped {
	bool glibc, musl, loader, sanitizer, other_libctrace, readable;
};

static struct mapped read_maps(pid_t pid, const char *library)
{
	char path[64], *line = NULL;
	struct stat own;
	struct mapped m = { 0 };
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *f = fopen(path, "re");

	if (!f || stat(library, &own)) {
		if (f)
			fclose(f);
		return m;
	}
	while (getline(&line, &room, f) > 0) {
		unsigned long inode = 0;
		const char *name = strchr(line, '/');

		m.readable = true;
		if (!name)
			continue;
		const char *base = strrchr(name, '/') + 1;

		m.glibc |= !strncmp(base, "libc.so.6", 9) || !strncmp(base, "libc-2.", 7);
		m.musl |= !strncmp(base, "ld-musl", 7) || !strncmp(base, "libc.musl", 9);
		m.sanitizer |= !strncmp(base, "libasan.", 8) || !strncmp(base, "libtsan.", 8) || !strncmp(base, "liblsan.", 8) ||
			       !strncmp(base, "libmsan.", 8) || !strncmp(base, "libhwasan.", 10);
		m.loader |= !strncmp(base, "ld-linux", 8) || !strncmp(base, "ld-2.", 5);
		if (!strncmp(base, "libctrace.so", 12) && sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 && inode != own.st_ino)
			m.other_libctrace = true;
	}
	free(line);
	fclose(f);
	return m;
}

static int no(char wrong[256], pid_t pid, const char *why)
{
	snprintf(wrong, 256, "process %d: %.200s", pid, why);
	return -1;
}

static int check_executable(pid_t pid, char wrong[256])
{
	char path[64];
	unsigned char h[20] = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? no(wrong, pid, "a thread of the kernel") : 0;
	ssize_t n = read(fd, h, sizeof(h));

	close(fd);
	if (n != sizeof(h))
		return 0;
	if (h[EI_CLASS] != ELFCLASS64)
		return no(wrong, pid, "a 32-bit program");
	if (h[18] != CT_MACHINE)
		return no(wrong, pid, "a program for another processor than " CT_MACHINE_NAME);
	return 0;
}

int ct_attach_check(pid_t pid, const char *library, char wrong[256])
{
	struct status s = { 0 };
	char text[160];

	if (pid <= 0 || read_status(pid, pid, &s))
		return no(wrong, pid, "there is no such process");
	add_threads(pid, &s);
	if (s.group != pid) {
		snprintf(text, sizeof(text), "that is a thread of process %d", s.group);
		return no(wrong, pid, text);
	}
	if (pid == getpid())
		return no(wrong, pid, "that is ctrace-run itself");
	if (s.state == 'Z' || s.state == 'X')
		return no(wrong, pid, "it has ended");
	if (geteuid() && s.uid != geteuid())
		return no(wrong, pid, "it belongs to another user");
	if (check_executable(pid, wrong))
		return -1;
	if (s.tracer) {
		snprintf(text, sizeof(text), "process %d traces it already, such as a debugger or strace", s.tracer);
		return no(wrong, pid, text);
	}
	if (s.state == 'T' || s.state == 't')
		return no(wrong, pid, "it is stopped (kill -CONT lets it run)");
	if (s.seccomp)
		return no(wrong, pid, "it has a seccomp filter, which might kill it for what ctrace does");
	if (s.shadow_stack)
		return no(wrong, pid, "it runs with a shadow stack, on which no call can be made from outside");
	if (!same_namespace(pid, "mnt") || !same_root(pid))
		return no(wrong, pid, "it sees other files (a container or chroot): run ctrace-run there");
	if (!same_namespace(pid, "pid") || !same_namespace(pid, "net"))
		return no(wrong, pid, "it is in other namespaces (a container): run ctrace-run there");

	struct mapped m = read_maps(pid, library);

	if (!m.readable && yama()) {
		snprintf(text, sizeof(text), "not permitted: kernel.yama.ptrace_scope is %d%s", yama(),
			 yama() < 3 ? " (as root it is)" : "");
		return no(wrong, pid, text);
	}
	if (!m.readable)
		return no(wrong, pid, "not permitted (ptrace)");
	if (m.musl)
		return no(wrong, pid, "it uses musl: libctrace.so is for glibc");
	if (!m.loader)
		return no(wrong, pid, "it is static: it has no loader");
	if (!m.glibc)
		return no(wrong, pid, "it has no glibc");
	if (m.sanitizer)
		return no(wrong, pid, "it is built with a sanitizer, which is to see all from the beginning: run it with ctrace-run");
	if (m.other_libctrace)
		return no(wrong, pid, "another libctrace.so is loaded in it");
	return 0;
}

void ct_attach_explain(pid_t pid, const char *why, char wrong[256])
{
	if (!strcmp(why, strerror(EPERM)) && yama())
		snprintf(wrong, 256, "process %d: not permitted: kernel.yama.ptrace_scope is %d", pid, yama());
	else
		snprintf(wrong, 256, "process %d: %.200s", pid, why);
}
