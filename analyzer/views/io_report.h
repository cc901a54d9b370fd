/* Input and output by what it goes to: files, pipes, peers. */
#ifndef CT_IO_REPORT_H
#define CT_IO_REPORT_H

#include "calls.h"
#include "grouping.h"
#include "report.h"

struct ct_io_row {
	char *label;               /* path, "tcp 127.0.0.1:80 -> 127.0.0.1:*", "pipe:[12]", "(rename)"; with --group-by
				      its label; owned */
	const char *kind;          /* "file", "socket"...; "" without a descriptor */
	bool idle;                 /* waits for something to arrive: accept, epoll... */
	uint32_t descriptors;      /* that were put together; not known with --group-by */
	/* Of calls that are events: they left the CPU, or took --min of the recording or longer. */
	uint64_t calls, errors, read_bytes, write_bytes, elapsed_ns;
	/* Of those that blocked. */
	uint64_t waits, blocked_ns, max_ns;
	struct ct_delays *lengths; /* of the calls, from call to return; owned */
	struct ct_tallies threads; /* key: index */
	struct ct_tallies sites;   /* key: call stack of the report << 32 | call */
};

struct ct_io_report {
	const struct ct_model *m;
	struct ct_report *report;
	CT_ARRAY(struct ct_io_row, row);     /* idle ones last, then most blocked time first */
	struct ct_table row_by_label;        /* index + 1 by hash */
	struct ct_table row_by_object;       /* index + 1 by process, object and call */
	uint64_t *recorded;                  /* of each call of the model: how many were events */
	struct ct_grouping grouping;         /* with --group-by but for object, which are the rows anyway */
	struct ct_table listens;             /* hash of the addresses at which connections were accepted */
};

/* Reads the trace once more; memory: 4 kB a row. 0, -errno. Close in either case. */
int ct_io_make(struct ct_io_report *io, struct ct_report *r, struct ct_reader *reader);
void ct_io_close(struct ct_io_report *io);
/* Whether a cause is one of input and output; *ret_idle: that waits for something to arrive. */
bool ct_io_is_cause(const struct ct_model *m, uint32_t cause, bool *ret_idle);

#endif
