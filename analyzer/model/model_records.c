/* Takes in the records of a trace. See model.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "model.h"
#include "model_parts.h"

#define HOLDERS_MAX 65536u
#define RECORDINGS_MAX 10000u

static int take_meta(struct ct_model *m, const struct ct_record_meta *r)
{
	struct ct_meta_info *meta = NULL;

	for (uint32_t i = 0; i < m->meta_count; i++)
		if (m->meta[i].key && strlen(m->meta[i].key) == r->key.n &&
		    !memcmp(m->meta[i].key, r->key.p, r->key.n))
			meta = &m->meta[i];
	if (!meta && m->meta_count < 1024)
		meta = CT_APPEND(m, meta);
	if (!meta)
		return m->meta_count < 1024 ? -ENOMEM : 0;
	return ct_model_text(&meta->key, r->key) || ct_model_text(&meta->value, r->value) ? -ENOMEM : 0;
}

static int take_cause(struct ct_model *m, const struct ct_record_cause *r)
{
	if (r->id >= CT_CAUSES)
		return -EBADMSG;
	struct ct_cause_info *c = &m->cause[r->id];

	if (ct_model_text(&c->name, r->name) || ct_model_text(&c->category, r->category) || ct_model_text(&c->text, r->text))
		return -ENOMEM;
	/* The category cpu is for what is not a wait. */
	c->is_wait = strcmp(c->category, "cpu") != 0;
	c->is_gap = !strcmp(c->name, "unrecorded");
	return 0;
}

static int take_call(struct ct_model *m, const struct ct_record_call *r)
{
	if (!r->id || r->id > UINT32_MAX)
		return -EBADMSG;
	uint32_t at = ct_table_get(&m->call_by_id, r->id);
	struct ct_call_info *c = at ? &m->call[at - 1] : CT_APPEND(m, call);

	if (!c || (!at && ct_table_put(&m->call_by_id, r->id, m->call_count)))
		return -ENOMEM;
	c->id = (uint32_t)r->id;
	return ct_model_text(&c->name, r->name) || ct_model_text(&c->family, r->family) ? -ENOMEM : 0;
}

uint32_t ct_model_process(struct ct_model *m, uint64_t id)
{
	uint32_t at = ct_table_get(&m->process_by_id, id);

	if (at)
		return at - 1;
	struct ct_process_info *p = CT_APPEND(m, process);

	if (!p || ct_table_put(&m->process_by_id, id, m->process_count))
		return CT_NO;
	p->id = (uint32_t)id;
	p->executable = strdup("");
	p->command = strdup("");
	p->status = -1;
	p->selected = !m->options->process;
	return p->executable && p->command ? m->process_count - 1 : CT_NO;
}

uint32_t ct_model_thread(struct ct_model *m, uint64_t id, uint32_t process)
{
	uint32_t at = ct_table_get(&m->thread_by_id, id);

	if (at)
		return at - 1;
	struct ct_thread_info *t = CT_APPEND(m, thread);

	if (!t || ct_table_put(&m->thread_by_id, id, m->thread_count))
		return CT_NO;
	t->id = (uint32_t)id;
	t->process = process;
	t->first_ns = UINT64_MAX;
	t->selected = !m->options->thread && !m->options->process;
	t->name = strdup("");
	return t->name ? m->thread_count - 1 : CT_NO;
}

static int take_process_start(struct ct_model *m, const struct ct_record_process_start *r)
{
	uint32_t at = r->process && r->process <= UINT32_MAX ? ct_model_process(m, r->process) : CT_NO;

	if (at == CT_NO)
		return r->process && r->process <= UINT32_MAX ? -ENOMEM : -EBADMSG;
	struct ct_process_info *p = &m->process[at];

	p->started = true;
	p->pid = r->pid;
	p->parent_pid = r->parent_pid;
	p->start_ns = r->start_ns;
	p->min_ns = r->min_ns;
	p->off_cpu_known = r->features & CT_FEATURE_OFF_CPU;
	return ct_model_text(&p->executable, r->executable) || ct_model_text(&p->command, r->command) ? -ENOMEM : 0;
}

static int take_process_end(struct ct_model *m, const struct ct_record_process_end *r)
{
	uint32_t at = ct_table_get(&m->process_by_id, r->process);

	if (!at)
		return 0;
	struct ct_process_info *p = &m->process[at - 1];

	p->ended = true;
	p->end_ns = r->end_ns;
	p->how = (uint8_t)r->how;
	p->status = r->status;
	if (r->end_ns > m->end_ns)
		m->end_ns = r->end_ns;
	return 0;
}

static int take_thread_start(struct ct_model *m, const struct ct_record_thread_start *r)
{
	if (!r->thread || r->thread > UINT32_MAX || r->process > UINT32_MAX)
		return -EBADMSG;
	uint32_t process = ct_model_process(m, r->process);
	uint32_t at = process == CT_NO ? CT_NO : ct_model_thread(m, r->thread, process);

	if (at == CT_NO)
		return -ENOMEM;
	struct ct_thread_info *t = &m->thread[at];

	t->started = true;
	t->process = process;
	t->tid = r->tid;
	t->pthread = r->pthread;
	t->routine = r->routine;
	t->start_ns = r->start_ns;
	t->cpu_before_ns = r->cpu_ns;
	t->run_delay_before_ns = r->run_delay_ns;
	return ct_model_text(&t->name, r->name);
}

static int take_thread_name(struct ct_model *m, const struct ct_record_thread_name *r)
{
	uint32_t at = ct_table_get(&m->thread_by_id, r->thread);

	return at ? ct_model_text(&m->thread[at - 1].name, r->name) : 0;
}

static int take_thread_end(struct ct_model *m, const struct ct_record_thread_end *r)
{
	uint32_t at = ct_table_get(&m->thread_by_id, r->thread);

	if (!at)
		return 0;
	struct ct_thread_info *t = &m->thread[at - 1];

	t->ended = true;
	t->end_ns = r->end_ns;
	t->cpu_ns = r->cpu_ns > t->cpu_before_ns ? r->cpu_ns - t->cpu_before_ns : 0;
	t->run_delay_ns = r->run_delay_ns > t->run_delay_before_ns ? r->run_delay_ns - t->run_delay_before_ns : 0;
	t->how = (uint8_t)r->how;
	if (r->end_ns > m->end_ns)
		m->end_ns = r->end_ns;
	return 0;
}

static int take_counters(struct ct_model *m, const struct ct_record_counters *r)
{
	uint32_t call = ct_table_get(&m->call_by_id, r->call);

	if (!call)
		return 0;
	m->call[call - 1].calls += r->calls;
	m->call[call - 1].short_ns += r->short_ns;
	struct ct_span packed = r->short_ticks.packed;
	uint64_t n;

	for (size_t i = 0; i < r->short_ticks.n && !ct_get_varint(&packed, &n); i++)
		m->short_calls += n;
	return 0;
}

static int take_cost(struct ct_model *m, const struct ct_record_cost *r)
{
	/* Kinds of later versions may be missing in the sum. */
	if (r->what < CT_COST_KINDS) {
		m->cost_ps[r->what] = r->ps;
		m->has_costs = true;
	}
	return 0;
}

static int take_lock(struct ct_model *m, const struct ct_record_lock *r)
{
	uint32_t at, process = r->process <= UINT32_MAX ? ct_model_process(m, r->process) : CT_NO;
	uint64_t key = ct_mix(r->address ^ ct_mix(process));

	if (process == CT_NO || r->cause >= CT_CAUSES)
		return r->process <= UINT32_MAX && r->cause < CT_CAUSES ? -ENOMEM : -EBADMSG;
	struct ct_lock_info *l = NULL;

	for (; (at = ct_table_get(&m->lock_by_hash, key)); key++) {
		l = &m->lock[at - 1];
		if (l->process == process && l->address == r->address)
			break;
		l = NULL;
	}
	if (!l) {
		l = CT_APPEND(m, lock);
		if (!l || ct_table_put(&m->lock_by_hash, key, m->lock_count))
			return -ENOMEM;
		l->process = process;
		l->address = r->address;
	}
	l->cause = (uint8_t)r->cause;
	l->acquisitions += r->acquisitions;
	l->hold_ns += r->hold_ns;
	return 0;
}

static int take_loss(struct ct_model *m, const struct ct_record_loss *r)
{
	uint32_t at = ct_table_get(&m->thread_by_id, r->thread);

	if (r->what < CT_LOSS_KINDS)
		m->lost[r->what] += r->count;
	if (at && (r->what == CT_LOSS_EVENTS || r->what == CT_LOSS_DAMAGED))
		m->thread[at - 1].dropped += r->count;
	return 0;
}

static int take_clock(struct ct_model *m, const struct ct_record_clock *r)
{
	m->clock_pairs++;
	if (r->error_ns > m->clock_error_ns)
		m->clock_error_ns = r->error_ns;
	return 0;
}

static int take_end(struct ct_model *m, const struct ct_record_end *r)
{
	m->has_end = true;
	m->end = *r;
	return 0;
}

/* These are for whoever asks: see tasks.h. */
static int take_task_begin(struct ct_model *m, const struct ct_record_task_begin *r)
{
	(void)m;
	(void)r;
	return 0;
}

static int take_task_end(struct ct_model *m, const struct ct_record_task_end *r)
{
	(void)m;
	(void)r;
	return 0;
}

static int take_log(struct ct_model *m, const struct ct_record_log *r)
{
	(void)m;
	(void)r;
	return 0;
}

static int take_waiting(struct ct_model *m, const struct ct_record_waiting *r)
{
	uint32_t thread = ct_table_get(&m->thread_by_id, r->thread);

	if (r->cause >= CT_CAUSES || r->object_kind > UINT8_MAX || r->call > UINT32_MAX || r->stack > UINT32_MAX ||
	    r->owner > UINT32_MAX)
		return -EBADMSG;
	if (!thread)
		return 0;
	uint32_t at = ct_table_get(&m->waiting_by_thread, thread);
	struct ct_waiting_info *w = at ? &m->waiting[at - 1] : CT_APPEND(m, waiting);

	if (!w || (!at && ct_table_put(&m->waiting_by_thread, thread, m->waiting_count)))
		return -ENOMEM;
	*w = (struct ct_waiting_info){ .thread = thread - 1, .seen_ns = r->seen_ns, .start_ns = r->start_ns, .site = {
		.kind = CT_EVENT_INTERVAL,
		.cause = (uint8_t)r->cause,
		.flags = CT_EV_OPEN,
		.object_kind = (uint8_t)r->object_kind,
		.call = (uint32_t)r->call,
		.stack = (uint32_t)r->stack,
		.owner = (uint32_t)r->owner,
		.object = r->object,
		.aux = r->aux,
	} };
	return 0;
}

static int take_holder(struct ct_model *m, const struct ct_record_holder *r)
{
	uint32_t process = r->process <= UINT32_MAX ? ct_model_process(m, r->process) : CT_NO;
	struct ct_holder_info *h = NULL;

	if (r->stack > UINT32_MAX)
		return -EBADMSG;
	if (process == CT_NO)
		return r->process <= UINT32_MAX ? -ENOMEM : -EBADMSG;
	for (uint32_t i = 0; i < m->holder_count; i++) {
		struct ct_holder_info *old = &m->holder[i];

		if (old->process == process && old->seen_ns != r->seen_ns)
			old->process = CT_NO;
		if (old->process == CT_NO && !h)
			h = old;
	}
	if (!r->object)
		return 0;
	if (!h && m->holder_count >= HOLDERS_MAX)
		return 0;
	if (!h)
		h = CT_APPEND(m, holder);
	if (!h)
		return -ENOMEM;
	*h = (struct ct_holder_info){ process, r->seen_ns, r->object, r->tid, (uint32_t)r->stack, r->shared != 0 };
	return 0;
}

static int take_recording(struct ct_model *m, const struct ct_record_recording *r)
{
	uint32_t process = r->process <= UINT32_MAX ? ct_model_process(m, r->process) : CT_NO;

	if (process == CT_NO)
		return r->process <= UINT32_MAX ? -ENOMEM : -EBADMSG;
	if (m->recording_count >= RECORDINGS_MAX)
		return 0;
	struct ct_recording_info *i = CT_APPEND(m, recording);

	if (!i)
		return -ENOMEM;
	*i = (struct ct_recording_info){ process, r->at_ns, r->off, r->min_ns, r->stacks };
	return 0;
}

#define take_name       ct_model_take_name
#define take_module     ct_model_take_module
#define take_stack      ct_model_take_stack
#define take_descriptor ct_model_take_descriptor
#define take_code       ct_model_take_code

static int take_record(struct ct_model *m, const struct ct_record *record)
{
	switch (record->type) {
#define CT_RECORD(NAME, name, number) \
	case CT_RECORD_##NAME: \
		return take_##name(m, &record->name);
#include "records.def"
#undef CT_RECORD
	}
	return 0;
}

int ct_model_records(struct ct_model *m, struct ct_span payload)
{
	struct ct_record record;
	int found;

	while ((found = ct_get_record(&payload, &record)) > 0) {
		int error = take_record(m, &record);

		if (error)
			return error;
		m->records++;
	}
	return found;
}
