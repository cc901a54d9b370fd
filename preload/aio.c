/* Waiting for asynchronous requests. */
#include "wrap.h"

#include <aio.h>

CT_WRAP(ct_begin_wait, CT_CAUSE_FILE, CT_OBJECT_NONE, 0, int, aio_suspend, aio_suspend, CT_RESULT(r),
	(const struct aiocb *const list[], int n, const struct timespec *timeout), list, n, timeout)
CT_WRAP(ct_begin_wait, CT_CAUSE_FILE, CT_OBJECT_NONE, 0, int, aio_suspend64, aio_suspend, CT_RESULT(r),
	(const struct aiocb64 *const list[], int n, const struct timespec *timeout), list, n, timeout)
CT_WRAP(ct_begin_wait, CT_CAUSE_DNS, CT_OBJECT_NONE, 0, int, gai_suspend, gai_suspend, r,
	(const struct gaicb *const list[], int n, const struct timespec *timeout), list, n, timeout)
