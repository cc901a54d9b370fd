/*
 * Vocabulary that the preload, the collector and the analyzer share: causes,
 * calls, event kinds. Names come from causes.def and symbols.def.
 */
#ifndef CT_TYPES_H
#define CT_TYPES_H

#include <features.h>
#include <stdint.h>

/* 236 is glibc 2.36: some rows of symbols.def depend on it. */
#define CT_GLIBC (__GLIBC__ * 100 + __GLIBC_MINOR__)

enum ct_cause {
#define CT_CAUSE(id, name, category, text) CT_CAUSE_##id,
#include "causes.def"
#undef CT_CAUSE
	CT_CAUSE_COUNT
};

/* Flags of symbols.def. */
#define CT_F_W 0x01u
#define CT_F_F 0x02u
#define CT_F_C 0x04u
#define CT_F_R 0x08u
#define CT_F_T 0x10u

/* A call's number in shared memory; 0 is no call. */
enum ct_call_id {
	CT_CALL_NONE,
#define CT_CALL(name, family, cause, flags) CT_CALL_##name,
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
	CT_CALL_COUNT
};

/* Room in shared memory for calls. */
#define CT_CALLS_MAX 512
_Static_assert(CT_CALL_COUNT <= CT_CALLS_MAX, "enlarge CT_CALLS_MAX");
_Static_assert(CT_CAUSE_COUNT <= 64, "causes fit into a 64-bit set");

/* What an event says. */
enum ct_event_kind {
	CT_EVENT_NONE,
	/* A thread was in a call from start to end. object: what it waited for;
	 * owner: tid of the holder when the wait began, or 0; stack: the waiter's. */
	CT_EVENT_INTERVAL,
	/* A lock was held from start to end, and others waited for it when it was
	 * released. object: the lock; stack: where that was. Written by the holder;
	 * not a wait. */
	CT_EVENT_HOLD,
	/* A call that ended other threads' waits for object: a condition was
	 * signalled, a semaphore posted, a futex woken, an initialiser finished, a signal
	 * sent, or something was written to a descriptor, taken from it, or it was closed.
	 * result: how many threads it woke, 0 if not known; bytes. Not a wait. */
	CT_EVENT_WAKE,
	/* The program said that a region begins, or ends (include/ctrace.h): start equals
	 * end. object: its NAME; result: the task that the begin names, 0: none. Not a wait. */
	CT_EVENT_REGION_BEGIN,
	CT_EVENT_REGION_END,
	CT_EVENT_KINDS
};

/* A WAKE on a descriptor stands for those of the same thread on the same descriptor
 * that begin less than this after its end. */
#define CT_WAKE_STANDS_NS 5000u

/* aux of a WAKE with cause signal, whose object is the PID of a process or thread, or the
 * THREAD, that it was sent to: the signal's number, and this if to the process group PID (0: not
 * known which, or to all). */
#define CT_SENT_GROUP 256u

/* Event flags. */
#define CT_EV_OFF_CPU   0x01u /* the kernel switched the thread out, or it took a signal, in it */
#define CT_EV_NO_START  0x02u /* when it began is not known: start equals end */
#define CT_EV_OPEN      0x04u /* had not ended when the trace, the process or the thread did */
#define CT_EV_ABANDONED 0x08u /* left by longjmp, cancellation or exit; when is not known: start equals end */
#define CT_EV_ROOM      0x10u /* of a WAKE: it took from the descriptor, for threads that wait to write */
#define CT_EV_CLOSED    0x20u /* of a WAKE: it closed the descriptor, or what it wrote to */

/* What holds for a process's events. */
#define CT_FEATURE_OFF_CPU 0x01u /* the kernel told what left the CPU (rseq): an interval without
				  * CT_EV_OFF_CPU ran all the time and is no wait */

/* What an event's object is. */
enum ct_object_kind {
	CT_OBJECT_NONE,
	CT_OBJECT_ADDRESS, /* a lock, condition, semaphore, futex word: its address */
	CT_OBJECT_FD,      /* shared memory: descriptor id << 32 | fd; trace: descriptor id (0: fd unknown) */
	CT_OBJECT_THREAD,  /* a pthread_t (as in THREAD_START.pthread) */
	CT_OBJECT_PID,     /* a process id; 0: any child */
	CT_OBJECT_ID,      /* a System V semaphore set's or message queue's identifier */
	CT_OBJECT_ARENA,   /* of glibc's allocator: CT_ARENA_MAIN, CT_ARENA_MAPPED, or the arena's address */
	CT_OBJECT_NAME,    /* shared memory: place in names[]; trace: id of a NAME; 0: not known */
	CT_OBJECT_KINDS
};

#define CT_ARENA_MAIN   0u /* the one that every process has */
#define CT_ARENA_MAPPED 1u /* none: the block is a mapping of its own */

/* What a descriptor is. */
enum ct_fd_kind {
	CT_FD_UNKNOWN,
	CT_FD_FILE,
	CT_FD_DIR,
	CT_FD_PIPE,
	CT_FD_SOCKET,
	CT_FD_TTY,
	CT_FD_CHAR,    /* a character device that is no terminal */
	CT_FD_BLOCK,
	CT_FD_ANON,    /* eventfd, timerfd, signalfd, inotify, epoll...: the label says which */
	CT_FD_KINDS
};

#endif
