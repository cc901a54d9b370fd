/* What just-in-time compilers call their code. */
#ifndef CT_JIT_NAMES_H
#define CT_JIT_NAMES_H

#include "symbols.h"

extern const char ct_jit_module[]; /* the module of all such frames */

/* Names the code at an address of a process's code: its function, file and line as
 * far as they are known. */
void ct_jit_frame(struct ct_symbols *s, uint32_t file, uint64_t address, struct ct_frame *frame);

/* The parts of a name: function and file as parts of it, line. */
struct ct_jit_parts {
	const char *function, *file;
	uint32_t function_bytes, file_bytes;
	int line;               /* 0: not known */
};

/* "LazyCompile:*f /app/x.js:3:10" of V8, "py::f:/app/x.py" of CPython; of others the
 * name is the function. */
void ct_jit_parts(const char *name, struct ct_jit_parts *ret);

#endif
