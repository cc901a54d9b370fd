/* Processes: begin, pass, end. See process.h. */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atomics.h"
#include "proc.h"

#define CHUNK_EVENTS 32768u
#define CHUNK_NS     1000000000ull
#define FIRST_CHUNK_NS 100000000ull /* whoever looks at once, or kills us, finds something */
#define COUNTERS_NS  1000000000ull
#define AFTER_BYTES  (256u << 10)
#define COMMAND      4096
#define OLDER_NS     60000000000ull /* than the collector, at most: it is started by the first process */
#define TURN_NS      20000000ull /* that a process may take of a pass */
#define LOOKS        16u         /* at slots between two looks at the clock */
#define START_SLACK_MS 1000.0 /* a call may have begun before the library knew its start */

void ct_trace_sync(struct ct_trace *t)
{
	ct_clock_sync(&t->clock);
	t->mono_ns = ct_now_ns();
	t->synced = true;
}

uint64_t ct_process_ns(struct ct_trace *t, struct ct_process *p, uint64_t ticks)
{
	uint64_t ns = p->clock == CT_CLOCK_TSC ? ct_clock_ns(&t->clock, &p->base, ticks) : ticks;

	/* Rounding all times alike keeps their order, and what is nested stays so. */
	return ns & ~(uint64_t)(CT_GRAIN_NS - 1);
}

uint64_t ct_process_latest(struct ct_trace *t, const struct ct_process *p)
{
	return p->clock == CT_CLOCK_TSC ? ct_clock_last(&t->clock)->ticks : t->mono_ns;
}

static void process_free(struct ct_process *p)
{
	if (!p)
		return;
	if (p->threads)
		for (uint32_t i = 0; i < p->slot_count; i++) {
			if (!p->threads[i])
				continue;
			free(p->threads[i]->counted);
			free(p->threads[i]->live);
			free(p->threads[i]);
		}
	free(p->threads);
	free(p->consumed);
	free(p->modules);
	free(p->descriptors);
	free(p->locks);
	free(p->holder);
	free(p->live);
	free((char *)p->declared.executable.p);
	free((char *)p->declared.command.p);
	free(p->names);
	ct_events_free(&p->encoder);
	ct_buf_free(&p->after);
	ct_map_free(&p->stacks);
	ct_map_free(&p->codes);
	ct_map_free(&p->bare_fds);
	ct_map_free(&p->tids);
	free(p);
}

static bool allocate(struct ct_process *p)
{
	p->threads = calloc(p->slot_count, sizeof(struct ct_thread *));
	p->consumed = calloc(p->slot_count, sizeof(*p->consumed));
	p->modules = calloc(CT_MODULES, sizeof(*p->modules));
	p->descriptors = calloc(CT_DESCRIPTORS, sizeof(*p->descriptors));
	p->locks = calloc(CT_HOT_LOCKS, sizeof(*p->locks));
	return p->threads && p->consumed && p->modules && p->descriptors && p->locks;
}

static void set_clock(struct ct_trace *t, struct ct_process *p, const struct ct_header *header)
{
	p->clock = header->clock;
	p->ticks_per_ms = 1e6;
	if (p->clock == CT_CLOCK_TSC) {
		/* Ours is measured over a longer time. Without one: a processor
		 * between 10 MHz and 100 GHz is believed. */
		if (ct_clock_rate(&t->clock) > 0)
			p->ticks_per_ms = ct_clock_rate(&t->clock) / 1e3;
		else if (header->ticks_per_ms >= 10000 && header->ticks_per_ms <= 100000000)
			p->ticks_per_ms = (double)header->ticks_per_ms;
	}

	uint64_t latest = ct_process_latest(t, p), slack = (uint64_t)(p->ticks_per_ms * START_SLACK_MS);

	p->base = (struct ct_knot){ .ticks = header->start, .ns = header->start_ns };
	/* Who says to be much older than we are does not know. */
	if (p->base.ticks > latest || p->base.ns > t->mono_ns || p->base.ns + OLDER_NS < t->clock.knot[0].ns ||
	    (p->clock == CT_CLOCK_MONOTONIC && p->base.ticks + OLDER_NS < t->clock.knot[0].ns))
		p->base = (struct ct_knot){ .ticks = latest, .ns = t->mono_ns };
	p->earliest_ticks = p->base.ticks > slack ? p->base.ticks - slack : 0;
}

/* For the generations of a flight recorder that are to come. */
static void remember(struct ct_process *p, const struct ct_record_process_start *r)
{
	char *executable = strndup(r->executable.p, r->executable.n), *command = strndup(r->command.p, r->command.n);

	p->declared = *r;
	p->declared.executable = (struct ct_text){ executable, executable ? r->executable.n : 0 };
	p->declared.command = (struct ct_text){ command, command ? r->command.n : 0 };
}

static void write_start(struct ct_trace *t, struct ct_process *p, const struct ct_header *header)
{
	char command[COMMAND];
	struct ct_text executable = { header->executable, strnlen(header->executable, sizeof(header->executable)) };
	uint64_t start_ns = ct_process_ns(t, p, p->base.ticks);
	struct ct_record r = { .type = CT_RECORD_PROCESS_START, .process_start = {
		.process = p->id,
		.pid = (uint64_t)p->pid,
		.parent_pid = header->parent_pid,
		.start_ns = start_ns,
		.executable = executable,
		.command = executable,
		.ticks_per_ms = (uint64_t)(p->ticks_per_ms + 0.5),
		.min_ns = (uint64_t)((double)header->min_ticks / p->ticks_per_ms * 1e6 + 0.5),
		.features = header->features,
	} };

	/* Arguments may hold passwords: of them a trace has none. */
	if (!ct_proc_program(p->pid, p->executable, command, sizeof(command)))
		r.process_start.command = ct_text_of(command);
	ct_writer_record(&t->writer, &r);
	remember(p, &r.process_start);
	if (!t->first_ns || start_ns < t->first_ns)
		t->first_ns = start_ns;
}

int ct_process_start(struct ct_trace *t, struct ct_region *region, const struct ct_header *header,
		     pid_t pid, int pidfd, struct ct_process **ret)
{
	struct ct_process *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->slot_count = header->slot_count;
	if (!allocate(p)) {
		process_free(p);
		return -ENOMEM;
	}
	p->id = ++t->last_process;
	p->pid = pid;
	p->own_pid = (pid_t)header->pid;
	p->parent_pid = (pid_t)header->parent_pid;
	memcpy(p->executable, header->executable, sizeof(p->executable));
	p->pidfd = pidfd;
	p->region = region;
	p->region_bytes = header->region_bytes;
	ct_trace_sync(t);
	set_clock(t, p, header);
	p->no_rseq = !(header->features & CT_FEATURE_OFF_CPU);
	ct_recording_read(p);
	write_start(t, p, header);
	t->processes++;
	*ret = p;
	return 0;
}

void ct_process_record_after(struct ct_trace *t, struct ct_process *p, const struct ct_record *record)
{
	if (!p->encoder.count) {
		ct_writer_record(&t->writer, record);
		return;
	}
	ct_put_record(&p->after, record);
	p->after_count++;
}

void ct_process_flush(struct ct_trace *t, struct ct_process *p)
{
	ct_writer_events(&t->writer, p->id, &p->encoder);
	ct_writer_records(&t->writer, &p->after, p->after_count);
	ct_buf_clear(&p->after);
	p->after_count = 0;
	p->events_since_ns = 0;
	p->flushed = true;
}

/* With many processes chunks are written less often, or headers and index
 * entries would be most of the file. */
static void flush_if_due(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	uint64_t age_ns = p->flushed ? CHUNK_NS * (1 + t->processes / 8) : FIRST_CHUNK_NS;

	if (age_ns > 15 * CHUNK_NS)
		age_ns = 15 * CHUNK_NS;
	if (!p->encoder.count)
		return;
	if (!p->events_since_ns)
		p->events_since_ns = now_ns;
	if (p->encoder.count >= CHUNK_EVENTS || p->after.size >= AFTER_BYTES ||
	    now_ns - p->events_since_ns >= age_ns)
		ct_process_flush(t, p);
}

static uint32_t slots_used(const struct ct_process *p)
{
	uint32_t used = ct_load_acquire(&p->region->slots_used);

	return used < p->slot_count ? used : p->slot_count;
}

static void rate(struct ct_process *p, uint64_t now_ns)
{
	if (p->rated_ns && now_ns > p->rated_ns)
		p->events_per_s = (uint64_t)((double)(p->events - p->rated_events) * 1e9 / (double)(now_ns - p->rated_ns));
	p->rated_events = p->events;
	p->rated_ns = now_ns;
}

void ct_process_counters(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	p->counters_ns = now_ns + COUNTERS_NS;
	rate(p, now_ns);
	for (uint32_t i = 0; i < p->slot_count && p->thread_count; i++)
		if (p->threads[i]) {
			ct_counters_thread(t, p, p->threads[i]);
			ct_counters_loss(t, p, p->threads[i]);
		}
	ct_counters_locks(t, p);
	ct_counters_loss(t, p, NULL);
}

bool ct_process_is_late(const struct ct_process *p)
{
	return p->late_ns && ct_now_ns() >= p->late_ns;
}

/* All slots, beginning where the pass before was late. Returns like ct_process_pass. */
static unsigned int pass_slots(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	uint32_t used = slots_used(p), first = p->next_slot < used ? p->next_slot : 0;
	unsigned int fullest = 0;

	for (uint32_t i = 0; i < used; i++) {
		uint32_t slot = first + i < used ? first + i : first + i - used;
		unsigned int fill = ct_thread_pass(t, p, slot, now_ns);

		if (fill > fullest)
			fullest = fill;
		if (p->encoder.count >= CHUNK_EVENTS || p->after.size >= AFTER_BYTES)
			ct_process_flush(t, p);
		if ((fill || i % LOOKS == LOOKS - 1) && ct_process_is_late(p)) {
			p->next_slot = slot + 1;
			return 256;
		}
	}
	return fullest;
}

void ct_process_drain(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	uint32_t used = slots_used(p);

	ct_intern_descriptors(t, p);
	for (uint32_t i = 0; i < used; i++)
		ct_thread_pass(t, p, i, now_ns);
}

unsigned int ct_process_pass(struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	p->late_ns = ct_now_ns() + TURN_NS;
	ct_intern_descriptors(t, p);

	unsigned int fullest = pass_slots(t, p, now_ns);

	p->late_ns = 0;
	ct_ends_pass(t, p);
	if (!p->counters_ns)
		p->counters_ns = now_ns + COUNTERS_NS;
	if (now_ns >= p->counters_ns)
		ct_process_counters(t, p, now_ns);
	ct_waiting_pass(t, p, now_ns);
	ct_recording_pass(p, now_ns);
	flush_if_due(t, p, now_ns);
	return fullest;
}

bool ct_process_empty(struct ct_trace *t, struct ct_process *p)
{
	uint32_t used = slots_used(p);

	ct_trace_sync(t);
	p->late_ns = ct_now_ns() + TURN_NS;
	for (; p->next_slot < used; p->next_slot++) {
		ct_thread_look(t, p, p->next_slot);
		if (p->threads[p->next_slot])
			ct_drain(t, p, p->threads[p->next_slot], false);
		if (p->encoder.count >= CHUNK_EVENTS)
			ct_process_flush(t, p);
		if (ct_process_is_late(p))
			break;
	}
	p->late_ns = 0;
	return p->next_slot >= used;
}

void ct_process_finish(struct ct_trace *t, struct ct_process *p, int how, uint64_t end_ns, int status)
{
	uint32_t used = slots_used(p);

	ct_trace_sync(t);
	for (uint32_t i = 0; i < used; i++)
		ct_thread_look(t, p, i);
	if (how != CT_END_EXEC)
		ct_waiting_last(t, p, end_ns, how == CT_END_TRACE);
	for (uint32_t i = 0; i < used; i++) {
		ct_thread_finish(t, p, i, how, end_ns);
		if (p->encoder.count >= CHUNK_EVENTS)
			ct_process_flush(t, p);
	}
	ct_counters_locks(t, p);
	ct_counters_loss(t, p, NULL);
	ct_intern_modules(t, p, UINT32_MAX);
	ct_codes_write(t, p);

	struct ct_record r = { .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = p->id,
		.end_ns = end_ns,
		.how = (uint64_t)how,
		.status = status,
	} };

	ct_process_record_after(t, p, &r);
	ct_process_flush(t, p);
	if (end_ns > t->last_ns)
		t->last_ns = end_ns;
	t->processes--;
	munmap(p->region, p->region_bytes);
	if (p->pidfd >= 0)
		close(p->pidfd);
	process_free(p);
}
