/*
 * Files: opening, closing, copying and locking them. Descriptors that come from
 * open are the object once they are known.
 */
#include "real.h"

#include <stdarg.h>

#include "record.h"

/* The mode is there only where it is used; to pass what may not be there is
 * what glibc itself does. */
#define OPEN(symbol, call, parameters, last, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		va_list list; \
		va_start(list, last); \
		mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
		va_end(list); \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_FILE, CT_OBJECT_NONE, 0); \
		int r = ct_real.symbol(__VA_ARGS__, mode); \
		opened(&v, r); \
		return r; \
	}
#define OPEN_FIXED(symbol, call, parameters, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_FILE, CT_OBJECT_NONE, 0); \
		int r = ct_real.symbol(__VA_ARGS__); \
		opened(&v, r); \
		return r; \
	}

static inline void opened(struct ct_interval *v, int fd)
{
	if (fd >= 0) {
		v->object_kind = CT_OBJECT_FD;
		v->object = (uint32_t)fd;
	}
	ct_end(v, CT_RESULT(fd));
}

OPEN(open, open, (const char *path, int flags, ...), flags, path, flags)
OPEN(open64, open, (const char *path, int flags, ...), flags, path, flags)
OPEN(__open, open, (const char *path, int flags, ...), flags, path, flags)
OPEN(__open64, open, (const char *path, int flags, ...), flags, path, flags)
OPEN(openat, openat, (int at, const char *path, int flags, ...), flags, at, path, flags)
OPEN(openat64, openat, (int at, const char *path, int flags, ...), flags, at, path, flags)
OPEN_FIXED(__open_2, open, (const char *path, int flags), path, flags)
OPEN_FIXED(__open64_2, open, (const char *path, int flags), path, flags)
OPEN_FIXED(__openat_2, openat, (int at, const char *path, int flags), at, path, flags)
OPEN_FIXED(__openat64_2, openat, (int at, const char *path, int flags), at, path, flags)
OPEN_FIXED(creat, creat, (const char *path, mode_t mode), path, mode)
OPEN_FIXED(creat64, creat, (const char *path, mode_t mode), path, mode)

#define ON_FD(symbol, call, cause, type, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, cause, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}

ON_FD(close, close, CT_CAUSE_FILE, int, (int fd), fd)
ON_FD(__close, close, CT_CAUSE_FILE, int, (int fd), fd)
ON_FD(sendfile, sendfile, CT_CAUSE_FILE, ssize_t, (int fd, int from, off_t *at, size_t n), fd, from, at, n)
ON_FD(sendfile64, sendfile, CT_CAUSE_FILE, ssize_t, (int fd, int from, off64_t *at, size_t n), fd, from, at, n)
ON_FD(splice, splice, CT_CAUSE_FILE, ssize_t,
      (int fd, off64_t *at, int to, off64_t *to_at, size_t n, unsigned flags), fd, at, to, to_at, n, flags)
ON_FD(tee, tee, CT_CAUSE_FILE, ssize_t, (int fd, int to, size_t n, unsigned flags), fd, to, n, flags)
ON_FD(vmsplice, vmsplice, CT_CAUSE_FILE, ssize_t, (int fd, const struct iovec *list, size_t n, unsigned flags), fd,
      list, n, flags)
ON_FD(copy_file_range, copy_file_range, CT_CAUSE_FILE, ssize_t,
      (int fd, off64_t *at, int to, off64_t *to_at, size_t n, unsigned flags), fd, at, to, to_at, n, flags)
ON_FD(syncfs, syncfs, CT_CAUSE_FILE, int, (int fd), fd)
ON_FD(sync_file_range, sync_file_range, CT_CAUSE_FILE, int, (int fd, off64_t at, off64_t n, unsigned flags), fd,
      at, n, flags)
ON_FD(flock, flock, CT_CAUSE_FILELOCK, int, (int fd, int operation), fd, operation)
ON_FD(lockf, lockf, CT_CAUSE_FILELOCK, int, (int fd, int command, off_t n), fd, command, n)
ON_FD(lockf64, lockf, CT_CAUSE_FILELOCK, int, (int fd, int command, off64_t n), fd, command, n)
ON_FD(eventfd_read, eventfd_read, CT_CAUSE_EVENTFD, int, (int fd, eventfd_t *value), fd, value)
ON_FD(eventfd_write, eventfd_write, CT_CAUSE_EVENTFD, int, (int fd, eventfd_t value), fd, value)

/* Seldom waits, and takes a tenth of a microsecond. */
#define SEEK(symbol, type) \
	CT_EXPORT type symbol(int fd, type at, int whence) \
	{ \
		struct ct_slot *slot = ct_begin_quick(CT_CALL_lseek); \
		struct ct_interval v; \
		if (CT_LIKELY(slot != NULL)) { \
			type q = ct_real.symbol(fd, at, whence); \
			if (CT_UNLIKELY(ct_rseq_left())) \
				ct_write_left(slot, CT_CALL_lseek, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, CT_RESULT(q)); \
			return q; \
		} \
		ct_begin(&v, CT_CALL_lseek, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(fd, at, whence); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}

SEEK(lseek, off_t)
SEEK(lseek64, off64_t)
SEEK(__lseek, off_t)
/* These close what stood under the number before. */
ON_FD(dup2, dup2, CT_CAUSE_FILE, int, (int from, int fd), from, fd)
ON_FD(__dup2, dup2, CT_CAUSE_FILE, int, (int from, int fd), from, fd)
ON_FD(dup3, dup2, CT_CAUSE_FILE, int, (int from, int fd, int flags), from, fd, flags)

CT_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_close_range, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	int r = ct_real.close_range(first, last, flags);

	ct_end(&v, CT_RESULT(r));
	return r;
}

CT_EXPORT void closefrom(int first)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_close_range, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	ct_real.closefrom(first);
	ct_end(&v, 0);
}

CT_EXPORT void sync(void)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_sync, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	ct_real.sync();
	ct_end(&v, 0);
}

CT_EXPORT int msync(void *p, size_t n, int flags)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_msync, CT_CAUSE_FILE, CT_OBJECT_ADDRESS, p);
	int r = ct_real.msync(p, n, flags);

	ct_end(&v, CT_RESULT(r));
	return r;
}

/* Commands that take a lock and wait for it. */
static bool locks(int command)
{
	return command == F_SETLKW || command == F_OFD_SETLKW;
}

#define FCNTL(symbol) \
	CT_EXPORT int symbol(int fd, int command, ...) \
	{ \
		struct ct_interval v; \
		va_list list; \
		va_start(list, command); \
		void *argument = va_arg(list, void *); \
		va_end(list); \
		if (!locks(command)) { \
			ct_count(CT_CALL_fcntl); \
			return ct_real.symbol(fd, command, argument); \
		} \
		ct_begin(&v, CT_CALL_fcntl, CT_CAUSE_FILELOCK, CT_OBJECT_FD, (uint32_t)fd); \
		int r = ct_real.symbol(fd, command, argument); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}

FCNTL(fcntl)
FCNTL(fcntl64)
FCNTL(__fcntl)

CT_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct ct_interval v;
	va_list list;

	va_start(list, request);
	void *argument = va_arg(list, void *);

	va_end(list);
	ct_begin(&v, CT_CALL_ioctl, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd);
	int r = ct_real.ioctl(fd, request, argument);

	ct_end(&v, CT_RESULT(r));
	return r;
}
