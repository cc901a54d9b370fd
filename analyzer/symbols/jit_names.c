/*
 * See jit_names.h. V8 writes KIND:MARK FUNCTION FILE:LINE:COLUMN for functions of
 * scripts (src/logging/log.cc: AppendCodeCreateHeader, FunctionEntry; MARK says which
 * compiler made it); CPython py::FUNCTION:FILE (Python/perf_trampoline.c).
 */
#include "jit_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "symbol_texts.h"

const char ct_jit_module[] = "[jit]";

static void parts_of_python(const char *name, struct ct_jit_parts *ret)
{
	const char *file = strrchr(name, ':');

	/* A path may have colons in it, a function has none. */
	for (const char *p = name; (p = strchr(p, ':')); p++)
		if (p[1] == '/' || p[1] == '<') {
			file = p;
			break;
		}
	ret->function = name;
	ret->function_bytes = (uint32_t)strlen(name);
	if (!file || file == name)
		return;
	ret->function_bytes = (uint32_t)(file - name);
	/* "<string>", "<frozen importlib._bootstrap>" are no files. */
	ret->file = file + 1;
	ret->file_bytes = (uint32_t)strlen(file + 1);
}

/* The number before end, behind a colon; its colon, or NULL. */
static const char *number_before(const char *start, const char *end, int *ret)
{
	const char *p = end;

	while (p > start && isdigit((unsigned char)p[-1]) && end - p < 9)
		p--;
	if (p == end || p == start || p[-1] != ':')
		return NULL;
	*ret = atoi(p);
	return p - 1;
}

/* After the kind: an optional mark, the function, a place. */
static bool parts_of_script(const char *name, struct ct_jit_parts *ret)
{
	const char *end = name + strlen(name), *colon;
	int line, column;

	name += strspn(name, "*~^+'");
	colon = number_before(name, end, &column);
	if (!colon)
		return false;
	/* Older ones have no column. */
	const char *earlier = number_before(name, colon, &line);

	if (earlier)
		colon = earlier;
	else
		line = column;
	const char *space = memchr(name, ' ', (size_t)(colon - name));

	/* "get x node:internal/url:3:10" */
	for (const char *p = space; p && (p = memchr(p + 1, ' ', (size_t)(colon - p - 1)));)
		if (!memchr(space + 1, '/', (size_t)(p - space - 1)) && !memchr(space + 1, ':', (size_t)(p - space - 1)))
			space = p;
		else
			break;
	if (!space)
		return false;
	ret->function = space > name ? name : "(anonymous)";
	ret->function_bytes = space > name ? (uint32_t)(space - name) : 11;
	ret->file = space + 1;
	ret->file_bytes = (uint32_t)(colon - space - 1);
	ret->line = line;
	return ret->file_bytes > 0;
}

void ct_jit_parts(const char *name, struct ct_jit_parts *ret)
{
	static const char *const kinds[] = { "LazyCompile:", "Function:", "Script:", "Eval:", "JS:", "InterpretedFunction:" };

	*ret = (struct ct_jit_parts){ .function = name, .function_bytes = (uint32_t)strlen(name) };
	if (!strncmp(name, "py::", 4)) {
		parts_of_python(name + 4, ret);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(name, kinds[i], n))
			continue;
		if (!parts_of_script(name + n, ret))
			*ret = (struct ct_jit_parts){ .function = name, .function_bytes = (uint32_t)strlen(name) };
		return;
	}
}

void ct_jit_frame(struct ct_symbols *s, uint32_t file, uint64_t address, struct ct_frame *frame)
{
	const struct ct_model *m = s->model;
	struct ct_jit_parts parts;
	uint32_t at = ct_model_code_at(m, m->file[file].process, address);

	frame->module = ct_jit_module;
	if (at == CT_NO)
		return;
	ct_jit_parts(m->code[at].name, &parts);
	frame->function = ct_symbol_keep(s, strndup(parts.function, parts.function_bytes));
	if (parts.file)
		frame->file = ct_symbol_keep(s, strndup(parts.file, parts.file_bytes));
	frame->line = parts.line;
}
