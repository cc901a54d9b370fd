/*
 * Files: opening, closing, copying and locking them. Descriptors that come from
 * open are the object once they are known.
 */
#include "real.h"

#include <stdarg.h>

#include "fdwakes.h"
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
	if (fd >= 0 && v->slot) {
		ct_fd_note(fd, CT_FD_OPENED, 0);
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

#define ON_FD_(symbol, call, end, cause, type, parameters, ...) \
	CT_SILENT(type, symbol, call, cause, CT_OBJECT_FD, (uint32_t)fd, CT_RESULT(r), parameters, __VA_ARGS__) \
	CT_ON type symbol##_on parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, cause, CT_OBJECT_FD, (uint32_t)fd); \
		type r = ct_real.symbol(__VA_ARGS__); \
		end; \
		return r; \
	} \
	CT_EITHER(type, symbol, cause, parameters, __VA_ARGS__)
#define ON_FD(symbol, call, cause, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end(&v, CT_RESULT(r)), cause, type, parameters, __VA_ARGS__)
#define READS(symbol, call, cause, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end_read_from(&v, fd, CT_RESULT(r)), cause, type, parameters, __VA_ARGS__)
#define WRITES(symbol, call, cause, type, parameters, ...) \
	ON_FD_(symbol, call, ct_end_written_to(&v, fd, CT_RESULT(r)), cause, type, parameters, __VA_ARGS__)

/* Readers at the other end find the end: what the number stands for is found out before. */
#define CLOSE(symbol) \
	CT_EXPORT int symbol(int fd) \
	{ \
		struct ct_interval v; \
		uint64_t id = 0; \
		if (CT_LIKELY(ct_prepare(&v, CT_CALL_close, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd))) { \
			id = ct_fd_closing(fd); \
			ct_start(&v, __builtin_return_address(0)); \
		} else { \
			ct_fd_forget(fd); \
		} \
		int r = ct_real.symbol(fd); \
		ct_thread.bad_close = r < 0; \
		ct_end_closed(&v, fd, id, CT_RESULT(r)); \
		return r; \
	}

static inline void spliced(struct ct_interval *v, int fd, int to, int64_t result)
{
	uint64_t end = ct_end_io(v, result);

	ct_fd_read_from(v, fd, end, result);
	ct_fd_written_to(v, to, end, result);
}

CLOSE(close)
CLOSE(__close)
WRITES(sendfile, sendfile, CT_CAUSE_FILE, ssize_t, (int fd, int from, off_t *at, size_t n), fd, from, at, n)
WRITES(sendfile64, sendfile, CT_CAUSE_FILE, ssize_t, (int fd, int from, off64_t *at, size_t n), fd, from, at, n)
ON_FD_(splice, splice, spliced(&v, fd, to, CT_RESULT(r)), CT_CAUSE_FILE, ssize_t,
      (int fd, off64_t *at, int to, off64_t *to_at, size_t n, unsigned flags), fd, at, to, to_at, n, flags)
ON_FD_(tee, tee, ct_end_written_to(&v, to, CT_RESULT(r)), CT_CAUSE_FILE, ssize_t, (int fd, int to, size_t n, unsigned flags), fd, to, n, flags)
WRITES(vmsplice, vmsplice, CT_CAUSE_FILE, ssize_t, (int fd, const struct iovec *list, size_t n, unsigned flags), fd,
      list, n, flags)
ON_FD(copy_file_range, copy_file_range, CT_CAUSE_FILE, ssize_t,
      (int fd, off64_t *at, int to, off64_t *to_at, size_t n, unsigned flags), fd, at, to, to_at, n, flags)
ON_FD(syncfs, syncfs, CT_CAUSE_FILE, int, (int fd), fd)
ON_FD(sync_file_range, sync_file_range, CT_CAUSE_FILE, int, (int fd, off64_t at, off64_t n, unsigned flags), fd,
      at, n, flags)
ON_FD(flock, flock, CT_CAUSE_FILELOCK, int, (int fd, int operation), fd, operation)
ON_FD(lockf, lockf, CT_CAUSE_FILELOCK, int, (int fd, int command, off_t n), fd, command, n)
ON_FD(lockf64, lockf, CT_CAUSE_FILELOCK, int, (int fd, int command, off64_t n), fd, command, n)
ON_FD_(eventfd_read, eventfd_read, ct_end_io(&v, CT_RESULT(r)), CT_CAUSE_EVENTFD, int, (int fd, eventfd_t *value), fd,
       value)
ON_FD_(eventfd_write, eventfd_write, ct_fd_written_to(&v, fd, ct_end_io(&v, CT_RESULT(r)), r < 0 ? 0 : sizeof(value)),
       CT_CAUSE_EVENTFD, int, (int fd, eventfd_t value), fd, value)

/* Seldom waits, and takes a tenth of a microsecond. */
#define SEEK(symbol, type) \
	CT_EXPORT type symbol(int fd, type at, int whence) \
	{ \
		struct ct_slot *slot = ct_begin_quick(CT_CALL_lseek, CT_CAUSE_FILE); \
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
#define REPLACES(symbol, parameters, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		uint64_t id = 0; \
		if (CT_LIKELY(ct_prepare(&v, CT_CALL_dup2, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd))) { \
			if (from != fd && fd >= 0 && ct_fd_known(fd)) \
				id = ct_fd_closing(fd); \
			ct_start(&v, __builtin_return_address(0)); \
		} else if (from != fd) { \
			ct_fd_forget(fd); \
		} \
		int r = ct_real.symbol(__VA_ARGS__); \
		ct_end_closed(&v, fd, id, CT_RESULT(r)); \
		return r; \
	}

REPLACES(dup2, (int from, int fd), from, fd)
REPLACES(__dup2, (int from, int fd), from, fd)
REPLACES(dup3, (int from, int fd, int flags), from, fd, flags)

CT_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_close_range, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	int r = ct_real.close_range(first, last, flags);

	if (!(flags & CLOSE_RANGE_CLOEXEC))
		ct_fd_forget_range(first, last);

	ct_end(&v, CT_RESULT(r));
	return r;
}

CT_EXPORT void closefrom(int first)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_close_range, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	ct_real.closefrom(first);
	ct_fd_forget_range((unsigned)first, ~0u);
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
