/*
 * What of a process is recorded: it can be changed while it runs. The process reads it from
 * its region's live page (abi/region.h); the trace says it in RECORDING records.
 *
 * While all families are off, the time of each thread is declared: by intervals with the
 * cause "unrecorded", from the switch, or from the end of the call that it was in then, to
 * the next switch or the thread's end. So that nobody who looks meanwhile has to guess,
 * such a time is written in pieces.
 */
#ifndef CT_RECORDING_H
#define CT_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

struct ct_process;
struct ct_record;
struct ct_thread;
struct ct_trace;

struct ct_recording {
	uint32_t off;          /* families that are not recorded: see families.def */
	uint32_t stacks;       /* enum ct_stacks */
	uint64_t min_ns;
};

/* What the region says of a process that attaches. */
void ct_recording_read(struct ct_process *p);
/* Before its first pass: takes over what holds for it, NULL: what it came with. Writes its
 * first RECORDING record where it is not as in most traces. */
void ct_recording_begin(struct ct_trace *t, struct ct_process *p, const struct ct_recording *wanted);
/* Switches from now on. */
void ct_recording_set(struct ct_trace *t, struct ct_process *p, const struct ct_recording *wanted);
/* At each pass: writes what has become a piece. */
void ct_recording_pass(struct ct_process *p, uint64_t now_ns);
/* Writes it at once. */
void ct_recording_now(struct ct_process *p, uint64_t now_ns);
/* What holds, for a trace that begins then. */
void ct_recording_record(const struct ct_process *p, uint64_t at_ns, struct ct_record *ret);
/* The thread ends then. */
void ct_recording_thread_end(struct ct_process *p, struct ct_thread *th, uint64_t end_ns);

#endif
