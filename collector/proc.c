/* /proc readers. See proc.h. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Reads the beginning of a small file; it is NUL-terminated. */
static int read_file(const char *path, char *ret, size_t size, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, ret, size - 1);
	int error = n < 0 ? -errno : 0;

	close(fd);
	if (error)
		return error;
	ret[n] = 0;
	*ret_size = (size_t)n;
	return 0;
}

static int read_task(pid_t pid, pid_t tid, const char *name, char *ret, size_t size, size_t *ret_size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	return read_file(path, ret, size, ret_size);
}

int ct_proc_command(pid_t pid, char *ret, size_t size)
{
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	int error = read_file(path, ret, size, &n);

	if (error)
		return error;
	while (n && !ret[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ret[i])
			ret[i] = ' ';
	return n ? 0 : -ENODATA;
}

int ct_proc_program(pid_t pid, const char *executable, char *ret, size_t size)
{
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	int error = read_file(path, ret, size, &n);

	if (error)
		return error;
	const char *slash = strrchr(executable, '/');

	/* A name with a blank in it is no title if the file has it, too. */
	if (!strcmp(ret, executable) || (slash && !strcmp(ret, slash + 1)))
		return *ret ? 0 : -ENODATA;
	ret[strcspn(ret, " \t\n")] = 0;
	n = strlen(ret);
	if (n && ret[n - 1] == ':')
		ret[--n] = 0;
	return n ? 0 : -ENODATA;
}

int ct_proc_comm(pid_t pid, pid_t tid, char ret[16])
{
	char text[32];
	size_t n;
	int error = read_task(pid, tid, "comm", text, sizeof(text), &n);

	if (error)
		return error;
	if (n && text[n - 1] == '\n')
		text[--n] = 0;
	if (n > 15)
		text[15] = 0;
	memcpy(ret, text, 16);
	return 0;
}

int ct_proc_schedstat(pid_t pid, pid_t tid, uint64_t *ret_cpu_ns, uint64_t *ret_delay_ns)
{
	char text[128];
	size_t n;
	int error = read_task(pid, tid, "schedstat", text, sizeof(text), &n);

	if (error)
		return error;
	char *end, *end2;
	uint64_t cpu_ns = strtoull(text, &end, 10), delay_ns = strtoull(end, &end2, 10);

	if (end == text || end2 == end)
		return -EBADMSG;
	*ret_cpu_ns = cpu_ns;
	*ret_delay_ns = delay_ns;
	return 0;
}

/* A zombie's status is the last but nothing field of its stat file. */
static int status_of_zombie(pid_t pid, int *ret_status)
{
	char path[64], text[1024];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int error = read_file(path, text, sizeof(text), &n);

	if (error)
		return error;
	/* The name may contain anything; the fields after it do not contain ')'. */
	const char *after = strrchr(text, ')');

	if (!after || after[1] != ' ' || after[2] != 'Z')
		return -ENODATA;
	const char *last = strrchr(text, ' ');

	*ret_status = (int)strtol(last, NULL, 10);
	return 0;
}

/* Field n of a stat file, 3 being the state, that is counted from the name on. */
static int stat_field(pid_t pid, unsigned int field, long *ret)
{
	char path[64], text[1024];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int error = read_file(path, text, sizeof(text), &n);

	if (error)
		return error;
	const char *at = strrchr(text, ')');

	for (unsigned int i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EBADMSG;
	*ret = strtol(at, NULL, 10);
	return 0;
}

int ct_proc_starter(pid_t *ret_pid)
{
	long exit_signal, parent;
	pid_t helper = getppid();

	/* Nothing but clone() without exec gives a process an end that nobody hears. */
	if (stat_field(helper, 38, &exit_signal) || exit_signal || stat_field(helper, 4, &parent) || parent <= 1)
		return -ESRCH;
	*ret_pid = (pid_t)parent;
	return 0;
}

int ct_proc_environment(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64], *line = NULL;
	size_t room = 0, n = strlen(name);
	int error = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (error && getdelim(&line, &room, 0, f) > 0)
		if (!strncmp(line, name, n) && line[n] == '=') {
			snprintf(ret, size, "%s", line + n + 1);
			error = 0;
		}
	free(line);
	fclose(f);
	return error;
}

/* Linux 6.15 remembers the status in the pidfd after the process is reaped.
 * The layout is that of struct pidfd_info in <linux/pidfd.h>. */
struct pidfd_info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
#define PIDFD_INFO_EXIT (1u << 3)
#define PIDFD_GET_INFO  _IOWR(0xFF, 11, struct pidfd_info)

static bool status_of_reaped(int pidfd, int *ret_status)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };

	if (pidfd < 0 || ioctl(pidfd, PIDFD_GET_INFO, &info) || !(info.mask & PIDFD_INFO_EXIT))
		return false;
	*ret_status = info.exit_code;
	return true;
}

int ct_proc_exit_status(pid_t pid, int pidfd, int *ret_status)
{
	/* First the zombie: the pidfd knows when that is gone. */
	if (!status_of_zombie(pid, ret_status) || status_of_reaped(pidfd, ret_status))
		return 0;
	return -ENODATA;
}
