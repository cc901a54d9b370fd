/* POSIX semaphores and barriers. */
#include "real.h"
#include "record.h"
#include "wakes.h"

/* Not tried first: sem_wait acts on a pending cancellation even where it need
 * not wait, and an attempt that succeeds would not. */
#define WAIT(call, WAIT_) \
	do { \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_SEMAPHORE, CT_OBJECT_ADDRESS, s); \
		int r_ = WAIT_; \
		ct_end(&v, CT_RESULT(r_)); \
		return r_; \
	} while (0)

CT_EXPORT int sem_wait(sem_t *s)
{
	WAIT(sem_wait, ct_real.sem_wait(s));
}

CT_EXPORT int sem_trywait(sem_t *s)
{
	ct_count(CT_CALL_sem_trywait);
	return ct_real.sem_trywait(s);
}

CT_EXPORT int sem_timedwait(sem_t *s, const struct timespec *until)
{
	WAIT(sem_timedwait, ct_real.sem_timedwait(s, until));
}

CT_EXPORT int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
	WAIT(sem_clockwait, ct_real.sem_clockwait(s, clock, until));
}

CT_EXPORT int sem_post(sem_t *s)
{
	CT_WAKE(int, sem_post, CT_CAUSE_SEMAPHORE, s, ct_sem_waited(s), ct_real.sem_post(s));
}

CT_EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
	struct ct_interval v;

	ct_begin_wait(&v, CT_CALL_pthread_barrier_wait, CT_CAUSE_BARRIER, CT_OBJECT_ADDRESS, b);
	int r = ct_real.pthread_barrier_wait(b);

	/* Also of the one who did not wait: the last to come ended all waits. */
	ct_end_written(&v, r);
	return r;
}

/* Returns when the last of those that were released has left. */
CT_EXPORT int pthread_barrier_destroy(pthread_barrier_t *b)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_pthread_barrier_destroy, CT_CAUSE_BARRIER, CT_OBJECT_ADDRESS, b);
	int r = ct_real.pthread_barrier_destroy(b);

	ct_end(&v, -r);
	return r;
}
