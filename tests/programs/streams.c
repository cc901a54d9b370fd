/* stdio: waits inside of its calls, its locks, its cancellation, and that it answers as it does untraced.
 * Built twice, the second time as fortified programs are. */
#include <dlfcn.h>
#include <fcntl.h>
#include <printf.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <wchar.h>

#include "case.h"
#include "later.h"

/* What headers hide, rename or inline. */
extern char *__fgets_chk(char *, size_t, int, FILE *);
extern char *__fgets_unlocked_chk(char *, size_t, int, FILE *);
extern wchar_t *__fgetws_chk(wchar_t *, size_t, int, FILE *);
extern wchar_t *__fgetws_unlocked_chk(wchar_t *, size_t, int, FILE *);
extern size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
extern size_t __fread_unlocked_chk(void *, size_t, size_t, size_t, FILE *);
extern int __printf_chk(int, const char *, ...);
extern int __fprintf_chk(FILE *, int, const char *, ...);
extern int __vprintf_chk(int, const char *, va_list);
extern int __vfprintf_chk(FILE *, int, const char *, va_list);
extern int __dprintf_chk(int, int, const char *, ...);
extern int __wprintf_chk(int, const wchar_t *, ...);
extern int __fwprintf_chk(FILE *, int, const wchar_t *, ...);
extern int _IO_getc(FILE *);
extern int _IO_putc(int, FILE *);
extern int old_scanf(const char *, ...) __asm__("scanf");
extern int old_fscanf(FILE *, const char *, ...) __asm__("fscanf");
extern int c99_scanf(const char *, ...) __asm__("__isoc99_scanf");
extern int c99_fscanf(FILE *, const char *, ...) __asm__("__isoc99_fscanf");
extern int old_vscanf(const char *, va_list) __asm__("vscanf");
extern int old_vfscanf(FILE *, const char *, va_list) __asm__("vfscanf");
extern int c99_vscanf(const char *, va_list) __asm__("__isoc99_vscanf");
extern int c99_vfscanf(FILE *, const char *, va_list) __asm__("__isoc99_vfscanf");
extern int c99_wscanf(const wchar_t *, ...) __asm__("__isoc99_wscanf");
extern int c99_fwscanf(FILE *, const wchar_t *, ...) __asm__("__isoc99_fwscanf");
extern int old_fwscanf(FILE *, const wchar_t *, ...) __asm__("fwscanf");
/* The function, where the header has an inline one or a macro of its name. */
#define REAL(function) (*(__typeof__(&function) volatile *)&(__typeof__(&function)){ function })

#define LINE  "12 late\n"

static int fds[2];
static char text[256], block[1 << 16];
static wchar_t wide[256];
static char *line;
static size_t line_size;
static int number;

static void put_line(void)
{
	MUST(write(fds[1], LINE, strlen(LINE)) == (ssize_t)strlen(LINE));
}

/* --- input from an empty pipe --- */

static int v_scan(FILE *f, int (*scan)(const char *, va_list), int (*fscan)(FILE *, const char *, va_list),
		  const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = scan ? scan(format, list) : fscan(f, format, list);

	va_end(list);
	return r;
}

/* The linker warns of them. */
static char *old_gets(char *p)
{
	char *(*real)(char *) = (char *(*)(char *))dlsym(RTLD_DEFAULT, "gets");

	MUST(real);
	return real(p);
}

static char *old_gets_chk(char *p, size_t room)
{
	char *(*real)(char *, size_t) = (char *(*)(char *, size_t))dlsym(RTLD_DEFAULT, "__gets_chk");

	MUST(real);
	return real(p, room);
}

#define INPUTS(X) \
	X(in_fgetc, fgetc, fgetc(f)) \
	X(in_getc, fgetc, getc(f)) \
	X(in_io_getc, fgetc, _IO_getc(f)) \
	X(in_fgetc_unlocked, fgetc, REAL(fgetc_unlocked)(f)) \
	X(in_getc_unlocked, fgetc, REAL(getc_unlocked)(f)) \
	X(in_getc_macro, fgetc, getc_unlocked(f)) \
	X(in_getchar, fgetc, REAL(getchar)()) \
	X(in_getchar_unlocked, fgetc, REAL(getchar_unlocked)()) \
	X(in_fgets, fgets, fgets(text, 200, f) == text) \
	X(in_fgets_short, fgets, fgets(text, 4, f) == text) \
	X(in_fgets_unlocked, fgets, fgets_unlocked(text, 200, f) == text) \
	X(in_fgets_chk, fgets, __fgets_chk(text, 256, 200, f) == text) \
	X(in_fgets_unlocked_chk, fgets, __fgets_unlocked_chk(text, 256, 200, f) == text) \
	X(in_gets, fgets, old_gets(text) == text) \
	X(in_gets_chk, fgets, old_gets_chk(text, 256) == text) \
	X(in_getline, getline, getline(&line, &line_size, f)) \
	X(in_getdelim, getline, getdelim(&line, &line_size, 'l', f)) \
	X(in_fread, fread, fread(text, 2, 4, f)) \
	X(in_fread_unlocked, fread, REAL(fread_unlocked)(text, 1, 8, f)) \
	X(in_fread_chk, fread, __fread_chk(text, 256, 1, 8, f)) \
	X(in_fread_unlocked_chk, fread, __fread_unlocked_chk(text, 256, 8, 1, f)) \
	X(in_getw, fread, getw(f)) \
	X(in_scanf, scanf, old_scanf("%d %3s", &number, text)) \
	X(in_fscanf, fscanf, old_fscanf(f, "%d %3s", &number, text)) \
	X(in_scanf_c99, scanf, c99_scanf("%d %3s", &number, text)) \
	X(in_fscanf_c99, fscanf, c99_fscanf(f, "%d %3s", &number, text)) \
	X(in_vscanf, scanf, v_scan(f, old_vscanf, NULL, "%d%%", &number)) \
	X(in_vfscanf, fscanf, v_scan(f, NULL, old_vfscanf, "%d %3s", &number, text)) \
	X(in_vscanf_c99, scanf, v_scan(f, c99_vscanf, NULL, "%d %3s", &number, text)) \
	X(in_vfscanf_c99, fscanf, v_scan(f, NULL, c99_vfscanf, "%s", text)) \
	X(in_fgetwc, fgetwc, fgetwc(f)) \
	X(in_getwc, fgetwc, getwc(f)) \
	X(in_getwchar, fgetwc, getwchar()) \
	X(in_fgetwc_unlocked, fgetwc, fgetwc_unlocked(f)) \
	X(in_getwchar_unlocked, fgetwc, getwchar_unlocked()) \
	X(in_fgetws, fgetws, fgetws(wide, 200, f) == wide) \
	X(in_fgetws_unlocked, fgetws, fgetws_unlocked(wide, 200, f) == wide) \
	X(in_fgetws_chk, fgetws, __fgetws_chk(wide, 256, 200, f) == wide) \
	X(in_fgetws_unlocked_chk, fgetws, __fgetws_unlocked_chk(wide, 256, 200, f) == wide) \
	X(in_wscanf, wscanf, c99_wscanf(L"%d %3ls", &number, wide)) \
	X(in_fwscanf, fwscanf, c99_fwscanf(f, L"%d %3ls", &number, wide)) \
	X(in_fwscanf_old, fwscanf, old_fwscanf(f, L"%d %3ls", &number, wide))

#define FUNCTION(function, call, expression) \
	static NOINLINE long long function(FILE *f, struct said *s) \
	{ \
		long long r = 0; \
		(void)f; \
		errno = 0; \
		WAIT(s, r = (long long)(expression)); \
		return r; \
	}
INPUTS(FUNCTION)

struct call {
	const char *function, *call;
	long long (*run)(FILE *, struct said *);
	char mode;
	const char *cause;
};

static const struct call inputs[] = {
#define INPUT(function, call, expression) { #function, #call, function, 0, "pipe" },
	INPUTS(INPUT)
};

static void input(const struct call *c, const char *object)
{
	struct said s = { "main", c->cause, c->call, c->function, object, NULL, 0, 0 };
	FILE *f = fdopen(fds[0], "r"), *before = stdin;
	int rest;

	memset(text, 0, sizeof(text));
	memset(wide, 0, sizeof(wide));
	number = 0;
	MUST(f);
	stdin = f;
	pthread_t t = later(put_line);
	long long r = c->run(f, &s);
	int error = errno;

	join(t);
	printf("%s = %lld, errno %d, %d, \"%s\", \"%ls\", \"%s\"; then", c->function, r, error, number, text, wide,
	       line ? line : "-");
	close(fds[1]);
	free(line);
	line = NULL;
	if (fwide(f, 0) > 0)
		while ((rest = (int)fgetwc(f)) != (int)WEOF)
			printf(" %d", rest);
	else
		while ((rest = fgetc(f)) != EOF)
			printf(" %d", rest);
	printf(", %d %d\n", !!feof(f), !!ferror(f));
	stdin = before;
	MUST(!fclose(f));
	say(&s);
}

static int in(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		MUST(!pipe(fds));
		input(&inputs[i], "pipe");
	}
	return 0;
}

/* --- output to a full pipe --- */

static int v_print(FILE *f, int (*print)(const char *, va_list), int (*fprint)(FILE *, const char *, va_list),
		   const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = print ? print(format, list) : fprint(f, format, list);

	va_end(list);
	return r;
}

static int v_print_wide(FILE *f, const wchar_t *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = vfwprintf(f, format, list);

	va_end(list);
	return r;
}

static int v_print_fd(int fd, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = vdprintf(fd, format, list);

	va_end(list);
	return r;
}

static int chk_print(int stream, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = stream ? __vfprintf_chk(stdout, 1, format, list) : __vprintf_chk(1, format, list);

	va_end(list);
	return r;
}

static void rewinds(FILE *f)
{
	rewind(f);
}

static fpos_t start_of_all;

/* n: unbuffered. b: something is in the buffer. f: the buffer is full. l: a line is begun. */
#define OUTPUTS(X) \
	X(out_fputc, fputc, n, fputc('x', f)) \
	X(out_putc, fputc, n, putc('x', f)) \
	X(out_io_putc, fputc, n, _IO_putc('x', f)) \
	X(out_fputc_unlocked, fputc, n, REAL(fputc_unlocked)('x', f)) \
	X(out_putc_unlocked, fputc, n, REAL(putc_unlocked)('x', f)) \
	X(out_putc_macro, fputc, f, putc_unlocked('x', f)) \
	X(out_putc_full, fputc, f, fputc('x', f)) \
	X(out_putc_line, fputc, l, fputc('\n', f)) \
	X(out_putchar, fputc, n, REAL(putchar)('x')) \
	X(out_putchar_unlocked, fputc, n, REAL(putchar_unlocked)('x')) \
	X(out_putw, fwrite, n, putw(0x41424344, f)) \
	X(out_fputs, fputs, n, fputs("text", f)) \
	X(out_fputs_unlocked, fputs, n, fputs_unlocked("text", f)) \
	X(out_fputs_full, fputs, f, fputs("text", f)) \
	X(out_fputs_line, fputs, l, fputs("text\nmore", f)) \
	X(out_puts, puts, n, puts("text")) \
	X(out_fwrite, fwrite, n, fwrite("text", 2, 2, f)) \
	X(out_fwrite_unlocked, fwrite, n, REAL(fwrite_unlocked)("text", 1, 4, f)) \
	X(out_fwrite_large, fwrite, b, fwrite(block, 1, 5000, f)) \
	X(out_printf, printf, n, printf("%d %s %f\n", 12, "text", 1.5)) \
	X(out_fprintf, fprintf, n, fprintf(f, "%d %s %f\n", 12, "text", 1.5)) \
	X(out_fprintf_full, fprintf, f, fprintf(f, "%d %s %f %Lf\n", 12, "text", 1.5, 2.5L)) \
	X(out_vprintf, printf, n, v_print(f, vprintf, NULL, "%d %g\n", 12, 0.1)) \
	X(out_vfprintf, fprintf, n, v_print(f, NULL, vfprintf, "%d %g\n", 12, 0.1)) \
	X(out_printf_chk, printf, n, __printf_chk(1, "%d %s %f\n", 12, "text", 1.5)) \
	X(out_fprintf_chk, fprintf, n, __fprintf_chk(f, 1, "%d %s %f\n", 12, "text", 1.5)) \
	X(out_vprintf_chk, printf, n, chk_print(0, "%d %g\n", 12, 0.1)) \
	X(out_vfprintf_chk, fprintf, n, chk_print(1, "%d %g\n", 12, 0.1)) \
	X(out_dprintf, dprintf, n, dprintf(fds[1], "%d %s %f\n", 12, "text", 1.5)) \
	X(out_dprintf_chk, dprintf, n, __dprintf_chk(fds[1], 1, "%d %s %f\n", 12, "text", 1.5)) \
	X(out_vdprintf, dprintf, n, v_print_fd(fds[1], "%d %s %f\n", 12, "text", 1.5)) \
	X(out_fflush, fflush, b, fflush(f)) \
	X(out_fflush_unlocked, fflush, b, fflush_unlocked(f)) \
	X(out_fseek, fseek, b, fseek(f, 0, SEEK_SET)) \
	X(out_fseeko, fseek, b, fseeko(f, 0, SEEK_CUR)) \
	X(out_fsetpos, fseek, b, fsetpos(f, &start_of_all)) \
	X(out_rewind, fseek, b, (rewinds(f), 0)) \
	X(out_setvbuf, setvbuf, b, setvbuf(f, NULL, _IONBF, 0)) \
	X(out_fputwc, fputwc, n, fputwc(L'x', f)) \
	X(out_putwc, fputwc, n, putwc(L'x', f)) \
	X(out_putwchar, fputwc, n, putwchar(L'x')) \
	X(out_fputwc_unlocked, fputwc, n, fputwc_unlocked(L'x', f)) \
	X(out_putwchar_unlocked, fputwc, n, putwchar_unlocked(L'x')) \
	X(out_fputws, fputws, n, fputws(L"text", f)) \
	X(out_fputws_unlocked, fputws, n, fputws_unlocked(L"text", f)) \
	X(out_wprintf, wprintf, n, wprintf(L"%d %s %f\n", 12, "text", 1.5)) \
	X(out_fwprintf, fwprintf, n, fwprintf(f, L"%d %s %f\n", 12, "text", 1.5)) \
	X(out_wprintf_chk, wprintf, n, __wprintf_chk(1, L"%d %s %f\n", 12, "text", 1.5)) \
	X(out_fwprintf_chk, fwprintf, n, __fwprintf_chk(f, 1, L"%d %s %f\n", 12, "text", 1.5)) \
	X(out_vfwprintf, fwprintf, n, v_print_wide(f, L"%d %g\n", 12, 0.1)) \
	X(out_perror, perror, e, (errno = EPIPE, perror("said"), 0)) \
	X(out_psignal, perror, e, (psignal(SIGUSR1, "said"), 0)) \
	X(out_fclose, fclose, b, fclose(f))

#define OUT_FUNCTION(function, call, mode, expression) FUNCTION(function, call, expression)
OUTPUTS(OUT_FUNCTION)

static const struct call outputs[] = {
#define OUTPUT(function, call, mode, expression) { #function, #call, function, #mode[0], "pipe" },
	OUTPUTS(OUTPUT)
};

static char received[1 << 17];
static size_t receives;

static void receive_all(void)
{
	ssize_t n;

	for (receives = 0; (n = read(fds[0], received + receives, sizeof(received) - receives)) > 0;)
		receives += (size_t)n;
	MUST(!n);
}

static void make_full_pipe(void)
{
	MUST(!pipe(fds) && fcntl(fds[1], F_SETPIPE_SZ, 4096) == 4096);
	MUST(write(fds[1], block, 4096) == 4096);
}

static void output(const struct call *c)
{
	struct said s = { "main", c->cause, c->call, c->function, "pipe", NULL, 0, 0 };
	char mode = c->mode, buffer[256]; /* below 128 bytes it is no buffer to glibc */
	int error;

	make_full_pipe();
	FILE *f = fdopen(fds[1], "w"), *before = stdout, *before_err = stderr;

	MUST(f && !setvbuf(f, mode == 'n' || mode == 'e' ? NULL : buffer,
			   mode == 'n' || mode == 'e' ? _IONBF : mode == 'l' ? _IOLBF : _IOFBF,
			   mode == 'n' || mode == 'e' ? 0 : sizeof(buffer)));
	if (mode == 'l' || mode == 'b')
		MUST(fputs("begun", f) >= 0);
	for (size_t i = 0; mode == 'f' && i < sizeof(buffer); i++)
		MUST(fputc('f', f) == 'f');
	pthread_t t = later(receive_all);

	stdout = f;
	if (mode == 'e')
		stderr = f;
	long long r = c->run(f, &s);

	error = errno;
	stdout = before;
	stderr = before_err;
	if (strcmp(c->call, "fclose"))
		MUST(!fclose(f));
	join(t);
	close(fds[0]);
	printf("%s = %lld, errno %d: %zu bytes, \"%.*s\"\n", c->function, r, error, receives - 4096,
	       receives - 4096 < 400 ? (int)receives - 4096 : 0, received + 4096);
	say(&s);
}

static int out(int argc, char **argv)
{
	(void)argc, (void)argv;
	memset(block, 'b', sizeof(block));
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		output(&outputs[i]);
	return 0;
}

/* All streams: no descriptor is known. */
static NOINLINE void flush_all(struct said *s)
{
	WAIT(s, MUST(!fflush(NULL)));
}

static int out_all(int argc, char **argv)
{
	struct said s = { "main", "file", "fflush", "flush_all", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	make_full_pipe();
	FILE *f = fdopen(fds[1], "w");

	MUST(f && fputs("begun", f) >= 0);
	pthread_t t = later(receive_all);

	flush_all(&s);
	MUST(!fclose(f));
	join(t);
	say(&s);
	printf("%zu\n", receives);
	return 0;
}

/* --- opening, and processes behind streams --- */

#define FIFO "streams.fifo"

static void open_writer(void)
{
	MUST((fds[1] = open(FIFO, O_WRONLY)) >= 0);
}

static NOINLINE FILE *open_fifo(struct said *s)
{
	FILE *f;

	WAIT(s, MUST((f = fopen(FIFO, "r"))));
	return f;
}

static NOINLINE FILE *reopen_fifo(FILE *f, struct said *s)
{
	WAIT(s, MUST((f = freopen(FIFO, "r", f))));
	return f;
}

static NOINLINE void get_from_shell(FILE *f, struct said *s)
{
	WAIT(s, MUST(fgets(text, sizeof(text), f)));
}

static NOINLINE int close_shell(FILE *f, struct said *s)
{
	int r;

	WAIT(s, r = pclose(f));
	return r;
}

static int opens(int argc, char **argv)
{
	struct said o = { "main", "pipe", "fopen", "open_fifo", FIFO, NULL, 0, 0 };
	struct said r = { "main", "pipe", "freopen", "reopen_fifo", FIFO, NULL, 0, 0 };
	struct said g = { "main", "pipe", "fgets", "get_from_shell", "pipe", NULL, 0, 0 };
	struct said c = { "main", "child", "pclose", "close_shell", NULL, NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!mkfifo(FIFO, 0600));
	pthread_t t = later(open_writer);
	FILE *f = open_fifo(&o);

	join(t);
	close(fds[1]);
	t = later(open_writer);
	f = reopen_fifo(f, &r);
	join(t);
	close(fds[1]);
	SHOW(fgetc(f));
	SHOW(feof(f));
	MUST(!fclose(f) && !unlink(FIFO));
	fflush(stdout);
	MUST((f = popen("sleep 0.07; echo said; exec >&-; sleep 0.07; exit 3", "r")));
	get_from_shell(f, &g);
	printf("%s", text);
	SHOW(close_shell(f, &c));
	MUST((f = popen("exit 3", "w")));
	SHOW(pclose(f));
	SHOW(popen("true", "x") != NULL);
	SHOW(fopen("/nonexistent", "r") != NULL);
	SHOW(fopen(".", "w") != NULL);
	SHOW(fopen("/dev/null", "?") != NULL);
	say(&o);
	say(&r);
	say(&g);
	say(&c);
	return 0;
}

/* --- the lock of a stream --- */

static FILE *shared;
static pthread_barrier_t taken;

static void *stream_holder(void *n)
{
	name_me("holder");
	for (intptr_t i = 0; i < (intptr_t)n; i++) {
		flockfile(shared);
		pthread_barrier_wait(&taken);
		pause_ns(LATER);
		funlockfile(shared);
		pthread_barrier_wait(&taken); /* the waiter has had it */
	}
	return NULL;
}

static void lock_and_unlock(FILE *f)
{
	flockfile(f);
	funlockfile(f);
}

#define LOCKED(X) \
	X(locked_flockfile, flockfile, (lock_and_unlock(f), 0)) \
	X(locked_fputc, fputc, fputc('1', f)) \
	X(locked_fputs, fputs, fputs("2 3 ", f)) \
	X(locked_fprintf, fprintf, fprintf(f, "%d\n", 4)) \
	X(locked_fwrite, fwrite, fwrite("56\n78\n", 1, 6, f)) \
	X(locked_fflush, fflush, fflush(f)) \
	X(locked_rewind, fseek, (rewind(f), 0)) \
	X(locked_fgetc, fgetc, fgetc(f)) \
	X(locked_fscanf, fscanf, c99_fscanf(f, "%d", &number)) \
	X(locked_fgets, fgets, fgets(text, 200, f) == text) \
	X(locked_getline, getline, getline(&line, &line_size, f)) \
	X(locked_fread, fread, fread(text, 1, 2, f)) \
	X(locked_ftell, ftell, ftell(f))
LOCKED(FUNCTION)

static const struct call locked[] = {
#define LOCKED_CALL(function, call, expression) { #function, #call, function, 0, "mutex" },
	LOCKED(LOCKED_CALL)
};

static int locks(int argc, char **argv)
{
	size_t n = sizeof(locked) / sizeof(locked[0]);

	(void)argc, (void)argv;
	MUST((shared = fdopen(memfd_create("shared", 0), "r+")) && !pthread_barrier_init(&taken, NULL, 2));
	pthread_t t = start(stream_holder, (void *)n);

	for (size_t i = 0; i < n; i++) {
		struct said s = { "main", "mutex", locked[i].call, locked[i].function, NULL, "holder", 0, 0 };

		pthread_barrier_wait(&taken);
		printf("%s = %lld", locked[i].function, locked[i].run(shared, &s));
		printf(", %d, \"%s\", \"%s\"\n", number, text, line ? line : "");
		say(&s);
		pthread_barrier_wait(&taken);
	}
	join(t);
	SHOW(fclose(shared));
	return 0;
}

/* A thread waits for the reader of a pipe, another for the first one's lock. */
static struct said writer_said = { "writer", "pipe", "fwrite", "write_to_full", "pipe", NULL, 0, 0 };

static NOINLINE void write_to_full(struct said *s)
{
	WAIT(s, MUST(fwrite("text", 1, 4, shared) == 4));
}

static void *stream_writer(void *unused)
{
	(void)unused;
	name_me("writer");
	write_to_full(&writer_said);
	return NULL;
}

static NOINLINE void write_after(struct said *s)
{
	WAIT(s, MUST(fputs("after", shared) >= 0));
}

static int behind(int argc, char **argv)
{
	struct said s = { "main", "mutex", "fputs", "write_after", NULL, "writer", 0, 0 };

	(void)argc, (void)argv;
	make_full_pipe();
	MUST((shared = fdopen(fds[1], "w")) && !setvbuf(shared, NULL, _IONBF, 0));
	pthread_t w = start(stream_writer, NULL);

	pause_ns(LATER);
	pthread_t r = later(receive_all);

	write_after(&s);
	join(w);
	MUST(!fclose(shared));
	join(r);
	printf("%zu \"%.9s\"\n", receives, received + 4096);
	say(&writer_said);
	say(&s);
	return 0;
}

/* Threads take lines from one stream, whose pointers are nobody's to look at. */
#define LINES   30000
#define READERS 4

static _Atomic long sum, lines_read;

static void *line_reader(void *how)
{
	char *own = NULL, fixed[64];
	size_t size = 0;

	for (;;) {
		const char *got = how ? fgets(fixed, sizeof(fixed), shared)
				      : getline(&own, &size, shared) > 0 ? own
									  : NULL;
		if (!got)
			break;
		sum += atol(got);
		lines_read++;
	}
	free(own);
	return NULL;
}

static int shares(int argc, char **argv)
{
	char *guarded = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t[READERS];

	(void)argc, (void)argv;
	/* Whoever looks beyond the buffer dies. */
	MUST(guarded != MAP_FAILED && !mprotect(guarded + 4096, 4096, PROT_NONE));
	for (int round = 0; round < 20; round++) {
		MUST((shared = fdopen(memfd_create("shared", 0), "r+")));
		for (int i = 0; i < LINES; i++)
			MUST(fprintf(shared, "%d and more\n", i) > 0);
		rewind(shared);
		MUST(!setvbuf(shared, guarded + 4096 - 128, _IOFBF, 128));
		sum = lines_read = 0;
		for (intptr_t i = 0; i < READERS; i++)
			t[i] = start(line_reader, (void *)(i & 1));
		for (int i = 0; i < READERS; i++)
			join(t[i]);
		printf("%ld lines, sum %ld\n", (long)lines_read, (long)sum);
		MUST(!fclose(shared));
	}
	return 0;
}

/* --- streams without a descriptor --- */

static NOINLINE ssize_t cookie_read(void *said, char *p, size_t n)
{
	ssize_t r = 0;

	WAIT((struct said *)said, r = read(fds[0], p, n));
	return r;
}

static NOINLINE ssize_t cookie_write(void *said, const char *p, size_t n)
{
	ssize_t r = 0;

	WAIT((struct said *)said, r = write(fds[1], p, n));
	return r;
}

static int cookie_close(void *said)
{
	(void)said;
	return printf("closed\n");
}

static NOINLINE void get_line_of_cookie(FILE *f)
{
	printf("%s", fgets(text, sizeof(text), f) ? text : "nothing");
}

static NOINLINE void put_line_of_cookie(FILE *f)
{
	SHOW(fputs("text\n", f));
}

static int cookies(int argc, char **argv)
{
	struct said r = { "main", "pipe", "read", "cookie_read", "pipe", NULL, 0, 0 };
	struct said w = { "main", "pipe", "write", "cookie_write", "pipe", NULL, 0, 0 };

	(void)argc, (void)argv;
	MUST(!pipe(fds));
	FILE *f = fopencookie(&r, "r", (cookie_io_functions_t){ .read = cookie_read, .close = cookie_close });
	pthread_t t = later(put_line);

	get_line_of_cookie(f);
	join(t);
	close(fds[1]);
	SHOW(fileno(f));
	SHOW(fclose(f));
	close(fds[0]);
	make_full_pipe();
	f = fopencookie(&w, "w", (cookie_io_functions_t){ .write = cookie_write });
	MUST(!setvbuf(f, NULL, _IOLBF, 0));
	t = later(receive_all);
	put_line_of_cookie(f);
	close(fds[1]);
	join(t);
	SHOW(fclose(f));
	say(&r);
	say(&w);
	return 0;
}

static int memory(int argc, char **argv)
{
	char *made = NULL, fixed[32] = "one\ntwo\n";
	size_t size = 0;

	(void)argc, (void)argv;
	/* Nothing of these is to be taken for a descriptor: what was freed before looks like one. */
	for (int i = 0; i < 100; i++)
		free(memset(malloc(sizeof(FILE) + 256), 0, 64));
	FILE *f = open_memstream(&made, &size);

	SHOW(fprintf(f, "%d %s\n", 5, "text"));
	SHOW(fileno(f));
	SHOW(fseek(f, 2, SEEK_SET));
	SHOW(fputs("T", f));
	SHOW(fwrite(block, 1, sizeof(block), f));
	SHOW(fflush(f));
	SHOW(size);
	SHOW(fclose(f));
	printf("%.8s\n", made);
	free(made);
	MUST((f = fmemopen(fixed, sizeof(fixed), "r+")));
	SHOW(fgets(text, sizeof(text), f) != NULL);
	SHOW(getline(&line, &line_size, f));
	printf("%s%s", text, line);
	SHOW(fileno(f));
	SHOW(fseek(f, 0, SEEK_SET));
	SHOW(fputs("ONE", f));
	SHOW(fclose(f));
	printf("%s", fixed);
	return 0;
}

/* --- cancellation of what blocks in a stream --- */

static sem_t about_to_block;

static void point_fgetc(void)
{
	fgetc(shared);
}

static void point_fgets(void)
{
	fgets(text, sizeof(text), shared);
}

static void point_getline(void)
{
	getline(&line, &line_size, shared);
}

static void point_fread(void)
{
	fread(text, 1, sizeof(text), shared);
}

static void point_fscanf(void)
{
	c99_fscanf(shared, "%d", &number);
}

static void point_fputs(void)
{
	fputs("text", shared);
}

static void point_fputc(void)
{
	fputc('x', shared);
}

static void point_fprintf(void)
{
	fprintf(shared, "%d %s", 1, "text");
}

static void point_fwrite(void)
{
	fwrite(block, 1, 10000, shared);
}

static void point_fflush(void)
{
	fflush(shared);
}

static const struct point {
	const char *name;
	void (*block)(void);
	bool writes;
} points[] = {
#define POINT(name, writes) { #name, point_##name, writes }
	POINT(fgetc, false), POINT(fgets, false), POINT(getline, false), POINT(fread, false), POINT(fscanf, false),
	POINT(fputs, true), POINT(fputc, true), POINT(fprintf, true), POINT(fwrite, true), POINT(fflush, true),
};

static void cleanup(void *name)
{
	printf("  cleanup of %s\n", (const char *)name);
}

static void *victim(void *argument)
{
	const struct point *p = argument;

	name_me("victim");
	pthread_cleanup_push(cleanup, (void *)(uintptr_t)p->name);
	sem_post(&about_to_block);
	p->block();
	pthread_cleanup_pop(0);
	printf("  %s returned\n", p->name);
	return NULL;
}

static int cancel(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!sem_init(&about_to_block, 0, 0));
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		const struct point *p = &points[i];
		void *result;

		if (p->writes)
			make_full_pipe();
		else
			MUST(!pipe(fds));
		MUST((shared = fdopen(fds[p->writes], p->writes ? "w" : "r")));
		if (p->block == point_fflush)
			fputs("begun", shared);
		else
			MUST(!setvbuf(shared, NULL, _IONBF, 0));
		pthread_t t = start(victim, (void *)(uintptr_t)p);

		sem_wait(&about_to_block);
		pause_ns(20 * MS);
		int cancelled = pthread_cancel(t), joined = pthread_join(t, &result);

		printf("%s: cancel %d, join %d, cancelled %d\n", p->name, cancelled, joined, result == PTHREAD_CANCELED);
		SHOW(ftrylockfile(shared));
		funlockfile(shared);
		close(fds[!p->writes]);
		signal(SIGPIPE, SIG_IGN);
		SHOW(p->writes ? fputs("!", shared) : fgetc(shared));
		SHOW(ferror(shared));
		SHOW(fclose(shared));
	}
	return 0;
}

/* --- signals --- */

static sigjmp_buf back;
static pthread_t main_thread;
static volatile sig_atomic_t handled;

static void jump_back(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void signal_main(void)
{
	MUST(!pthread_kill(main_thread, SIGUSR1));
}

static NOINLINE void get_until_signal(struct said *s)
{
	uint64_t start = now_ns();

	/* The wait ends in the handler. */
	if (!sigsetjmp(back, 1)) {
		fgets(text, sizeof(text), shared);
		MUST(!"reached");
	}
	s->ns += now_ns() - start;
	s->count++;
}

static void *try_lock(void *unused)
{
	(void)unused;
	int r = ftrylockfile(shared);

	if (!r)
		funlockfile(shared);
	return (void *)(intptr_t)r;
}

static int jump(int argc, char **argv)
{
	struct said s = { "main", "pipe", "fgets", "get_until_signal", "pipe", NULL, 0, 0 };
	void *r;

	(void)argc, (void)argv;
	main_thread = pthread_self();
	signal(SIGUSR1, jump_back);
	for (int i = 0; i < 3; i++) {
		MUST(!pipe(fds) && (shared = fdopen(fds[0], "r")));
		pthread_t t = later(signal_main);

		get_until_signal(&s);
		join(t);
		MUST(!pthread_join(start(try_lock, NULL), &r));
		SHOW((intptr_t)r);
		put_line();
		SHOW(fgets(text, sizeof(text), shared) != NULL);
		printf("%s", text);
	}
	say(&s);
	return 0;
}

/* A handler that uses stdio while it waits in stdio. */
static void print_in_handler(int sig)
{
	printf("signal %d, %s\n", sig, "handled");
	puts("by stdio");
	handled++;
}

static NOINLINE void put_while_handling(struct said *s)
{
	WAIT(s, MUST(fputs("text", shared) >= 0));
}

static void *signaller(void *unused)
{
	(void)unused;
	name_me("peer");
	pause_ns(LATER);
	signal_main();
	pause_ns(LATER);
	receive_all();
	return NULL;
}

static int handler(int argc, char **argv)
{
	struct said s = { "main", "pipe", "fputs", "put_while_handling", "pipe", NULL, 0, 0 };
	struct sigaction a = { .sa_handler = print_in_handler, .sa_flags = SA_RESTART };

	(void)argc, (void)argv;
	main_thread = pthread_self();
	MUST(!sigaction(SIGUSR1, &a, NULL));
	make_full_pipe();
	MUST((shared = fdopen(fds[1], "w")) && !setvbuf(shared, NULL, _IONBF, 0));
	pthread_t t = start(signaller, NULL);

	put_while_handling(&s);
	MUST(!fclose(shared));
	join(t);
	SHOW(handled);
	say(&s);
	return 0;
}

/* --- answers --- */

static int hook_calls;

static NOINLINE void nap(struct said *s)
{
	struct timespec t = { 0, 30000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static struct said nap_said = { "main", "sleep", "nanosleep", "nap", NULL, NULL, 0, 0 };

static int hook(FILE *f, const struct printf_info *info, const void *const *arguments)
{
	(void)info;
	hook_calls++;
	nap(&nap_said);
	return fprintf(f, "<%d>", *(const int *)arguments[0]);
}

static int hook_arguments(const struct printf_info *info, size_t n, int *types, int *size)
{
	(void)info;
	(void)size;
	if (n)
		types[0] = PA_INT;
	return 1;
}

static int v_file(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int r = vfprintf(shared, format, list);

	va_end(list);
	return r;
}

static unsigned checksum(void)
{
	unsigned sum_ = 1;
	ssize_t n;

	rewind(shared);
	for (off_t at = 0; (n = pread(fileno(shared), received, sizeof(received), at)) > 0; at += n)
		for (ssize_t i = 0; i < n; i++)
			sum_ = sum_ * 31 + (unsigned char)received[i];
	return sum_ + (unsigned)fgetc(shared);
}

static int answers(int argc, char **argv)
{
	static char huge[1 << 20];
	static const char format_n[] = "abc%n\n";
	int at = 0, made[2];

	(void)argc, (void)argv;
	MUST((shared = fdopen(memfd_create("answers", 0), "r+")));
	memset(huge, 'h', sizeof(huge) - 1);
	for (int mode = 0; mode < 3; mode++) {
		MUST(!setvbuf(shared, NULL, mode == 0 ? _IOFBF : mode == 1 ? _IOLBF : _IONBF, mode == 2 ? 0 : 4096));
		SHOW(fprintf(shared, "%s", huge));
		SHOW(v_file("%s %s\n", huge, huge));
		SHOW(fprintf(shared, format_n, &at));
		SHOW(at);
		SHOW(fprintf(shared, "%1$s %3$d %2$g %1$.2s\n", "position", 2.5, 3));
		SHOW(fprintf(shared, "%*d|%-*d|%'d|%a|%Lg\n", 10, 1, 10, 2, 1234567, 1.0, 3.0L));
		SHOW(fprintf(shared, "%ls|%lc|%10.3ls\n", L"wide \u00e4", L'w', L"abcdef"));
		errno = ENOENT;
		fprintf(shared, "%m\n");
		SHOW(fprintf(shared, "%s\n", (char *)NULL));
		SHOW(fprintf(shared, "%ls", L"\xdfff"));
		SHOW(fprintf(shared, "%2147483648d", 1));
		SHOW(fputs("", shared));
		SHOW(fwrite(NULL, 0, 7, shared));
		SHOW(fwrite(huge, 0, 7, NULL));
		SHOW(fwrite(huge, 7, 0, NULL));
		SHOW(fread(huge, 0, 7, NULL));
		SHOW(fread(huge, 7, 0, NULL));
		SHOW(fputc(0x10a, shared));
		SHOW(fputc(-1, shared));
		SHOW(ftell(shared));
		SHOW(checksum());
		SHOW(fseek(shared, 3, SEEK_SET));
		SHOW(ungetc('u', shared));
		SHOW(ungetc('v', shared));
		SHOW(fread(text, 1, 5, shared));
		printf("%.5s\n", text);
		SHOW(fgetc(shared));
		SHOW(ftell(shared));
		SHOW(ungetc('\n', shared));
		SHOW(fgets(text, 200, shared) != NULL);
		SHOW(strlen(text));
		SHOW(fgets(text, 1, shared) != NULL);
		SHOW(fgets(text, 0, shared) != NULL);
		SHOW(fseek(shared, -3, SEEK_END));
		SHOW(fread(text, 2, 100, shared));
		SHOW(fgetc(shared));
		SHOW(feof(shared));
		SHOW(getline(&line, &line_size, shared));
		SHOW(getline(NULL, NULL, shared));
		SHOW(fseek(shared, -1, SEEK_SET));
		SHOW(fseek(shared, 0, 99));
		rewind(shared);
		SHOW(ftruncate(fileno(shared), 0));
	}
	fflush(NULL);
	SHOW(fflush(shared));
	SHOW(fclose(shared));

	/* What it returns to errno where there is nobody. */
	signal(SIGPIPE, SIG_IGN);
	MUST(!pipe(made) && !close(made[0]) && (shared = fdopen(made[1], "w")));
	SHOW(fputs("lost", shared));
	SHOW(fflush(shared));
	SHOW(ferror(shared));
	SHOW(fgetc(shared));
	SHOW(fread(text, 1, 1, shared));
	SHOW(fgets(text, 10, shared) != NULL);
	SHOW(fclose(shared));
	SHOW(dprintf(-1, "%d", 1));
	SHOW(dprintf(made[1], "%d", 1));

	/* A descriptor that says "later", and one closed below its stream. */
	MUST(!pipe(made) && !fcntl(made[0], F_SETFL, O_NONBLOCK) && (shared = fdopen(made[0], "r")));
	SHOW(fgetc(shared));
	SHOW(ferror(shared));
	clearerr(shared);
	MUST(write(made[1], "part", 4) == 4);
	SHOW(fgets(text, 10, shared) != NULL);
	SHOW(ferror(shared));
	clearerr(shared);
	SHOW(getline(&line, &line_size, shared));
	close(made[0]);
	SHOW(fgetc(shared));
	SHOW(fclose(shared));

	/* A wide stream, used both ways. */
	MUST((shared = fdopen(memfd_create("wide", 0), "r+")));
	SHOW(fputws(L"wide\n", shared));
	SHOW(fputs("narrow", shared));
	SHOW(fprintf(shared, "narrow"));
	SHOW(fputc('n', shared));
	SHOW(fwprintf(shared, L"%d %ls %s\n", 1, L"two", "three"));
	rewind(shared);
	SHOW(fgets(text, 10, shared) != NULL);
	SHOW(fgetc(shared));
	SHOW(fgetws(wide, 100, shared) == wide);
	SHOW(fgetwc(shared));
	SHOW(ungetwc(L'\n', shared));
	SHOW(fwscanf(shared, L"%d", &number));
	SHOW(fclose(shared));

	SHOW(register_printf_specifier('Y', hook, hook_arguments));
	MUST((shared = fdopen(memfd_create("hooks", 0), "r+")));
	SHOW(fprintf(shared, "%Y and %d", 7, 8));
	SHOW(setvbuf(shared, NULL, _IONBF, 0));
	SHOW(fprintf(shared, "%d and %Y", 7, 8));
	SHOW(printf("%Y\n", 9));
	SHOW(hook_calls);
	SHOW(checksum());
	SHOW(__fsetlocking(shared, FSETLOCKING_BYCALLER));
	SHOW(fputs("x", shared));
	SHOW(fgetc(shared));
	SHOW(fclose(shared));
	say(&nap_said);
	return 0;
}

/* Output through a stdout that is another's, reopened, closed. */
static int stdouts(int argc, char **argv)
{
	FILE *before = stdout;
	int copy = dup(1);

	(void)argc, (void)argv;
	MUST((stdout = fdopen(memfd_create("out", 0), "r+")));
	printf("to %s\n", "memory");
	puts("more");
	putchar('x');
	rewind(stdout);
	fgets(text, sizeof(text), stdout);
	fclose(stdout);
	stdout = before;
	printf("%s", text);
	fflush(stdout);
	SHOW(freopen("/dev/full", "w", stdout) != NULL);
	for (int i = 0; i < 2000; i++)
		printf("lost %d\n", i);
	int r = fflush(stdout), error = errno;

	MUST(dup2(copy, 1) == 1);
	clearerr(stdout);
	printf("flush %d, errno %d\n", r, error);
	fclose(stdout);
	r = printf("nobody sees this\n");
	error = errno;
	r += puts("nor this") + putchar('x');
	dprintf(copy, "closed: %d, errno %d\n", r, error);
	return 0;
}

CASES_MAIN({ "in", in }, { "out", out }, { "out-all", out_all }, { "opens", opens }, { "locks", locks },
	   { "behind", behind }, { "shares", shares }, { "cookies", cookies }, { "memory", memory },
	   { "cancel", cancel }, { "jump", jump }, { "handler", handler }, { "answers", answers },
	   { "stdouts", stdouts })
