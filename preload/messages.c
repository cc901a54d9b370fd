/* Message queues and System V semaphores. */
#include "real.h"
#include "record.h"

#define WAIT(symbol, cause, object_kind, object, type, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##symbol, cause, object_kind, object); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}
#define SYSV CT_OBJECT_ID
#define QUEUE CT_CAUSE_MSGQUEUE

WAIT(semop, CT_CAUSE_SEMAPHORE, SYSV, (uint32_t)id, int, (int id, struct sembuf *list, size_t n), id, list, n)
WAIT(semtimedop, CT_CAUSE_SEMAPHORE, SYSV, (uint32_t)id, int,
     (int id, struct sembuf *list, size_t n, const struct timespec *timeout), id, list, n, timeout)
WAIT(msgsnd, QUEUE, SYSV, (uint32_t)id, int, (int id, const void *p, size_t n, int flags), id, p, n, flags)
WAIT(msgrcv, QUEUE, SYSV, (uint32_t)id, ssize_t, (int id, void *p, size_t n, long type_, int flags), id, p, n,
     type_, flags)
WAIT(mq_send, QUEUE, CT_OBJECT_FD, (uint32_t)q, int, (mqd_t q, const char *p, size_t n, unsigned priority), q, p,
     n, priority)
WAIT(mq_timedsend, QUEUE, CT_OBJECT_FD, (uint32_t)q, int,
     (mqd_t q, const char *p, size_t n, unsigned priority, const struct timespec *until), q, p, n, priority, until)
WAIT(mq_receive, QUEUE, CT_OBJECT_FD, (uint32_t)q, ssize_t, (mqd_t q, char *p, size_t n, unsigned *priority), q, p,
     n, priority)
WAIT(mq_timedreceive, QUEUE, CT_OBJECT_FD, (uint32_t)q, ssize_t,
     (mqd_t q, char *p, size_t n, unsigned *priority, const struct timespec *until), q, p, n, priority, until)
