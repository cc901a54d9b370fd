/*
 * Wakes through descriptors: a write to a pipe, socket or eventfd ends the wait of
 * whoever reads at the other end, and so does closing it. Whether somebody waits
 * there is not known here: the other end may be another process's. So each such call
 * leaves a WAKE event, unless it is known that nobody in the trace can wait: the peer
 * is another machine, or the collector has found no other end (struct ct_descriptor.quiet).
 * Reads leave one only where threads have waited for room (.room).
 *
 * What a number stands for is found out with system calls once in the descriptor's life,
 * and remembered until it is closed. A close that we do not see (made by a raw system
 * call) leaves a wrong memory, until a wait on the number looks again.
 */
#ifndef CT_FDWAKES_H
#define CT_FDWAKES_H

#include "descriptors.h"
#include "record.h"

#pragma GCC visibility push(hidden)

#define CT_FD_WORDS 4096u

/* In bits 0 and 1 of a word. */
enum ct_fd_class {
	CT_FD_NEW,     /* not looked at yet */
	CT_FD_NO,      /* nobody can wait at its other end; with an id: as long as that listener accepts outsiders only */
	CT_FD_CHANNEL, /* its id in bits 34 to 63 */
	CT_FD_OPENED,  /* not looked at yet; most often a file: it is when it is written to, not when it is closed */
};

/* By the low bits of the number; the high bits, and whose descriptor it is, in bits 2 to 33. */
extern uint64_t ct_fd_word[CT_FD_WORDS];

static inline uint64_t ct_fd_tag(int fd)
{
	return ((uint64_t)((uint32_t)fd / CT_FD_WORDS) & 0x3ff) << 24 | (uint64_t)(ct_state.region->pid & 0x3fffff) << 2;
}

static inline uint64_t ct_fd_known(int fd)
{
	uint64_t word = ct_load(&ct_fd_word[(uint32_t)fd % CT_FD_WORDS]);

	return (word & 0x3fffffffcull) == ct_fd_tag(fd) ? word : CT_FD_NEW;
}

/* Of an accepted one: whether its listener still accepts outsiders only; if not, it is looked at anew. */
bool ct_fd_still_silent(int fd, uint64_t listener);

static inline bool ct_fd_is_silent(int fd)
{
	uint64_t word = ct_fd_known(fd);

	if ((word & 3) != CT_FD_NO)
		return false;
	return CT_LIKELY(!(word >> 34)) || ct_fd_still_silent(fd, word >> 34);
}

/* Remembers what a number stands for; id: of a descriptor. */
void ct_fd_note(int fd, enum ct_fd_class class, uint64_t id);
/* The number stands, or will stand, for something else. */
void ct_fd_forget(int fd);
void ct_fd_forget_range(unsigned first, unsigned last);
/* A number that accept returned. */
void ct_fd_accepted(int listener, int fd);
/* Before a call that closes it: forgets it and returns the id of the channel that
 * it closes, 0: none. */
uint64_t ct_fd_closing(int fd);

/* Writes the WAKE of a call that has ended; flags: CT_EV_ROOM, CT_EV_CLOSED. */
void ct_fd_wake(const struct ct_interval *v, int fd, uint8_t flags, uint64_t end, int64_t result);
/* The one of a call that closed the channel id. */
void ct_fd_closed(const struct ct_interval *v, int fd, uint64_t id, uint64_t end);
/* The one of a call that asked for a connection. */
void ct_fd_called(const struct ct_interval *v, int fd, uint64_t end);

/* Whether somebody in the trace may have written to it. */
bool ct_fd_tells(int fd);

/* Ends a call on a descriptor. The first that succeeds after a poll tells what the poll
 * found, and is written. */
static inline uint64_t ct_end_io(struct ct_interval *v, int64_t result)
{
	uint64_t min = ct_load(&ct_live.min_ticks);

	if (CT_UNLIKELY(ct_thread.polled) && result >= 0) {
		ct_thread.polled = 0;
		if (v->slot && v->object_kind == CT_OBJECT_FD && ct_fd_tells((int)v->object))
			min = 0;
	}
	return ct_end_min(v, result, min);
}

/* A call that has ended wrote to the descriptor. */
static inline void ct_fd_written_to(const struct ct_interval *v, int fd, uint64_t end, int64_t bytes)
{
	if (bytes > 0 && v->slot && !ct_fd_is_silent(fd))
		ct_fd_wake(v, fd, 0, end, bytes);
}

/* Or took from it. */
static inline void ct_fd_read_from(const struct ct_interval *v, int fd, uint64_t end, int64_t bytes)
{
	if (CT_UNLIKELY(v->slot && ct_load(&ct_state.region->look)) && bytes > 0 && !ct_fd_is_silent(fd))
		ct_fd_wake(v, fd, CT_EV_ROOM, end, bytes);
}

static inline void ct_end_written_to(struct ct_interval *v, int fd, int64_t result)
{
	uint64_t end = ct_end_io(v, result);

	ct_fd_written_to(v, fd, end, result);
}

static inline void ct_end_read_from(struct ct_interval *v, int fd, int64_t result)
{
	uint64_t end = ct_end_io(v, result);

	ct_fd_read_from(v, fd, end, result);
}

static inline void ct_end_closed(struct ct_interval *v, int fd, uint64_t id, int64_t result)
{
	uint64_t end = ct_end(v, result);

	if (CT_UNLIKELY(id != 0) && result >= 0 && v->slot)
		ct_fd_closed(v, fd, id, end);
}

#pragma GCC visibility pop

#endif
