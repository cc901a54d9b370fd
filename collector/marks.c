/* What programs say of themselves (include/ctrace.h): from ring entries to the trace. */
#include <string.h>

#include "atomics.h"
#include "process.h"

void ct_marks_region(struct ct_trace *t, struct ct_process *p, struct ct_site *site, const struct ct_event *e)
{
	uint64_t task = (uint64_t)e->result;

	site->object = ct_intern_name(t, p, e->object);
	/* The name of another process's task is in a table of its own. */
	site->aux = task && CT_TASK_PID(task) == ct_load(&p->region->pid) ? ct_intern_name(t, p, CT_TASK_NAME(task)) : 0;
	site->object_kind = CT_OBJECT_NAME;
}

bool ct_line_is_sound(const struct ct_event *e)
{
	return e->kind == CT_LINE_LOG ? e->aux <= CT_LOG_BYTES : e->kind < CT_LINE_LOG;
}

static void write_task(struct ct_trace *t, struct ct_process *p, const struct ct_thread *th, const struct ct_event *e)
{
	struct ct_record r = { .type = CT_RECORD_TASK_END, .task_end = {
		.task = (uint64_t)e->result,
		.thread = th->id,
		.time_ns = ct_process_ns(t, p, e->end),
	} };

	if (e->kind == CT_LINE_TASK_BEGIN)
		r = (struct ct_record){ .type = CT_RECORD_TASK_BEGIN, .task_begin = {
			.task = (uint64_t)e->result,
			.thread = th->id,
			.time_ns = ct_process_ns(t, p, e->start),
			.name = ct_intern_name(t, p, e->object),
			.parent = e->aux,
		} };
	ct_writer_record(&t->writer, &r);
}

/* Copies the text behind entry n; false: it is not what it should be. */
static bool read_text(const struct ct_region *r, const struct ct_slot *s, uint64_t n, char *text, uint64_t bytes)
{
	typedef uint64_t __attribute__((may_alias)) word;
	uint64_t words[CT_LINE_BYTES / sizeof(uint64_t)];

	for (uint64_t from = 0; from < bytes; from += CT_LINE_BYTES) {
		const struct ct_event *e = ct_drain_entry(r, s, ++n);

		if (!e || ct_load(&e->kind) != CT_LINE_TEXT)
			return false;
		const word *shared = (const word *)&e->start;

		for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			words[i] = ct_load(&shared[i]);
		memcpy(text + from, words, bytes - from < CT_LINE_BYTES ? bytes - from : CT_LINE_BYTES);
	}
	return true;
}

static uint64_t take_log(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, const struct ct_event *e,
			 uint64_t n)
{
	char text[CT_LOG_BYTES];

	if (!read_text(p->region, &p->region->slots[th->slot], n, text, e->aux)) {
		th->damaged++;
		t->lost++;
		p->lost++;
		return 0;
	}
	struct ct_record r = { .type = CT_RECORD_LOG, .log = {
		.thread = th->id,
		.time_ns = ct_process_ns(t, p, e->start),
		.task = (uint64_t)e->result,
		.category = ct_intern_name(t, p, e->object),
		.message = { text, e->aux },
	} };

	ct_writer_record(&t->writer, &r);
	return (e->aux + CT_LINE_BYTES - 1) / CT_LINE_BYTES;
}

uint64_t ct_line_take(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, const struct ct_event *e,
		      uint64_t n)
{
	uint64_t end_ns = ct_process_ns(t, p, e->end);

	if (end_ns > th->last_end_ns)
		th->last_end_ns = end_ns;
	if (e->kind == CT_LINE_LOG)
		return take_log(t, p, th, e, n);
	write_task(t, p, th, e);
	return 0;
}
