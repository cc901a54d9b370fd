/*
 * Who ended each wait: a pass of its own over a trace whose records are known.
 *
 *   mutex, rwlock      the HOLD of the same lock that ended last before the wait did
 *   cond, semaphore,
 *   futex, once        the last WAKE on the object in the wait; where slices say which
 *                      thread woke the waiter and when, that thread's WAKE at that time
 *   signals            the WAKE that sent one to the thread or its process: in a wait for
 *                      signals, on a signalfd, or one that ended with EINTR
 *   barrier            the round's last to come: its barrier_wait returned the serial
 *                      thread's value
 *   join, child        the end of the thread, of the process
 *   pipes, sockets,    the first WAKE on the channel in the wait that no other reader took;
 *   eventfds           at the end of a file the last one that closed it, or the end of a
 *                      process; of a poll: on the channel that the thread used next
 *   everything else    by whom the kernel was told to wake the thread: from the slices
 *
 * Processes that were forked from one without exec share what it had mapped as shared,
 * at the same address: what nothing in the waiter's process ended was ended in theirs.
 *
 * Events come in the order of chunks, not of time: waits are joined when all that
 * ended before them must have been read. Until then they are held, and so are the
 * enders and wake-ups of that time: twice as many waits as a few seconds have, at least
 * CT_WAKES_HELD. With keep nothing is dropped: 64 bytes a wait, 40 bytes a HOLD or WAKE,
 * 40 bytes a slice.
 *
 * Of a window only chunks in it and near it are read; with keep only what is in it, or
 * within a second of it, is kept.
 */
#ifndef CT_WAKES_H
#define CT_WAKES_H

#include "model.h"

#define CT_WAKES_HELD 131072u
#define CT_WAKES_MOST 4000000u

enum ct_ended {
	CT_ENDED_UNKNOWN,
	CT_ENDED_RELEASE,  /* the holder released the lock */
	CT_ENDED_WAKE,     /* signalled, posted, woken, initialised */
	CT_ENDED_ARRIVAL,  /* the last one came to the barrier */
	CT_ENDED_EXIT,     /* a thread, or a child, ended */
	CT_ENDED_KERNEL,   /* another thread's call, as the kernel says */
	CT_ENDED_TIME,     /* a timeout, a timer, a device: no thread */
	CT_ENDED_NOT,      /* it had not ended when the trace did */
	CT_ENDED_KINDS
};

/* What the kernel says to that. */
enum ct_agrees {
	CT_AGREES_NOTHING, /* it does not say */
	CT_AGREES,
	CT_AGREES_NOT,
};

/* A thread that the slices name and the events do not: it was not traced. Wakers
 * are threads, or outsiders from CT_OUTSIDE on, or CT_NO. */
#define CT_OUTSIDE 0x80000000u
struct ct_outsider {
	uint32_t pid, tid;
	char *name;
};

struct ct_wait {
	uint64_t start_ns, end_ns;
	uint64_t release_ns;    /* when it was ended; end_ns: not known */
	uint32_t thread;
	uint32_t site;          /* in ct_wakes.site */
	uint32_t waker;
	uint32_t waker_stack;   /* of the model, or CT_NO */
	uint8_t ended;          /* enum ct_ended */
	uint8_t agrees;         /* enum ct_agrees */
	uint8_t timed_out : 1;
	uint8_t no_start : 1;   /* when it began the event does not say: start_ns is the slices' word */
	uint8_t found : 2;      /* enum ct_found: on a descriptor */
	uint8_t inside : 1;     /* where --region and --task want it */
	uint8_t left;           /* the kernel switched it out, or may have */
	uint32_t owner;         /* tid of the holder when it began; 0: not known */
	uint32_t via;           /* of a poll: what was used next, in ct_model.descriptor; CT_NO */
	int64_t result;         /* of the call */
};

/* What a wait on a descriptor found. */
enum ct_found {
	CT_FOUND_SOMETHING,
	CT_FOUND_DATA,
	CT_FOUND_END,      /* of the file */
	CT_FOUND_ROOM,     /* to write */
};

enum ct_way { CT_WAY_OTHER, CT_WAY_READS, CT_WAY_WRITES };

/* A part of a wait, and whose doing it was. */
struct ct_share {
	uint32_t waker, stack;
	uint64_t ns;
};
#define CT_SHARES 64u

/* What can end waits for one object. */
struct ct_ender {
	uint64_t moment_ns;     /* HOLD: its end; WAKE, barrier: its start */
	uint64_t other_ns;      /* its other end */
	uint32_t thread;
	uint32_t stack;         /* of the model, or CT_NO */
	uint32_t lock;          /* place in ct_wakes.object */
	uint8_t kind;           /* enum ct_event_kind; INTERVAL: the last one at a barrier */
	uint8_t flags;
};

struct ct_wait_object {
	uint32_t process;
	uint64_t address;
	uint32_t next;          /* of another process, at the same address; CT_NO */
	CT_ARRAY(struct ct_ender, ender); /* by moment, as far as sorted */
	uint32_t sorted;
	uint64_t used_ns;       /* channel: of the ender that ended a wait last */
	uint32_t first_stack;   /* of the model: of its first wait; CT_NO */
	uint64_t first_ns;
};

/* A time in which a thread had a CPU, in one piece. */
struct ct_run {
	uint64_t slept_ns;      /* when it had gone to sleep; 0: not known, or it was only preempted */
	uint64_t woken_ns;      /* 0: not known, or it was only preempted; some wake-ups are missing */
	uint64_t start_ns, end_ns;
	uint32_t waker;         /* CT_NO: no thread, or not known */
	uint8_t flags;          /* CT_SL_* */
	uint8_t end;            /* enum ct_slice_end */
};

/* A time in which a thread wrote to a descriptor. */
struct ct_mark {
	uint64_t start_ns, end_ns;
	uint32_t stack;         /* of the model, or CT_NO */
};

struct ct_thread_runs {
	CT_ARRAY(struct ct_run, run);
	CT_ARRAY(struct ct_mark, mark); /* only where slices say who woke threads */
	uint32_t polled;        /* its last poll, of which it is not known what it found: place in ct_wakes.wait + 1 */
	uint64_t last_end_ns;
	uint8_t last_end;       /* enum ct_slice_end */
};

struct ct_wakes;
/* Takes a joined wait, in the order of their ends. 0 or -ENOMEM. shares add up to
 * the time until the release. */
typedef int ct_wait_taker(void *self, const struct ct_wakes *w, const struct ct_wait *wait,
			  const struct ct_share *shares, uint32_t count);

struct ct_wakes {
	const struct ct_model *m;
	bool keep, borrowed;                   /* borrowed: another's, which is closed later: wakes_together.h */
	uint64_t kept, most;                   /* events and slices; with keep: of a file of its size */
	ct_wait_taker *take;
	void *self;
	CT_ARRAY(struct ct_site_info, site);   /* without flags and owner */
	struct ct_table site_by_hash;
	CT_ARRAY(struct ct_wait, wait);        /* held; with keep: all, by end */
	CT_ARRAY(struct ct_wait_object, object);
	struct ct_table object_by_hash, object_by_address; /* the latter: the first of a list */
	uint32_t *family;                      /* of each process: the one whose memory it began with a copy of */
	CT_ARRAY(struct ct_wait_object, channel); /* address: its number; process: CT_NO */
	struct ct_table channel_by_number;
	uint64_t *out;                         /* of each descriptor of the model: the channel that it writes to */
	uint8_t way[CT_CALLS_MAX];             /* enum ct_way by call */
	CT_ARRAY(struct ct_outsider, outsider);
	struct ct_table outsider_by_tid;
	struct ct_thread_runs *runs;           /* one a thread */
	uint32_t runs_count;
	uint32_t *by_tid, *by_pthread;         /* threads by tid, or pthread, and start */
	uint8_t cause[CT_CAUSES];              /* enum ct_ended by cause; see wakes_join.c */
	bool polls[CT_CAUSES];                 /* waits for one of several descriptors */
	bool signals[CT_CAUSES];               /* waits for signals */
	bool reads[CT_CALLS_MAX];              /* calls that take a lock for reading */
	uint64_t enders, seen_ns, slack_ns;
	uint32_t join_waits;                   /* join when so many waits, or enders, are held */
	uint64_t join_enders;
	uint64_t from_ns, to_ns;               /* what is kept */
	uint64_t waits, agree, disagree;
	uint64_t timeless, preempted;          /* not joined: of unknown duration; not asleep in it */
	bool wakes;                            /* slices say who woke threads */
	struct ct_marks *marks;                /* what is open; NULL: nobody asks */
	uint32_t *task;                        /* of the chunk: thread, outsider, or CT_NO */
	uint32_t task_capacity;
};

/* Reads all events and slices of a loaded model's trace. take may be NULL. 0, -ENOMEM,
 * -errno. Close in either case. */
int ct_wakes_read(struct ct_wakes *w, const struct ct_model *m, struct ct_reader *r, bool keep,
		  ct_wait_taker *take, void *self);
void ct_wakes_close(struct ct_wakes *w);

/* The object of an address, or NULL. */
const struct ct_wait_object *ct_wakes_object(const struct ct_wakes *w, uint32_t process, uint64_t address);
/* "name (tid)" of a thread or an outsider; NULL without memory. */
char *ct_waker_label(const struct ct_wakes *w, uint32_t waker);

/* --- between wakes.c, wakes_slices.c and wakes_join.c --- */

void ct_wakes_prepare(struct ct_wakes *w);
void ct_wakes_order(struct ct_wakes *w);
/* 0 or -ENOMEM. */
int ct_wakes_families(struct ct_wakes *w);
/* 0 or -ENOMEM. */
int ct_wakes_channels(struct ct_wakes *w);
void ct_wakes_prepare_calls(struct ct_wakes *w);
/* Takes a WAKE on a descriptor. 0 or -ENOMEM. */
int ct_wakes_take_written(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread,
			  uint64_t start_ns, uint64_t end_ns);
void ct_wakes_drop_marks(struct ct_thread_runs *t, uint64_t ns);
/* The stack of the write that a thread was in at a time; CT_NO. */
uint32_t ct_wakes_written_in(const struct ct_wakes *w, uint32_t thread, uint64_t ns);
/* Takes a WAKE that sent a signal. 0 or -ENOMEM. */
int ct_wakes_take_sent(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread,
		       uint64_t start_ns, uint64_t end_ns);
/* Whether it was for a signalfd. */
bool ct_wakes_is_signalfd(const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_site_info *s);
/* Fills in who sent the signal that ended a wait; false: not known. */
bool ct_wakes_join_signal(struct ct_wakes *w, struct ct_wait *wait);
/* The channel of a number; NULL: no descriptor is an end of it, nothing was sent to it. */
struct ct_wait_object *ct_wakes_channel(const struct ct_wakes *w, uint64_t number);
/* Makes sure that there is one. 0 or -ENOMEM. */
int ct_wakes_add_channel(struct ct_wakes *w, uint64_t number);
/* Remembers a time in which a thread woke others. 0 or -ENOMEM. */
int ct_wakes_mark(struct ct_wakes *w, uint32_t thread, uint64_t start_ns, uint64_t end_ns, uint32_t stack);
/* The first one in the wait that may have ended it and is after the moment; slack_ns: or so
 * little before the wait. NULL. */
const struct ct_ender *ct_wakes_first_in(const struct ct_wakes *w, const struct ct_wait_object *o,
					 const struct ct_wait *wait, uint8_t found, uint64_t after_ns, uint64_t slack_ns);
/* The last thread of a process that had a pthread_t at a time; CT_NO. */
uint32_t ct_wakes_pthread(const struct ct_wakes *w, uint32_t process, uint64_t pthread, uint64_t ns);
/* What a call with this result found: enum ct_found. */
uint8_t ct_wakes_found(const struct ct_wakes *w, uint32_t call, int64_t result);
/* Fills in who ended a wait on a descriptor; false: not known. */
bool ct_wakes_join_channel(struct ct_wakes *w, struct ct_wait *wait, const struct ct_site_info *s);
void ct_wakes_take(struct ct_wait *wait, enum ct_ended how, uint32_t waker, uint32_t stack, uint64_t release_ns);
/* The object's WAKE in which the kernel saw the waiter woken, and when; NULL. */
const struct ct_ender *ct_wakes_by_kernel(const struct ct_wakes *w, const struct ct_wait_object *o,
					  const struct ct_wait *wait, uint64_t *ret_ns);
/* Takes in the slices of a payload. 0 or -ENOMEM. */
int ct_wakes_slices(struct ct_wakes *w, struct ct_switches_decoder *d, struct ct_span payload);
/* Fills in who ended a wait and returns the number of shares, at most CT_SHARES. */
uint32_t ct_wakes_join(struct ct_wakes *w, struct ct_wait *wait, struct ct_share *shares);
/* The index of the first ender of a moment after ns. */
uint32_t ct_enders_after(const struct ct_wait_object *o, uint64_t ns);
/* The last run of a thread that was woken in a time, or NULL. */
const struct ct_run *ct_run_woken(const struct ct_wakes *w, uint32_t thread, uint64_t from_ns, uint64_t to_ns);
/* The last run of a thread that began in a time and for which it had slept, or NULL. */
const struct ct_run *ct_run_slept(const struct ct_wakes *w, uint32_t thread, uint64_t from_ns, uint64_t to_ns);
/* The thread that woke another, as far as a slice says so; CT_NO: an interrupt. For a
 * wait of that cause; CT_CAUSES: of none. */
uint32_t ct_kernel_waker(const struct ct_wakes *w, const struct ct_run *run, uint32_t cause);
/* The last thread with a tid, of all processes, that lived at a time; CT_NO. */
uint32_t ct_wakes_tid(const struct ct_wakes *w, uint64_t tid, uint64_t ns);

#endif
