/*
 * longjmp out of a signal handler leaves the wait that the signal interrupted:
 * it ends here, and no wrapper will say so.
 */
#include "real.h"
#include "arch.h"
#include "record.h"

static bool on_own_stack(uint64_t address)
{
	return address >= ct_thread.stack_low && address < ct_thread.stack_high;
}

static void leave_wait(const struct __jmp_buf_tag *env)
{
	struct ct_slot *slot = ct_thread.slot;

	if (!slot || !slot->wait.call)
		return;
	uint64_t sp = ct_arch_jump_sp(env), frame = slot->wait.frame;

	if (on_own_stack(sp) && on_own_stack(frame) && sp > frame)
		ct_leave_wait(slot);
}

#define JUMP(symbol) \
	CT_EXPORT void symbol(struct __jmp_buf_tag env[1], int value) \
	{ \
		leave_wait(env); \
		ct_real.symbol(env, value); \
		__builtin_unreachable(); \
	}

JUMP(longjmp)
JUMP(_longjmp)
JUMP(siglongjmp)
JUMP(__longjmp_chk)
