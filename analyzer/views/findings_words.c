/* See findings_words.h. */
#include "findings_words.h"

#include <stdlib.h>
#include <string.h>

#define OBJECT_WIDTH   44
#define FUNCTION_WIDTH 48

const char *ct_finding_name(enum ct_finding_kind kind)
{
	static const char *const names[CT_FINDING_KINDS] = {
		[CT_FINDING_DEADLOCK] = "deadlock", [CT_FINDING_LOCK] = "lock", [CT_FINDING_WAIT] = "wait",
		[CT_FINDING_TURNS] = "turns", [CT_FINDING_READY] = "no-cpu", [CT_FINDING_CPU] = "cpu-bound",
		[CT_FINDING_UNEXPLAINED] = "unexplained", [CT_FINDING_IDLE] = "idle",
	};

	return names[kind];
}

static void say_short(FILE *out, const char *text, int width)
{
	const struct ct_out o = { .file = out };

	ct_last_text(&o, CT_PLAIN, width, text);
}

void ct_say_object(FILE *out, const char *label)
{
	say_short(out, label, OBJECT_WIDTH);
}

void ct_say_of(FILE *out, const struct ct_finding *x)
{
	if (!x->object || !*x->object)
		return;
	fputs(" of ", out);
	ct_say_object(out, x->object);
	if (x->objects > 1)
		fprintf(out, " and %u more", x->objects - 1);
}

/* Parameters and what C++ returns are noise in a sentence. */
static void say_function(FILE *out, const char *name)
{
	size_t n = strcspn(name, "(");
	char text[512];

	snprintf(text, sizeof(text), "%.*s",
		 (int)(n && n < 500 && strncmp(name, "operator", 8) ? n : ct_text_whole(name, 500)), name);
	say_short(out, text, FUNCTION_WIDTH);
	fputs("()", out);
}

void ct_say_place(FILE *out, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack, const char *before)
{
	struct ct_frame *frames;
	uint32_t count;

	if (callstack == CT_NO || ct_callstack_frames(c, s, callstack, &frames, &count))
		return;
	uint32_t at = ct_frame_telling(frames, count);

	if (count)
		fputs(before, out);
	if (at != CT_NO && frames[at].function) {
		say_function(out, frames[at].function);
		if (frames[at].file)
			fprintf(out, " at %s:%d", ct_base_name(frames[at].file), frames[at].line);
	} else if (at != CT_NO) {
		fprintf(out, "%s+0x%llx", frames[at].module ? ct_base_name(frames[at].module) : "",
			(unsigned long long)frames[at].offset);
	}
	free(frames);
}

/* --- threads --- */

static uint32_t threads_of(const struct ct_findings *f, uint32_t process)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->m->thread_count; i++)
		n += f->m->thread[i].process == process && f->m->thread[i].started;
	return n;
}

static bool is_main(const struct ct_findings *f, uint32_t thread)
{
	return f->m->thread[thread].tid == f->m->process[f->m->thread[thread].process].pid;
}

static void say_one(const struct ct_findings *f, FILE *out, uint32_t thread, bool capital)
{
	const struct ct_thread_info *t = &f->m->thread[thread];
	const char *name = *t->name ? t->name : "(no name)";

	if (is_main(f, thread) && threads_of(f, t->process) > 1)
		fprintf(out, "%s main thread of %s", capital ? "The" : "the", name);
	else if (is_main(f, thread) && ct_findings_kin(f, thread) < 2)
		fputs(name, out);
	else
		fprintf(out, "%s %s (%llu)", is_main(f, thread) ? (capital ? "Process" : "process") : capital ? "Thread" : "thread",
			name, (unsigned long long)t->tid);
}

/* The name that all have, or what their names begin with and a star; false: they have nothing in common. */
static bool common_name(const struct ct_findings *f, const struct ct_tallies *t, char to[64])
{
	const char *first = f->m->thread[t->item[0].key].name;
	size_t n = strlen(first);
	bool same = true;

	for (uint32_t i = 1; i < t->item_count; i++) {
		const char *name = f->m->thread[t->item[i].key].name;
		size_t k = 0;

		while (k < n && name[k] == first[k])
			k++;
		n = k;
		same &= !strcmp(name, first);
	}
	while (!same && n && first[n - 1] >= '0' && first[n - 1] <= '9')
		n--;
	snprintf(to, 64, "%.*s%s", (int)ct_text_whole(first, n < 60 ? n : 60), first, same ? "" : "*");
	return n > 0;
}

const char *ct_say_unit(const struct ct_findings *f, const struct ct_tallies *t)
{
	for (uint32_t i = 0; i < t->item_count; i++) {
		uint32_t thread = (uint32_t)t->item[i].key;

		if (!is_main(f, thread) || threads_of(f, f->m->thread[thread].process) > 1)
			return "threads";
	}
	return "processes";
}

static void say_many(const struct ct_findings *f, FILE *out, const struct ct_tallies *t, bool capital)
{
	uint32_t first = (uint32_t)t->item[0].key, kin = ct_findings_kin(f, first), n = t->item_count;
	const char *unit = ct_say_unit(f, t);
	bool alike = true;
	char name[64];

	for (uint32_t i = 1; i < n; i++)
		alike &= ct_findings_alike(f, (uint32_t)t->item[i].key, first);
	if (alike && kin == n)
		fprintf(out, n == 2 ? "%s " : "%s %u ", n == 2 ? (capital ? "Both" : "both") : capital ? "All" : "all", n);
	else if (alike && kin > n)
		fprintf(out, "%u of %u ", n, kin);
	else
		fprintf(out, "%u ", n);
	if (!common_name(f, t, name)) {
		uint32_t other = 1;

		while (other + 1 < n && !strcmp(f->m->thread[t->item[other].key].name, f->m->thread[first].name))
			other++;
		fprintf(out, "%s (%s, %s%s)", unit, f->m->thread[first].name, f->m->thread[t->item[other].key].name,
			n > 2 ? ", ..." : "");
	}
	else if (alike && f->kinds[f->kind[first]].child && !strcmp(unit, "processes"))
		fprintf(out, "child %s of %s", unit, name);
	else
		fprintf(out, "%s %s", name, unit);
}

void ct_say_threads(struct ct_findings *f, FILE *out, const struct ct_tallies *t, int how)
{
	if (t->item_count != 1 && !(how & CT_SAY_NAMES && t->item_count < 6)) {
		if (t->item_count)
			say_many(f, out, t, how & CT_SAY_CAPITAL);
		return;
	}
	for (uint32_t i = 0; i < t->item_count; i++) {
		fputs(!i ? "" : i + 1 < t->item_count ? ", " : " and ", out);
		say_one(f, out, (uint32_t)t->item[i].key, !i && how & CT_SAY_CAPITAL);
	}
}

/* --- the next command --- */

/* A word of a command line for a shell. */
static void say_word(FILE *out, const char *word)
{
	if (*word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:,=@%")] == 0) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, 0 }, out);
	fputc('\'', out);
}

static void say_option(FILE *out, const char *option, const char *value)
{
	if (!value)
		return;
	fprintf(out, " --%s ", option);
	say_word(out, value);
}

static void say_selection(FILE *out, const struct ct_options *o)
{
	say_option(out, "from", o->from.text);
	say_option(out, "to", o->to.text);
	say_option(out, "process", o->process);
	say_option(out, "thread", o->thread);
}

char *ct_finding_next(struct ct_findings *f, const struct ct_finding *x)
{
	const char *cause = x->cause < CT_CAUSES ? ct_model_cause_name(f->m, x->cause) : "";
	const char *category = x->cause < CT_CAUSES ? ct_model_category(f->m, x->cause) : "";
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	fputs("ctrace-analyze ", out);
	switch (x->kind) {
	case CT_FINDING_DEADLOCK:
		fputs("deadlocks", out);
		break;
	case CT_FINDING_LOCK:
		fputs("locks --top 1", out);
		break;
	case CT_FINDING_WAIT:
		if (x->ended_ns > x->ns / 4)
			fprintf(out, "wakers --cause %s", cause);
		else if (!strcmp(category, "io"))
			fprintf(out, "io --cause %s", cause);
		else
			fprintf(out, "blocks --cause %s", cause);
		break;
	case CT_FINDING_TURNS:
		fprintf(out, "wakers --cause %s", cause);
		break;
	case CT_FINDING_READY:
		fputs("sched", out);
		break;
	case CT_FINDING_CPU:
		fputs("path", out);
		break;
	case CT_FINDING_UNEXPLAINED:
		fputs("threads", out);
		break;
	case CT_FINDING_IDLE:
		fprintf(out, "latency --cause %s", cause);
		break;
	case CT_FINDING_KINDS:
		break;
	}
	if (x->kind != CT_FINDING_DEADLOCK)
		say_selection(out, f->options);
	fputc(' ', out);
	say_word(out, f->options->file ? f->options->file : "-");
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
