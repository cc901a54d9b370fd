/* See inject-frames.h. Call frames by libdwfl, which needs no debug files for them. */
#include "inject-frames.h"

#if defined(__x86_64__)

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define FRAMES_MAX 512

struct ct_frames {
	Dwfl *dwfl;
	Dwfl_Module *libc, *loader;
	pid_t pid;
};

static int no_debug_file(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr base, const char *file,
			 const char *link, GElf_Word crc, char **ret)
{
	(void)m, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)ret;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = no_debug_file,
};

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "";
}

static int note_module(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr start, void *argument)
{
	struct ct_frames *f = argument;
	const char *base = base_name(name);

	(void)data, (void)start;
	if (!strcmp(base, "libc.so.6") || !strncmp(base, "libc-2.", 7))
		f->libc = m;
	else if (!strncmp(base, "ld-linux", 8) || !strncmp(base, "ld-2.", 5))
		f->loader = m;
	return DWARF_CB_OK;
}

struct ct_frames *ct_frames_open(pid_t pid)
{
	struct ct_frames *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->pid = pid;
	f->dwfl = dwfl_begin(&callbacks);
	if (f->dwfl && !dwfl_linux_proc_report(f->dwfl, pid) && !dwfl_report_end(f->dwfl, NULL, NULL)) {
		dwfl_getmodules(f->dwfl, note_module, f, 0);
		/* "true": the thread that is asked about is held already. */
		if (f->libc && f->loader && !dwfl_linux_proc_attach(f->dwfl, pid, true))
			return f;
	}
	ct_frames_close(f);
	return NULL;
}

void ct_frames_close(struct ct_frames *f)
{
	if (!f)
		return;
	if (f->dwfl)
		dwfl_end(f->dwfl);
	free(f);
}

uint64_t ct_frames_libc(struct ct_frames *f, const char *name)
{
	int n = dwfl_module_getsymtab(f->libc);

	for (int i = 1; i < n; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		const char *found = dwfl_module_getsym_info(f->libc, i, &symbol, &address, NULL, NULL, NULL);

		if (found && !strcmp(found, name) && GELF_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF)
			return address;
	}
	return 0;
}

/* --- room --- */

#define PAGE 4096ull
#define GAP  64u /* whoever reads instructions ahead reads no others */

static bool is_empty(pid_t pid, uint64_t at, size_t bytes)
{
	char text[PAGE];
	struct iovec local = { text, bytes }, remote = { (void *)at, bytes };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (text[i])
			return false;
	return true;
}

struct room {
	struct ct_frames *f;
	size_t bytes;
	uint64_t at;
};

static int look_for_room(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr start, void *argument)
{
	struct room *r = argument;
	GElf_Addr bias;
	GElf_Phdr p;
	size_t n;

	(void)data, (void)start;
	/* Libc and the loader will not be unloaded in the middle of it. */
	if (!name || *name != '/' || (m != r->f->libc && m != r->f->loader && strncmp(base_name(name), "libm.so", 7)))
		return DWARF_CB_OK;
	Elf *elf = dwfl_module_getelf(m, &bias);

	if (!elf || elf_getphdrnum(elf, &n))
		return DWARF_CB_OK;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X) || p.p_flags & PF_W)
			continue;
		uint64_t end = bias + p.p_vaddr + p.p_memsz, last = (end - 1) / PAGE;

		/* What one that was killed has left stays: a thread may be in it. */
		for (uint64_t at = (end + GAP + 63) & ~63ull; (at + r->bytes - 1) / PAGE == last; at += 64)
			if (is_empty(r->f->pid, at, r->bytes)) {
				r->at = at;
				return DWARF_CB_ABORT;
			}
	}
	return DWARF_CB_OK;
}

uint64_t ct_frames_room(struct ct_frames *f, size_t bytes)
{
	struct room r = { .f = f, .bytes = bytes };

	if (bytes <= PAGE)
		dwfl_getmodules(f->dwfl, look_for_room, &r, 0);
	return r.at;
}

/* --- calls --- */

/* Calls that no allocator makes, nor the loader, with what an allocator may: those that wait in futex say by the
 * function of libc what they wait for. */
static const long plain[] = {
	SYS_epoll_wait, SYS_epoll_pwait, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_clock_nanosleep, SYS_read, SYS_write,
	SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_recvfrom, SYS_recvmsg, SYS_sendto, SYS_sendmsg, SYS_accept,
	SYS_accept4, SYS_connect, SYS_wait4, SYS_waitid, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_pause, SYS_nanosleep,
	SYS_fsync, SYS_fdatasync, SYS_flock, SYS_semop, SYS_semtimedop, SYS_msgrcv, SYS_msgsnd,
};

/* By the function of libc, for futex, and for restart_syscall, which does not say what it goes on with. */
static const char *const waits[] = {
	"pthread_cond_", "__pthread_cond_", "sem_wait", "sem_timedwait", "sem_clockwait", "pthread_join", "pthread_timedjoin",
	"pthread_clockjoin", "__pthread_clockjoin", "pthread_barrier_wait", "cnd_", "thrd_join", "nanosleep", "clock_nanosleep",
	"__clock_nanosleep", "__nanosleep", "usleep", "sleep", "thrd_sleep", "poll", "__poll", NULL
};

/* Whoever is called below one of these may not call it again, or must not from here. */
static const char *const closed[] = {
	"calloc", "realloc", "free", "cfree", "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "exit", "quick_exit", "fork",
	"vfork", "_Fork", "__libc_fork", "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "setresuid", "setresgid",
	"setgroups", "pthread_create", "pthread_exit", "pthread_atfork", "__register_atfork", "__cxa_finalize", NULL
};

/* The same by how their names begin. */
static const char *const closed_families[] = {
	"malloc", "memalign", "mallinfo", "mallopt", "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_free",
	"__libc_memalign", "__libc_valloc", "__libc_pvalloc", "__libc_dl", "_Znw", "_Zna", "_Zdl", "_Zda", "je_", "tc_", "mi_",
	"dl_iterate_phdr", "dlopen", "dlclose", "dlsym", "dlvsym", "dladdr", "dlinfo", "dlmopen", "_dl_", NULL
};

static bool begins_with_one(const char *name, const char *const *list)
{
	for (; name && *list; list++)
		if (!strncmp(name, *list, strlen(*list)))
			return true;
	return false;
}

static bool is_closed(const char *name)
{
	for (const char *const *one = closed; name && *one; one++)
		if (!strcmp(name, *one))
			return true;
	return begins_with_one(name, closed_families);
}

/* Allocators: what is static in them has no name. */
static const char *const allocators[] = {
	"libjemalloc", "libtcmalloc", "libmimalloc", "libhoard", "libsnmalloc", "libasan", "libtsan", "liblsan", "libmsan", NULL
};

struct look {
	struct ct_frames *f;
	int frames;
	bool bad, left_libc;
	const char *outer; /* of libc's innermost frames the last one's function */
};

static int look_at(Dwfl_Frame *frame, void *argument)
{
	struct look *l = argument;
	Dwarf_Addr pc;
	bool activation;

	if (!dwfl_frame_pc(frame, &pc, &activation) || l->frames++ >= FRAMES_MAX) {
		l->bad = true;
		return DWARF_CB_ABORT;
	}
	/* A frame that did not call the one before: a signal came. */
	if (activation && l->frames > 1)
		l->bad = true;
	Dwarf_Addr at = pc - (activation ? 0 : 1);
	Dwfl_Module *m = dwfl_addrmodule(l->f->dwfl, at);
	const char *name = m ? dwfl_module_addrname(m, at) : NULL;

	if (l->frames == 1 && m != l->f->libc)
		l->bad = true;
	const char *file = m ? dwfl_module_info(m, NULL, NULL, NULL, NULL, NULL, NULL, NULL) : NULL;

	if ((m && m == l->f->loader) || is_closed(name) || (file && begins_with_one(base_name(file), allocators)))
		l->bad = true;
	if (m != l->f->libc)
		l->left_libc = true;
	else if (!l->left_libc)
		l->outer = name;
	return l->bad ? DWARF_CB_ABORT : DWARF_CB_OK;
}

bool ct_frames_are_safe(struct ct_frames *f, pid_t tid, long call)
{
	struct look l = { .f = f };
	bool is_plain = false;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		is_plain |= plain[i] == call;
	if (!is_plain && call != SYS_futex && call != SYS_restart_syscall)
		return false;
	/* That the walk breaks off in code without rules, as a JIT makes it, is no harm. */
	dwfl_getthread_frames(f->dwfl, tid, look_at, &l);
	if (l.bad || !l.left_libc)
		return false;
	return is_plain || begins_with_one(l.outer, waits);
}

#endif
