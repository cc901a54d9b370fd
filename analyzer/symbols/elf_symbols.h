/* The symbols of a file, in the order of their addresses. */
#ifndef CT_ELF_SYMBOLS_H
#define CT_ELF_SYMBOLS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct ct_elf_symbol {
	uint64_t start, end;    /* in the file */
	const char *name;       /* owned by the file */
	uint32_t size;          /* 0: the symbol has none: end is where the next begins */
	uint8_t rank;           /* of several at one address the lowest names it */
	bool function, variable; /* a label is both */
};

struct ct_elf_symbols {
	CT_ARRAY(struct ct_elf_symbol, symbol);
	uint64_t *reach;        /* the largest end of the symbols up to this one */
	bool whole;             /* there is a symbol table, not exported symbols alone */
};

/* Takes in .symtab or .dynsym, of the debug file too, and .gnu_debugdata. 0 or -ENOMEM. */
int ct_elf_symbols_read(struct ct_elf_symbols *s, Dwfl_Module *module);
void ct_elf_symbols_free(struct ct_elf_symbols *s);
/* The innermost function or variable that covers an address; NULL: none does. */
const struct ct_elf_symbol *ct_elf_symbols_at(const struct ct_elf_symbols *s, uint64_t address, bool function);

#endif
