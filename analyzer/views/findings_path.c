/* How much of the critical path findings are. See findings.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "path.h"

/* The path holds a trace in memory. */
#define EVENTS_MAX 2000000u

/* Whether a call stack of the path is at the finding's place: 1, 0 or -ENOMEM. */
static int is_at(struct ct_findings *f, const struct ct_finding *x, struct ct_path *p, uint32_t callstack)
{
	struct ct_frame *a, *b;
	uint32_t count_a, count_b;
	int same = 0;

	if (ct_callstack_frames(&f->report.callstacks, &f->report.symbols, x->callstack, &a, &count_a))
		return -ENOMEM;
	if (ct_callstack_frames(&p->callstacks, &p->symbols, callstack, &b, &count_b)) {
		free(a);
		return -ENOMEM;
	}
	uint32_t at_a = ct_frame_telling(a, count_a), at_b = ct_frame_telling(b, count_b);

	if (at_a != CT_NO && at_b != CT_NO && !a[at_a].function == !b[at_b].function)
		same = a[at_a].function ? !strcmp(a[at_a].function, b[at_b].function) : a[at_a].offset == b[at_b].offset;
	free(a);
	free(b);
	return same;
}

static int add_place(struct ct_findings *f, struct ct_finding *x, struct ct_path *p)
{
	for (uint32_t i = 0; i < p->row_count; i++) {
		const struct ct_path_row *row = &p->row[i];
		int found;

		if (row->state != CT_PATH_BLOCKED || row->cause != x->cause)
			continue;
		found = is_at(f, x, p, row->stack);
		if (found < 0)
			return found;
		x->path_ns += found ? row->total_ns : 0;
	}
	return 0;
}

static void add_lock(struct ct_finding *x, const struct ct_path *p)
{
	for (uint32_t i = 0; i < p->lock_count; i++)
		if (!strcmp(p->lock[i].label, x->lock->label))
			x->path_ns += p->lock[i].path_ns + p->lock[i].resume_ns;
}

int ct_findings_path(struct ct_findings *f, struct ct_reader *reader)
{
	struct ct_path p = { 0 };
	bool wanted = false;
	int error = 0;

	for (uint32_t i = 0; i < f->finding_count; i++)
		wanted |= f->finding[i].kind == CT_FINDING_LOCK || f->finding[i].kind == CT_FINDING_WAIT;
	if (!wanted || f->m->events + f->m->slices > EVENTS_MAX)
		return 0;
	error = ct_path_make(&p, f->m, reader, false);
	f->path_ns = error ? 0 : p.to_ns - p.from_ns;
	for (uint32_t i = 0; i < f->finding_count && !error; i++) {
		struct ct_finding *x = &f->finding[i];

		if (x->kind == CT_FINDING_LOCK)
			add_lock(x, &p);
		else if (x->kind == CT_FINDING_WAIT)
			error = add_place(f, x, &p);
		if (x->path_ns > f->path_ns)
			x->path_ns = f->path_ns;
	}
	ct_path_close(&p);
	return error;
}
