/*
 * Condition variables, in both versions that glibc exports. The wait is from
 * the call until the mutex is held again; the mutex is the event's aux.
 */
#include "held.h"
#include "real.h"
#include "record.h"
#include "wakes.h"

static inline void begin(struct ct_interval *v, uint16_t call, const void *cond, const pthread_mutex_t *mutex,
			 const void *ip)
{
	if (CT_UNLIKELY(!ct_prepare(v, call, CT_CAUSE_COND, CT_OBJECT_ADDRESS, (uint64_t)cond))) {
		ct_mutex_leave_silent(mutex);
		return;
	}
	v->aux = (uint64_t)mutex;
	v->stack = ct_stack(v->slot);
	/* The wait releases the mutex and takes it again, inside of glibc. */
	if (CT_UNLIKELY(ct_hot_maybe(mutex)))
		ct_mutex_leave(v, call, mutex);
	ct_start(v, ip);
}

static inline void end(struct ct_interval *v, const pthread_mutex_t *mutex, const void *ip, int r)
{
	uint64_t now = ct_end(v, -r);

	if (v->slot && CT_UNLIKELY(ct_hot_maybe(mutex)))
		ct_held_waited(v->slot, mutex, now, true);
	if (v->slot && v->slot == ct_thread.slot)
		ct_taken_again(v->slot, mutex, ip);
}

#define WAIT(call, mutex, WAIT_) \
	do { \
		struct ct_interval v; \
		begin(&v, CT_CALL_##call, c, mutex, __builtin_return_address(0)); \
		int r_ = WAIT_; \
		end(&v, mutex, __builtin_return_address(0), r_); \
		return r_; \
	} while (0)

CT_EXPORT_CURRENT(ct_cond_wait, pthread_cond_wait, "GLIBC_2.3.2")
int ct_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	WAIT(pthread_cond_wait, m, ct_real.pthread_cond_wait(c, m));
}

CT_EXPORT_OLD(ct_cond_wait_compat, pthread_cond_wait)
int ct_cond_wait_compat(pthread_cond_t *c, pthread_mutex_t *m)
{
	WAIT(pthread_cond_wait, m, ct_real.pthread_cond_wait_compat(c, m));
}

CT_EXPORT_CURRENT(ct_cond_timedwait, pthread_cond_timedwait, "GLIBC_2.3.2")
int ct_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	WAIT(pthread_cond_timedwait, m, ct_real.pthread_cond_timedwait(c, m, until));
}

CT_EXPORT_OLD(ct_cond_timedwait_compat, pthread_cond_timedwait)
int ct_cond_timedwait_compat(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	WAIT(pthread_cond_timedwait, m, ct_real.pthread_cond_timedwait_compat(c, m, until));
}

CT_EXPORT int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
				     const struct timespec *until)
{
	WAIT(pthread_cond_clockwait, m, ct_real.pthread_cond_clockwait(c, m, clock, until));
}

CT_EXPORT_CURRENT(ct_cond_signal, pthread_cond_signal, "GLIBC_2.3.2")
int ct_cond_signal(pthread_cond_t *c)
{
	CT_WAKE(int, pthread_cond_signal, CT_CAUSE_COND, c, ct_cond_waited(c), ct_real.pthread_cond_signal(c));
}

CT_EXPORT_OLD(ct_cond_signal_compat, pthread_cond_signal)
int ct_cond_signal_compat(pthread_cond_t *c)
{
	ct_count(CT_CALL_pthread_cond_signal);
	return ct_real.pthread_cond_signal_compat(c);
}

CT_EXPORT_CURRENT(ct_cond_broadcast, pthread_cond_broadcast, "GLIBC_2.3.2")
int ct_cond_broadcast(pthread_cond_t *c)
{
	CT_WAKE(int, pthread_cond_broadcast, CT_CAUSE_COND, c, ct_cond_waited(c), ct_real.pthread_cond_broadcast(c));
}

CT_EXPORT_OLD(ct_cond_broadcast_compat, pthread_cond_broadcast)
int ct_cond_broadcast_compat(pthread_cond_t *c)
{
	ct_count(CT_CALL_pthread_cond_broadcast);
	return ct_real.pthread_cond_broadcast_compat(c);
}

/* To destroy one is to wait until the last waiter has left it. */
#define DESTROY(cond, DESTROY_) \
	do { \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_pthread_cond_destroy, CT_CAUSE_COND, CT_OBJECT_ADDRESS, cond); \
		int r_ = DESTROY_; \
		ct_end(&v, -r_); \
		return r_; \
	} while (0)

CT_EXPORT_CURRENT(ct_cond_destroy, pthread_cond_destroy, "GLIBC_2.3.2")
int ct_cond_destroy(pthread_cond_t *c)
{
	DESTROY(c, ct_real.pthread_cond_destroy(c));
}

CT_EXPORT_OLD(ct_cond_destroy_compat, pthread_cond_destroy)
int ct_cond_destroy_compat(pthread_cond_t *c)
{
	DESTROY(c, ct_real.pthread_cond_destroy_compat(c));
}
