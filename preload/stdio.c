/* stdio: characters, lines and blocks of bytes. See stdio_buffers.h. */
#include "stdio_buffers.h"

#include "real.h"

/* Macros in some versions of <stdio.h>. */
#undef fread_unlocked
#undef fwrite_unlocked

#define GETC(symbol, call, locks, f, parameters, ...) \
	CT_STREAM(int, symbol, call, locks, ct_stream_has(f), f, r, parameters, __VA_ARGS__)

GETC(fgetc, fgetc, true, f, (FILE *f), f)
GETC(getc, fgetc, true, f, (FILE *f), f)
GETC(_IO_getc, fgetc, true, f, (FILE *f), f)
GETC(fgetc_unlocked, fgetc, false, f, (FILE *f), f)
GETC(getc_unlocked, fgetc, false, f, (FILE *f), f)
GETC(getchar, fgetc, true, stdin, (void))
GETC(getchar_unlocked, fgetc, false, stdin, (void))
/* What the macros of getc_unlocked and putc_unlocked call when the buffer ends. */
CT_STREAM(int, __uflow, fgetc, false, false, f, r, (FILE *f), f)
CT_STREAM(int, __underflow, fgetc, false, false, f, r, (FILE *f), f)
CT_STREAM(int, __overflow, fputc, false, false, f, r, (FILE *f, int c), f, c)

#define PUTC(symbol, call, locks, f, parameters, ...) \
	CT_STREAM(int, symbol, call, locks, ct_stream_room_for(f, c), f, r, parameters, __VA_ARGS__)

PUTC(fputc, fputc, true, f, (int c, FILE *f), c, f)
PUTC(putc, fputc, true, f, (int c, FILE *f), c, f)
PUTC(_IO_putc, fputc, true, f, (int c, FILE *f), c, f)
PUTC(fputc_unlocked, fputc, false, f, (int c, FILE *f), c, f)
PUTC(putc_unlocked, fputc, false, f, (int c, FILE *f), c, f)
PUTC(putchar, fputc, true, stdout, (int c), c)
PUTC(putchar_unlocked, fputc, false, stdout, (int c), c)
CT_STREAM(int, getw, fread, true, ct_stream_has(f) >= sizeof(int), f, r, (FILE *f), f)
CT_STREAM(int, putw, fwrite, true, ct_stream_room(f) >= sizeof(int), f, r, (int w, FILE *f), w, f)

#define GETS(symbol, locks, parameters, ...) \
	CT_STREAM(char *, symbol, fgets, locks, n > 1 && ct_stream_has_line(f, '\n', (size_t)n - 1, locks), f, \
		  CT_STREAM_TEXT, parameters, __VA_ARGS__)

GETS(fgets, true, (char *p, int n, FILE *f), p, n, f)
GETS(fgets_unlocked, false, (char *p, int n, FILE *f), p, n, f)
GETS(__fgets_chk, true, (char *p, size_t room, int n, FILE *f), p, room, n, f)
GETS(__fgets_unlocked_chk, false, (char *p, size_t room, int n, FILE *f), p, room, n, f)
CT_STREAM(char *, gets, fgets, true, ct_stream_has_line(stdin, '\n', SIZE_MAX, true), stdin, CT_STREAM_TEXT,
	  (char *p), p)
CT_STREAM(char *, __gets_chk, fgets, true, ct_stream_has_line(stdin, '\n', SIZE_MAX, true), stdin, CT_STREAM_TEXT,
	  (char *p, size_t room), p, room)

#define GETDELIM(symbol, call, end, parameters, ...) \
	CT_STREAM(ssize_t, symbol, call, true, \
		  ct_given(line) && ct_given(n) && ct_stream_has_line(f, end, SIZE_MAX, true), f, CT_STREAM_STATUS, \
		  parameters, __VA_ARGS__)

GETDELIM(getline, getline, '\n', (char **line, size_t *n, FILE *f), line, n, f)
GETDELIM(getdelim, getline, delim, (char **line, size_t *n, int delim, FILE *f), line, n, delim, f)
GETDELIM(__getdelim, getline, delim, (char **line, size_t *n, int delim, FILE *f), line, n, delim, f)

#define PUTS(symbol, call, locks, f, more, parameters, ...) \
	CT_STREAM(int, symbol, call, locks, ct_stream_room(f) >= strlen(s) + (more), f, r, parameters, __VA_ARGS__)

PUTS(fputs, fputs, true, f, 0, (const char *s, FILE *f), s, f)
PUTS(fputs_unlocked, fputs, false, f, 0, (const char *s, FILE *f), s, f)
PUTS(puts, puts, true, stdout, 1, (const char *s), s)

/* Whether size bytes n times are at most what there is of them; none at all may come with no stream. */
static inline bool fits(size_t size, size_t n, const FILE *f, size_t has(const FILE *))
{
	size_t bytes;

	return !__builtin_mul_overflow(size, n, &bytes) && bytes && bytes <= has(f);
}

#define BLOCK(symbol, call, locks, has, parameters, ...) \
	CT_STREAM(size_t, symbol, call, locks, fits(size, n, f, has), f, (int64_t)(r * size), parameters, __VA_ARGS__)

BLOCK(fread, fread, true, ct_stream_has, (void *p, size_t size, size_t n, FILE *f), p, size, n, f)
BLOCK(fread_unlocked, fread, false, ct_stream_has, (void *p, size_t size, size_t n, FILE *f), p, size, n, f)
BLOCK(__fread_chk, fread, true, ct_stream_has, (void *p, size_t room, size_t size, size_t n, FILE *f), p, room, size,
      n, f)
BLOCK(__fread_unlocked_chk, fread, false, ct_stream_has, (void *p, size_t room, size_t size, size_t n, FILE *f), p,
      room, size, n, f)
BLOCK(fwrite, fwrite, true, ct_stream_room, (const void *p, size_t size, size_t n, FILE *f), p, size, n, f)
BLOCK(fwrite_unlocked, fwrite, false, ct_stream_room, (const void *p, size_t size, size_t n, FILE *f), p, size, n, f)
