/* What recording cost. See costs.h. */
#include "costs.h"

#include "json_parts.h"

static double ns_of(const struct ct_model *m, enum ct_cost what, double times)
{
	return times > 0 ? times * (double)m->cost_ps[what] / 1000 : 0;
}

bool ct_cost_sum(const struct ct_model *m, struct ct_cost_sum *ret)
{
	double calls = 0, cpu_ns = 0, parallel;

	if (!m->has_costs || m->window || !m->has_end || m->end_ns <= m->start_ns)
		return false;
	for (uint32_t i = 0; i < m->call_count; i++)
		calls += (double)m->call[i].calls;
	for (uint32_t i = 0; i < m->thread_count; i++)
		cpu_ns += (double)m->thread[i].cpu_ns;
	/* Every event is taken for one whose time was taken twice, as those of calls are. */
	double timed = (double)m->short_calls + (double)m->events;
	struct ct_cost_sum s = {
		.counted_ns = ns_of(m, CT_COST_COUNTED, calls - timed),
		.timed_ns = ns_of(m, CT_COST_TIMED, timed),
		.written_ns = ns_of(m, CT_COST_WRITTEN, (double)m->events),
		.stacks_ns = m->stack_count ? ns_of(m, CT_COST_STACK, (double)m->events) : 0,
		.switches_ns = ns_of(m, CT_COST_SWITCH, (double)m->slices),
		.starts_ns = ns_of(m, CT_COST_THREAD, m->thread_count) + ns_of(m, CT_COST_PROCESS, m->process_count),
		.cpu_ns = cpu_ns,
		.duration_ns = (double)(m->end_ns - m->start_ns),
		.collector_ns = (double)m->end.collector_cpu_ns,
	};

	s.program_ns = s.counted_ns + s.timed_ns + s.written_ns + s.stacks_ns + s.switches_ns + s.starts_ns;
	/* Threads that run at once are delayed at once. */
	parallel = cpu_ns / s.duration_ns;
	s.wall_ns = s.program_ns / (parallel > 1 ? parallel : 1);
	*ret = s;
	return true;
}

static double percent(double part_ns, double of_ns)
{
	return of_ns > 0 ? 100 * part_ns / of_ns : 0;
}

static uint64_t whole(double ns)
{
	return ns < 9e18 ? (uint64_t)ns : 0;
}

void ct_print_costs(const struct ct_out *o, const struct ct_model *m)
{
	struct ct_cost_sum s;
	char a[CT_FORMAT], b[CT_FORMAT];

	if (!ct_cost_sum(m, &s))
		return;
	const struct {
		const char *text;
		double ns;
	} parts[] = {
		{ "calls that were counted", s.counted_ns },  { "calls that were timed", s.timed_ns },
		{ "events written", s.written_ns },	      { "their stacks", s.stacks_ns },
		{ "context switches recorded", s.switches_ns }, { "threads and processes begun", s.starts_ns },
	};

	ct_print(o, CT_TITLE, "\nWhat recording cost, estimated\n");
	fprintf(o->file, "  wall time %s at most: %.2f %% of %s\n", ct_format_ns(a, whole(s.wall_ns)),
		percent(s.wall_ns, s.duration_ns), ct_format_ns(b, whole(s.duration_ns)));
	fprintf(o->file, "  CPU time  %s of the program's: %.2f %% of %s\n", ct_format_ns(a, whole(s.program_ns)),
		percent(s.program_ns, s.cpu_ns), ct_format_ns(b, whole(s.cpu_ns)));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (whole(parts[i].ns))
			fprintf(o->file, "            %-28s %9s\n", parts[i].text, ct_format_ns(a, whole(parts[i].ns)));
	fprintf(o->file, "  collector %s beside it: %.2f %% of a core\n", ct_format_ns(a, whole(s.collector_ns)),
		percent(s.collector_ns, s.duration_ns));
}

json_t *ct_json_costs(const struct ct_model *m)
{
	struct ct_cost_sum s;

	if (!ct_cost_sum(m, &s))
		return json_null();
	json_t *o = json_object(), *parts = json_object();

	ct_json_number(parts, "counted_ns", whole(s.counted_ns));
	ct_json_number(parts, "timed_ns", whole(s.timed_ns));
	ct_json_number(parts, "written_ns", whole(s.written_ns));
	ct_json_number(parts, "stacks_ns", whole(s.stacks_ns));
	ct_json_number(parts, "switches_ns", whole(s.switches_ns));
	ct_json_number(parts, "starts_ns", whole(s.starts_ns));
	ct_json_number(o, "wall_ns", whole(s.wall_ns));
	ct_json_real(o, "wall_share", percent(s.wall_ns, s.duration_ns) / 100);
	ct_json_number(o, "program_cpu_ns", whole(s.program_ns));
	ct_json_real(o, "program_cpu_share", percent(s.program_ns, s.cpu_ns) / 100);
	ct_json_number(o, "collector_cpu_ns", whole(s.collector_ns));
	ct_json_real(o, "collector_core_share", percent(s.collector_ns, s.duration_ns) / 100);
	ct_json_set(o, "parts", parts);
	return o;
}
