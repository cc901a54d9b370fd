/* Opens perf events and their rings. See perf.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "perf.h"

/* A switch takes 64 bytes, and a wake-up 88: those of all tasks. An unprivileged user has 516 KiB a CPU (perf_event_mlock_kb): enough for
 * 80 ms at 100,000 switches a second on one CPU. */
#define RING_BYTES        (512u << 10)
#define RING_BYTES_WAKING (2u << 20)
#define RING_BYTES_LEAST  (16u << 10)
#define ALL_BYTES         (128ull << 20) /* of a machine with many CPUs */
#define PID_NS_INIT       0xeffffffcu    /* inode of the first pid namespace: PROC_PID_INIT_INO */

static int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* What both events have in common: that the records of one ring can be told apart
 * without an id, and compared. */
static struct perf_event_attr common(void)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.inherit = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

static int open_switches(pid_t pid, int cpu, uint32_t ring_bytes)
{
	struct perf_event_attr a = common();

	a.type = PERF_TYPE_SOFTWARE;
	a.config = PERF_COUNT_SW_DUMMY;
	a.context_switch = 1;
	a.task = 1;
	a.comm = 1;
	a.exclude_kernel = 1; /* allowed to everybody */
	a.exclude_hv = 1;
	a.watermark = 1;
	a.wakeup_watermark = ring_bytes / 4;
	return perf_event_open(&a, pid, cpu);
}

/* All wake-ups of a CPU: who wakes a traced task may be anybody. An event on the
 * tasks would be told of those that they make, not of those that happen to them
 * (tried on Linux 6.18, with perf record, too). Into the same ring, so that the
 * order is the kernel's. */
static int open_waking(int cpu, uint64_t id, int ring_fd)
{
	struct perf_event_attr a = common();

	a.type = PERF_TYPE_TRACEPOINT;
	a.config = id;
	a.sample_type |= PERF_SAMPLE_RAW;
	a.sample_period = 1;
	a.inherit = 0;
	a.watermark = 1;
	int fd = perf_event_open(&a, -1, cpu);

	if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring_fd)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* The number behind "key:" in the line of a field, in the format of a tracepoint. */
static bool find_number(const char *text, const char *field, const char *key, uint64_t *ret)
{
	const char *at = strstr(text, field);

	if (at)
		at = strstr(at, key);
	if (!at)
		return false;
	*ret = strtoull(at + strlen(key), NULL, 10);
	return true;
}

/* The id of the tracepoint, and where its fields are. -errno: it cannot be had. */
static int find_waking(struct ct_perf_layout *ret_layout, uint64_t *ret_id)
{
	static const char *const places[] = {
		"/sys/kernel/tracing/events/sched/sched_waking/format",
		"/sys/kernel/debug/tracing/events/sched/sched_waking/format",
	};
	char text[4096];
	uint64_t id, tid_offset, flags_offset;
	struct stat st;
	ssize_t n = -1;
	int fd = -1;

	/* The tracepoint names tasks by their number in the first namespace. */
	if (stat("/proc/self/ns/pid", &st) || st.st_ino != PID_NS_INIT)
		return -ENOTSUP;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++)
		fd = open(places[i], O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return -ENOENT;
	text[n] = 0;
	if (!find_number(text, "ID", ": ", &id) || !find_number(text, " pid;", "offset:", &tid_offset) ||
	    !find_number(text, " common_flags;", "offset:", &flags_offset) || tid_offset > 1024 || flags_offset > 1024)
		return -EBADMSG;
	*ret_layout = (struct ct_perf_layout){ (uint32_t)tid_offset, (uint32_t)flags_offset };
	*ret_id = id;
	return 0;
}

static void close_ring(struct ct_perf_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_bytes);
	if (r->waking_fd >= 0)
		close(r->waking_fd);
	if (r->fd >= 0)
		close(r->fd);
}

static int map_ring(struct ct_perf_ring *r, uint32_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	struct perf_event_mmap_page *control = map;

	r->map = map;
	r->map_bytes = page + bytes;
	r->data = (const uint8_t *)map + page;
	r->data_bytes = bytes;
	r->head = (uint64_t *)&control->data_head;
	r->tail = (uint64_t *)&control->data_tail;
	return 0;
}

static int open_ring(struct ct_perf_ring *r, pid_t pid, int cpu, uint32_t bytes, const char **ret_what)
{
	*r = (struct ct_perf_ring){ .cpu = (uint32_t)cpu, .waking_fd = -1 };
	r->fd = open_switches(pid, cpu, bytes);
	*ret_what = "perf_event_open";
	if (r->fd < 0)
		return r->fd;
	int error = map_ring(r, bytes);

	*ret_what = "rings of perf_event_open";
	if (error)
		close_ring(r);
	r->opened_ns = ct_now_ns();
	return error;
}

/* Rings of this size on all CPUs that are there. */
static int open_rings(struct ct_perf *p, pid_t pid, int cpus, uint32_t bytes, const char **ret_what)
{
	for (int cpu = 0; cpu < cpus; cpu++) {
		int error = open_ring(&p->ring[p->ring_count], pid, cpu, bytes, ret_what);

		if (!error)
			p->ring_count++;
		else if (error != -ENODEV) /* the CPU is switched off */
			return error;
	}
	return p->ring_count ? 0 : -ENODEV;
}

static void close_rings(struct ct_perf *p)
{
	for (size_t i = 0; i < p->ring_count; i++)
		close_ring(&p->ring[i]);
	p->ring_count = 0;
}

void ct_perf_stop_waking(struct ct_perf *p)
{
	for (size_t i = 0; i < p->ring_count; i++) {
		if (p->ring[i].waking_fd >= 0)
			close(p->ring[i].waking_fd);
		p->ring[i].waking_fd = -1;
	}
	p->waking = false;
}

/* On all CPUs or on none: a wake-up that is not told must mean that there was none. */
static bool open_all_waking(struct ct_perf *p, uint64_t id)
{
	for (size_t i = 0; i < p->ring_count; i++) {
		struct ct_perf_ring *r = &p->ring[i];

		r->waking_fd = open_waking((int)r->cpu, id, r->fd);
		if (r->waking_fd < 0) {
			ct_perf_stop_waking(p);
			return false;
		}
	}
	return true;
}

static void explain(int error, const char *what, char ret_wrong[CT_PERF_WRONG])
{
	char paranoid[16] = "";
	int fd = open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, paranoid, sizeof(paranoid) - 1);

	if (fd >= 0)
		close(fd);
	paranoid[n > 0 ? n : 0] = 0;
	paranoid[strcspn(paranoid, "\n")] = 0;
	if (*paranoid && (error == -EACCES || error == -EPERM))
		snprintf(ret_wrong, CT_PERF_WRONG, "%s: %s (perf_event_paranoid is %s)", what, strerror(-error), paranoid);
	else
		snprintf(ret_wrong, CT_PERF_WRONG, "%s: %s", what, strerror(-error));
}

int ct_perf_open(struct ct_perf *p, pid_t pid, bool waking, char ret_wrong[CT_PERF_WRONG])
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_CONF), error;
	const char *what = "perf_event_open";
	uint64_t id;

	*p = (struct ct_perf){ 0 };
	p->ring = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*p->ring));
	if (!p->ring)
		return -ENOMEM;
	bool wanted = waking && !find_waking(&p->layout, &id);
	uint32_t bytes = wanted ? RING_BYTES_WAKING : RING_BYTES;

	while (bytes > RING_BYTES_LEAST && (uint64_t)bytes * (uint64_t)cpus > ALL_BYTES)
		bytes /= 2;
	/* Where the user's share of locked memory is used up, smaller ones may fit. */
	do {
		error = open_rings(p, pid, cpus, bytes, &what);
		if (error)
			close_rings(p);
		bytes /= 2;
	} while ((error == -EPERM || error == -ENOMEM) && bytes >= RING_BYTES_LEAST);
	if (error) {
		explain(error, what, ret_wrong);
		ct_perf_close(p);
		return error;
	}
	p->waking = wanted && open_all_waking(p, id);
	return 0;
}

static void mark(bool *kept, int fd)
{
	if (fd >= 0)
		kept[fd] = true;
}

void ct_perf_leave(const struct ct_perf *p)
{
	int pair[2], last = -1;

	for (size_t i = 0; i < p->ring_count; i++) {
		last = p->ring[i].fd > last ? p->ring[i].fd : last;
		last = p->ring[i].waking_fd > last ? p->ring[i].waking_fd : last;
	}
	bool *kept = p->waking ? calloc((size_t)last + 1, sizeof(*kept)) : NULL;

	/* Where it cannot be it takes its time. */
	if (!kept || pipe2(pair, O_CLOEXEC)) {
		free(kept);
		return;
	}
	for (size_t i = 0; i < p->ring_count; i++) {
		mark(kept, p->ring[i].fd);
		mark(kept, p->ring[i].waking_fd);
	}
	if (fork()) {
		/* The other end stays open as long as we are there. */
		close(pair[0]);
		free(kept);
		return;
	}
	char none;
	int end = fcntl(pair[0], F_DUPFD, last + 1);

	for (int fd = 0; fd < end; fd++)
		if (fd > last || !kept[fd])
			close(fd);
	syscall(SYS_close_range, end + 1, ~0u, 0);
	while (end >= 0 && read(end, &none, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

bool ct_perf_all_ended(const struct ct_perf *p)
{
	/* An event hangs up when its task has ended and no other has inherited it. */
	struct pollfd first = { p->ring_count ? p->ring[0].fd : -1, POLLIN, 0 };

	return poll(&first, 1, 0) == 1 && first.revents & POLLHUP;
}

void ct_perf_close(struct ct_perf *p)
{
	close_rings(p);
	free(p->ring);
	*p = (struct ct_perf){ 0 };
}
