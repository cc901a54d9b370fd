/* See runtime.h. */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The user's own directory for such things, if it is. */
static const char *given(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!dir || *dir != '/' || lstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return NULL;
	return dir;
}

/* What is there under the name, not what a link leads to. */
static int check(struct ct_runtime *r)
{
	struct stat st;
	const char *wrong = NULL;

	if (lstat(r->path, &st)) {
		int error = errno;

		snprintf(r->wrong, sizeof(r->wrong), "%s: %s", r->path, strerror(error));
		return -error;
	}
	if (!S_ISDIR(st.st_mode))
		wrong = "is no directory";
	else if (st.st_uid != geteuid())
		wrong = "belongs to another user";
	else if (st.st_mode & 077)
		wrong = "is open to other users";
	if (!wrong)
		return 0;
	snprintf(r->wrong, sizeof(r->wrong), "%s: %s", r->path, wrong);
	return -EPERM;
}

int ct_runtime_open(struct ct_runtime *r, bool make)
{
	const char *dir = given();
	int n = dir ? snprintf(r->path, sizeof(r->path), "%s/ctrace", dir)
		    : snprintf(r->path, sizeof(r->path), "/tmp/ctrace-%u", geteuid());

	if (n >= (int)sizeof(r->path)) {
		snprintf(r->wrong, sizeof(r->wrong), "XDG_RUNTIME_DIR: %s", strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	/* Nobody can put another in place of what is ours: /tmp is sticky. */
	if (make && mkdir(r->path, 0700) && errno != EEXIST) {
		int error = errno;

		snprintf(r->wrong, sizeof(r->wrong), "%s: %s", r->path, strerror(error));
		return -error;
	}
	return check(r);
}

int ct_runtime_address(const struct ct_runtime *r, pid_t collector, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%d" CT_RUNTIME_SUFFIX, r->path, collector);

	return n < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

pid_t ct_runtime_collector(const char *file)
{
	char *end;
	long pid = strtol(file, &end, 10);

	return pid > 0 && pid <= INT_MAX && *file != '+' && !strcmp(end, CT_RUNTIME_SUFFIX) ? (pid_t)pid : 0;
}

/* Whether nobody listens there any more. The pid alone does not say: it may be one of
 * another pid namespace. */
static bool is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;

	close(fd);
	return refused;
}

void ct_runtime_sweep(const struct ct_runtime *r, unsigned int most)
{
	DIR *dir = opendir(r->path);
	struct sockaddr_un address;

	for (const struct dirent *e; dir && most && (e = readdir(dir));) {
		pid_t pid = ct_runtime_collector(e->d_name);

		if (!pid || pid == getpid())
			continue;
		most--;
		if (kill(pid, 0) && errno == ESRCH && !ct_runtime_address(r, pid, &address) && is_stale(&address))
			unlink(address.sun_path);
	}
	if (dir)
		closedir(dir);
}
