/* The scheduler, the file and the calls as JSON. See json_parts.h. */
#include <string.h>

#include "json_parts.h"
#include "report_sched.h"

static json_t *cpus_json(const struct ct_model *m)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->cpu_count; i++) {
		json_t *o = json_object();

		ct_json_number(o, "cpu", m->cpu[i].number);
		ct_json_number(o, "running_ns", m->cpu[i].running_ns);
		ct_json_append(array, o);
	}
	return array;
}

static void set_delays(json_t *o, const struct ct_delays *wakes, const struct ct_delays *preempted)
{
	ct_json_number(o, "wakes", wakes->count);
	ct_json_number(o, "wake_delay_ns", wakes->total_ns);
	ct_json_number(o, "wake_delay_p50_ns", ct_delays_quantile(wakes, 0.5));
	ct_json_number(o, "wake_delay_p99_ns", ct_delays_quantile(wakes, 0.99));
	ct_json_number(o, "wake_delay_max_ns", wakes->max_ns);
	ct_json_number(o, "preempted_ns", preempted->total_ns);
	ct_json_number(o, "preempted_max_ns", preempted->max_ns);
}

json_t *ct_json_scheduler(const struct ct_model *m)
{
	struct ct_sched_sum sum;
	json_t *o = json_object();
	const char *wakes = ct_model_meta(m, "wakes"), *refused = ct_model_meta(m, "sched_refused");

	ct_sched_sum(&sum, m);
	ct_json_text(o, "data", ct_sched_name(m));
	ct_json_text(o, "wake_records", *wakes ? wakes : "none");
	ct_json_text(o, "refused", *refused ? refused : NULL);
	ct_json_set(o, "estimated", json_boolean(m->estimated));
	ct_json_number(o, "slices", m->slices);
	ct_json_number(o, "lost_switches", m->lost[CT_LOSS_SWITCHES]);
	ct_json_number(o, "gaps", m->gap_records);
	ct_json_number(o, "gap_ns", sum.gap_ns);
	ct_json_number(o, "covers_ns", sum.covers_ns);
	ct_json_number(o, "running_ns", sum.running_ns);
	ct_json_number(o, "runnable_ns", sum.runnable_ns);
	ct_json_number(o, "switches", sum.switches);
	ct_json_number(o, "preemptions", sum.preemptions);
	ct_json_number(o, "migrations", sum.migrations);
	set_delays(o, &sum.wakes, &sum.preempted);
	ct_json_set(o, "cpus", cpus_json(m));
	return o;
}

void ct_json_states(json_t *o, const struct ct_model *m, uint32_t thread)
{
	if (thread >= m->states_count)
		return;
	const struct ct_states *st = &m->states[thread];

	ct_json_number(o, "switches", st->sleeps + st->preemptions);
	ct_json_number(o, "preemptions", st->preemptions);
	ct_json_number(o, "migrations", st->migrations);
	set_delays(o, &ct_ready_of(st)->wakes, &ct_ready_of(st)->preempted);
}

json_t *ct_json_wakers(const struct ct_report *r)
{
	const struct ct_model *m = r->model;
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->waker_count; i++) {
		const struct ct_waker_info *w = &m->waker[i];
		json_t *o = json_object();
		char *label = ct_sched_waker_label(m, w);

		ct_json_text(o, "waker", label);
		ct_json_number(o, "pid", w->tid ? w->pid : 0);
		ct_json_number(o, "tid", w->tid);
		ct_json_set(o, "interrupt", json_boolean(w->flags != 0));
		ct_json_number(o, "wakes", w->count);
		ct_json_number(o, "wake_delay_ns", w->total_ns);
		ct_json_number(o, "wake_delay_max_ns", w->max_ns);
		ct_json_append(array, o);
		free(label);
	}
	return array;
}

json_t *ct_json_file(const struct ct_context *c, const struct ct_model *m)
{
	json_t *o = json_object(), *meta = json_object();

	ct_json_number(o, "bytes", c->reader.file_bytes);
	ct_json_number(o, "chunks", m->chunks);
	ct_json_number(o, "records", m->records);
	ct_json_number(o, "stacks", m->stack_count);
	ct_json_number(o, "frames", m->frame_count);
	if (m->events)
		ct_json_set(o, "bytes_per_event", json_real((double)c->reader.file_bytes / (double)m->events));
	ct_json_number(o, "clock_comparisons", m->clock_pairs);
	ct_json_number(o, "clock_error_ns", m->clock_error_ns);
	ct_json_number(o, "collector_cpu_ns", m->end.collector_cpu_ns);
	for (uint32_t i = 0; i < m->meta_count; i++)
		if (m->meta[i].key)
			ct_json_text(meta, m->meta[i].key, m->meta[i].value);
	ct_json_set(o, "meta", meta);
	return o;
}

json_t *ct_json_calls(const struct ct_model *m)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->call_count; i++) {
		const struct ct_call_info *call = &m->call[i];

		if (!call->calls && !call->written)
			continue;
		json_t *o = json_object();

		ct_json_text(o, "call", call->name);
		ct_json_text(o, "family", call->family);
		ct_json_number(o, "calls", call->calls);
		ct_json_number(o, "waits", call->written);
		ct_json_number(o, "blocked_ns", call->written_ns);
		ct_json_number(o, "short_ns", call->short_ns);
		ct_json_append(array, o);
	}
	return array;
}
