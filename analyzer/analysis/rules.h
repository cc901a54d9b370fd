/* The rules of a trace, checked while it streams by. See cmd_check.c. */
#ifndef CT_RULES_H
#define CT_RULES_H

#include "model_events.h"
#include "reader.h"
#include "switches.h"

#define CT_CHECK_SHOWN 100 /* violations that are kept as texts */

struct ct_check_thread {
	uint32_t id, process;
	uint64_t start_ns, end_ns;  /* end_ns 0: not ended yet */
	uint64_t last_end_ns;       /* of its events */
};

/* A CPU, or a thread that has one. */
struct ct_check_line {
	uint64_t end_ns;            /* of its last slice */
	uint32_t cpu;               /* threads: where that was */
	bool open;                  /* threads: that goes on */
};

struct ct_check {
	CT_ARRAY(char *, violation);
	uint64_t violations;        /* all of them */
	uint64_t place;             /* offset of the chunk that is being checked */
	CT_ARRAY(struct ct_check_thread, thread);
	/* Ids that were defined so far: value 1, of threads index + 1. */
	struct ct_table causes, calls, processes, threads, modules, stacks, descriptors, names;
	CT_ARRAY(struct ct_index_entry, entry); /* what the index should say */
	bool index_seen;
	uint64_t index_offset, index_end;
	uint64_t events, lost_events, slices, lost_switches, lost_in_gaps;
	CT_ARRAY(struct ct_check_line, line);
	struct ct_table cpus, tasks; /* number, tid -> 1 + index into line */
	uint64_t last_slice_ns;
	struct ct_switches_decoder switches;
	bool end_seen;
	struct ct_record_end end;
	struct ct_events_decoder decoder;
};

/* Notes a violation: one line without its end. */
__attribute__((format(printf, 2, 3))) void ct_violation(struct ct_check *k, const char *format, ...);
/* Each 0 or -ENOMEM; what is wrong is noted. */
int ct_check_records(struct ct_check *k, struct ct_span payload, uint32_t count);
int ct_check_events(struct ct_check *k, const struct ct_chunk *chunk, struct ct_span payload);
int ct_check_switches(struct ct_check *k, const struct ct_chunk *chunk, struct ct_span payload);
void ct_check_free(struct ct_check *k);

#endif
