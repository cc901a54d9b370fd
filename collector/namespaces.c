/* Tasks in pid namespaces below ours, which have a number of their own there. See proc.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

/* The groups stand before what we look for: there may be many. */
#define STATUS_BYTES 16384u

static int read_status(pid_t pid, pid_t tid, char *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, ret, STATUS_BYTES - 1);
	int error = n < 0 ? -errno : 0;

	close(fd);
	ret[n < 0 ? 0 : n] = 0;
	return error;
}

/* The last number of a line: of NSpid's the one in the innermost namespace. */
static int last_number(const char *text, const char *key, pid_t *ret)
{
	const char *at = strstr(text, key), *end;
	long n = 0;

	if (!at)
		return -EBADMSG;
	at += strlen(key);
	end = strchrnul(at, '\n');
	while (at < end) {
		char *after;

		n = strtol(at, &after, 10);
		if (after == at || after > end)
			return -EBADMSG;
		at = after;
	}
	if (n < 0 || n > INT_MAX)
		return -EBADMSG;
	*ret = (pid_t)n;
	return 0;
}

int ct_proc_own_number(pid_t pid, pid_t tid, pid_t *ret)
{
	char text[STATUS_BYTES];
	int error = read_status(pid, tid, text);

	return error ? error : last_number(text, "\nNSpid:", ret);
}

int ct_proc_parent(pid_t pid, pid_t *ret)
{
	char text[STATUS_BYTES];
	int error = read_status(pid, pid, text);

	return error ? error : last_number(text, "\nPPid:", ret);
}

/* Among those from after + 1 to up_to. */
static int search(pid_t pid, pid_t own, pid_t after, pid_t up_to, pid_t *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	int result = -ESRCH;

	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	while (result == -ESRCH) {
		errno = 0;
		const struct dirent *e = readdir(d);

		if (!e && errno)
			result = -errno;
		if (!e)
			break;
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10), its;

		if (tid <= after || tid > up_to)
			continue;
		int error = ct_proc_own_number(pid, tid, &its);

		if (!error && its == own) {
			*ret = tid;
			result = 0;
		} else if (error && error != -ENOENT && error != -ESRCH) {
			result = error;
		}
	}
	closedir(d);
	return result;
}

int ct_proc_task(pid_t pid, pid_t own, pid_t newest, pid_t *ret)
{
	int error = search(pid, own, newest, INT_MAX, ret);

	return error == -ESRCH ? search(pid, own, 0, newest, ret) : error;
}
