/*
 * Wakes: who ends other threads' waits. A call that does so is written, with its
 * stack, when somebody waits: then it makes a system call anyway. Whether
 * somebody does is read from glibc's own counts of waiters:
 * nptl/pthread_cond_common.c, sysdeps/nptl/internaltypes.h (struct new_sem).
 */
#ifndef CT_WAKES_H
#define CT_WAKES_H

#include <pthread.h>
#include <semaphore.h>

#include "record.h"

#pragma GCC visibility push(hidden)

/* Writes the WAKE event of a call that began at start; woken: how many, 0 if not known. */
void ct_write_wake(uint16_t call, uint8_t cause, const void *object, uint64_t start, int64_t woken);

static inline bool ct_cond_waited(const pthread_cond_t *c)
{
	return ct_load(&c->__data.__wrefs) >> 3 != 0;
}

static inline bool ct_sem_waited(const sem_t *s)
{
	return ct_load((const uint64_t *)s) >> 32 != 0;
}

/* Makes the call WAKE_, whose value is type r. waited: whether somebody waits. */
#define CT_WAKE(type, call, cause, object, waited, WAKE_) \
	do { \
		ct_count(CT_CALL_##call); \
		if (CT_LIKELY(!(waited))) \
			return WAKE_; \
		uint64_t wake_start_ = ct_ticks(); \
		type r_ = WAKE_; \
		ct_write_wake(CT_CALL_##call, cause, object, wake_start_, 0); \
		return r_; \
	} while (0)

#pragma GCC visibility pop

#endif
