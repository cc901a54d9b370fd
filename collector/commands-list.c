/* The verbs that tell what is traced: list, status. */
#include <string.h>
#include <unistd.h>

#include "collector.h"
#include "commands.h"
#include "proc.h"

static const char *const call_names[] = {
	"",
#define CT_CALL(name, family, cause, flags) #name,
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
};

static const char *const cause_names[] = {
#define CT_CAUSE(id, name, category, text) name,
#include "causes.def"
#undef CT_CAUSE
};

/* JSON's integers are signed; a process may count to any number. */
static void put(FILE *to, const char *name, uint64_t value)
{
	fprintf(to, ", \"%s\": %llu", name, (unsigned long long)(value < INT64_MAX ? value : INT64_MAX));
}

static void put_text(FILE *to, const char *name, const char *text)
{
	fprintf(to, ", \"%s\": ", name);
	ct_json_text(to, text);
}

/* A moment before now; what is after it is now. */
static uint64_t age_ns(uint64_t start_ns, uint64_t now_ns)
{
	return now_ns > start_ns ? now_ns - start_ns : 0;
}

static void put_process(FILE *to, struct ct_process *p, uint64_t now_ns)
{
	char name[16] = "", command[256] = "";

	ct_proc_comm(p->pid, p->pid, name);
	ct_proc_command(p->pid, command, sizeof(command));
	fprintf(to, "{\"pid\": %d", p->pid);
	put(to, "parent_pid", p->parent_pid);
	put_text(to, "name", name);
	put_text(to, "command", command);
	put(to, "threads", p->thread_count);
	put(to, "start_ns", p->base.ns);
	put(to, "age_ns", age_ns(p->base.ns, now_ns));
	put(to, "events", p->events);
	put(to, "events_per_s", p->events_per_s);
	put(to, "lost", p->lost);
	ct_json_recording(to, &p->recording);
}

static void put_collector(FILE *to, const struct ct_collector *c, uint64_t now_ns)
{
	const struct ct_trace *t = &c->trace;

	fprintf(to, ", \"now_ns\": %llu, \"collector\": {\"pid\": %d, \"version\": \"" CTRACE_VERSION "\"",
		(unsigned long long)now_ns, getpid());
	put_text(to, "output", c->out_path);
	if (c->trace.flight)
		put_text(to, "flight", c->flight.options.text);
	put(to, "file_bytes", t->writer.file_bytes);
	put(to, "events", t->writer.events);
	put(to, "lost", t->lost);
	if (t->writer.error)
		put_text(to, "error", strerror(-t->writer.error));
	putc('}', to);
}

int ct_command_list(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	uint64_t now_ns = ct_now_ns();

	(void)q;
	put_collector(a->to, c, now_ns);
	fputs(", \"processes\": [", a->to);
	for (size_t i = 0; i < c->process_count; i++) {
		if (i)
			fputs(", ", a->to);
		put_process(a->to, c->process[i], now_ns);
		putc('}', a->to);
	}
	putc(']', a->to);
	return 0;
}

/* --- status --- */

static void put_wait(FILE *to, struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint64_t now_ns)
{
	struct ct_wait w;

	if (!ct_drain_waiting(t, p, th, &w)) {
		fputs("null", to);
		return;
	}
	uint64_t start_ns = ct_process_ns(t, p, w.start);

	fprintf(to, "{\"call\": \"%s\", \"cause\": \"%s\"", call_names[w.call], cause_names[w.cause]);
	put(to, "start_ns", start_ns);
	put(to, "age_ns", age_ns(start_ns, now_ns));
	put(to, "object", w.object);
	put(to, "owner_tid", ct_thread_tid(t, p, w.owner));
	putc('}', to);
}

static void put_threads(FILE *to, struct ct_trace *t, struct ct_process *p, uint64_t most, uint64_t now_ns)
{
	uint64_t n = 0;

	fputs(", \"thread_list\": [", to);
	for (uint32_t i = 0; i < p->slot_count && n < most && n < p->thread_count; i++) {
		struct ct_thread *th = p->threads[i];

		if (!th)
			continue;
		fprintf(to, "%s{\"tid\": %d", n++ ? ", " : "", th->tid);
		put_text(to, "name", th->name);
		put(to, "start_ns", th->start_ns);
		put(to, "age_ns", age_ns(th->start_ns, now_ns));
		put(to, "cpu_ns", th->cpu_ns);
		fputs(", \"wait\": ", to);
		put_wait(to, t, p, th, now_ns);
		putc('}', to);
	}
	putc(']', to);
}

int ct_command_status(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	uint64_t now_ns = ct_now_ns(), pid = 0, threads = CT_SLOTS_MAX;

	if (ct_request_number(q, a, "pid", &pid) || ct_request_number(q, a, "threads", &threads))
		return -1;
	struct ct_process *p = pid <= INT32_MAX ? ct_collector_find(c, (pid_t)pid) : NULL;

	if (!p)
		return ct_refuse(a, "process %llu is not traced", (unsigned long long)pid);
	c->trace.synced = false;
	ct_trace_sync(&c->trace);
	put_collector(a->to, c, now_ns);
	fputs(", \"process\": ", a->to);
	put_process(a->to, p, now_ns);
	put_text(a->to, "executable", p->executable);
	put_threads(a->to, &c->trace, p, threads, now_ns);
	putc('}', a->to);
	return 0;
}
