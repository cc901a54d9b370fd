/* The collector as a process, and a process that is traced. See test_collector.h. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "test_collector.h"
#include "ticks.h"

const char *tc_collector_path(void)
{
	const char *path = getenv("CTRACE_TEST_COLLECTOR");

	return path ? path : TEST_COLLECTOR;
}

uint64_t tc_ticks(void)
{
	return ct_read_ticks();
}

bool tc_hear(struct tc_collector *c, struct ct_control *ret)
{
	return recv(c->control, ret, sizeof(*ret), 0) == sizeof(*ret);
}

void tc_start(struct tc_collector *c, const char *out, uint64_t file_limit)
{
	const char *path = tc_collector_path();
	static int n;
	int pair[2];
	struct ct_control m;

	snprintf(c->name, sizeof(c->name), "ctrace-test-%d-%d", getpid(), n++);
	snprintf(c->out, sizeof(c->out), "%s", out);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	c->pid = fork();
	if (!c->pid) {
		char number[16];
		struct rlimit limit = { file_limit, file_limit };

		if (file_limit)
			setrlimit(RLIMIT_FSIZE, &limit);
		snprintf(number, sizeof(number), "%d", fcntl(pair[1], F_DUPFD, 3));
		execl(path, path, "--socket", c->name, "-o", out, "--control-fd", number, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	c->control = pair[0];
	ck_assert(tc_hear(c, &m));
	ck_assert_msg(m.kind == CT_CONTROL_READY, "%s", m.text);
}

struct ct_control tc_stop(struct tc_collector *c)
{
	struct ct_control m = { .magic = CT_CONTROL_MAGIC, .kind = CT_CONTROL_ENDED };
	int status;

	ck_assert_int_eq(send(c->control, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
	ck_assert(tc_hear(c, &m));
	close(c->control);
	if (m.kind == CT_CONTROL_SUMMARY) {
		ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
		ck_assert_int_eq(status, 0);
	}
	return m;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool say_hello(const char *name, int memfd, uint64_t bytes, uint32_t version)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ct_hello hello = { CT_REGION_MAGIC, version, (uint32_t)getpid(), bytes };
	struct iovec iov = { &hello, sizeof(hello) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &memfd, sizeof(int));
	memcpy(address.sun_path + 1, name, strlen(name));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool done = !connect(fd, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) &&
		    sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof(hello);

	close(fd);
	return done;
}

int tc_babble(const char *name, const void *text, size_t bytes, unsigned int descriptors)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec iov = { (void *)(uintptr_t)text, bytes };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (descriptors) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(descriptors * sizeof(int));
		/* Standard error is as good as any. */
		for (unsigned int i = 0; i < descriptors; i++)
			((int *)(void *)CMSG_DATA(&control.header))[i] = 2;
	}
	memcpy(address.sun_path + 1, name, strlen(name));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) ||
	    (bytes && sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct ct_region *tc_attach(const char *name, const struct tc_region_options *o)
{
	uint32_t slots = o->slots ? o->slots : CT_SLOTS_MIN, version = o->version ? o->version : CT_REGION_VERSION;
	uint64_t bytes = CT_REGION_BYTES(slots);
	int fd = memfd_create("ctrace-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (ftruncate(fd, (off_t)bytes + o->size_error))
		return NULL;
	if (!o->unsealed)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	struct ct_region *r = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (r == MAP_FAILED)
		return NULL;
	r->magic = CT_REGION_MAGIC;
	r->version = version;
	r->slot_count = slots;
	r->region_bytes = bytes;
	r->pid = (uint32_t)getpid();
	r->parent_pid = (uint32_t)getppid();
	r->clock = CT_CLOCK_TSC;
	r->calls = CT_CALL_COUNT;
	r->start_ns = now_ns();
	r->start = tc_ticks();
	r->ticks_per_ms = 2000000;
	r->min_ticks = 20000;
	r->stack_words = 1;
	strcpy(r->executable, "/test/program");
	bool done = say_hello(name, fd, bytes, version);

	close(fd);
	return done ? r : NULL;
}

struct ct_slot *tc_claim(struct ct_region *r, uint32_t slot, const char *name)
{
	struct ct_slot *s = &r->slots[slot];
	uint32_t used = ct_load(&r->slots_used), expected = CT_SLOT_FREE;

	if (!ct_cas(&r->slot_state[slot], &expected, CT_SLOT_CLAIMED))
		abort();
	while (used < slot + 1 && !ct_cas(&r->slots_used, &used, slot + 1))
		;
	s->tid = (uint32_t)gettid();
	s->start = tc_ticks();
	strncpy(s->name, name, CT_NAME - 1);
	ct_store_release(&r->slot_state[slot], CT_SLOT_LIVE);
	return s;
}

void tc_leave(struct ct_region *r, uint32_t slot)
{
	r->slots[slot].end = tc_ticks();
	ct_store_release(&r->slot_state[slot], CT_SLOT_ENDED);
}

/* Of this process. */
static struct ct_region *large_of;

void tc_grow(struct ct_region *r, struct ct_slot *s, uint32_t place)
{
	large_of = r;
	ct_fetch_add(&r->large_taken, 1u << place);
	ct_store(&s->large, place + 1);
	ct_or_local(&s->reserved_events, CT_ON_LARGE);
}

bool tc_event(struct ct_slot *s, uint64_t ticks, const struct ct_event *fields)
{
	uint64_t reserved = ct_load(&s->reserved_events), large = reserved & CT_ON_LARGE;

	if ((reserved & ~CT_ON_LARGE) - ct_load_acquire(&s->consumed) >= (large ? CT_LARGE_EVENTS : CT_RING_EVENTS) - CT_RING_SLACK) {
		ct_inc_local(&s->dropped);
		return false;
	}
	uint64_t n = ct_fetch_add_local(&s->reserved_events, 1), seq;
	struct ct_event *e = large ? &large_of->large[s->large - 1][n % CT_LARGE_EVENTS] : &s->ring[n % CT_RING_EVENTS];

	n &= ~CT_ON_LARGE;
	seq = e->seq;
	*e = *fields;
	e->seq = seq;
	e->end = tc_ticks();
	e->start = e->end - ticks;
	ct_store_release(&e->seq, n + 1);
	return true;
}

void tc_wait(struct ct_slot *s, const struct ct_wait *fields)
{
	uint32_t seq = s->wait.seq;

	ct_store(&s->wait.seq, seq + 1);
	ct_fence_write();
	s->wait.call = fields->call;
	s->wait.cause = fields->cause;
	s->wait.object_kind = fields->object_kind;
	s->wait.object = fields->object;
	s->wait.owner = fields->owner;
	s->wait.ip = fields->ip;
	s->wait.start = tc_ticks();
	ct_store_release(&s->wait.seq, seq + 2);
}

uint32_t tc_stack(struct ct_region *r, const uint64_t *frames, uint32_t depth)
{
	uint32_t word = (uint32_t)ct_fetch_add(&r->stack_words, depth + 1);

	for (uint32_t i = 0; i < depth; i++)
		r->stack_arena[word + 1 + i] = frames[i];
	r->stack_arena[word] = depth;
	return word;
}
