/*
 * Call stacks: captured, recognised, interned.
 *
 * A walk reads a few words of the stack, and they determine its result. A memo
 * keeps them: where the same words stand at the same places below the same
 * stack pointer, the walk would take the same way, and is not walked again.
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include "cfi.h"
#include "record.h"

#define PAGE 4096u

struct walk {
	uint64_t ip, sp, fp;
	uint64_t lr;              /* where a signal came: the link register, which may hold the return address */
	uint32_t epoch;
	uint64_t high;            /* the stack ends here */
	uint64_t base;            /* sp at the start: memo offsets count from it */
	struct ct_stack_memo *memo;
	uint32_t checks;          /* words noted; more than fit: no memo */
	uint64_t fp_from;         /* where fp was read and is not noted yet, or one of these: */
#define FP_NOTED 0
#define FP_GIVEN 1                /* it is the one that the walk began with */
	bool fp_given_used;
	bool guessed;             /* a frame pointer was taken on trust */
};

/* Notes that the walk depends on the word at address. */
static void depends_on(struct walk *w, uint64_t address, uint64_t value)
{
	uint64_t offset = address - w->base;

	if (w->checks < CT_STACK_CHECKS && offset <= UINT32_MAX) {
		w->memo->offset[w->checks] = (uint32_t)offset;
		w->memo->value[w->checks] = value;
		w->checks++;
	} else {
		w->checks = CT_STACK_CHECKS + 1;
	}
}

static bool read_word(const struct walk *w, uint64_t address, uint64_t *ret)
{
	if (address < w->base || address > w->high - 8 || address & 7)
		return false;
	*ret = *(const uint64_t *)address;
	return true;
}

/* The frame of the caller, by a rule that gave the CFA. */
static bool step_to(struct walk *w, uint64_t cfa, const struct ct_rule *rule)
{
	uint64_t saved = cfa + (uint64_t)(int64_t)rule->fp_offset;
	uint64_t ra_at = rule->ra == CT_RA_BELOW_CFA ? cfa - 8 : rule->ra == CT_RA_ABOVE_FP ? saved + 8 : saved;
	uint64_t ip, fp;

	if (rule->ra == CT_RA_KEPT) {
		if (!w->lr || cfa < w->sp)
			return false;
		ip = w->lr;
	} else {
		if (cfa <= w->sp || !read_word(w, ra_at, &ip))
			return false;
		depends_on(w, ra_at, ip);
	}
	if (rule->fp_offset != CT_RULE_KEPT && rule->ra != CT_RA_ALONE) {
		if (!read_word(w, saved, &fp))
			return false;
		w->fp = fp;
		w->fp_from = saved;
	}
	w->ip = ct_arch_code(ip);
	w->sp = cfa;
	w->lr = 0;
	return w->ip >= PAGE;
}

static uint64_t use_fp(struct walk *w)
{
	if (w->fp_from == FP_GIVEN)
		w->fp_given_used = true;
	else if (w->fp_from != FP_NOTED)
		depends_on(w, w->fp_from, w->fp);
	w->fp_from = FP_NOTED;
	return w->fp;
}

#define TIGHT 2048u /* what a stack and a descriptor's label may take, and some more */

bool ct_stack_is_tight(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	stack_t s;

	if (here >= ct_thread.stack_low && here < ct_thread.stack_high)
		return false;
	if (ct_state.no_syscalls || ct_sys(SYS_sigaltstack, NULL, &s))
		return true;
	return (s.ss_flags & SS_ONSTACK) && here - (uint64_t)s.ss_sp < TIGHT;
}

static uint64_t stack_high(uint64_t sp)
{
	if (sp >= ct_thread.stack_low && sp < ct_thread.stack_high)
		return ct_thread.stack_high;
	/* A coroutine's or signal stack, whose end we do not know: this page is
	 * there, and no more is certain. */
	return (sp | (PAGE - 1)) + 1;
}

/* Goes on at what a signal interrupted. */
static bool step_signal(struct walk *w)
{
	uint64_t at[4], ip, sp, fp, lr = 0;

	ct_arch_interrupted(w->sp, at);
	if (!read_word(w, at[0], &ip) || !read_word(w, at[1], &sp) || !read_word(w, at[2], &fp) ||
	    (at[3] && !read_word(w, at[3], &lr)))
		return false;
	w->checks = CT_STACK_CHECKS + 1;
	w->ip = ip + 1; /* not a return address: make it look like one */
	w->fp = fp;
	w->fp_from = FP_NOTED;
	w->lr = lr;
	if (sp < w->base || sp > w->high) {
		w->base = sp;
		w->high = stack_high(sp);
	}
	w->sp = sp;
	return ip >= PAGE;
}

static bool step(struct walk *w)
{
	struct ct_rule rule = ct_rule_at(w->ip - 1, w->epoch);

	if (ct_load(&ct_live.stacks) == CT_STACKS_FP && rule.kind != CT_RULE_SIGNAL && rule.kind != CT_RULE_END)
		rule.kind = CT_RULE_UNKNOWN;
	else if (rule.kind == CT_RULE_UNKNOWN && !w->guessed && !rule.code_asked)
		rule = ct_rule_of_code(w->ip, w->epoch);
	switch (rule.kind) {
	case CT_RULE_SP:
		return step_to(w, w->sp + (uint64_t)(int64_t)rule.cfa_offset, &rule);
	case CT_RULE_FP:
		return step_to(w, use_fp(w) + (uint64_t)(int64_t)rule.cfa_offset, &rule);
	case CT_RULE_SIGNAL:
		return step_signal(w);
	case CT_RULE_END:
		return false;
	}
	/* No call frame information: just-in-time compilers keep frame pointers. */
	if (ct_load(&ct_live.stacks) == CT_STACKS_UNWIND)
		return false;
	w->guessed = true;
	/* One that was not kept leads to anything; code it is not here. */
	rule = (struct ct_rule){ .fp_offset = -16 };
	return step_to(w, use_fp(w) + 16, &rule) && w->ip >> CT_ADDRESS_BITS == 0 && (w->ip < w->base || w->ip >= w->high);
}

static uint64_t hash_frames(const uint64_t *frame, uint32_t depth, uint32_t epoch)
{
	uint64_t h = depth ^ (uint64_t)epoch << 32;

	for (uint32_t i = 0; i < depth; i++)
		h = (h ^ frame[i] ^ h >> 29) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static bool same_stack(const struct ct_region *r, uint32_t id, const uint64_t *frame, uint32_t depth,
		       uint32_t epoch)
{
	const struct ct_stack *s = (const struct ct_stack *)&r->stack_arena[id];

	return s->depth == depth && s->epoch == epoch && !memcmp(s->frame, frame, depth * sizeof(*frame));
}

/* The id of the stack in the region; 0 when there is no room. */
static uint32_t intern(struct ct_region *r, const uint64_t *frame, uint32_t depth, uint32_t epoch)
{
	uint64_t hash = hash_frames(frame, depth, epoch);
	uint32_t id = 0;

	for (uint32_t i = 0; i < 32; i++) {
		uint64_t *entry = &r->stack_index[(hash + i) % CT_STACKS];
		uint64_t found = ct_load_acquire(entry);

		while (!found) {
			if (!id) {
				uint64_t at = ct_fetch_add(&r->stack_words, depth + 1);

				if (at + depth + 1 > CT_STACK_WORDS)
					goto lost;
				id = (uint32_t)at;
				struct ct_stack *s = (struct ct_stack *)&r->stack_arena[at];

				s->depth = depth;
				s->epoch = epoch;
				memcpy(s->frame, frame, depth * sizeof(*frame));
			}
			if (ct_cas(entry, &found, (hash >> 32 << 32) | id))
				return id;
		}
		if (found >> 32 == hash >> 32 && same_stack(r, (uint32_t)found, frame, depth, epoch))
			return (uint32_t)found;
	}
lost:
	ct_fetch_add(&r->stacks_lost, 1);
	return 0;
}

static bool recognise(const struct ct_stack_memo *m, uint64_t ip, uint64_t sp, uint64_t fp, uint32_t epoch)
{
	uint32_t n = m->checks;

	if (m->sp != sp || m->ip != ip || (m->fp_used && m->fp != fp) || m->epoch != epoch || !n)
		return false;
	/* In the order of the walk: each word is where a live frame has it as
	 * long as those before it are the same. */
	for (uint32_t i = 0; i < n; i++)
		if (*(const uint64_t *)(sp + m->offset[i]) != m->value[i])
			return false;
	return true;
}

/* Walks from the caller of ct_stack outwards. */
static CT_COLD uint32_t walk_stack(struct ct_slot *slot, struct ct_stack_memo *memo, uint64_t ip, uint64_t sp,
				   uint64_t fp, uint32_t epoch)
{
	struct walk w = { .ip = ip, .sp = sp, .fp = fp, .high = stack_high(sp), .base = sp, .memo = memo, .epoch = epoch,
			  .fp_from = FP_GIVEN };
	/* A handler that captures a stack meanwhile overwrites both memo and
	 * frames: it is noticed by this number. */
	uint64_t seq = ct_fetch_add_local(&slot->memo_seq, 1) + 1;
	uint32_t depth = 0;

	memo->checks = 0;
	ct_barrier_local();
	while (depth < CT_STACK_DEPTH) {
		/* Our own frames are nobody's business. */
		if (w.ip < ct_state.own_start || w.ip >= ct_state.own_end)
			slot->frames[depth++] = w.ip;
		if (!step(&w))
			break;
	}
	if (!depth)
		return 0;
	ct_barrier_local();
	if (slot->memo_seq != seq)
		return 0;
	uint32_t id = intern(ct_state.region, slot->frames, depth, epoch);

	memo->sp = sp;
	memo->fp = fp;
	memo->fp_used = w.fp_given_used;
	memo->ip = ip;
	memo->epoch = epoch;
	memo->stack = id;
	ct_barrier_local();
	if (slot->memo_seq != seq)
		return 0;
	memo->checks = w.checks <= CT_STACK_CHECKS && w.high == stack_high(sp) && id ? w.checks : 0;
	return id;
}

__attribute__((noinline)) uint32_t ct_stack(struct ct_slot *slot)
{
	if (CT_UNLIKELY(ct_load(&ct_live.stacks) == CT_STACKS_OFF))
		return 0;
	const struct ct_registers here = ct_arch_here();
	const uint64_t ip = here.ip, sp = here.sp, fp = here.fp;
	uint32_t epoch = ct_load(&ct_state.region->epoch);
	/* A loop that reads and writes comes here with one sp by two ways. */
	uint64_t hash = (sp ^ (uint64_t)__builtin_return_address(0) << 8) * 0x9e3779b97f4a7c15ull;
	struct ct_stack_memo *memo = &slot->memo[hash >> 60], *other = &slot->memo[hash >> 60 ^ 1];

	_Static_assert(CT_STACK_CACHE == 16, "the hash above");
	if (recognise(memo, ip, sp, fp, epoch))
		return memo->stack;
	if (recognise(other, ip, sp, fp, epoch))
		return other->stack;
	if (CT_UNLIKELY(ct_stack_is_tight()))
		return 0;
	uint32_t id = walk_stack(slot, slot->memo_seq & 1 ? other : memo, ip, sp, fp, epoch);

	__asm__("" : "+r"(id)); /* no jump to it: the walk begins with this frame */
	return id;
}

uint32_t ct_stack_of(uint64_t ip)
{
	uint32_t epoch = ct_load(&ct_state.region->epoch);

	if (ct_load(&ct_live.stacks) == CT_STACKS_OFF || ct_stack_is_tight())
		return 0;
	ct_rule_at(ip - 1, epoch); /* notes the module */
	return intern(ct_state.region, &ip, 1, epoch);
}
