/* Families of calls. See families.def. */
#ifndef CT_FAMILIES_H
#define CT_FAMILIES_H

#include <stdint.h>

#include "types.h"

enum ct_family {
#define CT_FAMILY(id, name, causes, text) CT_FAMILY_##id,
#include "families.def"
#undef CT_FAMILY
	CT_FAMILY_COUNT
};

#define CT_FAMILIES_ALL ((1u << CT_FAMILY_COUNT) - 1)

/* The bit of a call's family; 0: it belongs to none and is always recorded. Of a constant
 * it is one. */
static inline __attribute__((always_inline)) uint32_t ct_family_bit(uint8_t cause)
{
	uint64_t bit = 1ull << (cause & 63);

#define CT_FAMILY(id, name, causes, text) \
	if (bit & (causes))               \
		return 1u << CT_FAMILY_##id;
#include "families.def"
#undef CT_FAMILY
	return 0;
}

/* Its number, where it belongs to one. */
static inline uint32_t ct_family_number(uint8_t cause)
{
	return (uint32_t)__builtin_ctz(ct_family_bit(cause) | 1u << (CT_FAMILY_COUNT - 1));
}

#endif
