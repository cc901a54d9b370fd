/* Waiting for signals. */
#include "real.h"
#include "record.h"

#define WAIT(symbol, call, result, parameters, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_SIGNAL, CT_OBJECT_NONE, 0); \
		int r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, result); \
		return r; \
	}

WAIT(sigwait, sigwait, -r, (const sigset_t *set, int *signal), set, signal)
WAIT(sigwaitinfo, sigwaitinfo, CT_RESULT(r), (const sigset_t *set, siginfo_t *info), set, info)
WAIT(sigtimedwait, sigtimedwait, CT_RESULT(r),
     (const sigset_t *set, siginfo_t *info, const struct timespec *timeout), set, info, timeout)
WAIT(sigsuspend, sigsuspend, CT_RESULT(r), (const sigset_t *set), set)
WAIT(__sigsuspend, sigsuspend, CT_RESULT(r), (const sigset_t *set), set)
WAIT(pause, pause, CT_RESULT(r), (void), )
WAIT(__xpg_sigpause, sigsuspend, CT_RESULT(r), (int sig), sig)
WAIT(__sigpause, sigsuspend, CT_RESULT(r), (int mask, int is_sig), mask, is_sig)

/* The header makes sigpause another name of __xpg_sigpause. */
CT_EXPORT int ct_sigpause(int mask) __asm__("sigpause");
int ct_sigpause(int mask)
{
	struct ct_interval v;

	ct_begin_wait(&v, CT_CALL_sigsuspend, CT_CAUSE_SIGNAL, CT_OBJECT_NONE, 0);
	int r = ct_real.sigpause(mask);

	ct_end(&v, CT_RESULT(r));
	return r;
}
