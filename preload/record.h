/*
 * The shape of every wrapper of a call that may block:
 *
 *	struct ct_interval v;
 *	ct_begin(&v, CT_CALL_read, CT_CAUSE_FILE, CT_OBJECT_FD, fd);
 *	ssize_t r = ct_real.read(fd, buf, n);
 *	ct_end(&v, r < 0 ? -errno : r);
 *
 * Nothing is held across the real call: cancellation, pthread_exit and longjmp
 * may skip ct_end. The wait then stays visible until the thread's next call or
 * end, which closes it.
 */
#ifndef CT_RECORD_H
#define CT_RECORD_H

#include <errno.h>

#include "state.h"

#pragma GCC visibility push(hidden)

struct ct_interval {
	struct ct_slot *slot; /* NULL: not traced, or not recorded */
	struct ct_slot *silent; /* where slot is NULL: whose wait is published, but not recorded; NULL: none */
	uint64_t start;
	uint64_t object, aux;
	uint32_t stack, owner;
	uint16_t call;
	uint8_t cause, object_kind, nested;
	uint8_t outer_left; /* nested only: the thread had left the CPU in the outer wait before */
	struct ct_wait outer; /* nested only: the wait that a signal handler interrupted */
};

/* Begins a call of a family that is off. Returns 0. */
int ct_prepare_silent(struct ct_interval *v, uint16_t call, uint8_t cause, uint8_t object_kind, uint64_t object);
/* Adds a stack, where the thread is about to block anyway. */
void ct_silent_stack(struct ct_interval *v);
/* Ends it: what is left of it since its family was switched on is recorded. */
void ct_end_silent(struct ct_interval *v, int64_t result);
/* Handles a wait that is still published: nested or abandoned. */
void ct_begin_nested(struct ct_interval *v);
/* The published wait ends now, without having returned. */
void ct_leave_wait(struct ct_slot *slot);
/* Publishes the wait again that v interrupted. left: the thread left the CPU in v. */
void ct_end_nested(struct ct_interval *v, int left);
/* Writes the interval, with its stack, and with its descriptor if it has one. */
void ct_write(struct ct_interval *v, uint64_t end, int left, int64_t result);
/* Finds out what v's descriptor is before the call, which will close it. */
void ct_identify(struct ct_interval *v);
/* Writes a call that was not timed but left the CPU: all that is known is that it ended now. */
void ct_write_left(struct ct_slot *slot, uint16_t call, uint8_t cause, uint8_t object_kind, uint64_t object,
		   int64_t result);
/* Writes a record of a kind of its own. */
void ct_write_event(struct ct_slot *slot, const struct ct_event *event);

static inline void ct_publish(struct ct_interval *v, const void *ip)
{
	struct ct_wait *w = &v->slot->wait;

	/* A handler that comes in between leaves seq even; ours is odd again
	 * after the next line, or the collector reads one torn wait. */
	ct_store(&w->seq, (w->seq + 1) | 1);
	ct_store(&w->call, CT_CALL_NONE);
	ct_fence_write();
	w->cause = v->cause;
	w->object_kind = v->object_kind;
	w->start = v->start;
	w->object = v->object;
	w->aux = v->aux;
	w->ip = (uint64_t)ip;
	w->frame = (uint64_t)v;
	w->stack = v->stack;
	w->owner = v->owner;
	ct_store_release(&w->call, v->call);
	ct_store_release(&w->seq, (w->seq | 1) + 1);
}

/* The parts of ct_begin, for wrappers that know more: set owner, aux or stack
 * between them. */
static inline int ct_prepare(struct ct_interval *v, uint16_t call, uint8_t cause, uint8_t object_kind,
			     uint64_t object)
{
	struct ct_slot *slot = ct_self();

	if (CT_UNLIKELY(slot && !*ct_state.alive)) {
		ct_forked();
		slot = ct_thread.slot;
	}
	v->slot = slot;
	if (CT_UNLIKELY(!slot)) {
		v->silent = NULL;
		return 0;
	}
	if (CT_UNLIKELY(ct_is_off(cause)))
		return ct_prepare_silent(v, call, cause, object_kind, object);
	ct_inc_local(&slot->calls[call]);
	v->object = object;
	v->aux = 0;
	v->stack = 0;
	v->owner = 0;
	v->call = call;
	v->cause = cause;
	v->object_kind = object_kind;
	v->nested = 0;
	if (CT_UNLIKELY(slot->wait.call))
		ct_begin_nested(v);
	return 1;
}

static inline void ct_start(struct ct_interval *v, const void *ip)
{
	/* Until here the field was the outer wait's: our own memory may have been
	 * touched for the first time, and a page fault can block. */
	if (CT_UNLIKELY(v->nested) && ct_rseq_left())
		v->outer_left = 1;
	/* Twice: after a fork this store is what faults, and waits for the fork to
	 * end; that must lie before the start. The one that counts comes last, when a
	 * handler that comes in between finds the wait published. */
	ct_rseq_arm();
	v->start = ct_ticks();
	ct_publish(v, ip);
	ct_rseq_arm();
}

#define ct_begin(v, call, cause, object_kind, object) \
	do { \
		if (CT_LIKELY(ct_prepare((v), (call), (cause), (object_kind), (uint64_t)(object)))) \
			ct_start((v), __builtin_return_address(0)); \
	} while (0)

/* For calls that wait by their nature: with the stack, so that a snapshot of a
 * program that hangs in it shows where. */
uint32_t ct_stack(struct ct_slot *slot);
/* The stack of which only the innermost frame is known. */
uint32_t ct_stack_of(uint64_t ip);
#define ct_begin_wait(v, call, cause, object_kind, object) \
	do { \
		if (CT_LIKELY(ct_prepare((v), (call), (cause), (object_kind), (uint64_t)(object)))) { \
			(v)->stack = ct_stack((v)->slot); \
			ct_start((v), __builtin_return_address(0)); \
		} \
	} while (0)

static inline void ct_count_short(struct ct_slot *slot, uint16_t call, uint64_t ticks)
{
	struct ct_short *s = &slot->short_[call];
	int bits = 64 - __builtin_clzll(ticks | 31);
	int bucket = bits - 5; /* 2^5 ticks and less: bucket 0 */

	if (bucket >= (int)CT_SHORT_BUCKETS)
		bucket = CT_SHORT_BUCKETS - 1;
	ct_add_local(&s->ticks, ticks);
	ct_inc_local32(&s->count[bucket]);
}

/* Ends the interval; those shorter than min that did not leave the CPU are counted only.
 * Returns when it ended, 0 where nothing is traced. */
static inline uint64_t ct_end_min(struct ct_interval *v, int64_t result, uint64_t min)
{
	struct ct_slot *slot = v->slot;

	if (CT_UNLIKELY(!slot)) {
		if (v->silent)
			ct_end_silent(v, result);
		return 0;
	}
	int left = ct_rseq_left();
	uint64_t end = ct_ticks();

	if (CT_UNLIKELY(v->nested))
		ct_end_nested(v, left);
	else
		ct_store(&slot->wait.call, CT_CALL_NONE);
	if (CT_LIKELY(!left && end - v->start < min)) {
		ct_count_short(slot, v->call, end - v->start);
		return end;
	}
	ct_write(v, end, left, result);
	return end;
}

static inline uint64_t ct_end(struct ct_interval *v, int64_t result)
{
	return ct_end_min(v, result, ct_load(&ct_live.min_ticks));
}

/* Where even a short call tells of others' waits. */
static inline void ct_end_written(struct ct_interval *v, int64_t result)
{
	ct_end_min(v, result, 0);
}

/* Whether calls with a cause are recorded, and rseq tells which left the CPU. */
static inline __attribute__((always_inline)) bool ct_is_quick(uint8_t cause)
{
	return !(ct_load(&ct_live.off) & (ct_family_bit(cause) | CT_LIVE_NO_RSEQ));
}

/* For calls that seldom block and are too short to be timed: counts the call and
 * lets rseq watch it. NULL where that can't be done: to be timed instead. */
static inline struct ct_slot *ct_begin_quick(uint16_t call, uint8_t cause)
{
	struct ct_slot *slot = ct_thread.slot;

	/* In a handler that interrupted a call its rseq field is not ours. */
	if (CT_UNLIKELY(!slot || !ct_is_quick(cause) || slot->wait.call))
		return NULL;
	ct_inc_local(&slot->calls[call]);
	ct_rseq_arm();
	return slot;
}

/*
 * A wrapper of a call that often returns at once has two functions, symbol_on and, for when
 * its family is off, symbol_silent, so that nothing is saved and restored for what is not
 * done: CT_EITHER defines the wrapper, which jumps to one of them, CT_SILENT the second.
 */
#define CT_SILENT(type, symbol, number, cause, object_kind, object, result, parameters, ...) \
	static __attribute__((noinline)) type symbol##_silent parameters \
	{ \
		struct ct_slot *slot_ = ct_silent_begin(CT_CALL_##number, cause, object_kind, (uint64_t)(object)); \
		type r = ct_real.symbol(__VA_ARGS__); \
		if (CT_LIKELY(slot_ && ct_is_off(cause) && slot_->wait.call == CT_CALL_##number)) \
			ct_store(&slot_->wait.call, CT_CALL_NONE); \
		else if (slot_) \
			ct_silent_switched(slot_, CT_CALL_##number, result); \
		return r; \
	}
#define CT_EITHER(type, symbol, cause, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		return CT_UNLIKELY(ct_is_off(cause)) ? symbol##_silent(__VA_ARGS__) : symbol##_on(__VA_ARGS__); \
	}
#define CT_ON static __attribute__((noinline))

/* Where it may not be published as it is: whether it may all the same. */
bool ct_silent_may(struct ct_slot *slot);
/* Ends such a call where its family was switched on meanwhile, or another one took its place. */
void ct_silent_switched(struct ct_slot *slot, uint16_t call, int64_t result);

/* call, cause and object_kind stand side by side in struct ct_wait, and are published at once. */
struct ct_what {
	uint16_t call;
	uint8_t cause, object_kind;
};

/* Publishes a wait without a start, in as few stores as it takes: what is not said here is
 * zero in every such wait. No sequence number: who begins and ends so fast that the
 * collector reads half of each does not wait. NULL: it is not published. */
static inline __attribute__((always_inline)) struct ct_slot *ct_silent_begin(uint16_t call, uint8_t cause,
									     uint8_t object_kind, uint64_t object)
{
	typedef uint32_t __attribute__((may_alias)) aliased;
	struct ct_what what = { call, cause, object_kind };
	struct ct_slot *slot = ct_thread.slot;
	uint32_t word;

	if (CT_UNLIKELY(!slot || !*ct_state.alive))
		return NULL;
	struct ct_wait *w = &slot->wait;

	if (CT_UNLIKELY(w->start) && !ct_silent_may(slot))
		return NULL;
	w->object = object;
	w->frame = (uint64_t)&what;
	__builtin_memcpy(&word, &what, sizeof(word));
	/* Last, so that the rest is valid when it is seen. */
	ct_store_release((aliased *)&w->call, word);
	return slot;
}

/* A call that is only counted. */
static inline void ct_count(uint16_t call)
{
	struct ct_slot *slot = ct_self();

	if (CT_LIKELY(slot != NULL))
		ct_inc_local(&slot->calls[call]);
}

/* What a call returned, as an event's result: its value, or -errno. */
#define CT_RESULT(r) ((r) < 0 ? -(int64_t)errno : (int64_t)(r))

#pragma GCC visibility pop

#endif
