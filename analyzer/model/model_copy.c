/* Copies of what is known of a trace beside its events. See model_parts.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_parts.h"

/* An array's copy; an empty one without memory. */
static void *copy_of(const void *array, uint32_t *count, size_t size, bool *failed)
{
	void *copy = *count ? malloc(*count * size) : NULL;

	if (copy)
		memcpy(copy, array, *count * size);
	else if (*count)
		*failed = true;
	if (!copy)
		*count = 0;
	return copy;
}

#define COPY(name)                                                                                              \
	do {                                                                                                    \
		ret->name##_count = m->name##_count;                                                            \
		ret->name = copy_of(m->name, &ret->name##_count, sizeof(*m->name), failed);                     \
		ret->name##_capacity = ret->name##_count;                                                       \
	} while (0)

static void copy_table(struct ct_table *to, const struct ct_table *from, bool *failed)
{
	if (!from->size)
		return;
	*to = *from;
	to->keys = malloc(from->size * sizeof(*to->keys));
	to->values = malloc(from->size * sizeof(*to->values));
	if (!to->keys || !to->values) {
		ct_table_free(to);
		*failed = true;
		return;
	}
	memcpy(to->keys, from->keys, from->size * sizeof(*to->keys));
	memcpy(to->values, from->values, from->size * sizeof(*to->values));
}

static void copy_text(char **text, bool *failed)
{
	char *old = *text;

	*text = old ? strdup(old) : NULL;
	*failed |= old && !*text;
}

/* Texts that a record may replace. */
static void copy_texts(struct ct_model *ret, const struct ct_model *m, bool *failed)
{
	for (uint32_t i = 0; i < CT_CAUSES; i++) {
		struct ct_cause_info *c = &ret->cause[i];

		*c = m->cause[i];
		c->times = NULL;
		if (!c->name)
			continue;
		copy_text(&c->name, failed);
		copy_text(&c->category, failed);
		copy_text(&c->text, failed);
	}
	for (uint32_t i = 0; i < ret->meta_count; i++) {
		copy_text(&ret->meta[i].key, failed);
		copy_text(&ret->meta[i].value, failed);
	}
	for (uint32_t i = 0; i < ret->call_count; i++) {
		copy_text(&ret->call[i].name, failed);
		copy_text(&ret->call[i].family, failed);
	}
	for (uint32_t i = 0; i < ret->process_count; i++) {
		copy_text(&ret->process[i].executable, failed);
		copy_text(&ret->process[i].command, failed);
	}
	for (uint32_t i = 0; i < ret->thread_count; i++)
		copy_text(&ret->thread[i].name, failed);
}

/* Numbers alone: no member may be freed twice. */
static void copy_numbers(struct ct_model *ret, const struct ct_model *m)
{
	*ret = (struct ct_model){
		.options = m->options, .borrows = true, .events = m->events, .records = m->records,
		.record_bytes = m->record_bytes, .chunks = m->chunks, .short_calls = m->short_calls,
		.has_costs = m->has_costs, .bad_events = m->bad_events, .clock_pairs = m->clock_pairs,
		.clock_error_ns = m->clock_error_ns, .has_end = m->has_end, .end = m->end,
		.header_start_ns = m->header_start_ns, .header_real_ns = m->header_real_ns,
		.start_ns = m->start_ns, .end_ns = m->end_ns, .from_ns = m->from_ns, .to_ns = m->to_ns,
		.window = m->window, .clip = m->clip, .wakes = m->wakes, .exact_ns = m->exact_ns, .slices = m->slices,
		.gap_records = m->gap_records, .bad_slices = m->bad_slices, .slices_from_ns = m->slices_from_ns,
		.slices_to_ns = m->slices_to_ns,
	};
	memcpy(ret->cost_ps, m->cost_ps, sizeof(ret->cost_ps));
	memcpy(ret->lost, m->lost, sizeof(ret->lost));
}

static void copy_model(struct ct_model *ret, const struct ct_model *m, bool *failed)
{
	const struct ct_table *from[] = {
		&m->call_by_id,	  &m->process_by_id,	&m->thread_by_id,  &m->module_by_id,	  &m->stack_by_id,
		&m->descriptor_by_id, &m->name_by_id, &m->thread_by_tid, &m->thread_by_pthread,
	};
	struct ct_table *to[] = {
		&ret->call_by_id, &ret->process_by_id,	&ret->thread_by_id,  &ret->module_by_id,  &ret->stack_by_id,
		&ret->descriptor_by_id, &ret->name_by_id, &ret->thread_by_tid, &ret->thread_by_pthread,
	};
	uint32_t modules = m->module_count;

	copy_numbers(ret, m);
	COPY(meta);
	COPY(call);
	COPY(process);
	COPY(thread);
	copy_texts(ret, m, failed);
	COPY(file);
	COPY(module);
	COPY(code);
	COPY(stack);
	COPY(frame);
	COPY(descriptor);
	COPY(name);
	COPY(cpu);
	ret->module_order = copy_of(m->module_order, &modules, sizeof(*m->module_order), failed);
	ret->gaps.gap_count = m->gaps.gap_count;
	ret->gaps.gap = copy_of(m->gaps.gap, &ret->gaps.gap_count, sizeof(*m->gaps.gap), failed);
	ret->gaps.gap_capacity = ret->gaps.gap_count;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		copy_table(to[i], from[i], failed);
}

int ct_model_copy(struct ct_model *ret, const struct ct_model *m)
{
	bool failed = false;

	copy_model(ret, m, &failed);
	return failed ? -ENOMEM : 0;
}

int ct_model_part(struct ct_model *ret, const struct ct_model *m, const struct ct_options *o)
{
	int error = ct_model_copy(ret, m);

	ret->options = o;
	for (uint32_t i = 0; i < ret->thread_count; i++) {
		struct ct_thread_info *t = &ret->thread[i];

		t->selected = true;
		t->first_ns = UINT64_MAX;
		t->last_ns = t->events = t->excluded_ns = t->in_call_ns = 0;
		t->nesting = (struct ct_nesting){ .count = 0 };
		t->lifetime_ns = t->running_ns = t->runnable_ns = t->blocked_ns = t->unexplained_ns = t->unknown_ns = 0;
		t->unrecorded_ns = t->estimated_ns = t->longest_ns = 0;
	}
	for (uint32_t i = 0; i < ret->process_count; i++)
		ret->process[i].selected = true;
	for (uint32_t i = 0; i < CT_CAUSES; i++)
		ret->cause[i].selected = true;
	ret->exact_ns = 0;
	return error ? error : ct_model_window(ret);
}
