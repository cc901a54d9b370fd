/* stdio: wide characters. Their streams keep other pointers, so each call is timed. */
#include "stdio_buffers.h"

#include "real.h"

#include <wchar.h>

#define WIDE(type, symbol, call, locks, f, result, parameters, ...) \
	CT_STREAM(type, symbol, call, locks, false, f, result, parameters, __VA_ARGS__)
#define GETC(symbol, locks, f, parameters, ...) \
	WIDE(wint_t, symbol, fgetwc, locks, f, (int64_t)r, parameters, __VA_ARGS__)
#define PUTC(symbol, locks, f, parameters, ...) \
	WIDE(wint_t, symbol, fputwc, locks, f, (int64_t)r, parameters, __VA_ARGS__)
#define GETS(symbol, locks, parameters, ...) \
	WIDE(wchar_t *, symbol, fgetws, locks, f, CT_STREAM_TEXT, parameters, __VA_ARGS__)

GETC(fgetwc, true, f, (FILE *f), f)
GETC(getwc, true, f, (FILE *f), f)
GETC(fgetwc_unlocked, false, f, (FILE *f), f)
GETC(getwc_unlocked, false, f, (FILE *f), f)
GETC(getwchar, true, stdin, (void))
GETC(getwchar_unlocked, false, stdin, (void))
GETC(__wuflow, false, f, (FILE *f), f)
GETC(__wunderflow, false, f, (FILE *f), f)
PUTC(fputwc, true, f, (wchar_t c, FILE *f), c, f)
PUTC(putwc, true, f, (wchar_t c, FILE *f), c, f)
PUTC(fputwc_unlocked, false, f, (wchar_t c, FILE *f), c, f)
PUTC(putwc_unlocked, false, f, (wchar_t c, FILE *f), c, f)
PUTC(putwchar, true, stdout, (wchar_t c), c)
PUTC(putwchar_unlocked, false, stdout, (wchar_t c), c)
PUTC(__woverflow, false, f, (FILE *f, wint_t c), f, c)
GETS(fgetws, true, (wchar_t *p, int n, FILE *f), p, n, f)
GETS(fgetws_unlocked, false, (wchar_t *p, int n, FILE *f), p, n, f)
GETS(__fgetws_chk, true, (wchar_t *p, size_t room, int n, FILE *f), p, room, n, f)
GETS(__fgetws_unlocked_chk, false, (wchar_t *p, size_t room, int n, FILE *f), p, room, n, f)
WIDE(int, fputws, fputws, true, f, r, (const wchar_t *s, FILE *f), s, f)
WIDE(int, fputws_unlocked, fputws, false, f, r, (const wchar_t *s, FILE *f), s, f)
