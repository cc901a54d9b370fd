/* Unwinding rules by code address, and their cache. See cfi.h. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "cfi.h"
#include "modules.h"
#include "state.h"

static struct ct_rule look_up(uint64_t pc)
{
	struct ct_rule unknown = { 0 };
	struct dl_find_object object;

	if (_dl_find_object((void *)pc, &object))
		return unknown;
	ct_module_seen(&object);
	if (!object.dlfo_eh_frame)
		return unknown;
	const uint8_t *fde = ct_cfi_find(object.dlfo_eh_frame, pc);

	return fde ? ct_cfi_read(fde, pc) : unknown;
}

/*
 * The cache is shared by all threads without a lock: an entry stores its rule
 * and the exclusive or of rule and key, so that a torn entry, half of one rule
 * and half of another, does not match any key (Hyatt, "A lockless transposition
 * table").
 */
#define CACHE 8192u

static struct {
	uint64_t check, rule;
} cache[CACHE];

/* An empty entry is the key of address 0. */
#define KEY(pc, epoch) ((pc) ^ (uint64_t)(epoch) << CT_ADDRESS_BITS)

static __typeof__(cache[0]) *entry_of(uint64_t pc)
{
	_Static_assert(CACHE == 1u << (64 - 51), "the hash");
	return &cache[(pc * 0x9e3779b97f4a7c15ull) >> 51];
}

static void remember(uint64_t pc, uint32_t epoch, struct ct_rule rule)
{
	__typeof__(cache[0]) *e = entry_of(pc);
	uint64_t bits;

	memcpy(&bits, &rule, sizeof(bits));
	ct_store(&e->check, KEY(pc, epoch) ^ bits);
	ct_store(&e->rule, bits);
}

#if defined(__x86_64__)
struct ct_rule ct_rule_of_bytes(const uint8_t b[8])
{
	struct ct_rule rule = { .kind = CT_RULE_SP, .fp_offset = CT_RULE_KEPT, .cfa_offset = 8 };
	unsigned int at = 0;

	/* add $N, %rsp */
	if (b[0] == 0x48 && b[1] == 0x83 && b[2] == 0xc4 && b[3] < 0x80) {
		rule.cfa_offset += b[3];
		at = 4;
	}
	/* pop %rbp */
	if (b[at] == 0x5d) {
		rule.cfa_offset += 8;
		rule.fp_offset = -16;
		at++;
	}
	/* ret */
	if (b[at] != 0xc3 || rule.cfa_offset & 7)
		return (struct ct_rule){ 0 };
	return rule;
}
#else
struct ct_rule ct_rule_of_bytes(const uint8_t b[8])
{
	/* ldp x29, x30, [sp], #16; ret */
	static const uint8_t end[8] = { 0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6 };

	/* mov x8, #139; svc #0: where a signal handler returns to, if the kernel's vdso does not say so. */
	static const uint8_t sigreturn[8] = { 0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4 };

	if (!memcmp(b, sigreturn, sizeof(sigreturn)))
		return (struct ct_rule){ .kind = CT_RULE_SIGNAL };
	if (memcmp(b, end, sizeof(end)))
		return (struct ct_rule){ 0 };
	return (struct ct_rule){ .kind = CT_RULE_SP, .cfa_offset = 16, .fp_offset = -16 };
}
#endif

struct ct_rule ct_rule_of_code(uint64_t ip, uint32_t epoch)
{
	struct ct_rule rule = { 0 };
	uint8_t bytes[8];

	/* Whether the kernel can read it, for it does so before it finds that there is no such
	 * way to change the mask. Not process_vm_readv, which filters of system calls (systemd's
	 * @system-service) answer with death. The code is not freed meanwhile: a call out of it
	 * is on this thread's stack. */
	if (ct_state.no_syscalls || ct_sys(SYS_rt_sigprocmask, -1, ip, NULL, 8) != -EINVAL)
		return rule;
	memcpy(bytes, (const void *)ip, sizeof(bytes));
	rule = ct_rule_of_bytes(bytes);
	rule.code_asked = 1;
	remember(ip - 1, epoch, rule);
	return rule;
}

struct ct_rule ct_rule_at(uint64_t pc, uint32_t epoch)
{
	uint64_t key = KEY(pc, epoch);
	const __typeof__(cache[0]) *e = entry_of(pc);
	uint64_t bits = ct_load(&e->rule);
	struct ct_rule rule;

	_Static_assert(sizeof(rule) == sizeof(bits), "a rule is a word");
	if ((ct_load(&e->check) ^ bits) == key) {
		memcpy(&rule, &bits, sizeof(rule));
		return rule;
	}
	rule = look_up(pc);
	remember(pc, epoch, rule);
	return rule;
}
