/*
 * What the program said of itself (include/ctrace.h): regions of its threads, tasks.
 *
 * Regions are events, in the order in which their thread made them, so what a thread
 * waited for between a begin and an end was in that region. An end closes the innermost
 * region of its name and those in it; one that finds none is counted and not believed.
 * What is open when its thread ends ends with it. A region is of the task that it names,
 * or of that of the region around it.
 *
 * Memory: names, a row for each thread of a task's name, and what is open now: nothing
 * grows with the events.
 */
#ifndef CT_MARKS_H
#define CT_MARKS_H

#include "model.h"

#define CT_REGIONS_OPEN 256u /* of a thread; those in them are not told apart */

/* A region that has not ended. */
struct ct_open_region {
	uint32_t name, task;           /* in ct_model.name; task CT_NO: of none */
	uint64_t start_ns, off_ns, ready_ns; /* off, ready: before it, in its thread's life */
	uint64_t blocked_ns;           /* so far */
	bool inner;                    /* one of its name is around it: its time is in that one's */
	bool task_inner;               /* likewise of its tasks */
};

/* How a time was spent: elapsed is running + ready + off; off is blocked + unexplained. Without slices only
 * elapsed and blocked are known. */
struct ct_mark_spent {
	uint64_t elapsed_ns, ready_ns, off_ns, blocked_ns;
	uint64_t by_cause[CT_CAUSES];
};

/* All regions, or tasks (tasks.h), of a name. */
struct ct_mark_sum {
	uint64_t count;                /* that ended, or were cut off; those of the window */
	uint64_t open;                 /* part of count: not ended when its thread, or the trace, was */
	uint64_t total_ns, max_ns;     /* tasks: from begin to end */
	uint64_t longest_ns;           /* when the longest began */
	uint64_t longest_blocked_ns;   /* regions: of that one */
	uint32_t longest_thread;       /* tasks: that began it */
	struct ct_histogram *times;    /* owned; NULL: none */
	struct ct_mark_spent *spent;        /* of tasks: in their regions; owned; NULL: nothing */
};

/* What a thread did for the tasks of a name. */
struct ct_task_thread {
	uint32_t name, thread;
	uint64_t regions, elapsed_ns, ready_ns, off_ns, blocked_ns;
};

struct ct_marks {
	struct ct_marks_thread {
		CT_ARRAY(struct ct_open_region, open);
		uint32_t in_region, in_task; /* open ones that --region and --task mean */
	} *thread;                     /* by thread of the model */
	uint32_t thread_count;
	bool sums;
	int (*ended)(void *self, uint32_t thread, const struct ct_open_region *r, uint32_t depth, uint64_t end_ns);
	void *self;                    /* of ended, which may be NULL */
	struct ct_mark_sum *region, *task; /* by name */
	uint32_t name_count;
	CT_ARRAY(struct ct_task_thread, worker);
	struct ct_table worker_by_pair; /* name, thread */
	uint64_t unbalanced;           /* ends without a begin */
	uint64_t left;                 /* regions that an outer one's end closed */
};

/* For a pass over the events of a model whose records are known. NULL without memory. */
struct ct_marks *ct_marks_open(const struct ct_model *m, bool sums);
void ct_marks_close(struct ct_marks *k);
/* Lets a function know of each region that ends; depth: so many are around it. What it returns, other than 0, ends
 * the pass. */
void ct_marks_tell(struct ct_marks *k, int (*ended)(void *self, uint32_t thread, const struct ct_open_region *r,
							    uint32_t depth, uint64_t end_ns), void *self);
/* The pass is over: ends what is open. */
int ct_marks_finish(struct ct_marks *k, const struct ct_model *m);
/* A region's begin or end, wherever the window is. 0 or -ENOMEM. */
int ct_marks_event(struct ct_marks *k, const struct ct_model *m, uint32_t thread, const struct ct_site *s, uint64_t ns);
/* The thread was blocked in what is open. */
void ct_marks_wait(struct ct_marks *k, uint32_t thread, uint8_t cause, uint64_t ns);
/* The innermost region of a thread now; CT_NO: none. */
static inline uint32_t ct_marks_innermost(const struct ct_marks *k, uint32_t thread)
{
	const struct ct_marks_thread *t = thread < k->thread_count ? &k->thread[thread] : NULL;

	return t && t->open_count ? t->open[t->open_count - 1].name : CT_NO;
}

/* Whether the thread is where --region and --task want it. k NULL: nobody has said anything yet. */
bool ct_marks_inside(const struct ct_marks *k, const struct ct_model *m, uint32_t thread);

static inline bool ct_is_mark(const struct ct_site *s)
{
	return s->kind == CT_EVENT_REGION_BEGIN || s->kind == CT_EVENT_REGION_END;
}

/* Whether marks decide what is selected. */
static inline bool ct_marks_select(const struct ct_model *m)
{
	return m->options->region || m->options->task;
}

/* Whether regions are asked for: then all chunks must be read, whatever the window. */
bool ct_marks_matter(const struct ct_model *m);

/* The place of a NAME's id in ct_model.name; 0, which is "(other)", where it is not known. */
uint32_t ct_model_name(const struct ct_model *m, uint64_t id);

/* --- for model_records.c and model_load.c --- */
int ct_model_take_name(struct ct_model *m, const struct ct_record_name *r);
/* After the records: what --region and --task mean. */
void ct_model_finish_names(struct ct_model *m);
void ct_model_free_names(struct ct_model *m);

#endif
