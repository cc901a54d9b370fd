/*
 * The program's own regions as slices on their threads' tracks, tasks as a slice on a track of
 * their own each, lines as instants; and what was not recorded as slices on threads' and processes'
 * tracks. See perfetto.h.
 */
#include <stdio.h>

#include "marks_source.h"
#include "perfetto.h"

static int put(struct ct_perfetto *p, enum ct_pf_type type, uint64_t track, uint64_t ns, uint64_t category, const char *name)
{
	size_t packet, event = ct_pf_begin_event(p, &packet, ns, type, track);

	if (type != PF_SLICE_END) {
		ct_pb_uint(&p->out, PF_EVENT_CATEGORY, category);
		ct_pb_text(&p->out, PF_EVENT_NAME, name);
	}
	return ct_pf_end_event(p, packet, event);
}

static int take_region(void *self, const struct ct_region_slice *r)
{
	struct ct_perfetto *p = self;
	uint64_t track = ct_pf_thread_track(p, r->thread), margin = ct_region_margin(r);
	int error = ct_pf_tell_thread(p, r->thread);

	if (!error)
		error = put(p, PF_SLICE_BEGIN, track, r->start_ns - margin, PF_CATEGORY_REGION, p->source.m.name[r->name].text);
	return error ? error : put(p, PF_SLICE_END, track, r->end_ns + margin, 0, NULL);
}

static int take_task(void *self, const struct ct_task *t)
{
	struct ct_perfetto *p = self;
	const struct ct_model *m = &p->source.m;
	uint32_t thread = t->thread != CT_NO ? t->thread : t->end_thread;
	uint64_t track = ct_pf_task_track(p, p->tasks++);
	int error = ct_pf_put_track(p, track, ct_pf_process_track(p, m->thread[thread].process), m->name[t->name].text);

	if (!error)
		error = put(p, PF_SLICE_BEGIN, track, t->begin_ns, PF_CATEGORY_TASK, m->name[t->name].text);
	return error ? error : put(p, PF_SLICE_END, track, t->end_ns, 0, NULL);
}

static int take_log(void *self, const struct ct_log_line *line)
{
	struct ct_perfetto *p = self;
	char text[1200];
	int error = ct_pf_tell_thread(p, line->thread);

	snprintf(text, sizeof(text), "%s: %s", p->source.m.name[line->category].text, line->message);
	return error ? error : put(p, PF_INSTANT, ct_pf_thread_track(p, line->thread), line->ns, PF_CATEGORY_LOG, text);
}

/* What was not recorded of a thread lies in its regions: see ct_region_margin. */
static int take_blank(void *self, const struct ct_blank *b)
{
	struct ct_perfetto *p = self;
	bool off = b->kind == CT_BLANK_OFF;
	uint64_t track = b->thread == CT_NO ? ct_pf_process_track(p, b->process) : ct_pf_thread_track(p, b->thread);
	int error = b->thread == CT_NO ? 0 : ct_pf_tell_thread(p, b->thread);

	if (!error)
		error = put(p, PF_SLICE_BEGIN, track, b->start_ns + CT_BLANK_MARGIN, PF_CATEGORY_LOST,
			    off ? "not recorded" : "not recorded: damaged");
	return error ? error : put(p, PF_SLICE_END, track, ct_blank_end(b), 0, NULL);
}

int ct_pf_marks(struct ct_perfetto *p)
{
	int error = ct_source_regions(&p->source, take_region, p);

	if (!error)
		error = ct_source_tasks(&p->source, take_task, take_log, p);
	return error ? error : ct_source_blanks(&p->source, take_blank, p);
}
