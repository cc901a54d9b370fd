/* The region of this process, and how the collector gets to know it. */
#include "descriptors.h"
#include "late.h"
#include "socket.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct ct_state ct_state;
_Alignas(CT_LIVE_PAGE) union ct_live_page ct_live_page;

static bool failed(long r)
{
	return r < 0 && r > -4096;
}

static uint64_t limit(int resource)
{
	struct rlimit l;

	if (ct_sys(SYS_prlimit64, 0, resource, NULL, &l))
		return RLIM_INFINITY;
	return l.rlim_cur;
}

/* As many thread slots as the limits leave room for. RLIMIT_FSIZE counts too:
 * growing a memfd beyond it would send SIGXFSZ. */
static uint32_t slots_that_fit(void)
{
	uint64_t space = limit(RLIMIT_AS), file = limit(RLIMIT_FSIZE), count = CT_SLOTS_MAX;

	if (space != RLIM_INFINITY)
		space /= 4;
	if (file < space)
		space = file;
	while (count >= CT_SLOTS_MIN && CT_REGION_BYTES(count) > space)
		count /= 2;
	return count >= CT_SLOTS_MIN ? (uint32_t)count : 0;
}

static void fill_header(struct ct_region *r, uint32_t slots, const struct ct_settings *live)
{
	struct timespec now;

	r->version = CT_REGION_VERSION;
	r->slot_count = slots;
	r->region_bytes = CT_REGION_BYTES(slots);
	r->pid = (uint32_t)ct_sys(SYS_getpid, 0);
	r->parent_pid = (uint32_t)ct_sys(SYS_getppid, 0);
	r->clock = ct_state.tsc ? CT_CLOCK_TSC : CT_CLOCK_MONOTONIC;
	r->calls = CT_CALL_COUNT;
	clock_gettime(CLOCK_MONOTONIC, &now);
	r->start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	r->start = ct_state.tsc ? ct_read_ticks() : r->start_ns;
	r->live = *live;
	r->min_ticks = live->min_ticks;
	r->features = ct_state.rseq ? CT_FEATURE_OFF_CPU : 0;
	r->ticks_per_ms = ct_state.ticks_per_ms;
	long n = ct_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", r->executable, sizeof(r->executable) - 1);

	r->executable[failed(n) ? 0 : n] = 0;
	r->stack_words = 1; /* word 0 stands for no stack */
	r->magic = CT_REGION_MAGIC;
}

/* Hands the memfd to the collector. */
static long send_hello(int memfd, const struct ct_region *r)
{
	struct sockaddr_un address;
	socklen_t bytes;
	struct ct_hello hello = { CT_REGION_MAGIC, CT_REGION_VERSION, r->pid, r->region_bytes };
	struct iovec data = { &hello, sizeof(hello) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	if (ct_socket_address(ct_state.socket, &address, &bytes))
		return -ENAMETOOLONG;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));

	long fd = ct_sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (failed(fd))
		return fd;
	long r2 = ct_sys(SYS_connect, fd, &address, bytes);

	if (!failed(r2))
		r2 = ct_sys(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	ct_sys(SYS_close, fd);
	return r2;
}

#define GROUP_BYTES (CT_SLOT_GROUP * sizeof(struct ct_slot))
#define PAGE        4096u

/* What is mapped from the beginning: the fixed part and the first group. All of
 * the slots at once would be gigabytes of address space, which mlockall() fills
 * and RLIMIT_AS counts. */
static uint64_t base_bytes(uint32_t slots)
{
	return CT_REGION_BYTES(slots < CT_SLOT_GROUP ? slots : CT_SLOT_GROUP);
}

static long map(int fd, void *at, uint64_t bytes)
{
	int fixed = at ? MAP_FIXED : 0;
	long r = ct_sys(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | fixed, fd, 0);

	if (!failed(r))
		ct_sys(SYS_madvise, r, bytes, MADV_DONTDUMP);
	return r;
}

/*
 * Maps a group without the memfd, which we do not keep: mremap of no bytes at
 * the last page of the group before makes a second mapping of the file from
 * there on, as long as we like.
 */
static struct ct_slot *map_group(const struct ct_slot *before)
{
	char *last = (char *)(before + CT_SLOT_GROUP) - PAGE;
	long r = ct_sys(SYS_mremap, last, 0, PAGE + GROUP_BYTES, MREMAP_MAYMOVE, NULL);

	return failed(r) ? NULL : (struct ct_slot *)(r + PAGE);
}

bool ct_map_slot(uint32_t i)
{
	for (uint32_t g = 1; g <= i / CT_SLOT_GROUP; g++) {
		struct ct_slot *none = NULL, *fresh;

		if (ct_load_acquire(&ct_state.group[g]))
			continue;
		if (ct_state.no_syscalls || !(fresh = map_group(ct_state.group[g - 1])))
			return false;
		/* Another thread may have been faster. */
		if (!ct_cas(&ct_state.group[g], &none, fresh))
			ct_sys(SYS_munmap, (char *)fresh - PAGE, PAGE + GROUP_BYTES);
	}
	return true;
}

bool ct_map_large(void)
{
	struct ct_region *r = ct_state.region;
	uint32_t state = ct_load(&ct_state.large);

	if (CT_LIKELY(state == CT_LARGE_OPEN))
		return true;
	if (state == CT_LARGE_REFUSED || ct_state.no_syscalls)
		return false;
	ct_store(&ct_state.large, CT_LARGE_OPENING);
	ct_barrier_local();
	bool open = !failed(ct_sys(SYS_mprotect, r->large, sizeof(r->large), PROT_READ | PROT_WRITE));

	ct_store(&ct_state.large, open ? CT_LARGE_OPEN : CT_LARGE_REFUSED);
	return open;
}

/* Maps the region's live page at its second place. */
static long map_live(int fd)
{
	return ct_sys(SYS_mmap, &ct_live_page, CT_LIVE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		      offsetof(struct ct_region, live));
}

/* Creates a region of the size that fits, at the place of an earlier one if
 * there is one, with these settings. 0, or -errno with *ret_what naming the step. */
static long create(struct ct_region *at, uint32_t slots, const struct ct_settings *live, const char **ret_what)
{
	*ret_what = "limits on memory or file size leave no room";
	if (!slots)
		return -ENOMEM;
	*ret_what = "memfd_create";
	long fd = ct_sys(SYS_memfd_create, "ctrace", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (failed(fd))
		return fd;
	uint64_t bytes = base_bytes(slots);
	long r = ct_sys(SYS_ftruncate, fd, CT_REGION_BYTES(slots));

	if (!failed(r))
		r = ct_sys(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (!failed(r)) {
		*ret_what = "mmap";
		r = map((int)fd, at, bytes);
	}
	if (!failed(r)) {
		struct ct_region *region = (struct ct_region *)r;

		for (uint32_t g = 1; g < CT_SLOTS_MAX / CT_SLOT_GROUP && ct_state.group[g]; g++)
			ct_state.group[g] = NULL;
		ct_state.group[0] = region->slots;
		fill_header(region, slots, live);
		if (ct_state.large == CT_LARGE_CLOSED)
			ct_sys(SYS_mprotect, region->large, sizeof(region->large), PROT_NONE);
		r = map_live((int)fd);
		if (!failed(r)) {
			*ret_what = CT_NO_ANSWER;
			r = send_hello((int)fd, region);
		}
		if (!failed(r))
			ct_store_release(&ct_state.region, region);
		else if (!at)
			ct_sys(SYS_munmap, region, bytes);
	}
	ct_sys(SYS_close, fd);
	return failed(r) ? r : 0;
}

/* The page that fork() empties. */
static bool map_alive(void)
{
	if (!ct_state.alive) {
		long p = ct_sys(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (failed(p) || failed(ct_sys(SYS_madvise, p, 4096, MADV_WIPEONFORK)))
			return false;
		ct_state.alive = (volatile uint32_t *)p;
	}
	*ct_state.alive = 1;
	return true;
}

const char *ct_attach_with(const struct ct_settings *live)
{
	const char *what = "mmap";

	return map_alive() && !create(NULL, slots_that_fit(), live, &what) ? NULL : what;
}

const char *ct_attach(void)
{
	struct ct_settings live = ct_live;

	return ct_attach_with(&live);
}

/* What a slot's owner, or a thread that is about to start with it, needs to find there again. */
static void keep_slot(struct ct_slot *to, const struct ct_slot *from, uint64_t now)
{
	to->tid = from->tid;
	to->start = now;
	to->pthread = from->pthread;
	to->routine = from->routine;
	to->argument = from->argument;
	to->stack_bytes = from->stack_bytes;
	to->index = from->index;
	memcpy(to->name, from->name, sizeof(to->name));
}

static void keep_slots(struct ct_region *to, const struct ct_region *from)
{
	uint32_t used = ct_load(&from->slots_used), kept = 0;

	for (uint32_t i = 0; i < used && i < from->slot_count; i++) {
		uint32_t state = ct_load_acquire(&from->slot_state[i]);
		const struct ct_slot *slot = ct_slot_at(i);

		if (state == CT_SLOT_FREE || !slot)
			continue;
		/* Threads that have ended since, and nobody said so. */
		if (state != CT_SLOT_CLAIMED && ct_sys(SYS_tgkill, to->pid, slot->tid, 0) == -ESRCH)
			continue;
		keep_slot(&to->slots[i], slot, to->start);
		to->slot_state[i] = state;
		kept = i + 1;
	}
	to->slots_used = kept;
}

/* A mapping of the new memory in place of each of the old. */
static long map_over(int fd, struct ct_region *r, uint32_t slots)
{
	long error = map(fd, r, base_bytes(slots));

	for (uint32_t g = 1; !failed(error) && g < CT_SLOTS_MAX / CT_SLOT_GROUP && ct_state.group[g]; g++)
		error = ct_sys(SYS_mmap, ct_state.group[g], GROUP_BYTES, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, CT_REGION_BYTES(0) + g * GROUP_BYTES);
	return failed(error) ? error : map_live(fd);
}

/* A creator hands its thread what that is to run in the slot: not in one that is about to be
 * copied. No thread takes a slot meanwhile. */
static bool none_is_claimed(const struct ct_region *r)
{
	const struct timespec pause = { 0, 1000000 };

	for (int tries = 0; tries < 200; tries++) {
		uint32_t used = ct_load(&r->slots_used), i = 0;

		while (i < used && i < r->slot_count && ct_load_acquire(&r->slot_state[i]) != CT_SLOT_CLAIMED)
			i++;
		if (i >= used || i >= r->slot_count)
			return true;
		ct_sys(SYS_nanosleep, &pause, NULL);
	}
	return false;
}

/*
 * Threads still know their slots, and those that leave a wrapper that they entered before write
 * there. So the new memory, with slots of the same owners, takes the places of the old. What is
 * written to the old at this moment is lost, which is no more than where a wait has ended.
 */
static long create_again(struct ct_region *r, const struct ct_settings *live, const char **ret_what)
{
	uint32_t slots = r->slot_count;
	uint64_t bytes = CT_REGION_BYTES(slots);

	*ret_what = "one of its threads does not begin";
	if (!none_is_claimed(r))
		return -EBUSY;
	*ret_what = "memfd_create";
	long fd = ct_sys(SYS_memfd_create, "ctrace", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (failed(fd))
		return fd;
	long error = ct_sys(SYS_ftruncate, fd, bytes), at = 0;

	if (!failed(error))
		error = ct_sys(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	*ret_what = "mmap";
	if (!failed(error))
		error = at = ct_sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (!failed(error)) {
		struct ct_region *fresh = (struct ct_region *)at;

		fill_header(fresh, slots, live);
		/* What is remembered of code addresses would keep the modules from being noted again. */
		fresh->epoch = r->epoch + 1;
		ct_state.begun = fresh->start;
		keep_slots(fresh, r);
		error = map_over((int)fd, r, slots);
		/* A thread that fills its ring takes its large one anew. */
		if (!failed(error) && (ct_state.large == CT_LARGE_CLOSED || ct_state.large == CT_LARGE_REFUSED))
			ct_sys(SYS_mprotect, r->large, sizeof(r->large), PROT_NONE);
		ct_sys(SYS_munmap, at, bytes);
	}
	if (!failed(error)) {
		*ret_what = CT_NO_ANSWER;
		error = send_hello((int)fd, r);
	}
	ct_sys(SYS_close, fd);
	return failed(error) ? error : 0;
}

const char *ct_attach_again(const struct ct_settings *live)
{
	const char *what;

	return create_again(ct_state.region, live, &what) ? what : NULL;
}

/* Puts memory of our own, filled with zeros, in place of shared memory. */
static bool blank(void *p, uint64_t bytes)
{
	if (failed(ct_sys(SYS_mmap, p, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0)))
		return false;
	ct_sys(SYS_madvise, p, bytes, MADV_DONTDUMP);
	return true;
}

/*
 * Wrappers that were interrupted by the fork, and handlers above them, still
 * hold pointers into the parent's region. So the addresses stay in use: first
 * they get memory of our own in which nobody is interested, then, if all goes
 * well, the new region. In memory of our own slot_count is 0: no thread finds a
 * slot there, and the process goes on untraced.
 */
void ct_forked(void)
{
	struct ct_region *r = ct_state.region;
	struct ct_settings live = ct_live; /* the parent's hold for the child, too */
	const char *what;

	ct_thread.slot = ct_thread.heap_slot = NULL;
	ct_thread.refused = 0;
	ct_late_forked();
	if (!r || !r->slot_count)
		return;
	if (ct_state.detached) {
		/* The region stays our parent's: there is nobody who writes to it. */
		*ct_state.alive = 1;
		return;
	}
	uint32_t slots = r->slot_count, epoch = r->epoch;

	if (ct_state.no_syscalls || ct_thread.no_clock) {
		/* Even this may be forbidden: leave everything, be silent. */
		ct_state.stopped = 1;
		*ct_state.alive = 1;
		return;
	}
	ct_descriptors_forked();
	for (uint32_t g = 1; g < CT_SLOTS_MAX / CT_SLOT_GROUP && ct_state.group[g]; g++)
		if (!blank(ct_state.group[g], GROUP_BYTES))
			return;
	if (!blank(r, base_bytes(slots)) || !blank(&ct_live_page, sizeof(ct_live_page)))
		return;
	*ct_state.alive = 1;
	uint32_t fit = slots_that_fit();

	if (create(r, fit < slots ? fit : slots, &live, &what)) {
		blank(r, base_bytes(slots));
		return;
	}
	/* What was remembered of code addresses would keep the modules from
	 * being noted again. */
	r->epoch = epoch + 1;
	ct_self();
}
