/*
 * The functions that the wrappers forward to: the next definition of each
 * symbol in the lookup order, so that an allocator or another preload behind
 * us is honoured. Resolved at once, before the program's first instruction
 * where possible; until then each pointer leads to a stub that resolves all.
 */
#ifndef CT_REAL_H
#define CT_REAL_H

#include <aio.h>
#include <dirent.h>
#include <fts.h>
#include <grp.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <link.h>
#include <locale.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <setjmp.h>
#include <shadow.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <mqueue.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <wchar.h>

#include "types.h"

#define CT_EXPORT __attribute__((visibility("default")))
/*
 * Exports function as the current or an older version of symbol. Where glibc has
 * no older one, an export without a version matches any reference.
 */
#if defined(__x86_64__)
#define CT_FIRST_GLIBC "GLIBC_2.2.5"
#define CT_EXPORT_CURRENT(function, symbol, version) \
	CT_EXPORT __typeof__(symbol) function; \
	__asm__(".symver " #function ", " #symbol "@@" version);
#define CT_EXPORT_OLD(function, symbol) \
	CT_EXPORT __typeof__(symbol) function; \
	__asm__(".symver " #function ", " #symbol "@" CT_FIRST_GLIBC);
#else
#define CT_FIRST_GLIBC "GLIBC_2.17"
#define CT_EXPORT_CURRENT(function, symbol, version) \
	CT_EXPORT __typeof__(symbol) function; \
	__asm__(".globl " #symbol "\n.set " #symbol ", " #function);
#define CT_EXPORT_OLD(function, symbol) __typeof__(symbol) function;
#endif

/* Exported by glibc without a declaration in its headers. */
ssize_t __read(int, void *, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __pread64(int, void *, size_t, off64_t);
ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);
ssize_t __write(int, const void *, size_t);
ssize_t __pwrite64(int, const void *, size_t, off64_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
ssize_t __send(int, const void *, size_t, int);
int __connect(int, const struct sockaddr *, socklen_t);
int __open(const char *, int, ...);
int __open64(const char *, int, ...);
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
int __close(int);
int __poll(struct pollfd *, nfds_t, int);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *);
int __nanosleep(const struct timespec *, struct timespec *);
pid_t __wait(int *);
pid_t __waitpid(pid_t, int *, int);
int __sigsuspend(const sigset_t *);
void __longjmp_chk(struct __jmp_buf_tag[1], int) __attribute__((noreturn));

struct __res_state; /* <resolv.h> has macros named as the fields of ELF structures */
int res_query(const char *, int, int, unsigned char *, int);
int res_search(const char *, int, int, unsigned char *, int);
int res_querydomain(const char *, const char *, int, int, unsigned char *, int);
int res_send(const unsigned char *, int, unsigned char *, int);
int res_nquery(struct __res_state *, const char *, int, int, unsigned char *, int);
int res_nsearch(struct __res_state *, const char *, int, int, unsigned char *, int);
int res_nquerydomain(struct __res_state *, const char *, const char *, int, int, unsigned char *, int);
int res_nsend(struct __res_state *, const unsigned char *, int, unsigned char *, int);
int __fcntl(int, int, ...);
off_t __lseek(int, off_t, int);
int __dup2(int, int);
int __sched_yield(void);
int __sigpause(int, int);
int __xpg_sigpause(int);
ssize_t __readlink_chk(const char *, char *, size_t, size_t);
ssize_t __readlinkat_chk(int, const char *, char *, size_t, size_t);
char *__realpath_chk(const char *, char *, size_t);
char *__getcwd_chk(char *, size_t, size_t);
int __xstat(int, const char *, struct stat *);
int __xstat64(int, const char *, struct stat64 *);
int __lxstat(int, const char *, struct stat *);
int __lxstat64(int, const char *, struct stat64 *);
int __fxstat(int, int, struct stat *);
int __fxstat64(int, int, struct stat64 *);
int __fxstatat(int, int, const char *, struct stat *, int);
int __fxstatat64(int, int, const char *, struct stat64 *, int);
void __syslog_chk(int, int, const char *, ...);
void __vsyslog_chk(int, int, const char *, va_list);
int _IO_getc(FILE *);
int _IO_putc(int, FILE *);
int __underflow(FILE *);
char *gets(char *);
char *__gets_chk(char *, size_t);
char *__fgets_chk(char *, size_t, int, FILE *);
char *__fgets_unlocked_chk(char *, size_t, int, FILE *);
wchar_t *__fgetws_chk(wchar_t *, size_t, int, FILE *);
wchar_t *__fgetws_unlocked_chk(wchar_t *, size_t, int, FILE *);
size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
size_t __fread_unlocked_chk(void *, size_t, size_t, size_t, FILE *);
wint_t __wuflow(FILE *);
wint_t __wunderflow(FILE *);
wint_t __woverflow(FILE *, wint_t);
int __printf_chk(int, const char *, ...);
int __vprintf_chk(int, const char *, va_list);
int __fprintf_chk(FILE *, int, const char *, ...);
int __vfprintf_chk(FILE *, int, const char *, va_list);
int __dprintf_chk(int, int, const char *, ...);
int __vdprintf_chk(int, int, const char *, va_list);
int __wprintf_chk(int, const wchar_t *, ...);
int __vwprintf_chk(int, const wchar_t *, va_list);
int __fwprintf_chk(FILE *, int, const wchar_t *, ...);
int __vfwprintf_chk(FILE *, int, const wchar_t *, va_list);
int __isoc99_scanf(const char *, ...);
int __isoc99_vscanf(const char *, va_list);
int __isoc99_fscanf(FILE *, const char *, ...);
int __isoc99_vfscanf(FILE *, const char *, va_list);
int __isoc99_wscanf(const wchar_t *, ...);
int __isoc99_vwscanf(const wchar_t *, va_list);
int __isoc99_fwscanf(FILE *, const wchar_t *, ...);
int __isoc99_vfwscanf(FILE *, const wchar_t *, va_list);
#if CT_GLIBC >= 238
int __isoc23_scanf(const char *, ...);
int __isoc23_vscanf(const char *, va_list);
int __isoc23_fscanf(FILE *, const char *, ...);
int __isoc23_vfscanf(FILE *, const char *, va_list);
int __isoc23_wscanf(const wchar_t *, ...);
int __isoc23_vwscanf(const wchar_t *, va_list);
int __isoc23_fwscanf(FILE *, const wchar_t *, ...);
int __isoc23_vfwscanf(FILE *, const wchar_t *, va_list);
#endif

/* Whether a pointer was given. To the compiler, what a header declares as nonnull is. */
static inline int ct_given(const void *p)
{
	__asm__("" : "+r"(p));
	return p != NULL;
}

/* A compatibility version lives beside the current one under another member. */
#define CT_COMPAT_NAME(symbol) symbol##_compat

struct ct_real {
#define CT_CALL(name, family, cause, flags)  __typeof__(name) *name;
#define CT_ALIAS(symbol, name)               __typeof__(symbol) *symbol;
#define CT_COMPAT(symbol, version, name)     __typeof__(symbol) *CT_COMPAT_NAME(symbol);
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
};

#pragma GCC visibility push(hidden)

extern struct ct_real ct_real;

/* Resolves everything; may be called at any time, does its work once. */
void ct_resolve(void);

/* The pool that serves allocations made while resolving (dlsym allocates). */
void *ct_boot_malloc(size_t n);
void *ct_boot_calloc(size_t n, size_t size);
void *ct_boot_realloc(void *p, size_t n);
void ct_boot_free(void *p);
#define CT_BOOT_BYTES 32768u
extern char ct_boot_pool[CT_BOOT_BYTES];

static inline int ct_boot_owns(const void *p)
{
	return (size_t)((const char *)p - ct_boot_pool) < CT_BOOT_BYTES;
}

#pragma GCC visibility pop

#endif
