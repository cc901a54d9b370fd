/*
 * The shared-memory region of one traced process image: what the preload
 * writes and the collector reads.
 *
 *   struct ct_region (mapped sparse; pages cost memory only when touched)
 *   +-----------------+ header: identity, clock, settings, counters of loss
 *   | slot_state[]    | one word a thread slot: free, claimed, live, ended
 *   | hot_filter[]    | two bytes: may a lock hashing here be hot, or suspect?
 *   | hot[]           | locks that threads wait for
 *   | modules[]       | shared objects that stacks point into
 *   | descriptors[]   | what a descriptor was when a thread blocked on it
 *   | names[]         | of regions, tasks and categories (include/ctrace.h)
 *   | stack_index[]   | lock-free hash table over ...
 *   | stack_arena[]   | ... the interned stacks
 *   | large[]         | rings for the threads that write the most
 *   | live            | what the collector may change at any time
 *   +-----------------+
 *   | slots[]         | one a thread: wait in progress, counters, event ring
 *   +-----------------+
 *
 * Writers: "app" is any thread of the traced process, "owner" the thread that
 * owns a slot (or a signal handler on it), "collector" the collector. A field
 * without another word is written once, before hello is sent, by the app.
 *
 * Neither side trusts the other: the collector copies a value, checks it, then
 * uses it, and counts what it cannot use as damage; it never follows a pointer.
 *
 * The layout is private to one version: preload and collector are installed
 * together and compare CT_REGION_VERSION. Times are ticks of the region's clock.
 */
#ifndef CT_REGION_H
#define CT_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "families.h"
#include "types.h"

#define CT_REGION_MAGIC   0x6e6f696765727463ull /* "ctregion" */
#define CT_REGION_VERSION 1u

#define CT_SLOTS_MAX       16384u /* threads at once */
#define CT_SLOT_GROUP      32u    /* slots that the app maps at a time */
#define CT_SLOTS_MIN       16u    /* below that (address space limit) the process is not traced */
#define CT_RING_EVENTS     4096u  /* a power of two */
#define CT_RING_SLACK      64u    /* room for signal handlers that write between check and reservation */
#define CT_LARGE_RINGS     16u    /* bounds what rings take beyond one of CT_RING_EVENTS a thread: 32 MiB */
#define CT_LARGE_EVENTS    32768u /* a power of two */
#define CT_HOT_FILTER      4096u
#define CT_HOT_LOCKS       512u
#define CT_HOT_PROBES      8u
#define CT_MODULES         1024u
#define CT_MODULE_PATH     440u
#define CT_DESCRIPTORS     16384u /* a ring: entry id is at id % CT_DESCRIPTORS */
#define CT_DESCRIPTOR_LABEL 168u
#define CT_STACKS          65536u
#define CT_STACK_WORDS     (2u << 20) /* arena: 16 MiB of 8-byte words */
#define CT_STACK_DEPTH     96u
#define CT_SHORT_BUCKETS   26u
#define CT_NAME            16u
#define CT_STACK_CACHE     16u
#define CT_STACK_CHECKS    192u /* two words a frame: return address and frame pointer */
#define CT_READ_LOCKS      8u
#define CT_HELD            8u
#define CT_TAKEN           8u /* a power of two */
#define CT_NAMES           4096u  /* a power of two; place 0 is none */
#define CT_NAME_TEXT       120u

/* One event, one cache line. seq is written last (release) and is the number
 * of the event in its ring plus one; the collector reads it first (acquire).
 * A producer that is killed at any instruction leaves whole events only. */
struct ct_event {
	uint64_t seq;
	uint64_t start;   /* ticks */
	uint64_t end;     /* ticks */
	uint64_t object;  /* see enum ct_object_kind */
	uint64_t aux;     /* condition: the mutex; otherwise 0 */
	int64_t  result;  /* bytes or what the call returned; -errno on failure */
	uint32_t stack;   /* word in stack_arena, 0: none */
	uint32_t owner;   /* tid, 0: not known */
	uint16_t call;
	uint8_t  kind;
	uint8_t  cause;
	uint8_t  flags;
	uint8_t  object_kind;
	uint16_t reserved;
};
_Static_assert(sizeof(struct ct_event) == 64, "an event is a cache line");
_Static_assert(offsetof(struct ct_event, stack) == 48, "layout of ct_event");

/* Kinds of ring entries that are no events in the trace, above enum ct_event_kind.
 *
 * The text of a LOG stands in the entries behind it, CT_LINE_BYTES in each, which are
 * reserved with it and published before it: who finds the LOG finds its text. */
enum ct_line_kind {
	CT_LINE_TASK_BEGIN = 128, /* object: place of its name; aux: its parent; result: the task */
	CT_LINE_TASK_END,         /* result: the task */
	CT_LINE_LOG,              /* object: place of the category; aux: bytes of text; result: task or 0 */
	CT_LINE_TEXT,             /* from start up to call: bytes */
};
#define CT_LINE_BYTES (offsetof(struct ct_event, call) - offsetof(struct ct_event, start))
#define CT_LINES_MAX  10u
#define CT_LOG_BYTES  (CT_LINES_MAX * CT_LINE_BYTES)
_Static_assert(CT_LOG_BYTES == 480, "ctrace.h says so");

/* A task's number: the process in the upper bits, then a count, then the place of its name. */
#define CT_TASK_PID(task)  ((uint32_t)((task) >> 42))
#define CT_TASK_NAME(task) ((uint32_t)(task) % CT_NAMES)
#define CT_TASK(pid, count, name) \
	((uint64_t)(pid) << 42 | ((uint64_t)(count) << 34 >> 22) | (uint64_t)(name))

/* The wait in progress, under a sequence lock: the owner makes seq odd, writes,
 * makes it even. call 0: the thread is in no wrapped call. */
struct ct_wait {
	uint32_t seq;
	uint16_t call;
	uint8_t  cause;
	uint8_t  object_kind;
	uint64_t start;  /* ticks; 0: began while its family was not recorded */
	uint64_t object;
	uint64_t aux;
	uint64_t ip;     /* return address of the call: its site where stack is 0 */
	uint64_t frame;  /* stack address of the wrapper: private to the owner */
	uint32_t stack;
	uint32_t owner;
	uint64_t reserved;
};
_Static_assert(sizeof(struct ct_wait) == 64, "the wait in progress is a cache line");

/* Calls too short to be written: bucket b counts those of 2^(b+4) to 2^(b+5)-1
 * ticks, the first all shorter, the last all longer ones. Owner adds; the
 * collector takes differences. */
struct ct_short {
	uint64_t ticks;
	uint32_t count[CT_SHORT_BUCKETS];
};
_Static_assert(sizeof(struct ct_short) == 8 + 4 * CT_SHORT_BUCKETS, "layout of ct_short");

/* Private to the owner: a stack seen before is recognised by the words that
 * its unwinding read. */
struct ct_stack_memo {
	uint64_t sp, fp, ip;
	uint32_t epoch;
	uint32_t stack;
	uint32_t checks;   /* 0: empty */
	uint32_t fp_used;  /* the walk depended on fp */
	uint32_t offset[CT_STACK_CHECKS]; /* from sp */
	uint64_t value[CT_STACK_CHECKS];
};

/* Private to the owner: a hot mutex that it takes, in its own cache line, since the
 * entry in hot[] would go from CPU to CPU with the mutex. See preload/held.h. */
struct ct_held {
	uint64_t lock;         /* address, 0: none */
	uint64_t timed;        /* address while the owner holds it and the hold is timed, else 0 */
	uint64_t acquired;     /* ticks when that hold began */
	uint64_t sampled;      /* ticks of the last acquisition that was timed in its turn */
	uint64_t hold_ticks;   /* not yet added to the entry in hot[], like ... */
	uint64_t added;        /* ticks when they were */
	uint32_t acquisitions; /* ... these */
	uint32_t left;         /* acquisitions until the turn of the next */
	uint32_t since;        /* ticks from the timed one's turn to the one before */
	uint8_t  period;       /* acquisitions from turn to turn */
	uint8_t  weight;       /* holds that the timed one stands for */
	uint8_t  shorts;       /* timed holds in a row that were short */
	uint8_t  marked;       /* it was taken by a wait, which leaves it marked as waited for */
};
_Static_assert(sizeof(struct ct_held) == 64, "what is known of a held mutex is a cache line");

/* Where the owner took a lock that it holds. */
struct ct_taken {
	uint64_t lock; /* address */
	uint64_t ip;   /* return address of the call */
};

enum ct_slot_state {
	CT_SLOT_FREE,    /* collector -> app: may be claimed */
	CT_SLOT_CLAIMED, /* app: being filled in */
	CT_SLOT_LIVE,    /* owner: tid and start are valid, events may be there */
	CT_SLOT_ENDED,   /* owner's hint that it is about to end; calls may still follow */
};

struct ct_slot {
	/* Written by the owner before the state becomes LIVE. */
	uint32_t tid;
	uint32_t generation;    /* collector: adds one when it frees the slot */
	uint64_t start;         /* ticks */
	uint64_t pthread;       /* pthread_t, 0: not known */
	uint64_t routine;       /* start routine, 0: main or not known */
	uint64_t argument;      /* private to the app: the routine's argument */
	uint64_t stack_bytes;   /* private to the app: handed from creator to thread */
	/* Written by the owner with state ENDED. */
	uint64_t end;           /* ticks, 0: not ended */
	uint64_t cpu_ns;        /* CPU time used until then */

	struct ct_wait wait;    /* line 1 */

	/* line 2. Owner: next event number, and CT_ON_LARGE; handlers add to it, so it is
	 * changed by one instruction. */
	uint64_t reserved_events;
	uint64_t dropped;       /* owner: events that found the ring full */
	char     name[CT_NAME]; /* owner; NUL-terminated unless torn */
	uint64_t memo_seq;      /* private to the owner */
	uint64_t index;         /* private to the app: which slot this is */
	uint64_t taken_more;    /* owner: see ct_taken_depth */
	uint64_t large;         /* owner: 1 + place of its ring in large[], 0: it has none */

	/* line 3. Collector: events before this number are consumed. */
	uint64_t consumed;
	uint64_t fill2[7];

	uint64_t calls[CT_CALLS_MAX];          /* owner: calls made, written or not */
	struct ct_short short_[CT_CALLS_MAX];  /* owner */
	struct ct_stack_memo memo[CT_STACK_CACHE];
	uint64_t frames[CT_STACK_DEPTH];       /* private to the owner: an unwinding under way */
	/* owner: addresses of the read-write locks that it holds for reading, 0: none; those
	 * that find no room are left out */
	uint64_t read_locks[CT_READ_LOCKS];
	uint64_t read_ips[CT_READ_LOCKS]; /* owner: where it took them */
	_Alignas(64) struct ct_held held[CT_HELD]; /* by ct_hot_hash */
	/* owner: of the locks that it holds alone the last ones, the n-th of them at n % CT_TAKEN */
	_Alignas(64) struct ct_taken taken[CT_TAKEN];

	_Alignas(4096) struct ct_event ring[CT_RING_EVENTS];
};
_Static_assert(sizeof(struct ct_slot) % 4096 == 0, "slots begin on pages");
_Static_assert(offsetof(struct ct_slot, wait) == 64, "layout of ct_slot");
_Static_assert(offsetof(struct ct_slot, reserved_events) == 128, "layout of ct_slot");
_Static_assert(offsetof(struct ct_slot, consumed) == 192, "the collector writes a line of its own");
_Static_assert(offsetof(struct ct_slot, calls) == 256, "layout of ct_slot");

/*
 * A thread whose ring is half full takes a large one for good, as long as there are some: what
 * is reserved from then on stands there. The numbers run on, so that an event is found where
 * its seq is. The flag comes with the number, by one instruction: a handler cannot come in
 * between. The collector takes the ring back, emptied, when the thread has ended.
 */
#define CT_ON_LARGE (1ull << 63)

/* How many locks the owner holds alone, as far as is known: those that it locked and did
 * not unlock by the two calls that are counted anyway, and the others. */
static inline uint64_t ct_taken_depth(const struct ct_slot *slot)
{
	return __atomic_load_n(&slot->calls[CT_CALL_pthread_mutex_lock], __ATOMIC_RELAXED) -
	       __atomic_load_n(&slot->calls[CT_CALL_pthread_mutex_unlock], __ATOMIC_RELAXED) +
	       __atomic_load_n(&slot->taken_more, __ATOMIC_RELAXED);
}

/* What is known of all locks with one hash: see ct_hot_hash. */
struct ct_hot_filter {
	uint8_t hot;      /* entries of hot[] with it; app and collector, by atomic addition */
	uint8_t suspect;  /* app: acquisitions that are still to be tried first; no order */
};
_Static_assert(sizeof(struct ct_hot_filter) == 2, "both are read at once");

/* A lock that somebody waited for lately. word is address << 16 | waiters, 0:
 * free; waiters are changed by compare-and-swap. The collector clears an entry
 * without waiters whose last_wait is old: it takes and zeroes the other fields,
 * which else only the lock's holder writes, then swaps the whole word for 0. */
struct ct_hot {
	uint64_t word;
	uint64_t acquired;     /* ticks of the last acquisition, or when its first waiter came; 0: not known */
	uint64_t acquisitions; /* while hot */
	uint64_t hold_ticks;   /* while hot */
	uint64_t last_wait;    /* ticks; app */
	uint32_t kind;         /* enum ct_cause of the lock */
	uint32_t brief;        /* mutex: its holds are so short that waiters are not counted */
	uint64_t born;         /* ticks when it was put here; app */
	uint64_t told;         /* others: ticks of the last HOLD event that only might end a wait */
};
_Static_assert(sizeof(struct ct_hot) == 64, "a hot lock is a cache line");

/* A shared object that was mapped in [start, end) during epochs first to last.
 * ready is written last (release). */
struct ct_module {
	uint32_t ready;
	uint32_t epoch_first;
	uint32_t epoch_last;   /* grows */
	uint32_t build_id_bytes;
	uint64_t start, end;
	uint64_t bias;         /* run-time address minus address in the file */
	uint8_t  build_id[32];
	char     path[CT_MODULE_PATH];
};
_Static_assert(sizeof(struct ct_module) == 16 + 24 + 32 + CT_MODULE_PATH, "layout of ct_module");

/* What a descriptor was. id is written last (release): id of this entry, so
 * that a reader notices an entry that was reused. Ids start at 1. */
struct ct_descriptor {
	uint64_t id;
	int32_t  fd;
	uint32_t kind;         /* enum ct_fd_kind */
	uint64_t device, inode;
	/* As in DESCRIPTOR records, as far as the app can know them: see channels.h. */
	uint64_t in, out, listener;
	uint64_t own_listener; /* of the socket that listens at its own address */
	uint64_t woke;         /* app: ticks of the last WAKE while it is not wanted */
	uint32_t wakes;        /* app: WAKEs while it was not wanted */
	/* Set by the app at first, then by the collector. */
	uint32_t wanted;       /* somebody in the trace has been seen at its other end */
	uint32_t quiet;        /* no WAKE for what is written; of a socket that listens: to what it accepts */
	uint32_t room;         /* threads wait until room is made: a WAKE for what is read */
	char     label[CT_DESCRIPTOR_LABEL]; /* path, or "127.0.0.1:80 -> 127.0.0.1:41234" */
};
_Static_assert(sizeof(struct ct_descriptor) == 256, "layout of ct_descriptor");

/* Interned stack, at word id of the arena: depth, epoch, then depth return
 * addresses from the innermost frame outwards. Written before the index entry
 * or the event that names it is published. */
struct ct_stack {
	uint32_t depth;
	uint32_t epoch;
	uint64_t frame[];
};

/*
 * Settings that the collector may change while the process runs; see
 * collector/recording.h. A page of its own, which the app maps a second time at a fixed
 * place: to look there takes one instruction on every path that looked somewhere anyway.
 *
 * What holds is what a call finds when it begins. A call of a family that is off publishes
 * its wait without a start, and without looking at the clock: if it lasts until the family
 * is switched on, it counts from then on. One that began before the switch off is written
 * as ever, whenever it ends.
 */
struct ct_settings {
	uint32_t off;        /* collector: families that are not recorded, CT_LIVE_NO_RSEQ */
	uint32_t stacks;     /* collector: enum ct_stacks */
	uint64_t min_ticks;  /* collector: shorter intervals are counted, not written */
	uint64_t on_ticks[CT_FAMILY_COUNT]; /* collector: when each was switched on last; written before off */
};
#define CT_LIVE_NO_RSEQ 0x80000000u /* nothing tells what left the CPU: app, before hello */
#define CT_LIVE_PAGE    4096u

/* How stacks are captured. */
enum ct_stacks { CT_STACKS_AUTO, CT_STACKS_FP, CT_STACKS_UNWIND, CT_STACKS_OFF, CT_STACKS_KINDS };
/* The name of a region, a task or a category. app: state is 0: free, CLAIMED and the text's
 * hash, or READY and the hash, which is published (release) after the text. */
struct ct_name {
	uint32_t state;
	uint32_t reserved;
	char text[CT_NAME_TEXT]; /* ends with a NUL, unless the app is hostile */
};
_Static_assert(sizeof(struct ct_name) == 128, "layout of ct_name");
#define CT_NAME_CLAIMED 2u
#define CT_NAME_READY   3u

#define CT_CLOCK_MONOTONIC 0u /* ticks are nanoseconds of CLOCK_MONOTONIC */
#define CT_CLOCK_TSC       1u /* ticks of the processor's constant time stamp counter */

struct ct_region {
	uint64_t magic;
	uint32_t version;
	uint32_t slot_count;
	uint64_t region_bytes;
	uint32_t pid;
	uint32_t parent_pid;
	uint32_t clock;          /* CT_CLOCK_* */
	uint32_t calls;          /* CT_CALL_COUNT of the preload */
	uint64_t start;          /* ticks when the process image began */
	uint64_t start_ns;       /* CLOCK_MONOTONIC at the same moment */
	uint64_t ticks_per_ms;   /* first estimate; the collector measures better */
	uint64_t min_ticks;      /* live.min_ticks at first */
	uint64_t features;       /* CT_FEATURE_* */
	char     executable[256];
	/* Written by the app. */
	_Alignas(64) uint64_t stack_words;   /* words of the arena in use */
	uint64_t stacks_lost;    /* stacks that found no room */
	uint64_t modules_used;   /* may exceed CT_MODULES: the rest is lost */
	uint64_t descriptors_used;
	uint64_t threads_lost;   /* threads that found no slot */
	uint32_t epoch;          /* grows when a shared object is unloaded */
	uint32_t slots_used;     /* slots below this have been claimed at least once */
	uint64_t tasks;          /* numbers given to tasks */
	/* collector: all slots below it are taken; a hint where to look for one */
	_Alignas(64) uint32_t slot_hint;
	uint32_t look;           /* collector: find out what descriptors are that are read from */
	uint32_t large_taken;    /* bit i: large[i] belongs to a slot; app sets it, collector clears it */

	_Alignas(64) uint32_t slot_state[CT_SLOTS_MAX];
	_Alignas(64) struct ct_hot_filter hot_filter[CT_HOT_FILTER];
	_Alignas(64) struct ct_hot hot[CT_HOT_LOCKS];
	struct ct_module modules[CT_MODULES];
	_Alignas(64) struct ct_descriptor descriptors[CT_DESCRIPTORS];
	_Alignas(64) struct ct_name names[CT_NAMES];
	uint64_t stack_index[CT_STACKS]; /* hash << 32 | word of the stack; 0: empty */
	uint64_t stack_arena[CT_STACK_WORDS];
	/* The app makes it accessible when the first is taken. */
	_Alignas(4096) struct ct_event large[CT_LARGE_RINGS][CT_LARGE_EVENTS];
	_Alignas(CT_LIVE_PAGE) struct ct_settings live;
	_Alignas(4096) struct ct_slot slots[];
};
_Static_assert(offsetof(struct ct_region, stack_words) == 384, "layout of ct_region");
_Static_assert(offsetof(struct ct_region, slot_state) == 512, "layout of ct_region");
_Static_assert(CT_LARGE_RINGS <= 32, "large_taken has a bit for each");
_Static_assert(offsetof(struct ct_region, live) % CT_LIVE_PAGE == 0, "it is mapped by itself");
_Static_assert(offsetof(struct ct_region, slots) - offsetof(struct ct_region, live) == CT_LIVE_PAGE, "a page of its own");

/* The app maps the fixed part with the first group of slots, and other groups
 * as they are needed, anywhere. */
#define CT_REGION_BYTES(count) \
	(offsetof(struct ct_region, slots) + (uint64_t)(count) * sizeof(struct ct_slot))

/* Where a lock's address hashes to. */
static inline uint32_t ct_hot_hash(uint64_t address)
{
	return (uint32_t)((address * 0x9e3779b97f4a7c15ull) >> 52);
}
_Static_assert(CT_HOT_FILTER == 1u << 12, "ct_hot_hash gives 12 bits");

/*
 * Hello: the one message from a process to the collector, over a SOCK_SEQPACKET
 * socket in the abstract namespace (CTRACE_SOCKET without its leading NUL),
 * with the region's memfd (sealed against resizing) attached.
 */
struct ct_hello {
	uint64_t magic;        /* CT_REGION_MAGIC */
	uint32_t version;      /* CT_REGION_VERSION */
	uint32_t pid;
	uint64_t region_bytes;
};
_Static_assert(sizeof(struct ct_hello) == 24, "layout of ct_hello");

#endif
