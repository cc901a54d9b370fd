/*
 * See elf_symbols.h. libdwfl gathers the tables, but goes through all of them for each
 * address, and names one by any symbol before it: here each has an end.
 */
#include "elf_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How far a label without a size reaches: hand-written code is short. */
#define LABEL_MAX 4096u
/* Symbols before an address that are asked whether they cover it. */
#define BACK_MAX  1000u

static uint8_t rank_of(const GElf_Sym *symbol, const char *name)
{
	uint8_t rank = (uint8_t)(strspn(name, "_") > 2 ? 2 : strspn(name, "_"));

	if (!symbol->st_size)
		rank |= 32;
	if (GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE)
		rank |= 16;
	if (GELF_ST_BIND(symbol->st_info) == STB_LOCAL)
		rank |= 8;
	return (uint8_t)(rank * 2 + (GELF_ST_BIND(symbol->st_info) == STB_WEAK));
}

/* Where a symbol without a size ends at the latest; 0: it names no code. */
static uint64_t end_of_label(Elf *elf, GElf_Word section, uint64_t address, uint64_t value)
{
	GElf_Shdr header;
	Elf_Scn *scn = elf && section < SHN_LORESERVE ? elf_getscn(elf, section) : NULL;

	if (!scn || !gelf_getshdr(scn, &header) || !(header.sh_flags & SHF_EXECINSTR))
		return 0;
	uint64_t rest = value - header.sh_addr;

	if (rest >= header.sh_size)
		return 0;
	rest = header.sh_size - rest;
	return address + (rest < LABEL_MAX ? rest : LABEL_MAX);
}

static int add(struct ct_elf_symbols *s, const GElf_Sym *symbol, const char *name, uint64_t address, Elf *elf,
	       GElf_Word section)
{
	unsigned int type = GELF_ST_TYPE(symbol->st_info);
	struct ct_elf_symbol new = {
		.start = address,
		.end = address + symbol->st_size,
		.name = name,
		.size = symbol->st_size < UINT32_MAX ? (uint32_t)symbol->st_size : UINT32_MAX,
		.rank = rank_of(symbol, name),
		.function = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE,
		.variable = type == STT_OBJECT || type == STT_COMMON || type == STT_NOTYPE,
	};

	if (!*name || (!new.function && !new.variable) || section == SHN_UNDEF || section == SHN_ABS ||
	    new.end < address || !strncmp(name, ".L", 2))
		return 0;
	if (!new.size && new.function)
		new.end = end_of_label(elf, section, address, symbol->st_value);
	if (new.end < new.start)
		new.end = new.start;
	struct ct_elf_symbol *place = CT_APPEND(s, symbol);

	if (!place)
		return -ENOMEM;
	*place = new;
	return 0;
}

static int by_start(const void *x, const void *y)
{
	const struct ct_elf_symbol *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static bool has_table(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *scn = NULL;

	while (elf && (scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &header) && header.sh_type == SHT_SYMTAB && header.sh_size)
			return true;
	return false;
}

/* Labels end where the next symbol begins, but only where all symbols are there. */
static void end_labels(struct ct_elf_symbols *s)
{
	uint64_t next = UINT64_MAX, start = UINT64_MAX;

	for (uint32_t i = s->symbol_count; i--;) {
		struct ct_elf_symbol *symbol = &s->symbol[i];

		if (symbol->start != start) {
			next = start;
			start = symbol->start;
		}
		if (!symbol->size && !s->whole)
			symbol->end = symbol->start;
		else if (!symbol->size && symbol->end > next)
			symbol->end = next;
	}
}

int ct_elf_symbols_read(struct ct_elf_symbols *s, Dwfl_Module *module)
{
	int n = dwfl_module_getsymtab(module);
	GElf_Addr bias;
	Elf *main = dwfl_module_getelf(module, &bias);

	s->whole = has_table(main);
	for (int i = 1; i < n; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		GElf_Word section;
		Elf *elf;
		const char *name = dwfl_module_getsym_info(module, i, &symbol, &address, &section, &elf, NULL);

		/* One of the debug file, or of .gnu_debugdata. */
		s->whole |= elf != main;
		if (name && add(s, &symbol, name, address, elf, section))
			return -ENOMEM;
	}
	s->reach = calloc(s->symbol_count + 1u, sizeof(*s->reach));
	if (!s->reach)
		return -ENOMEM;
	if (s->symbol_count)
		qsort(s->symbol, s->symbol_count, sizeof(*s->symbol), by_start);
	end_labels(s);
	for (uint32_t i = 0; i < s->symbol_count; i++)
		s->reach[i] = i && s->reach[i - 1] > s->symbol[i].end ? s->reach[i - 1] : s->symbol[i].end;
	return 0;
}

void ct_elf_symbols_free(struct ct_elf_symbols *s)
{
	free(s->symbol);
	free(s->reach);
	*s = (struct ct_elf_symbols){ 0 };
}

const struct ct_elf_symbol *ct_elf_symbols_at(const struct ct_elf_symbols *s, uint64_t address, bool function)
{
	const struct ct_elf_symbol *found = NULL;
	uint32_t low = 0, high = s->symbol_count, least;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (s->symbol[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	least = low > BACK_MAX ? low - BACK_MAX : 0;
	/* Of those that begin at one address the first: a better rank. */
	while (low-- > least && s->reach[low] > address) {
		const struct ct_elf_symbol *symbol = &s->symbol[low];

		if (found && symbol->start != found->start)
			break;
		if (symbol->end > address && (function ? symbol->function : symbol->variable))
			found = symbol;
	}
	return found;
}
