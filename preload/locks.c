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
#include "hot.h"
#include "real.h"
#include "record.h"

/* glibc keeps the holder's tid in the lock. */
static uint32_t mutex_owner(const pthread_mutex_t *m)
{
	return (uint32_t)ct_load(&m->__data.__owner);
}

static uint32_t rwlock_owner(const pthread_rwlock_t *l)
{
	return (uint32_t)ct_load(&l->__data.__cur_writer);
}

/* Bits of __data.__kind: see glibc's nptl/pthreadP.h. */
#define KIND_RECURSIVE 1
#define KIND_TYPE      3
#define KIND_ROBUST    16
#define KIND_PROTECT   64

/* Robust mutexes and those with a priority ceiling keep state that an attempt
 * changes even when it fails, so that a second call may hang. */
static inline bool may_try(const pthread_mutex_t *m)
{
	return !(ct_load(&m->__data.__kind) & (KIND_ROBUST | KIND_PROTECT));
}

/* Held by the calling thread, and once only: the next unlock releases it. */
static bool held_once(struct ct_slot *slot, const pthread_mutex_t *m)
{
	return mutex_owner(m) == slot->tid &&
	       ((m->__data.__kind & KIND_TYPE) != KIND_RECURSIVE || m->__data.__count == 1);
}

/* The lock is taken by the calling thread. */
static inline void got_mutex(struct ct_slot *slot, uint16_t call, const pthread_mutex_t *m)
{
	ct_inc_local(&slot->calls[call]);
	if (CT_UNLIKELY(ct_hot_maybe(m)) && held_once(slot, m))
		ct_hot_acquired(m);
}

static inline void got_exclusive(struct ct_slot *slot, uint16_t call, const pthread_rwlock_t *l)
{
	ct_inc_local(&slot->calls[call]);
	if (CT_UNLIKELY(ct_hot_maybe(l)))
		ct_hot_acquired(l);
}

/* glibc knows how many read a lock, but not who: each thread notes what it holds,
 * so that a deadlock of a reader can be seen. A lock that is read twice is noted
 * twice. A signal handler that comes in between may have its note overwritten. */
static inline void note_shared(struct ct_slot *slot, const pthread_rwlock_t *l)
{
	for (uint32_t i = 0; i < CT_READ_LOCKS; i++)
		if (CT_LIKELY(!slot->read_locks[i])) {
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

static inline void got_shared(struct ct_slot *slot, uint16_t call, const pthread_rwlock_t *l)
{
	ct_inc_local(&slot->calls[call]);
	note_shared(slot, l);
}

static struct ct_hot *begin_contended(struct ct_interval *v, uint16_t call, enum ct_cause cause,
				      const void *lock, uint32_t owner, const void *ip)
{
	if (!ct_prepare(v, call, cause, CT_OBJECT_ADDRESS, (uint64_t)lock))
		return NULL;
	v->owner = owner;
	v->stack = ct_stack(v->slot);
	/* A mutex of the kinds that are not tried first may well be free. */
	struct ct_hot *hot = owner || cause == CT_CAUSE_RWLOCK ? ct_hot_wait_begin(lock, cause) : NULL;

	ct_start(v, ip);
	return hot;
}

static void end_contended(struct ct_interval *v, struct ct_hot *hot, const void *lock, int r, bool exclusive)
{
	ct_end(v, -r);
	if (!hot)
		return;
	ct_hot_wait_end(hot, lock);
	if (exclusive && (r == 0 || r == EOWNERDEAD))
		ct_hot_acquired(lock);
}

static CT_COLD void end_contended_shared(struct ct_interval *v, struct ct_hot *hot, const void *lock, int r)
{
	end_contended(v, hot, lock, r, false);
	if (v->slot && r == 0)
		note_shared(v->slot, lock);
}

#define CONTENDED(call, cause, lock, owner, exclusive, LOCK) \
	do { \
		struct ct_interval v; \
		struct ct_hot *hot = begin_contended(&v, CT_CALL_##call, cause, lock, owner, __builtin_return_address(0)); \
		int r_ = LOCK; \
		if (exclusive) \
			end_contended(&v, hot, lock, r_, true); \
		else \
			end_contended_shared(&v, hot, lock, r_); \
		return r_; \
	} while (0)

static CT_COLD int mutex_lock_contended(pthread_mutex_t *m)
{
	CONTENDED(pthread_mutex_lock, CT_CAUSE_MUTEX, m, mutex_owner(m), true, ct_real.pthread_mutex_lock(m));
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
	return !(both | ct_load(&m->__data.__lock) | slot->wait.call) && may_try(m) && ct_state.rseq;
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
		got_mutex(slot, CT_CALL_pthread_mutex_lock, m);
		return 0;
	}
	/* Busy, or something that the real call knows how to report. */
	return mutex_lock_contended(m);
}

static CT_COLD void suspect(const pthread_mutex_t *m)
{
	ct_store(&filter_of(m)->suspect, SUSPECT);
}

CT_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_thread.slot;

	if (CT_UNLIKELY(!slot) || CT_UNLIKELY(!is_easy(slot, m)))
		return mutex_lock_carefully(m);
	ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_lock]);
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
			GOT(slot, CT_CALL_##call, lock); \
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
			got_mutex(slot, CT_CALL_pthread_mutex_trylock, m);
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_trylock]);
	}
	return r;
}

static CT_COLD int mutex_timedlock_contended(pthread_mutex_t *m, const struct timespec *until)
{
	CONTENDED(pthread_mutex_timedlock, CT_CAUSE_MUTEX, m, mutex_owner(m), true,
		  ct_real.pthread_mutex_timedlock(m, until));
}

CT_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
	TRY_FIRST(pthread_mutex_timedlock, m, may_try(m) && valid(CLOCK_REALTIME, until),
		  ct_real.pthread_mutex_trylock(m), got_mutex, mutex_timedlock_contended(m, until));
}

static CT_COLD int mutex_clocklock_contended(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	CONTENDED(pthread_mutex_clocklock, CT_CAUSE_MUTEX, m, mutex_owner(m), true,
		  ct_real.pthread_mutex_clocklock(m, clock, until));
}

CT_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	TRY_FIRST(pthread_mutex_clocklock, m, may_try(m) && valid(clock, until),
		  ct_real.pthread_mutex_trylock(m), got_mutex, mutex_clocklock_contended(m, clock, until));
}

static CT_COLD int mutex_unlock_hot(struct ct_slot *slot, pthread_mutex_t *m)
{
	if (held_once(slot, m))
		ct_hot_release(slot, m, CT_CALL_pthread_mutex_unlock, true);
	return ct_real.pthread_mutex_unlock(m);
}

CT_EXPORT int pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct ct_slot *slot = ct_thread.slot;

	if (CT_LIKELY(slot != NULL)) {
		ct_inc_local(&slot->calls[CT_CALL_pthread_mutex_unlock]);
		if (CT_UNLIKELY(ct_hot_maybe(m)))
			return mutex_unlock_hot(slot, m);
	}
	return ct_real.pthread_mutex_unlock(m);
}

/* --- reader-writer locks --- */

/* A failed attempt queues nowhere, so trying first keeps the lock's own
 * preference between readers and writers. */
#define RWLOCK(name, possible, try_name, GOT, exclusive, parameters, arguments) \
	static CT_COLD int name##_contended parameters \
	{ \
		CONTENDED(name, CT_CAUSE_RWLOCK, l, rwlock_owner(l), exclusive, ct_real.name arguments); \
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
			got_shared(slot, CT_CALL_pthread_rwlock_tryrdlock, l);
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
			got_exclusive(slot, CT_CALL_pthread_rwlock_trywrlock, l);
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_rwlock_trywrlock]);
	}
	return r;
}

CT_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		bool exclusive = rwlock_owner(l) == slot->tid;

		ct_inc_local(&slot->calls[CT_CALL_pthread_rwlock_unlock]);
		if (!exclusive)
			forget_shared(slot, l);
		if (CT_UNLIKELY(ct_hot_maybe(l)))
			ct_hot_release(slot, l, CT_CALL_pthread_rwlock_unlock, exclusive);
	}
	return ct_real.pthread_rwlock_unlock(l);
}

/* --- spin locks: a waiter burns its CPU until the holder gets another --- */

CT_EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
	struct ct_slot *slot = ct_self();
	struct ct_interval v;

	if (CT_LIKELY(slot && ct_real.pthread_spin_trylock(l) == 0)) {
		ct_inc_local(&slot->calls[CT_CALL_pthread_spin_lock]);
		return 0;
	}
	ct_begin(&v, CT_CALL_pthread_spin_lock, CT_CAUSE_SPIN, CT_OBJECT_ADDRESS, l);
	int r = ct_real.pthread_spin_lock(l);

	ct_end(&v, -r);
	return r;
}

CT_EXPORT int pthread_spin_trylock(pthread_spinlock_t *l)
{
	ct_count(CT_CALL_pthread_spin_trylock);
	return ct_real.pthread_spin_trylock(l);
}

CT_EXPORT int pthread_spin_unlock(pthread_spinlock_t *l)
{
	ct_count(CT_CALL_pthread_spin_unlock);
	return ct_real.pthread_spin_unlock(l);
}
