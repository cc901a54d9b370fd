/* Where a collector listens. See collector.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector.h"
#include "socket.h"

#define BACKLOG 4096

/* Whether a collector listens at a path; what one that was killed has left does not count. */
static bool is_taken(const char *path)
{
	struct sockaddr_un address;
	struct stat st;
	socklen_t bytes;

	if (lstat(path, &st))
		return false;
	int fd = S_ISSOCK(st.st_mode) ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	bool left = fd >= 0 && !ct_socket_address(path, &address, &bytes) &&
		    connect(fd, (struct sockaddr *)&address, bytes) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return !left;
}

static int listen_at(int fd, const char *name)
{
	struct sockaddr_un address;
	socklen_t bytes;
	int error = ct_socket_address(name, &address, &bytes);

	if (error)
		return error;
	if (bind(fd, (struct sockaddr *)&address, bytes))
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

/* Who finds the path is heard: the socket comes there when it listens. Who may attach is checked of each:
 * users in a container may be others than we are to the file. */
static int listen_at_path(int fd, const char *path)
{
	char draft[CT_SOCKET_NAME];

	if ((size_t)snprintf(draft, sizeof(draft), "%s~", path) >= sizeof(draft))
		return -ENAMETOOLONG;
	if (is_taken(path) || is_taken(draft))
		return -EADDRINUSE;
	unlink(draft);
	int error = listen_at(fd, draft);

	if (!error && (chmod(draft, geteuid() ? 0600 : 0666) || rename(draft, path))) {
		error = -errno;
		unlink(draft);
	}
	return error;
}

int ct_attach_listen(const char *name, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int error = *name == '/' ? listen_at_path(fd, name) : listen_at(fd, name);

	if (error) {
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}
