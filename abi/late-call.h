/*
 * What ctrace-run and libctrace.so say to each other when the library comes into a process
 * that runs already: ctrace-run has it loaded and calls ctrace_attach with the address of
 * this, which it wrote into the process's memory and reads back afterwards. Both are of one
 * build. Nothing of it is used once the call has returned.
 */
#ifndef CT_LATE_CALL_H
#define CT_LATE_CALL_H

#include <stdint.h>

#define CT_LATE_VERSION 1u

enum ct_late_what { CT_LATE_ATTACH = 1, CT_LATE_DETACH };

/* Answers. */
enum ct_late_status {
	CT_LATE_NOT_RUN,   /* as it is written: the call did not come to its end */
	CT_LATE_DONE,
	CT_LATE_PRELOADED, /* the library was there from the beginning */
	CT_LATE_TRACED,    /* another collector traces the process */
	CT_LATE_FAILED,    /* text says why */
};

struct ct_late {
	uint32_t version;       /* ctrace-run: CT_LATE_VERSION */
	uint32_t what;          /* ctrace-run: enum ct_late_what */
	/* ctrace-run, for ATTACH: as the variables say it to a library that was preloaded. */
	uint64_t min_ns;
	uint32_t stacks;        /* enum ct_stacks */
	uint32_t off;           /* families that are not recorded */
	uint32_t huge_pages;    /* the allocator's heaps are of other sizes: see heap.c */
	uint32_t status;        /* libctrace: enum ct_late_status */
	uint64_t slots;         /* libctrace: slots of global offset tables that were changed */
	uint64_t slots_left;    /* libctrace: that could not be changed */
	char socket[64];        /* ctrace-run: name of the collector's socket */
	char trigger[4096];     /* ctrace-run: path of libctrace-late.so */
	char text[256];         /* libctrace: FAILED: why */
};
_Static_assert(sizeof(struct ct_late) == 48 + 64 + 4096 + 256, "layout of ct_late");

#endif
