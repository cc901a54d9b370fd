/*
 * A trace as a stream, for exports that show what happened when: waits with who ended
 * them, and the times in which threads had a CPU. The filters of the command line
 * apply, and the window clips, as for blocks: the waits are those that blocks counts,
 * and their blocked times add up to its; but for waits of which nothing tells when they
 * began, and where there are no slices the last thread to come to a barrier.
 *
 * Waits come in the order of their ends (nearly: see wakes.h), so nested ones before
 * the one around them. Memory: what the model's records take, the waits of the last
 * seconds, and what slices of the last seconds take; nothing grows with the trace.
 */
#ifndef CT_TIMELINE_SOURCE_H
#define CT_TIMELINE_SOURCE_H

#include "blanks.h"
#include "callstacks.h"
#include "commands.h"
#include "model_switches.h"
#include "wakes.h"

/* A wait, clipped to the window. */
struct ct_interval {
	uint64_t start_ns, end_ns;
	/* start_ns; a few ns before it where a wait that began at the same time is nested in
	 * this one: tools that order by time would take the one that comes first, the nested
	 * one, for the outer one. */
	uint64_t begin_ns;
	uint64_t blocked_ns;     /* off the CPU, without nested waits: what blocks sums up */
	uint64_t ready_ns;       /* woken, or preempted, and without a CPU; nested ones' too */
	uint64_t release_ns;     /* when it was ended; end_ns: not known */
	int64_t result;          /* of the call */
	uint32_t thread;         /* of the model */
	uint32_t site;           /* in source->wakes.site */
	uint32_t waker;          /* thread; CT_OUTSIDE: an outsider; CT_NO */
	uint32_t waker_stack;    /* of the model, or CT_NO */
	uint32_t owner;          /* tid of who held the object when it began; 0: not known */
	uint8_t ended;           /* enum ct_ended; CT_ENDED_NOT: it was not over when the trace was */
	bool cut_begin, cut_end; /* by the window */
};

/* A time in which a selected thread had a CPU, clipped to the window: of no length where
 * it was woken in the window and ran after it. */
struct ct_turn_on_cpu {
	uint64_t start_ns, end_ns;
	uint64_t woken_ns;       /* 0: it was not asleep before, or not known */
	uint32_t thread, cpu;    /* thread of the model; the CPU's number */
	uint32_t waker_tid;      /* with woken_ns; 0: none */
	uint8_t end;             /* enum ct_slice_end; CT_SLICE_CONTINUED where the window ends */
	uint8_t flags;           /* CT_SL_* */
};

struct ct_timeline_source {
	struct ct_context *context;
	struct ct_model m;       /* records only: no sums */
	struct ct_wakes wakes;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	/* Private. */
	struct ct_slice_pass slices;
	CT_ARRAY(char *, object); /* labels by site; NULL: not asked for yet */
	struct ct_source_begins *begins; /* by thread */
	int (*wait)(void *self, const struct ct_interval *wait);
	void *self;
};

/* Reads the records. 0, -EINVAL: context->usage says why, -ENOMEM, -errno. Close in
 * any case. */
int ct_source_open(struct ct_timeline_source *s, struct ct_context *c);
/* The same, but of a model whose trace's it is and which stays as long; the options select a window, and nothing else. */
int ct_source_open_part(struct ct_timeline_source *s, struct ct_context *c, const struct ct_model *m);
void ct_source_close(struct ct_timeline_source *s);

/* Reads all waits, once. The taker returns 0, -errno, or 1 for no more. */
int ct_source_waits(struct ct_timeline_source *s, int (*wait)(void *self, const struct ct_interval *wait), void *self);
/* Reads all slices, in the order of their ends, and the times for which records are
 * missing (lost: how many). gap may be NULL. Before or after the waits. */
int ct_source_slices(struct ct_timeline_source *s, int (*slice)(void *self, const struct ct_turn_on_cpu *turn),
		     int (*gap)(void *self, const struct ct_gap *gap), void *self);

/* Reads the times of which nothing was recorded, of the threads and processes that are selected, clipped to the
 * window. After the waits, which meet damage. */
int ct_source_blanks(struct ct_timeline_source *s, int (*take)(void *self, const struct ct_blank *blank), void *self);

/* Whether a thread lived in the window and is selected. */
bool ct_source_shows(const struct ct_timeline_source *s, uint32_t thread);
/* From when to when a thread lived, clipped to the window. */
void ct_source_life(const struct ct_timeline_source *s, uint32_t thread, uint64_t *ret_from_ns, uint64_t *ret_to_ns);
/* The label of what a site waits for; "": nothing. NULL without memory. */
const char *ct_source_object(struct ct_timeline_source *s, uint32_t site);
/* The call stack of a site, as in source->callstacks, or CT_NO. 0 or -ENOMEM. */
int ct_source_callstack(struct ct_timeline_source *s, uint32_t site, uint32_t *ret);
/* "pthread_mutex_lock g_lock": the call, or the cause where no call is known, and the
 * object. NULL without memory; the caller frees it. */
char *ct_source_name(struct ct_timeline_source *s, uint32_t site);

#endif
