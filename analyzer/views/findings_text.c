/* Sentences. See findings.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "findings_words.h"

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static const char *percent(char to[CT_FORMAT], uint64_t part, uint64_t whole)
{
	return ct_format_share(to, part, whole);
}

/* "12.3 s in 3,561 waits, typically 208 µs, the longest 13.0 ms" */
static void say_amount(FILE *out, const struct ct_finding *x, const char *unit)
{
	char a[CT_FORMAT], b[CT_FORMAT], d[CT_FORMAT];

	fprintf(out, "%s in %s %s%s", ct_format_ns(a, x->ns), ct_format_count(b, x->count), unit, x->count == 1 ? "" : "s");
	if (x->count > 1)
		fprintf(out, ", %s each on average, %s at most", ct_format_ns(a, x->ns / x->count), ct_format_ns(d, x->max_ns));
}

/* How many of its threads ran, on average over the time. */
static double running(const struct ct_findings *f, const struct ct_finding *x)
{
	uint64_t ran_ns = 0;

	for (uint32_t i = 0; i < x->threads.item_count; i++)
		ran_ns += ct_findings_ran(f, (uint32_t)x->threads.item[i].key);
	return share(ran_ns, f->sched.covers_ns);
}

/* Where the threads are idle most of the time the share of the rest says more. */
static void say_active_share(FILE *out, const struct ct_finding *x)
{
	uint64_t active_ns = x->lifetime_ns > x->idle_ns ? x->lifetime_ns - x->idle_ns : 0;
	char a[CT_FORMAT];

	if (x->idle_ns > x->lifetime_ns / 4 && active_ns >= x->ns)
		fprintf(out, " (%s of the time in which %s something to do)", percent(a, x->ns, active_ns),
			x->threads.item_count == 1 ? "it had" : "they had");
}

/* "While that lasts 7 worker-* threads wait for it in queue_pop() at q.c:12." */
static void say_behind(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	uint64_t life_ns = 0;
	char a[CT_FORMAT];

	if (!x->behind.item_count || x->behind_ns < f->sched.covers_ns / 10)
		return;
	for (uint32_t i = 0; i < x->behind.item_count; i++)
		life_ns += f->m->thread[x->behind.item[i].key].lifetime_ns;
	fputc(' ', out);
	ct_say_threads(f, out, &x->behind, CT_SAY_CAPITAL);
	fprintf(out, " %s for %s %s of %s time", x->behind.item_count == 1 ? "waits" : "wait",
		x->threads.item_count == 1 ? "it" : "them", percent(a, x->behind_ns, life_ns),
		x->behind.item_count == 1 ? "its" : "their");
	ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->behind_stack, ", in ");
	fputc('.', out);
}

/* What it is of the time that the end had to wait for; of one thread alone that is its share. */
static void say_path(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	char a[CT_FORMAT];

	if (x->threads.item_count > 1 && f->path_ns && x->path_ns >= f->path_ns / 20)
		fprintf(out, " Of the critical path it is %s.", percent(a, x->path_ns, f->path_ns));
}

/* --- a kind each --- */

static void say_deadlock(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	if (x->threads.item_count == 1) {
		fputs("Deadlock: ", out);
		ct_say_threads(f, out, &x->threads, 0);
		fputs(" waits for itself, and never goes on.", out);
		return;
	}
	fprintf(out, "Deadlock: %u threads wait for each other, and never go on: ", x->threads.item_count);
	ct_say_threads(f, out, &x->threads, CT_SAY_NAMES);
	fputc('.', out);
}

static void say_holders(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	const struct ct_lock_row *l = x->lock;
	uint32_t at = f->details.m ? ct_lock_detail_of(&f->details, l->process, l->address) : CT_NO;
	uint64_t held_ns = l->hold_ns, covers_ns = f->sched.covers_ns;
	char a[CT_FORMAT];

	/* While somebody waits somebody holds it. */
	if (at != CT_NO && f->details.lock[at].waited_ns > held_ns)
		held_ns = f->details.lock[at].waited_ns;
	if (held_ns > covers_ns)
		held_ns = covers_ns;
	if (held_ns)
		fprintf(out, " It is held %s of the time", percent(a, held_ns, covers_ns));
	if (held_ns && x->holder != CT_NO)
		ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->holder, ", mostly by ");
	if (held_ns && l->owners.item_count == 1)
		fprintf(out, ", by thread %s", l->owners.item[0].label);
	else if (held_ns && l->owners.item_count > 1)
		fprintf(out, " (%u threads hold it in turn)", l->owners.item_count);
	if (held_ns)
		fputc('.', out);
}

static void say_lock(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	char a[CT_FORMAT];

	ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
	fprintf(out, " %s %s of %s time", x->threads.item_count == 1 ? "waits" : "wait", percent(a, x->ns, x->lifetime_ns),
		x->threads.item_count == 1 ? "its" : "their");
	say_active_share(out, x);
	fputs(" for ", out);
	ct_say_object(out, x->lock->label);
	if (x->objects > 1)
		fprintf(out, " and %u like it", x->objects - 1);
	fputs(": ", out);
	say_amount(out, x, "wait");
	ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->callstack, ", in ");
	fputc('.', out);
	say_holders(f, out, x);
}

static const char *doing(const struct ct_findings *f, const struct ct_finding *x)
{
	static const char *const texts[][2] = {
		{ "dns", "waiting for names to be resolved" }, { "connect", "setting up connections" },
		{ "malloc", "waiting inside the memory allocator" }, { "mmap", "changing the address space" },
		{ "loader", "loading shared objects" }, { "barrier", "waiting for the last thread to come to a barrier" },
		{ "once", "waiting for an initialiser that another thread runs" },
		{ "filelock", "waiting for a file lock" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(ct_model_cause_name(f->m, x->cause), texts[i][0]))
			return texts[i][1];
	return NULL;
}

/* Whether the waker stands for many, as the report of wakers puts them together. */
static bool is_crowd(const struct ct_findings *f, const struct ct_finding *x)
{
	uint64_t waker = x->wakers.item[0].key;

	return waker < f->m->thread_count && f->wakers.members[waker] > 1;
}

static void say_wakers(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	char a[CT_FORMAT];

	/* That peers do says nothing. */
	if (!x->wakers.item_count || x->ended_ns < x->ns / 4 || x->wakers.item[0].total_ns < x->ended_ns / 2 ||
	    x->peers_ns > x->ended_ns / 4 || is_crowd(f, x))
		return;
	char *label = ct_group_label(&f->wakers, (uint32_t)x->wakers.item[0].key);

	fprintf(out, " It is %s that ends %s of these waits", label ? label : "",
		percent(a, x->wakers.item[0].total_ns, x->ended_ns));
	free(label);
	ct_say_place(out, &f->wakers.callstacks, &f->wakers.symbols, x->holder, ", in ");
	fputc('.', out);
}

static void say_wait(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	const char *call = ct_model_call_name(f->m, x->call), *what = doing(f, x);
	bool one = x->threads.item_count == 1;
	char a[CT_FORMAT];

	if (x->known && x->known->contention) {
		ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
		fprintf(out, " %s %s of %s time", one ? "waits" : "wait", percent(a, x->ns, x->lifetime_ns), one ? "its" : "their");
		say_active_share(out, x);
		fprintf(out, " for %s: ", x->known->what);
		say_amount(out, x, "wait");
		if (x->known->function)
			fprintf(out, ", in %s()", x->known->function);
		else
			ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->callstack, ", in ");
		fputc('.', out);
		if (!one)
			fprintf(out, " Of these %s %.2f run on average.", ct_say_unit(f, &x->threads), running(f, x));
		say_wakers(f, out, x);
		return;
	}
	if (one) {
		fprintf(out, "%s", call);
		ct_say_of(out, x);
		fprintf(out, " takes %s of the time of ", percent(a, x->ns, x->lifetime_ns));
		ct_say_threads(f, out, &x->threads, 0);
	} else {
		ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
		fprintf(out, " spend %s of their time in %s", percent(a, x->ns, x->lifetime_ns), call);
		ct_say_of(out, x);
	}
	say_active_share(out, x);
	if (what)
		fprintf(out, ", %s", what);
	else if (x->known)
		fprintf(out, ", waiting for %s", x->known->what);
	fputs(": ", out);
	say_amount(out, x, "wait");
	ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->callstack, ", called in ");
	fputc('.', out);
	say_wakers(f, out, x);
}

static void say_turns(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	char a[CT_FORMAT];

	ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
	fprintf(out, " take turns: each waits for another of them %s of its time, and %.2f of them run on average. They wait for ",
		percent(a, x->ns, x->lifetime_ns), running(f, x));
	ct_say_object(out, x->object ? x->object : ct_model_cause_name(f->m, x->cause));
	fputs(": ", out);
	say_amount(out, x, "wait");
	ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->callstack, ", in ");
	fputc('.', out);
}

static void say_ready(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	double wanted = share(f->running_ns + x->ns, f->sched.covers_ns), ran = share(f->running_ns, f->sched.covers_ns);
	char a[CT_FORMAT], b[CT_FORMAT];

	fprintf(out, "Threads were ready but had no CPU for %s of their busy time%s: %.2f wanted to run on average, "
		"%.2f did", percent(a, x->ns, f->active_ns), f->m->estimated ? " (in part an estimate)" : "", wanted, ran);
	if (f->cpus)
		fprintf(out, ", on %u CPU%s", f->cpus, f->cpus == 1 ? "" : "s");
	fputs("; mostly ", out);
	ct_say_threads(f, out, &x->threads, 0);
	fprintf(out, " (%s).", ct_format_ns(b, x->ns));
	if (x->outside)
		fputs(" Other programs had the CPUs, or a quota (cgroup, hypervisor) held them back.", out);
	else if (f->cpus)
		fputs(" The program itself kept the CPUs busy: more threads would not help.", out);
}

static void say_computing(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	bool one = x->threads.item_count == 1;
	const char *its = one ? "its" : "their";
	uint64_t ready_ns = 0;
	char a[CT_FORMAT], b[CT_FORMAT];

	for (uint32_t i = 0; i < x->threads.item_count; i++)
		ready_ns += f->m->thread[x->threads.item[i].key].runnable_ns;
	ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
	if (one && x->behind_ns >= f->sched.covers_ns / 10)
		fputs(" does the work alone: it", out);
	if (ready_ns > x->lifetime_ns / 10)
		fprintf(out, " %s to run %s of %s time (%s on a CPU, the rest without one)", one ? "wants" : "want",
			percent(a, x->ns + ready_ns, x->lifetime_ns), its, percent(b, x->ns, x->lifetime_ns));
	else if (f->m->has_sched)
		fprintf(out, " %s %s of %s time", one ? "runs" : "run", percent(a, x->ns, x->lifetime_ns), its);
	else
		fprintf(out, " %s in no call that ctrace knows for %s of %s time", one ? "is" : "are",
			percent(a, x->ns, x->lifetime_ns), its);
	fputs(": bound by the CPU, not by waits.", out);
	if (f->cpus > 1 && one && share(f->running_ns, f->sched.covers_ns) < 1.3 && f->sched.covers_ns > 100000000)
		fprintf(out, " All the computing is in one thread, on %u CPUs.", f->cpus);
}

static void say_unexplained(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	char a[CT_FORMAT], b[CT_FORMAT];

	ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
	fprintf(out, " %s off the CPU for %s (%s of %s time) in no call that ctrace wraps: page faults, memory that has to be "
		"read or copied, or calls made inside of glibc.", x->threads.item_count == 1 ? "was" : "were",
		ct_format_ns(b, x->ns), percent(a, x->ns, x->lifetime_ns), x->threads.item_count == 1 ? "its" : "their");
}

static void say_idle(struct ct_findings *f, FILE *out, const struct ct_finding *x)
{
	static const char *const texts[][2] = {
		{ "poll", "for data or requests to arrive" }, { "accept", "for connections to arrive" },
		{ "sleep", "for time to pass, as it asked for" }, { "join", "for threads to end" },
		{ "child", "for child processes to end" }, { "signal", "for a signal" },
	};
	const char *what = "for work to arrive";
	bool one = x->threads.item_count == 1;
	char a[CT_FORMAT], b[CT_FORMAT], n[CT_FORMAT];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(ct_model_cause_name(f->m, x->cause), texts[i][0]))
			what = texts[i][1];
	ct_say_threads(f, out, &x->threads, CT_SAY_CAPITAL);
	fprintf(out, " %s %s of %s time %s: %s in %s call%s of %s", one ? "waits" : "wait", percent(a, x->ns, x->lifetime_ns),
		one ? "its" : "their", what, ct_format_ns(b, x->ns), ct_format_count(n, x->count), x->count == 1 ? "" : "s",
		ct_model_call_name(f->m, x->call));
	ct_say_place(out, &f->report.callstacks, &f->report.symbols, x->callstack, " in ");
	fputs(x->most ? ". That is idle time: nothing in the program holds it up." : ". That is idle time.", out);
}

static void (*const say[CT_FINDING_KINDS])(struct ct_findings *, FILE *, const struct ct_finding *) = {
	[CT_FINDING_DEADLOCK] = say_deadlock, [CT_FINDING_LOCK] = say_lock, [CT_FINDING_WAIT] = say_wait,
	[CT_FINDING_TURNS] = say_turns, [CT_FINDING_READY] = say_ready, [CT_FINDING_CPU] = say_computing,
	[CT_FINDING_UNEXPLAINED] = say_unexplained, [CT_FINDING_IDLE] = say_idle,
};

int ct_findings_texts(struct ct_findings *f)
{
	for (uint32_t i = 0; i < f->finding_count; i++) {
		struct ct_finding *x = &f->finding[i];
		size_t bytes;
		FILE *out = open_memstream(&x->text, &bytes);

		if (!out)
			return -ENOMEM;
		say[x->kind](f, out, x);
		if (x->kind == CT_FINDING_LOCK || x->kind == CT_FINDING_WAIT)
			say_path(f, out, x);
		if (x->kind == CT_FINDING_LOCK || x->kind == CT_FINDING_WAIT || x->kind == CT_FINDING_CPU)
			say_behind(f, out, x);
		if (fclose(out))
			return -ENOMEM;
		if (x->known && x->known->advice && !(x->hint = strdup(x->known->advice)))
			return -ENOMEM;
		x->next = ct_finding_next(f, x);
		if (!x->next)
			return -ENOMEM;
	}
	return 0;
}
