/* Reading, writing and syncing descriptors. */
#include "real.h"
#include "fdwakes.h"
#include "record.h"

/* A call on a descriptor: TYPE name(fd, ...), forwarded as FORWARD. */
#define ON_FD_(symbol, call, end, type, parameters, ...) \
	CT_SILENT(type, symbol, call, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, CT_RESULT(r), parameters, __VA_ARGS__) \
	CT_ON type symbol##_on parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		end; \
		return r; \
	} \
	CT_EITHER(type, symbol, CT_CAUSE_FILE, parameters, __VA_ARGS__)
#define ON_FD(symbol, call, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end(&v, CT_RESULT(r)), type, parameters, __VA_ARGS__)
#define READS(symbol, call, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end_read_from(&v, fd, CT_RESULT(r)), type, parameters, __VA_ARGS__)
#define WRITES(symbol, call, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end_written_to(&v, fd, CT_RESULT(r)), type, parameters, __VA_ARGS__)

READS(read, read, ssize_t, (int fd, void *p, size_t n), fd, p, n)
READS(__read, read, ssize_t, (int fd, void *p, size_t n), fd, p, n)
READS(__read_chk, read, ssize_t, (int fd, void *p, size_t n, size_t room), fd, p, n, room)
ON_FD(pread, pread, ssize_t, (int fd, void *p, size_t n, off_t at), fd, p, n, at)
ON_FD(pread64, pread, ssize_t, (int fd, void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pread64, pread, ssize_t, (int fd, void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pread_chk, pread, ssize_t, (int fd, void *p, size_t n, off_t at, size_t room), fd, p, n, at, room)
ON_FD(__pread64_chk, pread, ssize_t, (int fd, void *p, size_t n, off64_t at, size_t room), fd, p, n, at, room)
READS(readv, readv, ssize_t, (int fd, const struct iovec *v_, int n), fd, v_, n)
ON_FD(preadv, preadv, ssize_t, (int fd, const struct iovec *v_, int n, off_t at), fd, v_, n, at)
ON_FD(preadv64, preadv, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at), fd, v_, n, at)
ON_FD(preadv2, preadv2, ssize_t, (int fd, const struct iovec *v_, int n, off_t at, int flags), fd, v_, n, at,
      flags)
ON_FD(preadv64v2, preadv2, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at, int flags), fd, v_, n,
      at, flags)
WRITES(write, write, ssize_t, (int fd, const void *p, size_t n), fd, p, n)
WRITES(__write, write, ssize_t, (int fd, const void *p, size_t n), fd, p, n)
ON_FD(pwrite, pwrite, ssize_t, (int fd, const void *p, size_t n, off_t at), fd, p, n, at)
ON_FD(pwrite64, pwrite, ssize_t, (int fd, const void *p, size_t n, off64_t at), fd, p, n, at)
ON_FD(__pwrite64, pwrite, ssize_t, (int fd, const void *p, size_t n, off64_t at), fd, p, n, at)
WRITES(writev, writev, ssize_t, (int fd, const struct iovec *v_, int n), fd, v_, n)
ON_FD(pwritev, pwritev, ssize_t, (int fd, const struct iovec *v_, int n, off_t at), fd, v_, n, at)
ON_FD(pwritev64, pwritev, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at), fd, v_, n, at)
ON_FD(pwritev2, pwritev2, ssize_t, (int fd, const struct iovec *v_, int n, off_t at, int flags), fd, v_, n, at,
      flags)
ON_FD(pwritev64v2, pwritev2, ssize_t, (int fd, const struct iovec *v_, int n, off64_t at, int flags), fd, v_,
      n, at, flags)
ON_FD(fsync, fsync, int, (int fd), fd)
ON_FD(fdatasync, fdatasync, int, (int fd), fd)
