/* sql: a question to a trace as a database. See docs/sql.md. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "csv.h"
#include "json_parts.h"
#include "sqlite.h"

#define COLUMNS_MOST 64
#define WIDTH_MOST   60
#define ROWS_MEASURED 1000u /* that the widths of columns go by */

/* Rows of texts, for the widths of their columns. */
struct rows {
	int columns, width[COLUMNS_MOST];
	bool number[COLUMNS_MOST];
	CT_ARRAY(char *, cell);
};

static int fail(struct ct_context *c, sqlite3 *db)
{
	snprintf(c->usage, sizeof(c->usage), "sql: %.110s", sqlite3_errmsg(db));
	return -EINVAL;
}

/* --- as a table --- */

static void print_rows(const struct ct_context *c, const struct rows *r)
{
	for (uint32_t i = 0; i < r->cell_count; i += (uint32_t)r->columns) {
		for (int k = 0; k < r->columns; k++) {
			bool last = k + 1 == r->columns;
			int width = r->number[k] ? -r->width[k] : last ? 0 : r->width[k];

			fputs(k ? "  " : "", c->out.file);
			if (width)
				ct_column_text(&c->out, CT_PLAIN, width, r->cell[i + (uint32_t)k]);
			else
				fputs(r->cell[i + (uint32_t)k], c->out.file);
		}
		fputc('\n', c->out.file);
	}
}

static void print_head(const struct ct_context *c, sqlite3_stmt *s, struct rows *r)
{
	for (int k = 0; k < r->columns; k++) {
		const char *name = sqlite3_column_name(s, k);
		int n = ct_text_width(name);

		if (n > r->width[k])
			r->width[k] = n < WIDTH_MOST ? n : WIDTH_MOST;
		fputs(k ? "  " : "", c->out.file);
		ct_column_text(&c->out, CT_TITLE, r->number[k] ? -r->width[k] : r->width[k], name);
	}
	fputc('\n', c->out.file);
}

static void forget_rows(struct rows *r)
{
	for (uint32_t i = 0; i < r->cell_count; i++)
		free(r->cell[i]);
	r->cell_count = 0;
}

static int keep_row(struct rows *r, sqlite3_stmt *s)
{
	for (int k = 0; k < r->columns; k++) {
		const char *text = (const char *)sqlite3_column_text(s, k);
		char **cell = CT_APPEND(r, cell);

		if (cell)
			*cell = text ? ct_clean(text, strlen(text)) : strdup("");
		if (!cell || !*cell)
			return -ENOMEM;
		int n = ct_text_width(*cell), type = sqlite3_column_type(s, k);

		r->number[k] &= type == SQLITE_INTEGER || type == SQLITE_FLOAT || type == SQLITE_NULL;
		if (n > r->width[k])
			r->width[k] = n < WIDTH_MOST ? n : WIDTH_MOST;
	}
	return 0;
}

static int print_table(struct ct_context *c, sqlite3 *db, sqlite3_stmt *s)
{
	struct rows r = { .columns = sqlite3_column_count(s) };
	bool headed = false;
	int result, error = 0;

	if (r.columns > COLUMNS_MOST) {
		snprintf(c->usage, sizeof(c->usage), "sql: more than %d columns: use --json or --csv", COLUMNS_MOST);
		return -EINVAL;
	}
	memset(r.number, 1, sizeof(r.number));
	while (!error && (result = sqlite3_step(s)) == SQLITE_ROW && !ct_command_stop(c)) {
		error = keep_row(&r, s);
		if (!headed && r.cell_count / (uint32_t)r.columns < ROWS_MEASURED)
			continue;
		if (!headed)
			print_head(c, s, &r);
		headed = true;
		print_rows(c, &r);
		forget_rows(&r);
	}
	if (!error && result != SQLITE_DONE && result != SQLITE_ROW)
		error = fail(c, db);
	if (!error && !headed && r.columns) {
		print_head(c, s, &r);
		print_rows(c, &r);
	}
	forget_rows(&r);
	free(r.cell);
	return error;
}

/* --- for programs --- */

static json_t *value_of(sqlite3_stmt *s, int column)
{
	const char *text;

	switch (sqlite3_column_type(s, column)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(s, column));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(s, column));
	case SQLITE_NULL:
		return json_null();
	}
	text = (const char *)sqlite3_column_text(s, column);
	return json_string(text ? text : "");
}

/* {"rows": [{column: value}, ...]} */
static int print_json_rows(struct ct_context *c, sqlite3 *db, sqlite3_stmt *s)
{
	int result, error = 0;
	bool begun = false;

	fputs("{\"rows\": [", c->out.file);
	while (!error && (result = sqlite3_step(s)) == SQLITE_ROW && !ct_command_stop(c)) {
		json_t *o = json_object();

		ct_json_begin();
		for (int k = 0; k < sqlite3_column_count(s); k++)
			ct_json_set(o, sqlite3_column_name(s, k), value_of(s, k));
		fputs(begun ? ",\n" : "\n", c->out.file);
		begun = true;
		if (ct_json_failed() || json_dumpf(o, c->out.file, JSON_COMPACT))
			error = ferror(c->out.file) ? 0 : -ENOMEM;
		json_decref(o);
	}
	fputs("\n]}\n", c->out.file);
	return error ? error : result == SQLITE_DONE || result == SQLITE_ROW ? 0 : fail(c, db);
}

static int print_csv_rows(struct ct_context *c, sqlite3 *db, sqlite3_stmt *s)
{
	struct ct_csv csv = { c->out.file, 0 };
	int result;

	for (int k = 0; k < sqlite3_column_count(s); k++)
		ct_csv_text(&csv, sqlite3_column_name(s, k));
	ct_csv_end_row(&csv);
	while ((result = sqlite3_step(s)) == SQLITE_ROW && !ct_command_stop(c)) {
		for (int k = 0; k < sqlite3_column_count(s); k++) {
			int type = sqlite3_column_type(s, k);
			const char *text = (const char *)sqlite3_column_text(s, k);

			if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
				ct_csv_literal(&csv, text ? text : "");
			else
				ct_csv_text(&csv, text);
		}
		ct_csv_end_row(&csv);
	}
	return result == SQLITE_DONE || result == SQLITE_ROW ? 0 : fail(c, db);
}

/* Several statements one after the other, as the shell takes them. */
static int answer(struct ct_context *c, sqlite3 *db, const char *sql)
{
	const struct ct_options *o = c->options;
	int error = 0;

	while (!error && *sql) {
		sqlite3_stmt *s;

		if (sqlite3_prepare_v2(db, sql, -1, &s, &sql) != SQLITE_OK)
			return fail(c, db);
		if (s)
			error = o->json ? print_json_rows(c, db, s) : o->csv ? print_csv_rows(c, db, s) : print_table(c, db, s);
		sqlite3_finalize(s);
	}
	return error;
}

int ct_cmd_sql(struct ct_context *c)
{
	sqlite3 *db;

	if (c->options->argument_count < 2) {
		snprintf(c->usage, sizeof(c->usage), "sql: no question: sql TRACE 'SELECT ...'; tables are in docs/sql.md");
		return -EINVAL;
	}
	/* A name of nothing: a file of its own that is gone when it is closed. */
	if (sqlite3_open("", &db) != SQLITE_OK) {
		sqlite3_close(db);
		return -ENOMEM;
	}
	int error = ct_sqlite_fill(db, c);

	if (!error)
		error = answer(c, db, c->options->argument[1]);
	sqlite3_close(db);
	return error;
}
