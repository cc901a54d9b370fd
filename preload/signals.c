/* Waiting for signals, and sending them, which ends others' waits. */
#include "real.h"
#include "record.h"
#include "wakes.h"

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

/* --- senders: who receives a signal may wait in any call, so each one is told of --- */

CT_COLD void ct_write_sent(struct ct_slot *slot, uint16_t call, enum ct_object_kind kind, uint64_t object, uint64_t aux,
			   uint64_t start)
{
	/* A handler may have forked meanwhile. */
	if (slot != ct_thread.slot)
		return;
	/* Signals in quick succession are one to who waits for them, or end waits that are too
	 * short to be recorded. They would fill the ring. */
	if (ct_thread.sent.object == object && ct_thread.sent.aux == aux &&
	    start - ct_thread.sent.at < ct_load(&ct_live.min_ticks))
		return;
	ct_thread.sent.object = object;
	ct_thread.sent.aux = aux;
	ct_thread.sent.at = start;
	struct ct_event e = {
		.start = start,
		.end = ct_ticks(),
		.object = object,
		.aux = aux,
		.stack = ct_stack(slot),
		.call = call,
		.kind = CT_EVENT_WAKE,
		.cause = CT_CAUSE_SIGNAL,
		.object_kind = (uint8_t)kind,
	};

	ct_write_event(slot, &e);
}

/* The object and aux of a signal that kill() sends to pid. */
uint64_t ct_sent_to(int64_t pid, int signal, uint64_t *ret_aux)
{
	*ret_aux = (uint32_t)signal | (pid > 0 ? 0 : CT_SENT_GROUP);
	if (pid > 0)
		return (uint64_t)pid;
	if (pid < 0)
		return pid == -1 ? 0 : (uint64_t)-pid;
	long group = ct_state.no_syscalls ? 0 : ct_sys(SYS_getpgid, 0);

	return group > 0 ? (uint64_t)group : 0;
}

/* Signal 0 only asks. The signal may be for the caller: what it does has been done when SEND_
 * returns, if it does. */
#define SEND(call, signal, kind, object, aux, SEND_) \
	do { \
		struct ct_slot *slot = ct_self(); \
		ct_count(CT_CALL_##call); \
		if (!slot || !(signal)) \
			return SEND_; \
		uint64_t start_ = ct_ticks(); \
		int r_ = SEND_; \
		if (r_ == 0) \
			ct_write_sent(slot, CT_CALL_##call, kind, object, aux, start_); \
		return r_; \
	} while (0)

CT_EXPORT int kill(pid_t pid, int signal)
{
	uint64_t aux, object = ct_sent_to(pid, signal, &aux);

	SEND(kill, signal, CT_OBJECT_PID, object, aux, ct_real.kill(pid, signal));
}

CT_EXPORT int killpg(pid_t group, int signal)
{
	uint64_t aux, object = ct_sent_to(-(int64_t)group, signal, &aux);

	SEND(killpg, signal, CT_OBJECT_PID, object, aux, ct_real.killpg(group, signal));
}

CT_EXPORT int tgkill(pid_t process, pid_t thread, int signal)
{
	SEND(tgkill, signal, CT_OBJECT_PID, (uint32_t)thread, (uint32_t)signal, ct_real.tgkill(process, thread, signal));
}

CT_EXPORT int sigqueue(pid_t pid, int signal, const union sigval value)
{
	SEND(sigqueue, signal, CT_OBJECT_PID, (uint32_t)pid, (uint32_t)signal, ct_real.sigqueue(pid, signal, value));
}

CT_EXPORT_CURRENT(ct_pthread_kill, pthread_kill, "GLIBC_2.34")
int ct_pthread_kill(pthread_t thread, int signal)
{
	SEND(pthread_kill, signal, CT_OBJECT_THREAD, (uint64_t)thread, (uint32_t)signal, ct_real.pthread_kill(thread, signal));
}

/* Answers ESRCH where the thread has ended. */
CT_EXPORT_OLD(ct_pthread_kill_compat, pthread_kill)
int ct_pthread_kill_compat(pthread_t thread, int signal)
{
	SEND(pthread_kill, signal, CT_OBJECT_THREAD, (uint64_t)thread, (uint32_t)signal,
	     ct_real.pthread_kill_compat(thread, signal));
}

CT_EXPORT int pthread_sigqueue(pthread_t thread, int signal, const union sigval value)
{
	SEND(pthread_sigqueue, signal, CT_OBJECT_THREAD, (uint64_t)thread, (uint32_t)signal,
	     ct_real.pthread_sigqueue(thread, signal, value));
}
