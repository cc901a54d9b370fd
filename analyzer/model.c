/* The model's life: begin, select, make the books, end. See model.h. */
#include "model.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "model_parts.h"

void ct_model_init(struct ct_model *m, const struct ct_options *o)
{
	*m = (struct ct_model){ .options = o, .start_ns = UINT64_MAX, .to_ns = UINT64_MAX };
}

static void free_names(struct ct_model *m)
{
	for (uint32_t i = 0; i < CT_CAUSES; i++) {
		free(m->cause[i].name);
		free(m->cause[i].category);
		free(m->cause[i].text);
		free(m->cause[i].times);
	}
	for (uint32_t i = 0; i < m->meta_count; i++) {
		free(m->meta[i].key);
		free(m->meta[i].value);
	}
	for (uint32_t i = 0; i < m->call_count; i++) {
		free(m->call[i].name);
		free(m->call[i].family);
	}
	for (uint32_t i = 0; i < m->process_count; i++) {
		free(m->process[i].executable);
		free(m->process[i].command);
	}
	for (uint32_t i = 0; i < m->thread_count; i++)
		free(m->thread[i].name);
	for (uint32_t i = 0; i < m->file_count; i++)
		free(m->file[i].path);
	for (uint32_t i = 0; i < m->descriptor_count; i++)
		free(m->descriptor[i].label);
}

void ct_model_free(struct ct_model *m)
{
	void *arrays[] = {
		m->meta,  m->call,	 m->process, m->thread, m->file, m->module,	  m->stack,
		m->frame, m->descriptor, m->lock,    m->site,	m->cell, m->module_order,
	};
	struct ct_table *tables[] = {
		&m->call_by_id,	       &m->process_by_id, &m->thread_by_id, &m->module_by_id, &m->stack_by_id,
		&m->descriptor_by_id,  &m->file_by_hash,  &m->lock_by_hash, &m->site_by_hash, &m->cell_by_pair,
		&m->thread_by_tid,     &m->thread_by_pthread,
	};

	free_names(m);
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		ct_table_free(tables[i]);
	*m = (struct ct_model){ 0 };
}

/* --- selection --- */

static uint64_t moment_ns(const struct ct_model *m, const struct ct_moment *moment)
{
	uint64_t after_ns = moment->ns;

	if (moment->is_share)
		after_ns = (uint64_t)((double)(m->end_ns - m->start_ns) * moment->share);
	return m->start_ns + after_ns;
}

static int select_causes(struct ct_model *m)
{
	const struct ct_options *o = m->options;

	for (uint32_t c = 0; c < CT_CAUSES; c++) {
		m->cause[c].selected = !o->cause_count;
		/* A cause that the (damaged) table does not name counts: its time is blocked time. */
		if (!m->cause[c].name)
			m->cause[c].is_wait = c != CT_CAUSE_NONE;
	}
	for (uint32_t i = 0; i < o->cause_count; i++) {
		bool known = false;

		for (uint32_t c = 0; c < CT_CAUSES; c++)
			if (m->cause[c].name && !strcmp(m->cause[c].name, o->cause[i]))
				m->cause[c].selected = known = true;
#define CT_CAUSE(id, name, category, text) known |= !strcmp(o->cause[i], name);
#include "causes.def"
#undef CT_CAUSE
		if (!known) {
			m->unknown_cause = o->cause[i];
			return -EINVAL;
		}
	}
	return 0;
}

static bool thread_matches(const struct ct_thread_info *t, const char *pattern)
{
	char *end;
	unsigned long long tid = strtoull(pattern, &end, 10);

	return (!*end && tid == t->tid) || !fnmatch(pattern, t->name, 0);
}

static int index_threads(struct ct_model *m)
{
	for (uint32_t i = 0; i < m->thread_count; i++) {
		const struct ct_thread_info *t = &m->thread[i];
		uint64_t salt = ct_mix((uint64_t)t->process + 1);

		if (!t->started)
			continue;
		if (ct_table_put(&m->thread_by_tid, t->tid ^ salt, i + 1) ||
		    (t->pthread && ct_table_put(&m->thread_by_pthread, t->pthread ^ salt, i + 1)))
			return -ENOMEM;
	}
	return 0;
}

int ct_model_select(struct ct_model *m)
{
	const struct ct_options *o = m->options;

	for (uint32_t i = 0; i < m->process_count; i++) {
		struct ct_process_info *p = &m->process[i];

		p->selected = !o->process || o->process == p->pid;
		if (p->started && p->start_ns < m->start_ns)
			m->start_ns = p->start_ns;
	}
	if (m->start_ns == UINT64_MAX)
		m->start_ns = m->header_start_ns;
	if (m->end_ns < m->start_ns)
		m->end_ns = m->start_ns;
	for (uint32_t i = 0; i < m->thread_count; i++) {
		struct ct_thread_info *t = &m->thread[i];

		t->selected = m->process[t->process].selected &&
			      (!o->thread || (t->started && thread_matches(t, o->thread)));
	}
	m->window = o->from.given || o->to.given;
	m->from_ns = o->from.given ? moment_ns(m, &o->from) : 0;
	m->to_ns = o->to.given ? moment_ns(m, &o->to) : UINT64_MAX;
	if (m->to_ns < m->from_ns)
		m->to_ns = m->from_ns;
	int error = ct_model_order_modules(m);

	if (!error)
		error = index_threads(m);
	return error ? error : select_causes(m);
}

/* --- look-ups --- */

/* A salted key can meet another process's: the thread found says whether it did. */
uint32_t ct_model_tid(const struct ct_model *m, uint32_t process, uint64_t tid)
{
	uint32_t at = ct_table_get(&m->thread_by_tid, tid ^ ct_mix((uint64_t)process + 1));

	return at && m->thread[at - 1].process == process && m->thread[at - 1].tid == tid ? at - 1 : CT_NO;
}

uint32_t ct_model_pthread(const struct ct_model *m, uint32_t process, uint64_t pthread)
{
	uint32_t at = ct_table_get(&m->thread_by_pthread, pthread ^ ct_mix((uint64_t)process + 1));

	return at && m->thread[at - 1].process == process && m->thread[at - 1].pthread == pthread ? at - 1 : CT_NO;
}

const char *ct_model_cause_name(const struct ct_model *m, uint32_t cause)
{
	return m->cause[cause].name ? m->cause[cause].name : "unknown";
}

const char *ct_model_category(const struct ct_model *m, uint32_t cause)
{
	return m->cause[cause].category ? m->cause[cause].category : "unknown";
}

const char *ct_model_call_name(const struct ct_model *m, uint32_t call)
{
	uint32_t at = ct_table_get(&m->call_by_id, call);

	return at ? m->call[at - 1].name : "";
}

uint64_t ct_model_lost_events(const struct ct_model *m)
{
	return m->lost[CT_LOSS_EVENTS] + m->lost[CT_LOSS_DAMAGED];
}

/* --- the books --- */

static void make_books(const struct ct_model *m, struct ct_thread_info *t)
{
	const struct ct_process_info *p = &m->process[t->process];
	uint64_t start_ns = t->started ? t->start_ns : t->first_ns;
	uint64_t end_ns = t->ended ? t->end_ns : p->ended ? p->end_ns : m->end_ns;

	/* A call may have begun before its thread was first seen. */
	if (t->first_ns < start_ns)
		start_ns = t->first_ns;
	if (t->last_ns > end_ns)
		end_ns = t->last_ns;
	if (start_ns < m->from_ns)
		start_ns = m->from_ns;
	if (end_ns > m->to_ns)
		end_ns = m->to_ns;
	t->lifetime_ns = end_ns > start_ns ? end_ns - start_ns : 0;
	uint64_t off_ns = t->nesting.covered_ns - t->in_call_ns;

	if (t->lifetime_ns < off_ns)
		t->lifetime_ns = off_ns;
	uint64_t rest_ns = t->lifetime_ns - off_ns;

	t->blocked_ns = off_ns - t->excluded_ns;
	if (m->has_sched) {
		t->running_ns = t->cpu_ns < rest_ns ? t->cpu_ns : rest_ns;
		rest_ns -= t->running_ns;
		t->runnable_ns = t->run_delay_ns < rest_ns ? t->run_delay_ns : rest_ns;
		rest_ns -= t->runnable_ns;
	}
	t->unexplained_ns = rest_ns;
}

void ct_model_finish(struct ct_model *m)
{
	/* The totals are of whole lives: nothing is known of a part. */
	for (uint32_t i = 0; i < m->thread_count && !m->window; i++)
		m->has_sched |= m->thread[i].cpu_ns || m->thread[i].run_delay_ns;
	for (uint32_t i = 0; i < m->thread_count; i++) {
		make_books(m, &m->thread[i]);
		/* Threads that did not live in the window are not part of the answer. */
		if (m->window && !m->thread[i].lifetime_ns)
			m->thread[i].selected = false;
	}
	for (uint32_t i = 0; i < m->cell_count; i++) {
		const struct ct_cell *cell = &m->cell[i];
		const struct ct_site *site = &m->site[cell->site].site;
		uint32_t call = ct_table_get(&m->call_by_id, site->call);

		if (!call || site->kind != CT_EVENT_INTERVAL)
			continue;
		m->call[call - 1].written += cell->count;
		m->call[call - 1].written_ns += cell->total_ns;
	}
}
