/* Units, functions and inlined calls by address. See units.h. */
#include "units.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX     64u
#define LOOKUP_STEPS  200000u /* for the inlined calls of one address */

static int by_start(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}
_Static_assert(offsetof(struct ct_unit_range, start) == 0 && offsetof(struct ct_function_range, start) == 0,
	       "by_start");

static bool step(struct ct_units *u)
{
	if (!u->budget)
		return false;
	u->budget--;
	return true;
}

/* --- units --- */

static int add_ranges(struct ct_units *u, uint32_t index)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(&u->unit[index].die, at, &base, &start, &end)) > 0 && step(u)) {
		if (start >= end)
			continue;
		struct ct_unit_range *range = CT_APPEND(u, range);

		if (!range)
			return -ENOMEM;
		*range = (struct ct_unit_range){ start + u->bias, end + u->bias, index };
	}
	return 0;
}

static int add_unit(struct ct_units *u, Dwarf_Die *die)
{
	struct ct_unit *unit = CT_APPEND(u, unit);
	Dwarf_Attribute attribute;
	Dwarf_Die split;
	uint8_t kind;

	if (!unit)
		return -ENOMEM;
	unit->die = unit->functions = *die;
	unit->folder = dwarf_formstring(dwarf_attr(die, DW_AT_comp_dir, &attribute));
	memset(&split, 0, sizeof(split));
	if (!dwarf_cu_info(die->cu, NULL, &kind, NULL, &split, NULL, NULL, NULL) && kind == DW_UT_skeleton && split.cu)
		unit->functions = split;
	return add_ranges(u, u->unit_count - 1);
}

int ct_units_read(struct ct_units *u, Dwfl_Module *module)
{
	Dwarf *dwarf = dwfl_module_getdwarf(module, &u->bias);
	Elf *elf = dwarf ? dwarf_getelf(dwarf) : NULL;
	Dwarf_Die *die = NULL;
	size_t bytes = 0;

	if (!elf || !elf_rawfile(elf, &bytes))
		return 0;
	/* Each entry takes a byte at least; compressed ones are larger than the file. */
	u->budget = (uint64_t)bytes * 8;
	while ((die = dwfl_module_nextcu(module, die, &u->bias)) && step(u))
		if (dwarf_tag(die) != DW_TAG_partial_unit && dwarf_tag(die) != DW_TAG_type_unit && add_unit(u, die))
			return -ENOMEM;
	if (u->range_count)
		qsort(u->range, u->range_count, sizeof(*u->range), by_start);
	return 0;
}

void ct_units_free(struct ct_units *u)
{
	for (uint32_t i = 0; i < u->unit_count; i++)
		free(u->unit[i].function);
	free(u->unit);
	free(u->range);
	*u = (struct ct_units){ 0 };
}

struct ct_unit *ct_units_at(struct ct_units *u, uint64_t address)
{
	uint32_t low = 0, high = u->range_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (u->range[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Linkers that fold equal functions leave ranges that overlap. */
	for (uint32_t i = low, tried = 0; i-- && tried < 8; tried++)
		if (address < u->range[i].end)
			return &u->unit[u->range[i].unit];
	return NULL;
}

/* --- functions --- */

static int add_function(struct ct_units *u, struct ct_unit *unit, Dwarf_Die *die)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0 && step(u)) {
		if (start >= end)
			continue;
		struct ct_function_range *range = CT_APPEND(unit, function);

		if (!range)
			return -ENOMEM;
		*range = (struct ct_function_range){ start + u->bias, end + u->bias, *die };
	}
	return 0;
}

/* Whether functions may stand in an entry; deep: those of which they are local, too. */
static bool has_functions(int tag, bool deep)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return deep;
	}
	return false;
}

static int list_functions(struct ct_units *u, struct ct_unit *unit, Dwarf_Die *parent, bool deep, unsigned int depth)
{
	Dwarf_Die die;
	int error = 0;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_subprogram)
			error = add_function(u, unit, &die);
		if (!error && has_functions(tag, deep))
			error = list_functions(u, unit, &die, deep, depth + 1);
	} while (!error && step(u) && !dwarf_siblingof(&die, &die));
	return error;
}

static const struct ct_function_range *function_at(const struct ct_unit *unit, uint64_t address)
{
	uint32_t low = 0, high = unit->function_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (unit->function[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t i = low, tried = 0; i-- && tried < 8; tried++)
		if (address < unit->function[i].end)
			return &unit->function[i];
	return NULL;
}

static void list(struct ct_units *u, struct ct_unit *unit, bool deep)
{
	unit->listed = true;
	unit->deep = deep;
	unit->function_count = 0;
	/* What there was memory for is good enough. */
	list_functions(u, unit, &unit->functions, deep, 0);
	if (unit->function_count)
		qsort(unit->function, unit->function_count, sizeof(*unit->function), by_start);
}

/* --- inlined calls --- */

struct inlined {
	uint64_t address;
	uint32_t steps, count;
	Dwarf_Die *die; /* outermost first */
};

static void go_inwards(struct inlined *w, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
		    tag != DW_TAG_catch_block && tag != DW_TAG_with_stmt)
			continue;
		if (dwarf_haspc(&die, w->address) <= 0)
			continue;
		if (tag == DW_TAG_inlined_subroutine) {
			if (w->count == CT_INLINED_MAX - 1)
				return;
			w->die[w->count++] = die;
		}
		go_inwards(w, &die, depth + 1);
		return;
	} while (w->steps-- && !dwarf_siblingof(&die, &die));
}

uint32_t ct_unit_functions(struct ct_units *u, struct ct_unit *unit, uint64_t address, Dwarf_Die ret[CT_INLINED_MAX])
{
	const struct ct_function_range *function;

	if (!unit->listed)
		list(u, unit, false);
	function = function_at(unit, address);
	/* Fortran, D, Ada and GNU C have functions in functions. */
	if (!function && !unit->deep) {
		list(u, unit, true);
		function = function_at(unit, address);
	}
	if (!function)
		return 0;
	struct inlined w = { address - u->bias, LOOKUP_STEPS, 1, ret };

	ret[0] = function->die;
	go_inwards(&w, &ret[0], 0);
	for (uint32_t i = 0; i < w.count / 2; i++) {
		Dwarf_Die other = ret[i];

		ret[i] = ret[w.count - 1 - i];
		ret[w.count - 1 - i] = other;
	}
	return w.count;
}
