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

#include "channels.h"
#include "fdwakes.h"
#include "state.h"

#define KNOWN 1024u

/* The last descriptor seen under a number. A descriptor is what it was as long
 * as device and inode are the same. */
static struct {
	uint64_t device, inode;
	uint64_t id_kind; /* id << 8 | kind; 0: empty */
	uint64_t checked; /* ticks: when device and inode were last compared */
	uint32_t fd;
	uint32_t process;
} known[KNOWN];

#define CHECK_MS 50u /* a channel is what it was for so long, unless we see it closed */

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

/* A socket's address as it counts for channels. */
struct end {
	uint64_t host, port;
	bool inet, own; /* own: of this machine for sure */
};

static struct end end_of(const struct sockaddr_storage *a, socklen_t size)
{
	struct end e = { 0 };
	uint64_t half[2];

	if (a->ss_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;

		e = (struct end){ in->sin_addr.s_addr, in->sin_port, true, (in->sin_addr.s_addr & 0xff) == 127 };
	} else if (a->ss_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)a;

		memcpy(half, &in->sin6_addr, sizeof(half));
		/* ::ffff:127.0.0.1 is 127.0.0.1. */
		if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
			e = (struct end){ half[1] >> 32, in->sin6_port, true, (half[1] >> 32 & 0xff) == 127 };
		else
			e = (struct end){ ct_channel_mix(half[0], half[1]) | 1ull << 32, in->sin6_port, true,
					  IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) };
	}
	return e;
}

static uint64_t pair_of(const struct end *from, const struct end *to)
{
	return ct_channel(CT_CHANNEL_TCP, ct_channel_mix(from->host, from->port), ct_channel_mix(to->host, to->port));
}

static uint64_t path_of(const struct sockaddr_storage *a, socklen_t size)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)a;
	uint64_t h = 1;

	for (size_t i = 0; i + offsetof(struct sockaddr_un, sun_path) < size && i < sizeof(un->sun_path) &&
			   (!i || un->sun_path[i]); i++)
		h = ct_channel_mix(h, (unsigned char)un->sun_path[i]);
	return ct_channel(CT_CHANNEL_LISTENER, CT_CHANNEL_UNIX, h);
}

/* Which channels a socket is an end of. */
static void set_channels(struct ct_descriptor *d, int type, const struct sockaddr_storage *own, socklen_t own_size,
			 const struct sockaddr_storage *peer, socklen_t peer_size)
{
	bool has_own = own_size > sizeof(sa_family_t), has_peer = peer->ss_family != AF_UNSPEC;
	bool listens = type != SOCK_DGRAM && has_own && !has_peer;
	struct end a = end_of(own, own_size), b = end_of(peer, peer_size);

	if (own->ss_family == AF_UNIX) {
		d->in = listens ? path_of(own, own_size) : ct_channel(CT_CHANNEL_UNIX, d->inode, 0);
		d->out = listens ? 0 : CT_CHANNEL_LATER;
		d->own_listener = has_own ? path_of(own, own_size) : 0;
		if (peer_size > sizeof(sa_family_t))
			d->listener = path_of(peer, peer_size);
		return;
	}
	if (!a.inet)
		return;
	if (type == SOCK_STREAM && listens)
		d->in = ct_channel(CT_CHANNEL_LISTENER, CT_CHANNEL_TCP, a.port);
	else if (type == SOCK_DGRAM)
		d->in = ct_channel(CT_CHANNEL_UDP, a.port, 0);
	/* To other machines: nobody in the trace. */
	if (!b.inet || (!b.own && b.host != a.host))
		return;
	if (type == SOCK_STREAM) {
		d->in = pair_of(&b, &a);
		d->out = pair_of(&a, &b);
		d->listener = ct_channel(CT_CHANNEL_LISTENER, CT_CHANNEL_TCP, b.port);
		d->own_listener = ct_channel(CT_CHANNEL_LISTENER, CT_CHANNEL_TCP, a.port);
	} else if (type == SOCK_DGRAM) {
		d->out = ct_channel(CT_CHANNEL_UDP, b.port, 0);
	}
}

static void label_socket(int fd, struct ct_descriptor *d)
{
	char *label = d->label, *end = d->label + sizeof(d->label);
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
	if (has_own)
		set_channels(d, type, &own, own_size, &peer, has_peer ? peer_size : 0);
}

static void set_pipe(int fd, struct ct_descriptor *d)
{
	uint64_t pipe = ct_channel(CT_CHANNEL_PIPE, d->device, d->inode);
	long mode = ct_sys(SYS_fcntl, fd, F_GETFL) & O_ACCMODE;

	d->in = mode == O_WRONLY ? 0 : pipe;
	d->out = mode == O_RDONLY ? 0 : pipe;
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
	char path[32];

	ct_store_release(&d->id, 0);
	ct_fence_write();
	put_number(put(path, path + sizeof(path), "/proc/self/fd/"), path + sizeof(path), (unsigned)fd);
	long n = ct_sys(SYS_readlinkat, AT_FDCWD, path, d->label, sizeof(d->label) - 1);

	d->label[n < 0 ? 0 : n] = 0;
	*ret_kind = kind_of(s, d->label);
	d->fd = fd;
	d->kind = *ret_kind;
	d->device = s->st_dev;
	d->inode = s->st_ino;
	d->in = d->out = d->listener = 0;
	d->own_listener = d->woke = d->wakes = d->wanted = d->quiet = 0;
	/* Until the collector knows better. */
	d->room = ct_load(&r->look);
	if (*ret_kind == CT_FD_SOCKET)
		label_socket(fd, d);
	else if (*ret_kind == CT_FD_PIPE)
		set_pipe(fd, d);
	else if (!strcmp(d->label, "anon_inode:[eventfd]"))
		d->in = d->out = ct_channel(CT_CHANNEL_EVENTFD_UNKNOWN, (uint64_t)fd, r->pid), d->wanted = 1;
	else if (!strcmp(d->label, "anon_inode:[signalfd]"))
		d->in = ct_channel(CT_CHANNEL_SIGNALS, r->pid, 0);
	ct_store_release(&d->id, id);
	return id;
}

static void note(int fd, uint64_t id)
{
	const struct ct_descriptor *d = &ct_state.region->descriptors[id % CT_DESCRIPTORS];

	bool channel = d->in || d->out || d->listener;

	ct_fd_note(fd, channel ? CT_FD_CHANNEL : CT_FD_NO, channel ? id : 0);
}

/* Whether the entry that an id means is still its own: later descriptors take the places. */
static bool is_there(uint64_t id_kind)
{
	uint64_t id = id_kind >> 8;

	return ct_load(&ct_state.region->descriptors[id % CT_DESCRIPTORS].id) == id;
}

static uint64_t identify(int fd, bool same_for_sure)
{
	__typeof__(known[0]) *k = &known[(unsigned)fd % KNOWN];
	uint32_t process = ct_state.region->pid;
	uint64_t id_kind = ct_load_acquire(&k->id_kind);
	enum ct_fd_kind kind;
	struct stat s;

	if (same_for_sure && id_kind != BUSY && (id_kind & 0xff) == CT_FD_ANON && k->fd == (uint32_t)fd && k->process == process &&
	    is_there(id_kind))
		return id_kind;
	if (ct_sys(SYS_fstat, fd, &s))
		return 0;
	if (id_kind && id_kind != BUSY && k->fd == (uint32_t)fd && k->device == s.st_dev && k->inode == s.st_ino &&
	    k->process == process && is_there(id_kind) && ct_load(&k->id_kind) == id_kind) {
		ct_store(&k->checked, ct_ticks());
		note(fd, id_kind >> 8);
		return id_kind;
	}

	uint64_t fresh = describe(fd, &s, &kind) << 8;

	fresh |= kind;
	/* Another thread may do the same: one of them keeps its result. */
	if (id_kind != BUSY && ct_cas(&k->id_kind, &id_kind, BUSY)) {
		k->device = s.st_dev;
		k->inode = s.st_ino;
		k->fd = (uint32_t)fd;
		k->process = process;
		ct_store(&k->checked, ct_ticks());
		ct_store_release(&k->id_kind, fresh);
	}
	note(fd, fresh >> 8);
	return fresh;
}

void ct_descriptor_look(int fd)
{
	identify(fd, false);
}

void ct_descriptor_renew(int fd)
{
	__typeof__(known[0]) *k = &known[(unsigned)fd % KNOWN];
	uint64_t id_kind = ct_load(&k->id_kind);

	if (!ct_state.region || fd < 0)
		return;
	ct_fd_forget(fd);
	if (id_kind && id_kind != BUSY && k->fd == (uint32_t)fd)
		ct_cas(&k->id_kind, &id_kind, 0);
}

void ct_descriptors_forked(void)
{
	for (uint32_t i = 0; i < KNOWN; i++)
		if (ct_load(&known[i].id_kind) == BUSY)
			ct_store(&known[i].id_kind, 0);
}

void ct_descriptors_renew(void)
{
	ct_fd_forget_range(0, UINT32_MAX);
	for (uint32_t i = 0; i < KNOWN; i++)
		ct_store(&known[i].id_kind, 0);
}

/* An eventfd and a timerfd have the same inode. */
void ct_descriptor_forget(int fd)
{
	__typeof__(known[0]) *k = &known[(unsigned)fd % KNOWN];
	uint64_t id_kind = ct_load(&k->id_kind);

	if (id_kind != BUSY && (id_kind & 0xff) == CT_FD_ANON && k->fd == (uint32_t)fd)
		ct_cas(&k->id_kind, &id_kind, 0);
}

uint8_t ct_descriptor_cause(uint32_t kind)
{
	static const uint8_t causes[CT_FD_KINDS] = {
		[CT_FD_UNKNOWN] = CT_CAUSE_FILE, [CT_FD_FILE] = CT_CAUSE_FILE, [CT_FD_DIR] = CT_CAUSE_FILE,
		[CT_FD_PIPE] = CT_CAUSE_PIPE,	 [CT_FD_SOCKET] = CT_CAUSE_SOCKET, [CT_FD_TTY] = CT_CAUSE_TTY,
		[CT_FD_CHAR] = CT_CAUSE_FILE,	 [CT_FD_BLOCK] = CT_CAUSE_FILE, [CT_FD_ANON] = CT_CAUSE_EVENTFD,
	};

	return kind < CT_FD_KINDS ? causes[kind] : CT_CAUSE_FILE;
}

/* What is remembered of a channel does for a call that did not wait, and for one soon
 * after another that did. */
static bool recall(struct ct_event *event, int fd)
{
	const __typeof__(known[0]) *k = &known[(unsigned)fd % KNOWN];
	uint64_t word = ct_fd_known(fd);
	const struct ct_descriptor *d = &ct_state.region->descriptors[(word >> 34) % CT_DESCRIPTORS];

	if ((word & 3) != CT_FD_CHANNEL || ct_load(&d->id) != word >> 34)
		return false;
	if (event->flags & CT_EV_OFF_CPU &&
	    (k->fd != (uint32_t)fd || ct_load(&k->id_kind) >> 8 != word >> 34 ||
	     event->end - ct_load(&k->checked) > CHECK_MS * ct_state.ticks_per_ms))
		return false;
	event->object |= word >> 34 << 32;
	if (event->cause == CT_CAUSE_FILE)
		event->cause = ct_descriptor_cause(d->kind);
	return true;
}

void ct_descriptor(struct ct_event *event, bool before)
{
	int fd = (int)event->object;

	if (fd >= 0 && event->object >> 32)
		return; /* found out before the call */
	event->object &= 0xffffffffu;
	if (fd < 0 || recall(event, fd) || ct_state.no_syscalls || ct_stack_is_tight())
		return;
	/* A call that succeeds on epoll descriptors only vouches for the kind. */
	bool epoll = event->call == CT_CALL_epoll_wait || event->call == CT_CALL_epoll_pwait ||
		     event->call == CT_CALL_epoll_pwait2;
	bool closes = event->call == CT_CALL_close || event->call == CT_CALL_fclose || event->call == CT_CALL_closedir;
	/* After close the number may be another's already. */
	uint64_t id_kind = closes && !before ? 0 : identify(fd, epoll && event->result >= 0);

	event->object |= id_kind >> 8 << 32;
	if (event->cause == CT_CAUSE_FILE)
		event->cause = ct_descriptor_cause(id_kind & 0xff);
}
