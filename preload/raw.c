/*
 * syscall(): how Rust's standard library, libstdc++'s atomic wait and many own
 * locks reach the futex. Anything but a futex call is passed on by a jump: a
 * child that clone() or vfork() returns in must find the stack as it was.
 */
#include "real.h"

#include <linux/futex.h>

#include "record.h"

long ct_syscall_futex(long number, uint32_t *word, long op, long value, const struct timespec *timeout,
		      uint32_t *word2, long value3);

__attribute__((naked)) CT_EXPORT long syscall(__attribute__((unused)) long number, ...)
{
	__asm__("cmpl %0, %%edi\n\t"
		"je ct_syscall_futex\n\t"
		"lea ct_real(%%rip), %%r11\n\t"
		"jmp *%c1(%%r11)"
		:
		: "i"(SYS_futex), "i"(offsetof(struct ct_real, syscall)));
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
