/* See spool.h. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "progress.h"

#define BLOCK_BYTES (256u << 10)

static int unnamed_file(void)
{
	const char *folder = getenv("TMPDIR");
	const char *const folders[] = { folder && *folder ? folder : "/var/tmp", "/tmp" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		if (fd >= 0)
			return fd;
	}
	/* Some file systems have no O_TMPFILE. */
	char name[4096];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (snprintf(name, sizeof(name), "%s/ctrace.XXXXXX", folders[i]) >= (int)sizeof(name))
			continue;
		int fd = mkostemp(name, O_CLOEXEC);

		if (fd >= 0) {
			unlink(name);
			return fd;
		}
	}
	return -errno;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int copy(int from, int to)
{
	static uint8_t block[BLOCK_BYTES];
	uint64_t copied = 0;

	for (;;) {
		ssize_t n = read(from, block, sizeof(block));

		if (!n)
			return 0;
		if (n < 0 && errno == EAGAIN && poll(&(struct pollfd){ .fd = from, .events = POLLIN }, 1, -1) > 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		int error = n < 0 ? -errno : write_all(to, block, (size_t)n);

		if (error)
			return error;
		copied += (uint64_t)n;
		ct_progress(copied, 0);
	}
}

int ct_spool(int fd)
{
	int to = unnamed_file();
	int error = to < 0 ? to : copy(fd, to);

	if (!error)
		return to;
	if (to >= 0)
		close(to);
	return error;
}
