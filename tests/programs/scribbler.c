/*
 * A process that means harm, and one beside it that does not: scribbler ACT SECONDS.
 *
 *   victim     sleeps often in some threads, and says how often: none of that may be missing
 *   own        writes anywhere in the region that libctrace.so made for it, again and again, with a child
 *              each time: such a one rarely lives long
 *   liar       attaches a region of which everything is a lie: lengths, counts, states, numbers
 *   flood      attaches one and never stops writing, whatever has been read
 *   leaves     fills rings of many threads and ends, again and again
 *   holes      attaches one and takes its pages away while it is read; tries to truncate it
 *   babble     says wrong things to the collector's socket, with wrong descriptors, or says nothing
 *   many       a thousand processes with a region each
 *   asker      says wrong things to the socket of ctrace-ctl
 *   burst      harmless: when it is told to, makes as many calls as SECONDS says, as fast as it can
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "region.h"
#include "ticks.h"

#define SLOTS   64u
#define NOBODY  5000000u
#define THREADS 4
#define SILENT  300

static uint64_t end_ns;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_over(void)
{
	return now_ns() >= end_ns;
}

static uint64_t chance(void)
{
	static uint64_t state;

	if (!state)
		state = now_ns() ^ (uint64_t)getpid() << 40;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void nap_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

/* --- victim --- */

static void *sleeps(void *count)
{
	while (!is_over()) {
		nap_us(2000);
		++*(uint64_t *)count;
	}
	return NULL;
}

static void victim(void)
{
	pthread_t t[THREADS];
	uint64_t count[THREADS] = { 0 }, all = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, sleeps, &count[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		all += count[i];
	}
	printf("{\"pid\": %d, \"sleeps\": %llu}\n", getpid(), (unsigned long long)all);
}

/* --- the socket --- */

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path + 1, name, strlen(name));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Says so many bytes, with a descriptor so many times. The connection, or -1. */
static int say(const void *text, size_t bytes, int descriptor, unsigned int times)
{
	struct iovec iov = { (void *)(uintptr_t)text, bytes };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = connect_to(getenv("CTRACE_SOCKET"));

	if (times) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(times * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(times * sizeof(int));
		for (unsigned int i = 0; i < times; i++)
			((int *)(void *)CMSG_DATA(&control.header))[i] = descriptor;
	}
	if (fd >= 0)
		sendmsg(fd, &message, MSG_NOSIGNAL);
	return fd;
}

/* --- regions --- */

static int memory(uint64_t bytes, int seals)
{
	int fd = memfd_create("scribbler", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) || (seals && fcntl(fd, F_ADD_SEALS, seals)))
		return -1;
	return fd;
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* A region like those of libctrace.so, attached in place of it. NULL: the collector did not want it. */
static struct ct_region *attach(int *ret_fd)
{
	uint64_t bytes = CT_REGION_BYTES(SLOTS);
	struct ct_hello hello = { CT_REGION_MAGIC, CT_REGION_VERSION, (uint32_t)getpid(), bytes };
	int fd = memory(bytes, SEALS);
	struct ct_region *r = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (r == MAP_FAILED)
		return NULL;
	r->magic = CT_REGION_MAGIC;
	r->version = CT_REGION_VERSION;
	r->slot_count = SLOTS;
	r->region_bytes = bytes;
	r->pid = hello.pid;
	r->parent_pid = (uint32_t)getppid();
	r->clock = CT_CLOCK_TSC;
	r->calls = CT_CALL_COUNT;
	r->start_ns = now_ns();
	r->start = ct_read_ticks();
	r->ticks_per_ms = 2000000;
	r->features = 1;
	r->stack_words = 1;
	strcpy(r->executable, "/scribbler");
	int connection = say(&hello, sizeof(hello), fd, 1);

	if (connection >= 0)
		close(connection);
	*ret_fd = fd;
	return r;
}

static struct ct_slot *claim(struct ct_region *r, uint32_t i)
{
	struct ct_slot *s = &r->slots[i];

	/* The others are nobody's. */
	s->tid = i ? NOBODY + i : (uint32_t)getpid();
	s->start = ct_read_ticks();
	if (r->slots_used < i + 1)
		r->slots_used = i + 1;
	ct_store_release(&r->slot_state[i], CT_SLOT_LIVE);
	return s;
}

static void publish(struct ct_slot *s, uint8_t kind)
{
	uint64_t n = s->reserved_events++, now = ct_read_ticks();
	struct ct_event *e = &s->ring[n % CT_RING_EVENTS];

	e->start = now - chance() % 100000;
	e->end = now;
	e->object = chance();
	e->aux = kind == CT_LINE_LOG ? chance() % 1000 : chance();
	e->result = (int64_t)chance();
	e->stack = (uint32_t)chance() % 4096;
	e->owner = (uint32_t)chance();
	e->call = (uint16_t)(chance() % CT_CALL_COUNT);
	e->kind = kind;
	e->cause = (uint8_t)(chance() % CT_CAUSE_COUNT);
	e->flags = (uint8_t)chance() | CT_EV_OFF_CPU;
	e->object_kind = (uint8_t)(chance() % CT_OBJECT_KINDS);
	ct_store_release(&e->seq, n + 1);
}

static void lie(struct ct_region *r)
{
	uint64_t *const words[] = { &r->stack_words, &r->stacks_lost, &r->modules_used, &r->descriptors_used, &r->threads_lost, &r->tasks };
	struct ct_slot *s = claim(r, (uint32_t)chance() % SLOTS);

	*words[chance() % 6] = chance() >> chance() % 64;
	r->slots_used = (uint32_t)chance();
	r->large_taken = (uint32_t)chance();
	r->epoch++;
	r->live.off = (uint32_t)chance();
	r->live.min_ticks = chance();
	s->large = chance() % 40;
	s->wait = (struct ct_wait){ .seq = (uint32_t)chance(), .call = (uint16_t)chance(), .cause = (uint8_t)chance(),
				    .object_kind = (uint8_t)chance(), .start = ct_read_ticks() - chance() % 10000000, .object = chance(),
				    .stack = (uint32_t)chance(), .owner = (uint32_t)chance() };
	s->reserved_events += chance() % 8 ? 0 : chance() % 10000;
	s->calls[chance() % CT_CALLS_MAX] = chance();
	s->dropped += chance();
	memset(s->name, (int)(chance() % 255) + 1, CT_NAME);
	for (uint32_t i = 0; i < 100; i++)
		publish(s, (uint8_t)chance());
	uint64_t word = chance() % 4096;

	r->stack_arena[word] = chance();
	struct ct_module *m = &r->modules[chance() % CT_MODULES];

	memset(m, 0x55, sizeof(*m));
	m->build_id_bytes = (uint32_t)chance();
	m->start = chance();
	m->ready = 1;
	struct ct_descriptor *d = &r->descriptors[chance() % CT_DESCRIPTORS];

	memset(d->label, 'x', sizeof(d->label));
	d->id = (uint64_t)(d - r->descriptors) + CT_DESCRIPTORS * (chance() % 3);
	struct ct_name *name = &r->names[chance() % CT_NAMES];

	memset(name->text, 'n', sizeof(name->text));
	name->state = (uint32_t)chance() | CT_NAME_READY;
	r->hot[chance() % CT_HOT_LOCKS] = (struct ct_hot){ .word = chance(), .acquisitions = chance(), .hold_ticks = chance() };
	r->slot_state[chance() % CT_SLOTS_MAX] = (uint32_t)chance() % 5;
}

static void liar(void)
{
	int fd;

	while (!is_over()) {
		struct ct_region *r = attach(&fd);

		if (!r)
			return;
		for (int i = 0; i < 2000 && !is_over(); i++) {
			lie(r);
			if (i % 50 == 0)
				nap_us(1000);
		}
		munmap(r, CT_REGION_BYTES(SLOTS));
		close(fd);
	}
}

static void flood(void)
{
	int fd;
	struct ct_region *r = attach(&fd);
	struct ct_slot *s[8];

	if (!r)
		return;
	for (uint32_t i = 0; i < 8; i++)
		s[i] = claim(r, i);
	while (!is_over())
		for (int i = 0; i < 8000; i++)
			publish(s[i % 8], CT_EVENT_INTERVAL);
}

static void leaves(void)
{
	while (!is_over()) {
		pid_t pid = fork();
		int fd;

		if (!pid) {
			struct ct_region *r = attach(&fd);

			for (uint32_t i = 0; r && i < SLOTS; i++)
				for (struct ct_slot *s = claim(r, i); s->reserved_events < CT_RING_EVENTS - 1;)
					publish(s, CT_EVENT_INTERVAL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		/* What each may cost is bounded; how many there are is not. */
		nap_us(300000);
	}
}

static void holes(void)
{
	int fd;
	uint64_t bytes = CT_REGION_BYTES(SLOTS);
	struct ct_region *r = attach(&fd);
	struct ct_slot *s = r ? claim(r, 0) : NULL;

	while (r && !is_over()) {
		for (int i = 0; i < 100; i++)
			publish(s, CT_EVENT_INTERVAL);
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(chance() % bytes & ~4095ull), 1 << 20);
		if (!ftruncate(fd, 4096)) {
			printf("it could be truncated\n");
			exit(1);
		}
		nap_us(500);
	}
}

static void babble(void)
{
	uint64_t bytes = CT_REGION_BYTES(SLOTS);
	struct ct_hello hello = { CT_REGION_MAGIC, CT_REGION_VERSION, (uint32_t)getpid(), bytes };
	static char noise[60000];
	int silent[SILENT], ends[2], fd;

	for (int i = 0; i < SILENT; i++)
		silent[i] = connect_to(getenv("CTRACE_SOCKET"));
	while (!is_over()) {
		struct ct_hello wrong = hello;
		int file = open("/proc/self/exe", O_RDONLY), bare = memory(bytes, 0), small = memory(4096, SEALS);

		((uint64_t *)(void *)&wrong)[chance() % 3] = chance();
		close(say(noise, chance() % sizeof(noise), 2, (unsigned int)(chance() % 60)));
		close(say(&wrong, sizeof(wrong), small, 1));
		close(say(&hello, sizeof(hello), file, 1));
		close(say(&hello, sizeof(hello), small, 1));
		close(say(&hello, sizeof(hello), 2, 0));
		close(say(&hello, sizeof(hello) - 1, small, 1));
		if (!pipe(ends)) {
			close(say(&hello, sizeof(hello), ends[0], 1));
			close(ends[0]);
			close(ends[1]);
		}
		/* The connection itself; what can be truncated, and is. */
		fd = say(&hello, sizeof(hello), bare, 1);
		ftruncate(bare, 0);
		close(say(&hello, sizeof(hello), fd, 1));
		close(fd);
		close(file);
		close(bare);
		close(small);
		nap_us(2000);
	}
	for (int i = 0; i < SILENT; i++)
		close(silent[i]);
}

static void many(void)
{
	for (int i = 0; i < 1000 && !is_over(); i++) {
		pid_t pid = fork();
		int fd;

		if (!pid) {
			struct ct_region *r = attach(&fd);

			for (uint32_t k = 0; r && k < 4; k++)
				publish(claim(r, k), CT_EVENT_INTERVAL);
			nap_us(20000);
			_exit(0);
		}
		/* Some at once. */
		if (i % 20 == 19)
			while (waitpid(-1, NULL, 0) > 0)
				;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* --- its own region --- */

struct range {
	uint64_t *word;
	size_t words;
};

static int find_ranges(struct range *ret, int room)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int n = 0;

	while (f && n < room && fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (!strstr(line, "memfd:ctrace") || sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw"))
			continue;
		ret[n++] = (struct range){ (uint64_t *)from, (to - from) / 8 };
	}
	if (f)
		fclose(f);
	return n;
}

static void scribble(void)
{
	struct range range[16];
	int n = find_ranges(range, 16);
	uint64_t until_ns = now_ns() + 300000000u;

	while (n && now_ns() < until_ns) {
		for (int i = 0; i < 200; i++) {
			const struct range *r = &range[chance() % (uint64_t)n];
			/* As often near the begin, where the counts are, as anywhere. */
			size_t at = chance() % 2 ? chance() % r->words : chance() % 4096 % r->words;

			__atomic_store_n(&r->word[at], chance() >> chance() % 64, __ATOMIC_RELAXED);
		}
		free(malloc(100));
		nap_us(100);
	}
	_exit(0);
}

static void own(void)
{
	while (!is_over()) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			/* A call of its own may be left hanging by it. */
			alarm(1);
			scribble();
		}
		waitpid(pid, &status, 0);
	}
}

/* --- ctrace-ctl's socket --- */

static int ask(const char *path, const char *text, size_t bytes)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	send(fd, text, bytes, MSG_NOSIGNAL);
	return fd;
}

static void asker(void)
{
	static char noise[100000];
	char path[512] = "";
	int fd[40];
	DIR *d;

	snprintf(path, sizeof(path), "%s/ctrace", getenv("XDG_RUNTIME_DIR"));
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (strstr(e->d_name, ".sock"))
			snprintf(path, sizeof(path), "%s/ctrace/%.200s", getenv("XDG_RUNTIME_DIR"), e->d_name);
	if (d)
		closedir(d);
	memset(noise, 'l', sizeof(noise));
	while (!is_over()) {
		for (int i = 0; i < 40; i++) {
			const char *const texts[] = { "list\n", "li", "\n", "set\nmin\n", "status 0\n", "stop\n-1\n" };
			const char *text = i % 7 == 6 ? noise : texts[i % 7];

			fd[i] = ask(path, text, i % 7 == 6 ? sizeof(noise) : strlen(text));
		}
		nap_us(20000);
		for (int i = 0; i < 40; i++)
			close(fd[i]);
	}
}

static void burst(long calls)
{
	printf("ready\n");
	fflush(stdout);
	getchar();
	while (calls--)
		poll(NULL, 0, 0);
	printf("done\n");
	fflush(stdout);
	getchar();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*act)(void);
	} acts[] = { { "victim", victim }, { "own", own },	 { "liar", liar }, { "flood", flood }, { "leaves", leaves },
		     { "holes", holes },   { "babble", babble }, { "many", many }, { "asker", asker } };

	if (argc != 3)
		return 2;
	end_ns = now_ns() + (uint64_t)(atof(argv[2]) * 1e9);
	if (!strcmp(argv[1], "burst")) {
		burst(atol(argv[2]));
		return 0;
	}
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(argv[1], acts[i].name)) {
			acts[i].act();
			return 0;
		}
	return 2;
}
