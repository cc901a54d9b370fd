/*
 * See inject-call.h. How it goes, each step from a stop of the thread at a system call:
 *
 *	the thread is held at the entry of its call C
 *	code and the registers at C are written to room that nothing uses
 *	C becomes an mmap that returns to that code: now the thread is on its way, alone if need be
 *	at the exit of mmap: what is to be called is written to the memory that it gave
 *	at the entry of munmap: what came of it is read
 *	at the entry of the code's last call: that becomes C; the room is emptied; the thread is let go
 *
 * Without us the code finds nothing to call, or calls it, and makes C from anew. What we change at
 * a stop we change with one PTRACE_SETREGS, so that there is no moment in between.
 */
#include "inject-call.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define CALL_MS   20000 /* for all of it */
#define SIGSETXID 33    /* glibc's: setuid() in another thread waits for it */

/* The memory that is mapped: struct job and what it points to, then the vector registers, then the stack. */
#define AREA_BYTES   524288
#define XSTATE_AT    16384
#define XSTATE_BYTES 16384
#define STACK_END    524224

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

struct job {
	uint64_t ready;                                 /* the code's only if this is 1 */
	uint64_t errno_location, open, find, why;       /* functions */
	uint64_t library, name, data;                   /* their arguments */
	uint64_t handle, function, text, done;          /* by the code; done: 1 */
};

/* What the code finds behind itself. */
struct inputs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi, rax, rsp, back, flags, mask, blocked;
};
_Static_assert(sizeof(struct job) == 96 && sizeof(struct inputs) == 144, "as the code has them");

#define INPUT(n) "ct_stub_inputs+8*" #n "(%rip)"
#define SIGMASK(from) \
	"	mov $14, %eax\n" \
	"	mov $2, %edi\n" \
	"	lea " from ", %rsi\n" \
	"	mov $0, %edx\n" \
	"	mov $8, %r10d\n" \
	"	syscall\n"

__asm__(
	".pushsection .rodata\n"
	".balign 16\n"
	"ct_stub:\n"                      /* the end of mmap */
	"	cmp $-4095, %rax\n"
	"	jae 4f\n"
	"	mov %rax, %rbx\n"
	SIGMASK(INPUT(17))                /* it is so already, unless we were killed in that moment */
	"	lea " TEXT(STACK_END) "(%rbx), %rsp\n"
	"	mov $-1, %eax\n"
	"	mov $-1, %edx\n"
	"	xsave64 " TEXT(XSTATE_AT) "(%rbx)\n"
	"	cmpq $1, 0(%rbx)\n"
	"	jne 3f\n"
	"	call *8(%rbx)\n"          /* __errno_location() */
	"	mov %rax, %r12\n"
	"	mov (%rax), %r13d\n"
	"	mov 40(%rbx), %rdi\n"
	"	mov $2, %esi\n"
	"	call *16(%rbx)\n"         /* dlopen(library, RTLD_NOW) */
	"	mov %rax, 64(%rbx)\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	mov %rax, %rdi\n"
	"	mov 48(%rbx), %rsi\n"
	"	call *24(%rbx)\n"         /* dlsym(handle, name) */
	"	mov %rax, 72(%rbx)\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	mov 56(%rbx), %rdi\n"
	"	call *%rax\n"
	"	movq $1, 88(%rbx)\n"
	"	jmp 2f\n"
	"1:	call *32(%rbx)\n"         /* dlerror() */
	"	mov %rax, 80(%rbx)\n"
	"2:	mov %r13d, (%r12)\n"
	"ct_stub_restore:\n"
	"3:	mov $-1, %eax\n"
	"	mov $-1, %edx\n"
	"	xrstor64 " TEXT(XSTATE_AT) "(%rbx)\n"
	"	push " INPUT(15) "\n"
	"	popf\n"                   /* nothing below changes flags */
	"	mov " INPUT(13) ", %rsp\n"
	"	mov %rbx, %rdi\n"
	"	mov $" TEXT(AREA_BYTES) ", %esi\n"
	"	mov $11, %eax\n"
	"	syscall\n"                /* munmap */
	"ct_stub_unmapped:\n"
	"4:\n"
	SIGMASK(INPUT(16))
	"ct_stub_ended:\n"
	"	mov " INPUT(0) ", %r15\n"
	"	mov " INPUT(1) ", %r14\n"
	"	mov " INPUT(2) ", %r13\n"
	"	mov " INPUT(3) ", %r12\n"
	"	mov " INPUT(4) ", %rbp\n"
	"	mov " INPUT(5) ", %rbx\n"
	"	mov " INPUT(6) ", %r10\n"
	"	mov " INPUT(7) ", %r9\n"
	"	mov " INPUT(8) ", %r8\n"
	"	mov " INPUT(9) ", %rdx\n"
	"	mov " INPUT(10) ", %rsi\n"
	"	mov " INPUT(11) ", %rdi\n"
	"	mov " INPUT(12) ", %rax\n"
	"	jmp *" INPUT(14) "\n"
	"	.balign 8\n"
	"ct_stub_inputs:\n"
	"	.skip 144\n"
	"ct_stub_end:\n"
	".popsection\n");

#define LABEL extern __attribute__((visibility("hidden"))) const char

LABEL ct_stub[];
LABEL ct_stub_restore[];
LABEL ct_stub_unmapped[];
LABEL ct_stub_ended[];
LABEL ct_stub_inputs[];
LABEL ct_stub_end[];

#define STUB_MAX 1024

struct call {
	const struct ct_hold *h;
	uint64_t room, area, data_at;
	uint64_t mask, blocked;
	size_t stub_bytes;
	void *data;
	size_t bytes;
	struct job job;
	bool is_read;     /* what came of it */
	char text[200];   /* what dlerror said */
};

static int read_at(const struct call *c, uint64_t at, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)at, bytes };

	return process_vm_readv(c->h->tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -1;
}

static int write_at(const struct call *c, uint64_t at, const void *from, size_t bytes)
{
	struct iovec local = { (void *)from, bytes }, remote = { (void *)at, bytes };

	return process_vm_writev(c->h->tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes ? 0 : -1;
}

/* Writes code, or zeros in its place: ptrace may do that where the process itself may not. */
static int fill_room(const struct call *c, const char *code)
{
	for (size_t i = 0; i < c->stub_bytes; i += 8) {
		long word = 0;

		if (code)
			memcpy(&word, code + i, 8);
		if (ptrace(PTRACE_POKETEXT, c->h->tid, c->room + i, word))
			return -1;
	}
	return 0;
}

static int write_stub(struct call *c)
{
	const struct user_regs_struct *r = &c->h->regs;
	const struct inputs inputs = {
		r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r10, r->r9, r->r8, r->rdx, r->rsi, r->rdi,
		.rax = r->orig_rax, .rsp = r->rsp, .back = r->rip - 2, .flags = r->eflags, .mask = c->mask,
		.blocked = c->blocked,
	};
	char code[STUB_MAX] = "";

	memcpy(code, ct_stub, (size_t)(ct_stub_end - ct_stub));
	memcpy(code + (ct_stub_inputs - ct_stub), &inputs, sizeof(inputs));
	return fill_room(c, code);
}

/* From here on the thread makes its way without us. */
static int depart(const struct call *c)
{
	struct user_regs_struct r = c->h->regs;

	r.orig_rax = SYS_mmap;
	r.rdi = 0;
	r.rsi = AREA_BYTES;
	r.rdx = PROT_READ | PROT_WRITE;
	r.r10 = MAP_PRIVATE | MAP_ANONYMOUS;
	r.r8 = (unsigned long)-1;
	r.r9 = 0;
	r.rip = c->room;
	r.rcx = r.rip;
	if (ptrace(PTRACE_SETREGS, c->h->tid, 0, &r))
		return -1;
	ptrace(PTRACE_SETSIGMASK, c->h->tid, 8, &c->blocked);
	return 0;
}

/* At the exit of mmap. */
static void give_job(struct call *c, const char *library, const char *function)
{
	struct job job = c->job;
	uint64_t at = c->area + sizeof(job);

	job.library = at;
	at += strlen(library) + 1;
	job.name = at;
	at += strlen(function) + 1;
	job.data = c->data_at = (at + 15) & ~15ull;
	/* Without "ready" nothing is done. */
	if (job.data + c->bytes > c->area + XSTATE_AT || write_at(c, job.library, library, strlen(library) + 1) ||
	    write_at(c, job.name, function, strlen(function) + 1) || write_at(c, job.data, c->data, c->bytes))
		return;
	job.ready = 1;
	write_at(c, c->area, &job, sizeof(job));
}

/* At the entry of munmap. */
static void take_result(struct call *c)
{
	if (read_at(c, c->area, &c->job, sizeof(c->job)))
		return;
	c->is_read = !c->job.done || !read_at(c, c->data_at, c->data, c->bytes);
	for (size_t n = 0; c->job.text && n < sizeof(c->text) - 1; n++)
		if (read_at(c, c->job.text + n, &c->text[n], 1) || !c->text[n])
			break;
	c->text[sizeof(c->text) - 1] = 0;
}

/* At the entry of the code's last call, which would set the mask: the thread's own takes its place. */
static void arrive(const struct call *c)
{
	ptrace(PTRACE_SETSIGMASK, c->h->tid, 8, &c->mask);
	if (!ptrace(PTRACE_SETREGS, c->h->tid, 0, &c->h->regs))
		fill_room(c, NULL);
	ptrace(PTRACE_DETACH, c->h->tid, 0, 0);
}

/* Of a fault, not of a kill(). */
static bool is_fault(pid_t tid, int signal)
{
	siginfo_t s;

	return (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP) &&
	       !ptrace(PTRACE_GETSIGINFO, tid, 0, &s) && s.si_code > 0;
}

/* What was called went wrong: on to where all is put back. */
static int lead_back(const struct call *c)
{
	struct user_regs_struct r;

	if (!c->area || ptrace(PTRACE_GETREGS, c->h->tid, 0, &r))
		return -1;
	r.rip = c->room + (uint64_t)(ct_stub_restore - ct_stub);
	r.rbx = c->area;
	r.rsp = c->area + STACK_END;
	r.orig_rax = (unsigned long)-1;
	return ptrace(PTRACE_SETREGS, c->h->tid, 0, &r) ? -1 : 0;
}

enum end { ARRIVED, GONE, LATE, FAULT, BROKEN };

/* At a stop at a system call. True: the thread has arrived and was let go. */
static bool at_call(struct call *c, const char *library, const char *function)
{
	struct user_regs_struct r;
	bool entry = ct_stop_is_entry(c->h->tid);

	if (ptrace(PTRACE_GETREGS, c->h->tid, 0, &r))
		return false;
	if (!entry && !c->area && r.rip == c->room && r.rax < -4095ul) {
		c->area = r.rax;
		give_job(c, library, function);
	} else if (entry && r.rip == c->room + (uint64_t)(ct_stub_unmapped - ct_stub)) {
		take_result(c);
	} else if (entry && r.rip == c->room + (uint64_t)(ct_stub_ended - ct_stub)) {
		arrive(c);
		return true;
	}
	return false;
}

static enum end follow(struct call *c, const char *library, const char *function)
{
	long until = ct_now_ms() + CALL_MS;
	int status, signal = 0;
	bool fault = false;

	for (;;) {
		/* Fails if the thread was killed meanwhile: that is told below. */
		if (ptrace(PTRACE_SYSCALL, c->h->tid, 0, signal) && errno != ESRCH)
			return BROKEN;
		long left = until - ct_now_ms();
		int r = ct_stop_wait(c->h->tid, left > 0 ? (int)left : 0, &status);

		if (r < 0)
			return GONE;
		if (!r)
			return ct_hold_drop(c->h->pid, c->h->tid) ? LATE : BROKEN;
		signal = ct_stop_signal(status);
		if (ct_stop_is_call(status)) {
			if (at_call(c, library, function))
				return fault ? FAULT : ARRIVED;
		} else if (signal && is_fault(c->h->tid, signal) && !fault && !lead_back(c)) {
			fault = true;
			signal = 0;
		}
	}
}

static bool processor_will_do(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	return __get_cpuid_count(0xd, 0, &a, &b, &c, &d) && c <= XSTATE_BYTES;
}

/* Handlers run later. One might leave what we run by longjmp, or for a thread that is cancelled in
 * its system call by unwinding. Not held up: faults, and the signal that setuid() in another
 * thread waits for, maybe with the lock that the loader needs. */
static uint64_t all_but_faults(uint64_t mask)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSETXID };
	uint64_t blocked = ~0ull;

	for (size_t k = 0; k < sizeof(open) / sizeof(open[0]); k++)
		blocked &= ~(1ull << (open[k] - 1));
	return blocked | mask;
}

static int prepare(struct call *c, struct ct_frames *frames, char wrong[256])
{
	c->stub_bytes = ((size_t)(ct_stub_end - ct_stub) + 7) & ~(size_t)7;
	c->job.errno_location = ct_frames_libc(frames, "__errno_location");
	c->job.open = ct_frames_libc(frames, "dlopen");
	c->job.find = ct_frames_libc(frames, "dlsym");
	c->job.why = ct_frames_libc(frames, "dlerror");
	snprintf(wrong, 256, "its glibc is older than 2.34");
	if (!c->job.open || !c->job.find || !c->job.why || !c->job.errno_location)
		return -1;
	snprintf(wrong, 256, "the processor cannot save its registers (XSAVE)");
	if (!processor_will_do())
		return -1;
	snprintf(wrong, 256, "there is no room for a call in its libraries");
	c->room = c->stub_bytes <= STUB_MAX ? ct_frames_room(frames, c->stub_bytes) : 0;
	if (!c->room)
		return -1;
	snprintf(wrong, 256, "a function cannot be called in it");
	if (ptrace(PTRACE_GETSIGMASK, c->h->tid, 8, &c->mask))
		return -1;
	c->blocked = all_but_faults(c->mask);
	return 0;
}

int ct_inject_call(const struct ct_hold *h, struct ct_frames *frames, const char *library, const char *function, void *data,
		   size_t bytes, char wrong[256])
{
	struct call c = { .h = h, .data = data, .bytes = bytes };

	if (prepare(&c, frames, wrong) || write_stub(&c) || depart(&c)) {
		if (c.room)
			fill_room(&c, NULL);
		ptrace(PTRACE_DETACH, h->tid, 0, 0);
		return -1;
	}
	switch (follow(&c, library, function)) {
	case ARRIVED:
		break;
	case GONE:
		snprintf(wrong, 256, "the thread that was to load the library has ended");
		return -1;
	case LATE:
		snprintf(wrong, 256, "loading the library takes longer than %d s: maybe another thread has the loader's lock",
			 CALL_MS / 1000);
		return -1;
	case FAULT:
		snprintf(wrong, 256, "what was called in it failed with a fault");
		return -1;
	default:
		return -1;
	}
	if (!c.area)
		snprintf(wrong, 256, "it can map no memory");
	else if (c.is_read && c.job.done)
		return 0;
	else if (c.is_read && c.job.handle && !c.job.function)
		snprintf(wrong, 256, "the libctrace.so in the process is of another version");
	else if (*c.text)
		snprintf(wrong, 256, "%s", c.text);
	return -1;
}

#endif
