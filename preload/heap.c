/*
 * The allocator. A call is too short to be timed: rseq tells whether the
 * thread left its CPU in it. The first such call of a thread is written without
 * a start; the calls after it are timed for a while, since an allocator that
 * blocks once usually blocks again. Large blocks come from mmap and are timed.
 * A sanitizer's allocator looks at who calls it: there each call is passed on
 * by a jump.
 */
#include "real.h"

#include <string.h>

#include "record.h"

#define TIMED_CALLS 256u          /* calls timed after one that left the CPU */
#define LARGE       (128u << 10) /* glibc's M_MMAP_THRESHOLD: a system call each */

static CT_COLD void left_cpu(uint16_t call, uint64_t bytes)
{
	struct ct_slot *slot = ct_thread.slot;

	/* A handler may have forked meanwhile. */
	if (!slot)
		return;
	ct_thread.heap_timed = TIMED_CALLS;
	ct_thread.heap_slot = NULL;
	ct_write_left(slot, call, CT_CAUSE_MALLOC, CT_OBJECT_NONE, 0, (int64_t)bytes);
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

static inline void end_untimed(uint16_t call, uint64_t bytes)
{
	if (CT_UNLIKELY(ct_rseq_left()))
		left_cpu(call, bytes);
}

/* Defines name_timed and name; bytes: what is asked for. Parameters and
 * arguments come in parentheses. */
#define HEAP(type, name, bytes, parameters, arguments, BOOT) \
	static CT_COLD type name##_timed parameters \
	{ \
		struct ct_interval v; \
		begin_timed(&v, CT_CALL_##name, __builtin_return_address(0)); \
		type r = ct_real.name arguments; \
		ct_end(&v, (int64_t)(bytes)); \
		return r; \
	} \
	CT_EXPORT type name parameters \
	{ \
		BOOT; \
		if (CT_UNLIKELY(!begin_untimed(CT_CALL_##name, (bytes)))) \
			return is_passed_on() ? ct_real.name arguments : name##_timed arguments; \
		type r = ct_real.name arguments; \
		end_untimed(CT_CALL_##name, (bytes)); \
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

HEAP(void *, malloc, n, (size_t n), (n), )
HEAP(void *, calloc, n * size, (size_t n, size_t size), (n, size), )
HEAP(void *, realloc, n, (void *p, size_t n), (p, n), if (CT_UNLIKELY(ct_boot_owns(p))) return realloc_boot(p, n))
HEAP(int, posix_memalign, n, (void **ret, size_t alignment, size_t n), (ret, alignment, n), )
HEAP(void *, aligned_alloc, n, (size_t alignment, size_t n), (alignment, n), )
HEAP(void *, memalign, n, (size_t alignment, size_t n), (alignment, n), )

HEAP(void *, valloc, n, (size_t n), (n), )
HEAP(void *, pvalloc, n, (size_t n), (n), )

static CT_COLD void free_timed(void *p)
{
	struct ct_interval v;

	begin_timed(&v, CT_CALL_free, __builtin_return_address(0));
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
	end_untimed(CT_CALL_free, 0);
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
