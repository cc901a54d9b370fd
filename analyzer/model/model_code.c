/* Code that processes made at run time, by address. See model.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "model_parts.h"

#define BACK_MAX 1000u /* entries before an address that are asked whether they cover it */

/* All code of a process is a file to those who look for symbols: its index, or CT_NO. */
static uint32_t file_of(struct ct_model *m, uint32_t process)
{
	if (m->process[process].code_file)
		return m->process[process].code_file - 1;
	struct ct_file_info *f = CT_APPEND(m, file);

	if (!f)
		return CT_NO;
	f->path = strdup("[jit]");
	f->code = true;
	f->process = process;
	if (!f->path) {
		m->file_count--;
		return CT_NO;
	}
	m->process[process].code_file = m->file_count;
	return m->file_count - 1;
}

int ct_model_take_code(struct ct_model *m, const struct ct_record_code *r)
{
	uint64_t end = r->start + r->size;

	if (r->process > UINT32_MAX)
		return -EBADMSG;
	if (end <= r->start)
		return 0;
	uint32_t process = ct_model_process(m, r->process);
	uint32_t file = process == CT_NO ? CT_NO : file_of(m, process);
	struct ct_code_info *c = file == CT_NO ? NULL : CT_APPEND(m, code);

	if (!c)
		return -ENOMEM;
	*c = (struct ct_code_info){ .process = process, .file = file, .start = r->start, .end = end,
				    .number = m->code_count };
	return ct_model_text(&c->name, r->name);
}

static int by_start(const void *x, const void *y)
{
	const struct ct_code_info *a = x, *b = y;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

void ct_model_order_code(struct ct_model *m)
{
	if (m->code_count)
		qsort(m->code, m->code_count, sizeof(*m->code), by_start);
	for (uint32_t i = 0; i < m->code_count; i++) {
		struct ct_code_info *c = &m->code[i];
		const struct ct_code_info *before = i && c[-1].process == c->process ? &c[-1] : NULL;

		c->reach = before && before->reach > c->end ? before->reach : c->end;
	}
}

uint32_t ct_model_code_at(const struct ct_model *m, uint32_t process, uint64_t address)
{
	uint32_t low = 0, high = m->code_count, found = CT_NO;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct ct_code_info *c = &m->code[middle];

		if (c->process < process || (c->process == process && c->start <= address))
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t i = low, tried = 0; i-- && tried < BACK_MAX; tried++) {
		const struct ct_code_info *c = &m->code[i];

		if (c->process != process || c->reach <= address)
			break;
		if (address < c->end && (found == CT_NO || c->number > m->code[found].number))
			found = i;
	}
	return found;
}
