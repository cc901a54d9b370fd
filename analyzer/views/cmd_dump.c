/* dump: every record and event, a line each, in the order of the file. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "columns.h"
#include "commands.h"
#include "marks.h"
#include "objects.h"
#include "switches.h"

struct dump {
	struct ct_context *c;
	struct ct_model m;
	struct ct_symbols symbols;
	bool selective; /* then only events are shown */
	struct ct_events_decoder decoder;
	struct ct_switches_decoder switches;
	char **label;   /* of the objects of the chunk's sites */
	uint32_t label_capacity;
	struct ct_marks *marks; /* what is open, where that decides what is shown; NULL: it does not */
};

/* --- records --- */

static char *hex(struct ct_text t)
{
	char *text = malloc(2 * t.n + 1);

	if (!text)
		return NULL;
	text[0] = 0;
	for (size_t i = 0; i < t.n; i++)
		sprintf(text + 2 * i, "%02x", (unsigned char)t.p[i]);
	return text;
}

static char *text_field(const char *name, struct ct_text t)
{
	return strcmp(name, "build_id") ? ct_clean(t.p, t.n) : hex(t);
}

static void print_text(FILE *f, const char *name, struct ct_text t)
{
	char *clean = text_field(name, t);

	fprintf(f, " %s=\"%s\"", name, clean ? clean : "");
	free(clean);
}

static void print_array(FILE *f, const char *name, struct ct_array a)
{
	uint64_t v;

	fprintf(f, " %s=", name);
	for (size_t i = 0; i < a.n && !ct_get_varint(&a.packed, &v); i++)
		fprintf(f, strcmp(name, "frames") ? "%s%llu" : "%s0x%llx", i ? "," : "", (unsigned long long)v);
}

static void print_record(FILE *f, const struct ct_record *record)
{
#define PRINT_U(f_) fprintf(f, " " #f_ "=%llu", (unsigned long long)r->f_);
#define PRINT_S(f_) fprintf(f, " " #f_ "=%lld", (long long)r->f_);
#define PRINT_T(f_) print_text(f, #f_, r->f_);
#define PRINT_A(f_) print_array(f, #f_, r->f_);
#define CT_RECORD(NAME, name, number) \
	case CT_RECORD_##NAME: { \
		const struct ct_record_##name *r = &record->name; \
		fputs("record " #NAME, f); \
		CT_FIELDS_##NAME(PRINT_U, PRINT_S, PRINT_T, PRINT_A) \
		break; \
	}
	switch (record->type) {
#include "records.def"
	default:
		fprintf(f, "record %llu", (unsigned long long)record->type);
	}
#undef CT_RECORD
	fputc('\n', f);
}

static json_t *json_number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *json_field(const char *name, struct ct_text t)
{
	char *clean = text_field(name, t);
	json_t *value = clean ? json_string(clean) : NULL;

	free(clean);
	return value;
}

static json_t *json_numbers(struct ct_array a)
{
	json_t *array = json_array();
	uint64_t v;

	for (size_t i = 0; i < a.n && !ct_get_varint(&a.packed, &v); i++)
		json_array_append_new(array, json_number(v));
	return array;
}

static json_t *json_record(const struct ct_record *record)
{
	json_t *o = json_object();

#define JSON_U(f) json_object_set_new(o, #f, json_number(r->f));
#define JSON_S(f) json_object_set_new(o, #f, json_integer(r->f));
#define JSON_T(f) json_object_set_new(o, #f, json_field(#f, r->f));
#define JSON_A(f) json_object_set_new(o, #f, json_numbers(r->f));
#define CT_RECORD(NAME, name, number) \
	case CT_RECORD_##NAME: { \
		const struct ct_record_##name *r = &record->name; \
		json_object_set_new(o, "record", json_string(#NAME)); \
		CT_FIELDS_##NAME(JSON_U, JSON_S, JSON_T, JSON_A) \
		break; \
	}
	switch (record->type) {
#include "records.def"
	default:
		json_object_set_new(o, "record", json_number(record->type));
	}
#undef CT_RECORD
	return o;
}

static void print_json(FILE *f, json_t *o)
{
	json_dumpf(o, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(o);
}

static void print_time(const struct dump *d, uint64_t ns);

/* The program's own lines look like events. */
static void dump_log(const struct dump *d, const struct ct_record_log *r)
{
	const struct ct_options *o = d->c->options;
	const struct ct_model *m = &d->m;
	uint32_t at = ct_table_get(&m->thread_by_id, r->thread);
	const struct ct_thread_info *t = at ? &m->thread[at - 1] : NULL;
	const char *category = m->name_count ? m->name[ct_model_name(m, r->category)].text : "";

	if (!t || !t->selected || r->time_ns < m->from_ns || r->time_ns >= m->to_ns || o->cause_count || o->object ||
	    o->site || o->min_ns || o->region || o->task)
		return;
	char *message = ct_clean(r->message.p, r->message.n);

	if (o->json) {
		print_json(d->c->out.file,
			   json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:o}", "event", "log", "start_ns",
				     json_number(r->time_ns), "pid", json_number(m->process[t->process].pid), "tid",
				     json_number(t->tid), "thread", t->name, "category", category, "message",
				     message ? message : "", "task", json_number(r->task)));
	} else {
		print_time(d, r->time_ns);
		fprintf(d->c->out.file, " log thread=\"%s\" tid=%llu category=\"%s\" message=\"%s\"", t->name,
			(unsigned long long)t->tid, category, message ? message : "");
		if (r->task)
			fprintf(d->c->out.file, " task=%llu", (unsigned long long)r->task);
		fputc('\n', d->c->out.file);
	}
	free(message);
}

static int dump_records(struct dump *d, struct ct_span payload)
{
	struct ct_record record;
	int found;

	while ((found = ct_get_record(&payload, &record)) > 0 && !ct_command_stop(d->c)) {
		if (record.type == CT_RECORD_LOG)
			dump_log(d, &record.log);
		else if (d->selective)
			continue;
		else if (d->c->options->json)
			print_json(d->c->out.file, json_record(&record));
		else
			print_record(d->c->out.file, &record);
	}
	return found < 0 ? found : 0; /* 1: nobody reads on */
}

/* --- events --- */

static const struct {
	uint8_t flag;
	const char *name;
} flags[] = {
	{ CT_EV_OFF_CPU, "off_cpu" },
	{ CT_EV_NO_START, "no_start" },
	{ CT_EV_OPEN, "open" },
	{ CT_EV_ABANDONED, "abandoned" },
};

static const char *kind_name(uint8_t kind)
{
	static const char *const names[CT_EVENT_KINDS] = {
		[CT_EVENT_INTERVAL] = "interval", [CT_EVENT_HOLD] = "hold", [CT_EVENT_WAKE] = "wake",
		[CT_EVENT_REGION_BEGIN] = "region_begin", [CT_EVENT_REGION_END] = "region_end",
	};

	return kind < CT_EVENT_KINDS && names[kind] ? names[kind] : "unknown";
}

/* Seconds since the trace began, signed: a call may have begun before it. */
static void print_time(const struct dump *d, uint64_t ns)
{
	int64_t after_ns = (int64_t)(ns - d->m.start_ns);
	uint64_t distance_ns = after_ns < 0 ? -(uint64_t)after_ns : (uint64_t)after_ns;

	fprintf(d->c->out.file, "%s%llu.%09llu", after_ns < 0 ? "-" : "",
		(unsigned long long)(distance_ns / 1000000000), (unsigned long long)(distance_ns % 1000000000));
}

static void print_event(const struct dump *d, const struct ct_thread_info *t, const struct ct_events_cursor *c)
{
	const struct ct_site *s = &d->decoder.site[c->site];
	FILE *f = d->c->out.file;

	print_time(d, c->start_ns);
	fprintf(f, " %s thread=\"%s\" tid=%llu call=%s cause=%s object=\"%s\" ns=%llu result=%lld stack=%u",
		kind_name(s->kind), t->name,
		(unsigned long long)t->tid, ct_model_call_name(&d->m, s->call), ct_model_cause_name(&d->m, s->cause),
		d->label[c->site] ? d->label[c->site] : "", (unsigned long long)c->duration_ns, (long long)c->result,
		s->stack);
	if (s->owner)
		fprintf(f, " owner=%u", s->owner);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (s->flags & flags[i].flag)
			fprintf(f, " %s", flags[i].name);
	fputc('\n', f);
}

static json_t *json_event(const struct dump *d, const struct ct_thread_info *t, const struct ct_events_cursor *c)
{
	const struct ct_site *s = &d->decoder.site[c->site];
	json_t *set = json_array();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (s->flags & flags[i].flag)
			json_array_append_new(set, json_string(flags[i].name));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:o}",
			 "event", kind_name(s->kind), "start_ns", json_number(c->start_ns), "duration_ns",
			 json_number(c->duration_ns), "pid", json_number(d->m.process[t->process].pid), "tid",
			 json_number(t->tid), "thread", t->name, "call", ct_model_call_name(&d->m, s->call), "cause",
			 ct_model_cause_name(&d->m, s->cause), "object", d->label[c->site] ? d->label[c->site] : "",
			 "result", (json_int_t)c->result, "address", json_number(s->object), "stack",
			 (json_int_t)s->stack, "owner", (json_int_t)s->owner, "flags", set);
}

static bool is_selected(const struct dump *d, const struct ct_thread_info *t, const struct ct_events_cursor *c)
{
	const struct ct_site *s = &d->decoder.site[c->site];

	return t->selected && c->duration_ns >= d->c->options->min_ns && c->end_ns >= d->m.from_ns &&
	       c->start_ns < d->m.to_ns && ct_model_selects(&d->m, t->process, s) > 0;
}

static int label_sites(struct dump *d, uint32_t process)
{
	char **label = ct_grow(d->label, &d->label_capacity, d->decoder.site_count, sizeof(*label));

	if (!label)
		return -ENOMEM;
	d->label = label;
	for (uint32_t i = 0; i < d->decoder.site_count; i++) {
		struct ct_site_info site = { process, d->decoder.site[i] };

		label[i] = ct_object_label(&d->symbols, &d->m, &site);
	}
	return 0;
}

static int dump_events(struct dump *d, const struct ct_chunk *chunk, struct ct_span payload)
{
	struct ct_events_decoder *e = &d->decoder;
	struct ct_events_cursor c;
	uint32_t process = ct_model_process(&d->m, chunk->header.process);
	int error = process == CT_NO ? -ENOMEM : ct_events_open(e, payload);

	if (error)
		return error;
	if (!ct_columns_sound(e))
		return -EBADMSG;
	if (!d->m.process[process].selected)
		return 0;
	error = label_sites(d, process);
	ct_events_cursor(e, &c);
	for (uint32_t i = 0; i < e->batch_count && !error && !ct_command_stop(d->c); i++) {
		uint32_t thread = ct_model_thread(&d->m, e->batch[i].thread, process);

		if (thread == CT_NO) {
			error = -ENOMEM;
			break;
		}
		c.end_ns = e->base_ns;
		for (uint32_t k = 0; k < e->batch[i].events && !error && !ct_events_next(&c); k++) {
			const struct ct_thread_info *t = &d->m.thread[thread];

			if (d->marks && ct_is_mark(&e->site[c.site]))
				error = ct_marks_event(d->marks, &d->m, thread, &e->site[c.site], c.start_ns);
			if (!is_selected(d, t, &c) || (d->marks && !ct_marks_inside(d->marks, &d->m, thread)))
				continue;
			if (d->c->options->json)
				print_json(d->c->out.file, json_event(d, t, &c));
			else
				print_event(d, t, &c);
		}
	}
	for (uint32_t i = 0; d->label && i < e->site_count; i++)
		free(d->label[i]);
	return error;
}

/* --- slices --- */

static const char *slice_end_name(uint32_t end)
{
	static const char *const names[CT_SLICE_KINDS] = {
		[CT_SLICE_BLOCKED] = "blocked",	  [CT_SLICE_PREEMPTED] = "preempted", [CT_SLICE_EXITED] = "exited",
		[CT_SLICE_CONTINUED] = "continued", [CT_SLICE_LOST] = "lost",	      [CT_SLICE_TRACE] = "trace",
	};

	return end < CT_SLICE_KINDS ? names[end] : "unknown";
}

static const struct {
	uint32_t flag;
	const char *name;
} slice_flags[] = {
	{ CT_SL_SOFTIRQ, "softirq" },
	{ CT_SL_HARDIRQ, "hardirq" },
	{ CT_SL_NO_START, "no_start" },
	{ CT_SL_LATE, "late" },
};

static json_t *json_slice(const struct dump *d, const struct ct_slice *s, const char *name)
{
	const struct ct_switches_task *t = &d->switches.task[s->task];
	json_t *set = json_array();
	json_t *o = json_pack("{s:s, s:o, s:o, s:I, s:I, s:s, s:I}", "slice", slice_end_name(s->end), "start_ns",
			      json_number(s->start_ns), "duration_ns", json_number(s->end_ns - s->start_ns), "pid",
			      (json_int_t)t->pid, "tid", (json_int_t)t->tid, "name", name, "cpu", (json_int_t)s->cpu);

	if (s->flags & CT_SL_WOKEN) {
		json_object_set_new(o, "woken_ns", json_number(s->woken_ns));
		json_object_set_new(o, "waker", json_integer(d->switches.task[s->waker].tid));
	}
	for (size_t i = 0; i < sizeof(slice_flags) / sizeof(slice_flags[0]); i++)
		if (s->flags & slice_flags[i].flag)
			json_array_append_new(set, json_string(slice_flags[i].name));
	json_object_set_new(o, "flags", set);
	return o;
}

static void print_slice(const struct dump *d, const struct ct_slice *s, const char *name)
{
	const struct ct_switches_task *t = &d->switches.task[s->task];
	FILE *f = d->c->out.file;

	print_time(d, s->start_ns);
	fprintf(f, " slice thread=\"%s\" pid=%u tid=%u cpu=%u ns=%llu %s", name, t->pid, t->tid, s->cpu,
		(unsigned long long)(s->end_ns - s->start_ns), slice_end_name(s->end));
	if (s->flags & CT_SL_WOKEN)
		fprintf(f, " ready=%llu waker=%u", (unsigned long long)(s->start_ns - s->woken_ns),
			d->switches.task[s->waker].tid);
	for (size_t i = 0; i < sizeof(slice_flags) / sizeof(slice_flags[0]); i++)
		if (s->flags & slice_flags[i].flag)
			fprintf(f, " %s", slice_flags[i].name);
	fputc('\n', f);
}

static void print_gap(const struct dump *d, const struct ct_gap *g)
{
	if (d->c->options->json) {
		print_json(d->c->out.file, json_pack("{s:I, s:o, s:o, s:o}", "gap", (json_int_t)g->cpu, "start_ns",
						     json_number(g->from_ns), "duration_ns",
						     json_number(g->to_ns - g->from_ns), "lost", json_number(g->lost)));
		return;
	}
	print_time(d, g->from_ns);
	fprintf(d->c->out.file, " gap cpu=%u ns=%llu lost=%llu\n", g->cpu,
		(unsigned long long)(g->to_ns - g->from_ns), (unsigned long long)g->lost);
}

static int dump_switches(struct dump *d, struct ct_span payload)
{
	struct ct_switches_decoder *s = &d->switches;
	struct ct_slice slice;
	uint64_t count;

	if (d->selective)
		return 0;
	int error = ct_switches_open(s, payload);

	if (!error)
		error = ct_switches_count(s, &count);
	if (error)
		return error;
	for (uint32_t i = 0; i < s->gap_count; i++)
		print_gap(d, &s->gap[i]);
	while (ct_switches_next(s, &slice) > 0 && !ct_command_stop(d->c)) {
		struct ct_text name = s->task[slice.task].name;
		char *clean = ct_clean(name.p, name.n);

		if (d->c->options->json)
			print_json(d->c->out.file, json_slice(d, &slice, clean ? clean : ""));
		else
			print_slice(d, &slice, clean ? clean : "");
		free(clean);
	}
	return 0;
}

static int dump_chunk(struct dump *d, const struct ct_chunk *chunk, struct ct_span payload)
{
	switch (chunk->header.kind) {
	case CT_CHUNK_RECORDS:
		return dump_records(d, payload);
	case CT_CHUNK_EVENTS:
		return dump_events(d, chunk, payload);
	}
	return dump_switches(d, payload);
}

static int walk(struct dump *d)
{
	struct ct_reader *r = &d->c->reader;
	struct ct_chunk chunk;
	struct ct_span payload;
	struct ct_want want = { .kinds = CT_WANT(CT_CHUNK_RECORDS) | CT_WANT(CT_CHUNK_EVENTS) |
					 CT_WANT(CT_CHUNK_SWITCHES) };
	uint64_t seen = r->damaged; /* damage that the first pass has counted */
	int found, error = 0;

	ct_reader_rewind(r);
	ct_reader_ahead(r, &want);
	while (!error && !ct_command_stop(d->c) && (found = ct_reader_next(r, &chunk)) > 0) {
		if (chunk.header.kind != CT_CHUNK_RECORDS && chunk.header.kind != CT_CHUNK_EVENTS &&
		    chunk.header.kind != CT_CHUNK_SWITCHES)
			continue;
		uint64_t before = r->damaged;

		error = ct_reader_payload(r, &chunk, &payload);
		if (!error)
			error = dump_chunk(d, &chunk, payload);
		if (error == -EBADMSG && r->damaged == before)
			ct_reader_damage(r, chunk.offset, "what is in a chunk makes no sense");
		/* A damaged chunk of records has been counted before. */
		if (error == -EBADMSG && chunk.header.kind == CT_CHUNK_RECORDS && seen)
			r->damaged = before;
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
	}
	return error;
}

int ct_cmd_dump(struct ct_context *c)
{
	const struct ct_options *o = c->options;
	struct dump d = { .c = c };
	int error = ct_command_usage(c, &d.m, ct_model_load_records(&d.m, &c->reader, o));

	d.selective = ct_options_select(o);
	if (!error && ct_marks_select(&d.m) && !(d.marks = ct_marks_open(&d.m, false)))
		error = -ENOMEM;
	if (!error)
		error = ct_symbols_open(&d.symbols, &d.m);
	if (!error)
		error = walk(&d);
	if (d.symbols.model)
		ct_symbols_close(&d.symbols);
	ct_events_close(&d.decoder);
	ct_switches_close(&d.switches);
	free(d.label);
	ct_marks_close(d.marks);
	ct_model_free(&d.m);
	return error;
}
