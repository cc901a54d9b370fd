/* Threads: found in their slots, named, watched, ended. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "atomics.h"
#include "proc.h"
#include "process.h"

#define PROBE_NS     200000000ull
#define POLL_MIN_MS  200u
#define POLL_MAX_MS  1000u
#define DEATH_NS     200000000ull

static void copy_name(const struct ct_slot *s, char ret[CT_NAME])
{
	for (unsigned int i = 0; i < CT_NAME; i++)
		ret[i] = ct_load(&s->name[i]);
	ret[CT_NAME - 1] = 0;
}

static bool take_token(struct ct_trace *t)
{
	if (t->proc_tokens <= 0)
		return false;
	t->proc_tokens--;
	return true;
}

/* Learns the thread's number in our namespace. As ct_proc_task(). */
static int find_tid(struct ct_process *p, struct ct_thread *th)
{
	int error = 0;

	if (p->pid == p->own_pid)
		th->tid = th->own_tid;
	else if (th->own_tid == p->own_pid)
		th->tid = p->pid;
	else
		error = ct_proc_task(p->pid, th->own_tid, p->newest_tid, &th->tid);
	if (error || p->pid == p->own_pid)
		return error;
	if (th->tid > p->newest_tid)
		p->newest_tid = th->tid;
	struct ct_map_entry *known = ct_map_find(&p->tids, (uint32_t)th->own_tid);

	/* Without memory it is looked up each time. */
	if (known)
		known->id = (uint32_t)th->tid;
	else
		ct_map_put(&p->tids, (uint32_t)th->own_tid, (uint32_t)th->tid);
	return 0;
}

/* Adopts nobody, and so ends nobody: whoever asks may be in the midst of a thread. */
uint32_t ct_thread_tid(struct ct_trace *t, struct ct_process *p, uint32_t own_tid)
{
	pid_t tid;

	if (p->pid == p->own_pid || !own_tid || own_tid > INT32_MAX)
		return own_tid;
	uint32_t known = ct_map_get(&p->tids, own_tid);

	if (known)
		return known;
	/* It may be the first time that we hear of it. */
	if (!take_token(t) || ct_proc_task(p->pid, (pid_t)own_tid, p->newest_tid, &tid))
		return own_tid;
	ct_map_put(&p->tids, own_tid, (uint32_t)tid);
	return (uint32_t)tid;
}

/* A tid that comes again while we think its thread alive: that one has ended. */
static void finish_namesakes(struct ct_trace *t, struct ct_process *p, uint32_t slot, pid_t tid)
{
	uint32_t left = p->thread_count;

	for (uint32_t i = 0; left && i < p->slot_count; i++) {
		if (!p->threads[i])
			continue;
		left--;
		if (i != slot && p->threads[i]->own_tid == tid)
			ct_thread_finish(t, p, i, -1, 0);
	}
}

/* The thread that has newly claimed a slot; NULL without memory. */
static struct ct_thread *adopt(struct ct_trace *t, struct ct_process *p, uint32_t slot)
{
	struct ct_slot *s = &p->region->slots[slot];
	struct ct_thread *th = calloc(1, sizeof(*th));

	if (!th)
		return NULL;
	th->slot = slot;
	th->own_tid = (pid_t)ct_load(&s->tid);
	finish_namesakes(t, p, slot, th->own_tid);
	find_tid(p, th);
	th->consumed = p->consumed[slot];
	th->poll_period_ms = POLL_MIN_MS;

	uint64_t start = ct_load(&s->start);

	if (start > ct_process_latest(t, p))
		ct_trace_sync(t);
	if (start < p->earliest_ticks)
		start = p->base.ticks;
	th->start_ns = th->last_end_ns = ct_process_ns(t, p, start);
	copy_name(s, th->slot_name);
	memcpy(th->name, th->slot_name, CT_NAME);
	if (!th->name[0] && take_token(t))
		ct_proc_comm(p->pid, th->tid, th->name);

	th->id = ++t->last_thread;
	struct ct_record r = { .type = CT_RECORD_THREAD_START, .thread_start = {
		.thread = th->id,
		.process = p->id,
		.tid = (uint64_t)(uint32_t)(th->tid ? th->tid : th->own_tid),
		.start_ns = th->start_ns,
		.pthread = ct_load(&s->pthread),
		.routine = ct_load(&s->routine),
		.name = ct_text_of(th->name),
	} };

	ct_writer_record(&t->writer, &r);
	p->threads[slot] = th;
	p->thread_count++;
	return th;
}

static void set_name(struct ct_trace *t, struct ct_thread *th, const char name[CT_NAME])
{
	if (!strcmp(th->name, name))
		return;
	memcpy(th->name, name, CT_NAME);
	struct ct_record r = { .type = CT_RECORD_THREAD_NAME, .thread_name = {
		.thread = th->id,
		.name = ct_text_of(th->name),
	} };

	ct_writer_record(&t->writer, &r);
}

static void name_from_slot(struct ct_trace *t, struct ct_process *p, struct ct_thread *th)
{
	char name[CT_NAME];

	copy_name(&p->region->slots[th->slot], name);
	if (!name[0] || !strcmp(name, th->slot_name))
		return;
	memcpy(th->slot_name, name, CT_NAME);
	set_name(t, th, name);
}

void ct_thread_poll(struct ct_process *p, struct ct_thread *th)
{
	uint64_t cpu_ns, delay_ns;

	if (ct_proc_schedstat(p->pid, th->tid, &cpu_ns, &delay_ns))
		return;
	th->busy |= cpu_ns != th->cpu_ns;
	th->cpu_ns = cpu_ns;
	th->run_delay_ns = delay_ns;
}

/* Reads what only /proc knows; less often from threads that do not run. */
static void poll_proc(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint64_t now_ns)
{
	char comm[CT_NAME];

	if (now_ns < th->poll_ns && (!th->busy || th->poll_period_ms == POLL_MIN_MS))
		return;
	if (t->proc_tokens < 2)
		return;
	t->proc_tokens -= 2;
	ct_thread_poll(p, th);
	if (!ct_proc_comm(p->pid, th->tid, comm))
		set_name(t, th, comm);
	th->poll_period_ms = th->busy ? POLL_MIN_MS : th->poll_period_ms * 2;
	if (th->poll_period_ms > POLL_MAX_MS)
		th->poll_period_ms = POLL_MAX_MS;
	th->busy = false;
	th->poll_ns = now_ns + th->poll_period_ms * 1000000ull;
}

static bool is_dead(struct ct_process *p, struct ct_thread *th)
{
	int error = th->tid ? 0 : find_tid(p, th);

	/* Where it cannot be known, it lives. */
	if (error)
		return error == -ESRCH;
	return th->tid <= 0 || (syscall(SYS_tgkill, p->pid, th->tid, 0) && errno == ESRCH);
}

/* Whether the thread has ended alone and may be finished. A thread that dies in
 * a wait may be the first sign of its process's end, which says more: give it
 * time to be seen. */
static bool has_ended(struct ct_process *p, struct ct_thread *th, uint32_t state, uint64_t now_ns)
{
	if (th->dead_since_ns)
		return now_ns - th->dead_since_ns >= DEATH_NS;
	if (state != CT_SLOT_ENDED && now_ns < th->probe_ns)
		return false;
	th->probe_ns = now_ns + PROBE_NS;
	if (!is_dead(p, th)) {
		/* The last chance to read what the kernel will forget. */
		if (state == CT_SLOT_ENDED && !th->ended_seen)
			ct_thread_poll(p, th);
		th->ended_seen = state == CT_SLOT_ENDED;
		return false;
	}
	th->dead_since_ns = now_ns;
	return !ct_drain_waits(&p->region->slots[th->slot]);
}

unsigned int ct_thread_pass(struct ct_trace *t, struct ct_process *p, uint32_t slot, uint64_t now_ns)
{
	struct ct_thread *th = p->threads[slot];
	uint32_t state = ct_load_acquire(&p->region->slot_state[slot]);

	if (state != CT_SLOT_LIVE && state != CT_SLOT_ENDED)
		return 0;
	if (!th) {
		th = adopt(t, p, slot);
		if (!th)
			return 0;
		th->probe_ns = now_ns + PROBE_NS;
		th->poll_ns = now_ns + POLL_MIN_MS * 1000000ull;
	}
	/* First is it dead, then are there events: the last ones are not missed. */
	if (has_ended(p, th, state, now_ns)) {
		ct_thread_finish(t, p, slot, -1, 0);
		return 0;
	}
	uint64_t n = ct_drain(t, p, th, false);

	ct_ends_waiting(t, p, th, now_ns);

	name_from_slot(t, p, th);
	if (!th->dead_since_ns)
		poll_proc(t, p, th, now_ns);
	return (unsigned int)(n * 256 / CT_RING_EVENTS);
}

/* Takes its large ring back. Emptied, so that no number of this owner's can be taken for the next
 * one's; one that cannot be emptied is not given to anybody. */
static void free_large(struct ct_region *r, struct ct_slot *s)
{
	uint64_t large = ct_load(&s->large);

	s->large = 0;
	if (large && large <= CT_LARGE_RINGS && !madvise(r->large[large - 1], sizeof(r->large[0]), MADV_REMOVE))
		ct_release_bits(&r->large_taken, 1u << (large - 1));
}

/* Makes the slot fit for its next owner and gives it back. Event numbers run
 * on, so that nothing of this life can be taken for the next one's. */
static void free_slot(struct ct_process *p, uint32_t slot, uint64_t consumed)
{
	struct ct_region *r = p->region;
	struct ct_slot *s = &r->slots[slot];
	uint32_t seq = s->wait.seq;

	for (uint32_t i = 0; i < CT_CALLS_MAX; i++) {
		if (!ct_load(&s->calls[i]))
			continue;
		ct_store(&s->calls[i], 0);
		memset(&s->short_[i], 0, sizeof(s->short_[i]));
	}
	memset(&s->wait, 0, sizeof(s->wait));
	s->wait.seq = (seq | 1) + 1;
	memset(s->name, 0, sizeof(s->name));
	memset(s->read_locks, 0, sizeof(s->read_locks));
	memset(s->read_ips, 0, sizeof(s->read_ips));
	memset(s->held, 0, sizeof(s->held));
	memset(s->taken, 0, sizeof(s->taken));
	s->taken_more = 0;
	s->dropped = s->end = s->cpu_ns = s->start = s->pthread = s->routine = 0;
	s->tid = 0;
	free_large(r, s);
	s->reserved_events = consumed;
	s->consumed = consumed;
	s->generation++;
	p->consumed[slot] = consumed;
	ct_store_release(&r->slot_state[slot], CT_SLOT_FREE);

	uint32_t hint = ct_load(&r->slot_hint);

	while (slot < hint && !ct_cas(&r->slot_hint, &hint, slot))
		;
}

/* When the thread ended: as its owner said, if that makes sense. */
static uint64_t end_of(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, int process_how,
		       uint64_t end_ns)
{
	uint64_t end = ct_load(&p->region->slots[th->slot].end);

	if (end > p->earliest_ticks && end <= ct_process_latest(t, p)) {
		uint64_t said_ns = ct_process_ns(t, p, end);

		if (said_ns >= th->start_ns)
			return said_ns > th->last_end_ns ? said_ns : th->last_end_ns;
	}
	if (process_how < 0)
		end_ns = th->dead_since_ns ? th->dead_since_ns : ct_now_ns();
	return end_ns > th->last_end_ns ? end_ns : th->last_end_ns;
}

void ct_thread_end_record(const struct ct_process *p, const struct ct_thread *th, int process_how, uint64_t end_ns,
			  struct ct_record *ret)
{
	uint64_t cpu_ns = ct_load(&p->region->slots[th->slot].cpu_ns);

	*ret = (struct ct_record){ .type = CT_RECORD_THREAD_END, .thread_end = {
		.thread = th->id,
		.end_ns = end_ns,
		.cpu_ns = cpu_ns && cpu_ns <= end_ns ? cpu_ns : th->cpu_ns,
		.run_delay_ns = th->run_delay_ns,
		.how = process_how == CT_END_TRACE ? CT_END_TRACE : CT_END_EXIT,
	} };
}

void ct_thread_look(struct ct_trace *t, struct ct_process *p, uint32_t slot)
{
	uint32_t state = ct_load_acquire(&p->region->slot_state[slot]);

	if (!p->threads[slot] && (state == CT_SLOT_LIVE || state == CT_SLOT_ENDED))
		adopt(t, p, slot);
}

void ct_thread_finish(struct ct_trace *t, struct ct_process *p, uint32_t slot, int process_how, uint64_t end_ns)
{
	uint32_t state = ct_load_acquire(&p->region->slot_state[slot]);
	struct ct_record r;

	ct_thread_look(t, p, slot);
	struct ct_thread *th = p->threads[slot];

	if (!th)
		return;
	if (process_how >= 0)
		ct_thread_poll(p, th);
	/* Everything in the ring is older than this moment. */
	ct_trace_sync(t);
	ct_drain(t, p, th, process_how != CT_END_TRACE);
	name_from_slot(t, p, th);

	uint64_t thread_end_ns = end_of(t, p, th, process_how, end_ns);

	/* A thread that was on its way out had left its wait; one that its
	 * process's end interrupted had not. */
	if (process_how < 0 || (state == CT_SLOT_ENDED && thread_end_ns < end_ns))
		ct_drain_wait(t, p, th, CT_EV_ABANDONED, 0);
	else
		ct_drain_wait(t, p, th, CT_EV_OPEN, end_ns);
	ct_recording_thread_end(p, th, thread_end_ns);
	ct_counters_thread(t, p, th);
	ct_counters_loss(t, p, th);
	if (th->last_end_ns > thread_end_ns)
		thread_end_ns = th->last_end_ns;
	ct_thread_end_record(p, th, process_how, thread_end_ns, &r);
	ct_process_record_after(t, p, &r);
	if (process_how < 0)
		free_slot(p, slot, th->consumed);
	p->threads[slot] = NULL;
	p->thread_count--;
	p->counted -= th->counted_size;
	free(th->counted);
	free(th->live);
	free(th);
}
