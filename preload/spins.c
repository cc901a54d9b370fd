/*
 * Spin locks: a waiter burns its CPU until the holder gets another. Like mutexes
 * they are timed while they are hot, and nobody but their waiters knows that they are.
 */
#include "hot.h"
#include "real.h"
#include "record.h"

static inline void got(struct ct_slot *slot, uint16_t call, const void *l)
{
	ct_inc_local(&slot->calls[call]);
	if (CT_UNLIKELY(ct_hot_maybe(l)))
		ct_hot_acquired(l);
}

static CT_COLD int spin_lock_contended(pthread_spinlock_t *l)
{
	struct ct_hot *hot = NULL;
	struct ct_interval v;

	if (ct_prepare(&v, CT_CALL_pthread_spin_lock, CT_CAUSE_SPIN, CT_OBJECT_ADDRESS, (uint64_t)l)) {
		hot = ct_hot_wait_begin((const void *)l, CT_CAUSE_SPIN);
		ct_start(&v, __builtin_return_address(0));
	}
	int r = ct_real.pthread_spin_lock(l);

	ct_end(&v, -r);
	if (hot) {
		ct_hot_wait_end(hot, (const void *)l);
		ct_hot_acquired((const void *)l);
	}
	return r;
}

CT_EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot && ct_real.pthread_spin_trylock(l) == 0)) {
		got(slot, CT_CALL_pthread_spin_lock, (const void *)l);
		return 0;
	}
	return spin_lock_contended(l);
}

CT_EXPORT int pthread_spin_trylock(pthread_spinlock_t *l)
{
	int r = ct_real.pthread_spin_trylock(l);
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		if (r == 0)
			got(slot, CT_CALL_pthread_spin_trylock, (const void *)l);
		else
			ct_inc_local(&slot->calls[CT_CALL_pthread_spin_trylock]);
	}
	return r;
}

static CT_COLD int spin_unlock_hot(struct ct_slot *slot, pthread_spinlock_t *l)
{
	struct ct_event e;
	bool tell = ct_hot_release((const void *)l, CT_CALL_pthread_spin_unlock, true, false, &e);
	int r = ct_real.pthread_spin_unlock(l);

	if (tell) {
		e.stack = ct_stack(slot);
		ct_write_event(slot, &e);
	}
	return r;
}

CT_EXPORT int pthread_spin_unlock(pthread_spinlock_t *l)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		ct_inc_local(&slot->calls[CT_CALL_pthread_spin_unlock]);
		if (CT_UNLIKELY(ct_hot_maybe((const void *)l)))
			return spin_unlock_hot(slot, l);
	}
	return ct_real.pthread_spin_unlock(l);
}
