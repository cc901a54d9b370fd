/*
 * From addresses to functions, lines and inlined calls: of files by elfutils, of
 * code that a just-in-time compiler made by what it said of it. A file is opened
 * when the first of its addresses is asked for; what is kept grows with the
 * addresses that were asked for, and with the symbol tables of their files.
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
	const char *module;   /* path, or a name such as "[jit]"; NULL: the address lay in none */
	uint64_t offset;      /* the return address in the module's file; where that is none, the address */
	bool inlined;         /* into the frame after it */
};

struct ct_frames {
	struct ct_frame *frame; /* innermost first; owned by struct ct_symbols */
	uint32_t count;         /* at least 1 */
	uint32_t file;          /* what was asked for */
};

/* What names of a file come from. */
enum ct_symbol_source {
	CT_SYMBOLS_UNKNOWN,   /* it was not asked for */
	CT_SYMBOLS_MISSING,   /* the file is gone, replaced or unreadable: a note says which */
	CT_SYMBOLS_DYNAMIC,   /* exported functions alone: it is stripped */
	CT_SYMBOLS_TABLE,     /* all functions */
	CT_SYMBOLS_DEBUG,     /* and lines */
	CT_SYMBOLS_VIRTUAL,   /* no file: vdso, code made at run time */
};

struct ct_symbol_file;

struct ct_symbols {
	const struct ct_model *model;
	struct ct_symbol_file *file;    /* one a file of the model */
	uint32_t file_count;
	char *folders;                  /* where to look for files, separated by NUL, to an empty one */
	char *debug_path;               /* the same for libdwfl */
	void *callbacks;                /* for libdwfl, which looks at them later; owned */
	CT_ARRAY(struct ct_frames, frames);
	struct ct_table frames_by_hash; /* index + 1; key as in symbols.c */
	CT_ARRAY(char *, text);         /* what the frames point to */
	struct ct_table text_by_source; /* index + 1; see symbol_texts.c */
	CT_ARRAY(char *, note);         /* what went wrong, a line each */
	uint32_t missing, nameless;     /* files without symbols; stripped ones with frames without a name */
	uint32_t missing_note, nameless_note; /* index + 1 of the notes that sum them up; 0: none */
	bool asked_in_vain;             /* the note about debuginfod is there */
};

/* Files are looked for where the trace has them, and in the folders of --symbols
 * and of CTRACE_SYMBOLS: by path under them, or by build-id. 0 or -ENOMEM. */
int ct_symbols_open(struct ct_symbols *s, const struct ct_model *m);
void ct_symbols_close(struct ct_symbols *s);
/* Another model in the place of the first: one that has the same files and code in the same places, and maybe more, or
 * fewer, of them; the texts of all of them stay as long as s. 0 or -ENOMEM. */
int ct_symbols_follow(struct ct_symbols *s, const struct ct_model *m);
/* The frames of a return address in a file of the model (CT_NO: in none), or
 * NULL without memory. Valid until the next call. */
const struct ct_frames *ct_symbols_frames(struct ct_symbols *s, uint32_t file, uint64_t address);
/* The variable that holds a file address: "name" or "name+0x10" as a text that
 * the caller frees; NULL if there is none. */
char *ct_symbols_variable(struct ct_symbols *s, uint32_t file, uint64_t address);
/* Opens the file if it is not open yet, without asking servers for it. */
enum ct_symbol_source ct_symbols_source(struct ct_symbols *s, uint32_t file);
/* Where a file's code is: addresses in the file, whole pages of them, and the offset. */
struct ct_segment {
	uint64_t start, end, offset;
};
/* False: the file is not there, or another one by now. */
bool ct_symbols_segment(struct ct_symbols *s, uint32_t file, struct ct_segment *ret);
/* The last part of a path. */
const char *ct_base_name(const char *path);

#endif
