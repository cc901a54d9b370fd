/*
 * From the kernel's records to slices: when each thread had a CPU, how that
 * ended, and who woke it before. See perf.h and abi/switches.h.
 *
 * The rings of the CPUs are merged by time, up to a moment that lies before the
 * pass: what a ring holds of the time before that is all there will be. Of one
 * thread the records are then in their true order, since each is written before
 * the next one's cause. A CPU's record that comes later all the same is taken as it is,
 * and its slice marked. Where records were lost nothing is made up: what was
 * open on that CPU ends there, and what comes first after it has no start.
 */
#ifndef CT_SLICES_H
#define CT_SLICES_H

#include <stdbool.h>
#include <stdint.h>

#include "map.h"
#include "perf.h"
#include "switches.h"
#include "writer.h"

enum ct_sched_mode {
	CT_SCHED_AUTO,     /* where the kernel allows it */
	CT_SCHED_ON,       /* it must */
	CT_SCHED_SWITCHES, /* as AUTO, but without wake-ups */
	CT_SCHED_OFF,
};

struct ct_sched_wake {
	uint64_t ns;           /* 0: none */
	uint32_t pid, tid, flags;
};

struct ct_sched_task {
	uint32_t pid, tid;
	bool running, gone;
	bool ready;            /* not running: it was preempted */
	bool ran;              /* it has had a CPU */
	uint32_t cpu;          /* running: index into cpu[] */
	uint32_t flags;        /* of its slice: CT_SL_* */
	uint64_t since_ns;     /* running: start of the slice, or of its part */
	uint64_t out_ns;       /* when it last lost a CPU */
	struct ct_sched_wake wake;  /* seen since then */
	struct ct_sched_wake woken; /* before its slice */
	uint32_t chunk, index; /* its place in the tasks of that chunk */
	char name[CT_NAME];
};

struct ct_sched_cpu {
	uint32_t running;      /* 1 + index into task[], 0: none that we know */
	uint64_t last_ns;      /* its last record */
	uint64_t unknown_since_ns; /* somebody may be running: nothing was heard since then; 0: known */
	uint64_t suspect_at;   /* its ring was full up to there: records may be missing behind; 0: no */
};

struct ct_sched {
	struct ct_perf perf;
	struct ct_sched_cpu *cpu;   /* as perf.ring; owned */
	struct ct_sched_task *task; /* owned */
	uint32_t task_count, task_room;
	struct ct_map by_tid;       /* tid -> 1 + index */
	struct ct_map wakers;       /* of this chunk and not in task[]: tid + 1 -> 1 + index */
	struct ct_switches_encoder encoder;
	uint32_t chunk;             /* number of the chunk that is being made */
	uint64_t chunk_since_ns;
	bool flushed;
	uint64_t foreign_wakes;     /* of tasks that are not traced */
	uint64_t bearable_wakes, bearable_ns; /* how many that may have been, until when */
	bool wakes_stopped;         /* there were too many of others */
	uint64_t gap_end_ns;        /* of the last gap on any CPU */
	uint64_t lost, lost_written; /* records */
	uint64_t merged_ns;         /* up to where the passes before this one took records */
	uint64_t last_end_ns;       /* the latest end of a slice */
};

/* Opens the records on a process with one thread; waking: and of who wakes whom. 0; -errno, ret_wrong says why. */
int ct_sched_open(struct ct_sched *s, pid_t pid, bool waking, char ret_wrong[CT_PERF_WRONG]);
/* Prepares for reading rings that are open. -ENOMEM. */
int ct_sched_start(struct ct_sched *s);
/* One pass. Returns the largest part of a ring that was in use, in 1/256. */
unsigned int ct_sched_pass(struct ct_sched *s, struct ct_writer *w, uint64_t now_ns);
/* Reads everything, ends what is open, writes the rest. */
void ct_sched_finish(struct ct_sched *s, struct ct_writer *w, uint64_t now_ns);
void ct_sched_close(struct ct_sched *s);

/* --- slices-part.c: a part of the records as a trace of its own --- */

/* Reads and writes all up to now, though a CPU that stands still may have something to add. */
void ct_sched_catch_up(struct ct_sched *s, struct ct_writer *w);
/* Writes the slices that are gathered. */
void ct_sched_flush(struct ct_sched *s, struct ct_writer *w);
/* What a part begins with: of each task without a CPU the end of its last slice, as one of length 0. */
void ct_sched_part_begin(const struct ct_sched *s, struct ct_writer *w);
/* What it ends with: the slices that have not ended, up to what was read last. */
void ct_sched_part_end(const struct ct_sched *s, struct ct_writer *w);

static inline bool ct_sched_is_open(const struct ct_sched *s)
{
	return s->perf.ring_count != 0;
}

/* --- slices-tasks.c --- */

/* The task with a tid; a new one where there is none. NULL without memory. May
 * move the others. */
struct ct_sched_task *ct_sched_task(struct ct_sched *s, uint32_t pid, uint32_t tid);
/* NULL: there is none. */
struct ct_sched_task *ct_sched_find(struct ct_sched *s, uint32_t tid);

#endif
