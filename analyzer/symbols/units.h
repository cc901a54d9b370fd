/*
 * Debug data by address: compilation units, the functions in them, and what is
 * inlined there.
 *
 * libdw finds units by .debug_aranges, which many compilers do not write, and
 * functions by going through their unit: both are slow for many addresses. Here the
 * units' own ranges are sorted once, and a unit's functions when it is first needed.
 * Debug data is not trusted: what is done for a file is bounded by its size.
 */
#ifndef CT_UNITS_H
#define CT_UNITS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct ct_unit_range {
	uint64_t start, end;
	uint32_t unit;
};

struct ct_function_range {
	uint64_t start, end;
	Dwarf_Die die;
};

struct ct_unit {
	Dwarf_Die die;         /* has lines */
	Dwarf_Die functions;   /* has functions: another one where they are in a .dwo file */
	const char *folder;    /* of its compilation; NULL: not known */
	CT_ARRAY(struct ct_function_range, function);
	bool listed, deep;     /* functions; also those in functions */
};

struct ct_units {
	Dwarf_Addr bias;       /* from addresses of debug data to those of the file */
	CT_ARRAY(struct ct_unit, unit);
	CT_ARRAY(struct ct_unit_range, range);
	uint64_t budget;       /* steps that are left */
};

#define CT_INLINED_MAX 128u

/* 0, also without debug data, or -ENOMEM. */
int ct_units_read(struct ct_units *u, Dwfl_Module *module);
void ct_units_free(struct ct_units *u);
/* The unit of an address; NULL: none has it. */
struct ct_unit *ct_units_at(struct ct_units *u, uint64_t address);
/* The functions at an address of a unit, innermost first: inlined ones, then the one in
 * which they are. Their number, 0: none is known. */
uint32_t ct_unit_functions(struct ct_units *u, struct ct_unit *unit, uint64_t address,
			   Dwarf_Die ret[CT_INLINED_MAX]);

#endif
