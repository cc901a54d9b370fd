/* See modules.h. */
#include "modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const source_names[] = {
	[CT_SYMBOLS_UNKNOWN] = "",
	[CT_SYMBOLS_MISSING] = "none",
	[CT_SYMBOLS_DYNAMIC] = "exported functions",
	[CT_SYMBOLS_TABLE] = "functions",
	[CT_SYMBOLS_DEBUG] = "functions, lines",
	[CT_SYMBOLS_VIRTUAL] = "",
};

struct row {
	uint32_t file;   /* CT_NO: frames in no file */
	uint64_t frames; /* in distinct stacks */
};

static int by_frames(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->frames != b->frames)
		return a->frames < b->frames ? 1 : -1;
	return (a->file > b->file) - (a->file < b->file);
}

/* One row a file, and one for what lies in none. */
static struct row *count_frames(const struct ct_model *m)
{
	struct row *row = calloc(m->file_count + 1u, sizeof(*row));

	for (uint32_t i = 0; row && i < m->file_count; i++)
		row[i].file = i;
	if (row)
		row[m->file_count].file = CT_NO;
	for (uint32_t i = 0; row && i < m->stack_count; i++) {
		const struct ct_stack_info *s = &m->stack[i];

		for (uint32_t k = 0; k < s->depth; k++) {
			uint64_t address = m->frame[s->first + k] - 1;
			uint32_t at = ct_model_module_at(m, s->process, address, s->epoch), file = m->file_count;

			if (at != CT_NO)
				file = m->module[at].file;
			else if ((at = ct_model_code_at(m, s->process, address)) != CT_NO)
				file = m->code[at].file;
			row[file].frames++;
		}
	}
	if (row)
		qsort(row, m->file_count + 1u, sizeof(*row), by_frames);
	return row;
}

static const char *source_of(struct ct_symbols *s, uint32_t file)
{
	if (file == CT_NO)
		return "none";
	return s->model->file[file].code ? "named by the program" : source_names[ct_symbols_source(s, file)];
}

int ct_print_modules(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	struct ct_symbols s;
	struct row *row = count_frames(m);
	int error = ct_symbols_open(&s, m);
	uint32_t used = 0;

	if (!row && !error)
		error = -ENOMEM;
	while (!error && used <= m->file_count && row[used].frames)
		used++;
	if (used)
		ct_print(o, CT_TITLE, "\nFiles of frames\n");
	if (used)
		ct_print(o, CT_FAINT, "  %10s  %-20s  %s\n", "frames", "names here", "file");
	for (uint32_t i = 0; i < used && (!c->options->top || i < c->options->top); i++) {
		const char *path = row[i].file == CT_NO ? "in no file" : m->file[row[i].file].path;

		fputs("  ", o->file);
		ct_column_count(o, CT_PLAIN, -10, row[i].frames);
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 20, source_of(&s, row[i].file));
		fputs("  ", o->file);
		ct_last_text(o, CT_PLAIN, o->width - 36, path);
		fputc('\n', o->file);
	}
	if (c->options->top && used > c->options->top)
		ct_print(o, CT_FAINT, "  and %u more: --top 0 shows all\n", used - c->options->top);
	free(row);
	ct_symbols_close(&s);
	return error;
}

json_t *ct_json_modules(struct ct_symbols *s)
{
	const struct ct_model *m = s->model;
	json_t *array = json_array();
	struct row *row = count_frames(m);
	char id[2 * sizeof(m->file->build_id) + 1];

	if (!row)
		ct_json_fail();
	for (uint32_t i = 0; row && i <= m->file_count && row[i].frames; i++) {
		const struct ct_file_info *f = row[i].file == CT_NO ? NULL : &m->file[row[i].file];
		json_t *o = json_object();

		*id = 0;
		for (uint32_t k = 0; f && k < f->build_id_bytes; k++)
			snprintf(id + 2 * k, 3, "%02x", f->build_id[k]);
		ct_json_text(o, "path", f ? f->path : NULL);
		ct_json_text(o, "build_id", *id ? id : NULL);
		ct_json_number(o, "frames", row[i].frames);
		ct_json_text(o, "names", source_of(s, row[i].file));
		ct_json_append(array, o);
	}
	free(row);
	return array;
}
