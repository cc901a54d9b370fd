/* Unwinding rules by code address, and their cache. See cfi.h. */
#include <dlfcn.h>
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

struct ct_rule ct_rule_at(uint64_t pc, uint32_t epoch)
{
	/* User addresses have 47 bits; an empty entry is the key of address 0. */
	uint64_t key = pc ^ (uint64_t)epoch << 47;
	__typeof__(cache[0]) *e = &cache[(pc * 0x9e3779b97f4a7c15ull) >> 51];
	uint64_t bits = ct_load(&e->rule);
	struct ct_rule rule;

	_Static_assert(sizeof(rule) == sizeof(bits), "a rule is a word");
	_Static_assert(CACHE == 1u << (64 - 51), "the hash above");
	if ((ct_load(&e->check) ^ bits) == key) {
		memcpy(&rule, &bits, sizeof(rule));
		return rule;
	}
	rule = look_up(pc);
	memcpy(&bits, &rule, sizeof(bits));
	ct_store(&e->check, key ^ bits);
	ct_store(&e->rule, bits);
	return rule;
}
