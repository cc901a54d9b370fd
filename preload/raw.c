/*
 * syscall(): how Rust's standard library, libstdc++'s atomic wait, libuv and many
 * own locks reach the kernel. Calls that cannot wait are passed on by a jump: a
 * child that clone() or vfork() returns in must find the stack as it was.
 */
#include "entries.h"

#include <linux/futex.h>
#include <linux/seccomp.h>

#include "record.h"
#include "seccomp.h"
#include "wakes.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

enum { PASS, WAITS, FUTEX, SECCOMP, SENDS };

/* What to do with a system call, and for WAITS: why it waits, and what its first argument is. */
#define ON_FD(name, cause) [SYS_##name] = { WAITS, CT_CAUSE_##cause, CT_OBJECT_FD, 0 }
#define PLAIN(name, cause) [SYS_##name] = { WAITS, CT_CAUSE_##cause, CT_OBJECT_NONE, 0 }
const struct ct_raw ct_raw[CT_RAW_CALLS] = {
	[SYS_futex] = { FUTEX, CT_CAUSE_FUTEX, CT_OBJECT_ADDRESS, 0 },
	[SYS_seccomp] = { .what = SECCOMP },
	[SYS_prctl] = { .what = SECCOMP },
	PLAIN(futex_waitv, FUTEX),
	ON_FD(io_uring_enter, POLL),
	PLAIN(io_getevents, POLL),
	PLAIN(io_pgetevents, POLL),
	PLAIN(io_submit, FILE),
	ON_FD(read, FILE), ON_FD(pread64, FILE), ON_FD(readv, FILE), ON_FD(preadv, FILE), ON_FD(preadv2, FILE),
	ON_FD(write, FILE), ON_FD(pwrite64, FILE), ON_FD(writev, FILE), ON_FD(pwritev, FILE), ON_FD(pwritev2, FILE),
	ON_FD(fsync, FILE), ON_FD(fdatasync, FILE), ON_FD(syncfs, FILE), ON_FD(sync_file_range, FILE), PLAIN(sync, FILE),
	ON_FD(sendfile, FILE), ON_FD(splice, FILE), ON_FD(tee, FILE), ON_FD(vmsplice, FILE),
	ON_FD(copy_file_range, FILE), ON_FD(fallocate, FILE), ON_FD(getdents64, FILE), 
	PLAIN(close, FILE), PLAIN(openat, FILE), PLAIN(openat2, FILE), PLAIN(statx, FILE), PLAIN(getrandom, FILE),
	ON_FD(flock, FILELOCK),
	ON_FD(recvfrom, SOCKET), ON_FD(recvmsg, SOCKET), ON_FD(recvmmsg, SOCKET),
	ON_FD(sendto, SOCKET), ON_FD(sendmsg, SOCKET), ON_FD(sendmmsg, SOCKET),
	ON_FD(accept, ACCEPT), ON_FD(accept4, ACCEPT), ON_FD(connect, CONNECT),
	PLAIN(ppoll, POLL), PLAIN(pselect6, POLL), ON_FD(epoll_pwait, POLL), ON_FD(epoll_pwait2, POLL),
	PLAIN(nanosleep, SLEEP), PLAIN(clock_nanosleep, SLEEP),
	PLAIN(wait4, CHILD), PLAIN(waitid, CHILD),
	PLAIN(rt_sigtimedwait, SIGNAL), PLAIN(rt_sigsuspend, SIGNAL),
	PLAIN(semop, SEMAPHORE), PLAIN(semtimedop, SEMAPHORE), PLAIN(msgsnd, MSGQUEUE), PLAIN(msgrcv, MSGQUEUE),
	ON_FD(mq_timedsend, MSGQUEUE), ON_FD(mq_timedreceive, MSGQUEUE),
	PLAIN(mmap, MMAP), PLAIN(munmap, MMAP), PLAIN(mremap, MMAP), PLAIN(mprotect, MMAP), PLAIN(madvise, MMAP),
	PLAIN(msync, FILE),
#ifdef SYS_open /* newer processors have only what these became */
	PLAIN(open, FILE), PLAIN(poll, POLL), PLAIN(select, POLL), ON_FD(epoll_wait, POLL), PLAIN(pause, SIGNAL),
#endif
	[SYS_kill] = { .what = SENDS }, [SYS_tkill] = { .what = SENDS }, [SYS_tgkill] = { .what = SENDS },
	[SYS_rt_sigqueueinfo] = { .what = SENDS }, [SYS_rt_tgsigqueueinfo] = { .what = SENDS },
};

void ct_before_seccomp(bool strict)
{
	ct_state.no_syscalls = 1;
	if (strict)
		ct_thread_stop();
}

/* seccomp(operation, ...) or prctl(option, mode, ...), as libseccomp calls them. */
static void before(long number, long a, long b)
{
	if (number == SYS_seccomp && (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER))
		ct_before_seccomp(a == SECCOMP_SET_MODE_STRICT);
	else if (number == SYS_prctl && a == PR_SET_SECCOMP)
		ct_before_seccomp(b == SECCOMP_MODE_STRICT);
	else if (number == SYS_prctl && a == PR_SET_TSC && b == PR_TSC_SIGSEGV)
		ct_thread_stop();
}

static bool futex_waits(long op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return true;
	}
	return false;
}

static long futex_wake(long number, long word, long op, long c, long d, long e, long f)
{
	struct ct_slot *slot = ct_self();

	if (!slot)
		return ct_real.syscall(number, word, op, c, d, e, f);
	uint64_t start = ct_ticks();
	long r = ct_real.syscall(number, word, op, c, d, e, f);

	ct_inc_local(&slot->calls[CT_CALL_syscall]);
	/* To unlock with priority inheritance is answered by 0; the kernel is asked only if somebody waits. */
	if (r > 0 || (!r && (op & FUTEX_CMD_MASK) == FUTEX_UNLOCK_PI))
		ct_write_wake(CT_CALL_syscall, CT_CAUSE_FUTEX, (const void *)word, start, r);
	return r;
}

static long send_signal(long number, long a, long b, long c, long d, long e, long f)
{
	bool in_group = number == SYS_tgkill || number == SYS_rt_tgsigqueueinfo;
	struct ct_slot *slot = ct_self();
	int sent = (int)(in_group ? c : b);
	uint64_t aux, object = ct_sent_to((int)(in_group ? b : a), sent, &aux), start = slot ? ct_ticks() : 0;

	ct_count(CT_CALL_syscall);
	long r = ct_real.syscall(number, a, b, c, d, e, f);

	if (slot && sent && !r)
		ct_write_sent(slot, CT_CALL_syscall, CT_OBJECT_PID, object, aux, start);
	return r;
}

/* Arguments that the call does not have are passed on as they stand there, as
 * glibc itself does. */
long ct_syscall_other(long number, long a, long b, long c, long d, long e,
							     long f)
{
	const struct ct_raw *raw = &ct_raw[number];
	struct ct_interval v;
	long r;

	if (raw->what == FUTEX && !futex_waits(b))
		return futex_wake(number, a, b, c, d, e, f);
	if (raw->what == SENDS)
		return send_signal(number, a, b, c, d, e, f);
	if (raw->what == SECCOMP) {
		before(number, a, b);
		ct_count(CT_CALL_syscall);
		return ct_real.syscall(number, a, b, c, d, e, f);
	}
	uint64_t object = raw->object_kind == CT_OBJECT_FD	  ? (uint32_t)a
			  : raw->object_kind == CT_OBJECT_ADDRESS ? (uint64_t)a
								  : 0;

	if (raw->cause == CT_CAUSE_FILE || raw->cause == CT_CAUSE_MMAP)
		ct_begin(&v, CT_CALL_syscall, raw->cause, raw->object_kind, object);
	else
		ct_begin_wait(&v, CT_CALL_syscall, raw->cause, raw->object_kind, object);
	r = ct_real.syscall(number, a, b, c, d, e, f);
	ct_end(&v, CT_RESULT(r));
	return r;
}
