/* See folds.h. */
#include "folds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "folds_wakers.h"
#include "profile_rows.h"

/* Deeper stacks lose their outermost frames. */
#define DEPTH_MAX 500u

void ct_fold_add(struct ct_folder *f, const char *text)
{
	const char **frame = CT_APPEND(f, frame);

	if (frame)
		*frame = text;
	else
		f->failed = true;
}

/* A frame without a name goes by its module and offset; the text is kept. */
static const char *frame_text(struct ct_folder *f, const struct ct_frame *frame)
{
	char *text, **kept;

	if (frame->function)
		return frame->function;
	if (asprintf(&text, "%s+0x%llx", frame->module ? ct_base_name(frame->module) : "",
		     (unsigned long long)frame->offset) < 0) {
		f->failed = true;
		return "";
	}
	kept = CT_APPEND(f, kept);
	if (!kept) {
		f->failed = true;
		free(text);
		return "";
	}
	*kept = text;
	return text;
}

/* A region of the program stands between its thread and its frames. */
static const char *region_text(struct ct_folder *f, const char *name)
{
	char **kept = CT_APPEND(f, kept);

	if (!kept || asprintf(kept, "[%s]", name) < 0) {
		f->kept_count -= kept != NULL;
		f->failed = true;
		return "";
	}
	return *kept;
}

void ct_fold_stack(struct ct_folder *f, const struct ct_callstacks *c, uint32_t callstack, bool innermost_first)
{
	struct ct_frame *frames;
	uint32_t count;

	if (ct_callstack_frames(c, f->symbols, callstack, &frames, &count)) {
		f->failed = true;
		return;
	}
	uint32_t shown = ct_frames_shown(frames, count);

	if (shown > DEPTH_MAX)
		shown = DEPTH_MAX;
	for (uint32_t i = 0; i < shown; i++)
		ct_fold_add(f, frame_text(f, &frames[innermost_first ? i : shown - 1 - i]));
	free(frames);
}

int ct_fold_give(struct ct_folder *f, const char *cause, uint64_t count, uint64_t ns)
{
	struct ct_fold fold = { f->frame, f->frame_count, cause, count, ns };
	int error = f->failed ? -ENOMEM : f->take(f->self, &fold);

	for (uint32_t i = 0; i < f->kept_count; i++)
		free(f->kept[i]);
	f->kept_count = f->frame_count = 0;
	return error;
}

/* The outermost frame: a thread's name, or the group of --group-by. */
static const char *root_of(struct ct_folder *f, struct ct_profile_rows *p, const struct ct_profile_row *r,
			   const char *cause)
{
	struct ct_grouping *g = &f->grouping;

	if (!g->by)
		return ct_profile_thread_name(p->model, r->thread);
	uint32_t at = g->by == CT_GROUP_CAUSE ? ct_grouping_put(g, strdup(cause)) : ct_grouping_of(g, r->thread, NULL);

	if (at != CT_NO)
		return g->label[at];
	f->failed = true;
	return "";
}

static int give_row(struct ct_folder *f, struct ct_profile_rows *p, const struct ct_profile_row *r)
{
	const struct ct_model *m = p->model;
	const char *cause = r->spent == CT_SPENT_READY	     ? "runnable" :
			    r->spent == CT_SPENT_UNEXPLAINED ? "unexplained" :
							       ct_model_cause_name(m, r->cause);

	ct_fold_add(f, root_of(f, p, r, cause));
	if (r->region != CT_NO)
		ct_fold_add(f, region_text(f, m->name[r->region].text));
	if (r->callstack != CT_NO)
		ct_fold_stack(f, &p->callstacks, r->callstack, false);
	else if (r->call)
		ct_fold_add(f, ct_model_call_name(m, r->call));
	ct_fold_add(f, cause);
	return ct_fold_give(f, cause, r->count, r->ns);
}

static int fold_rows(struct ct_folder *f, const struct ct_model *m, bool off_cpu)
{
	struct ct_profile_rows p;
	enum ct_group_by by = m->options->group_by;
	int error = ct_profile_rows_make(&p, m, false);

	ct_grouping_begin(&f->grouping, m, f->symbols, &p.callstacks, by);

	if (!error)
		ct_profile_rows_sort(&p);
	for (uint32_t i = 0; i < p.row_count && !error; i++)
		if (p.row[i].ns && (off_cpu || p.row[i].spent == CT_SPENT_BLOCKED))
			error = give_row(f, &p, &p.row[i]);
	ct_grouping_free(&f->grouping);
	ct_profile_rows_close(&p);
	return error;
}

int ct_folds(struct ct_context *c, struct ct_model *m, const char *by, ct_fold_taker *take, void *self)
{
	struct ct_symbols symbols = { 0 };
	struct ct_folder f = { .symbols = &symbols, .take = take, .self = self };
	bool waker = by && !strcmp(by, "waker"), off_cpu = by && !strcmp(by, "off-cpu");
	int error;

	if (waker && c->options->group_by) {
		snprintf(c->usage, sizeof(c->usage), "--by waker and --group-by exclude each other");
		*m = (struct ct_model){ 0 };
		return -EINVAL;
	}
	error = ct_command_load(c, m, NULL);
	if (!error)
		error = ct_symbols_open(&symbols, m);
	if (!error)
		error = waker ? ct_fold_wakers(&f, m, &c->reader) : fold_rows(&f, m, off_cpu);
	free(f.frame);
	free(f.kept);
	if (symbols.model)
		ct_symbols_close(&symbols);
	return error;
}
