/*
 * Waits in progress that last, and who holds what they are for: written while
 * they do, so that a trace without an end tells of them. See WAITING and HOLDER
 * in docs/trace-format.md.
 *
 * The owner that a waiter noted may have given the lock to another thread since.
 * glibc keeps the present one in the lock: it is read from the process's memory,
 * where the kernel lets us. That needs no help from the process and costs it nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "atomics.h"
#include "process.h"

#define PERIOD_NS   500000000ull
#define LASTS_NS    1000000000ull
#define LOCKS_MAX   64u

/* A lock that a thread waits for. */
struct wanted {
	uint64_t address;
	bool rwlock;
	bool direct;  /* not only behind a condition */
	uint64_t start; /* ticks, of the latest wait */
	uint32_t owner; /* as that noted it */
};

struct snapshot {
	struct wanted lock[LOCKS_MAX];
	uint32_t lock_count;
	struct ct_holder holder[CT_HOLDERS_MAX];
	uint32_t holder_count;
};

/* --- waits --- */

static void write_waiting(struct ct_trace *t, struct ct_process *p, const struct ct_thread *th,
			  const struct ct_wait *w, uint64_t now_ns)
{
	uint64_t start_ns = ct_process_ns(t, p, w->start);
	struct ct_record r = { .type = CT_RECORD_WAITING, .waiting = {
		.thread = th->id,
		.seen_ns = now_ns > start_ns ? now_ns : start_ns,
		.start_ns = start_ns,
		.call = w->call,
		.cause = w->cause,
		.object_kind = w->object_kind,
		.object = w->object_kind == CT_OBJECT_FD ? ct_intern_descriptor(t, p, w->object) : w->object,
		.aux = w->aux,
		.stack = w->stack ? ct_intern_stack(t, p, w->stack) : ct_intern_ip(t, p, w->ip),
		.owner = ct_thread_tid(t, p, w->owner),
	} };

	ct_writer_record(&t->writer, &r);
}

static void write_over(struct ct_trace *t, const struct ct_thread *th, uint64_t now_ns)
{
	struct ct_record r = { .type = CT_RECORD_WAITING, .waiting = { .thread = th->id, .seen_ns = now_ns } };

	ct_writer_record(&t->writer, &r);
}

/* --- who holds --- */

/* The lock that a wait is for, if glibc keeps its holder in it. */
static bool lock_of(const struct ct_wait *w, struct wanted *ret)
{
	switch (w->call) {
	case CT_CALL_pthread_mutex_lock:
	case CT_CALL_pthread_mutex_timedlock:
	case CT_CALL_pthread_mutex_clocklock:
	case CT_CALL_mtx_lock:
	case CT_CALL_mtx_timedlock:
		*ret = (struct wanted){ w->object, false, true, w->start, w->owner };
		return true;
	case CT_CALL_pthread_cond_wait:
	case CT_CALL_pthread_cond_timedwait:
	case CT_CALL_pthread_cond_clockwait:
	case CT_CALL_cnd_wait:
	case CT_CALL_cnd_timedwait:
		*ret = (struct wanted){ w->aux, false, false, w->start, 0 };
		return w->aux != 0;
	}
	*ret = (struct wanted){ w->object, true, true, w->start, w->owner };
	return w->cause == CT_CAUSE_RWLOCK && w->object_kind == CT_OBJECT_ADDRESS;
}

static void want(struct snapshot *s, const struct ct_wait *w)
{
	struct wanted lock;

	if (!lock_of(w, &lock))
		return;
	for (uint32_t i = 0; i < s->lock_count; i++)
		if (s->lock[i].address == lock.address) {
			s->lock[i].direct |= lock.direct;
			if (lock.start > s->lock[i].start) {
				s->lock[i].start = lock.start;
				s->lock[i].owner = lock.owner;
			}
			return;
		}
	if (s->lock_count < LOCKS_MAX)
		s->lock[s->lock_count++] = lock;
}

static void add_holder(struct snapshot *s, uint64_t address, uint32_t tid, uint64_t ip, bool shared)
{
	if (s->holder_count < CT_HOLDERS_MAX)
		s->holder[s->holder_count++] = (struct ct_holder){ address, ip, tid, shared };
}

/* Where the thread took the lock that it holds alone, by its own notes; 0: not known. */
static uint64_t taken_at(const struct ct_process *p, uint64_t address, uint32_t tid)
{
	for (uint32_t i = 0; tid && i < p->slot_count; i++) {
		if (!p->threads[i] || (uint32_t)p->threads[i]->own_tid != tid)
			continue;
		const struct ct_slot *s = &p->region->slots[i];
		uint64_t depth = ct_taken_depth(s);

		for (uint64_t n = 1; n <= CT_TAKEN && n <= depth; n++) {
			const struct ct_taken *t = &s->taken[(depth - n) % CT_TAKEN];

			if (ct_load(&t->lock) == address)
				return ct_load(&t->ip);
		}
	}
	return 0;
}

static void add_owner(struct ct_process *p, struct snapshot *s, uint64_t address, uint32_t tid)
{
	add_holder(s, address, tid, taken_at(p, address, tid), false);
}

/* Copies from the process's memory. */
static bool peek(struct ct_process *p, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)(uintptr_t)address, bytes };

	if (p->no_peek)
		return false;
	ssize_t n = process_vm_readv(p->pid, &local, 1, &remote, 1, 0);

	if (n < 0 && (errno == EPERM || errno == ENOSYS))
		p->no_peek = true;
	return n == (ssize_t)bytes;
}

static void ask_lock(struct ct_process *p, struct snapshot *s, const struct wanted *lock)
{
	pthread_rwlock_t rwlock;
	pthread_mutex_t mutex;

	if (lock->rwlock) {
		if (peek(p, lock->address, &rwlock, sizeof(rwlock)) && rwlock.__data.__cur_writer)
			add_owner(p, s, lock->address, (uint32_t)rwlock.__data.__cur_writer);
	} else if (peek(p, lock->address, &mutex, sizeof(mutex)) && (mutex.__data.__owner || lock->direct)) {
		add_owner(p, s, lock->address, (uint32_t)mutex.__data.__owner);
	}
}

/* What the process's memory said last, while it could still be read; of younger
 * waits the owner that they noted is as good, and where it took the lock is still
 * in shared memory. */
static void remember(struct ct_trace *t, struct ct_process *p, struct snapshot *s, const struct wanted *lock)
{
	bool younger = ct_process_ns(t, p, lock->start) > p->holders_ns, found = false;

	for (uint32_t i = 0; i < p->holder_count && !younger; i++)
		if (p->holder[i].address == lock->address && !p->holder[i].shared) {
			add_holder(s, lock->address, p->holder[i].tid, p->holder[i].ip, false);
			found = true;
		}
	if (!found && taken_at(p, lock->address, lock->owner))
		add_owner(p, s, lock->address, lock->owner);
}

static void ask_readers(struct ct_process *p, struct snapshot *s)
{
	for (uint32_t i = 0; i < p->slot_count; i++) {
		if (!p->threads[i])
			continue;
		for (uint32_t k = 0; k < CT_READ_LOCKS; k++) {
			uint64_t address = ct_load(&p->region->slots[i].read_locks[k]);

			for (uint32_t l = 0; address && l < s->lock_count; l++)
				if (s->lock[l].rwlock && s->lock[l].address == address)
					add_holder(s, address, (uint32_t)p->threads[i]->own_tid,
						   ct_load(&p->region->slots[i].read_ips[k]), true);
		}
	}
}

static void write_holders(struct ct_trace *t, struct ct_process *p, const struct snapshot *s, uint64_t now_ns)
{
	static const struct ct_holder nobody;
	size_t bytes = s->holder_count * sizeof(s->holder[0]);
	struct ct_holder *copy;

	if (s->holder_count == p->holder_count && p->holders_generation == t->generation && (!bytes || !memcmp(s->holder, p->holder, bytes)))
		return;
	for (uint32_t i = 0; i < s->holder_count || !i; i++) {
		const struct ct_holder *h = s->holder_count ? &s->holder[i] : &nobody;
		struct ct_record r = { .type = CT_RECORD_HOLDER, .holder = {
			.process = p->id,
			.seen_ns = now_ns,
			.object = h->address,
			.tid = ct_thread_tid(t, p, h->tid),
			.shared = h->shared,
			.stack = ct_intern_ip(t, p, h->ip),
		} };

		ct_writer_record(&t->writer, &r);
	}
	p->holders_generation = t->generation;
	copy = realloc(p->holder, bytes + 1);
	if (!copy)
		return;
	if (bytes)
		memcpy(copy, s->holder, bytes);
	p->holder = copy;
	p->holder_count = s->holder_count;
}

uint32_t ct_waiting_holders(struct ct_process *p, const struct ct_wait *w, struct ct_holder *ret, uint32_t room)
{
	struct snapshot s = { .lock_count = 0 };

	want(&s, w);
	if (!s.lock_count)
		return 0;
	ask_lock(p, &s, &s.lock[0]);
	if (s.lock[0].rwlock)
		ask_readers(p, &s);
	uint32_t n = s.holder_count < room ? s.holder_count : room;

	memcpy(ret, s.holder, n * sizeof(*ret));
	return n;
}

/* --- passes --- */

static bool lasts(struct ct_trace *t, struct ct_process *p, const struct ct_wait *w, uint64_t now_ns,
		  uint64_t least_ns)
{
	uint64_t start_ns = ct_process_ns(t, p, w->start);

	return now_ns > start_ns && now_ns - start_ns >= least_ns;
}

static void look(struct ct_trace *t, struct ct_process *p, struct snapshot *s, struct ct_thread *th, uint64_t now_ns,
		 uint64_t least_ns, bool final)
{
	struct ct_wait w;

	if (!ct_drain_waits(&p->region->slots[th->slot]) && !th->waiting_start)
		return;
	bool waits = ct_drain_waiting(t, p, th, &w) && lasts(t, p, &w, now_ns, least_ns);

	if (waits)
		want(s, &w);
	/* The rest is said by the thread's OPEN event. */
	if (final || (waits && th->waiting_start == w.start && th->waiting_call == w.call &&
		      th->waiting_generation == t->generation))
		return;
	if (waits)
		write_waiting(t, p, th, &w, now_ns);
	else if (th->waiting_start)
		write_over(t, th, now_ns);
	th->waiting_start = waits ? w.start : 0;
	th->waiting_call = waits ? w.call : CT_CALL_NONE;
	th->waiting_generation = t->generation;
}

/* Whether all are still in the waits that were just looked at. */
static bool still_wait(const struct ct_process *p)
{
	for (uint32_t i = 0; i < p->slot_count; i++) {
		const struct ct_thread *th = p->threads[i];
		const struct ct_wait *w = &p->region->slots[i].wait;

		if (th && th->waiting_start &&
		    (ct_load_acquire(&w->call) != th->waiting_call || ct_drain_start(p, w) != th->waiting_start))
			return false;
	}
	return true;
}

static void look_at_all(struct ct_trace *t, struct ct_process *p, uint64_t now_ns, uint64_t least_ns, bool final,
			bool alive)
{
	struct snapshot s = { .lock_count = 0 };
	bool rwlocks = false;

	for (uint32_t i = 0; i < p->slot_count && p->thread_count; i++)
		if (p->threads[i])
			look(t, p, &s, p->threads[i], now_ns, least_ns, final);
	for (uint32_t i = 0; i < s.lock_count; i++) {
		rwlocks |= s.lock[i].rwlock;
		if (alive)
			ask_lock(p, &s, &s.lock[i]);
		else
			remember(t, p, &s, &s.lock[i]);
	}
	if (rwlocks)
		ask_readers(p, &s);
	/* A waiter that has got its lock meanwhile would seem to wait for itself. */
	if (!final && !still_wait(p)) {
		p->waiting_ns = now_ns;
		return;
	}
	write_holders(t, p, &s, now_ns);
	p->holders_ns = now_ns;
}

void ct_waiting_pass(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	if (now_ns < p->waiting_ns)
		return;
	p->waiting_ns = now_ns + PERIOD_NS;
	look_at_all(t, p, now_ns, LASTS_NS, false, true);
}

void ct_waiting_now(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	look_at_all(t, p, now_ns, 0, false, true);
}

void ct_waiting_last(struct ct_trace *t, struct ct_process *p, uint64_t end_ns, bool alive)
{
	look_at_all(t, p, end_ns, 0, true, alive);
}
