/* What programs that know who ends their waits say of them: see tests/run_wakers.py. */
#ifndef TOLD_H
#define TOLD_H

#include "case.h"

/* Says what a report must know. site: NULL where the waker is in no call that is recorded. */
static void told(const char *waiter, const char *waker, const char *cause, const char *wait_site,
		 const char *wake_site, uint64_t count, bool kernel)
{
	printf("{\"waiter\":\"%s\",\"waker\":\"%s\",\"cause\":\"%s\",\"wait_site\":\"%s\",\"wake_site\":\"%s\","
	       "\"count\":%" PRIu64 ",\"kernel\":%s}\n",
	       waiter, waker, cause, wait_site, wake_site ? wake_site : "", count, kernel ? "true" : "false");
}

#endif
