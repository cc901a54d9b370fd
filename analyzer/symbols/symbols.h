/*
 * From addresses in files to functions, lines and inlined calls, by elfutils.
 * Files are opened when the first of their addresses is asked for.
 */
#ifndef CT_SYMBOLS_H
#define CT_SYMBOLS_H

#include "model.h"

/* One function at an address. Texts live as long as struct ct_symbols; those
 * that are not known are NULL, and line is 0. */
struct ct_frame {
	const char *function; /* demangled */
	const char *file;
	int line;
	const char *module;   /* path; NULL: the address lay in none */
	uint64_t offset;      /* the return address in the module's file; without a module, the address */
	bool inlined;         /* into the frame after it */
};

struct ct_frames {
	struct ct_frame *frame; /* innermost first; owned by struct ct_symbols */
	uint32_t count;         /* at least 1 */
};

struct ct_symbol_file;

struct ct_symbols {
	const struct ct_model *model;
	struct ct_symbol_file *file;    /* one a file of the model */
	CT_ARRAY(struct ct_frames, frames);
	struct ct_table frames_by_hash; /* index + 1; key as in symbols.c */
	CT_ARRAY(char *, text);         /* what the frames point to */
	CT_ARRAY(char *, note);         /* what went wrong, one line a file */
};

/* 0 or -ENOMEM. */
int ct_symbols_open(struct ct_symbols *s, const struct ct_model *m);
void ct_symbols_close(struct ct_symbols *s);
/* The frames of a return address in a file of the model (CT_NO: in none), or
 * NULL without memory. Valid until the next call. */
const struct ct_frames *ct_symbols_frames(struct ct_symbols *s, uint32_t file, uint64_t address);
/* The variable that holds a file address: "name" or "name+0x10" as a text that
 * the caller frees; NULL if there is none. */
char *ct_symbols_variable(struct ct_symbols *s, uint32_t file, uint64_t address);
/* The last part of a path. */
const char *ct_base_name(const char *path);

#endif
