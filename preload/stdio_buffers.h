/*
 * stdio: glibc reads and writes descriptors inside of these calls, past any
 * wrapper of read and write. Most calls only move bytes from or to the stream's
 * buffer, and are too short to be timed. So the wrappers look at the stream
 * first, at the fields that glibc's own getc macros made part of its ABI:
 *
 *   the buffer serves it    counted; rseq tells if it left the CPU all the same
 *   another thread has it   a wait for the stream's lock, then whatever follows
 *   otherwise               timed, with the stream's descriptor as its object
 *
 * What they see may be stale at once if threads share the stream: then a call is
 * timed that need not be, or is written without its start.
 */
#ifndef CT_STDIO_BUFFERS_H
#define CT_STDIO_BUFFERS_H

#include <stdio.h>
#include <string.h>
#include <sys/single_threaded.h>

#include "fdwakes.h"
#include "real.h"
#include "record.h"

#pragma GCC visibility push(hidden)

/* Of FILE's _flags; libio/libio.h. */
#define CT_STREAM_UNBUFFERED 0x0002
#define CT_STREAM_LINES      0x0200
#define CT_STREAM_PUTTING    0x0800
#define CT_STREAM_IS_FILE    0x2000
#define CT_STREAM_USER_LOCK  0x8000

/* FILE's _lock; sysdeps/nptl/stdio-lock.h. */
struct ct_stream_lock {
	int word, count;
	void *owner; /* its pthread_t */
};

/* Room for what formatted output usually takes, and bytes that a scanf seldom exceeds. */
#define CT_STREAM_FORMAT 1024u
#define CT_STREAM_SCAN   256u

static inline size_t ct_stream_has(const FILE *f)
{
	return (size_t)(f->_IO_read_end - f->_IO_read_ptr);
}

/* Another thread may be changing the pointers: none is followed without the lock. */
bool ct_stream_has_line_locked(FILE *f, int end);

/* Whether a line, or n bytes of one, are there. locks: nobody has locked the stream for us. */
static inline bool ct_stream_has_line(FILE *f, int end, size_t n, bool locks)
{
	size_t has = ct_stream_has(f);

	if (!has || has >= n)
		return has;
	if (locks && !__libc_single_threaded && !(f->_flags & CT_STREAM_USER_LOCK))
		return ct_stream_has_line_locked(f, end);
	return memchr(f->_IO_read_ptr, end, has);
}

/* Bytes that can be put without a write, if no line is to be written at its end. */
static inline size_t ct_stream_room(const FILE *f)
{
	if ((f->_flags & (CT_STREAM_PUTTING | CT_STREAM_LINES | CT_STREAM_UNBUFFERED)) != CT_STREAM_PUTTING)
		return 0;
	return f->_IO_write_end > f->_IO_write_ptr ? (size_t)(f->_IO_write_end - f->_IO_write_ptr) : 0;
}

static inline bool ct_stream_room_for(const FILE *f, int c)
{
	if ((f->_flags & (CT_STREAM_PUTTING | CT_STREAM_UNBUFFERED)) != CT_STREAM_PUTTING)
		return false;
	if (f->_flags & CT_STREAM_LINES)
		return (unsigned char)c != '\n' && f->_IO_buf_end > f->_IO_write_ptr;
	return f->_IO_write_end > f->_IO_write_ptr;
}

static inline const struct ct_stream_lock *ct_stream_lock(const FILE *f)
{
	return (const struct ct_stream_lock *)f->_lock;
}

/* Whether another thread holds the stream's lock. */
static inline bool ct_stream_taken(const FILE *f)
{
	const struct ct_stream_lock *lock = ct_stream_lock(f);

	return lock && !(f->_flags & CT_STREAM_USER_LOCK) && ct_load(&lock->word) &&
	       ct_load(&lock->owner) != __builtin_thread_pointer();
}

/* The stream's descriptor. Negative: it is one in memory, or has the program's own functions. */
static inline int ct_stream_fd(const FILE *f)
{
	return f->_flags & CT_STREAM_IS_FILE ? f->_fileno : -1;
}

/* Begins the call as a wait for the lock that another thread holds. */
void ct_stream_begin_taken(struct ct_interval *v, uint16_t call, const FILE *f, const void *ip);

static inline void ct_stream_begin_io(struct ct_interval *v, uint16_t call, const FILE *f, const void *ip)
{
	/* fflush takes no stream for all, and a block of nothing any. */
	bool given = ct_given(f);
	int fd = given ? ct_stream_fd(f) : -1;

	if (given && fd < 0) {
		/* What waits below is seen where it is called. */
		ct_count(call);
		v->slot = v->silent = NULL;
		return;
	}
	if (CT_LIKELY(ct_prepare(v, call, CT_CAUSE_FILE, fd >= 0 ? CT_OBJECT_FD : CT_OBJECT_NONE,
				 fd >= 0 ? (uint32_t)fd : 0)))
		ct_start(v, ip);
}

static inline void ct_stream_begin(struct ct_interval *v, uint16_t call, const FILE *f, bool locks, const void *ip)
{
	if (CT_UNLIKELY(locks && ct_given(f) && ct_stream_taken(f)))
		ct_stream_begin_taken(v, call, f, ip);
	else
		ct_stream_begin_io(v, call, f, ip);
}

static inline void ct_stream_end_quick(struct ct_slot *slot, uint16_t call, const FILE *f)
{
	if (CT_UNLIKELY(ct_rseq_left())) {
		int fd = ct_stream_fd(f);

		ct_write_left(slot, call, CT_CAUSE_FILE, fd >= 0 ? CT_OBJECT_FD : CT_OBJECT_NONE,
			      fd >= 0 ? (uint32_t)fd : 0, 0);
	}
}

/* Calls that may write what is buffered, all others only read. */
static inline bool ct_stream_call_writes(uint16_t call)
{
	switch (call) {
	case CT_CALL_fputc:
	case CT_CALL_fputs:
	case CT_CALL_puts:
	case CT_CALL_fwrite:
	case CT_CALL_fflush:
	case CT_CALL_printf:
	case CT_CALL_fprintf:
	case CT_CALL_fwprintf:
	case CT_CALL_wprintf:
	case CT_CALL_fputwc:
	case CT_CALL_fputws:
	case CT_CALL_perror:
		return true;
	}
	return false;
}

/* Ends a call that perhaps went beyond the buffer, with what an event says of it. */
static inline void ct_stream_end(struct ct_interval *v, uint16_t call, const FILE *f, int64_t result)
{
	/* The bytes that were put, of which perhaps none was written. */
	bool printed = call == CT_CALL_printf || call == CT_CALL_fprintf;
	uint64_t end = ct_end_io(v, result);

	if (!ct_stream_call_writes(call) || result < 0 || !v->slot || v->object_kind != CT_OBJECT_FD || !ct_given(f))
		return;
	if (printed && f->_IO_write_ptr - f->_IO_write_base >= result)
		return;
	ct_fd_written_to(v, ct_stream_fd(f), end, result ? result : 1);
}

/* A call that may go beyond the buffer of f. locks: it takes the stream's lock;
 * served: whether the buffer serves it. */
#define CT_STREAM(type, symbol, call, locks, served, f, result, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		if (CT_LIKELY((served) && !((locks) && ct_stream_taken(f)))) { \
			struct ct_slot *slot = ct_begin_quick(CT_CALL_##call, CT_CAUSE_FILE); \
			if (CT_LIKELY(slot != NULL)) { \
				type q = ct_real.symbol(__VA_ARGS__); \
				ct_stream_end_quick(slot, CT_CALL_##call, f); \
				return q; \
			} \
			/* It does not wait: there is nothing to be published either. */ \
			if (ct_is_off(CT_CAUSE_FILE)) \
				return ct_real.symbol(__VA_ARGS__); \
		} \
		struct ct_interval v; \
		ct_stream_begin(&v, CT_CALL_##call, f, locks, __builtin_return_address(0)); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_stream_end(&v, CT_CALL_##call, f, result); \
		return r; \
	}

/* What such calls return, as an event's result. */
#define CT_STREAM_STATUS (r < 0 ? -(int64_t)errno : (int64_t)r)
#define CT_STREAM_TEXT   (int64_t)(r != NULL)

#pragma GCC visibility pop

#endif
