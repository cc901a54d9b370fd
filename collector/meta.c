/* What a trace begins with. */
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#ifndef CTRACE_VERSION
#define CTRACE_VERSION "0"
#endif

static void put_meta(struct ct_writer *w, const char *key, const char *value)
{
	struct ct_record r = { .type = CT_RECORD_META, .meta = { ct_text_of(key), ct_text_of(value) } };

	ct_writer_record(w, &r);
}

static void put_cause(struct ct_writer *w, uint64_t id, const char *name, const char *category, const char *text)
{
	struct ct_record r = { .type = CT_RECORD_CAUSE, .cause = {
		id, ct_text_of(name), ct_text_of(category), ct_text_of(text),
	} };

	ct_writer_record(w, &r);
}

static void put_call(struct ct_writer *w, uint64_t id, const char *name, const char *family, uint64_t cause,
		     uint64_t flags)
{
	struct ct_record r = { .type = CT_RECORD_CALL, .call = {
		id, ct_text_of(name), ct_text_of(family), cause, flags,
	} };

	ct_writer_record(w, &r);
}

/* How far CLOCK_BOOTTIME is ahead: by the time that the machine was suspended. */
static void put_boottime(struct ct_writer *w)
{
	struct timespec before, boot, after;
	char text[32];

	clock_gettime(CLOCK_MONOTONIC, &before);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &after);
	int64_t ns = boot.tv_sec * 1000000000ll + boot.tv_nsec -
		     ((before.tv_sec + after.tv_sec) * 1000000000ll + before.tv_nsec + after.tv_nsec) / 2;

	/* Never suspended: what is left is the time between the calls. */
	snprintf(text, sizeof(text), "%lld", ns < 1000000 ? 0ll : (long long)ns);
	put_meta(w, "boottime_offset_ns", text);
}

void ct_meta_write(struct ct_collector *c, struct ct_writer *w)
{
	bool open = ct_sched_is_open(&c->sched) || c->wakes;
	struct utsname u;

	/* Of the last snapshot they are closed already. */
	if (ct_sched_is_open(&c->sched))
		c->wakes = c->sched.perf.waking ? "sched_waking" : c->sched.wakes_stopped ? "stopped" : "none";
	char text[sizeof(u.sysname) + sizeof(u.release) + sizeof(u.machine) + 3];

	put_meta(w, "version", "ctrace " CTRACE_VERSION);
	if (!uname(&u)) {
		put_meta(w, "host", u.nodename);
		snprintf(text, sizeof(text), "%s %s %s", u.sysname, u.release, u.machine);
		put_meta(w, "kernel", text);
	}
	snprintf(text, sizeof(text), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	put_meta(w, "cpus", text);
	put_boottime(w);
	put_meta(w, "sched", open ? "switches" : c->sched_off ? "off" : "schedstat");
	if (*c->sched_refused)
		put_meta(w, "sched_refused", c->sched_refused);
	if (open)
		put_meta(w, "wakes", c->wakes);
	put_meta(w, "options", c->options.daemon ? "daemon" : "run");
#define CT_CAUSE(id, name, category, text) put_cause(w, CT_CAUSE_##id, name, category, text);
#include "causes.def"
#undef CT_CAUSE
#define CT_CALL(name, family, cause, flags) put_call(w, CT_CALL_##name, #name, #family, CT_CAUSE_##cause, flags);
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
}

static void put_number(struct ct_writer *w, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put_meta(w, key, text);
}

static const char *cause_name(uint16_t cause)
{
	static const char *const names[CT_CAUSE_COUNT] = {
#define CT_CAUSE(id, name, category, text) [CT_CAUSE_##id] = name,
#include "causes.def"
#undef CT_CAUSE
	};

	return cause < CT_CAUSE_COUNT ? names[cause] : "";
}

void ct_meta_snapshot(const struct ct_flight *f, struct ct_writer *w, uint64_t begin_ns, uint64_t now_ns,
		      const struct ct_reason *reason)
{
	put_meta(w, "flight", f->options.text);
	put_meta(w, "snapshot", reason->why);
	put_number(w, "snapshot_number", f->number);
	put_number(w, "snapshot_ns", now_ns);
	if (begin_ns)
		put_number(w, "snapshot_begin_ns", begin_ns);
	if (!reason->tid)
		return;
	put_number(w, "snapshot_pid", reason->pid);
	put_number(w, "snapshot_tid", reason->tid);
	put_meta(w, "snapshot_thread", reason->thread);
	put_meta(w, "snapshot_cause", cause_name(reason->cause));
	put_number(w, "snapshot_wait_start_ns", reason->start_ns);
	put_number(w, "snapshot_wait_end_ns", reason->end_ns);
}
