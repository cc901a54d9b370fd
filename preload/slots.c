/* Thread slots: how a thread gets one without a lock. */
#include "held.h"
#include "late.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NONE_FREE UINT32_MAX /* as slot_hint */

__thread struct ct_thread ct_thread;

static struct ct_slot *take(struct ct_region *r, uint32_t i)
{
	uint32_t free = CT_SLOT_FREE, used = ct_load(&r->slots_used);

	if (ct_load(&r->slot_state[i]) != CT_SLOT_FREE || !ct_map_slot(i) ||
	    !ct_cas(&r->slot_state[i], &free, CT_SLOT_CLAIMED))
		return NULL;
	while (used < i + 1 && !ct_cas(&r->slots_used, &used, i + 1))
		;
	/* What is below was taken a moment ago. The collector lowers the hint
	 * when it frees a slot; where that is lost, a search follows. */
	ct_store(&r->slot_hint, i + 1);

	struct ct_slot *slot = ct_slot_at(i);

	slot->index = i;
	slot->pthread = slot->routine = slot->argument = slot->stack_bytes = 0;
	slot->end = slot->cpu_ns = 0;
	slot->wait.call = CT_CALL_NONE;
	return slot;
}

struct ct_slot *ct_slot_reserve(void)
{
	struct ct_region *r = ct_state.region;
	struct ct_slot *slot;

	if (!r || !r->slot_count || ct_state.stopped || ct_thread.no_clock)
		return NULL;
	uint32_t hint = ct_load(&r->slot_hint);

	/* All were taken, and none was given back since. */
	if (hint == NONE_FREE) {
		ct_fetch_add(&r->threads_lost, 1);
		return NULL;
	}
	for (uint32_t n = 0; n < r->slot_count; n++)
		if ((slot = take(r, (hint + n) % r->slot_count)))
			return slot;
	ct_cas(&r->slot_hint, &hint, NONE_FREE);
	ct_fetch_add(&r->threads_lost, 1);
	return NULL;
}

static uint32_t *state_of(struct ct_slot *slot)
{
	return &ct_state.region->slot_state[slot->index % CT_SLOTS_MAX];
}

void ct_slot_release(struct ct_slot *slot)
{
	ct_store_release(state_of(slot), CT_SLOT_FREE);
	ct_store(&ct_state.region->slot_hint, 0);
}

void ct_slot_name(struct ct_slot *slot, const char *name)
{
	size_t i = 0;

	for (; i < CT_NAME - 1 && name[i]; i++)
		slot->name[i] = name[i];
	slot->name[i] = 0;
}

static uint32_t own_tid(void)
{
	if (ct_state.no_syscalls && ct_state.tid_offset)
		return *(uint32_t *)((char *)__builtin_thread_pointer() + ct_state.tid_offset);
	return (uint32_t)ct_sys(SYS_gettid, 0);
}

void ct_slot_enter(struct ct_slot *slot)
{
	char name[CT_NAME + 1] = "";

	slot->tid = own_tid();
	slot->start = ct_ticks();
	slot->pthread = (uint64_t)pthread_self();
	/* Without a name the collector looks into /proc. */
	if (!ct_state.no_syscalls)
		ct_sys(SYS_prctl, PR_GET_NAME, name);
	ct_slot_name(slot, name);
	ct_store_release(state_of(slot), CT_SLOT_LIVE);
	ct_thread.slot = slot;
}

/* Of a thread that was there before us. Glibc puts a stack and the thread's descriptor into one
 * mapping; who runs on another stack, as a coroutine does, is in another one. */
static void find_stack(uint64_t here)
{
	uint64_t self = (uint64_t)pthread_self(), start, end;
	int protection;

	if (ct_state.no_syscalls || here >= self || !ct_mapping_at(here, &start, &end, &protection))
		return;
	if (protection != (PROT_READ | PROT_WRITE) || self < start || self >= end)
		return;
	ct_thread.stack_low = start;
	ct_thread.stack_high = self;
}

/* A thread whose creation we did not see: main, or made by other means. */
CT_COLD struct ct_slot *ct_slot_claim(void)
{
	if (!ct_state.region || ct_state.stopped || ct_thread.refused || ct_thread.no_clock)
		return NULL;
	/* Set while we are here, for a signal handler that comes in between. */
	ct_thread.refused = 1;
	struct ct_slot *slot = ct_slot_reserve();

	if (!slot) {
		if (ct_state.stopped) /* at this moment; another time there may be one */
			ct_thread.refused = 0;
		return NULL;
	}
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	if (here >= ct_state.main_stack_low && here < ct_state.main_stack_high) {
		ct_thread.stack_low = ct_state.main_stack_low;
		ct_thread.stack_high = ct_state.main_stack_high;
	} else if (ct_state.late) {
		find_stack(here);
	}
	ct_slot_enter(slot);
	ct_thread.refused = 0;
	return slot;
}

void ct_slot_end(struct ct_slot *slot)
{
	struct timespec t;

	if (!ct_state.no_syscalls && !ct_sys(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t))
		slot->cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	ct_held_end(slot);
	slot->end = ct_ticks();
	ct_store_release(state_of(slot), CT_SLOT_ENDED);
}

void ct_thread_stop(void)
{
	struct ct_slot *slot = ct_thread.slot;

	ct_thread.no_clock = 1;
	if (!slot)
		return;
	ct_thread.slot = ct_thread.heap_slot = NULL;
	ct_slot_end(slot);
}
