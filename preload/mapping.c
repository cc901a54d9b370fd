/* The address space: each call takes its lock for writing. */
#include "real.h"

#include <stdarg.h>

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
