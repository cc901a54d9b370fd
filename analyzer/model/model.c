/* The model's life: begin, select, look up, end. See model.h. */
#include "model.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "marks.h"
#include "model_parts.h"
#include "suggest.h"

void ct_model_init(struct ct_model *m, const struct ct_options *o)
{
	*m = (struct ct_model){ .options = o, .start_ns = UINT64_MAX, .to_ns = UINT64_MAX,
				.slices_from_ns = UINT64_MAX };
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
	if (m->borrows)
		return;
	for (uint32_t i = 0; i < m->file_count; i++)
		free(m->file[i].path);
	for (uint32_t i = 0; i < m->code_count; i++)
		free(m->code[i].name);
	for (uint32_t i = 0; i < m->descriptor_count; i++)
		free(m->descriptor[i].label);
}

void ct_model_free(struct ct_model *m)
{
	void *arrays[] = {
		m->meta,  m->call,	 m->process, m->thread, m->file, m->module,	  m->stack,
		m->frame, m->descriptor, m->lock,    m->site,	m->cell, m->module_order,
		m->states, m->gaps.gap,	 m->cpu,     m->waker,	m->waiting, m->holder,	  m->code,  m->recording,
	};
	struct ct_table *tables[] = {
		&m->call_by_id,	       &m->process_by_id, &m->thread_by_id, &m->module_by_id, &m->stack_by_id,
		&m->descriptor_by_id,  &m->file_by_hash,  &m->lock_by_hash, &m->site_by_hash, &m->cell_by_pair,
		&m->thread_by_tid,     &m->thread_by_pthread, &m->cpu_by_number, &m->waker_by_key,
		&m->waiting_by_thread,
	};

	if (m->lent) {
		*m = (struct ct_model){ 0 };
		return;
	}
	ct_filter_close(m->filter);
	ct_model_free_names(m);
	free_names(m);
	for (uint32_t i = 0; i < m->states_count; i++) {
		ct_timeline_free(&m->states[i].line);
		free(m->states[i].ready);
	}
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		ct_table_free(tables[i]);
	*m = (struct ct_model){ 0 };
}

/* --- selection --- */

static bool is_cause(const char *wanted, const char *name, const char *category)
{
	return name && (!strcmp(wanted, name) || (category && !strcmp(wanted, category)));
}

/* A cause or category that this version knows is no mistake where the trace has none such. */
static bool is_known(struct ct_suggestion *s)
{
#define CT_CAUSE(id, name, category, text)             \
	if (is_cause(s->typed, name, category))        \
		return true;                           \
	ct_suggest(s, name);                           \
	ct_suggest(s, category);
#include "causes.def"
#undef CT_CAUSE
	return false;
}

static int complain_cause(struct ct_model *m, const char *cause, const char *best)
{
	if (best)
		snprintf(m->complaint, sizeof(m->complaint), "'%.60s' is no cause for --cause; did you mean %s?", cause,
			 best);
	else
		snprintf(m->complaint, sizeof(m->complaint), "'%.60s' is no cause for --cause: see ctrace-analyze --help",
			 cause);
	return -EINVAL;
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
		struct ct_suggestion s = { .typed = o->cause[i] };
		bool known = false;

		for (uint32_t c = 0; c < CT_CAUSES; c++)
			if (is_cause(o->cause[i], m->cause[c].name, m->cause[c].category))
				m->cause[c].selected = known = true;
		if (!known && !is_known(&s))
			return complain_cause(m, o->cause[i], s.best);
	}
	return 0;
}

static bool is_number(const char *pattern, uint64_t n)
{
	char *end;

	return *pattern >= '0' && *pattern <= '9' && strtoull(pattern, &end, 10) == n && !*end;
}

static bool thread_matches(const struct ct_thread_info *t, const char *pattern)
{
	return is_number(pattern, t->tid) || !fnmatch(pattern, t->name, 0);
}

/* By the path of its program, or that path's last part. */
static bool process_matches(const struct ct_process_info *p, const char *pattern)
{
	const char *slash = strrchr(p->executable, '/');

	return is_number(pattern, p->pid) || !fnmatch(pattern, p->executable, 0) ||
	       (slash && !fnmatch(pattern, slash + 1, 0));
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

		p->selected = !o->process || process_matches(p, o->process);
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
	int error = ct_model_window(m);

	ct_model_order_code(m);

	if (!error)
		error = ct_model_order_modules(m);
	if (!error)
		error = index_threads(m);
	return error ? error : select_causes(m);
}

int ct_model_selects(const struct ct_model *m, uint32_t process, const struct ct_site *site)
{
	if (!m->cause[site->cause].selected)
		return 0;
	return m->filter ? ct_filter_site(m->filter, process, site) : 1;
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

const char *ct_model_meta(const struct ct_model *m, const char *key)
{
	for (uint32_t i = 0; i < m->meta_count; i++)
		if (m->meta[i].key && !strcmp(m->meta[i].key, key))
			return m->meta[i].value ? m->meta[i].value : "";
	return "";
}

uint64_t ct_model_lost_events(const struct ct_model *m)
{
	return m->lost[CT_LOSS_EVENTS] + m->lost[CT_LOSS_DAMAGED];
}
