/* Names of regions, tasks and categories, from the records. See marks.h. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "model_parts.h"

static uint32_t add_name(struct ct_model *m, struct ct_text text)
{
	char *clean = NULL;
	uint64_t key = 0;
	uint32_t at;

	if (ct_model_text(&clean, text))
		return CT_NO;
	for (const char *p = clean; *p; p++)
		key = ct_mix(key ^ (uint8_t)*p);
	for (; (at = ct_table_get(&m->name_by_hash, key)); key++)
		if (!strcmp(m->name[at - 1].text, clean)) {
			free(clean);
			return at - 1;
		}
	struct ct_name_info *n = CT_APPEND(m, name);

	if (!n || ct_table_put(&m->name_by_hash, key, m->name_count)) {
		if (n)
			m->name_count--;
		free(clean);
		return CT_NO;
	}
	n->text = clean;
	return m->name_count - 1;
}

int ct_model_take_name(struct ct_model *m, const struct ct_record_name *r)
{
	uint32_t at = m->name_count ? 0 : add_name(m, ct_text_of("(other)"));

	if (at != CT_NO)
		at = add_name(m, r->text);
	return at == CT_NO || ct_table_put(&m->name_by_id, r->name, at + 1) ? -ENOMEM : 0;
}

uint32_t ct_model_name(const struct ct_model *m, uint64_t id)
{
	uint32_t at = ct_table_get(&m->name_by_id, id);

	return at ? at - 1 : 0;
}

static bool is_meant(const char *pattern, const char *text)
{
	return pattern && !fnmatch(pattern, text, 0);
}

void ct_model_finish_names(struct ct_model *m)
{
	for (uint32_t i = 0; i < m->name_count; i++) {
		m->name[i].region = is_meant(m->options->region, m->name[i].text);
		m->name[i].task = is_meant(m->options->task, m->name[i].text);
	}
}

void ct_model_free_names(struct ct_model *m)
{
	for (uint32_t i = 0; i < m->name_count && !m->borrows; i++)
		free(m->name[i].text);
	free(m->name);
	ct_table_free(&m->name_by_hash);
	ct_table_free(&m->name_by_id);
	ct_marks_close(m->marks);
}
