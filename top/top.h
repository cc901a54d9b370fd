/*
 * ctrace-top: what its parts hand to each other.
 *
 * A picture is one look at a process: its threads, and sums of their waits since the look
 * before. What is shown of it, on a terminal or as a batch of lines, comes from the same
 * functions; texts that a program chose are clean (ct_clean), and for a terminal also of
 * characters that do not take one column.
 */
#ifndef CT_TOP_H
#define CT_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "names.h"
#include "table.h"
#include "tool.h"

/* --- options.c --- */

struct ct_top_options {
	const char *target;    /* a process id, or a trace that is being written; NULL: not given */
	bool batch, json, no_color;
	uint32_t count;        /* pictures; 0: no end */
	uint64_t delay_ns;
	uint32_t top;          /* rows of a table in batches; 0: all */
	const char *sort;      /* a column's key */
	const char *thread;    /* which are shown: a glob of names, or a tid; NULL: all */
	const char *symbols;   /* folders of debug files; NULL: none */
};

extern const struct ct_tool_option ct_top_option_table[]; /* up to one without a name */
extern const char ct_top_exit[], ct_top_keys[];

/* Exits for --help and --version. 0, or -1 after ret_wrong says what is wrong. */
int ct_top_parse(int argc, char **argv, struct ct_top_options *ret, char ret_wrong[256]);
/* "0.5", "2", "500ms". 0, or -1: it is none, or less than a tenth of a second. */
int ct_top_delay(const char *text, uint64_t *ret_ns);

/* --- find.c --- */

/* All traced processes of this user, as list answers with them, each with its collector and
 * output. The caller frees it. *ret_wrong is empty if nothing is wrong. */
json_t *ct_top_processes(char ret_wrong[256]);
/* Those that a target means: a copy of the rows. The caller frees it. */
json_t *ct_top_targets(json_t *processes, const char *target);

/* --- picture.c --- */

enum ct_top_state {
	CT_TOP_RUNS = 'R',
	CT_TOP_READY = 'r',
	CT_TOP_BLOCKED = 'B',
	CT_TOP_UNKNOWN = '?',
};

struct ct_top_thread {
	pid_t tid;
	char *name;            /* owned */
	uint64_t start_ns, pthread;
	enum ct_top_state state;
	bool read;             /* the next are known */
	uint64_t run_ns, ready_ns; /* so far */
	bool timed;            /* and so are the next: */
	double running, ready, blocked; /* parts of the interval */
	struct ct_top_what wait; /* call NULL: none is known */
	uint64_t wait_start_ns, age_ns;
	pid_t owner;           /* who had it when the wait began; 0: not known */
};

/* A cause, a lock, or a place in the program. */
struct ct_top_row {
	struct ct_top_what what;  /* of a place and of a lock: what took the most */
	uint64_t top_ns;          /* that took so much */
	uint64_t total_ns, count; /* in the interval */
	uint64_t max_ns;          /* since somebody looks */
	uint32_t waiting;         /* threads that wait there now */
	bool several;             /* they were for different objects */
};

struct ct_picture {
	uint64_t now_ns, interval_ns, begun_ns, start_ns;
	uint64_t sums_ns;                /* what the sums of waits are of: the interval, or less where they began in it */
	uint64_t events, lost, threads;
	uint64_t new_events, new_lost;   /* in the interval */
	bool flight, sched, first;       /* first: there is none before it */
	char recording[64];              /* "on", "off", or families */
	char *executable;                /* owned */
	double running, ready, blocked;  /* average numbers of threads */
	CT_ARRAY(struct ct_top_thread, thread);
	CT_ARRAY(struct ct_top_row, cause);
	CT_ARRAY(struct ct_top_row, site);
	CT_ARRAY(struct ct_top_row, lock);
	uint64_t other_ns, other_count;
	/* For the next one. */
	json_t *answer;                  /* texts of waits point into it; owned */
	struct ct_table total_by_key;    /* index + 1 into sum, by what is waited for */
	CT_ARRAY(struct ct_top_sum, sum);
	struct ct_table by_tid;          /* index + 1 */
};

struct ct_top_sum {
	uint64_t total_ns, count;
};

struct ct_top {
	const struct ct_top_options *options;
	pid_t pid, collector;
	json_t *row;             /* of list; owned */
	char *name, *output;     /* owned */
	struct ct_names names;
	struct ct_picture now;
	uint64_t delay_ns;       /* to the next picture */
	pid_t whole;             /* the thread of which more is asked; 0: none */
	bool ended;
	char why[300];           /* it ended, or did not answer */
};

/* Takes a copy of the row. */
void ct_top_open(struct ct_top *t, const struct ct_top_options *o, json_t *row);
void ct_top_close(struct ct_top *t);
/* Takes the next picture. False: there is none, t->why says why; the one before stays. */
bool ct_top_look(struct ct_top *t);
void ct_picture_free(struct ct_picture *p);
/* What a thread waits for, from a part of an answer. */
struct ct_top_what ct_top_what_of(const json_t *o);

/* --- group.c --- */

/* Causes, places and locks of a picture, the longest first. */
void ct_top_group(struct ct_top *t, struct ct_picture *p, const struct ct_picture *before);
/* Whether somebody holds what is waited for. */
bool ct_top_is_lock(const struct ct_top_what *w);

/* --- sort.c --- */

struct ct_top_column {
	const char *key, *title;
	char letter;           /* the key that sorts by it */
};
extern const struct ct_top_column ct_top_columns[]; /* up to one without a key */

/* -1: there is none. */
int ct_top_column_of(const char *key);
void ct_top_sort(struct ct_picture *p, int column, bool reverse);
/* Whether a thread is shown. */
bool ct_top_shown(const struct ct_top_thread *th, const char *filter);

/* --- lines.c --- */

struct ct_line {
	char *text;            /* owned */
	int style;             /* enum ct_style */
	bool head;             /* titles of columns */
};

struct ct_lines {
	CT_ARRAY(struct ct_line, line);
};

enum ct_top_pane {
	CT_PANE_CAUSES,
	CT_PANE_SITES,
	CT_PANE_LOCKS,
	CT_PANE_NONE,
};

/* The label of what is waited for; "" if it has none. The caller frees it. */
char *ct_top_object(struct ct_top *t, const struct ct_top_what *w);
void ct_lines_free(struct ct_lines *l);
/* The program and what it does, in a few lines. */
void ct_lines_header(struct ct_lines *l, struct ct_top *t, int width);
/* The titles, and a line for each thread that is shown. */
void ct_lines_threads(struct ct_lines *l, struct ct_top *t, const char *filter, int sort, int width);
void ct_lines_pane(struct ct_lines *l, struct ct_top *t, enum ct_top_pane pane, int width);
/* All that is known of one thread. */
void ct_lines_thread(struct ct_lines *l, struct ct_top *t, pid_t tid, int width);
void ct_lines_processes(struct ct_lines *l, const json_t *rows, int width);
/* A copy of a text that takes one column a character. */
char *ct_top_plain(const char *text);

/* --- json.c --- */

/* One line. */
void ct_top_json(struct ct_top *t, FILE *to);

/* --- screen.c --- */

/* Until the user has enough. rows: processes to choose from. 0, or -1 after ret_wrong. */
int ct_top_screen(const struct ct_top_options *o, json_t *rows, char ret_wrong[256]);

#endif
