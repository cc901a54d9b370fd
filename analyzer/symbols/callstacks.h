/*
 * Call stacks as places in files, so that those of different processes compare
 * equal where the code is the same. Frames of libctrace.so itself are dropped.
 */
#ifndef CT_CALLSTACKS_H
#define CT_CALLSTACKS_H

#include "symbols.h"

struct ct_place {
	uint32_t file;    /* index, or CT_NO: the address lay in no module */
	uint64_t address; /* return address in the file; without one, and of code made at run time, in memory */
};

struct ct_callstack {
	uint32_t first, depth; /* in place */
};

struct ct_callstacks {
	const struct ct_model *model;
	CT_ARRAY(struct ct_place, place);
	CT_ARRAY(struct ct_callstack, callstack);
	struct ct_table by_hash;
	uint32_t *of_stack; /* index + 1 by stack of the model; 0: not asked for yet */
	uint32_t stack_count; /* of them */
};

/* 0 or -ENOMEM. */
int ct_callstacks_open(struct ct_callstacks *c, const struct ct_model *m);
void ct_callstacks_close(struct ct_callstacks *c);
/* Another model in the place of the first, as for ct_symbols_follow: of stacks and modules, too. 0 or -ENOMEM. */
int ct_callstacks_follow(struct ct_callstacks *c, const struct ct_model *m);
/* The call stack of a model's stack (CT_NO: none was taken). 0 or -ENOMEM; *ret
 * is CT_NO where there is no stack. */
int ct_callstack_of(struct ct_callstacks *c, uint32_t stack, uint32_t *ret);

/* Reads a call stack with symbols, innermost frame first: inlined frames are
 * frames of their own. The caller frees the array. 0 or -ENOMEM. */
int ct_callstack_frames(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack,
			struct ct_frame **ret, uint32_t *ret_count);
/* "function  file.c:12" of the innermost frame, with the file's last part alone unless
 * whole; "" without a stack. The caller frees it. NULL without memory. */
char *ct_callstack_text(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack, bool whole);
/* How many of the frames are worth showing: those of libc that start a thread
 * or a program, at the end, are not. */
uint32_t ct_frames_shown(const struct ct_frame *frames, uint32_t count);
/* Whether frames are the same for a reader: functions and lines, if not
 * addresses. Those without a name never are. */
bool ct_frames_alike(const struct ct_frame *a, const struct ct_frame *b, uint32_t count);

#endif
