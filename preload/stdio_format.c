/* stdio: formatted output and input. Variadic calls go on as their v forms. */
#include <features.h>
/* The header would make scanf another name of __isoc99_scanf or __isoc23_scanf. */
#undef __GLIBC_USE_DEPRECATED_SCANF
#undef __GLIBC_USE_C2X_STRTOL
#undef __GLIBC_USE_C23_STRTOL
#define __GLIBC_USE_DEPRECATED_SCANF 1
#define __GLIBC_USE_C2X_STRTOL       0
#define __GLIBC_USE_C23_STRTOL       0

#include "fdwakes.h"
#include "stdio_buffers.h"

#include "real.h"

#include <stdarg.h>
#include <wchar.h>

/* What is put is not known before: room for CT_STREAM_FORMAT bytes is enough
 * for most; rseq tells of the others. */
#define FORMAT(symbol, forward, call, served, f, last, parameters, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		struct ct_slot *slot; \
		va_list list; \
		va_start(list, last); \
		if (CT_LIKELY((served) && !ct_stream_taken(f)) && \
		    CT_LIKELY((slot = ct_begin_quick(CT_CALL_##call, CT_CAUSE_FILE)) != NULL)) { \
			int q = ct_real.forward(__VA_ARGS__, list); \
			ct_stream_end_quick(slot, CT_CALL_##call, f); \
			va_end(list); \
			return q; \
		} \
		ct_stream_begin(&v, CT_CALL_##call, f, true, __builtin_return_address(0)); \
		int r = ct_real.forward(__VA_ARGS__, list); \
		ct_stream_end(&v, CT_CALL_##call, f, r); \
		va_end(list); \
		return r; \
	}
#define ROOM(f) (ct_stream_room(f) >= CT_STREAM_FORMAT)
#define HAS(f)  (ct_stream_has(f) >= CT_STREAM_SCAN)

/* Each pair: the variadic symbol, and its v form. Wide streams keep other
 * pointers: nothing is known of what they have. */
#define PRINTF(symbol, v_symbol, call, room, f, stream, arguments, type) \
	FORMAT(symbol, v_symbol, call, room, f, format, (stream const type *format, ...), arguments format) \
	CT_STREAM(int, v_symbol, call, true, room, f, r, (stream const type *format, va_list list), arguments format, list)
#define PRINTF_CHK(symbol, v_symbol, call, room, f, stream, arguments, type) \
	FORMAT(symbol, v_symbol, call, room, f, format, (stream int flag, const type *format, ...), \
	       arguments flag, format) \
	CT_STREAM(int, v_symbol, call, true, room, f, r, (stream int flag, const type *format, va_list list), \
		  arguments flag, format, list)
#define NOTHING
#define STREAM   FILE *f,
#define F        f,

PRINTF(printf, vprintf, printf, ROOM(stdout), stdout, NOTHING, NOTHING, char)
PRINTF(fprintf, vfprintf, fprintf, ROOM(f), f, STREAM, F, char)
PRINTF_CHK(__printf_chk, __vprintf_chk, printf, ROOM(stdout), stdout, NOTHING, NOTHING, char)
PRINTF_CHK(__fprintf_chk, __vfprintf_chk, fprintf, ROOM(f), f, STREAM, F, char)
PRINTF(wprintf, vwprintf, wprintf, false, stdout, NOTHING, NOTHING, wchar_t)
PRINTF(fwprintf, vfwprintf, fwprintf, false, f, STREAM, F, wchar_t)
PRINTF_CHK(__wprintf_chk, __vwprintf_chk, wprintf, false, stdout, NOTHING, NOTHING, wchar_t)
PRINTF_CHK(__fwprintf_chk, __vfwprintf_chk, fwprintf, false, f, STREAM, F, wchar_t)

PRINTF(scanf, vscanf, scanf, HAS(stdin), stdin, NOTHING, NOTHING, char)
PRINTF(fscanf, vfscanf, fscanf, HAS(f), f, STREAM, F, char)
PRINTF(__isoc99_scanf, __isoc99_vscanf, scanf, HAS(stdin), stdin, NOTHING, NOTHING, char)
PRINTF(__isoc99_fscanf, __isoc99_vfscanf, fscanf, HAS(f), f, STREAM, F, char)
PRINTF(wscanf, vwscanf, wscanf, false, stdin, NOTHING, NOTHING, wchar_t)
PRINTF(fwscanf, vfwscanf, fwscanf, false, f, STREAM, F, wchar_t)
PRINTF(__isoc99_wscanf, __isoc99_vwscanf, wscanf, false, stdin, NOTHING, NOTHING, wchar_t)
PRINTF(__isoc99_fwscanf, __isoc99_vfwscanf, fwscanf, false, f, STREAM, F, wchar_t)
#if CT_GLIBC >= 238
PRINTF(__isoc23_scanf, __isoc23_vscanf, scanf, HAS(stdin), stdin, NOTHING, NOTHING, char)
PRINTF(__isoc23_fscanf, __isoc23_vfscanf, fscanf, HAS(f), f, STREAM, F, char)
PRINTF(__isoc23_wscanf, __isoc23_vwscanf, wscanf, false, stdin, NOTHING, NOTHING, wchar_t)
PRINTF(__isoc23_fwscanf, __isoc23_vfwscanf, fwscanf, false, f, STREAM, F, wchar_t)
#endif

/* On a descriptor, through a stream of its own. */
#define COMMA ,
#define DPRINTF(symbol, v_symbol, parameters, ...) \
	CT_EXPORT int v_symbol(int fd, parameters const char *format, va_list list) \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_dprintf, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd); \
		int r = ct_real.v_symbol(__VA_ARGS__, format, list); \
		ct_end_written_to(&v, fd, r); \
		return r; \
	} \
	CT_EXPORT int symbol(int fd, parameters const char *format, ...) \
	{ \
		struct ct_interval v; \
		va_list list; \
		va_start(list, format); \
		ct_begin(&v, CT_CALL_dprintf, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd); \
		int r = ct_real.v_symbol(__VA_ARGS__, format, list); \
		ct_end_written_to(&v, fd, r); \
		va_end(list); \
		return r; \
	}

DPRINTF(dprintf, vdprintf, , fd)
DPRINTF(__dprintf_chk, __vdprintf_chk, int flag COMMA, fd, flag)
