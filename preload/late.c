/*
 * Tracing that begins while the program runs: ctrace-run -p has the library loaded by one of
 * the program's threads, at a place where that thread might as well have called dlopen, and
 * then calls ctrace_attach in it. See docs/attach.md.
 *
 * Threads get their slots when they come to a wrapper for the first time. After the end of
 * tracing the library stays: a thread may wait inside of a wrapper, and pointers to wrappers
 * may have been kept. Nothing is recorded then, no thread gets a slot, and what is left of
 * the region is written to by nobody but those that leave a wrapper.
 */
#include "late.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <string.h>

#include "descriptors.h"
#include "late-call.h"
#include "init.h"
#include "real.h"
#include "socket.h"
#include "state.h"

static struct ct_late *request; /* what is to be done; its owner has set it and takes it back */
static bool taken;              /* done by the constructor */

struct link_map *ct_main_map(void)
{
	return _r_debug.r_map;
}

/* The list of objects is in the order in which they were loaded. */
bool ct_is_late(void)
{
	struct dl_find_object own, libc;

	if (_dl_find_object((void *)ct_is_late, &own) || _dl_find_object((void *)gnu_get_libc_version, &libc))
		return false;
	for (struct link_map *m = _r_debug.r_map; m; m = m->l_next) {
		if (m == own.dlfo_link_map)
			return false;
		if (m == libc.dlfo_link_map)
			return true;
	}
	return false;
}

static void fail(struct ct_late *a, const char *what)
{
	size_t i = 0;

	a->status = CT_LATE_FAILED;
	for (; what[i] && i < sizeof(a->text) - 1; i++)
		a->text[i] = what[i];
	a->text[i] = 0;
}

/* Whether somebody listens where the region was shown last. */
static bool collector_is_there(void)
{
	struct sockaddr_un address;
	socklen_t bytes;

	if (ct_socket_address(ct_state.socket, &address, &bytes))
		return true;
	long fd = ct_sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	long r = ct_sys(SYS_connect, fd, &address, bytes);

	ct_sys(SYS_close, fd);
	return r == 0 || r == -EAGAIN;
}

static bool is_own_region(void)
{
	return ct_state.region && ct_state.region->pid == (uint32_t)ct_sys(SYS_getpid, 0);
}

/* Nothing new is recorded, and no thread gets a slot. */
static void be_silent(void)
{
	ct_state.stopped = 1;
	ct_state.detached = 1;
	__atomic_fetch_or(&ct_live.off, CT_FAMILIES_ALL, __ATOMIC_SEQ_CST);
}

static void attach(struct ct_late *a)
{
	const char *what;

	ct_settle_late(a->huge_pages);
	if (ct_state.sanitized) {
		fail(a, "it is built with a sanitizer, which is to see all from the beginning: run it with ctrace-run");
		return;
	}
	/* If its collector was killed it is as it was under that. */
	if (is_own_region())
		be_silent();
	ct_state.min_ns = a->min_ns;
	memcpy(ct_state.socket, a->socket, sizeof(a->socket));
	ct_state.socket[sizeof(a->socket) - 1] = 0;
	_Static_assert(sizeof(a->socket) <= sizeof(ct_state.socket), "room for the name");
	struct ct_settings live = { .off = a->off | (ct_state.rseq ? 0 : CT_LIVE_NO_RSEQ), .stacks = a->stacks,
				    .min_ticks = (uint64_t)((double)a->min_ns * (double)ct_state.ticks_per_ms / 1e6) };

	what = is_own_region() ? ct_attach_again(&live) : ct_attach_with(&live);
	if (what) {
		be_silent();
		fail(a, what);
		return;
	}
	ct_settle_forks();
	ct_descriptors_renew();
	ct_state.detached = 0;
	ct_state.stopped = 0;

	struct ct_patched p = ct_patch(true);

	a->slots = p.done;
	a->slots_left = p.left;
	a->status = CT_LATE_DONE;
}

static void detach(struct ct_late *a)
{
	/* First nothing new, then no way here. */
	be_silent();

	struct ct_patched p = ct_patch(false);

	a->slots = p.done;
	a->slots_left = p.left;
	a->status = CT_LATE_DONE;
}

/* Called by the constructor of libctrace-late.so. */
__attribute__((visibility("default"))) void ctrace_attach_locked(void);
void ctrace_attach_locked(void)
{
	struct ct_late *a = ct_load_acquire(&request);

	if (!a || taken)
		return;
	taken = true;
	/* Whoever loaded a module may have waited for the lock until we were detached. */
	if (a->what == 0) {
		if (!ct_state.detached)
			ct_patch(true);
	} else if (a->what == CT_LATE_ATTACH) {
		attach(a);
	} else {
		detach(a);
	}
}

static void sleep_ms(long ms)
{
	const struct timespec t = { 0, ms * 1000000 };

	ct_sys(SYS_nanosleep, &t, NULL);
}

/* One at a time, from the loading of the library to its unloading: the constructor runs only when
 * it is loaded for the first time. */
static bool under_lock(struct ct_late *a, int tries)
{
	for (; tries > 0; tries--) {
		struct ct_late *none = NULL;

		if (ct_cas(&request, &none, a)) {
			taken = false;
			void *handle = ct_real.dlopen(a->trigger, RTLD_NOW | RTLD_LOCAL);
			bool done = taken;

			if (handle)
				ct_real.dlclose(handle);
			ct_store_release(&request, NULL);
			if (done || !handle)
				return done;
		}
		sleep_ms(1);
	}
	return false;
}

void ct_late_forked(void)
{
	request = NULL;
}

static char trigger[4096];

void ct_late_loaded(void)
{
	static struct ct_late again;
	int error = errno;

	if (!*trigger || ct_state.detached || ct_state.no_syscalls)
		return;
	strcpy(again.trigger, trigger);
	again.what = 0;
	if (!under_lock(&again, 20))
		dlerror(); /* is no answer to what the program asked */
	errno = error;
}

__attribute__((visibility("default"))) void ctrace_attach(struct ct_late *a);
void ctrace_attach(struct ct_late *a)
{
	int error = errno;

	a->trigger[sizeof(a->trigger) - 1] = 0;
	if (a->version != CT_LATE_VERSION)
		fail(a, "the libctrace.so in the process is of another version");
	else if (!ct_is_late())
		a->status = CT_LATE_PRELOADED;
	else if (a->what == CT_LATE_ATTACH && is_own_region() && !ct_state.detached && collector_is_there())
		a->status = CT_LATE_TRACED;
	else if (a->what == CT_LATE_DETACH && (!is_own_region() || ct_state.detached))
		a->status = CT_LATE_DONE;
	else {
		ct_resolve();
		if (!*trigger)
			strcpy(trigger, a->trigger);
		if (!under_lock(a, 2000) && a->status == CT_LATE_NOT_RUN) {
			const char *why = dlerror();

			fail(a, why ? why : "the loader is busy");
		}
	}
	errno = error;
}
