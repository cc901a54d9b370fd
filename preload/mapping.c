/* The address space: each call takes its lock for writing. */
#include "real.h"

#include <stdarg.h>
#include <sys/shm.h>

#include "record.h"

#define MAPPING(symbol, call, type, result, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_MMAP, CT_OBJECT_NONE, 0); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, result); \
		return r; \
	}
#define POINTER (r == MAP_FAILED ? -(int64_t)errno : 0)

MAPPING(mmap, mmap, void *, POINTER, (void *p, size_t n, int protection, int flags, int fd, off_t at), p, n,
	protection, flags, fd, at)
MAPPING(mmap64, mmap, void *, POINTER, (void *p, size_t n, int protection, int flags, int fd, off64_t at), p, n,
	protection, flags, fd, at)
MAPPING(munmap, munmap, int, CT_RESULT(r), (void *p, size_t n), p, n)
MAPPING(mprotect, mprotect, int, CT_RESULT(r), (void *p, size_t n, int protection), p, n, protection)
MAPPING(madvise, madvise, int, CT_RESULT(r), (void *p, size_t n, int advice), p, n, advice)
MAPPING(malloc_trim, malloc_trim, int, r, (size_t pad), pad)

MAPPING(pkey_mprotect, mprotect, int, CT_RESULT(r), (void *p, size_t n, int protection, int key), p, n, protection, key)
MAPPING(posix_madvise, madvise, int, -(int64_t)r, (void *p, size_t n, int advice), p, n, advice)
MAPPING(remap_file_pages, mremap, int, CT_RESULT(r), (void *p, size_t n, int protection, size_t page, int flags), p, n,
	protection, page, flags)
MAPPING(mlock, mlock, int, CT_RESULT(r), (const void *p, size_t n), p, n)
MAPPING(mlock2, mlock, int, CT_RESULT(r), (const void *p, size_t n, unsigned flags), p, n, flags)
MAPPING(munlock, munlock, int, CT_RESULT(r), (const void *p, size_t n), p, n)
MAPPING(mlockall, mlock, int, CT_RESULT(r), (int flags), flags)
MAPPING(munlockall, munlock, int, CT_RESULT(r), (void))
MAPPING(brk, brk, int, CT_RESULT(r), (void *end), end)
MAPPING(sbrk, brk, void *, POINTER, (intptr_t n), n)
MAPPING(shmat, shmat, void *, POINTER, (int id, const void *p, int flags), id, p, flags)
MAPPING(shmdt, shmat, int, CT_RESULT(r), (const void *p), p)

CT_EXPORT void *mremap(void *p, size_t old, size_t n, int flags, ...)
{
	struct ct_interval v;
	va_list list;

	va_start(list, flags);
	void *to = va_arg(list, void *); /* with some flags only, as glibc reads it */

	va_end(list);
	ct_begin(&v, CT_CALL_mremap, CT_CAUSE_MMAP, CT_OBJECT_NONE, 0);
	void *r = ct_real.mremap(p, old, n, flags, to);

	ct_end(&v, POINTER);
	return r;
}
