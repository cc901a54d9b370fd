/*
 * Records of the kernel about the traced tasks: context switches, new and
 * ended threads, names and, where privileges allow it, wake-ups. One perf event
 * and one ring a CPU; every thread and process that descends from the first
 * one inherits the events, so that nothing is to be done when one comes.
 *
 * The rings are written by the kernel; what is in them is checked all the same.
 */
#ifndef CT_PERF_H
#define CT_PERF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "region.h"

#define CT_PERF_WRONG 96 /* room for a line that says what is wrong */

enum ct_perf_kind {
	CT_PERF_IN = 1,    /* got the CPU */
	CT_PERF_BLOCKED,   /* gave it up to wait */
	CT_PERF_PREEMPTED, /* lost it */
	CT_PERF_FORK,      /* pid, tid: the new one */
	CT_PERF_EXIT,
	CT_PERF_NAME,
	CT_PERF_WAKING,    /* tid: who is woken */
	CT_PERF_LOST,
};

struct ct_perf_record {
	enum ct_perf_kind kind;
	uint32_t pid, tid;       /* pid of WAKING: 0, not known */
	uint32_t by_pid, by_tid; /* who had the CPU when it was written */
	uint32_t flags;          /* WAKING: CT_SL_SOFTIRQ, CT_SL_HARDIRQ */
	uint64_t ns;             /* CLOCK_MONOTONIC */
	uint64_t lost;           /* LOST: how many */
	char name[CT_NAME];      /* NAME; NUL-terminated */
};

struct ct_perf_ring {
	uint32_t cpu;
	int fd, waking_fd;       /* owned; waking_fd -1: none */
	void *map;               /* control page and data; owned. NULL in tests */
	size_t map_bytes;
	const uint8_t *data;
	uint64_t data_bytes;     /* a power of two */
	uint64_t *head, *tail;   /* the kernel's and ours, in the control page */
	uint64_t at, limit;      /* where we read, and how far in this pass */
	uint64_t opened_ns;
	struct ct_perf_record next; /* kind 0: not yet read */
};

/* Where a sched_waking sample says who is woken, from what. */
struct ct_perf_layout {
	uint32_t tid_offset, flags_offset;
};

struct ct_perf {
	struct ct_perf_ring *ring; /* ring_count; owned */
	size_t ring_count;
	struct ct_perf_layout layout;
	bool waking;               /* wake-ups are recorded */
};

/* --- perf-open.c --- */

/* Opens the events on a process with one thread. 0; -errno, ret_wrong says more. */
int ct_perf_open(struct ct_perf *p, pid_t pid, bool waking, char ret_wrong[CT_PERF_WRONG]);
void ct_perf_close(struct ct_perf *p);
/* Leaves the descriptors to a child that has nothing else and ends after us, so that ct_perf_close
 * takes no time: the kernel ends the records of wake-ups when each CPU has noticed, in some 30 ms. */
void ct_perf_leave(const struct ct_perf *p);
/* Whether the process and all that descend from it have ended: nobody is left that could attach. */
bool ct_perf_all_ended(const struct ct_perf *p);
/* No more wake-ups from here on. */
void ct_perf_stop_waking(struct ct_perf *p);

/* --- perf-read.c --- */

/* Makes readable what the kernel has written until now. Returns the part of
 * the ring that it takes, in 1/256. */
unsigned int ct_perf_begin(struct ct_perf_ring *r);
/* Looks at the next record: NULL when there is none. It stays until taken. */
const struct ct_perf_record *ct_perf_peek(struct ct_perf_ring *r, const struct ct_perf_layout *layout);
static inline void ct_perf_take(struct ct_perf_ring *r)
{
	r->next.kind = 0;
}
/* Gives the room of what was read back. */
void ct_perf_end(struct ct_perf_ring *r);

#endif
