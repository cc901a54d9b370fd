/* Finding the files that hold symbols. */
#ifndef CT_SYMBOL_FILES_H
#define CT_SYMBOL_FILES_H

#include <elfutils/libdwfl.h>

#include "elf_symbols.h"
#include "symbols.h"
#include "units.h"

struct ct_symbol_file {
	enum ct_symbol_source source;
	bool nameless;          /* noted as such */
	Dwfl *dwfl;
	Dwfl_Module *module;    /* NULL: no symbols */
	struct ct_elf_symbols symbols;
	struct ct_units units;
};

/* The folders of the options and of the environment. 0 or -ENOMEM. */
int ct_symbol_folders(struct ct_symbols *s);
/* The file of the model with its symbols; opens it if that was not tried before. */
struct ct_symbol_file *ct_symbol_file(struct ct_symbols *s, uint32_t file);
/* Notes that a frame of a stripped file has no name. */
void ct_symbol_nameless(struct ct_symbols *s, uint32_t file);
void ct_symbol_file_close(struct ct_symbol_file *file);

#endif
