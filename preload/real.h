/*
 * The functions that the wrappers forward to: the next definition of each
 * symbol in the lookup order, so that an allocator or another preload behind
 * us is honoured. Resolved at once, before the program's first instruction
 * where possible; until then each pointer leads to a stub that resolves all.
 */
#ifndef CT_REAL_H
#define CT_REAL_H

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
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
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define CT_EXPORT __attribute__((visibility("default")))

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
