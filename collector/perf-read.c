/* From a perf ring to records. See perf.h; the layouts are those of perf_event_open(2). */
#include <linux/perf_event.h>
#include <string.h>

#include "atomics.h"
#include "perf.h"
#include "trace.h"

#define RECORD_MAX   256u /* ours are shorter; of longer ones the end is left out */
#define FLAG_HARDIRQ 0x08u /* common_flags of a tracepoint */
#define FLAG_SOFTIRQ 0x10u
#define FLAG_NMI     0x40u

/* What every record but a sample ends with, and a sample begins with. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t ns;
	uint32_t cpu, reserved;
};

struct task_record {
	uint32_t pid, parent_pid, tid, parent_tid;
	uint64_t ns;
};

static void copy(const struct ct_perf_ring *r, uint64_t at, void *to, size_t n)
{
	uint64_t offset = at & (r->data_bytes - 1), first = r->data_bytes - offset;

	if (first > n)
		first = n;
	memcpy(to, r->data + offset, first);
	memcpy((char *)to + first, r->data, n - first);
}

static bool read_waking(const uint8_t *body, size_t n, const struct ct_perf_layout *layout, struct ct_perf_record *ret)
{
	struct sample_id id;
	uint32_t raw_bytes, tid;

	if (n < sizeof(id) + sizeof(raw_bytes))
		return false;
	memcpy(&id, body, sizeof(id));
	memcpy(&raw_bytes, body + sizeof(id), sizeof(raw_bytes));
	body += sizeof(id) + sizeof(raw_bytes);
	n -= sizeof(id) + sizeof(raw_bytes);
	if (raw_bytes > n || layout->tid_offset + sizeof(tid) > raw_bytes || layout->flags_offset >= raw_bytes)
		return false;
	memcpy(&tid, body + layout->tid_offset, sizeof(tid));
	uint8_t flags = body[layout->flags_offset];

	*ret = (struct ct_perf_record){
		.kind = CT_PERF_WAKING,
		.tid = tid,
		.by_pid = id.pid,
		.by_tid = id.tid,
		.flags = flags & (FLAG_HARDIRQ | FLAG_NMI) ? CT_SL_HARDIRQ : flags & FLAG_SOFTIRQ ? CT_SL_SOFTIRQ : 0,
		.ns = id.ns,
	};
	return true;
}

static bool read_task(const uint8_t *body, size_t n, struct ct_perf_record *ret)
{
	struct task_record task;

	if (n < sizeof(task))
		return false;
	memcpy(&task, body, sizeof(task));
	ret->pid = task.pid;
	ret->tid = task.tid;
	return true;
}

static bool read_name(const uint8_t *body, size_t n, struct ct_perf_record *ret)
{
	if (n < 8)
		return false;
	memcpy(&ret->pid, body, 4);
	memcpy(&ret->tid, body + 4, 4);
	n -= 8;
	memcpy(ret->name, body + 8, n < sizeof(ret->name) ? n : sizeof(ret->name) - 1);
	ret->name[sizeof(ret->name) - 1] = 0;
	return true;
}

/* A record of n bytes; false: not one of ours. */
static bool read_record(const uint8_t *record, size_t n, const struct ct_perf_layout *layout,
			struct ct_perf_record *ret)
{
	struct perf_event_header h;
	struct sample_id id;

	memcpy(&h, record, sizeof(h));
	const uint8_t *body = record + sizeof(h);

	n -= sizeof(h);
	if (h.type == PERF_RECORD_SAMPLE)
		return read_waking(body, n, layout, ret);
	if (n < sizeof(id))
		return false;
	n -= sizeof(id);
	memcpy(&id, body + n, sizeof(id));
	*ret = (struct ct_perf_record){
		.pid = id.pid, .tid = id.tid, .by_pid = id.pid, .by_tid = id.tid, .ns = id.ns,
	};
	switch (h.type) {
	case PERF_RECORD_SWITCH:
		if (!(h.misc & PERF_RECORD_MISC_SWITCH_OUT))
			ret->kind = CT_PERF_IN;
		else
			ret->kind = h.misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT ? CT_PERF_PREEMPTED : CT_PERF_BLOCKED;
		return true;
	case PERF_RECORD_FORK:
		ret->kind = CT_PERF_FORK;
		return read_task(body, n, ret);
	case PERF_RECORD_EXIT:
		ret->kind = CT_PERF_EXIT;
		return read_task(body, n, ret);
	case PERF_RECORD_COMM:
		ret->kind = CT_PERF_NAME;
		return read_name(body, n, ret);
	case PERF_RECORD_LOST:
		ret->kind = CT_PERF_LOST;
		if (n < 16)
			return false;
		memcpy(&ret->lost, body + 8, sizeof(ret->lost));
		return true;
	}
	return false;
}

unsigned int ct_perf_begin(struct ct_perf_ring *r)
{
	/* The kernel publishes a record by moving the head. */
	r->limit = ct_load_acquire(r->head);
	uint64_t n = r->limit - r->at;

	/* It never overtakes us; if it had, nothing there could be told. */
	if (n > r->data_bytes) {
		r->at = r->limit;
		return 256;
	}
	return (unsigned int)(n * 256 / r->data_bytes);
}

const struct ct_perf_record *ct_perf_peek(struct ct_perf_ring *r, const struct ct_perf_layout *layout)
{
	uint8_t record[RECORD_MAX];

	while (!r->next.kind) {
		struct perf_event_header h;

		if (r->limit - r->at < sizeof(h))
			return NULL;
		copy(r, r->at, &h, sizeof(h));
		if (h.size < sizeof(h) || h.size > r->limit - r->at) {
			r->at = r->limit;
			return NULL;
		}
		uint64_t at = r->at;

		r->at += h.size;
		if (h.size > sizeof(record))
			continue;
		copy(r, at, record, h.size);
		if (!read_record(record, h.size, layout, &r->next))
			r->next.kind = 0;
		/* Room is wanted back soon where much was written. */
		if (r->at - ct_load(r->tail) > r->data_bytes / 8)
			ct_perf_end(r);
	}
	return &r->next;
}

void ct_perf_end(struct ct_perf_ring *r)
{
	/* All reads are done before the kernel may write there. */
	ct_store_release(r->tail, r->at);
}
