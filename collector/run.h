/* ctrace-run: what its parts hand to each other. */
#ifndef CT_RUN_H
#define CT_RUN_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "flight-options.h"
#include "tool.h"

struct ct_run_options {
	const char *out;      /* NULL: trace.<pid>.bin */
	const char *stacks;   /* NULL: not given */
	const char *sched;    /* likewise */
	uint64_t min_ns;
	uint64_t watchdog_ns; /* 0: none */
	bool min_given, quiet, stopped;
	struct ct_flight_options flight;
	const char *flight_bounds, *max_snapshots, *snapshot_pause; /* as given; NULL: not */
	const char *trigger[CT_TRIGGERS_MAX];
	uint32_t trigger_words; /* of trigger[] */
	pid_t attach;         /* the process to attach to; 0: a program is run */
	uint64_t for_ns;      /* for how long; 0: until it ends or we are interrupted */
	char **argv;          /* the program and its arguments */
};

/* What is done when the collector says that the program stalls, or that there is a snapshot. */
struct ct_run_watchdog {
	int control;          /* -1: it is not asked */
	pid_t running;        /* the analyzer that reports; 0: none */
	const char *analyzer, *out;
	bool quiet, flight;
	char last[PATH_MAX];  /* the snapshot that was written last; "": none */
};

/* --- run-options.c --- */

extern const struct ct_tool_option ct_run_option_table[]; /* up to one without a name */
extern const char ct_run_exit[];

/* Exits for --help and --version. 0, or -1 after *ret_wrong says what is wrong. */
int ct_run_options(int argc, char **argv, struct ct_run_options *ret, char ret_wrong[256]);

/* --- run-find.c: the other parts of ctrace, as absolute paths --- */

struct ct_parts {
	char library[PATH_MAX], collector[PATH_MAX];
	char analyzer[PATH_MAX]; /* "": not there */
};

/* 0, or -1 and the name of what is missing in ret_wrong. */
int ct_find_parts(struct ct_parts *ret, char ret_wrong[256]);

/* --- run-program.c --- */

/* The program's process: there, but held until it is let go. */
struct ct_program {
	pid_t pid;
	int hold;             /* our end of the pair of sockets that holds it */
};

struct ct_environment {
	const char *library, *socket_name;
	const struct ct_run_options *options;
};

/* Forks the process that will become the program. -errno. */
int ct_program_fork(const char *path, const struct ct_environment *env, struct ct_program *ret);
/* Lets it become the program. 0, or the errno of its exec; then it has ended. */
int ct_program_start(struct ct_program *p);
/* Lets it end instead. */
void ct_program_cancel(struct ct_program *p);
/* Passes signals on and waits until the program ends; notes in *collector (set
 * to 0) if that process ends before. Returns the program's status as from wait(). */
int ct_program_wait(pid_t pid, pid_t *collector, struct ct_run_watchdog *w);
/* Blocks the signals that ct_program_wait waits for. */
void ct_program_block_signals(void);
/* What every other child does before its exec: no signal blocked or ignored, no LD_PRELOAD. */
void ct_child_reset(void);

/* --- run-collector.c --- */

struct ct_collector_process {
	pid_t pid;            /* 0: ended */
	int control;
};

/* What a collector is started with. */
struct ct_collector_arguments {
	const char *path, *socket_name, *out;
	const char *sched;    /* NULL: not given */
	pid_t program;        /* whose context switches it records */
	uint64_t watchdog_ns; /* 0: none */
	const struct ct_run_options *options; /* of the flight recorder */
};

/* Starts the collector and waits until it is ready. 0, or -1 and why not. */
int ct_collector_start(const struct ct_collector_arguments *a, struct ct_collector_process *ret, char ret_wrong[256]);
/* Ends it and removes the file, as if it had never been. */
void ct_collector_cancel(struct ct_collector_process *c, const char *out);
/* Tells it that the program ended and takes its answer. -errno: there is none. */
int ct_collector_stop(struct ct_collector_process *c, pid_t program, int status, struct ct_run_watchdog *w,
		      struct ct_control *ret);

/* Has it end the trace, whatever goes on, and takes its answer. -errno: there is none. */
int ct_collector_end(struct ct_collector_process *c, struct ct_control *ret);

/* --- run-watchdog.c --- */

/* Has SIGIO sent to us when the collector says something. */
void ct_watchdog_listen(int control);
/* Takes what it said, if anything: that the program stalls is reported on stderr. */
void ct_watchdog_hear(struct ct_run_watchdog *w);
/* What it said in a message. */
void ct_watchdog_take(struct ct_run_watchdog *w, const struct ct_control *m);
/* Waits for the end of a report that is being made. */
void ct_watchdog_end(struct ct_run_watchdog *w);
/* Starts ctrace-analyze with its output on stderr; 0: it is not there. */
pid_t ct_start_analyzer(const char *analyzer, const char *const argv[]);
void ct_reap(pid_t pid);

#endif
