/*
 * The atomic operations on shared memory, each with the reordering it prevents.
 *
 * Two kinds of observers exist: the collector (another process, another CPU)
 * and a signal handler on the same thread. Operations named *_local are atomic
 * only against the latter: one instruction without a lock prefix, since a
 * handler can come between instructions but not into one.
 */
#ifndef CT_ATOMICS_H
#define CT_ATOMICS_H

#include <stdint.h>

/* Reads what a ct_store_release published: later reads stay after it. */
#define ct_load_acquire(p)      __atomic_load_n((p), __ATOMIC_ACQUIRE)
/* Publishes: earlier writes are visible to whoever acquires the new value. */
#define ct_store_release(p, v)  __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* No tearing, no order. */
#define ct_load(p)              __atomic_load_n((p), __ATOMIC_RELAXED)
#define ct_store(p, v)          __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define ct_fetch_add(p, v)      __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
/* Gives back what was taken by ct_cas: earlier writes are visible to whoever takes it. */
#define ct_release_bits(p, v)   __atomic_fetch_and((p), ~(v), __ATOMIC_RELEASE)
/* Full order on success; *expected is updated on failure. */
#define ct_cas(p, expected, v) \
	__atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
/* Order against a handler on this thread only: no instruction. */
#define ct_barrier_local()      __atomic_signal_fence(__ATOMIC_SEQ_CST)
/* Keeps earlier reads before later reads (seqlock reader; pairs with ct_fence_write). */
#define ct_fence_read()         __atomic_thread_fence(__ATOMIC_ACQUIRE)
/* Keeps earlier writes before later writes (seqlock writer). */
#define ct_fence_write()        __atomic_thread_fence(__ATOMIC_RELEASE)

#if defined(__x86_64__)
static inline void ct_add_local(uint64_t *p, uint64_t v)
{
	__asm__ volatile("addq %1, %0" : "+m"(*p) : "er"(v) : "cc");
}

static inline void ct_inc_local(uint64_t *p)
{
	__asm__ volatile("incq %0" : "+m"(*p) : : "cc");
}

static inline void ct_or_local(uint64_t *p, uint64_t v)
{
	__asm__ volatile("orq %1, %0" : "+m"(*p) : "r"(v) : "memory", "cc");
}

static inline void ct_inc_local32(uint32_t *p)
{
	__asm__ volatile("incl %0" : "+m"(*p) : : "cc");
}

static inline uint64_t ct_fetch_add_local(uint64_t *p, uint64_t v)
{
	__asm__ volatile("xaddq %0, %1" : "+r"(v), "+m"(*p) : : "memory", "cc");
	return v;
}
#else
/* No instruction reads, changes and writes memory there but the atomic ones. */
static inline void ct_add_local(uint64_t *p, uint64_t v)
{
	__atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}

static inline void ct_inc_local(uint64_t *p)
{
	__atomic_fetch_add(p, 1, __ATOMIC_RELAXED);
}

static inline void ct_or_local(uint64_t *p, uint64_t v)
{
	__atomic_fetch_or(p, v, __ATOMIC_RELAXED);
}

static inline void ct_inc_local32(uint32_t *p)
{
	__atomic_fetch_add(p, 1, __ATOMIC_RELAXED);
}

static inline uint64_t ct_fetch_add_local(uint64_t *p, uint64_t v)
{
	return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
#endif

#endif
