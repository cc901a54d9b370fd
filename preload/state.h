/*
 * What the whole preload shares: the region, settings, and each thread's few
 * words of thread-local storage.
 */
#ifndef CT_STATE_H
#define CT_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "arch.h"
#include "atomics.h"
#include "region.h"
#include "socket.h"
#include "ticks.h"

/* Ours alone: reached without the global offset table. */
#pragma GCC visibility push(hidden)

/* Read-mostly; written while the process has one thread. */
struct ct_state {
	struct ct_region *region;  /* NULL: this process is not traced */
	uint32_t tsc;              /* ticks are the time stamp counter's */
	uint32_t rseq;             /* the kernel tells whether a thread left the CPU */
	uint64_t min_ns;
	uint64_t ticks_per_ms;
	uint64_t main_stack_low, main_stack_high;
	uint64_t default_stack_bytes; /* of threads that are made without attributes */
	uint64_t own_start, own_end; /* our own code */
	/* A page that fork() gives to the child filled with zeros, however it
	 * was called: the child of a fork that we did not see notices by it
	 * that the region and the slot belong to its parent. */
	volatile uint32_t *alive;
	/* The program has a seccomp filter: any further system call of ours, one
	 * that it does not make itself, might kill it. */
	uint32_t no_syscalls;
	uint32_t sanitized;        /* a sanitizer is in the program: its allocator looks at its callers */
	uint32_t arenas;           /* the allocator is glibc's: blocks say of which arena they are */
	uint32_t large;            /* whether the large rings can be reached: enum ct_large */
	uint32_t late;             /* loaded into a process that ran already */
	uint32_t detached;         /* late: traced no more, until the next time */
	uint64_t begun;            /* late: ticks when it was attached to last */
	uint32_t stopped;          /* no more slots: the child of a fork in which nothing can be done */
	ptrdiff_t tid_offset;      /* of the tid that glibc keeps, from the thread pointer; 0: not found */
	char socket[CT_SOCKET_NAME];
	/* Where the groups of slots are mapped; NULL: not yet. */
	struct ct_slot *group[CT_SLOTS_MAX / CT_SLOT_GROUP];
};

extern struct ct_state ct_state;

/* Those that are not used are not even mapped for use: a program may lock all that is. */
enum ct_large {
	CT_LARGE_CLOSED,
	CT_LARGE_OPENING, /* from here on children of ours leave them open: a handler that interrupts us may fork */
	CT_LARGE_OPEN,
	CT_LARGE_REFUSED,
};

/* The region's live page, once there is a region; until then what the constructor settled.
 * The collector writes it. */
union ct_live_page {
	struct ct_settings live;
	char page[CT_LIVE_PAGE];
};
extern union ct_live_page ct_live_page;
#define ct_live (ct_live_page.live)

/* Whether calls with a cause are not recorded now. */
static inline __attribute__((always_inline)) bool ct_is_off(uint8_t cause)
{
	return ct_load(&ct_live.off) & ct_family_bit(cause);
}

#define CT_WOKE 4u

struct ct_thread {
	struct ct_slot *slot;       /* NULL: not claimed yet, or never */
	struct ct_slot *heap_slot;  /* slot, while allocator calls need no time stamps */
	uint32_t heap_timed;        /* allocator calls that are to be timed */
	uint32_t refused;           /* no slot for this thread: do not ask again */
	uint32_t polled;            /* a poll found something: the next call on a descriptor says what */
	uint32_t bad_close;         /* the last close was of a number that stood for nothing */
	/* The last WAKEs on descriptors: which, with its flags; when they ended. */
	uint64_t woke[CT_WOKE], woke_end[CT_WOKE];
	uint32_t no_clock;          /* the thread may not read the time stamp counter: never again */
	uint64_t stack_low, stack_high; /* the thread's stack; 0, 0: not known */
	uint64_t regions_unsaid;    /* a bit for each open region, the innermost first: it began while nothing was recorded */
	const void *rseq_dummy;     /* stands in for rseq_cs where there is no rseq */
	struct {
		uint64_t object, aux, at; /* at: ticks */
	} sent;                   /* the last signal that was recorded: see ct_write_sent */
};

extern __thread struct ct_thread ct_thread __attribute__((tls_model("initial-exec")));

/* Whether the calling thread is on a signal stack with little room left. */
bool ct_stack_is_tight(void);

/* The slot of that number; NULL if it is not mapped. */
static inline struct ct_slot *ct_slot_at(uint32_t i)
{
	struct ct_slot *group = ct_load_acquire(&ct_state.group[i / CT_SLOT_GROUP]);

	return group ? group + i % CT_SLOT_GROUP : NULL;
}

/* Claims a slot for the calling thread; NULL if it is not to be traced. */
struct ct_slot *ct_slot_claim(void);
/* Claims a slot for a thread that is about to be created, and gives it back. */
struct ct_slot *ct_slot_reserve(void);
void ct_slot_release(struct ct_slot *slot);
/* Makes a reserved slot the calling thread's own. */
void ct_slot_enter(struct ct_slot *slot);
/* The owner's hint that it is about to end. */
void ct_slot_end(struct ct_slot *slot);
void ct_slot_name(struct ct_slot *slot, const char *name);

/* A new thread, in its first function, whose frame is at here: takes the slot
 * that its creator reserved. Its counterpart when the start routine returned. */
void ct_thread_enter(struct ct_slot *slot, uint64_t here);
void ct_thread_leave(void);
/* The calling thread is about to end itself by call. */
void ct_thread_exits(uint16_t call);

static inline struct ct_slot *ct_self(void)
{
	struct ct_slot *slot = ct_thread.slot;

	return CT_LIKELY(slot != NULL) ? slot : ct_slot_claim();
}

static inline uint64_t ct_ticks(void)
{
	if (CT_LIKELY(ct_state.tsc))
		return ct_read_ticks();
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The calling thread is not traced any more. */
void ct_thread_stop(void);

/* Makes sure that a slot is mapped; false if that cannot be. */
bool ct_map_slot(uint32_t i);
/* Makes the large rings accessible; false if that cannot be. */
bool ct_map_large(void);
/* Creates the region and shows it to the collector; on failure the process is
 * not traced. Returns NULL, or what did not work. Async-signal-safe. */
const char *ct_attach(void);
/* With these settings. */
const char *ct_attach_with(const struct ct_settings *live);
/* The same for a process that was traced before and whose threads have slots: they keep
 * them. Under the loader's lock; nothing is recorded meanwhile. */
const char *ct_attach_again(const struct ct_settings *live);
#define CT_NO_ANSWER "the collector does not answer"
/* In the child of a fork: forgets the parent's region and attaches anew. */
void ct_forked(void);
/* Starts a collector for this process; false, and one line on stderr, if not. */
bool ct_spawn_collector(void);
/* Prints "ctrace: what: why" to stderr; for the constructor, since later file 2
 * may be the program's data. */
void ct_say(const char *what, const char *why);

#pragma GCC visibility pop

#endif
