/* Finds the functions behind the wrappers. See real.h. */
#include "real.h"

#include <string.h>

#include "arch.h"
#include "late.h"

/*
 * A stub a symbol: goes, with the symbol's position in struct ct_real, to the common
 * part in arch_*.c, which resolves and jumps on.
 */
_Static_assert(__COUNTER__ == 0, "positions below count from one");
#define STUB(symbol, position) \
	void ct_early_##symbol(void); \
	CT_STUB(symbol, position)
#define CT_CALL(name, family, cause, flags) STUB(name, __COUNTER__)
#define CT_ALIAS(symbol, name)              STUB(symbol, __COUNTER__)
#define CT_COMPAT_STUB(symbol)              STUB(symbol, __COUNTER__)
#define CT_COMPAT(symbol, version, name)    CT_COMPAT_STUB(symbol##_compat)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT

#define CT_CALL(name, family, cause, flags) .name = (__typeof__(&name))(void *)ct_early_##name,
#define CT_ALIAS(symbol, name)              .symbol = (__typeof__(&symbol))(void *)ct_early_##symbol,
#define CT_COMPAT(symbol, version, name) \
	.CT_COMPAT_NAME(symbol) = (__typeof__(&symbol))(void *)ct_early_##symbol##_compat,
struct ct_real ct_real = {
#include "symbols.def"
};
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT

/* Where a symbol is missing from an older libc: nobody can have been linked
 * against it, so this is reached by an explicit dlsym at most. */
static long missing(void)
{
	return -1;
}

/* dlsym is one of our own; dlvsym is not. It stood in libdl before glibc 2.34. */
static void *(*next_dlsym)(void *, const char *);

/* RTLD_NEXT; if we came late, the program's scope, in which we are not. */
static void *next_scope;

static void *find(const char *symbol, const char *version)
{
	/* Not a tail call: RTLD_NEXT is relative to the object of the caller. */
	void *volatile p = version ? dlvsym(next_scope, symbol, version) : next_dlsym(next_scope, symbol);

	return p ? p : (void *)missing;
}

void ct_resolve(void)
{
	static int begun;
	struct ct_real r;

	if (begun)
		return;
	begun = 1;
	ct_real.malloc = ct_boot_malloc;
	ct_real.calloc = ct_boot_calloc;
	ct_real.realloc = ct_boot_realloc;
	ct_real.free = ct_boot_free;
	next_scope = ct_is_late() ? (void *)ct_main_map() : RTLD_NEXT;
	next_dlsym = (void *(*)(void *, const char *))find("dlsym", "GLIBC_2.34");
	if ((void *)next_dlsym == (void *)missing)
		next_dlsym = (void *(*)(void *, const char *))find("dlsym", CT_FIRST_GLIBC);
#define CT_CALL(name, family, cause, flags) r.name = (__typeof__(&name))find(#name, NULL);
#define CT_ALIAS(symbol, name)              r.symbol = (__typeof__(&symbol))find(#symbol, NULL);
#define CT_COMPAT(symbol, version, name) \
	r.CT_COMPAT_NAME(symbol) = (__typeof__(&symbol))find(#symbol, #version);
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
	ct_real = r;
}

/* --- the bootstrap pool: a few hundred bytes are asked of it --- */

char ct_boot_pool[CT_BOOT_BYTES] __attribute__((aligned(16)));

void *ct_boot_malloc(size_t n)
{
	static size_t used;
	size_t bytes = (n + 31) & ~(size_t)15; /* with its size in front */

	if (bytes < n || bytes > sizeof(ct_boot_pool) - used)
		return NULL;
	char *p = ct_boot_pool + used + 16;

	memcpy(p - 16, &n, sizeof(n));
	used += bytes;
	return p;
}

void *ct_boot_calloc(size_t n, size_t size)
{
	size_t bytes;

	/* The pool is never reused, so what it gives is zero. */
	return __builtin_mul_overflow(n, size, &bytes) ? NULL : ct_boot_malloc(bytes);
}

void *ct_boot_realloc(void *p, size_t n)
{
	void *q = ct_boot_malloc(n);
	size_t old;

	if (p && q) {
		memcpy(&old, (char *)p - 16, sizeof(old));
		memcpy(q, p, old < n ? old : n);
	}
	return q;
}

void ct_boot_free(void *p)
{
	(void)p;
}
