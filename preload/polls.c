/*
 * Waiting for one of several descriptors. The object is the descriptor where
 * there is one; a list of several has none.
 */
#include "real.h"
#include "record.h"

/* FOUND runs after a successful call: only then is it known that the program's
 * pointers may be followed. */
#define POLLS(symbol, call, object_kind, object, found, parameters, ...) \
	CT_SILENT(int, symbol, call, CT_CAUSE_POLL, object_kind, object, CT_RESULT(r), parameters, __VA_ARGS__) \
	CT_ON int symbol##_on parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_POLL, object_kind, object); \
		int r = ct_real.symbol(__VA_ARGS__); \
		if (r >= 0) { \
			found; \
		} \
		/* The next call says what was found. */ \
		if (CT_UNLIKELY(v.slot && ct_rseq_left())) \
			ct_thread.polled = r > 0; \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	} \
	CT_EITHER(int, symbol, CT_CAUSE_POLL, parameters, __VA_ARGS__)

/* The compiler thinks that poll only writes the list. */
static void found_one(struct ct_interval *v, const struct pollfd *list)
{
	__asm__("" : "+r"(list));
	v->object_kind = CT_OBJECT_FD;
	v->object = (uint32_t)list->fd;
}

#define POLL(symbol, call, parameters, ...) \
	POLLS(symbol, call, CT_OBJECT_NONE, 0, if (n == 1) found_one(&v, list), parameters, __VA_ARGS__)
#define SELECT(symbol, call, parameters, ...) \
	POLLS(symbol, call, CT_OBJECT_NONE, 0, (void)0, parameters, __VA_ARGS__)
#define EPOLL(symbol, parameters, ...) \
	POLLS(symbol, symbol, CT_OBJECT_FD, (uint32_t)fd, (void)0, parameters, __VA_ARGS__)

POLL(poll, poll, (struct pollfd *list, nfds_t n, int timeout), list, n, timeout)
POLL(__poll, poll, (struct pollfd *list, nfds_t n, int timeout), list, n, timeout)
POLL(__poll_chk, poll, (struct pollfd *list, nfds_t n, int timeout, size_t room), list, n, timeout, room)
POLL(ppoll, ppoll, (struct pollfd *list, nfds_t n, const struct timespec *timeout, const sigset_t *mask), list,
     n, timeout, mask)
POLL(__ppoll_chk, ppoll,
     (struct pollfd *list, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t room), list, n,
     timeout, mask, room)
SELECT(select, select, (int n, fd_set *r_, fd_set *w, fd_set *e, struct timeval *timeout), n, r_, w, e, timeout)
SELECT(__select, select, (int n, fd_set *r_, fd_set *w, fd_set *e, struct timeval *timeout), n, r_, w, e,
       timeout)
SELECT(pselect, pselect,
       (int n, fd_set *r_, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask), n, r_, w,
       e, timeout, mask)
EPOLL(epoll_wait, (int fd, struct epoll_event *list, int n, int timeout), fd, list, n, timeout)
EPOLL(epoll_pwait, (int fd, struct epoll_event *list, int n, int timeout, const sigset_t *mask), fd, list, n,
      timeout, mask)
EPOLL(epoll_pwait2,
      (int fd, struct epoll_event *list, int n, const struct timespec *timeout, const sigset_t *mask), fd, list,
      n, timeout, mask)
