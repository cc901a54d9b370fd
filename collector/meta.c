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

void ct_meta_write(struct ct_collector *c)
{
	struct ct_writer *w = &c->trace.writer;
	bool open = ct_sched_is_open(&c->sched);
	struct utsname u;
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
		put_meta(w, "wakes", c->sched.perf.waking ? "sched_waking" : "none");
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
