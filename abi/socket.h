/* The socket at which a collector listens, by the name in CTRACE_SOCKET. */
#ifndef CT_SOCKET_H
#define CT_SOCKET_H

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A name, at most; with its NUL. */
#define CT_SOCKET_NAME sizeof(((struct sockaddr_un *)0)->sun_path)

/* A path, or the name of an abstract socket, which those in the same network namespace reach. -ENAMETOOLONG. */
static inline int ct_socket_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_bytes)
{
	size_t n = strlen(name), abstract = *name != '/';

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!n || n >= CT_SOCKET_NAME)
		return -ENAMETOOLONG;
	memcpy(ret->sun_path + abstract, name, n);
	/* An abstract name has no NUL at its end. */
	*ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
	return 0;
}

#endif
