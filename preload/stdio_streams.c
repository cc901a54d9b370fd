/* stdio: opening, closing, flushing and seeking streams, and their locks. */
#include "stdio_buffers.h"

#include "real.h"

/* Thread that has the lock, by its pthread_t; 0 if it is not one of the first. */
static uint32_t tid_of(const void *pthread)
{
	const struct ct_region *r = ct_state.region;
	uint32_t used = ct_load(&r->slots_used);

	for (uint32_t i = 0; i < used && i < 256; i++) {
		const struct ct_slot *slot = ct_slot_at(i);

		if (slot && ct_load(&r->slot_state[i]) == CT_SLOT_LIVE && ct_load(&slot->pthread) == (uint64_t)pthread)
			return slot->tid;
	}
	return 0;
}

void ct_stream_begin_taken(struct ct_interval *v, uint16_t call, const FILE *f, const void *ip)
{
	const struct ct_stream_lock *lock = ct_stream_lock(f);

	if (!ct_prepare(v, call, CT_CAUSE_MUTEX, CT_OBJECT_ADDRESS, (uint64_t)lock))
		return;
	v->owner = tid_of(ct_load(&lock->owner));
	v->stack = ct_stack(v->slot);
	ct_start(v, ip);
}

bool ct_stream_has_line_locked(FILE *f, int end)
{
	if (ftrylockfile(f))
		return false;
	size_t has = ct_stream_has(f);
	bool r = has && memchr(f->_IO_read_ptr, end, has);

	funlockfile(f);
	return r;
}

CT_EXPORT void flockfile(FILE *f)
{
	struct ct_interval v;

	if (CT_LIKELY(!ct_stream_taken(f))) {
		ct_count(CT_CALL_flockfile);
		ct_real.flockfile(f);
		return;
	}
	ct_stream_begin_taken(&v, CT_CALL_flockfile, f, __builtin_return_address(0));
	ct_real.flockfile(f);
	ct_end(&v, 0);
}

#define OPEN(symbol, call, parameters, ...) \
	CT_EXPORT FILE *symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_##call, CT_CAUSE_FILE, CT_OBJECT_NONE, 0); \
		FILE *r = ct_real.symbol(__VA_ARGS__); \
		if (r && v.slot && ct_stream_fd(r) >= 0) { \
			ct_fd_note(r->_fileno, CT_FD_OPENED, 0); \
			v.object_kind = CT_OBJECT_FD; \
			v.object = (uint32_t)r->_fileno; \
		} \
		ct_end(&v, r ? 0 : -(int64_t)errno); \
		return r; \
	}

OPEN(fopen, fopen, (const char *path, const char *mode), path, mode)
OPEN(fopen64, fopen, (const char *path, const char *mode), path, mode)
OPEN(freopen, freopen, (const char *path, const char *mode, FILE *f), path, mode, f)
OPEN(freopen64, freopen, (const char *path, const char *mode, FILE *f), path, mode, f)
OPEN(tmpfile, fopen, (void))
OPEN(tmpfile64, fopen, (void))

/* Returns when the shell has been started. */
CT_EXPORT FILE *popen(const char *command, const char *mode)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_popen, CT_CAUSE_CHILD, CT_OBJECT_NONE, 0);
	FILE *r = ct_real.popen(command, mode);

	ct_end(&v, r ? 0 : -(int64_t)errno);
	return r;
}

CT_EXPORT int fclose(FILE *f)
{
	struct ct_interval v;
	bool writes = f->_mode > 0 || f->_IO_write_ptr > f->_IO_write_base;
	int fd = ct_stream_fd(f);

	if (!writes || fd < 0 || ct_stream_taken(f)) {
		ct_stream_begin(&v, CT_CALL_fclose, f, true, __builtin_return_address(0));
	} else if (ct_prepare(&v, CT_CALL_fclose, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd)) {
		ct_identify(&v);
		ct_start(&v, __builtin_return_address(0));
	}
	uint64_t id = v.slot && fd >= 0 ? ct_fd_closing(fd) : 0;

	if (v.silent && !v.slot)
		ct_fd_forget(fd);
	int r = ct_real.fclose(f);

	ct_end_closed(&v, fd, id, CT_RESULT(r));
	return r;
}

/* Always timed: each may write what is buffered. */
#define ON_STREAM(type, symbol, call, locks, result, parameters, ...) \
	CT_STREAM(type, symbol, call, locks, false, f, result, parameters, __VA_ARGS__)

ON_STREAM(int, fseek, fseek, true, CT_STREAM_STATUS, (FILE *f, long at, int whence), f, at, whence)
ON_STREAM(int, fseeko, fseek, true, CT_STREAM_STATUS, (FILE *f, off_t at, int whence), f, at, whence)
ON_STREAM(int, fseeko64, fseek, true, CT_STREAM_STATUS, (FILE *f, off64_t at, int whence), f, at, whence)
ON_STREAM(int, fsetpos, fseek, true, CT_STREAM_STATUS, (FILE *f, const fpos_t *at), f, at)
ON_STREAM(int, fsetpos64, fseek, true, CT_STREAM_STATUS, (FILE *f, const fpos64_t *at), f, at)
ON_STREAM(long, ftell, ftell, true, CT_STREAM_STATUS, (FILE *f), f)
ON_STREAM(off_t, ftello, ftell, true, CT_STREAM_STATUS, (FILE *f), f)
ON_STREAM(off64_t, ftello64, ftell, true, CT_STREAM_STATUS, (FILE *f), f)
ON_STREAM(int, fgetpos, ftell, true, CT_STREAM_STATUS, (FILE *f, fpos_t *at), f, at)
ON_STREAM(int, fgetpos64, ftell, true, CT_STREAM_STATUS, (FILE *f, fpos64_t *at), f, at)
ON_STREAM(int, setvbuf, setvbuf, true, CT_STREAM_STATUS, (FILE *f, char *p, int mode, size_t n), f, p, mode, n)

/* Nothing to write, nothing to give back: nothing is done. */
#define IDLE(f) (ct_given(f) && (f)->_mode <= 0 && (f)->_IO_write_ptr == (f)->_IO_write_base && !ct_stream_has(f))
#define FLUSH(symbol, locks) \
	CT_STREAM(int, symbol, fflush, locks, IDLE(f), f, \
		  CT_STREAM_STATUS, (FILE *f), f)
FLUSH(fflush, true)
FLUSH(fflush_unlocked, false)

/* Calls on a stream that return nothing. */
#define VOID(symbol, call, f, parameters, ...) \
	CT_EXPORT void symbol parameters \
	{ \
		struct ct_interval v; \
		ct_stream_begin(&v, CT_CALL_##call, f, true, __builtin_return_address(0)); \
		ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, 0); \
	}

VOID(rewind, fseek, f, (FILE *f), f)
VOID(setbuf, setvbuf, f, (FILE *f, char *p), f, p)
VOID(setbuffer, setvbuf, f, (FILE *f, char *p, size_t n), f, p, n)
VOID(setlinebuf, setvbuf, f, (FILE *f), f)
VOID(perror, perror, stderr, (const char *s), s)
VOID(psignal, perror, stderr, (int sig, const char *s), sig, s)
VOID(psiginfo, perror, stderr, (const siginfo_t *info, const char *s), info, s)

CT_EXPORT int fcloseall(void)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_fcloseall, CT_CAUSE_FILE, CT_OBJECT_NONE, 0);
	int r = ct_real.fcloseall();

	ct_end(&v, r);
	return r;
}
