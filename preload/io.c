/* Reading, writing and syncing descriptors. */
#include "real.h"
#include "record.h"

/* A call on a descriptor: TYPE name(fd, ...), forwarded as FORWARD. */
#define ON_FD(symbol, call, type, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}

ON_FD(read, read, ssize_t, (int fd, void *p, size_t n), fd, p, n)
ON_FD(__read, read, ssize_t, (int fd, void *p, size_t n), fd, p, n)
ON_FD(__read_chk, read, ssize_t, (int fd, void *p, size_t n, size_t room), fd, p, n, room)
ON_FD(pread, pread, ssize_t, (int fd, void *p, size_t n, off_t at), fd, p, n, at)
ON_FD(pread64, pread, ssize_t, (int fd, void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pread64, pread, ssize_t, (int fd, void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pread_chk, pread, ssize_t, (int fd, void *p, size_t n, off_t at, size_t room), fd, p, n, at, room)
ON_FD(__pread64_chk, pread, ssize_t, (int fd, void *p, size_t n, off64_t at, size_t room), fd, p, n, at, room)
ON_FD(readv, readv, ssize_t, (int fd, const struct iovec *v_, int n), fd, v_, n)
ON_FD(preadv, preadv, ssize_t, (int fd, const struct iovec *v_, int n, off_t at), fd, v_, n, at)
ON_FD(preadv64, preadv, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at), fd, v_, n, at)
ON_FD(preadv2, preadv2, ssize_t, (int fd, const struct iovec *v_, int n, off_t at, int flags), fd, v_, n, at,
      flags)
ON_FD(preadv64v2, preadv2, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at, int flags), fd, v_, n,
      at, flags)
ON_FD(write, write, ssize_t, (int fd, const void *p, size_t n), fd, p, n)
ON_FD(__write, write, ssize_t, (int fd, const void *p, size_t n), fd, p, n)
ON_FD(pwrite, pwrite, ssize_t, (int fd, const void *p, size_t n, off_t at), fd, p, n, at)
ON_FD(pwrite64, pwrite, ssize_t, (int fd, const void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pwrite64, pwrite, ssize_t, (int fd, const void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(writev, writev, ssize_t, (int fd, const struct iovec *v_, int n), fd, v_, n)
ON_FD(pwritev, pwritev, ssize_t, (int fd, const struct iovec *v_, int n, off_t at), fd, v_, n, at)
ON_FD(pwritev64, pwritev, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at), fd, v_, n, at)
ON_FD(pwritev2, pwritev2, ssize_t, (int fd, const struct iovec *v_, int n, off_t at, int flags), fd, v_, n, at,
      flags)
ON_FD(pwritev64v2, pwritev2, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at, int flags), fd, v_,
      n, at, flags)
ON_FD(fsync, fsync, int, (int fd), fd)
ON_FD(fdatasync, fdatasync, int, (int fd), fd)
