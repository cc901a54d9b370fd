/*
 * syscall(): how Rust's standard library, libstdc++'s atomic wait and many own
 * locks reach the futex. Anything but a futex call is passed on by a jump: a
 * child that clone() or vfork() returns in must find the stack as it was.
 */
#include "real.h"

#include <linux/futex.h>
#include <linux/seccomp.h>

#include "record.h"
#include "seccomp.h"

long ct_syscall_futex(long number, uint32_t *word, long op, long value, const struct timespec *timeout,
		      uint32_t *word2, long value3);

long ct_syscall_seccomp(long number, long a, long b, long c, long d, long e);

__attribute__((naked)) CT_EXPORT long syscall(__attribute__((unused)) long number, ...)
{
	__asm__("cmpl %0, %%edi\n\t"
		"je ct_syscall_futex\n\t"
		"cmpl %2, %%edi\n\t"
		"je ct_syscall_seccomp\n\t"
		"cmpl %3, %%edi\n\t"
		"je ct_syscall_seccomp\n\t"
		"lea ct_real(%%rip), %%r11\n\t"
		"jmp *%c1(%%r11)"
		:
		: "i"(SYS_futex), "i"(offsetof(struct ct_real, syscall)), "i"(SYS_seccomp), "i"(SYS_prctl));
}

void ct_before_seccomp(bool strict)
{
	ct_state.no_syscalls = 1;
	if (strict)
		ct_thread_stop();
}

/* seccomp(operation, ...) or prctl(option, mode, ...), as libseccomp calls them. */
__attribute__((visibility("hidden"))) long ct_syscall_seccomp(long number, long a, long b, long c, long d, long e)
{
	if (number == SYS_seccomp && (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER))
		ct_before_seccomp(a == SECCOMP_SET_MODE_STRICT);
	else if (number == SYS_prctl && a == PR_SET_SECCOMP)
		ct_before_seccomp(b == SECCOMP_MODE_STRICT);
	else if (number == SYS_prctl && a == PR_SET_TSC && b == PR_TSC_SIGSEGV)
		ct_thread_stop();
	return ct_real.syscall(number, a, b, c, d, e);
}


static bool waits(long op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return true;
	}
	return false;
}

__attribute__((visibility("hidden"))) long ct_syscall_futex(long number, uint32_t *word, long op, long value,
							     const struct timespec *timeout, uint32_t *word2,
							     long value3)
{
	struct ct_interval v;

	if (!waits(op)) {
		ct_count(CT_CALL_syscall);
		return ct_real.syscall(number, word, op, value, timeout, word2, value3);
	}
	ct_begin_wait(&v, CT_CALL_syscall, CT_CAUSE_FUTEX, CT_OBJECT_ADDRESS, word);
	long r = ct_real.syscall(number, word, op, value, timeout, word2, value3);

	ct_end(&v, CT_RESULT(r));
	return r;
}
