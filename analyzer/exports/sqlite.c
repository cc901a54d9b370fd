/* See sqlite.h. */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "marks_source.h"
#include "report_wakers.h"
#include "timeline_source.h"

static const char schema_sql[] =
#include "schema.sql.h"
	;
static const char indexes_sql[] =
#include "indexes.sql.h"
	;

enum table {
	TRACE,
	CAUSES,
	PROCESSES,
	THREADS,
	STACKS,
	FRAMES,
	INTERVALS,
	WAKES,
	STATES,
	LOCKS,
	REGIONS,
	TASKS,
	LOGS,
	TABLES
};

static const struct {
	const char *name;
	int columns;
} tables[TABLES] = {
	[TRACE] = { "trace", 2 },	  [CAUSES] = { "causes", 3 }, [PROCESSES] = { "processes", 7 },
	[THREADS] = { "threads", 11 },	  [STACKS] = { "stacks", 5 }, [FRAMES] = { "frames", 8 },
	[INTERVALS] = { "intervals", 13 }, [WAKES] = { "wakes", 6 },   [STATES] = { "states", 5 },
	[LOCKS] = { "locks", 11 },	  [REGIONS] = { "regions", 7 }, [TASKS] = { "tasks", 8 },
	[LOGS] = { "logs", 5 },
};

struct filling {
	sqlite3 *db;
	struct ct_context *context;
	struct ct_timeline_source source;
	sqlite3_stmt *insert[TABLES];
	bool *told;              /* by call stack: it is in the database */
	uint32_t told_count;
	uint64_t intervals, regions, tasks;
};

/* --- rows: each value goes into the next column --- */

struct row {
	sqlite3_stmt *statement;
	int column;
};

static struct row begin_row(struct filling *f, enum table table)
{
	return (struct row){ f->insert[table], 0 };
}

static void put_number(struct row *r, uint64_t n)
{
	sqlite3_bind_int64(r->statement, ++r->column, n > INT64_MAX ? INT64_MAX : (sqlite3_int64)n);
}

/* CT_NO is NULL. */
static void put_id(struct row *r, uint32_t id)
{
	if (id == CT_NO)
		sqlite3_bind_null(r->statement, ++r->column);
	else
		sqlite3_bind_int64(r->statement, ++r->column, id);
}

/* Only until the row is put. */
static void put_text(struct row *r, const char *text)
{
	sqlite3_bind_text(r->statement, ++r->column, text, -1, SQLITE_STATIC);
}

static int end_row(struct filling *f, struct row *r)
{
	int result = sqlite3_step(r->statement);

	sqlite3_reset(r->statement);
	if (result == SQLITE_DONE)
		return 0;
	snprintf(f->context->usage, sizeof(f->context->usage), "the database: %.80s", sqlite3_errmsg(f->db));
	return -EINVAL;
}

static int run(struct filling *f, const char *sql)
{
	if (sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	snprintf(f->context->usage, sizeof(f->context->usage), "the database: %.80s", sqlite3_errmsg(f->db));
	return -EINVAL;
}

static int prepare(struct filling *f)
{
	char sql[128], *marks;

	for (int i = 0; i < TABLES; i++) {
		marks = strdup("?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?");
		if (!marks)
			return -ENOMEM;
		marks[tables[i].columns * 2 - 1] = 0;
		snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (%s)", tables[i].name, marks);
		free(marks);
		if (sqlite3_prepare_v2(f->db, sql, -1, &f->insert[i], NULL) != SQLITE_OK)
			return run(f, "");
	}
	return 0;
}

/* --- the trace as a whole --- */

static uint64_t after(const struct ct_model *m, uint64_t ns)
{
	return ns > m->start_ns ? ns - m->start_ns : 0;
}

static int put_fact(struct filling *f, const char *key, uint64_t n)
{
	struct row r = begin_row(f, TRACE);

	put_text(&r, key);
	put_number(&r, n);
	return end_row(f, &r);
}

static int put_facts(struct filling *f, const struct ct_model *m)
{
	const struct {
		const char *key;
		uint64_t value;
	} facts[] = {
		{ "duration_ns", m->end_ns - m->start_ns },
		{ "start_monotonic_ns", m->start_ns },
		{ "start_real_ns", f->context->reader.header.start_real_ns + m->start_ns - f->context->reader.header.start_ns },
		{ "events", m->events },
		{ "lost_events", ct_model_lost_events(m) },
		{ "complete", ct_is_complete(f->context, m) },
		{ "damaged", f->context->reader.damaged },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]) && !error; i++)
		error = put_fact(f, facts[i].key, facts[i].value);
	return error;
}

static int put_causes(struct filling *f, const struct ct_model *m)
{
	int error = 0;

	for (uint32_t i = 0; i < CT_CAUSES && !error; i++) {
		struct row r = begin_row(f, CAUSES);

		if (!m->cause[i].name)
			continue;
		put_text(&r, m->cause[i].name);
		put_text(&r, m->cause[i].category);
		put_text(&r, m->cause[i].text);
		error = end_row(f, &r);
	}
	return error;
}

static int put_processes(struct filling *f, const struct ct_model *m)
{
	int error = 0;

	for (uint32_t i = 0; i < m->process_count && !error; i++) {
		const struct ct_process_info *p = &m->process[i];
		struct row r = begin_row(f, PROCESSES);

		put_id(&r, i);
		put_number(&r, p->pid);
		put_number(&r, p->parent_pid);
		put_number(&r, after(m, p->start_ns));
		put_number(&r, after(m, p->ended ? p->end_ns : m->end_ns));
		put_text(&r, p->executable);
		put_text(&r, p->command);
		error = end_row(f, &r);
	}
	return error;
}

static int put_threads(struct filling *f, const struct ct_model *m)
{
	int error = 0;

	for (uint32_t i = 0; i < m->thread_count && !error; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		struct row r = begin_row(f, THREADS);

		put_id(&r, i);
		put_id(&r, t->process);
		put_number(&r, t->tid);
		put_text(&r, t->name);
		put_number(&r, after(m, t->start_ns));
		put_number(&r, after(m, t->ended ? t->end_ns : m->end_ns));
		put_number(&r, t->lifetime_ns);
		put_number(&r, t->running_ns);
		put_number(&r, t->runnable_ns);
		put_number(&r, t->blocked_ns);
		put_number(&r, t->unexplained_ns);
		error = end_row(f, &r);
	}
	return error;
}

static int put_locks(struct filling *f, const struct ct_report *report)
{
	int error = 0;

	for (uint32_t i = 0; i < report->lock_count && !error; i++) {
		const struct ct_lock_row *l = &report->lock[i];
		struct row r = begin_row(f, LOCKS);

		put_id(&r, i);
		put_id(&r, l->process);
		put_number(&r, l->address);
		put_text(&r, l->label);
		put_text(&r, ct_model_cause_name(report->model, l->cause));
		put_number(&r, l->acquisitions);
		put_number(&r, l->contended);
		put_number(&r, l->wait_ns);
		put_number(&r, l->max_wait_ns);
		put_number(&r, l->hold_ns);
		put_number(&r, l->max_hold_ns);
		error = end_row(f, &r);
	}
	return error;
}

static int put_whole(struct filling *f)
{
	struct ct_model m;
	struct ct_report report;
	int error = ct_command_load(f->context, &m, &report);

	if (!error)
		error = put_facts(f, &m);
	if (!error)
		error = put_causes(f, &m);
	if (!error)
		error = put_processes(f, &m);
	if (!error)
		error = put_threads(f, &m);
	if (!error)
		error = put_locks(f, &report);
	ct_report_close(&report);
	ct_model_free(&m);
	return error;
}

/* --- stacks --- */

static int put_frames(struct filling *f, uint32_t callstack, const struct ct_frame *frames, uint32_t count)
{
	struct row s = begin_row(f, STACKS);

	put_id(&s, callstack);
	put_text(&s, count ? frames[0].function : NULL);
	put_text(&s, count ? frames[0].file : NULL);
	put_number(&s, count && frames[0].line > 0 ? (uint64_t)frames[0].line : 0);
	put_number(&s, count);
	int error = end_row(f, &s);

	for (uint32_t i = 0; i < count && !error; i++) {
		struct row r = begin_row(f, FRAMES);

		put_id(&r, callstack);
		put_id(&r, i);
		put_text(&r, frames[i].function);
		put_text(&r, frames[i].file);
		put_number(&r, frames[i].line > 0 ? (uint64_t)frames[i].line : 0);
		put_text(&r, frames[i].module);
		put_number(&r, frames[i].offset);
		put_number(&r, frames[i].inlined);
		error = end_row(f, &r);
	}
	return error;
}

/* Puts a stack into the database before what refers to it. */
static int tell_stack(struct filling *f, uint32_t callstack)
{
	struct ct_frame *frames;
	uint32_t count;

	if (callstack == CT_NO || (callstack < f->told_count && f->told[callstack]))
		return 0;
	if (callstack >= f->told_count) {
		uint32_t room = callstack * 2 + 256;
		bool *told = realloc(f->told, room);

		if (!told)
			return -ENOMEM;
		memset(told + f->told_count, 0, room - f->told_count);
		f->told = told;
		f->told_count = room;
	}
	f->told[callstack] = true;
	int error = ct_callstack_frames(&f->source.callstacks, &f->source.symbols, callstack, &frames, &count);

	if (!error)
		error = put_frames(f, callstack, frames, count);
	free(frames);
	return error;
}

/* --- the stream --- */

static int put_wake(struct filling *f, const struct ct_interval *i)
{
	char *label = i->waker == CT_NO ? NULL : ct_waker_label(&f->source.wakes, i->waker);
	uint32_t stack;
	int error = ct_callstack_of(&f->source.callstacks, i->waker_stack, &stack);

	if (!error)
		error = tell_stack(f, stack);
	struct row r = begin_row(f, WAKES);

	put_number(&r, f->intervals);
	put_text(&r, ct_ended_name((enum ct_ended)i->ended));
	put_id(&r, i->waker < CT_OUTSIDE ? i->waker : CT_NO);
	put_text(&r, label);
	put_number(&r, after(&f->source.m, i->release_ns));
	put_id(&r, stack);
	if (!error)
		error = end_row(f, &r);
	free(label);
	return error;
}

static int put_wait(void *self, const struct ct_interval *i)
{
	struct filling *f = self;
	const struct ct_model *m = &f->source.m;
	const struct ct_site *site = &f->source.wakes.site[i->site].site;
	const char *object = ct_source_object(&f->source, i->site);
	uint32_t stack;
	int error = object ? ct_source_callstack(&f->source, i->site, &stack) : -ENOMEM;

	if (!error)
		error = tell_stack(f, stack);
	if (error)
		return error;
	struct row r = begin_row(f, INTERVALS);

	put_number(&r, ++f->intervals);
	put_id(&r, i->thread);
	put_number(&r, after(m, i->start_ns));
	put_number(&r, after(m, i->end_ns));
	put_number(&r, i->blocked_ns);
	put_number(&r, i->ready_ns);
	put_text(&r, ct_model_cause_name(m, site->cause));
	put_text(&r, ct_model_call_name(m, site->call));
	put_text(&r, object);
	put_id(&r, stack);
	put_id(&r, i->owner ? i->owner : CT_NO);
	sqlite3_bind_int64(r.statement, ++r.column, i->result);
	put_number(&r, i->ended == CT_ENDED_NOT);
	error = end_row(f, &r);
	return error ? error : put_wake(f, i);
}

static int put_state(struct filling *f, uint32_t thread, const char *state, uint32_t cpu, uint64_t from_ns, uint64_t to_ns)
{
	struct row r = begin_row(f, STATES);

	put_id(&r, thread);
	put_text(&r, state);
	put_id(&r, cpu);
	put_number(&r, after(&f->source.m, from_ns));
	put_number(&r, after(&f->source.m, to_ns));
	return end_row(f, &r);
}

static int put_slice(void *self, const struct ct_turn_on_cpu *t)
{
	struct filling *f = self;
	int error = 0;

	if (t->woken_ns && t->woken_ns < t->start_ns)
		error = put_state(f, t->thread, "ready", CT_NO, t->woken_ns, t->start_ns);
	return error ? error : put_state(f, t->thread, "running", t->cpu, t->start_ns, t->end_ns);
}

/* --- the program's own --- */

static int put_region(void *self, const struct ct_region_slice *s)
{
	struct filling *f = self;
	const struct ct_model *m = &f->source.m;
	struct row r = begin_row(f, REGIONS);

	put_number(&r, ++f->regions);
	put_id(&r, s->thread);
	put_text(&r, m->name[s->name].text);
	put_text(&r, s->task == CT_NO ? NULL : m->name[s->task].text);
	put_number(&r, s->depth);
	put_number(&r, after(m, s->start_ns));
	put_number(&r, after(m, s->end_ns));
	return end_row(f, &r);
}

/* Numbers of tasks have 64 bits, which integers of SQLite have with a sign. */
static void put_bits(struct row *r, uint64_t bits)
{
	if (bits)
		sqlite3_bind_int64(r->statement, ++r->column, (sqlite3_int64)bits);
	else
		put_id(r, CT_NO);
}

static int put_task(void *self, const struct ct_task *t)
{
	struct filling *f = self;
	const struct ct_model *m = &f->source.m;
	struct row r = begin_row(f, TASKS);

	put_number(&r, ++f->tasks);
	put_bits(&r, t->number);
	put_text(&r, m->name[t->name].text);
	put_bits(&r, t->parent);
	put_id(&r, t->thread);
	put_id(&r, t->end_thread);
	put_number(&r, after(m, t->begin_ns));
	put_number(&r, after(m, t->end_ns));
	return end_row(f, &r);
}

static int put_log(void *self, const struct ct_log_line *line)
{
	struct filling *f = self;
	struct row r = begin_row(f, LOGS);

	put_id(&r, line->thread);
	put_number(&r, after(&f->source.m, line->ns));
	put_bits(&r, line->task);
	put_text(&r, f->source.m.name[line->category].text);
	put_text(&r, line->message);
	return end_row(f, &r);
}

int ct_sqlite_fill(sqlite3 *db, struct ct_context *c)
{
	struct filling f = { .db = db, .context = c };
	int error = run(&f, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");

	if (!error)
		error = run(&f, schema_sql);
	if (!error)
		error = prepare(&f);
	if (!error)
		error = put_whole(&f);
	if (!error)
		error = ct_source_open(&f.source, c);
	if (!error)
		error = ct_source_waits(&f.source, put_wait, &f);
	if (!error)
		error = ct_source_slices(&f.source, put_slice, NULL, &f);
	if (!error)
		error = ct_source_regions(&f.source, put_region, &f);
	if (!error)
		error = ct_source_tasks(&f.source, put_task, put_log, &f);
	if (f.source.context)
		ct_source_close(&f.source);
	for (int i = 0; i < TABLES; i++)
		sqlite3_finalize(f.insert[i]);
	free(f.told);
	if (!error)
		error = run(&f, indexes_sql);
	return error ? error : run(&f, "COMMIT; ANALYZE");
}

int ct_export_sqlite(struct ct_export *e)
{
	struct ct_context *c = e->context;
	struct stat st;
	sqlite3 *db;

	if (!lstat(e->path, &st) && !S_ISREG(st.st_mode)) {
		snprintf(c->usage, sizeof(c->usage), "%.80s: not a regular file", e->path);
		return -EINVAL;
	}
	unlink(e->path);
	/* SQLite would make it for all. */
	int fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	int error = sqlite3_open(e->path, &db) == SQLITE_OK ? 0 : -EINVAL;

	if (error)
		snprintf(c->usage, sizeof(c->usage), "%.60s: %.50s", e->path, db ? sqlite3_errmsg(db) : "out of memory");
	else
		error = ct_sqlite_fill(db, c);
	if (sqlite3_close(db) != SQLITE_OK && !error)
		error = -EIO;
	if (error)
		unlink(e->path);
	return error;
}
