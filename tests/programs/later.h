/* A peer that does something after a while, when the thread under test waits. */
#ifndef LATER_H
#define LATER_H

#include "case.h"

#define LATER (60 * MS)

static inline void *late(void *act)
{
	name_me("peer");
	pause_ns(LATER);
	((void (*)(void))(uintptr_t)act)();
	return NULL;
}

static inline pthread_t later(void (*act)(void))
{
	return start(late, (void *)(uintptr_t)act);
}

static inline void join(pthread_t t)
{
	MUST(!pthread_join(t, NULL));
}

#endif
