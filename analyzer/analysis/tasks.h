/*
 * The program's own tasks and log lines (include/ctrace.h), in a pass over the records.
 *
 * A task is passed on once both its ends are known, one that nothing ended at the end of the
 * process that began it. Memory: the tasks that are open.
 */
#ifndef CT_TASKS_H
#define CT_TASKS_H

#include "marks.h"

struct ct_task {
	uint64_t number, parent;      /* parent 0: none */
	uint64_t begin_ns, end_ns;
	uint32_t name;                /* in ct_model.name */
	uint32_t thread, end_thread;  /* of the model; end_thread CT_NO: nothing ended it */
};

struct ct_log_line {
	uint64_t ns, task;            /* task 0: none */
	uint32_t thread, category;    /* of the model; in ct_model.name */
	const char *message;          /* clean */
};

struct ct_tasks {
	/* Those that overlap the window and that thread or process and --task select; NULL: not
	 * wanted. 0 or -errno, which ends the pass. */
	int (*task)(void *self, const struct ct_task *task);
	int (*log)(void *self, const struct ct_log_line *line);
	void *self;
	uint64_t unbalanced;          /* ends without a begin */
	/* Private. */
	const struct ct_model *m;
	struct ct_open_task **bucket;
};

/* 0, -ENOMEM, -errno. */
int ct_tasks_read(struct ct_tasks *t, const struct ct_model *m, const struct ct_reader *r);

/* Adds a time to a sum. 0 or -ENOMEM. */
int ct_mark_sum_add(struct ct_mark_sum *sum, uint64_t start_ns, uint64_t ns, uint32_t thread, bool open);

#endif
