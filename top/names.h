/*
 * Names of what a running program waits for, and where: its modules and stacks come from the
 * collector, and are read by the analyzer's own model and symbols.
 */
#ifndef CT_TOP_NAMES_H
#define CT_TOP_NAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "callstacks.h"
#include "model.h"
#include "symbols.h"

/* As live answers it. Texts point into the answer; label is not clean. */
struct ct_top_what {
	const char *call;      /* NULL: nothing is waited for */
	uint8_t cause, object_kind;
	uint64_t object, ip;
	uint32_t stack;
	const char *label;     /* of a descriptor; NULL: only its number is known */
	uint32_t fd_kind;
};

struct ct_names {
	pid_t pid, collector;
	struct ct_options options;
	struct ct_model model;
	struct ct_symbols symbols;
	struct ct_callstacks stacks;
	bool open;             /* symbols, stacks */
	uint32_t files, stacks_open; /* of the model, when they were opened */
	uint64_t epoch;        /* of the modules that were read last */
	struct ct_table ip_ids;  /* id of the stack that stands for an address; those of words are the words */
	uint32_t ip_count;
	struct ct_table place_of; /* index + 1 in text, by id of a stack */
	CT_ARRAY(char *, text);
};

void ct_names_open(struct ct_names *n, pid_t pid, pid_t collector, const char *symbols);
void ct_names_close(struct ct_names *n);
/* Learns what is not known yet of the stacks of so many. */
void ct_names_learn(struct ct_names *n, const struct ct_top_what *const *what, uint32_t count);
/* "function  file.c:12"; "" if it is not known. Valid until the names are closed. */
const char *ct_names_place(struct ct_names *n, const struct ct_top_what *w);
/* The frames, as from ct_callstack_frames. */
int ct_names_frames(struct ct_names *n, const struct ct_top_what *w, struct ct_frame **ret, uint32_t *ret_count);
/* A number that is the same for waits at the same place; 0: not known. */
uint64_t ct_names_place_key(struct ct_names *n, const struct ct_top_what *w);
/* The label of what is waited for, if it is an address or a descriptor; else "". The caller frees it;
 * NULL without memory. */
char *ct_names_object(struct ct_names *n, const struct ct_top_what *w);
const char *ct_names_cause(const struct ct_names *n, uint32_t cause);
const char *ct_names_category(const struct ct_names *n, uint32_t cause);

#endif
