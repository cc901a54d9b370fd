/* The verbs of ctrace-top: live, frames. */
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "collector.h"
#include "commands.h"

#define KEEP_NS 10000000000ull

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

/* JSON's integers are signed; a process may count to any number. */
static void put(FILE *to, const char *name, uint64_t value)
{
	fprintf(to, ", \"%s\": %llu", name, (unsigned long long)(value < INT64_MAX ? value : INT64_MAX));
}

/* An address may use all bits. */
static void put_hex(FILE *to, const char *name, uint64_t value)
{
	fprintf(to, ", \"%s\": \"%llx\"", name, (unsigned long long)value);
}

/* What a descriptor was, if the process still says it. */
static void put_descriptor(FILE *to, const struct ct_process *p, uint64_t object)
{
	uint32_t number = (uint32_t)(object >> 32);
	const struct ct_descriptor *shared = &p->region->descriptors[number % CT_DESCRIPTORS];
	struct ct_descriptor d;

	if (!number || ct_load_acquire(&shared->id) != number)
		return;
	memcpy(&d, shared, sizeof(d));
	ct_fence_read();
	if (ct_load(&shared->id) != number)
		return;
	d.label[sizeof(d.label) - 1] = 0;
	put(to, "fd_kind", d.kind < CT_FD_KINDS ? d.kind : CT_FD_UNKNOWN);
	fputs(", \"label\": ", to);
	ct_json_text(to, d.label);
}

/* An object that is left open for more members. */
static void put_what(FILE *to, const struct ct_process *p, const struct ct_live_what *what)
{
	fprintf(to, "{\"call\": \"%s\"", call_names[what->call]);
	put(to, "cause", what->cause);
	put(to, "object_kind", what->object_kind);
	put_hex(to, "object", what->object);
	put(to, "stack", what->stack);
	put_hex(to, "ip", what->ip);
	if (what->object_kind == CT_OBJECT_FD)
		put_descriptor(to, p, what->object);
}

static void put_holders(FILE *to, struct ct_process *p, const struct ct_wait *w)
{
	struct ct_holder holder[8];
	uint32_t n = ct_waiting_holders(p, w, holder, 8);

	fputs(", \"holders\": [", to);
	for (uint32_t i = 0; i < n; i++) {
		fprintf(to, "%s{\"tid\": %u", i ? ", " : "", holder[i].tid);
		put_hex(to, "ip", holder[i].ip);
		putc('}', to);
	}
	putc(']', to);
}

static void put_last(FILE *to, const struct ct_process *p, const struct ct_thread *th)
{
	const struct ct_live_thread *t = ct_live_of(p, th);
	uint32_t n = !t ? 0 : t->last_count < CT_LIVE_LAST ? t->last_count : CT_LIVE_LAST;

	fputs(", \"last\": [", to);
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t at = (t->last_count - i) % CT_LIVE_LAST;

		fputs(i > 1 ? ", " : "", to);
		put_what(to, p, &t->last[at].what);
		put(to, "start_ns", t->last[at].start_ns);
		put(to, "end_ns", t->last[at].end_ns);
		put(to, "owner_tid", t->last[at].owner);
		putc('}', to);
	}
	putc(']', to);
}

/* Counts its wait up to now, too. */
static void put_thread(FILE *to, struct ct_collector *c, struct ct_process *p, struct ct_thread *th, uint64_t now_ns,
		       bool whole)
{
	const struct ct_sched_task *task = ct_sched_is_open(&c->sched) ? ct_sched_find(&c->sched, (uint32_t)th->tid) : NULL;
	struct ct_wait w;

	fprintf(to, "{\"tid\": %d, \"name\": ", th->tid);
	ct_json_text(to, th->name);
	put(to, "start_ns", th->start_ns);
	put_hex(to, "pthread", ct_load(&p->region->slots[th->slot].pthread));
	if (task)
		fprintf(to, ", \"on_cpu\": %s", task->running ? "true" : "false");
	if (ct_drain_waiting(&c->trace, p, th, &w)) {
		struct ct_live_what what = { .object = w.object, .ip = w.stack ? 0 : w.ip, .stack = w.stack, .call = w.call,
					     .cause = w.cause, .object_kind = w.object_kind };
		uint64_t start_ns = ct_process_ns(&c->trace, p, w.start);

		ct_live_waiting(p, th, &what, start_ns, now_ns);
		fputs(", \"wait\": ", to);
		put_what(to, p, &what);
		put(to, "start_ns", start_ns);
		put(to, "age_ns", now_ns > start_ns ? now_ns - start_ns : 0);
		put(to, "owner_tid", w.owner);
		if (whole)
			put_holders(to, p, &w);
		putc('}', to);
	}
	if (whole)
		put_last(to, p, th);
	putc('}', to);
}

static void put_sites(FILE *to, const struct ct_process *p)
{
	const char *comma = "";

	fputs(", \"sites\": [", to);
	for (uint32_t i = 0; i < CT_LIVE_SITES; i++) {
		const struct ct_live_site *s = &p->live->site[i];

		if (!s->what.call)
			continue;
		fputs(comma, to);
		put_what(to, p, &s->what);
		put(to, "count", s->count);
		put(to, "total_ns", s->total_ns);
		put(to, "max_ns", s->max_ns);
		putc('}', to);
		comma = ", ";
	}
	putc(']', to);
	put(to, "other_ns", p->live->other_ns);
	put(to, "other_count", p->live->other_count);
}

static struct ct_process *process_of(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	uint64_t pid = 0;

	if (ct_request_number(q, a, "pid", &pid))
		return NULL;
	struct ct_process *p = pid <= INT32_MAX ? ct_collector_find(c, (pid_t)pid) : NULL;

	if (!p)
		ct_refuse(a, "process %llu is not traced", (unsigned long long)pid);
	return p;
}

int ct_command_live(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	struct ct_process *p = process_of(c, q, a);
	uint64_t most = CT_SLOTS_MAX, told = 0, whole = 0, keep_ns = KEEP_NS;

	if (!p || ct_request_number(q, a, "threads", &most) || ct_request_number(q, a, "thread", &whole) ||
	    ct_request_number(q, a, "keep_ns", &keep_ns))
		return -1;
	uint64_t now_ns = ct_now_ns();

	/* What is in the rings ended before now. */
	if (ct_sched_is_open(&c->sched))
		ct_sched_pass(&c->sched, &c->trace.writer, now_ns);
	c->trace.synced = false;
	ct_trace_sync(&c->trace);
	ct_process_drain(&c->trace, p, now_ns);
	if (!ct_live_look(p, now_ns, keep_ns))
		return ct_refuse(a, "no memory");
	put(a->to, "now_ns", now_ns);
	put(a->to, "begun_ns", p->live->begun_ns);
	put(a->to, "start_ns", p->base.ns);
	put(a->to, "thread_count", p->thread_count);
	put(a->to, "events", p->events);
	put(a->to, "lost", p->lost);
	fprintf(a->to, ", \"flight\": %s, \"sched\": %s", c->trace.flight ? "true" : "false",
		ct_sched_is_open(&c->sched) ? "true" : "false");
	ct_json_recording(a->to, &p->recording);
	fputs(", \"executable\": ", a->to);
	ct_json_text(a->to, p->executable);
	fputs(", \"threads\": [", a->to);
	for (uint32_t i = 0; i < p->slot_count && told < most && told < p->thread_count; i++) {
		if (!p->threads[i])
			continue;
		fputs(told++ ? ", " : "", a->to);
		put_thread(a->to, c, p, p->threads[i], now_ns, whole == (uint64_t)p->threads[i]->tid);
	}
	putc(']', a->to);
	put_sites(a->to, p);
	ct_live_told(p, now_ns);
	return 0;
}

/* --- frames --- */

/* False: there is none. */
static bool put_stack(FILE *to, const struct ct_region *r, uint64_t word, const char *comma)
{
	uint64_t words = ct_load_acquire(&r->stack_words);

	if (words > CT_STACK_WORDS)
		words = CT_STACK_WORDS;
	if (!word || word >= words)
		return false;
	uint64_t head = ct_load(&r->stack_arena[word]);
	uint32_t depth = (uint32_t)head;

	if (depth > CT_STACK_DEPTH || depth > words - word - 1)
		return false;
	fprintf(to, "%s{\"stack\": %llu, \"epoch\": %u, \"frames\": [", comma, (unsigned long long)word,
		(uint32_t)(head >> 32));
	for (uint32_t i = 0; i < depth; i++)
		fprintf(to, "%s\"%llx\"", i ? "," : "", (unsigned long long)ct_load(&r->stack_arena[word + 1 + i]));
	fputs("]}", to);
	return true;
}

static void put_module(FILE *to, uint32_t id, const struct ct_module *m)
{
	char path[CT_MODULE_PATH + 1] = "";

	memcpy(path, m->path, CT_MODULE_PATH);
	fprintf(to, "{\"module\": %u", id);
	put_hex(to, "start", m->start);
	put_hex(to, "end", m->end);
	put_hex(to, "bias", m->bias);
	put(to, "epoch_first", m->epoch_first);
	put(to, "epoch_last", m->epoch_last);
	fputs(", \"path\": ", to);
	ct_json_text(to, path);
	fputs(", \"build_id\": \"", to);
	for (uint32_t i = 0; i < m->build_id_bytes && i < sizeof(m->build_id); i++)
		fprintf(to, "%02x", m->build_id[i]);
	fputs("\"}", to);
}

int ct_command_frames(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	struct ct_process *p = process_of(c, q, a);
	const char *list = ct_request_value(q, "stacks"), *comma = "";

	if (!p)
		return -1;
	fputs(", \"stacks\": [", a->to);
	for (char *end; list && *list >= '0' && *list <= '9'; list = *end == ',' ? end + 1 : end)
		if (put_stack(a->to, p->region, strtoull(list, &end, 10), comma))
			comma = ", ";
	fputs("], \"modules\": [", a->to);
	comma = "";
	uint64_t used = ct_load_acquire(&p->region->modules_used);

	for (uint32_t i = 0; i < used && i < CT_MODULES; i++) {
		struct ct_module m;

		if (!ct_load_acquire(&p->region->modules[i].ready))
			continue;
		memcpy(&m, &p->region->modules[i], sizeof(m));
		fputs(comma, a->to);
		put_module(a->to, i + 1, &m);
		comma = ", ";
	}
	putc(']', a->to);
	put(a->to, "epoch", ct_load(&p->region->epoch));
	return 0;
}
