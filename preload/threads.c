/* Threads: their start, end and names, and waiting for their end. */
#include "real.h"

#include <linux/seccomp.h>
#include <stdarg.h>

#include "record.h"
#include "seccomp.h"

void ct_thread_enter(struct ct_slot *slot, uint64_t here)
{
	uint64_t self = (uint64_t)pthread_self();

	/* A signal handler that runs before we have entered our slot claims none;
	 * one that ran before this line has claimed one, which we keep. */
	ct_thread.refused = 1;

	/* glibc puts the stack, the static TLS and the thread's descriptor into
	 * one block, in this order; the descriptor takes less than a page. */
	if (slot->stack_bytes && self > here && self - here < 65536) {
		ct_thread.stack_high = self;
		ct_thread.stack_low = self + 4096 - slot->stack_bytes;
	} else {
		ct_thread.stack_high = here + 16;
		ct_thread.stack_low = here - 8192;
	}
	if (ct_thread.slot) {
		ct_thread.slot->routine = slot->routine;
		ct_slot_release(slot);
	} else {
		ct_slot_enter(slot);
	}
	ct_thread.refused = 0;
}

void ct_thread_leave(void)
{
	/* Our slot may have changed hands if the thread forked. */
	if (ct_thread.slot)
		ct_slot_end(ct_thread.slot);
}

void ct_thread_exits(uint16_t call)
{
	struct ct_slot *slot = ct_self();

	if (!slot)
		return;
	ct_inc_local(&slot->calls[call]);
	/* The main thread may go on for others to end: its slot stays. */
	if (slot->routine)
		ct_slot_end(slot);
}

/* Where a traced thread starts. Its slot was reserved by its creator, so that
 * nothing is allocated for the hand-over. */
static void *thread_main(void *argument)
{
	struct ct_slot *slot = argument;
	void *(*routine)(void *) = (void *(*)(void *))slot->routine;
	void *routine_argument = (void *)slot->argument;

	ct_thread_enter(slot, (uint64_t)__builtin_frame_address(0));
	void *result = routine(routine_argument);

	ct_thread_leave();
	return result;
}

static uint64_t stack_bytes(const pthread_attr_t *given)
{
	size_t size = 0;

	if (!given)
		return ct_state.default_stack_bytes;
	return pthread_attr_getstacksize(given, &size) ? 0 : size;
}

CT_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
			     void *argument)
{
	ct_count(CT_CALL_pthread_create);
	struct ct_slot *slot = ct_slot_reserve();

	if (!slot)
		return ct_real.pthread_create(thread, attributes, routine, argument);
	slot->routine = (uint64_t)routine;
	slot->argument = (uint64_t)argument;
	slot->stack_bytes = stack_bytes(attributes);
	int r = ct_real.pthread_create(thread, attributes, thread_main, slot);

	if (r)
		ct_slot_release(slot);
	return r;
}

CT_EXPORT void pthread_exit(void *result)
{
	ct_thread_exits(CT_CALL_pthread_exit);
	ct_real.pthread_exit(result);
	__builtin_unreachable();
}

#define JOIN(call, JOIN_) \
	do { \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##call, CT_CAUSE_JOIN, CT_OBJECT_THREAD, thread); \
		int r_ = JOIN_; \
		ct_end(&v, -r_); \
		return r_; \
	} while (0)

CT_EXPORT int pthread_join(pthread_t thread, void **result)
{
	JOIN(pthread_join, ct_real.pthread_join(thread, result));
}

CT_EXPORT int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
	JOIN(pthread_timedjoin_np, ct_real.pthread_timedjoin_np(thread, result, until));
}

CT_EXPORT int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
				   const struct timespec *until)
{
	JOIN(pthread_clockjoin_np, ct_real.pthread_clockjoin_np(thread, result, clock, until));
}

CT_EXPORT int pthread_tryjoin_np(pthread_t thread, void **result)
{
	ct_count(CT_CALL_pthread_tryjoin_np);
	return ct_real.pthread_tryjoin_np(thread, result);
}

CT_EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
	int r = ct_real.pthread_setname_np(thread, name);
	struct ct_slot *slot = ct_self();

	if (slot) {
		ct_inc_local(&slot->calls[CT_CALL_pthread_setname_np]);
		/* Another thread's name reaches the collector through /proc. */
		if (!r && pthread_equal(thread, pthread_self()))
			ct_slot_name(slot, name);
	}
	return r;
}

CT_EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_SECCOMP)
		ct_before_seccomp(a[0] == SECCOMP_MODE_STRICT);
	else if (option == PR_SET_TSC && a[0] == PR_TSC_SIGSEGV)
		ct_thread_stop();
	int r = ct_real.prctl(option, a[0], a[1], a[2], a[3]);
	struct ct_slot *slot = ct_self();

	if (slot) {
		ct_inc_local(&slot->calls[CT_CALL_prctl]);
		if (!r && option == PR_SET_NAME)
			ct_slot_name(slot, (const char *)a[0]);
	}
	return r;
}
