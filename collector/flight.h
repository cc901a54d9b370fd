/*
 * The flight recorder: the last part of a trace, in memory, written when it is asked for.
 *
 * Time is cut into generations, each an eighth of the bounds. A generation is a list of
 * compressed chunks that can be read without those before it: what it begins with (opening)
 * declares all processes and threads that live then; stacks, modules, descriptors and names keep
 * their ids and are declared anew on first use (ct_trace.generation). Generations are given up
 * as a whole, the oldest first, before the bounds would be exceeded.
 *
 * A snapshot is a trace of its own: the opening of the oldest generation, the chunks of all,
 * and what ends there and then: waits in progress, slices, lives of threads and processes. A
 * thread writes it while collection goes on; each generation is kept until it is written.
 * If that is slower than new events come, those that find no room are lost, and counted.
 *
 * Bounds are upper ones: a snapshot never covers more time, or takes more room, than they say,
 * and no less than seven eighths of it while there is enough to tell.
 */
#ifndef CT_FLIGHT_H
#define CT_FLIGHT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chunks.h"
#include "flight-options.h"
#include "region.h"

struct ct_collector;
struct ct_process;
struct ct_thread;
struct ct_snapshot;
struct ct_writer;

struct ct_generation {
	struct ct_generation *next;  /* the younger one */
	uint64_t begin_ns;
	uint64_t lost_before;        /* events */
	bool first;                  /* begins with the trace */
	bool broken;                 /* what came at once was more than the bound: nothing of it is kept */
	bool torn;                   /* what came before it is not whole */
	bool dropped;                /* out of the list: freed when nobody reads it any more */
	uint32_t readers;            /* snapshots that are being written */
	uint64_t held_bytes;         /* dropped: that it takes as long as it is read */
	struct ct_chunks opening, body;
};

/* What a snapshot is about, if it is about a wait. */
struct ct_reason {
	char why[160];               /* "signal", "trigger wait>50ms", "SIGSEGV of process 12" */
	uint32_t pid, tid;           /* 0: no wait */
	uint16_t cause;
	char thread[CT_NAME];
	uint64_t start_ns, end_ns;
};

struct ct_deadlock_seen {
	uint64_t mark;               /* of the waits in it; 0: none was seen */
	uint64_t told;               /* the one that a snapshot was written for */
	uint64_t next_ns;
};

struct ct_flight {
	struct ct_flight_options options;
	struct ct_collector *c;
	struct ct_generation *oldest, *current; /* owned */
	uint64_t held_bytes;         /* of generations that are dropped, but read */
	size_t piece_bytes;
	struct ct_snapshot *writing; /* NULL: none */
	int written;                 /* eventfd: it is done */
	struct ct_reason asked;      /* a snapshot is to be taken; why "": none */
	bool asked_free;             /* not by a trigger: neither pause nor number counts */
	uint32_t number;             /* of the last snapshot */
	uint32_t snapshots;          /* that were written */
	uint32_t by_triggers;
	uint64_t pause_until_ns;
	uint64_t lost_told;          /* events lost when last told of */
	uint64_t least_wait_ns;      /* waits that are longer may be asked for; UINT64_MAX: none are */
	uint64_t look_ns;            /* when to look at waits in progress */
	struct ct_deadlock_seen deadlock;
	int program_signal;          /* that the program ended by; 0: none, or not known */
	bool died;                   /* a snapshot of that was taken */
	char program[64];            /* its name, for names of files; "": not known yet */
};

/* --- flight.c --- */

/* Begins the first generation. -errno. */
int ct_flight_open(struct ct_flight *f, struct ct_collector *c);
void ct_flight_close(struct ct_flight *f);
/* Once a pass: new generation, triggers, snapshots that are due. */
void ct_flight_pass(struct ct_flight *f, uint64_t now_ns);
/* A new generation. */
void ct_flight_cut(struct ct_flight *f, uint64_t now_ns);
/* The oldest generation that a snapshot begins with. */
struct ct_generation *ct_flight_begin(const struct ct_flight *f, uint64_t now_ns);
/* A snapshot does not read it any more. */
void ct_flight_release(struct ct_flight *f, struct ct_generation *g);

/* --- flight-alive.c: what begins and ends where a trace is cut --- */

/* Declares what is alive; nothing began before begin_ns. */
void ct_alive_begin(struct ct_collector *c, struct ct_writer *to, uint64_t begin_ns);
/* Takes in all that has happened until now. */
void ct_alive_gather(struct ct_collector *c, uint64_t now_ns);
/* Writes waits in progress and the end of all that is alive. */
void ct_alive_end(struct ct_collector *c, struct ct_writer *to, uint64_t now_ns);

/* --- flight-ask.c: when a snapshot is taken --- */

/*
 * Takes a snapshot. path: NULL: as -o says, with a number. ret_path (size bytes; NULL: not
 * wanted) is where it will be, as an absolute path, in a while: as long as it is not complete the
 * file has ".part" behind its name. 0; -EBUSY: one is being written; -ENOTSUP: no flight recorder; -errno.
 */
int ct_flight_snapshot(struct ct_collector *c, const char *path, const char *why, char *ret_path, size_t size);
/* Asks for one in the next pass, whatever is under way. */
void ct_flight_ask(struct ct_flight *f, const struct ct_reason *reason);
/* A process has died by a signal. */
void ct_flight_died(struct ct_flight *f, pid_t pid, int signal);
/* A snapshot has been written: says so. */
void ct_flight_written(struct ct_flight *f);
/* Waits until it has. */
void ct_flight_wait(struct ct_flight *f);
void ct_flight_ask_pass(struct ct_flight *f, uint64_t now_ns);
/* All is over: the last snapshot, if one is wanted. */
void ct_flight_finish(struct ct_flight *f);

/* --- triggers.c --- */

/* An interval has ended, or goes on: fires if a trigger is about it. */
void ct_trigger_wait(struct ct_flight *f, struct ct_process *p, struct ct_thread *th, uint16_t cause,
		     uint64_t start_ticks, uint64_t start_ns, uint64_t end_ns);
void ct_trigger_pass(struct ct_flight *f, uint64_t now_ns);
/* Prepares for the triggers that the options name. */
void ct_trigger_open(struct ct_flight *f);

/* --- deadlock.c --- */

/* Looks for threads of a process that wait for each other. Returns a mark of the waits that form
 * a circle, 0: there is none; ret_reason: one of them. */
uint64_t ct_deadlock_find(struct ct_collector *c, struct ct_reason *ret_reason);

/* --- snapshot.c --- */

/* Starts to write one. -errno. */
int ct_snapshot_start(struct ct_flight *f, const char *path, const struct ct_reason *reason, struct ct_snapshot **ret);
/* Releases the generations that it has written. */
void ct_snapshot_reap(struct ct_flight *f, struct ct_snapshot *s);
/* Waits for its end and frees it. What it wrote: path, events, bytes. 0, or the -errno that ended it. */
int ct_snapshot_end(struct ct_flight *f, struct ct_snapshot *s, char ret_path[PATH_MAX], uint64_t *ret_events,
		    uint64_t *ret_bytes, uint64_t *ret_ns, char ret_why[160]);

#endif
