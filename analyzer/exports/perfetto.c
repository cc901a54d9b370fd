/* Clocks, processes and threads, and what was lost. See perfetto.h. */
#include "perfetto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTOR_UUID = 1, DESCRIPTOR_NAME = 2, DESCRIPTOR_PROCESS = 3, DESCRIPTOR_THREAD = 4, DESCRIPTOR_PARENT = 5 };
enum { PROCESS_PID = 1, PROCESS_COMMAND = 2, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum { SNAPSHOT_CLOCK = 1, SNAPSHOT_PRIMARY = 2, CLOCK_ID = 1, CLOCK_TIME = 2 };
enum clock { CLOCK_REAL = 1, CLOCK_MONO = 3, CLOCK_BOOT = 6 };
enum { DEFAULTS_CLOCK = 58 };

/* Packets refer to what was interned in their sequence: there is one. Not a number that
 * other traces use that this one may be put together with. */
#define SEQUENCE  0x63747u
#define OUT_BYTES (64u << 10)

/* --- packets --- */

static int write_out(struct ct_perfetto *p)
{
	if (p->out.failed)
		return -ENOMEM;
	fwrite(p->out.data, 1, p->out.size, p->e->file);
	ct_buf_clear(&p->out);
	/* Whoever opened the file says what went wrong with it. */
	return ferror(p->e->file) ? 1 : 0;
}

size_t ct_pf_begin(struct ct_perfetto *p)
{
	size_t packet = ct_pb_begin(&p->out, PF_TRACE_PACKET);

	ct_pb_uint(&p->out, PF_SEQUENCE, SEQUENCE);
	return packet;
}

int ct_pf_end(struct ct_perfetto *p, size_t begin)
{
	ct_pb_uint(&p->out, PF_SEQUENCE_FLAGS, PF_NEEDS_STATE);
	ct_pb_end(&p->out, begin);
	return p->out.failed ? -ENOMEM : p->out.size >= OUT_BYTES ? write_out(p) : 0;
}

size_t ct_pf_begin_event(struct ct_perfetto *p, size_t *ret_packet, uint64_t ns, enum ct_pf_type type, uint64_t track)
{
	size_t event;

	*ret_packet = ct_pf_begin(p);
	ct_pb_uint(&p->out, PF_TIMESTAMP, ns);
	event = ct_pb_begin(&p->out, PF_TRACK_EVENT);
	ct_pb_uint(&p->out, PF_EVENT_TYPE, type);
	ct_pb_uint(&p->out, PF_EVENT_TRACK, track);
	return event;
}

int ct_pf_end_event(struct ct_perfetto *p, size_t packet, size_t event)
{
	ct_pb_end(&p->out, event);
	return ct_pf_end(p, packet);
}

/* --- clocks --- */

static void put_clock(struct ct_buf *b, enum clock id, uint64_t ns)
{
	size_t clock = ct_pb_begin(b, SNAPSHOT_CLOCK);

	ct_pb_uint(b, CLOCK_ID, id);
	ct_pb_uint(b, CLOCK_TIME, ns);
	ct_pb_end(b, clock);
}

/* All times are of CLOCK_MONOTONIC but those of ftrace events, which readers take for
 * CLOCK_BOOTTIME. Where the trace does not know how far that is ahead (by the time that
 * the machine was suspended), the two are told to be the same. */
static int put_clocks(struct ct_perfetto *p)
{
	const struct ct_file_header *h = &p->source.context->reader.header;
	struct ct_buf *b = &p->out;
	size_t packet = ct_pb_begin(b, PF_TRACE_PACKET), part;

	p->boot_ns = strtoll(ct_model_meta(&p->source.m, "boottime_offset_ns"), NULL, 10);
	ct_pb_uint(b, PF_SEQUENCE, SEQUENCE);
	ct_pb_uint(b, PF_SEQUENCE_FLAGS, PF_STATE_CLEARED);
	part = ct_pb_begin(b, PF_DEFAULTS);
	ct_pb_uint(b, DEFAULTS_CLOCK, CLOCK_MONO);
	ct_pb_end(b, part);
	part = ct_pb_begin(b, PF_CLOCK_SNAPSHOT);
	put_clock(b, CLOCK_MONO, h->start_ns);
	put_clock(b, CLOCK_BOOT, h->start_ns + (uint64_t)p->boot_ns);
	if (h->start_real_ns)
		put_clock(b, CLOCK_REAL, h->start_real_ns);
	ct_pb_uint(b, SNAPSHOT_PRIMARY, CLOCK_MONO);
	ct_pb_end(b, part);
	ct_pb_end(b, packet);
	return b->failed ? -ENOMEM : 0;
}

/* --- tracks --- */

/* Numbers of tracks hold for all of a reader's traces together: each trace has its own,
 * if not too far apart, for they are in every packet. */
static uint64_t first_track(const struct ct_perfetto *p)
{
	return (ct_mix(p->source.context->reader.header.start_ns) >> 37) + 1;
}

uint64_t ct_pf_thread_track(const struct ct_perfetto *p, uint32_t waker)
{
	const struct ct_model *m = &p->source.m;

	return p->track + (waker < CT_OUTSIDE ? waker : (uint64_t)m->thread_count + waker - CT_OUTSIDE);
}

/* Behind those of threads and outsiders. */
uint64_t ct_pf_process_track(const struct ct_perfetto *p, uint32_t process)
{
	return p->track + 0x40000000000ull + process;
}

uint64_t ct_pf_task_track(const struct ct_perfetto *p, uint64_t number)
{
	return p->track + 0x100000000000ull + number;
}

uint64_t ct_pf_lost_track(const struct ct_perfetto *p, uint32_t cpu)
{
	return p->track + 0x80000000000ull + (cpu == CT_NO ? 0 : 1ull + cpu);
}

static size_t begin_descriptor(struct ct_perfetto *p, size_t *ret_packet, uint64_t uuid)
{
	size_t descriptor;

	*ret_packet = ct_pf_begin(p);
	descriptor = ct_pb_begin(&p->out, PF_TRACK_DESCRIPTOR);
	ct_pb_uint(&p->out, DESCRIPTOR_UUID, uuid);
	return descriptor;
}

static int end_descriptor(struct ct_perfetto *p, size_t packet, size_t descriptor)
{
	ct_pb_end(&p->out, descriptor);
	return ct_pf_end(p, packet);
}

static int put_process(struct ct_perfetto *p, uint32_t process)
{
	const struct ct_process_info *info = &p->source.m.process[process];
	size_t packet, descriptor = begin_descriptor(p, &packet, ct_pf_process_track(p, process)), part;

	part = ct_pb_begin(&p->out, DESCRIPTOR_PROCESS);
	ct_pb_uint(&p->out, PROCESS_PID, info->pid);
	if (info->command && *info->command)
		ct_pb_text(&p->out, PROCESS_COMMAND, info->command);
	if (info->executable && *info->executable)
		ct_pb_text(&p->out, PROCESS_NAME, ct_base_name(info->executable));
	ct_pb_end(&p->out, part);
	return end_descriptor(p, packet, descriptor);
}

static int put_thread(struct ct_perfetto *p, uint32_t waker, uint64_t pid, uint64_t tid, const char *name)
{
	size_t packet, descriptor = begin_descriptor(p, &packet, ct_pf_thread_track(p, waker)), part;

	part = ct_pb_begin(&p->out, DESCRIPTOR_THREAD);
	ct_pb_uint(&p->out, THREAD_PID, pid);
	ct_pb_uint(&p->out, THREAD_TID, tid);
	if (name && *name)
		ct_pb_text(&p->out, THREAD_NAME, name);
	ct_pb_end(&p->out, part);
	return end_descriptor(p, packet, descriptor);
}

int ct_pf_tell_thread(struct ct_perfetto *p, uint32_t waker)
{
	const struct ct_model *m = &p->source.m;

	if (waker < CT_OUTSIDE) {
		const struct ct_thread_info *t = &m->thread[waker];

		if (p->told[waker])
			return 0;
		p->told[waker] = true;
		return put_thread(p, waker, m->process[t->process].pid, t->tid, t->name);
	}
	while (p->outsider_count <= waker - CT_OUTSIDE)
		if (!CT_APPEND(p, outsider))
			return -ENOMEM;
	if (p->outsider[waker - CT_OUTSIDE]++)
		return 0;
	const struct ct_outsider *o = &p->source.wakes.outsider[waker - CT_OUTSIDE];

	return put_thread(p, waker, o->pid, o->tid, o->name);
}

int ct_pf_put_track(struct ct_perfetto *p, uint64_t uuid, uint64_t parent, const char *name)
{
	size_t packet, descriptor = begin_descriptor(p, &packet, uuid);

	if (parent)
		ct_pb_uint(&p->out, DESCRIPTOR_PARENT, parent);
	ct_pb_text(&p->out, DESCRIPTOR_NAME, name);
	return end_descriptor(p, packet, descriptor);
}

int ct_pf_tell_track(struct ct_perfetto *p, uint64_t uuid, uint64_t parent, const char *name)
{
	for (uint32_t i = 0; i < p->track_told_count; i++)
		if (p->track_told[i] == uuid)
			return 0;
	uint64_t *told = CT_APPEND(p, track_told);

	if (!told)
		return -ENOMEM;
	*told = uuid;
	int error = ct_pf_put_track(p, uuid, parent, name);

	return error || !parent ? error : ct_pf_tell_track(p, parent, 0, "lost data");
}

/* All that were alive: those without a wait have a track too. */
static int put_tracks(struct ct_perfetto *p)
{
	const struct ct_model *m = &p->source.m;
	int error = 0;

	for (uint32_t i = 0; i < m->process_count && !error; i++)
		if (m->process[i].selected && m->process[i].started)
			error = put_process(p, i);
	for (uint32_t i = 0; i < m->thread_count && !error; i++)
		if (m->thread[i].started && ct_source_shows(&p->source, i))
			error = ct_pf_tell_thread(p, i);
	return error;
}

/* --- what was lost --- */

static int put_loss(struct ct_perfetto *p, uint64_t track, uint64_t ns, const char *what, uint64_t count)
{
	size_t packet, event = ct_pf_begin_event(p, &packet, ns, PF_INSTANT, track);

	ct_pb_uint(&p->out, PF_EVENT_CATEGORY, PF_CATEGORY_LOST);
	ct_pb_text(&p->out, PF_EVENT_NAME, what);
	if (count)
		ct_pf_annotate_uint(&p->out, PF_KEY_COUNT, count);
	return ct_pf_end_event(p, packet, event);
}

/* When is not known: at the end. */
static int put_losses(struct ct_perfetto *p)
{
	static const char *const kinds[CT_LOSS_KINDS] = {
		[CT_LOSS_STACKS] = "call stacks lost",
		[CT_LOSS_THREADS] = "threads that are not in the trace",
		[CT_LOSS_MODULES] = "shared objects lost",
		[CT_LOSS_DAMAGED] = "events that made no sense",
	};
	const struct ct_model *m = &p->source.m;
	uint64_t end_ns = m->end_ns < m->to_ns ? m->end_ns : m->to_ns, track = ct_pf_lost_track(p, CT_NO);
	const struct ct_reader *r = &p->source.context->reader;
	int error = 0;

	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		uint64_t from_ns, to_ns;

		if (!m->thread[i].dropped || !ct_source_shows(&p->source, i))
			continue;
		ct_source_life(&p->source, i, &from_ns, &to_ns);
		error = ct_pf_tell_thread(p, i);
		if (!error)
			error = put_loss(p, ct_pf_thread_track(p, i), to_ns, "events lost", m->thread[i].dropped);
	}
	for (uint32_t i = 0; i < CT_LOSS_KINDS && !error; i++) {
		if (!kinds[i] || !m->lost[i])
			continue;
		error = ct_pf_tell_track(p, track, 0, "lost data");
		if (!error)
			error = put_loss(p, track, end_ns, kinds[i], m->lost[i]);
	}
	if (!error && (r->damaged || !r->has_trailer)) {
		error = ct_pf_tell_track(p, track, 0, "lost data");
		if (!error)
			error = put_loss(p, track, end_ns,
					 r->damaged ? "the trace is damaged" : "the trace has no end", r->damaged);
	}
	return error;
}

static int write_all(struct ct_perfetto *p)
{
	const struct ct_model *m = &p->source.m;

	p->track = first_track(p);
	p->told = calloc(m->thread_count + 1u, sizeof(*p->told));
	p->thread_string = calloc(m->thread_count + 1u, sizeof(*p->thread_string));
	p->mapping = calloc(m->file_count + 1u, sizeof(*p->mapping));
	if (!p->told || !p->thread_string || !p->mapping)
		return -ENOMEM;
	int error = put_clocks(p);

	if (!error)
		error = ct_pf_intern_fixed(p);
	if (!error)
		error = put_tracks(p);
	if (!error)
		error = ct_pf_waits(p);
	if (!error)
		error = ct_pf_marks(p);
	if (!error)
		error = ct_pf_sched(p);
	if (!error)
		error = put_losses(p);
	return error ? error : write_out(p);
}

int ct_export_perfetto(struct ct_export *e)
{
	struct ct_perfetto p = { .e = e };
	int error = ct_source_open(&p.source, e->context);

	if (!error)
		error = write_all(&p);
	ct_pf_intern_free(&p);
	ct_pf_sched_free(&p);
	ct_source_close(&p.source);
	free(p.told);
	free(p.outsider);
	free(p.track_told);
	ct_buf_free(&p.out);
	return error > 0 ? 0 : error;
}
