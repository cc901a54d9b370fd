/*
 * C11 threads. glibc's versions do not pass through the pthread functions that
 * a preload can see; mtx_t and cnd_t are pthread_mutex_t and pthread_cond_t.
 */
#include "held.h"
#include "real.h"
#include "wakes.h"

#define MUTEX(m) ((pthread_mutex_t *)(m))

/* A lock that is free, or ours already, costs a count. */
#define LOCK(call, LOCK_) \
	do { \
		struct ct_interval v; \
		struct ct_slot *slot = ct_self(); \
		if (slot && ct_real.mtx_trylock(m) == thrd_success) { \
			ct_mutex_got(slot, CT_CALL_##call, MUTEX(m), __builtin_return_address(0)); \
			return thrd_success; \
		} \
		const void *ip_ = __builtin_return_address(0); \
		struct ct_mutex_wait w = ct_mutex_begin(&v, CT_CALL_##call, MUTEX(m), ip_); \
		int r = LOCK_; \
		ct_mutex_end(&v, w, MUTEX(m), ip_, r); \
		return r; \
	} while (0)

CT_EXPORT int mtx_lock(mtx_t *m)
{
	LOCK(mtx_lock, ct_real.mtx_lock(m));
}

CT_EXPORT int mtx_timedlock(mtx_t *m, const struct timespec *until)
{
	LOCK(mtx_timedlock, ct_real.mtx_timedlock(m, until));
}

CT_EXPORT int mtx_trylock(mtx_t *m)
{
	int r = ct_real.mtx_trylock(m);
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		if (r == thrd_success)
			ct_mutex_got(slot, CT_CALL_mtx_trylock, MUTEX(m), __builtin_return_address(0));
		else
			ct_inc_local(&slot->calls[CT_CALL_mtx_trylock]);
	}
	return r;
}

static CT_COLD int mtx_unlock_hot(struct ct_slot *slot, mtx_t *m)
{
	struct ct_release release;
	bool tells = ct_held_tells(slot, MUTEX(m)) && ct_held_once(slot, MUTEX(m));

	if (tells)
		ct_held_release(slot, MUTEX(m), &release);
	int r = ct_real.mtx_unlock(m);

	if (tells)
		ct_held_released(slot, MUTEX(m), CT_CALL_mtx_unlock, 0, &release);
	return r;
}

CT_EXPORT int mtx_unlock(mtx_t *m)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL)) {
		ct_inc_local(&slot->calls[CT_CALL_mtx_unlock]);
		ct_taken_leave(slot, CT_CALL_mtx_unlock, m);
		if (CT_UNLIKELY(ct_hot_maybe(m)))
			return mtx_unlock_hot(slot, m);
	}
	return ct_real.mtx_unlock(m);
}

#define WAIT(call, cause, object_kind, object, WAIT_) \
	do { \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, cause, object_kind, object); \
		int r = WAIT_; \
		ct_end(&v, r); \
		return r; \
	} while (0)

/* As in conds.c. */
#define COND_WAIT(call, WAIT_) \
	do { \
		struct ct_interval v; \
		if (CT_LIKELY(ct_prepare(&v, CT_CALL_##call, CT_CAUSE_COND, CT_OBJECT_ADDRESS, (uint64_t)c))) { \
			v.aux = (uint64_t)m; \
			v.stack = ct_stack(v.slot); \
			if (CT_UNLIKELY(ct_hot_maybe(m))) \
				ct_mutex_leave(&v, CT_CALL_##call, MUTEX(m)); \
			ct_start(&v, __builtin_return_address(0)); \
		} else { \
			ct_mutex_leave_silent(MUTEX(m)); \
		} \
		int r = WAIT_; \
		uint64_t now = ct_end(&v, r); \
		if (v.slot && CT_UNLIKELY(ct_hot_maybe(m))) \
			ct_held_waited(v.slot, m, now, true); \
		if (v.slot && v.slot == ct_thread.slot) \
			ct_taken_again(v.slot, m, __builtin_return_address(0)); \
		return r; \
	} while (0)

CT_EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
	COND_WAIT(cnd_wait, ct_real.cnd_wait(c, m));
}

CT_EXPORT int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until)
{
	COND_WAIT(cnd_timedwait, ct_real.cnd_timedwait(c, m, until));
}

#define WAITED(c) ct_cond_waited((const pthread_cond_t *)(c))

CT_EXPORT int cnd_signal(cnd_t *c)
{
	CT_WAKE(int, cnd_signal, CT_CAUSE_COND, c, WAITED(c), ct_real.cnd_signal(c));
}

CT_EXPORT int cnd_broadcast(cnd_t *c)
{
	CT_WAKE(int, cnd_broadcast, CT_CAUSE_COND, c, WAITED(c), ct_real.cnd_broadcast(c));
}

CT_EXPORT void cnd_destroy(cnd_t *c)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_cnd_destroy, CT_CAUSE_COND, CT_OBJECT_ADDRESS, c);
	ct_real.cnd_destroy(c);
	ct_end(&v, 0);
}

static int thread_main(void *argument)
{
	struct ct_slot *slot = argument;
	int (*routine)(void *) = (int (*)(void *))slot->routine;
	void *routine_argument = (void *)slot->argument;

	ct_thread_enter(slot, (uint64_t)__builtin_frame_address(0));
	int result = routine(routine_argument);

	ct_thread_leave();
	return result;
}

CT_EXPORT int thrd_create(thrd_t *thread, thrd_start_t routine, void *argument)
{
	ct_count(CT_CALL_thrd_create);
	struct ct_slot *slot = ct_slot_reserve();

	if (!slot)
		return ct_real.thrd_create(thread, routine, argument);
	slot->routine = (uint64_t)routine;
	slot->argument = (uint64_t)argument;
	slot->stack_bytes = ct_state.default_stack_bytes;
	int r = ct_real.thrd_create(thread, thread_main, slot);

	if (r != thrd_success)
		ct_slot_release(slot);
	return r;
}

CT_EXPORT void thrd_exit(int result)
{
	ct_thread_exits(CT_CALL_thrd_exit);
	ct_real.thrd_exit(result);
	__builtin_unreachable();
}

CT_EXPORT int thrd_join(thrd_t thread, int *result)
{
	WAIT(thrd_join, CT_CAUSE_JOIN, CT_OBJECT_THREAD, thread, ct_real.thrd_join(thread, result));
}

CT_EXPORT int thrd_sleep(const struct timespec *want, struct timespec *left)
{
	WAIT(thrd_sleep, CT_CAUSE_SLEEP, CT_OBJECT_NONE, 0, ct_real.thrd_sleep(want, left));
}

/*
 * --- once: whoever comes while another thread runs the initialiser waits. Who
 * runs it does not: its own time is the initialiser's. So a wait begins only
 * where one is running already; glibc counts in the word (nptl/pthread_once.c):
 * bit 0 running, bit 1 done.
 */
#define ONCE_RUNNING 1

#define ONCE_DONE    2

static inline bool runs(const int *once)
{
	return (ct_load_acquire(once) & 3) == ONCE_RUNNING;
}

/* Runs ONCE_, which may run the initialiser: then those that wait for it go on. */
#define INITIALISE(call, word, ONCE_) \
	do { \
		bool done_ = ct_load_acquire(word) & ONCE_DONE; \
		ct_count(CT_CALL_##call); \
		ONCE_; \
		if (CT_UNLIKELY(!done_)) \
			ct_write_wake(CT_CALL_##call, CT_CAUSE_ONCE, word, ct_ticks(), 0); \
	} while (0)

CT_EXPORT void call_once(once_flag *once, void (*routine)(void))
{
	struct ct_interval v;

	if (CT_LIKELY(!runs(&once->__data))) {
		INITIALISE(call_once, &once->__data, ct_real.call_once(once, routine));
		return;
	}
	ct_begin_wait(&v, CT_CALL_call_once, CT_CAUSE_ONCE, CT_OBJECT_ADDRESS, once);
	ct_real.call_once(once, routine);
	ct_end(&v, 0);
}

CT_EXPORT int pthread_once(pthread_once_t *once, void (*routine)(void))
{
	struct ct_interval v;
	int r;

	if (CT_LIKELY(!runs(once))) {
		INITIALISE(pthread_once, once, r = ct_real.pthread_once(once, routine));
		return r;
	}
	ct_begin_wait(&v, CT_CALL_pthread_once, CT_CAUSE_ONCE, CT_OBJECT_ADDRESS, once);
	r = ct_real.pthread_once(once, routine);

	ct_end(&v, r);
	return r;
}
