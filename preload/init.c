/* The constructor: settles the clock, rseq and settings, then attaches. */
#include "init.h"
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "env.h"
#include "late.h"
#include "state.h"

extern void *__libc_stack_end;
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char etext[] __attribute__((visibility("hidden")));
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
extern void *__dso_handle;

#define EXIT_THREADS 1024u /* a system call each, when the program exits */

ptrdiff_t ct_rseq_offset;

static void settle_rseq(void)
{
	if (&__rseq_size && __rseq_size >= 20) {
		ct_rseq_offset = __rseq_offset + CT_RSEQ_CS_FIELD;
		ct_state.rseq = 1;
	} else {
		/* Local-exec distance is not known to the compiler: ask. */
		ct_rseq_offset = (char *)&ct_thread.rseq_dummy - (char *)__builtin_thread_pointer();
	}
}

static bool tsc_is_good(void)
{
	char name[32] = "";
	long fd = ct_sys(SYS_openat, AT_FDCWD, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
			 O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ct_sys(SYS_read, fd, name, sizeof(name) - 1);
		ct_sys(SYS_close, fd);
	}
	return ct_ticks_are_good(name);
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 10us, 1ms, 2s, 500ns, 500. */
static uint64_t duration_ns(const char *text)
{
	char *unit;
	double v = strtod(text, &unit);

	if (unit == text || v < 0)
		return CT_DEFAULT_MIN_NS;
	if (!strcmp(unit, "us"))
		v *= 1e3;
	else if (!strcmp(unit, "ms"))
		v *= 1e6;
	else if (!strcmp(unit, "s"))
		v *= 1e9;
	return (uint64_t)v;
}

static void settle_stack_bounds(void)
{
	struct rlimit l;
	pthread_attr_t attributes;
	size_t bytes;
	uint64_t size = 64u << 20;

	/* A main stack without a limit: other mappings stay well below this. */
	if (!ct_sys(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &l) && l.rlim_cur < size)
		size = l.rlim_cur;
	ct_state.main_stack_high = (uint64_t)__libc_stack_end;
	ct_state.main_stack_low = ct_state.main_stack_high - size;
	if (pthread_getattr_default_np(&attributes))
		return;
	if (!pthread_attr_getstacksize(&attributes, &bytes))
		ct_state.default_stack_bytes = bytes;
	pthread_attr_destroy(&attributes);
}

static void settle_settings(void)
{
	const char *min = getenv(CT_ENV_MIN), *stacks = getenv(CT_ENV_STACKS), *start = getenv(CT_ENV_START);

	ct_state.min_ns = min ? duration_ns(min) : CT_DEFAULT_MIN_NS;
	ct_live.off = start && !strcmp(start, "off") ? CT_FAMILIES_ALL : 0;
	if (!ct_state.rseq)
		ct_live.off |= CT_LIVE_NO_RSEQ;
	if (stacks)
		ct_live.stacks = !strcmp(stacks, "fp")	      ? CT_STACKS_FP
				  : !strcmp(stacks, "unwind") ? CT_STACKS_UNWIND
				  : !strcmp(stacks, "off")    ? CT_STACKS_OFF
							      : CT_STACKS_AUTO;
}

struct moment {
	uint64_t ticks, ns;
};

/* Both clocks at once: the pair whose reading took the shortest. */
static struct moment both_clocks(void)
{
	uint64_t best = UINT64_MAX;
	struct moment now = { 0, 0 };

	for (int i = 0; i < 4; i++) {
		uint64_t before = ct_read_ticks(), ns = monotonic_ns(), took = ct_read_ticks() - before;

		if (took < best) {
			best = took;
			now = (struct moment){ before + took / 2, ns };
		}
	}
	return now;
}

/* Ticks of min_ns, by the ratio of the clocks since the constructor began: a
 * threshold needs no more than a percent. */
static void settle_min_ticks(const struct moment *begin)
{
	if (!ct_state.tsc) {
		ct_state.ticks_per_ms = 1000000;
		ct_live.min_ticks = ct_state.min_ns;
		return;
	}
	while (monotonic_ns() - begin->ns < 50000)
		;
	struct moment now = both_clocks();

	ct_state.ticks_per_ms = (now.ticks - begin->ticks) * 1000000 / (now.ns - begin->ns);
	ct_live.min_ticks = (uint64_t)((double)ct_state.min_ns * (double)ct_state.ticks_per_ms / 1e6);
}

const char *ct_own_path(void)
{
	struct dl_find_object object;

	return _dl_find_object(__ehdr_start, &object) ? "libctrace.so" : object.dlfo_link_map->l_name;
}

/* Where glibc keeps the thread's tid in its descriptor: the word that holds the
 * process id in this, the first thread. */
static void find_tid(void)
{
	uint32_t tid = (uint32_t)ct_sys(SYS_gettid, 0);
	const char *descriptor = __builtin_thread_pointer();

	for (ptrdiff_t offset = 512; offset < 1024; offset += 4)
		if (*(const uint32_t *)(descriptor + offset) == tid) {
			ct_state.tid_offset = offset;
			return;
		}
}

static bool is_sanitized(void)
{
	static const char *const entries[] = { "__asan_init", "__lsan_init", "__tsan_init", "__msan_init", "__hwasan_init" };

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (ct_real.dlsym(RTLD_DEFAULT, entries[i]))
			return true;
	return false;
}

void ct_settle_forks(void)
{
	static int done;

	/* First to be registered, first to run in the child: the program's
	 * own handlers must not write into the parent's slot. */
	if (!done)
		__register_atfork(NULL, NULL, ct_forked, &__dso_handle);
	done = 1;
}

static void attach_to(const char *socket)
{
	if (socket != ct_state.socket)
		strcpy(ct_state.socket, socket);
	const char *what = ct_attach();

	/* Without a collector there is nobody to miss this process: the user has
	 * been told by whoever noticed that it is gone. But one that the user runs, and
	 * which is not there, would be missed in vain: say so, for the children, too. */
	if (what && *socket == '/' && !strcmp(what, CT_NO_ANSWER)) {
		ct_say("not tracing: nobody listens at CTRACE_SOCKET", socket);
		setenv(CT_ENV_SOCKET, CT_NO_COLLECTOR, 1);
	} else if (what && strcmp(what, CT_NO_ANSWER)) {
		ct_say("not tracing", what);
	}
}

static void settle(const struct moment *begin, bool huge_pages)
{
	ct_resolve();
	ct_state.sanitized = is_sanitized();
	ct_heap_settle(huge_pages);
	settle_rseq();
	if (!ct_state.late)
		settle_settings();
	settle_stack_bounds();
	ct_state.own_start = (uint64_t)__ehdr_start;
	ct_state.own_end = (uint64_t)etext;
	ct_state.tsc = tsc_is_good();
	settle_min_ticks(begin);
	find_tid();
}

void ct_settle_late(bool huge_pages)
{
	struct moment begin = both_clocks();

	if (ct_state.late)
		return;
	ct_state.late = 1;
	settle(&begin, huge_pages);
	ct_patch_prepare();
}

__attribute__((constructor)) static void init(void)
{
	/* Nothing comes here by itself: ctrace_attach does what is to be done. */
	if (ct_is_late())
		return;
	struct moment begin = both_clocks();
	const char *socket = getenv(CT_ENV_SOCKET), *tunables = getenv("GLIBC_TUNABLES");
	int error = errno;

	settle(&begin, tunables && strstr(tunables, "malloc.hugetlb"));
	if (socket && !strcmp(socket, CT_NO_COLLECTOR))
		; /* our parent tried, and said so */
	else if (socket && *socket && strlen(socket) < sizeof(ct_state.socket))
		attach_to(socket);
	else if (ct_spawn_collector())
		attach_to(ct_state.socket);
	else
		setenv(CT_ENV_SOCKET, CT_NO_COLLECTOR, 1);
	if (ct_state.region) {
		ct_settle_forks();
		ct_self();
	}
	errno = error;
}

/*
 * The address sanitizer ends a program in which a library stands before it. It
 * need not be first for us: what we wrap goes on to its versions. It asks by
 * this name for defaults, and a program's own answer comes before ours.
 */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}

/* What each thread has used of the CPU when the program exits: afterwards
 * nobody can ask any more. */
__attribute__((destructor)) static void fini(void)
{
	struct ct_region *r = ct_state.region;
	struct timespec t;
	uint32_t used = r && !ct_state.no_syscalls && !ct_state.detached ? ct_load(&r->slots_used) : 0;

	for (uint32_t i = 0; i < used && i < EXIT_THREADS; i++) {
		struct ct_slot *slot = ct_slot_at(i);

		if (!slot)
			continue;
		/* The clock of a thread by its number, as pthread_getcpuclockid has it. */
		long clock = (long)~slot->tid << 3 | 6;

		if (ct_load(&r->slot_state[i]) == CT_SLOT_LIVE && !ct_sys(SYS_clock_gettime, (int)clock, &t))
			slot->cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	}
}
