/* Checks of records. See rules.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules.h"

void ct_violation(struct ct_check *k, const char *format, ...)
{
	char *text;
	va_list args;

	if (k->violations++ >= CT_CHECK_SHOWN)
		return;
	va_start(args, format);
	int n = vasprintf(&text, format, args);

	va_end(args);
	if (n < 0)
		return;
	char **place = CT_APPEND(k, violation);

	if (!place || asprintf(place, "chunk at %llu: %s", (unsigned long long)k->place, text) < 0)
		k->violation_count -= place != NULL;
	free(text);
}

void ct_check_free(struct ct_check *k)
{
	struct ct_table *tables[] = { &k->causes,  &k->calls,  &k->processes,  &k->threads,
				      &k->modules, &k->stacks, &k->descriptors, &k->names, &k->cpus, &k->tasks };

	for (uint32_t i = 0; i < k->violation_count; i++)
		free(k->violation[i]);
	free(k->violation);
	free(k->thread);
	free(k->entry);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		ct_table_free(tables[i]);
	ct_events_close(&k->decoder);
	free(k->line);
	ct_switches_close(&k->switches);
}

/* Defines an id that must be new. */
static int define(struct ct_check *k, struct ct_table *table, const char *what, uint64_t process, uint64_t id)
{
	if (!id || id > UINT32_MAX || process > UINT32_MAX) {
		ct_violation(k, "%s %llu: no such id can be", what, (unsigned long long)id);
		return 0;
	}
	uint64_t key = ct_pair((uint32_t)process, (uint32_t)id);

	if (ct_table_get(table, key)) {
		ct_violation(k, "%s %llu is defined a second time", what, (unsigned long long)id);
		return 0;
	}
	return ct_table_put(table, key, 1);
}

/* Defines an id that may come again if it means the same: hash says what. */
static int define_again(struct ct_check *k, struct ct_table *table, const char *what, uint64_t process, uint64_t id,
			uint64_t hash)
{
	uint64_t key = ct_pair((uint32_t)process, (uint32_t)id);
	uint32_t value = (uint32_t)ct_mix(hash) | 1, before = ct_table_get(table, key);

	if (!before || !id || id > UINT32_MAX || process > UINT32_MAX)
		return define(k, table, what, process, id) ?: ct_table_put(table, key, value);
	if (before != value)
		ct_violation(k, "%s %llu is defined a second time, as another one", what, (unsigned long long)id);
	return 0;
}

static uint64_t hash_stack(const struct ct_record_stack *r)
{
	struct ct_span packed = r->frames.packed;
	uint64_t hash = r->epoch, frame;

	while (!ct_get_varint(&packed, &frame))
		hash = ct_mix(hash ^ frame) + 1;
	return hash;
}

static uint64_t hash_text(const struct ct_text *text)
{
	uint64_t hash = text->n;

	for (size_t i = 0; i < text->n; i++)
		hash = ct_mix(hash ^ (uint8_t)text->p[i]) + 1;
	return hash;
}

static void need_process(struct ct_check *k, const char *what, uint64_t process)
{
	if (!ct_table_get(&k->processes, process))
		ct_violation(k, "%s names process %llu, which is not defined before it", what,
			     (unsigned long long)process);
}

static struct ct_check_thread *need_thread(struct ct_check *k, const char *what, uint64_t id)
{
	uint32_t at = ct_table_get(&k->threads, id);

	if (!at)
		ct_violation(k, "%s names thread %llu, which is not defined before it", what, (unsigned long long)id);
	return at ? &k->thread[at - 1] : NULL;
}

static int check_thread_start(struct ct_check *k, const struct ct_record_thread_start *r)
{
	need_process(k, "THREAD_START", r->process);
	if (!r->thread || r->thread > UINT32_MAX || ct_table_get(&k->threads, r->thread)) {
		ct_violation(k, "thread %llu is defined a second time, or cannot be", (unsigned long long)r->thread);
		return 0;
	}
	struct ct_check_thread *t = CT_APPEND(k, thread);

	if (!t)
		return -ENOMEM;
	*t = (struct ct_check_thread){ (uint32_t)r->thread, (uint32_t)r->process, r->start_ns, 0, 0 };
	return ct_table_put(&k->threads, r->thread, k->thread_count);
}

static void check_thread_end(struct ct_check *k, const struct ct_record_thread_end *r)
{
	struct ct_check_thread *t = need_thread(k, "THREAD_END", r->thread);

	if (!t)
		return;
	if (t->end_ns)
		ct_violation(k, "thread %u ends a second time", t->id);
	if (r->end_ns < t->start_ns)
		ct_violation(k, "thread %u ends before it begins", t->id);
	if (r->end_ns < t->last_end_ns)
		ct_violation(k, "thread %u ends %llu ns before its last event", t->id,
			     (unsigned long long)(t->last_end_ns - r->end_ns));
	t->end_ns = r->end_ns ? r->end_ns : 1;
}

static int check_module(struct ct_check *k, const struct ct_record_module *r)
{
	need_process(k, "MODULE", r->process);
	if (r->start >= r->end || r->epoch_first > r->epoch_last)
		ct_violation(k, "module %llu is empty", (unsigned long long)r->module);
	/* A module may come again: its last epoch has grown. */
	return ct_table_put(&k->modules, r->module, 1);
}

static void check_waiting(struct ct_check *k, const struct ct_record_waiting *r)
{
	const struct ct_check_thread *t = need_thread(k, "WAITING", r->thread);

	if (!t || !r->call)
		return;
	if (t->end_ns)
		ct_violation(k, "thread %u waits after its end", t->id);
	if (r->start_ns > r->seen_ns)
		ct_violation(k, "a wait of thread %u begins after it was seen", t->id);
	if (!ct_table_get(&k->calls, r->call) || !ct_table_get(&k->causes, r->cause))
		ct_violation(k, "WAITING names call %llu or cause %llu, which is not defined before it",
			     (unsigned long long)r->call, (unsigned long long)r->cause);
	if (r->stack && (r->stack > UINT32_MAX || !ct_table_get(&k->stacks, ct_pair(t->process, (uint32_t)r->stack))))
		ct_violation(k, "WAITING names stack %llu, which is not defined before it", (unsigned long long)r->stack);
}

static void need_name(struct ct_check *k, const char *what, uint64_t id)
{
	if (id && !ct_table_get(&k->names, id))
		ct_violation(k, "%s names name %llu, which is not defined before it", what, (unsigned long long)id);
}

static void check_holder(struct ct_check *k, const struct ct_record_holder *r)
{
	need_process(k, "HOLDER", r->process);
	if (r->stack && (r->process > UINT32_MAX || r->stack > UINT32_MAX ||
			 !ct_table_get(&k->stacks, ct_pair((uint32_t)r->process, (uint32_t)r->stack))))
		ct_violation(k, "HOLDER names stack %llu, which is not defined before it", (unsigned long long)r->stack);
}

static int check_record(struct ct_check *k, const struct ct_record *r)
{
	if (k->end_seen)
		ct_violation(k, "a record stands behind END");
	switch (r->type) {
	case CT_RECORD_CAUSE:
		return ct_table_put(&k->causes, r->cause.id, 1);
	case CT_RECORD_CALL:
		if (!ct_table_get(&k->causes, r->call.cause))
			ct_violation(k, "call %llu has an unknown cause", (unsigned long long)r->call.id);
		return define(k, &k->calls, "call", 0, r->call.id);
	case CT_RECORD_PROCESS_START:
		return define(k, &k->processes, "process", 0, r->process_start.process);
	case CT_RECORD_PROCESS_END:
		need_process(k, "PROCESS_END", r->process_end.process);
		break;
	case CT_RECORD_THREAD_START:
		return check_thread_start(k, &r->thread_start);
	case CT_RECORD_THREAD_NAME:
		need_thread(k, "THREAD_NAME", r->thread_name.thread);
		break;
	case CT_RECORD_THREAD_END:
		check_thread_end(k, &r->thread_end);
		break;
	case CT_RECORD_MODULE:
		return check_module(k, &r->module);
	case CT_RECORD_STACK:
		need_process(k, "STACK", r->stack.process);
		return define_again(k, &k->stacks, "stack", r->stack.process, r->stack.stack, hash_stack(&r->stack));
	case CT_RECORD_DESCRIPTOR:
		need_process(k, "DESCRIPTOR", r->descriptor.process);
		/* What is known of one can have become less. */
		return define_again(k, &k->descriptors, "descriptor", r->descriptor.process, r->descriptor.descriptor,
				    (uint64_t)r->descriptor.fd);
	case CT_RECORD_NAME:
		return define_again(k, &k->names, "name", 0, r->name.name, hash_text(&r->name.text));
	case CT_RECORD_TASK_BEGIN:
		need_thread(k, "TASK_BEGIN", r->task_begin.thread);
		need_name(k, "TASK_BEGIN", r->task_begin.name);
		break;
	case CT_RECORD_TASK_END:
		need_thread(k, "TASK_END", r->task_end.thread);
		break;
	case CT_RECORD_LOG:
		need_thread(k, "LOG", r->log.thread);
		need_name(k, "LOG", r->log.category);
		break;
	case CT_RECORD_COUNTERS:
		need_thread(k, "COUNTERS", r->counters.thread);
		if (!ct_table_get(&k->calls, r->counters.call))
			ct_violation(k, "COUNTERS names call %llu, which is not defined before it",
				     (unsigned long long)r->counters.call);
		break;
	case CT_RECORD_LOCK:
		need_process(k, "LOCK", r->lock.process);
		break;
	case CT_RECORD_LOSS:
		if (r->loss.thread)
			need_thread(k, "LOSS", r->loss.thread);
		if (r->loss.what == CT_LOSS_EVENTS)
			k->lost_events += r->loss.count;
		if (r->loss.what == CT_LOSS_SWITCHES)
			k->lost_switches += r->loss.count;
		break;
	case CT_RECORD_WAITING:
		check_waiting(k, &r->waiting);
		break;
	case CT_RECORD_HOLDER:
		check_holder(k, &r->holder);
		break;
	case CT_RECORD_RECORDING:
		need_process(k, "RECORDING", r->recording.process);
		break;
	case CT_RECORD_CODE:
		need_process(k, "CODE", r->code.process);
		break;
	case CT_RECORD_END:
		k->end_seen = true;
		k->end = r->end;
		break;
	}
	return 0;
}

int ct_check_records(struct ct_check *k, struct ct_span payload, uint32_t count)
{
	struct ct_record record;
	uint32_t n = 0;
	int found;

	while ((found = ct_get_record(&payload, &record)) > 0) {
		int error = check_record(k, &record);

		if (error)
			return error;
		n++;
	}
	if (found < 0)
		ct_violation(k, "record %u cannot be read", n + 1);
	else if (n != count)
		ct_violation(k, "the header says %u records, there are %u", count, n);
	return 0;
}
