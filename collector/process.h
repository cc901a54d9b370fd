/*
 * A traced process image as the collector sees it, its threads, and what is
 * done with them at each pass over their rings.
 *
 * The region is shared with the process, which may write anything at any time:
 * what matters is copied here first. Memory is bounded: by the slots of the
 * region, by the room in its tables, and by a chunk's worth of events. So is the
 * time that a pass takes, whatever there is to be done: the others have theirs.
 */
#ifndef CT_PROCESS_H
#define CT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "codec.h"
#include "ends.h"
#include "live.h"
#include "map.h"
#include "recording.h"
#include "region.h"
#include "writer.h"

/* A copy of the region's header, so that what was checked is what is used. */
struct ct_header {
	uint64_t magic, region_bytes, start, start_ns, ticks_per_ms, min_ticks, features;
	uint32_t version, slot_count, pid, parent_pid, clock, calls;
	char executable[sizeof(((struct ct_region *)0)->executable)];
};

/* The collector's view of a call's counters at the last COUNTERS record. */
struct ct_counted {
	uint64_t calls;
	struct ct_short short_;
};

struct ct_thread {
	uint32_t id;          /* in the trace */
	uint32_t slot;
	pid_t tid;            /* in our pid namespace, as in the trace; 0: not known */
	pid_t own_tid;        /* as the process has it: in its memory, in its locks */
	uint64_t consumed;    /* events taken from the ring; running on from life to life of the slot */
	uint64_t start_ns, last_end_ns;
	uint64_t newest_start_ns, newest_end_ns; /* of the event that ended last */
	uint64_t piece_start_ns, piece_end_ns; /* the last time that was declared to be not recorded; 0: none */
	uint64_t hole;        /* event number that is missing */
	uint64_t hole_since_ns; /* 0: none */
	uint64_t dropped;     /* slot->dropped at the last LOSS record */
	uint64_t lost, damaged; /* not yet in a LOSS record */
	uint64_t dead_since_ns; /* 0: alive when last probed */
	uint64_t cpu_ns, run_delay_ns; /* when last polled */
	uint64_t probe_ns, poll_ns; /* when next */
	uint32_t poll_period_ms;
	bool ended_seen;      /* state ENDED was seen */
	bool busy;            /* had events since the last poll */
	char name[CT_NAME];   /* as last written */
	char slot_name[CT_NAME]; /* as last seen in the slot */
	uint64_t blocked_start; /* ticks: of the wait in progress when last looked at */
	uint64_t look_ns;     /* when next to look for its descriptor */
	uint64_t waiting_start; /* ticks: the wait of its last WAITING record; 0: none */
	uint16_t waiting_call;
	uint32_t waiting_generation; /* in which that record was written */
	uint64_t cut_ns;      /* where its life ends in the snapshot that is being made */
	struct ct_live_thread *live; /* NULL: nobody looked on; owned */
	uint64_t told_start;  /* ticks: the wait that a trigger fired for last; 0: none */
	uint16_t counted_index[CT_CALLS_MAX]; /* call -> 1 + index in counted */
	struct ct_counted *counted;           /* owned */
	uint16_t counted_used, counted_size;
};

/* Difference baseline of a hot lock. */
struct ct_lock_seen {
	uint64_t acquisitions, hold_ticks;
};

#define CT_HOLDERS_MAX 256u
#define CT_IN_MODULE   1024u

/* As in a HOLDER record; without padding, to be compared as a whole. */
struct ct_holder {
	uint64_t address, ip; /* ip: where it was taken, 0: not known */
	uint32_t tid, shared;
};

struct ct_name_seen {
	uint32_t id;             /* in the trace; 0: not yet */
	uint32_t generation;     /* in which it was declared last */
	char text[CT_NAME_TEXT]; /* then: an id keeps its meaning, whatever the process does */
};

struct ct_module_seen {
	uint32_t id, epoch_last;
	uint32_t generation;     /* in which it was declared last */
	bool bad;                /* it makes no sense, and that was counted */
};

struct ct_descriptor_seen {
	uint32_t descriptor, id; /* number in shared memory; in the trace */
	uint32_t generation;     /* in which it was declared last */
	uint64_t in, out, own_listener; /* channels */
	int32_t fd;
	uint32_t wakes;          /* written to it */
	bool quiet;              /* the process was told not to write them */
};

struct ct_process {
	uint32_t id;           /* in the trace */
	pid_t pid, parent_pid; /* in our pid namespace, as in the trace */
	pid_t own_pid;         /* as the process has it; another number in another namespace */
	pid_t newest_tid;      /* the largest tid that was looked up */
	struct ct_map tids;    /* in another namespace: own tid -> tid, of ended threads, too */
	int pidfd;             /* owned; -1: probed with kill() */
	struct ct_region *region; /* mapped; owned */
	uint64_t region_bytes;
	uint32_t slot_count, clock;
	struct ct_knot base;   /* where the process's own time begins */
	uint64_t earliest_ticks; /* starts before it make no sense */
	double ticks_per_ms;
	struct ct_thread **threads; /* slot_count; owned */
	uint64_t *consumed;    /* slot_count: where the next life of a slot goes on; owned */
	uint32_t thread_count;
	struct ct_events_encoder encoder;
	bool flushed;
	uint64_t events_since_ns;
	uint64_t late_ns;      /* when the pass is to end, so that others have their turn; 0: never */
	uint32_t next_slot;    /* where the next pass begins: it was late here */
	uint32_t counted;      /* entries in the counted of all threads */
	char executable[sizeof(((struct ct_region *)0)->executable)];
	struct ct_recording recording;
	bool no_rseq;          /* nothing tells what left the CPU */
	uint64_t stopped_ns;   /* since when nothing is recorded, if nothing is */
	uint64_t piece_ns;     /* when to write what that was so far */
	uint64_t on_ticks[CT_FAMILY_COUNT]; /* when each family was switched on last */
	uint64_t events, lost; /* so far */
	uint64_t rated_events, rated_ns, events_per_s; /* of the second before rated_ns */
	struct ct_buf after;   /* records that must stand behind the events gathered so far */
	uint32_t after_count;
	struct ct_map stacks;  /* word in the arena -> trace id */
	struct ct_map codes;   /* addresses of frames that lie in no module */
	uint64_t in_module[CT_IN_MODULE]; /* some that do */
	struct ct_name_seen *names; /* by place in the region's names[]; CT_NAMES; NULL: none yet; owned */
	struct ct_map bare_fds; /* descriptors without an entry: fd + 1 -> trace id */
	struct ct_module_seen *modules; /* CT_MODULES; owned */
	uint32_t modules_seen; /* ready ones below this have been written */
	uint32_t modules_epoch;
	uint32_t modules_generation; /* in which they were declared last */
	struct ct_record_process_start declared; /* its record; the texts are owned */
	struct ct_descriptor_seen *descriptors; /* CT_DESCRIPTORS; owned */
	uint64_t descriptors_done; /* written, up to this number */
	uint32_t ends_changes; /* of struct ct_ends, when last told */
	struct ct_lock_seen *locks; /* CT_HOT_LOCKS; owned */
	uint64_t stacks_lost, threads_lost, modules_lost; /* at the last LOSS record */
	uint64_t damaged;      /* that belong to no thread; not yet in a LOSS record */
	uint64_t counters_ns;  /* when next */
	uint64_t kill_probe_ns;
	uint64_t waiting_ns;   /* when to look for waits that last */
	struct ct_live *live;  /* NULL: nobody looks on; owned */
	bool no_peek;          /* the kernel does not let us read its memory */
	struct ct_holder *holder; /* the set of HOLDER records written last; owned */
	uint32_t holder_count;
	uint64_t holders_ns;   /* when it was last true */
	uint32_t holders_generation; /* in which it was written */
};

/* What all processes share. */
struct ct_trace {
	struct ct_writer writer;
	struct ct_clock clock;
	uint64_t mono_ns;      /* CLOCK_MONOTONIC when the clock was last read */
	bool synced;           /* the clock was read in this pass */
	uint32_t last_process, last_thread, last_stack, last_module, last_descriptor, last_name;
	uint64_t lost;         /* events */
	uint64_t first_ns, last_ns; /* the earliest start, the latest end of a process */
	int proc_tokens;       /* how many more /proc files may be read now */
	uint32_t processes;    /* attached now */
	uint32_t generation;   /* of a flight recorder: what was declared in an earlier one is declared anew */
	struct ct_flight *flight; /* NULL: none */
	struct ct_ends ends;
};

/* --- process.c --- */

/* Takes over the mapped region and pidfd, whose header was checked, and writes
 * PROCESS_START. -ENOMEM; then both stay the caller's. */
int ct_process_start(struct ct_trace *t, struct ct_region *region, const struct ct_header *header,
		     pid_t pid, int pidfd, struct ct_process **ret);
/* One pass. Returns how much of an ordinary ring was in use where most was, in 1/256: more than that of a large one. */
unsigned int ct_process_pass(struct ct_trace *t, struct ct_process *p, uint64_t now_ns);
/* Whether this process has had its part of the pass. */
bool ct_process_is_late(const struct ct_process *p);
/* It has ended, or is to: takes what its rings hold, as far as its turn goes. False: there may be more.
 * Begins with next_slot. */
bool ct_process_empty(struct ct_trace *t, struct ct_process *p);
/* Drains everything, closes what is open, frees p. how: enum ct_end; status as
 * from wait(), -1: not known. */
void ct_process_finish(struct ct_trace *t, struct ct_process *p, int how, uint64_t end_ns, int status);
/* A time in the region's clock. */
uint64_t ct_process_ns(struct ct_trace *t, struct ct_process *p, uint64_t ticks);
/* Until when the clock is known, in ticks. */
uint64_t ct_process_latest(struct ct_trace *t, const struct ct_process *p);
/* Makes now the latest. */
void ct_trace_sync(struct ct_trace *t);
/* Writes what was counted since the last time: COUNTERS, LOCK and LOSS records. */
void ct_process_counters(struct ct_trace *t, struct ct_process *p, uint64_t now_ns);
void ct_process_flush(struct ct_trace *t, struct ct_process *p);
/* Finds threads and drains all of them. */
void ct_process_drain(struct ct_trace *t, struct ct_process *p, uint64_t now_ns);
/* Writes a record behind the events that are gathered now. */
void ct_process_record_after(struct ct_trace *t, struct ct_process *p, const struct ct_record *record);

/* --- thread.c --- */

/* Finds new threads, names, dead threads; drains. Returns like ct_process_pass. */
unsigned int ct_thread_pass(struct ct_trace *t, struct ct_process *p, uint32_t slot, uint64_t now_ns);
/* Finds the new thread in a slot, if there is one. */
void ct_thread_look(struct ct_trace *t, struct ct_process *p, uint32_t slot);
/* What is called so in the process's own pid namespace, as the trace has it. */
uint32_t ct_thread_tid(struct ct_trace *t, struct ct_process *p, uint32_t own_tid);
/* Reads what the kernel knows of its CPU time. */
void ct_thread_poll(struct ct_process *p, struct ct_thread *th);
/* What is written at its end. */
void ct_thread_end_record(const struct ct_process *p, const struct ct_thread *th, int process_how, uint64_t end_ns,
			  struct ct_record *ret);
/* Ends the thread in a slot, if there is one. process_how: -1 when the thread
 * ended alone, which frees its slot; otherwise the process ended like that at end_ns. */
void ct_thread_finish(struct ct_trace *t, struct ct_process *p, uint32_t slot, int process_how, uint64_t end_ns);

/* --- drain.c --- */

/* Event n of a slot, in its ring or in its large one; NULL: it is not there. */
const struct ct_event *ct_drain_entry(const struct ct_region *r, const struct ct_slot *s, uint64_t n);
/* Takes events that are ready; with final all there will ever be. Returns the
 * number that was waiting. */
uint64_t ct_drain(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, bool final);
/* Writes the wait in progress as an event: flags say why it is open. */
void ct_drain_wait(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint8_t flags,
		   uint64_t end_ns);
/* Gives an event to the encoder; false: it cannot follow the one before it. */
bool ct_drain_put(struct ct_process *p, struct ct_thread *th, const struct ct_site *site, uint64_t start_ns, uint64_t end_ns,
		  int64_t result);
/* A copy of the wait in progress that began when it was recorded; false: there is none. */
bool ct_drain_recorded(const struct ct_process *p, const struct ct_thread *th, struct ct_wait *ret);
/* Writes the waits of these families that are recorded only since they were switched on:
 * they are switched off. */
void ct_drain_switched(struct ct_trace *t, struct ct_process *p, uint32_t families, uint64_t end_ns);
/* When a wait began that a thread publishes: the switch, of one that is recorded since then. */
uint64_t ct_drain_start(const struct ct_process *p, const struct ct_wait *w);
/* Whether a wait is in progress. */
bool ct_drain_waits(const struct ct_slot *s);
/* A copy of it; false: there is none, or it makes no sense. */
bool ct_drain_waiting(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, struct ct_wait *ret);

/* --- marks.c --- */

/* The ring entry is one of enum ct_line_kind. */
static inline bool ct_is_line(const struct ct_event *e)
{
	return e->kind >= CT_LINE_TASK_BEGIN;
}
/* Puts what the trace knows into the site of a region's begin or end: its name, and in aux that of its task. */
void ct_marks_region(struct ct_trace *t, struct ct_process *p, struct ct_site *site, const struct ct_event *e);
/* Whether it makes sense, but for its times. */
bool ct_line_is_sound(const struct ct_event *e);
/* Writes the record of entry n of a thread's ring. Returns how many entries behind it belong to it. */
uint64_t ct_line_take(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, const struct ct_event *e,
		      uint64_t n);

/* --- waiting.c --- */

/* Now and then: writes the waits that have lasted for a while, and which of them are over. */
void ct_waiting_pass(struct ct_trace *t, struct ct_process *p, uint64_t now_ns);
/* Writes all waits in progress. */
void ct_waiting_now(struct ct_trace *t, struct ct_process *p, uint64_t now_ns);
/* The process, or the trace, ends: who holds what is waited for then. */
void ct_waiting_last(struct ct_trace *t, struct ct_process *p, uint64_t end_ns, bool alive);

/* Who holds the lock that a wait is for, as far as it can be seen. */
uint32_t ct_waiting_holders(struct ct_process *p, const struct ct_wait *w, struct ct_holder *ret, uint32_t room);

/* --- intern.c: numbers in shared memory to those in the trace; 0: none --- */

uint32_t ct_intern_stack(struct ct_trace *t, struct ct_process *p, uint32_t word);
/* The stack of one frame, for a wait without a stack. */
uint32_t ct_intern_ip(struct ct_trace *t, struct ct_process *p, uint64_t ip);
/* Those that the process has found out since the last time. */
void ct_intern_descriptors(struct ct_trace *t, struct ct_process *p);
/* object: descriptor << 32 | fd. */
uint32_t ct_intern_descriptor(struct ct_trace *t, struct ct_process *p, uint64_t object);
/* place: in names[]. */
uint32_t ct_intern_name(struct ct_trace *t, struct ct_process *p, uint64_t place);
/* Writes modules that are new or, for a stack of epoch, live longer than written. */
void ct_intern_modules(struct ct_trace *t, struct ct_process *p, uint32_t epoch);

/* --- codes.c --- */

/* Remembers those of a stack's frames that lie in no module. */
void ct_codes_seen(struct ct_process *p, const uint64_t *frames, uint32_t depth);
/* The process, or the trace, ends: writes what /tmp/perf-PID.map calls them. */
void ct_codes_write(struct ct_trace *t, struct ct_process *p);

/* An address, and the last line of the file that covers it. */
struct ct_code_wanted {
	uint64_t address, start, size;
	uint64_t line;  /* where it begins in the file */
	uint32_t bytes; /* of the name; 0: no line */
};

/* The same in two parts, of which the second can be done by another thread. */
struct ct_codes_job {
	uint32_t process;
	pid_t pid;
	int64_t started_real_ns;
	struct ct_codes_wanting {
		struct ct_code_wanted *wanted; /* by address; owned */
		uint32_t count, matches;
	} all;
};

/* -ENOMEM: there is nothing to be freed. */
int ct_codes_list(struct ct_trace *t, struct ct_process *p, struct ct_codes_job *ret);
void ct_codes_do(struct ct_codes_job *job, struct ct_writer *to);
void ct_codes_free(struct ct_codes_job *job);

/* --- counters.c --- */

void ct_counters_thread(struct ct_trace *t, struct ct_process *p, struct ct_thread *th);
void ct_counters_locks(struct ct_trace *t, struct ct_process *p);
/* LOSS records of the process and, if not NULL, of a thread. */
void ct_counters_loss(struct ct_trace *t, struct ct_process *p, struct ct_thread *th);

#endif
