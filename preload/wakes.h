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

/* To signal a condition can be to wait, for those whom an earlier signal woke
 * and who have not left yet: the call is then an interval as well. */
void ct_write_waiting_wake(uint16_t call, uint8_t cause, const void *object, uint64_t start);

/* The one of a call that has sent a signal: aux as in CT_SENT_GROUP. */
void ct_write_sent(struct ct_slot *slot, uint16_t call, enum ct_object_kind kind, uint64_t object, uint64_t aux,
		   uint64_t start);
uint64_t ct_sent_to(int64_t pid, int signal, uint64_t *ret_aux);

/* Lets rseq watch the call; not in a handler that interrupted another. */
static inline bool ct_watch(uint8_t cause)
{
	const struct ct_slot *slot = ct_thread.slot;

	if (!slot || !ct_is_quick(cause) || slot->wait.call)
		return false;
	ct_rseq_arm();
	return true;
}

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
		if (CT_LIKELY(!(waited)) || ct_is_off(cause)) \
			return WAKE_; \
		bool watched_ = ct_watch(cause); \
		uint64_t wake_start_ = ct_ticks(); \
		type r_ = WAKE_; \
		if (CT_UNLIKELY(watched_ && ct_rseq_left())) \
			ct_write_waiting_wake(CT_CALL_##call, cause, object, wake_start_); \
		ct_write_wake(CT_CALL_##call, cause, object, wake_start_, 0); \
		return r_; \
	} while (0)

#pragma GCC visibility pop

#endif
