/*
 * What the program says of itself: regions, tasks, log lines (include/ctrace.h).
 *
 * Names are kept in the region, so that a region's begin and end are an event each; the text
 * of a log line goes through the ring behind it. Signal handlers may come here at any time,
 * also between any two lines of an interrupted call of ours.
 */
#include "real.h"

#include "record.h"
#include "rings.h"
#include "../include/ctrace.h"

#define PROBES 64u

/* The calling thread's slot in this process; NULL: not traced. */
static struct ct_slot *own_slot(void)
{
	struct ct_slot *slot = ct_self();

	if (CT_UNLIKELY(slot && !*ct_state.alive)) {
		ct_forked();
		slot = ct_thread.slot;
	}
	return slot;
}

/* FNV-1a, Fowler, Noll and Vo; of at most a name's length, which it returns. */
static size_t measure(const char *text, uint32_t *ret_hash)
{
	uint32_t h = 2166136261u;
	size_t n = 0;

	for (; n < CT_NAME_TEXT - 1 && text[n]; n++)
		h = (h ^ (uint8_t)text[n]) * 16777619u;
	*ret_hash = h ^ h >> 15;
	return n;
}

static bool same_text(const struct ct_name *name, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name->text[i] != text[i])
			return false;
	return !name->text[n];
}

/* The place of a name in names[], 0: none is left near where it belongs. An entry that somebody
 * has claimed and not yet filled in is passed over: it may be we who were interrupted there. */
static uint32_t find_name(const char *text)
{
	struct ct_name *names = ct_state.region->names;
	uint32_t hash;
	size_t n = measure(text, &hash);

	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t at = (hash + i) % CT_NAMES, state;
		struct ct_name *name = &names[at];

		if (!at)
			continue;
		state = ct_load_acquire(&name->state);
		if (state == (hash | CT_NAME_READY) && same_text(name, text, n))
			return at;
		if (state || !ct_cas(&name->state, &state, (hash & ~1u) | CT_NAME_CLAIMED))
			continue;
		for (size_t k = 0; k < n; k++)
			name->text[k] = text[k];
		name->text[n] = 0;
		ct_store_release(&name->state, hash | CT_NAME_READY);
		return at;
	}
	return 0;
}

static uint32_t name_of(const char *text)
{
	return find_name(text ? text : "(null)");
}

static void write_mark(struct ct_slot *slot, unsigned int kind, uint64_t object, uint64_t aux, uint64_t task)
{
	uint64_t now = ct_ticks();
	struct ct_event e = {
		.start = now,
		.end = now,
		.object = object,
		.aux = aux,
		.result = (int64_t)task,
		.kind = (uint8_t)kind,
		.object_kind = kind < CT_EVENT_KINDS ? CT_OBJECT_NAME : CT_OBJECT_NONE,
	};

	ct_write_event(slot, &e);
}

/*
 * While nothing at all is recorded, nothing that the program begins is either. What had begun before
 * ends in the trace whenever it ends. So each open region has a bit in regions_unsaid, which
 * handlers leave as they found it; those deeper than 64 are taken for said.
 */
static bool is_off(void)
{
	return CT_UNLIKELY((ct_load(&ct_live.off) & CT_FAMILIES_ALL) == CT_FAMILIES_ALL);
}

static void region_begin(uint64_t task, const char *name)
{
	struct ct_slot *slot = own_slot();

	if (!slot)
		return;
	bool off = is_off();

	ct_thread.regions_unsaid = ct_thread.regions_unsaid << 1 | off;
	if (!off)
		write_mark(slot, CT_EVENT_REGION_BEGIN, name_of(name), 0, task);
}

static void region_end(const char *name)
{
	struct ct_slot *slot = own_slot();

	if (!slot)
		return;
	bool unsaid = ct_thread.regions_unsaid & 1;

	ct_thread.regions_unsaid >>= 1;
	if (!unsaid)
		write_mark(slot, CT_EVENT_REGION_END, name_of(name), 0, 0);
}

static uint64_t task_begin(const char *name, uint64_t parent)
{
	struct ct_slot *slot = own_slot();

	if (!slot || is_off())
		return 0;
	struct ct_region *r = ct_state.region;
	uint32_t at = name_of(name);
	uint64_t task = CT_TASK(r->pid, ct_fetch_add(&r->tasks, 1), at);

	write_mark(slot, CT_LINE_TASK_BEGIN, at, parent, task);
	return task;
}

static void task_end(uint64_t task)
{
	struct ct_slot *slot = own_slot();

	if (slot)
		write_mark(slot, CT_LINE_TASK_END, 0, 0, task);
}

static void put_text(struct ct_event *e, const char *text, size_t n)
{
	char *to = (char *)&e->start;

	for (size_t i = 0; i < n; i++)
		to[i] = text[i];
}

/* The line and its text in entries one after the other. */
static void write_log(struct ct_slot *slot, const struct ct_event *line, const char *text, size_t bytes)
{
	uint32_t lines = (uint32_t)((bytes + CT_LINE_BYTES - 1) / CT_LINE_BYTES);
	uint64_t number;

	if (!ct_reserve(slot, lines + 1, &number))
		return;

	for (uint32_t i = 0; i < lines; i++) {
		struct ct_event *e = ct_entry(slot, number + 1 + i);
		size_t from = i * CT_LINE_BYTES, left = bytes - from;

		put_text(e, text + from, left < CT_LINE_BYTES ? left : CT_LINE_BYTES);
		e->call = CT_CALL_NONE;
		e->kind = CT_LINE_TEXT;
		e->cause = CT_CAUSE_NONE;
		e->flags = e->object_kind = 0;
		e->reserved = 0;
		ct_store_release(&e->seq, ct_seq(number + 1 + i));
	}
	struct ct_event *e = ct_entry(slot, number);

	e->start = line->start;
	e->end = line->end;
	e->object = line->object;
	e->aux = line->aux;
	e->result = line->result;
	e->stack = e->owner = 0;
	e->call = CT_CALL_NONE;
	e->kind = CT_LINE_LOG;
	e->cause = CT_CAUSE_NONE;
	e->flags = e->object_kind = 0;
	e->reserved = 0;
	/* Publishes the text, too. */
	ct_store_release(&e->seq, ct_seq(number));
}

static void log_line(uint64_t task, const char *category, const char *message)
{
	struct ct_slot *slot = own_slot();
	size_t bytes = 0;

	if (!slot || is_off())
		return;
	if (!message)
		message = "(null)";
	while (bytes < CT_LOG_BYTES && message[bytes])
		bytes++;

	struct ct_event line = {
		.object = name_of(category),
		.aux = bytes,
		.result = (int64_t)task,
	};

	line.start = line.end = ct_ticks();
	/* As in ct_write_event: a handler may have forked meanwhile. */
	if (*ct_state.alive && slot == ct_thread.slot)
		write_log(slot, &line, message, bytes);
}

/* A program finds it by its name. */
__attribute__((visibility("default"))) extern const struct ctrace_calls ctrace_calls_v1;
const struct ctrace_calls ctrace_calls_v1 = {
	.bytes = sizeof(struct ctrace_calls),
	.region_begin = region_begin,
	.region_end = region_end,
	.task_begin = task_begin,
	.task_end = task_end,
	.log = log_line,
};
