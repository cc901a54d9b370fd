/*
 * Mutexes and reader-writer locks. What need not wait costs a count and a look
 * whether the lock is hot, and no time stamp.
 *
 * A lock is tried before it is waited for. Even that is too much for a mutex
 * that is free and that nobody waited for lately, since glibc's trylock is
 * slower than its lock: such a one is locked at once. It may be taken in the
 * few nanoseconds between; then rseq tells that the thread left the CPU, in
 * this call or by preemption, and the lock is suspect: it is tried first the
 * next time and the times after.
 */
#include "held.h"
#include "real.h"
#include "record.h"

/* glibc keeps the writer's tid in the lock. */
static uint32_t rwlock_owner(const pthread_rwlock_t *l)
{
	return (uint32_t)ct_load(&l->__data.__cur_writer);
}

/* Robust mutexes and those with a priority ceiling keep state that an attempt
 * changes even when it fails, so that a second call may hang. */
static inline bool may_try(const pthread_mutex_t *m)
{
	return !(ct_load(&m->__data.__kind) & (CT_KIND_ROBUST | CT_KIND_PROTECT));
}

static inline void got_exclusive(struct ct_slot *slot, uint16_t call, const pthread_rwlock_t *l, const void *ip)
{
	ct_inc_local(&slot->calls[call]);
	ct_taken(slot, call, l, ip);
	if (CT_UNLIKELY(ct_hot_maybe(l)))
		ct_hot_acquired(l);
}

/* glibc knows how many read a lock, but not who: each thread notes what it holds,
 * so that a deadlock of a reader can be seen. A lock that is read twice is noted
 * twice. A signal handler that comes in between may have its note overwritten. */
static inline void note_shared(struct ct_slot *slot, const pthread_rwlock_t *l, const void *ip)
{
	for (uint32_t i = 0; i < CT_READ_LOCKS; i++)
		if (CT_LIKELY(!slot->read_locks[i])) {
			ct_store(&slot->read_ips[i], (uint64_t)ip);
			ct_store(&slot->read_locks[i], (uint64_t)l);
			return;
		}
}

static inline void forget_shared(struct ct_slot *slot, const pthread_rwlock_t *l)
{
	for (uint32_t i = 0; i < CT_READ_LOCKS; i++)
		if (slot->read_locks[i] == (uint64_t)l) {
			ct_store(&slot->read_locks[i], 0);
			return;
		}
}

static inline void got_shared(struct ct_slot *slot, uint16_t call, const pthread_rwlock_t *l, const void *ip)
{
	ct_inc_local(&slot->calls[call]);
	note_shared(slot, l, ip);
}

CT_COLD struct ct_mutex_wait ct_mutex_begin(struct ct_interval *v, uint16_t call, const pthread_mutex_t *m, const void *ip)
{
	struct ct_mutex_wait w = { NULL, false };

	if (!ct_prepare(v, call, CT_CAUSE_MUTEX, CT_OBJECT_ADDRESS, (uint64_t)m)) {
		ct_silent_stack(v);
		return w;
	}
	/* It is counted, and not ours yet. */
	if (ct_taken_counts(call))
		ct_taken_note(v->slot, NULL, NULL);
	v->owner = ct_mutex_owner(m);
	v->stack = ct_stack(v->slot);
	/* A mutex of the kinds that are not tried first may well be free. */
	if (v->owner && !(w.hot = ct_hot_find_brief(m))) {
		w.hot = ct_hot_wait_begin(m, CT_CAUSE_MUTEX);
		w.counted = w.hot != NULL;
	}
	ct_start(v, ip);
	/* Its holds are shorter than what was done since the attempt failed. */
	if (w.hot && !w.counted)
		ct_hot_keep(w.hot, v->start, ct_load(&m->__data.__lock) && ct_mutex_owner(m) == v->owner);
	return w;
}

/* The mutex is ours, and others are about to wait for it, too. */
CT_COLD void ct_mutex_end(struct ct_interval *v, struct ct_mutex_wait w, const pthread_mutex_t *m, const void *ip, int r)
{
	uint64_t end = ct_end(v, -r);
	bool got = r == 0 || r == EOWNERDEAD;

	/* Not if a handler has forked meanwhile. */
	if (v->slot && v->slot == ct_thread.slot) {
		if (got)
			ct_taken(v->slot, v->call, m, ip);
		else if (ct_taken_counts(v->call))
			ct_add_local(&v->slot->taken_more, -1ull);
	}

	if (w.counted)
		ct_hot_wait_end(w.hot, m);
	/* What a waiter said of the holder was said of the one before. */
	if (w.hot && got && ct_load(&w.hot->acquired))
		ct_store(&w.hot->acquired, 0);
	if (!got || !v->slot || !ct_hot_maybe(m) || !ct_held_once(v->slot, m))
		return;
	bool slept = (uint32_t)ct_load(&m->__data.__lock) > 1;

	/* Where holds are short, one that did not sleep before it is like any other. */
	if (w.counted || slept)
		ct_held_waited(v->slot, m, end, slept);
	else
		ct_held_took(v->slot, m, end);
}

#define MUTEX_CONTENDED(call, LOCK) \
	do { \
		struct ct_interval v; \
		const void *ip_ = __builtin_return_address(0); \
		struct ct_mutex_wait w = ct_mutex_begin(&v, CT_CALL_##call, m, ip_); \
		int r_ = LOCK; \
		ct_mutex_end(&v, w, m, ip_, r_); \
		return r_; \
	} while (0)

static CT_COLD int mutex_lock_contended(pthread_mutex_t *m)
{
	MUTEX_CONTENDED(pthread_mutex_lock, ct_real.pthread_mutex_lock(m));
}

/* A deadline that the real call would refuse must reach it, lock free or not. */
static inline bool valid(clockid_t clock, const struct timespec *until)
{
	return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && until->tv_nsec >= 0 &&
	       until->tv_nsec < 1000000000;
}

#define SUSPECT 200u /* acquisitions for which a lock stays suspect */

static inline struct ct_hot_filter *filter_of(const pthread_mutex_t *m)
{
	return &ct_state.region->hot_filter[ct_hot_hash((uint64_t)m)];
}

/* Neither hot nor suspect, of a kind that may be tried, and free; and we are in
 * no handler that interrupted a call, whose rseq field is not ours. */
static inline bool is_easy(const struct ct_slot *slot, const pthread_mutex_t *m)
{
	uint16_t both;

	__builtin_memcpy(&both, filter_of(m), sizeof(both));
	return !(both | ct_load(&m->__data.__lock) | slot->wait.call) && may_try(m);
}

static CT_COLD int mutex_lock_carefully(pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_self();

	if (!slot)
		return ct_real.pthread_mutex_lock(m);
	struct ct_hot_filter *f = filter_of(m);
	uint8_t suspect = ct_load(&f->suspect);

	if (suspect)
		ct_store(&f->suspect, (uint8_t)(suspect - 1));
	if (may_try(m) && ct_real.pthread_mutex_trylock(m) == 0) {
		ct_mutex_got(slot, CT_CALL_pthread_mutex_lock, m, __builtin_return_address(0));
		return 0;
	}
	/* Busy, or something that the real call knows how to report. */
	return mutex_lock_contended(m);
}

/* Kinds of which trylock does nothing but try. */
static inline bool is_plain(const pthread_mutex_t *m)
{
	int kind = ct_load(&m->__data.__kind);

	return !(kind & (CT_KIND_ROBUST | CT_KIND_INHERIT | CT_KIND_PROTECT)) &&
	       (kind & CT_KIND_TYPE) != CT_KIND_RECURSIVE;
}

/* Threads take turns at a hot mutex: what each does while it has it counts for all. */
static CT_COLD int mutex_lock_hot(struct ct_slot *slot, pthread_mutex_t *m)
{
	if (!ct_hot_maybe(m) || !is_plain(m) || !ct_held_takes(slot, m))
		return mutex_lock_carefully(m);
	ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_lock]);
	ct_taken_note(slot, m, __builtin_return_address(0));
	if (CT_LIKELY(ct_real.pthread_mutex_trylock(m) == 0))
		return 0;
	/* Both are counted when it is taken. */
	ct_held_takes_not(slot, m);
	ct_add_local(&slot->calls[CT_CALL_pthread_mutex_lock], -1ull);
	return mutex_lock_contended(m);
}

/* Not recorded, or without rseq. Where it is not recorded one that is taken is waited for
 * where the collector can see it, in case it is asked for before that ends. */
static __attribute__((noinline)) int mutex_lock_off(struct ct_slot *slot, pthread_mutex_t *m)
{
	if (!ct_is_off(CT_CAUSE_MUTEX))
		return mutex_lock_hot(slot, m);
	return ct_load(&m->__data.__lock) ? mutex_lock_contended(m) : ct_real.pthread_mutex_lock(m);
}

static CT_COLD void suspect(const pthread_mutex_t *m)
{
	ct_store(&filter_of(m)->suspect, SUSPECT);
}

CT_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_thread.slot;

	ct_prefetch_write(&m->__data.__lock);
	if (CT_UNLIKELY(!slot))
		return mutex_lock_carefully(m);
	if (CT_UNLIKELY(!ct_is_quick(CT_CAUSE_MUTEX)))
		return mutex_lock_off(slot, m);
	if (CT_UNLIKELY(!is_easy(slot, m)))
		return mutex_lock_hot(slot, m);
	ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_lock]);
	ct_taken_note(slot, m, __builtin_return_address(0));
	ct_rseq_arm();
	int r = ct_real.pthread_mutex_lock(m);

	if (CT_UNLIKELY(ct_rseq_left()))
		suspect(m);
	return r;
}

/* Tries TRY where that is possible, else does WAIT. */
#define TRY_FIRST(call, lock, possible, TRY, GOT, WAIT) \
	do { \
		struct ct_slot *slot = ct_self(); \
		if (CT_LIKELY(slot && (possible)) && CT_LIKELY((TRY) == 0)) { \
			GOT(slot, CT_CALL_##call, lock, __builtin_return_address(0)); \
			return 0; \
		} \
		return WAIT; \
	} while (0)

CT_EXPORT int pthread_mutex_trylock(pthread_mutex_t *m)
{
	int r = ct_real.pthread_mutex_trylock(m);
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		if (r == 0)
			ct_mutex_got(slot, CT_CALL_pthread_mutex_trylock, m, __builtin_return_address(0));
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_trylock]);
	}
	return r;
}

static CT_COLD int mutex_timedlock_contended(pthread_mutex_t *m, const struct timespec *until)
{
	MUTEX_CONTENDED(pthread_mutex_timedlock, ct_real.pthread_mutex_timedlock(m, until));
}

CT_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
	TRY_FIRST(pthread_mutex_timedlock, m, may_try(m) && valid(CLOCK_REALTIME, until),
		  ct_real.pthread_mutex_trylock(m), ct_mutex_got, mutex_timedlock_contended(m, until));
}

static CT_COLD int mutex_clocklock_contended(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	MUTEX_CONTENDED(pthread_mutex_clocklock, ct_real.pthread_mutex_clocklock(m, clock, until));
}

CT_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	TRY_FIRST(pthread_mutex_clocklock, m, may_try(m) && valid(clock, until),
		  ct_real.pthread_mutex_trylock(m), ct_mutex_got, mutex_clocklock_contended(m, clock, until));
}

/* Hot, or not the last that the thread took. */
static CT_COLD int mutex_unlock_slow(struct ct_slot *slot, pthread_mutex_t *m)
{
	struct ct_release release;
	bool tells = ct_hot_maybe(m) && CT_UNLIKELY(ct_held_tells(slot, m)) && ct_held_once(slot, m);

	/* Nor is it noted or counted when it is taken. One that was taken before stays noted: that is harmless. */
	if (!tells && ct_is_off(CT_CAUSE_MUTEX))
		return ct_real.pthread_mutex_unlock(m);
	ct_taken_leave(slot, CT_CALL_pthread_mutex_unlock, m);
	if (CT_UNLIKELY(tells))
		ct_held_release(slot, m, &release);
	int r = ct_real.pthread_mutex_unlock(m);

	ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_unlock]);
	if (CT_UNLIKELY(tells))
		ct_held_released(slot, m, CT_CALL_pthread_mutex_unlock, 0, &release);
	return r;
}

CT_EXPORT int pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_thread.slot;

	if (CT_LIKELY(slot != NULL)) {
		if (CT_UNLIKELY(ct_hot_maybe(m)) || CT_UNLIKELY(!ct_taken_is_last(slot, m)))
			return mutex_unlock_slow(slot, m);
		ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_unlock]);
	}
	return ct_real.pthread_mutex_unlock(m);
}

/* --- reader-writer locks --- */

static struct ct_hot *begin_rwlock(struct ct_interval *v, uint16_t call, pthread_rwlock_t *l, const void *ip)
{
	if (!ct_prepare(v, call, CT_CAUSE_RWLOCK, CT_OBJECT_ADDRESS, (uint64_t)l)) {
		ct_silent_stack(v);
		return NULL;
	}
	v->owner = rwlock_owner(l);
	v->stack = ct_stack(v->slot);
	struct ct_hot *hot = ct_hot_wait_begin(l, CT_CAUSE_RWLOCK);

	ct_start(v, ip);
	return hot;
}

static CT_COLD void end_rwlock(struct ct_interval *v, struct ct_hot *hot, const pthread_rwlock_t *l, const void *ip,
			       int r, bool exclusive)
{
	ct_end(v, -r);
	if (hot)
		ct_hot_wait_end(hot, l);
	if (r || !v->slot || v->slot != ct_thread.slot)
		return;
	if (!exclusive) {
		note_shared(v->slot, l, ip);
		return;
	}
	ct_taken(v->slot, v->call, l, ip);
	if (hot)
		ct_hot_acquired(l);
}

/* A failed attempt queues nowhere, so trying first keeps the lock's own
 * preference between readers and writers. */
#define RWLOCK(name, possible, try_name, GOT, exclusive, parameters, arguments) \
	static CT_COLD int name##_contended parameters \
	{ \
		struct ct_interval v; \
		const void *ip_ = __builtin_return_address(0); \
		struct ct_hot *hot = begin_rwlock(&v, CT_CALL_##name, l, ip_); \
		int r_ = ct_real.name arguments; \
		end_rwlock(&v, hot, l, ip_, r_, exclusive); \
		return r_; \
	} \
	CT_EXPORT int name parameters \
	{ \
		TRY_FIRST(name, l, possible, ct_real.try_name(l), GOT, name##_contended arguments); \
	}
#define RDLOCK(name, possible, parameters, arguments) \
	RWLOCK(name, possible, pthread_rwlock_tryrdlock, got_shared, false, parameters, arguments)
#define WRLOCK(name, possible, parameters, arguments) \
	RWLOCK(name, possible, pthread_rwlock_trywrlock, got_exclusive, true, parameters, arguments)

RDLOCK(pthread_rwlock_rdlock, true, (pthread_rwlock_t *l), (l))
RDLOCK(pthread_rwlock_timedrdlock, valid(CLOCK_REALTIME, until),
       (pthread_rwlock_t *l, const struct timespec *until), (l, until))
RDLOCK(pthread_rwlock_clockrdlock, valid(clock, until),
       (pthread_rwlock_t *l, clockid_t clock, const struct timespec *until), (l, clock, until))
WRLOCK(pthread_rwlock_wrlock, true, (pthread_rwlock_t *l), (l))
WRLOCK(pthread_rwlock_timedwrlock, valid(CLOCK_REALTIME, until),
       (pthread_rwlock_t *l, const struct timespec *until), (l, until))
WRLOCK(pthread_rwlock_clockwrlock, valid(clock, until),
       (pthread_rwlock_t *l, clockid_t clock, const struct timespec *until), (l, clock, until))

CT_EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t *l)
{
	int r = ct_real.pthread_rwlock_tryrdlock(l);
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		if (r == 0)
			got_shared(slot, CT_CALL_pthread_rwlock_tryrdlock, l, __builtin_return_address(0));
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_rwlock_tryrdlock]);
	}
	return r;
}

CT_EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
	int r = ct_real.pthread_rwlock_trywrlock(l);
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		if (r == 0)
			got_exclusive(slot, CT_CALL_pthread_rwlock_trywrlock, l, __builtin_return_address(0));
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_rwlock_trywrlock]);
	}
	return r;
}

/* See glibc's nptl/pthread_rwlock_common.c. */
#define FUTEX_USED   2u
#define READER_SHIFT 3

/* Whether to release the lock wakes somebody: the last of its readers does. */
static bool wakes(const pthread_rwlock_t *l, bool exclusive)
{
	return (ct_load(&l->__data.__wrphase_futex) | ct_load(&l->__data.__writers_futex)) & FUTEX_USED &&
	       (exclusive || ct_load(&l->__data.__readers) >> READER_SHIFT == 1);
}

static CT_COLD int rwlock_unlock_hot(struct ct_slot *slot, pthread_rwlock_t *l, bool exclusive)
{
	struct ct_event e;
	bool tell = ct_hot_release(l, CT_CALL_pthread_rwlock_unlock, exclusive, wakes(l, exclusive), &e);
	int r = ct_real.pthread_rwlock_unlock(l);

	if (tell) {
		e.stack = ct_stack(slot);
		ct_write_event(slot, &e);
	}
	return r;
}

CT_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		bool exclusive = rwlock_owner(l) == slot->tid;

		ct_inc_local(&slot->calls[CT_CALL_pthread_rwlock_unlock]);
		if (exclusive)
			ct_taken_leave(slot, CT_CALL_pthread_rwlock_unlock, l);
		else
			forget_shared(slot, l);
		if (CT_UNLIKELY(ct_hot_maybe(l)))
			return rwlock_unlock_hot(slot, l, exclusive);
	}
	return ct_real.pthread_rwlock_unlock(l);
}
