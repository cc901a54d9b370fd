/* The commands: a file each, cmd_NAME.c; the table of them is in commands.c. */
#ifndef CT_COMMANDS_H
#define CT_COMMANDS_H

#include "model.h"
#include "report.h"
#include "text.h"

struct ct_context {
	const struct ct_options *options;
	struct ct_reader reader;
	struct ct_out out;
	char usage[192];    /* set with -EINVAL: what is wrong with the options */
	uint64_t violations; /* found by check */
	bool unfinished;    /* a trace without an end is nothing to warn of */
	bool all_facts;     /* JSON tells of file and calls too */
	const struct ct_model *loaded; /* of the trace, with options that select nothing: need not be read again; NULL */
	struct ct_wakes_member *together; /* of views that are made at once: for ct_model.together; NULL */
};

/* Each reads c->reader and writes to c->out. 0; -EINVAL: c->usage says why;
 * -errno. Damage in the trace is no error: it is counted in c->reader. */
int ct_cmd_summary(struct ct_context *c);
int ct_cmd_blocks(struct ct_context *c);
int ct_cmd_threads(struct ct_context *c);
int ct_cmd_locks(struct ct_context *c);
int ct_cmd_io(struct ct_context *c);
int ct_cmd_latency(struct ct_context *c);
int ct_cmd_malloc(struct ct_context *c);
int ct_cmd_sched(struct ct_context *c);
int ct_cmd_deadlocks(struct ct_context *c);
int ct_cmd_waits(struct ct_context *c);
int ct_cmd_wakers(struct ct_context *c);
int ct_cmd_path(struct ct_context *c);
int ct_cmd_whatif(struct ct_context *c);
int ct_cmd_regions(struct ct_context *c);
int ct_cmd_tasks(struct ct_context *c);
int ct_cmd_stats(struct ct_context *c);
int ct_cmd_dump(struct ct_context *c);
int ct_cmd_diff(struct ct_context *c);
int ct_cmd_explain(struct ct_context *c);
int ct_cmd_check(struct ct_context *c);
int ct_cmd_export(struct ct_context *c);
int ct_cmd_serve(struct ct_context *c);
int ct_cmd_sql(struct ct_context *c);
int ct_cmd_report(struct ct_context *c);
int ct_cmd_flame(struct ct_context *c);

struct ct_command {
	const char *name;
	int (*run)(struct ct_context *c);
	const char *arguments;   /* as in "Usage:" */
	uint32_t argument_count; /* at most; the first is the trace */
	const char *summary;     /* part of a line */
	const char *help;        /* some lines */
	const char *sort_keys;   /* of --sort, with spaces between; the first is the default; NULL: none */
	const char *columns;     /* of --csv, as ct_csv_header has them; NULL: none */
	const char *groups;      /* of --group-by, with spaces between; NULL: none */
	const char *examples;    /* what follows the command's name, a line each; NULL: none */
	bool opens;              /* opens its traces by itself, by ct_command_open */
};
extern const struct ct_command ct_commands[]; /* up to one without a name */

/* Why a trace cannot be opened, by what ct_reader_open returned. */
const char *ct_open_error(const struct ct_reader *r, int error, char *to, size_t bytes);
/* Opens c->reader for a command that does so by itself. 0, or -EINVAL with c->usage. */
int ct_command_open(struct ct_context *c, const char *file);

const struct ct_command *ct_command_find(const char *name); /* or NULL */
/* Looks at what only a command can say of its options: their sort key and group. 0, or -EINVAL with one
 * line in error. */
int ct_command_check(const struct ct_command *command, struct ct_options *o, char *error, size_t bytes);
/* One line that says that there is no such command. */
void ct_command_unknown(const char *name, char *error, size_t bytes);

/* Turns -EINVAL of the model's functions into c->usage; returns error. */
int ct_command_usage(struct ct_context *c, const struct ct_model *m, int error);
/* Loads the model and makes the report for a command. Both are to be freed in
 * either case; r may be NULL. */
int ct_command_load(struct ct_context *c, struct ct_model *m, struct ct_report *r);
/* Whether the reader of our output is gone: then there is nothing left to do. */
bool ct_command_stop(const struct ct_context *c);

/* What the trace covers, the first lines of every report. */
void ct_print_header(const struct ct_context *c, const struct ct_model *m);
/* Why a snapshot was taken; nothing where it is none. */
void ct_print_snapshot(const struct ct_out *o, const struct ct_model *m);
/* One line if what is shown is only the last part of the time: see ct_lives_fit. */
void ct_print_shortened(const struct ct_context *c, const struct ct_model *m, uint64_t bytes);
/* Which filters are applied; part of the header. */
void ct_print_filters(const struct ct_context *c, const struct ct_model *m);
/* One line if the filters leave no thread, or no wait: whether there is nothing else to say. */
bool ct_print_nothing(const struct ct_context *c, const struct ct_model *m);
/* The frames of a call stack, a line each. 0 or -ENOMEM. */
int ct_print_stack(const struct ct_context *c, struct ct_report *r, uint32_t callstack);
/* The table of threads: how each spent its life. */
void ct_print_threads(const struct ct_context *c, const struct ct_report *r);
/* A line of its own on waits that have no known duration, or were not over. */
void ct_print_odd(const struct ct_out *o, uint64_t unknown, uint64_t open);
/* Remarks on files without symbols, the last lines. */
void ct_print_notes(const struct ct_context *c, const struct ct_report *r);
/* One object with everything, as docs and tests expect it. 0 or -ENOMEM. */
int ct_print_json(const struct ct_context *c, struct ct_report *r);
/* "none", "schedstat", "switches": where running and runnable times come from. */
const char *ct_sched_name(const struct ct_model *m);
bool ct_is_complete(const struct ct_context *c, const struct ct_model *m);
enum ct_style ct_style_of(const struct ct_model *m, uint32_t cause);

#endif
