/*
 * export --format pprof: profiles as Go's of mutexes and blocking. docs/exports.md says
 * what is in which profile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "objects.h"
#include "pprof_writer.h"
#include "profile_rows.h"

#define LABELS 7

/* The profile of a cause. Those of later versions, and loader, are waits in a call as well. */
static const char *profile_of(const char *cause)
{
	static const struct {
		const char *profile, *causes;
	} rows[] = {
		{ "sync", " mutex rwlock spin cond semaphore barrier once join futex " },
		{ "io", " file pipe socket connect accept dns tty poll eventfd msgqueue " },
		{ "malloc", " malloc mmap " },
	};
	char word[40];

	snprintf(word, sizeof(word), " %.30s ", cause);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(rows[i].causes, word))
			return rows[i].profile;
	return "syscall";
}

static bool is_in(const struct ct_model *m, const char *profile, const struct ct_profile_row *r)
{
	if (r->spent != CT_SPENT_BLOCKED)
		return r->spent == CT_SPENT_READY && !strcmp(profile, "sched");
	return !strcmp(profile, "all") || !strcmp(profile, profile_of(ct_model_cause_name(m, r->cause)));
}

/* --- samples --- */

struct sample {
	Perftools__Profiles__Sample message;
	Perftools__Profiles__Label label[LABELS], *labels[LABELS];
	int64_t value[2];
};

static void add_label(struct ct_pprof_writer *w, struct sample *s, const char *key, const char *text, uint64_t number)
{
	Perftools__Profiles__Label *l = &s->label[s->message.n_label];

	perftools__profiles__label__init(l);
	l->key = ct_pprof_text(w, key);
	if (text)
		l->str = ct_pprof_text(w, text);
	else
		l->num = (int64_t)number;
	s->labels[s->message.n_label++] = l;
}

static void add_labels(struct ct_pprof_writer *w, struct sample *s, const struct ct_profile_row *r)
{
	const struct ct_thread_info *t = &w->m->thread[r->thread];
	const struct ct_process_info *p = &w->m->process[t->process];

	add_label(w, s, "thread", ct_profile_thread_name(w->m, r->thread), 0);
	add_label(w, s, "process", *p->executable ? ct_base_name(p->executable) : "process", 0);
	if (p->pid)
		add_label(w, s, "pid", NULL, p->pid);
	if (r->region != CT_NO)
		add_label(w, s, "region", w->m->name[r->region].text, 0);
	if (!r->cause)
		return;
	add_label(w, s, "cause", ct_model_cause_name(w->m, r->cause), 0);
	add_label(w, s, "category", ct_model_category(w->m, r->cause), 0);
	if (r->site == CT_NO)
		return;
	char *object = ct_object_label(w->symbols, w->m, &w->m->site[r->site]);

	if (object && *object)
		add_label(w, s, "object", object, 0);
	free(object);
}

static void put_sample(struct ct_pprof_writer *w, const struct ct_profile_rows *rows, const struct ct_profile_row *r)
{
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
	struct sample s = { .value = { (int64_t)r->count, (int64_t)r->ns } };
	Perftools__Profiles__Sample *samples = &s.message;

	perftools__profiles__sample__init(&s.message);
	w->frame_count = 0;
	if (r->callstack != CT_NO)
		ct_pprof_stack(w, &rows->callstacks, r->callstack);
	else if (r->call)
		ct_pprof_named(w, ct_model_call_name(w->m, r->call));
	else
		ct_pprof_named(w, r->spent == CT_SPENT_READY ? "[ready: preempted, or woken in no recorded call]" :
							       "[no call stack]");
	add_labels(w, &s, r);
	s.message.n_location_id = w->frame_count;
	s.message.location_id = w->frame;
	s.message.n_value = 2;
	s.message.value = s.value;
	s.message.label = s.labels;
	part.n_sample = 1;
	part.sample = &samples;
	ct_pprof_put(w, &part);
}

/* --- what stands beside them --- */

static void put_types(struct ct_pprof_writer *w)
{
	Perftools__Profiles__ValueType type[2], *types[2] = { &type[0], &type[1] };
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

	perftools__profiles__value_type__init(&type[0]);
	perftools__profiles__value_type__init(&type[1]);
	type[0].type = ct_pprof_text(w, "contentions");
	type[0].unit = ct_pprof_text(w, "count");
	type[1].type = ct_pprof_text(w, "delay");
	type[1].unit = ct_pprof_text(w, "nanoseconds");
	part.n_sample_type = 2;
	part.sample_type = types;
	/* Every wait counts, not one of so many. */
	part.period_type = &type[0];
	part.period = 1;
	part.default_sample_type = type[1].type;
	ct_pprof_put(w, &part);
}

static void put_times(struct ct_pprof_writer *w, const struct ct_reader *r)
{
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
	const struct ct_model *m = w->m;
	uint64_t from_ns = m->from_ns > m->start_ns ? m->from_ns : m->start_ns;
	uint64_t to_ns = m->to_ns < m->end_ns ? m->to_ns : m->end_ns;

	part.time_nanos = (int64_t)(r->header.start_real_ns + (from_ns - r->header.start_ns));
	part.duration_nanos = to_ns > from_ns ? (int64_t)(to_ns - from_ns) : 0;
	ct_pprof_put(w, &part);
}

static void put_comment(struct ct_pprof_writer *w, const char *text)
{
	int64_t index = ct_pprof_text(w, text);
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

	part.n_comment = 1;
	part.comment = &index;
	ct_pprof_put(w, &part);
}

__attribute__((format(printf, 3, 4))) static void comment_number(struct ct_pprof_writer *w, uint64_t n,
								 const char *format, ...)
{
	char text[256];
	va_list args;

	if (!n)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_comment(w, text);
}

static void put_comments(struct ct_pprof_writer *w, const struct ct_export *e, const struct ct_profile_rows *rows)
{
	const struct ct_model *m = w->m;
	uint64_t lost = ct_model_lost_events(m), stacks = m->lost[CT_LOSS_STACKS], unknown = rows->unknown,
		 damaged = e->context->reader.damaged, gaps = m->gap_records, estimated = rows->estimated_ns;

	comment_number(w, 1, "ctrace " CTRACE_VERSION ": profile %s of %.160s", e->profile,
		       m->process_count ? m->process[0].command : "a trace");
	comment_number(w, !strcmp(e->profile, "sched") && !m->has_sched,
		       "the trace does not say when threads were ready: the profile is empty");
	comment_number(w, lost, "lost: %llu events", (unsigned long long)lost);
	comment_number(w, stacks, "lost: %llu call stacks", (unsigned long long)stacks);
	comment_number(w, gaps, "lost: %llu records of the scheduler", (unsigned long long)gaps);
	comment_number(w, damaged, "the trace is damaged in %llu places", (unsigned long long)damaged);
	comment_number(w, !e->context->reader.has_trailer, "the trace has no end: it was cut, or is still being written");
	comment_number(w, unknown, "waits of unknown duration, counted with 0 ns: %llu", (unsigned long long)unknown);
	comment_number(w, estimated, "ready without a CPU, by the kernel's totals and not by site: %llu ns",
		       (unsigned long long)estimated);
}

/* Nothing is symbolised that is not in the profile. */
int ct_export_pprof(struct ct_export *e)
{
	struct ct_model m;
	struct ct_symbols symbols = { 0 };
	struct ct_profile_rows rows = { 0 };
	struct ct_pprof_writer w = { 0 };
	int error = ct_command_load(e->context, &m, NULL);

	if (!error)
		error = ct_symbols_open(&symbols, &m);
	if (!error)
		error = ct_profile_rows_make(&rows, &m, true);
	if (!error)
		error = ct_pprof_open(&w, &m, &symbols, e->file);
	if (!error) {
		ct_profile_rows_sort(&rows);
		put_types(&w);
		put_times(&w, &e->context->reader);
		put_comments(&w, e, &rows);
		for (uint32_t i = 0; i < rows.row_count && !w.error && !ferror(e->file); i++)
			if (is_in(&m, e->profile, &rows.row[i]))
				put_sample(&w, &rows, &rows.row[i]);
		error = ct_pprof_finish(&w);
	}
	ct_pprof_close(&w);
	ct_profile_rows_close(&rows);
	if (symbols.model)
		ct_symbols_close(&symbols);
	ct_model_free(&m);
	return error;
}
