/* What is drawn as a wait and is none, and the program's regions around a wait. See wait_more.h. */
#include "wait_more.h"

#include <errno.h>
#include <stdlib.h>

#include "json_parts.h"
#include "objects.h"

struct call {
	struct ct_site_info info;
	uint64_t ready_ns;
	bool found;
};

/* A call that left its CPU without sleeping: other threads had it for a while, which is no wait; nor does the last one at a
 * barrier wait. The picture shows the call, since it lasted. */
static int find_call(struct ct_served *s, const struct ct_drawn_call *k, struct call *ret)
{
	struct ct_window w;
	int error = ct_window_open(&w, &s->map, k->start_ns, k->end_ns, 1);

	if (!error)
		error = ct_window_want(&w, &s->map, k->thread);
	w.bar_ns = 0;
	if (!error)
		error = ct_window_read(&w, &s->map);
	const struct ct_window_lane *l = error ? NULL : w.lane[k->thread];

	for (uint32_t i = 0; l && i < l->bar_count && !ret->found; i++) {
		/* Of a long one the first part is not looked at; one that began before the trace is told to begin with it. */
		uint64_t start_ns = l->bar[i].start_ns > s->m.start_ns ? l->bar[i].start_ns : s->m.start_ns;

		ret->found = l->bar[i].end_ns == k->end_ns && start_ns + k->skipped_ns == k->start_ns &&
			     ct_trace_map_site(&s->map, l->bar[i].site, &ret->info);
	}
	if (ret->found && l->count)
		ret->ready_ns = (uint64_t)l->sum[0][CT_SHADE_READY];
	ct_window_close(&w);
	return error;
}

static json_t *call_json(struct ct_served *s, const struct ct_drawn_call *k, const struct call *call)
{
	const struct ct_site_info *info = &call->info;
	uint32_t stack = info->site.stack ? ct_model_stack(&s->m, info->process, info->site.stack) : CT_NO, callstack;
	json_t *o = json_object();

	ct_json_text(o, "cause", ct_model_cause_name(&s->m, info->site.cause));
	ct_json_text(o, "call", ct_model_call_name(&s->m, info->site.call));
	bool failed = ct_names_use(s->names, &s->m);
	char *object = failed ? NULL : ct_object_label(&s->names->symbols, &s->m, info);

	if (failed || ct_callstack_of(&s->names->callstacks, stack, &callstack))
		ct_json_fail();
	else
		ct_json_set(o, "stack", ct_json_stack(&s->names->callstacks, &s->names->symbols, callstack));
	ct_names_done(s->names);
	ct_json_text(o, "object", object);
	free(object);
	if (stack != CT_NO)
		ct_json_number(o, "stack_id", stack);
	ct_json_set(o, "waited", json_false());
	ct_json_number(o, "blocked_ns", 0);
	ct_json_number(o, "ready_ns", call->ready_ns);
	ct_json_number(o, "release_ns", k->end_ns - k->start_ns + k->skipped_ns);
	ct_json_text(o, "ended_by", "nothing");
	return o;
}

int ct_wait_call(struct ct_served *s, const struct ct_drawn_call *k, json_t **ret)
{
	struct call call = { .found = false };
	int error = find_call(s, k, &call);
	const struct ct_known *known;

	if (error || !call.found)
		return error ? error : -ENOENT;
	*ret = call_json(s, k, &call);
	known = ct_api_known_of(s, &call.info);
	if (known)
		ct_json_set(*ret, "known", ct_api_known_json(known));
	return 0;
}

void ct_wait_regions(struct ct_served *s, json_t *o, uint32_t lane, uint64_t ns)
{
	struct ct_note note[CT_NOTE_DEPTHS];
	json_t *array = json_array();

	if (ct_notes_at(&s->notes, lane, ns, note))
		ct_json_fail();
	for (uint32_t i = 0; i < CT_NOTE_DEPTHS; i++) {
		json_t *region = note[i].count ? json_object() : NULL;

		if (!region)
			continue;
		ct_json_text(region, "region", s->m.name[note[i].name].text);
		ct_json_text(region, "task", note[i].task == CT_NO ? NULL : s->m.name[note[i].task].text);
		ct_json_number(region, "start_ns", note[i].start_ns > s->m.start_ns ? note[i].start_ns - s->m.start_ns : 0);
		ct_json_number(region, "duration_ns", note[i].end_ns - note[i].start_ns);
		ct_json_append(array, region);
	}
	ct_json_set(o, "regions", array);
}
