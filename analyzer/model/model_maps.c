/* What addresses and descriptors mean: files, modules, stacks. See model.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "model.h"
#include "model_parts.h"

int ct_model_text(char **to, struct ct_text text)
{
	char *copy = ct_clean(text.p, text.n);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return ct_mix(h);
}

static uint32_t find_file(struct ct_model *m, struct ct_text path, struct ct_text build_id)
{
	char *name = ct_clean(path.p, path.n);

	if (!name)
		return CT_NO;
	uint32_t at;
	uint64_t key = hash_bytes(hash_bytes(1, name, strlen(name)), build_id.p, build_id.n);

	if (build_id.n > sizeof(m->file->build_id))
		build_id.n = 0;
	for (; (at = ct_table_get(&m->file_by_hash, key)); key++) {
		const struct ct_file_info *f = &m->file[at - 1];

		if (!strcmp(f->path, name) && f->build_id_bytes == build_id.n &&
		    !memcmp(f->build_id, build_id.p, build_id.n)) {
			free(name);
			return at - 1;
		}
	}
	struct ct_file_info *f = CT_APPEND(m, file);

	if (!f || ct_table_put(&m->file_by_hash, key, m->file_count)) {
		if (f)
			m->file_count--;
		free(name);
		return CT_NO;
	}
	f->path = name;
	f->build_id_bytes = (uint32_t)build_id.n;
	memcpy(f->build_id, build_id.p, build_id.n);
	return m->file_count - 1;
}

int ct_model_take_module(struct ct_model *m, const struct ct_record_module *r)
{
	if (!r->module || r->module > UINT32_MAX || r->process > UINT32_MAX)
		return -EBADMSG;
	uint32_t process = ct_model_process(m, r->process);
	uint32_t file = find_file(m, r->path, r->build_id);
	uint64_t key = ct_pair((uint32_t)r->process, (uint32_t)r->module);
	uint32_t at = ct_table_get(&m->module_by_id, key);

	if (process == CT_NO || file == CT_NO)
		return -ENOMEM;
	struct ct_module_info *module = at ? &m->module[at - 1] : CT_APPEND(m, module);

	if (!module || (!at && ct_table_put(&m->module_by_id, key, m->module_count)))
		return -ENOMEM;
	*module = (struct ct_module_info){ process, file, r->start, r->end, r->bias, r->epoch_first, r->epoch_last };
	return 0;
}

int ct_model_take_stack(struct ct_model *m, const struct ct_record_stack *r)
{
	if (!r->stack || r->stack > UINT32_MAX || r->process > UINT32_MAX)
		return -EBADMSG;
	uint32_t process = ct_model_process(m, r->process);
	uint64_t key = ct_pair((uint32_t)r->process, (uint32_t)r->stack), need = m->frame_count + r->frames.n;
	struct ct_span packed = r->frames.packed;

	if (process == CT_NO)
		return -ENOMEM;
	if (ct_table_get(&m->stack_by_id, key))
		return 0; /* ids are never reused */
	uint64_t *frame = ct_grow(m->frame, &m->frame_capacity, need, sizeof(*frame));

	if (!frame)
		return -ENOMEM;
	m->frame = frame;
	struct ct_stack_info *s = CT_APPEND(m, stack);

	if (!s || ct_table_put(&m->stack_by_id, key, m->stack_count))
		return -ENOMEM;
	*s = (struct ct_stack_info){ process, 0, r->epoch, m->frame_count };
	while (s->depth < r->frames.n && !ct_get_varint(&packed, &m->frame[m->frame_count])) {
		m->frame_count++;
		s->depth++;
	}
	return 0;
}

int ct_model_take_descriptor(struct ct_model *m, const struct ct_record_descriptor *r)
{
	if (!r->descriptor || r->descriptor > UINT32_MAX || r->process > UINT32_MAX)
		return -EBADMSG;
	uint64_t key = ct_pair((uint32_t)r->process, (uint32_t)r->descriptor);

	if (ct_table_get(&m->descriptor_by_id, key))
		return 0;
	struct ct_descriptor_info *d = CT_APPEND(m, descriptor);

	if (!d || ct_table_put(&m->descriptor_by_id, key, m->descriptor_count))
		return -ENOMEM;
	d->fd = r->fd;
	d->kind = r->kind;
	d->device = r->device;
	d->inode = r->inode;
	d->process = ct_table_get(&m->process_by_id, r->process) - 1;
	d->in = r->in;
	d->out = r->out;
	d->listener = r->listener;
	return ct_model_text(&d->label, r->label);
}

/* --- look-ups --- */

static int by_address(const void *a, const void *b, void *modules)
{
	const struct ct_module_info *base = modules, *x = &base[*(const uint32_t *)a], *y = &base[*(const uint32_t *)b];

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->epoch_last > y->epoch_last) - (x->epoch_last < y->epoch_last);
}

int ct_model_order_modules(struct ct_model *m)
{
	free(m->module_order);
	m->module_order = calloc(m->module_count + 1u, sizeof(*m->module_order));
	if (!m->module_order)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->module_count; i++)
		m->module_order[i] = i;
	/* Threads do this beside each other. */
	if (m->module_count)
		qsort_r(m->module_order, m->module_count, sizeof(*m->module_order), by_address, m->module);
	return 0;
}

uint32_t ct_model_module_at(const struct ct_model *m, uint32_t process, uint64_t address, uint64_t epoch)
{
	uint32_t low = 0, high = m->module_order ? m->module_count : 0;

	/* The first that begins behind the address; what holds it stands before. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct ct_module_info *module = &m->module[m->module_order[middle]];

		if (module->process < process || (module->process == process && module->start <= address))
			low = middle + 1;
		else
			high = middle;
	}
	while (low--) {
		const struct ct_module_info *module = &m->module[m->module_order[low]];

		if (module->process != process)
			break;
		if (address < module->end &&
		    (epoch == UINT64_MAX || (module->epoch_first <= epoch && epoch <= module->epoch_last)))
			return m->module_order[low];
	}
	return CT_NO;
}

uint32_t ct_model_stack(const struct ct_model *m, uint32_t process, uint32_t stack)
{
	return ct_table_get(&m->stack_by_id, ct_pair(m->process[process].id, stack)) - 1;
}

uint32_t ct_model_descriptor(const struct ct_model *m, uint32_t process, uint64_t descriptor)
{
	if (descriptor > UINT32_MAX)
		return CT_NO;
	return ct_table_get(&m->descriptor_by_id, ct_pair(m->process[process].id, (uint32_t)descriptor)) - 1;
}
