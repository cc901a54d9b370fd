/* Descriptor kinds and labels. See descriptors.h. */
#include "descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "state.h"

#define KNOWN 1024u

/* The last descriptor seen under a number. A descriptor is what it was as long
 * as device and inode are the same. */
static struct {
	uint64_t device, inode;
	uint64_t id_kind; /* id << 8 | kind; 0: empty */
	uint32_t fd;
	uint32_t process;
} known[KNOWN];

#define BUSY UINT64_MAX /* id_kind while another thread changes the entry */

static char *put(char *to, const char *end, const char *text)
{
	while (*text && to < end - 1)
		*to++ = *text++;
	*to = 0;
	return to;
}

static char *put_number(char *to, const char *end, unsigned v)
{
	char digits[12], *p = digits + sizeof(digits);

	*--p = 0;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return put(to, end, p);
}

static char *put_address(char *p, const char *end, const struct sockaddr_storage *a, long size)
{
	char text[INET6_ADDRSTRLEN];

	if (size <= (long)sizeof(sa_family_t))
		return put(p, end, "?");
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;
		const unsigned char *b = (const unsigned char *)&in->sin_addr;

		for (int i = 0; i < 4; i++) {
			p = put_number(p, end, b[i]);
			p = put(p, end, i < 3 ? "." : ":");
		}
		return put_number(p, end, ntohs(in->sin_port));
	}
	if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)a;

		p = put(p, end, "[");
		p = put(p, end, inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text)) ? text : "?");
		return put_number(put(p, end, "]:"), end, ntohs(in->sin6_port));
	}
	if (a->ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const struct sockaddr_un *)a;

		if (un->sun_path[0] == 0)
			return put(put(p, end, "@"), end, un->sun_path + 1);
		return put(p, end, un->sun_path);
	}
	return put(p, end, "?");
}

static void label_socket(int fd, char *label, const char *end)
{
	struct sockaddr_storage own, peer;
	socklen_t own_size = sizeof(own) - 1, peer_size = sizeof(peer) - 1, size = sizeof(int);
	int type = 0;

	memset(&own, 0, sizeof(own));
	memset(&peer, 0, sizeof(peer));
	bool has_own = !ct_sys(SYS_getsockname, fd, &own, &own_size);
	bool has_peer = !ct_sys(SYS_getpeername, fd, &peer, &peer_size);

	ct_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size);
	bool inet = own.ss_family == AF_INET || own.ss_family == AF_INET6;
	char *p = put(label, end,
		      own.ss_family == AF_UNIX	  ? "unix"
		      : own.ss_family == AF_NETLINK ? "netlink"
		      : inet && type == SOCK_STREAM ? "tcp"
		      : inet && type == SOCK_DGRAM  ? "udp"
						    : "socket");
	bool named = own_size > sizeof(sa_family_t) && own.ss_family != AF_NETLINK;

	if (has_own && named)
		p = put_address(put(p, end, " "), end, &own, own_size);
	if (has_peer && peer_size > sizeof(sa_family_t))
		put_address(put(p, end, " -> "), end, &peer, peer_size);
	else if (own.ss_family == AF_UNIX && !named)
		put(p, end, " socket pair");
}

static enum ct_fd_kind kind_of(const struct stat *s, const char *link)
{
	unsigned major = major(s->st_rdev);

	switch (s->st_mode & S_IFMT) {
	case S_IFREG:
		return CT_FD_FILE;
	case S_IFDIR:
		return CT_FD_DIR;
	case S_IFIFO:
		return CT_FD_PIPE;
	case S_IFSOCK:
		return CT_FD_SOCKET;
	case S_IFBLK:
		return CT_FD_BLOCK;
	case S_IFCHR: /* consoles, serial lines, pseudo terminals */
		return major == 4 || major == 5 || (major >= 136 && major <= 143) ? CT_FD_TTY : CT_FD_CHAR;
	}
	return strncmp(link, "anon_inode:", 11) ? CT_FD_UNKNOWN : CT_FD_ANON;
}

/* Writes an entry of the descriptor table; returns its id. */
static uint64_t describe(int fd, const struct stat *s, enum ct_fd_kind *ret_kind)
{
	struct ct_region *r = ct_state.region;
	uint64_t id = ct_fetch_add(&r->descriptors_used, 1) + 1;
	struct ct_descriptor *d = &r->descriptors[id % CT_DESCRIPTORS];
	char path[32], *end = d->label + sizeof(d->label);

	ct_store_release(&d->id, 0);
	ct_fence_write();
	put_number(put(path, path + sizeof(path), "/proc/self/fd/"), path + sizeof(path), (unsigned)fd);
	long n = ct_sys(SYS_readlink, path, d->label, sizeof(d->label) - 1);

	d->label[n < 0 ? 0 : n] = 0;
	*ret_kind = kind_of(s, d->label);
	if (*ret_kind == CT_FD_SOCKET)
		label_socket(fd, d->label, end);
	d->fd = fd;
	d->kind = *ret_kind;
	d->device = s->st_dev;
	d->inode = s->st_ino;
	ct_store_release(&d->id, id);
	return id;
}

static uint64_t identify(int fd, bool same_for_sure)
{
	__typeof__(known[0]) *k = &known[(unsigned)fd % KNOWN];
	uint32_t process = ct_state.region->pid;
	uint64_t id_kind = ct_load_acquire(&k->id_kind);
	enum ct_fd_kind kind;
	struct stat s;

	if (same_for_sure && id_kind && id_kind != BUSY && k->fd == (uint32_t)fd && k->process == process)
		return id_kind;
	if (ct_sys(SYS_fstat, fd, &s))
		return 0;
	if (id_kind && id_kind != BUSY && k->fd == (uint32_t)fd && k->device == s.st_dev && k->inode == s.st_ino &&
	    k->process == process && ct_load(&k->id_kind) == id_kind)
		return id_kind;

	uint64_t fresh = describe(fd, &s, &kind) << 8;

	fresh |= kind;
	/* Another thread may do the same: one of them keeps its result. */
	if (id_kind != BUSY && ct_cas(&k->id_kind, &id_kind, BUSY)) {
		k->device = s.st_dev;
		k->inode = s.st_ino;
		k->fd = (uint32_t)fd;
		k->process = process;
		ct_store_release(&k->id_kind, fresh);
	}
	return fresh;
}

void ct_descriptor(struct ct_event *event, bool before)
{
	static const uint8_t causes[CT_FD_KINDS] = {
		[CT_FD_UNKNOWN] = CT_CAUSE_FILE, [CT_FD_FILE] = CT_CAUSE_FILE, [CT_FD_DIR] = CT_CAUSE_FILE,
		[CT_FD_PIPE] = CT_CAUSE_PIPE,	 [CT_FD_SOCKET] = CT_CAUSE_SOCKET, [CT_FD_TTY] = CT_CAUSE_TTY,
		[CT_FD_CHAR] = CT_CAUSE_FILE,	 [CT_FD_BLOCK] = CT_CAUSE_FILE, [CT_FD_ANON] = CT_CAUSE_EVENTFD,
	};
	int fd = (int)event->object;

	if (fd >= 0 && event->object >> 32)
		return; /* found out before the call */
	event->object &= 0xffffffffu;
	if (fd < 0 || ct_state.no_syscalls || ct_stack_is_tight())
		return;
	/* A call that succeeds on epoll descriptors only vouches for the kind. */
	bool epoll = event->call == CT_CALL_epoll_wait || event->call == CT_CALL_epoll_pwait ||
		     event->call == CT_CALL_epoll_pwait2;
	bool closes = event->call == CT_CALL_close || event->call == CT_CALL_fclose || event->call == CT_CALL_closedir;
	/* After close the number may be another's already. */
	uint64_t id_kind = closes && !before ? 0 : identify(fd, epoll && event->result >= 0);

	event->object |= id_kind >> 8 << 32;
	if (event->cause == CT_CAUSE_FILE)
		event->cause = causes[id_kind & 0xff];
}
