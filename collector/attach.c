/* Processes that ask to be traced: connection, hello, the checks on their region. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "atomics.h"
#include "collector.h"
#include "proc.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#define ACCEPT_AT_ONCE 64 /* then the rings have their turn */

__attribute__((format(printf, 2, 3))) static void refuse(struct ct_collector *c, const char *format, ...)
{
	va_list ap;

	c->refused++;
	va_start(ap, format);
	vsnprintf(c->refused_text, sizeof(c->refused_text), format, ap);
	va_end(ap);
}

/* Out of descriptors: answer one connection by closing it, or epoll would
 * report it for ever. */
static void turn_away(struct ct_collector *c)
{
	close(c->spare);
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		refuse(c, "too many processes at once for the limit of open files");
		close(fd);
	}
	c->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Who is at the other end, if it may be there: our own user and root. The socket's name is no
 * secret, and anybody can connect to it. */
static bool may_attach(int fd, struct ucred *ret)
{
	socklen_t n = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &n))
		return false;
	return !ret->uid || !geteuid() || ret->uid == geteuid();
}

/* Receives the hello and the one descriptor with it. 0, -errno, -EAGAIN: not yet. */
static int receive(int fd, struct ct_hello *ret, int *ret_memfd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { ret, sizeof(*ret) };
	/* There is room for one: the kernel closes others. With CMSG_SPACE there would be for two. */
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return n ? -EBADMSG : -ENODATA;
	memcpy(ret_memfd, CMSG_DATA(cmsg), sizeof(int));
	if ((size_t)n == sizeof(*ret) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	close(*ret_memfd);
	return -EBADMSG;
}

/* Whether the memory can be mapped and read without being taken away from us. */
static const char *check_memfd(int memfd, uint64_t bytes)
{
	struct stat st;
	struct statfs fs;
	int seals = fcntl(memfd, F_GET_SEALS);

	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
		return "its memory is not sealed";
	if (fstat(memfd, &st) || (uint64_t)st.st_size != bytes)
		return "its memory has another size than it says";
	if (fstatfs(memfd, &fs) || fs.f_type != TMPFS_MAGIC)
		return "its memory is of an unknown kind";
	return NULL;
}

static const char *check_header(const struct ct_header *h, const struct ct_hello *hello)
{
	if (h->magic != CT_REGION_MAGIC || h->version != CT_REGION_VERSION || h->calls != CT_CALL_COUNT)
		return "its libctrace.so is of another version";
	if (h->slot_count < CT_SLOTS_MIN || h->slot_count > CT_SLOTS_MAX ||
	    h->region_bytes != CT_REGION_BYTES(h->slot_count) || h->region_bytes != hello->region_bytes ||
	    h->pid != hello->pid || h->clock > CT_CLOCK_TSC)
		return "its memory makes no sense";
	return NULL;
}

static void copy_header(const struct ct_region *r, struct ct_header *ret)
{
	*ret = (struct ct_header){
		.magic = ct_load(&r->magic),
		.region_bytes = ct_load(&r->region_bytes),
		.start = ct_load(&r->start),
		.start_ns = ct_load(&r->start_ns),
		.ticks_per_ms = ct_load(&r->ticks_per_ms),
		.min_ticks = ct_load(&r->min_ticks),
		.features = ct_load(&r->features),
		.version = ct_load(&r->version),
		.slot_count = ct_load(&r->slot_count),
		.pid = ct_load(&r->pid),
		.parent_pid = ct_load(&r->parent_pid),
		.clock = ct_load(&r->clock),
		.calls = ct_load(&r->calls),
	};
	memcpy(ret->executable, r->executable, sizeof(ret->executable));
	ret->executable[sizeof(ret->executable) - 1] = 0;
}

/* Maps the region and copies its header. */
static const char *map_region(int memfd, const struct ct_hello *hello, struct ct_region **ret_region,
			      struct ct_header *ret_header)
{
	if (hello->region_bytes < CT_REGION_BYTES(CT_SLOTS_MIN) || hello->region_bytes > CT_REGION_BYTES(CT_SLOTS_MAX))
		return "its memory makes no sense";
	const char *wrong = check_memfd(memfd, hello->region_bytes);

	if (wrong)
		return wrong;
	struct ct_region *region = mmap(NULL, hello->region_bytes, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_NORESERVE, memfd, 0);

	if (region == MAP_FAILED)
		return strerror(errno);
	copy_header(region, ret_header);
	wrong = check_header(ret_header, hello);
	if (wrong) {
		munmap(region, hello->region_bytes);
		return wrong;
	}
	*ret_region = region;
	return NULL;
}

/* The process behind the connection, or -1: it has ended, or the kernel is old. */
static int peer_pidfd(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t n = sizeof(pidfd);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n))
		return pidfd;
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Whether two pidfds stand for one process; one that is reaped may have none. */
static bool same_process(int earlier, int later)
{
	struct stat a, b;
	struct pollfd dead = { earlier, POLLIN, 0 };

	if (earlier >= 0 && later >= 0 && !fstat(earlier, &a) && !fstat(later, &b))
		return a.st_ino == b.st_ino;
	return earlier < 0 || poll(&dead, 1, 0) != 1;
}

/* The same pid again: its image was replaced, or it was given to another process. */
static void end_earlier_image(struct ct_collector *c, pid_t pid, int pidfd, uint64_t start_ns)
{
	struct ct_process *p = ct_collector_find(c, pid);
	uint64_t now_ns = ct_now_ns();

	if (!p)
		return;
	if (same_process(p->pidfd, pidfd))
		ct_collector_end(c, p, CT_END_EXEC, start_ns < now_ns ? start_ns : now_ns);
	else
		ct_collector_end(c, p, CT_END_EXIT, now_ns);
}

/* What holds for a process that attaches: as for the image before it, or its parent, or as
 * was wanted of all. NULL: what it says itself. */
static const struct ct_recording *inherited(struct ct_collector *c, pid_t pid, pid_t parent, struct ct_recording *ret)
{
	const struct ct_process *p = ct_collector_find(c, pid);

	if (!p)
		p = ct_collector_find(c, parent);
	if (!p && !c->recording_set)
		return NULL;
	*ret = p ? p->recording : c->recording;
	return ret;
}

/* Whether a process has that pid: with us, or in its own namespace, as that of a container, below ours. */
static bool is_named(pid_t pid, uint32_t own_pid)
{
	pid_t own;

	if (pid <= 0 || own_pid == (uint32_t)pid)
		return pid > 0;
	return !ct_proc_own_number(pid, pid, &own) && own_pid == (uint32_t)own;
}

static void attach(struct ct_collector *c, int fd, const struct ct_hello *hello, int memfd)
{
	struct ucred peer;
	struct ct_header header;
	struct ct_region *region = NULL;
	const char *wrong = NULL;

	if (!may_attach(fd, &peer))
		wrong = "it belongs to another user";
	else if (hello->magic != CT_REGION_MAGIC || hello->version != CT_REGION_VERSION)
		wrong = "its libctrace.so is of another version";
	else if (!is_named(peer.pid, hello->pid))
		wrong = "it is in a pid namespace that is not below ours";
	else
		wrong = map_region(memfd, hello, &region, &header);
	if (wrong) {
		refuse(c, "process %u: %s", hello->pid, wrong);
		return;
	}
	struct ct_process *p;
	int pidfd = peer_pidfd(fd, peer.pid);
	struct ct_recording kept;
	pid_t parent = 0;

	if (hello->pid != (uint32_t)peer.pid) {
		ct_proc_parent(peer.pid, &parent);
		header.parent_pid = (uint32_t)parent;
	}
	const struct ct_recording *wanted = inherited(c, peer.pid, (pid_t)header.parent_pid, &kept);

	end_earlier_image(c, peer.pid, pidfd, header.start_ns);
	if (ct_process_start(&c->trace, region, &header, peer.pid, pidfd, &p)) {
		refuse(c, "process %d: no memory", peer.pid);
		munmap(region, header.region_bytes);
		if (pidfd >= 0)
			close(pidfd);
	} else {
		ct_recording_begin(&c->trace, p, wanted);
		ct_collector_add(c, p);
	}
}

/* Whether it has said something, or ended; then fd is closed. */
static bool hear(struct ct_collector *c, int fd)
{
	struct ct_hello hello;
	int memfd = -1, error = receive(fd, &hello, &memfd);

	if (error == -EAGAIN)
		return false;
	if (!error) {
		attach(c, fd, &hello, memfd);
		close(memfd);
	} else if (error != -ENODATA) {
		refuse(c, "somebody said what is no hello: %s", strerror(-error));
	}
	close(fd);
	return true;
}

static int *place_of(struct ct_collector *c, int fd)
{
	for (unsigned int i = 0; i < CT_PEERS_MAX; i++)
		if (c->peer[i] == fd + 1)
			return &c->peer[i];
	return NULL;
}

/* It has said nothing yet. */
static void keep_peer(struct ct_collector *c, int fd)
{
	int *place = &c->peer[c->next_peer++ % CT_PEERS_MAX];

	if (*place)
		close(*place - 1);
	*place = ct_collector_watch(c, fd, CT_SOURCE_PEER, (uint64_t)fd) ? 0 : fd + 1;
	if (!*place)
		close(fd);
}

void ct_attach_accept(struct ct_collector *c)
{
	struct ucred peer;

	for (unsigned int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				turn_away(c);
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return;
		}
		if (!may_attach(fd, &peer)) {
			refuse(c, "a process of another user (%u) connected", peer.uid);
			close(fd);
		} else if (!hear(c, fd)) {
			keep_peer(c, fd);
		}
	}
}

void ct_attach_peer(struct ct_collector *c, int fd)
{
	int *place = place_of(c, fd);

	/* It may have had to leave a moment ago. */
	if (place && hear(c, fd))
		*place = 0;
}
