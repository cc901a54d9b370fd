/*
 * The allocator. A call is too short to be timed: rseq tells whether the
 * thread left its CPU in it. The first such call of a thread is written without
 * a start; the calls after it are timed for a while, since an allocator that
 * blocks once usually blocks again. Large blocks come from mmap and are timed.
 * A sanitizer's allocator looks at who calls it: there each call is passed on
 * by a jump.
 */
#include "real.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "record.h"

#define TIMED_CALLS 256u          /* calls timed after one that left the CPU */
#define LARGE       (128u << 10) /* glibc's M_MMAP_THRESHOLD: a system call each */

/*
 * Which arena of glibc's allocator a block is of. The word before the block has its size and
 * two flags; the heap of an arena other than the main one begins at a multiple of 64 MB with
 * the arena's address. glibc's free reads both in each call: they are there as long as the
 * block is ours. See malloc/arena.c in glibc: heap_for_ptr, arena_for_chunk.
 */
#define HEAP_BYTES    (64ull << 20)
#define FLAG_MAPPED   2u
#define FLAG_NOT_MAIN 4u
#define ARENA_OFFSET  256u        /* an arena lies behind its first heap's header, which is shorter */

/* False: not known. */
static bool find_arena(const void *block, uint64_t *ret)
{
	uint64_t size, arena;

	if (!ct_state.arenas || !block)
		return false;
	memcpy(&size, (const char *)block - sizeof(size), sizeof(size));
	if (!(size & (FLAG_MAPPED | FLAG_NOT_MAIN)) || size & FLAG_MAPPED) {
		*ret = size & FLAG_MAPPED ? CT_ARENA_MAPPED : CT_ARENA_MAIN;
		return true;
	}
	memcpy(&arena, (const void *)((uint64_t)block & ~(HEAP_BYTES - 1)), sizeof(arena));
	*ret = arena;
	return arena & (HEAP_BYTES - 1) && (arena & (HEAP_BYTES - 1)) < ARENA_OFFSET && !(arena & 7);
}

static void set_arena(struct ct_interval *v, const void *block)
{
	if (find_arena(block, &v->object))
		v->object_kind = CT_OBJECT_ARENA;
}

/* Not dladdr(), which looks through all symbols: 30 us each at every start of a program. */
static const void *object_of(void *code)
{
	struct dl_find_object object;

	return _dl_find_object(code, &object) ? NULL : object.dlfo_link_map;
}

void ct_heap_settle(bool huge_pages)
{
	const void *libc = object_of((void *)gnu_get_libc_version);

	/* Other allocators have other blocks; huge pages make other heaps. */
	ct_state.arenas = !ct_state.sanitized && libc && object_of((void *)ct_real.malloc) == libc &&
			  object_of((void *)ct_real.free) == libc && !huge_pages;
}

static CT_COLD void left_cpu(uint16_t call, uint64_t bytes, const void *block)
{
	struct ct_slot *slot = ct_thread.slot;

	/* A handler may have forked meanwhile. */
	if (!slot)
		return;
	ct_thread.heap_timed = TIMED_CALLS;
	ct_thread.heap_slot = NULL;
	uint64_t arena = 0;
	bool known = find_arena(block, &arena);

	ct_write_left(slot, call, CT_CAUSE_MALLOC, known ? CT_OBJECT_ARENA : CT_OBJECT_NONE, known ? arena : 0,
		      (int64_t)bytes);
}

/* For the timed way: a thread without a slot yet, or without rseq, or that is
 * being timed, or a large block. */
static void begin_timed(struct ct_interval *v, uint16_t call, const void *ip)
{
	if (!ct_prepare(v, call, CT_CAUSE_MALLOC, CT_OBJECT_NONE, 0))
		return;
	if (ct_thread.heap_timed)
		ct_thread.heap_timed--;
	else if (ct_state.rseq)
		ct_thread.heap_slot = v->slot;
	ct_start(v, ip);
}

static inline bool begin_untimed(uint16_t call, uint64_t bytes)
{
	struct ct_slot *slot = ct_thread.heap_slot;

	/* In a handler that interrupted a call its rseq field is not ours. */
	if (CT_UNLIKELY(!slot || bytes >= LARGE || slot->wait.call || ct_is_off(CT_CAUSE_MALLOC)))
		return false;
	ct_inc_local(&slot->calls[call]);
	ct_rseq_arm();
	return true;
}

/* A sanitizer looks at its caller; and nobody wants to know. */
static inline bool is_passed_on(void)
{
	return ct_state.sanitized || ct_is_off(CT_CAUSE_MALLOC);
}

/* block: that the call gave; NULL: none, or not known. */
static inline void end_untimed(uint16_t call, uint64_t bytes, const void *block)
{
	if (CT_UNLIKELY(ct_rseq_left()))
		left_cpu(call, bytes, block);
}

/* Defines name_timed and name; bytes: what is asked for; block: what it gave, by
 * its result r. Parameters and arguments come in parentheses. */
#define HEAP(type, name, bytes, block, parameters, arguments, BOOT) \
	static CT_COLD type name##_timed parameters \
	{ \
		struct ct_interval v; \
		begin_timed(&v, CT_CALL_##name, __builtin_return_address(0)); \
		type r = ct_real.name arguments; \
		set_arena(&v, (block)); \
		ct_end(&v, (int64_t)(bytes)); \
		return r; \
	} \
	CT_EXPORT type name parameters \
	{ \
		BOOT; \
		if (CT_UNLIKELY(!begin_untimed(CT_CALL_##name, (bytes)))) \
			return is_passed_on() ? ct_real.name arguments : name##_timed arguments; \
		type r = ct_real.name arguments; \
		end_untimed(CT_CALL_##name, (bytes), (block)); \
		return r; \
	}

static CT_COLD void *realloc_boot(void *p, size_t n)
{
	size_t old;
	void *q = ct_real.malloc(n);

	if (q && !ct_boot_owns(q)) {
		memcpy(&old, (char *)p - 16, sizeof(old));
		memcpy(q, p, old < n ? old : n);
	}
	return q;
}

HEAP(void *, malloc, n, r, (size_t n), (n), )
HEAP(void *, calloc, n * size, r, (size_t n, size_t size), (n, size), )
HEAP(void *, realloc, n, r, (void *p, size_t n), (p, n), if (CT_UNLIKELY(ct_boot_owns(p))) return realloc_boot(p, n))
HEAP(int, posix_memalign, n, r ? NULL : *ret, (void **ret, size_t alignment, size_t n), (ret, alignment, n), )
HEAP(void *, aligned_alloc, n, r, (size_t alignment, size_t n), (alignment, n), )
HEAP(void *, memalign, n, r, (size_t alignment, size_t n), (alignment, n), )

HEAP(void *, valloc, n, r, (size_t n), (n), )
HEAP(void *, pvalloc, n, r, (size_t n), (n), )

static CT_COLD void free_timed(void *p)
{
	struct ct_interval v;

	begin_timed(&v, CT_CALL_free, __builtin_return_address(0));
	set_arena(&v, p);
	ct_real.free(p);
	ct_end(&v, 0);
}

CT_EXPORT void free(void *p)
{
	if (CT_UNLIKELY(ct_boot_owns(p)))
		return;
	if (CT_UNLIKELY(!begin_untimed(CT_CALL_free, 0))) {
		(is_passed_on() ? ct_real.free : free_timed)(p);
		return;
	}
	ct_real.free(p);
	end_untimed(CT_CALL_free, 0, NULL); /* it is no longer there */
}

CT_EXPORT size_t malloc_usable_size(void *p)
{
	size_t n;

	if (CT_UNLIKELY(ct_boot_owns(p))) {
		memcpy(&n, (char *)p - 16, sizeof(n));
		return n;
	}
	return ct_real.malloc_usable_size(p);
}
