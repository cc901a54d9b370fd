/* Sockets. */
#include "real.h"
#include "fdwakes.h"
#include "record.h"

#define ON_SOCKET(symbol, call, begin, end, cause, type, parameters, ...) \
	CT_SILENT(type, symbol, call, cause, CT_OBJECT_FD, (uint32_t)fd, CT_RESULT(r), parameters, __VA_ARGS__) \
	CT_ON type symbol##_on parameters \
	{ \
		struct ct_interval v; \
		begin(&v, CT_CALL_##call, cause, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		end; \
		return r; \
	} \
	CT_EITHER(type, symbol, cause, parameters, __VA_ARGS__)
#define RECEIVES(symbol, call, type, parameters, ...) \
	ON_SOCKET(symbol, call, ct_begin, ct_end_read_from(&v, fd, CT_RESULT(r)), CT_CAUSE_SOCKET, type, parameters, \
		  __VA_ARGS__)
#define SENDS(symbol, call, type, parameters, ...) \
	ON_SOCKET(symbol, call, ct_begin, ct_end_written_to(&v, fd, CT_RESULT(r)), CT_CAUSE_SOCKET, type, parameters, \
		  __VA_ARGS__)

RECEIVES(recv, recv, ssize_t, (int fd, void *p, size_t n, int flags), fd, p, n, flags)
RECEIVES(__recv_chk, recv, ssize_t, (int fd, void *p, size_t n, size_t room, int flags), fd, p, n, room, flags)
RECEIVES(recvfrom, recvfrom, ssize_t,
	 (int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *size), fd, p, n, flags, from,
	 size)
RECEIVES(__recvfrom_chk, recvfrom, ssize_t,
	 (int fd, void *p, size_t n, size_t room, int flags, struct sockaddr *from, socklen_t *size), fd, p, n,
	 room, flags, from, size)
RECEIVES(recvmsg, recvmsg, ssize_t, (int fd, struct msghdr *m, int flags), fd, m, flags)
RECEIVES(recvmmsg, recvmmsg, int,
	 (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout), fd, m, n, flags, timeout)
SENDS(send, send, ssize_t, (int fd, const void *p, size_t n, int flags), fd, p, n, flags)
SENDS(__send, send, ssize_t, (int fd, const void *p, size_t n, int flags), fd, p, n, flags)
SENDS(sendto, sendto, ssize_t,
	 (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t size), fd, p, n, flags,
	 to, size)
SENDS(sendmsg, sendmsg, ssize_t, (int fd, const struct msghdr *m, int flags), fd, m, flags)
SENDS(sendmmsg, sendmmsg, int, (int fd, struct mmsghdr *m, unsigned n, int flags), fd, m, n, flags)

/* Whatever the number stood for before. */
static inline void accepted(struct ct_interval *v, int fd, int64_t result)
{
	ct_end_io(v, result);
	if (result >= 0 && v->slot)
		ct_fd_accepted(fd, (int)result);
}

static inline void connected(struct ct_interval *v, int fd, int64_t result)
{
	bool asked = result >= 0 || result == -EINPROGRESS;

	/* From now on it is the end of another channel. */
	if (asked)
		ct_descriptor_renew(fd);
	uint64_t end = ct_end(v, result);

	if (asked)
		ct_fd_called(v, fd, end);
}

ON_SOCKET(accept, accept, ct_begin_wait, accepted(&v, fd, CT_RESULT(r)), CT_CAUSE_ACCEPT, int,
	  (int fd, struct sockaddr *peer, socklen_t *size), fd, peer, size)
ON_SOCKET(accept4, accept4, ct_begin_wait, accepted(&v, fd, CT_RESULT(r)), CT_CAUSE_ACCEPT, int,
	  (int fd, struct sockaddr *peer, socklen_t *size, int flags), fd, peer, size, flags)
ON_SOCKET(connect, connect, ct_begin_wait, connected(&v, fd, CT_RESULT(r)), CT_CAUSE_CONNECT, int,
	  (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
ON_SOCKET(__connect, connect, ct_begin_wait, connected(&v, fd, CT_RESULT(r)), CT_CAUSE_CONNECT, int,
	  (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)

/* Readers at the other end find the end. */
static inline void shut(struct ct_interval *v, int fd, int how, int64_t result)
{
	uint64_t end = ct_end(v, result);

	if (result >= 0 && how != SHUT_RD && v->slot && !ct_fd_is_silent(fd))
		ct_fd_wake(v, fd, CT_EV_CLOSED, end, 0);
}

ON_SOCKET(shutdown, shutdown, ct_begin, shut(&v, fd, how, CT_RESULT(r)), CT_CAUSE_SOCKET, int, (int fd, int how), fd, how)
