/* The command line. */
#ifndef CT_OPTIONS_H
#define CT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "option_values.h"

#define CT_OPTIONS_CAUSES 64

enum ct_group_by {
	CT_GROUP_NONE,        /* as the command does it */
	CT_GROUP_THREAD,
	CT_GROUP_ROUTINE,     /* the threads' start routine */
	CT_GROUP_SITE,
	CT_GROUP_OBJECT,
	CT_GROUP_PROCESS,
	CT_GROUP_CAUSE,
};

enum ct_color {
	CT_COLOR_AUTO,
	CT_COLOR_ALWAYS,
	CT_COLOR_NEVER,
};

struct ct_options {
	const char *command;  /* NULL: none was given */
	const char *file;     /* the first argument of the command; NULL: none was given */
	char **argument;      /* all of them */
	uint32_t argument_count;
	bool help, version;
	bool json, csv;
	bool group;           /* threads together that do the same */
	enum ct_color color;
	uint32_t top;         /* 0: all */
	bool top_given;
	const char *sort;     /* NULL: not given */
	uint32_t sort_key;    /* its place among the command's keys; 0, the first, where it is not given */
	enum ct_group_by group_by;
	/* Filters; the model applies them. */
	struct ct_moment from, to;
	uint64_t lives_bytes; /* the most that path may keep in memory; 0: see ct_lives_fit */
	uint64_t near_ns;     /* how much around that is read to know who ended waits; 0: a minute */
	const char *thread;   /* glob or tid; NULL: all */
	const char *process;  /* glob or pid; NULL: all */
	const char *cause[CT_OPTIONS_CAUSES]; /* causes and categories; point into the copy below */
	uint32_t cause_count; /* 0: all */
	const char *object, *site; /* extended regular expressions; NULL: all. whatif: site is what is changed */
	uint64_t min_ns;
	const char *region, *task; /* globs: of the program's own names (include/ctrace.h); NULL: all */
	const char *call;     /* latency, waits: only of that call; NULL: all */
	uint64_t max_ns;      /* latency, waits: shorter ones only; 0: all */
	uint64_t stack;       /* waits: number of a stack of the model */
	bool stack_given;
	/* whatif. */
	const char *lock;     /* NULL: none */
	double scale;           /* 0 where it is not given */
	uint32_t split;         /* 0: not given */
	const char *symbols;    /* folders of debug files, with ':' between; NULL: none */
	/* export. */
	const char *format, *profile, *output; /* NULL: not given */
	/* serve. */
	const char *host;       /* NULL: loopback */
	uint16_t port;          /* 0: any that is free */
	bool no_open;
	const char *by;         /* folded stacks, flame: blocked, off-cpu, waker; NULL: not given */
	char *causes;         /* owned */
};

/* What --help, the manual and the completions tell of an option. */
struct ct_option {
	const char *name;
	const char *value;    /* what it takes; NULL: nothing */
	const char *help;     /* part of a line */
	int (*take)(struct ct_options *o, const char *value); /* 0 or -EINVAL */
	const char *commands; /* names with spaces between, after "!" all but those; NULL: all */
	const char *wants;    /* of what the value is: the end of a complaint; NULL: that is plain */
	bool chooses;         /* what is shown, and nothing else: the page of serve may give it */
};
extern const struct ct_option ct_options_table[]; /* up to one without a name */

bool ct_option_is_for(const struct ct_option *option, const char *command);

/* Reads argv; texts point into it. 0, or -EINVAL with one line in error that
 * says what is wrong. Free with ct_options_free in either case. */
int ct_options_parse(struct ct_options *o, int argc, char **argv, char *error, int error_bytes);
void ct_options_free(struct ct_options *o);

/* Whether they are of that command. */
bool ct_is_command(const struct ct_options *o, const char *command);
/* Whether the options select a part of a trace. */
bool ct_options_select(const struct ct_options *o);
/* "thread", "start-routine", ...; "" of none. */
const char *ct_group_by_name(enum ct_group_by by);

#endif
