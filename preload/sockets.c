/* Sockets. */
#include "real.h"
#include "record.h"

#define ON_SOCKET(symbol, call, begin, cause, type, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		begin(&v, CT_CALL_##call, cause, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}
#define TRANSFER(symbol, call, type, parameters, ...) \
	ON_SOCKET(symbol, call, ct_begin, CT_CAUSE_SOCKET, type, parameters, __VA_ARGS__)

TRANSFER(recv, recv, ssize_t, (int fd, void *p, size_t n, int flags), fd, p, n, flags)
TRANSFER(__recv_chk, recv, ssize_t, (int fd, void *p, size_t n, size_t room, int flags), fd, p, n, room, flags)
TRANSFER(recvfrom, recvfrom, ssize_t,
	 (int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *size), fd, p, n, flags, from,
	 size)
TRANSFER(__recvfrom_chk, recvfrom, ssize_t,
	 (int fd, void *p, size_t n, size_t room, int flags, struct sockaddr *from, socklen_t *size), fd, p, n,
	 room, flags, from, size)
TRANSFER(recvmsg, recvmsg, ssize_t, (int fd, struct msghdr *m, int flags), fd, m, flags)
TRANSFER(recvmmsg, recvmmsg, int,
	 (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout), fd, m, n, flags, timeout)
TRANSFER(send, send, ssize_t, (int fd, const void *p, size_t n, int flags), fd, p, n, flags)
TRANSFER(__send, send, ssize_t, (int fd, const void *p, size_t n, int flags), fd, p, n, flags)
TRANSFER(sendto, sendto, ssize_t,
	 (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t size), fd, p, n, flags,
	 to, size)
TRANSFER(sendmsg, sendmsg, ssize_t, (int fd, const struct msghdr *m, int flags), fd, m, flags)
TRANSFER(sendmmsg, sendmmsg, int, (int fd, struct mmsghdr *m, unsigned n, int flags), fd, m, n, flags)

ON_SOCKET(accept, accept, ct_begin_wait, CT_CAUSE_ACCEPT, int,
	  (int fd, struct sockaddr *peer, socklen_t *size), fd, peer, size)
ON_SOCKET(accept4, accept4, ct_begin_wait, CT_CAUSE_ACCEPT, int,
	  (int fd, struct sockaddr *peer, socklen_t *size, int flags), fd, peer, size, flags)
ON_SOCKET(connect, connect, ct_begin_wait, CT_CAUSE_CONNECT, int,
	  (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
ON_SOCKET(__connect, connect, ct_begin_wait, CT_CAUSE_CONNECT, int,
	  (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
TRANSFER(shutdown, shutdown, int, (int fd, int how), fd, how)
