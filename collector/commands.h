/*
 * What a running collector is asked by ctrace-ctl, and what it answers.
 *
 * It listens on a SOCK_SEQPACKET socket in the runtime directory (runtime.h) and answers
 * its own user and root, nobody else. A connection carries one request and its answer:
 *
 *   request   one message of at most CT_REQUEST_BYTES: the verb, then a line KEY=VALUE for
 *             each argument. A value ends with its line.
 *   answer    messages up to the end of the connection: together one JSON object,
 *             {"ok": true, ...} or {"ok": false, "error": "one line"}.
 *
 * Times are integers in nanoseconds, of CLOCK_MONOTONIC where they are moments. Members may
 * be added; what is there keeps its meaning. The verbs stand in ct_verbs (commands.c):
 *
 *   list      the collector, and each process that it traces
 *   status    pid=PID [threads=N]: a process in detail, with its threads and their waits
 *   start     [pid=PID [tree=1]]: records all families; of the process, those that descend
 *             from it too, or without a pid of all, and those to come
 *   stop      likewise: records nothing
 *   snapshot  [path=FILE]: of a flight recorder. Answers the path, where it is once it is complete: until
 *             then there is FILE.part
 *   set       likewise: [families=LIST|all|none] [min_ns=N] [stacks=MODE]
 *   live      pid=PID [threads=N] [thread=TID] [keep_ns=N]: what ctrace-top shows: threads, their waits, sums of
 *             sites since begun_ns; of that thread its last waits and who holds what it waits for.
 *             Sums are kept for 10 s, or as long as is said, after they were asked for last (live.h). Causes and kinds are
 *             numbers; objects and, in frames, addresses are hexadecimal texts
 *   frames    pid=PID stacks=N,N,...: the return addresses of stacks that live named, and all modules
 */
#ifndef CT_COMMANDS_H
#define CT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "recording.h"

#define CT_REQUEST_BYTES 8192u
#define CT_REQUEST_ARGUMENTS 32u
#define CT_ASKERS_MAX 16u /* connections at once */

struct ct_collector;

struct ct_request {
	char text[CT_REQUEST_BYTES + 1];
	const char *verb;
	struct {
		const char *key, *value;
	} argument[CT_REQUEST_ARGUMENTS];
	unsigned int count;
};

struct ct_answer {
	FILE *to;        /* the members of the object: each begins with a comma */
	char wrong[256]; /* why it is refused */
};

/* A verb: writes the answer's members. 0, or -1 after ct_refuse. It runs in the collector's
 * loop: nothing is drained meanwhile. */
struct ct_verb {
	const char *name;
	int (*answer)(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
};
extern const struct ct_verb ct_verbs[]; /* up to one without a name */

/* --- for verbs --- */

/* NULL: not given. */
const char *ct_request_value(const struct ct_request *q, const char *key);
/* A number that is not negative: 0, and *ret is left alone where it is not given; or -1 after ct_refuse. */
int ct_request_number(const struct ct_request *q, struct ct_answer *a, const char *key, uint64_t *ret);
/* Says why; -1. */
__attribute__((format(printf, 2, 3))) int ct_refuse(struct ct_answer *a, const char *format, ...);
/* A text as a JSON string; what is no UTF-8 becomes question marks. */
void ct_json_text(FILE *to, const char *text);

/* --- for the loop --- */

/* Makes the directory and listens. What keeps it from that is no failure: the collector goes
 * on without; a directory that is not safe is told on standard error. */
void ct_commands_open(struct ct_collector *c);
void ct_commands_accept(struct ct_collector *c);
/* A connection has something to say, or room for more of its answer. */
void ct_commands_asker(struct ct_collector *c, int fd);
void ct_commands_close(struct ct_collector *c);

/* --- commands-list.c --- */

int ct_command_list(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
int ct_command_status(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);

/* --- commands-flight.c --- */

int ct_command_snapshot(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);

/* --- commands-live.c --- */

int ct_command_live(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
int ct_command_frames(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);

/* --- commands-set.c --- */

int ct_command_start(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
int ct_command_stop(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
int ct_command_set(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a);
/* As members of a process: what of it is recorded. */
void ct_json_recording(FILE *to, const struct ct_recording *r);

#endif
