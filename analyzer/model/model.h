/*
 * What a trace says, summed up while it streams by: memory grows with the
 * threads, objects and distinct stacks in it, not with its events.
 *
 * Everything refers to everything by index into the arrays of struct ct_model;
 * CT_NO is no index. Texts are owned by the model, valid UTF-8 and free of
 * control characters. Times are ns of CLOCK_MONOTONIC.
 */
#ifndef CT_MODEL_H
#define CT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"
#include "delays.h"
#include "histogram.h"
#include "nesting.h"
#include "options.h"
#include "reader.h"
#include "table.h"
#include "timeline.h"

#define CT_NO UINT32_MAX
#define CT_CAUSES 256 /* an event's cause is a byte */

struct ct_cause_info {
	char *name, *category, *text; /* NULL: not in the trace's table */
	bool is_wait;                 /* counts as blocked time */
	bool selected;                /* by --cause, which names it or its category */
	bool is_gap;                  /* nothing was recorded: such a time is not known */
	struct ct_histogram *times;   /* of the selected waits; NULL: none */
};

struct ct_call_info {
	uint32_t id;
	char *name, *family;
	uint64_t calls, short_ns;     /* from COUNTERS of the selected threads */
	uint64_t written, written_ns; /* intervals in the trace, from the cells */
};

struct ct_process_info {
	uint32_t id;
	uint64_t pid, parent_pid;
	uint64_t start_ns, end_ns, min_ns;
	char *executable, *command;   /* "" if not known */
	int64_t status;
	uint8_t how;                  /* enum ct_end */
	bool started, ended;          /* the records were there */
	bool selected;
	uint32_t code_file;           /* index + 1 of the file that stands for its code; 0: none */
	bool off_cpu_known;           /* its events without CT_EV_OFF_CPU are no waits */
	bool partial;                 /* model_partial.h: some families are not recorded now */
	uint32_t next_recording;      /* the first in recording[] that was not heeded yet */
};

struct ct_thread_info {
	uint32_t id, process;
	uint64_t tid, pthread, routine;
	uint64_t start_ns, end_ns;
	uint64_t cpu_ns, run_delay_ns; /* since start_ns */
	uint64_t cpu_before_ns, run_delay_before_ns;
	uint64_t dropped;             /* events lost */
	char *name;                   /* "" if not known */
	uint8_t how;
	bool started, ended;
	bool selected;
	/* From the events. */
	uint64_t first_ns, last_ns;   /* UINT64_MAX, 0: none */
	uint64_t events;
	struct ct_nesting nesting;
	uint64_t excluded_ns;         /* blocked, but not selected by --cause, --object, --site, --min */
	uint64_t in_call_ns;          /* running in calls that were long enough to be written */
	uint64_t partial_ns;          /* unexplained while some families were not recorded: model_partial.h */
	int64_t unexplained_before_ns; /* until that was switched last */
	/* The books, made by ct_model_finish: lifetime is the sum of the next five
	 * and excluded. */
	uint64_t lifetime_ns, running_ns, runnable_ns, blocked_ns, unexplained_ns;
	uint64_t unknown_ns;          /* records of the scheduler are missing, or nothing was recorded: */
	uint64_t unrecorded_ns;       /* part of it: recording, or a part of it, was switched off */
	uint64_t estimated_ns;        /* part of runnable that the kernel's total gives: see model_books.c */
	uint64_t longest_ns;          /* of its waits */
};

/* How long a thread was ready. */
struct ct_ready {
	struct ct_delays wakes, preempted; /* after a wake-up, and after it lost a CPU */
};

/* What the slices say of a thread; only of selected ones. */
struct ct_states {
	struct ct_timeline line;
	uint64_t sleeps, preemptions, migrations;
	uint64_t waits;               /* its calls that blocked, for the estimate */
	uint64_t last_event_ns;       /* the latest end of its events */
	uint32_t cpu;                 /* of its last slice */
	bool placed;
	/* For check: calls on which the kernel's word (CT_EV_OFF_CPU) and the slices
	 * disagree; of those that left the CPU only long ones. */
	uint64_t slept_unsaid, calls_off, calls_off_unseen;
	struct ct_ready *ready;       /* made when needed; NULL: never. Read by ct_ready_of */
};

struct ct_cpu_info {
	uint32_t number;
	uint64_t running_ns;          /* of selected threads */
};

/* Whose doing it was that threads became ready. */
struct ct_waker_info {
	uint32_t pid, tid;            /* 0: an interrupt, or an idle CPU */
	uint32_t flags;               /* CT_SL_SOFTIRQ, CT_SL_HARDIRQ */
	uint64_t count, total_ns, max_ns; /* of the times that they then waited for a CPU */
};

/* What running and ready times stand on. */
enum ct_sched_data {
	CT_SCHED_NONE,
	CT_SCHED_STAT,                /* the kernel's totals of each thread */
	CT_SCHED_SWITCHES,
};

/* A file that was mapped, whichever the process. */
struct ct_file_info {
	char *path;
	uint8_t build_id[32];
	uint32_t build_id_bytes;
	bool code;                    /* no file: what a process made at run time */
	uint32_t process;             /* of code: which */
};

/* CODE records. */
struct ct_code_info {
	uint32_t process, file;
	uint64_t start, end;
	uint64_t reach;               /* the largest end of those before it and it, of its process */
	uint32_t number;              /* in the order of the records */
	char *name;
};

struct ct_module_info {
	uint32_t process, file;
	uint64_t start, end, bias;
	uint64_t epoch_first, epoch_last;
};

struct ct_stack_info {
	uint32_t process, depth;
	uint64_t epoch;
	uint64_t first;               /* index into frame */
};

struct ct_descriptor_info {
	uint32_t process;             /* index */
	int64_t fd;
	uint64_t kind, device, inode;
	uint64_t in, out, listener;   /* channels; 0: not known */
	char *label;
};

/* LOCK records of one lock. */
struct ct_lock_info {
	uint32_t process;
	uint8_t cause;
	uint64_t address, acquisitions, hold_ns;
};

/* The last WAITING record of a thread. */
struct ct_waiting_info {
	uint32_t thread;              /* index */
	uint64_t seen_ns, start_ns;
	struct ct_site site;          /* call 0: it waits no more */
};

/* RECORDING records. */
struct ct_recording_info {
	uint32_t process;             /* index */
	uint64_t at_ns, off, min_ns, stacks;
};

/* HOLDER records: of each process the last set. */
struct ct_holder_info {
	uint32_t process;             /* index; CT_NO: of an older set */
	uint64_t seen_ns, object, tid;
	uint32_t stack;               /* the trace's id of where it was taken, 0: not known */
	bool shared;
};

/* What events have in common: their chunk's site, in its process. Flags other
 * than NO_START, OPEN and ABANDONED are dropped. */
struct ct_site_info {
	uint32_t process;
	struct ct_site site;
};

/* The events of one thread at one site, in one region of the program. */
struct ct_cell {
	uint32_t thread, site;
	uint32_t region;              /* in name: the innermost; CT_NO: none */
	uint64_t count, total_ns, max_ns; /* blocked time of their own: without nested ones */
	uint64_t unknown;             /* part of count: for how long is not known */
	uint64_t elapsed_ns;          /* from call to return */
	/* Ready after waits here; a wait around another one has the other's too. */
	uint64_t delays, delay_ns, max_delay_ns;
};

/* Of regions, tasks and categories; texts are unique. */
struct ct_name_info {
	char *text;
	bool region, task;            /* --region, --task mean it */
};

struct ct_meta_info {
	char *key, *value;
};

struct ct_model {
	const struct ct_options *options;
	struct ct_cause_info cause[CT_CAUSES];
	CT_ARRAY(struct ct_meta_info, meta);
	CT_ARRAY(struct ct_call_info, call);
	CT_ARRAY(struct ct_process_info, process);
	CT_ARRAY(struct ct_thread_info, thread);
	CT_ARRAY(struct ct_file_info, file);
	CT_ARRAY(struct ct_module_info, module);
	CT_ARRAY(struct ct_code_info, code); /* by process and start once all records are there */
	CT_ARRAY(struct ct_stack_info, stack);
	CT_ARRAY(uint64_t, frame);
	CT_ARRAY(struct ct_descriptor_info, descriptor);
	CT_ARRAY(struct ct_lock_info, lock);
	CT_ARRAY(struct ct_waiting_info, waiting);
	CT_ARRAY(struct ct_holder_info, holder);
	CT_ARRAY(struct ct_recording_info, recording); /* the first of them: some 10,000 */
	uint64_t partial_looks;        /* at threads, for model_partial.h */
	CT_ARRAY(struct ct_site_info, site);
	CT_ARRAY(struct ct_cell, cell);
	CT_ARRAY(struct ct_name_info, name); /* the first: "(other)" */
	/* index + 1 by id, for those whose ids are unique in a process by ct_pair */
	struct ct_table call_by_id, process_by_id, thread_by_id, module_by_id, stack_by_id, descriptor_by_id;
	/* index + 1 by hash; equal hashes stand at the next free keys */
	struct ct_table file_by_hash, lock_by_hash, site_by_hash;
	struct ct_table cell_by_pair;  /* thread, site; with a region by hash, at the next free keys */
	struct ct_table waiting_by_thread; /* index + 1 by index */
	struct ct_table name_by_id, name_by_hash; /* index + 1 */
	struct ct_marks *marks;        /* regions; NULL: there are none. Owned; marks.h */
	uint32_t *module_order;        /* by process and start */
	/* the last thread that has a tid, or a pthread_t, in a process */
	struct ct_table thread_by_tid, thread_by_pthread;
	uint64_t lost[CT_LOSS_KINDS];
	uint64_t events;               /* in all EVENTS chunks that were read */
	uint64_t records, record_bytes, chunks;
	uint64_t short_calls;          /* calls that were timed, but no events */
	bool has_costs;                /* COST records were there: */
	uint64_t cost_ps[CT_COST_KINDS];
	uint64_t bad_events;           /* end before their start */
	uint64_t clock_pairs, clock_error_ns; /* largest */
	bool has_end;                  /* the END record was there */
	struct ct_record_end end;
	uint64_t header_start_ns;      /* when the file was begun */
	uint64_t header_real_ns;       /* the same moment since 1970; 0: not known */
	uint64_t start_ns, end_ns;     /* what the trace covers */
	uint64_t from_ns, to_ns;       /* what was asked for of it */
	bool window;                   /* --from or --to was given */
	bool clip;                     /* what is outside of from_ns and to_ns is cut off: by the window, or since
					* a snapshot begins after its threads */
	struct ct_filter *filter;      /* of --object and --site; NULL: all sites (filter.h) */
	bool lent;                     /* a copy of another model's struct: nothing in it is freed with it */
	struct ct_wakes_member *together; /* who reads its waits together with others; NULL: nobody (wakes_together.h) */
	bool borrows;                  /* a snapshot (model_grow.h): texts of files, code, descriptors and names are another's */
	char complaint[160];           /* what ct_model_load's -EINVAL is about */
	bool has_sched;                /* running and ready times are known */
	enum ct_sched_data sched;
	bool wakes;                    /* the slices say when threads were woken */
	bool estimated;                /* runnable times have a part that is estimated */
	/* Slices; see model_switches.h. Without them states is NULL. */
	struct ct_states *states;      /* of the first states_count threads */
	uint32_t states_count;
	struct ct_gaps gaps;
	uint64_t exact_ns;             /* calls that began before it may be slightly off */
	uint64_t slices, gap_records, bad_slices;
	uint64_t slices_from_ns, slices_to_ns; /* UINT64_MAX, 0: none */
	CT_ARRAY(struct ct_cpu_info, cpu);
	CT_ARRAY(struct ct_waker_info, waker);
	struct ct_table cpu_by_number, waker_by_key;
};

/* Reads a whole trace: its records, then its events, as far as the options
 * select them, and makes the books. 0, -EINVAL: m->complaint says why, -ENOMEM,
 * -errno. Damage is counted in r. Free with ct_model_free in either case. */
int ct_model_load(struct ct_model *m, struct ct_reader *r, const struct ct_options *o);
void ct_model_free(struct ct_model *m);

/* Only the first pass: all records, then window and selection. */
int ct_model_load_records(struct ct_model *m, struct ct_reader *r, const struct ct_options *o);

/* Finds or makes what an id stands for: the index, or CT_NO without memory. */
uint32_t ct_model_process(struct ct_model *m, uint64_t id);
uint32_t ct_model_thread(struct ct_model *m, uint64_t id, uint32_t process);
/* CT_NO: not known. process is an index, the other an id. */
uint32_t ct_model_stack(const struct ct_model *m, uint32_t process, uint32_t stack);
uint32_t ct_model_descriptor(const struct ct_model *m, uint32_t process, uint64_t descriptor);
/* The module that holds an address in an epoch; epoch UINT64_MAX: the last that did. */
uint32_t ct_model_module_at(const struct ct_model *m, uint32_t process, uint64_t address, uint64_t epoch);
/* What a process made at run time at an address: the last that it made there. */
uint32_t ct_model_code_at(const struct ct_model *m, uint32_t process, uint64_t address);
/* The thread of a process that has a tid (the last one, if it was reused). */
uint32_t ct_model_tid(const struct ct_model *m, uint32_t process, uint64_t tid);
/* The thread that a pthread_t means. */
uint32_t ct_model_pthread(const struct ct_model *m, uint32_t process, uint64_t pthread);
const char *ct_model_cause_name(const struct ct_model *m, uint32_t cause);
const char *ct_model_category(const struct ct_model *m, uint32_t cause);
const char *ct_model_call_name(const struct ct_model *m, uint32_t call);
/* The value of a META record; "": there is none. */
const char *ct_model_meta(const struct ct_model *m, const char *key);
/* Whether the options select waits at a site of a process (an index): by cause, object and
 * stack, not by thread and time. 1, 0 or -ENOMEM. */
int ct_model_selects(const struct ct_model *m, uint32_t process, const struct ct_site *site);
/* Events lost, of every kind. */
uint64_t ct_model_lost_events(const struct ct_model *m);

/* The times that a thread was ready; all 0 if it never was. */
extern const struct ct_ready ct_ready_none;
static inline const struct ct_ready *ct_ready_of(const struct ct_states *st)
{
	return st->ready ? st->ready : &ct_ready_none;
}

/* A computed time as an integer; the times of a damaged trace can be beyond all. */
static inline uint64_t ct_whole_ns(double ns)
{
	return !(ns > 0) ? 0 : ns >= 9e18 ? INT64_MAX : (uint64_t)ns;
}

/* Flags of a site that say that its events have no known duration. */
#define CT_EV_NO_TIME (CT_EV_NO_START | CT_EV_ABANDONED)

#endif
