/* The allocator and the address space: sums, the longest calls, arenas. */
#ifndef CT_MALLOC_REPORT_H
#define CT_MALLOC_REPORT_H

#include "calls.h"
#include "report.h"

enum ct_malloc_part {
	CT_MALLOC_HEAP,     /* malloc, free... */
	CT_MALLOC_MAPPING,  /* mmap, munmap, madvise, brk... */
	CT_MALLOC_PARTS
};

struct ct_malloc_sums {
	uint64_t calls, short_ns;                    /* of the whole trace */
	uint64_t waits, blocked_ns, max_ns, elapsed_ns;
	uint64_t threads;                            /* that waited */
	/* Who ended the waits, where the kernel's word on wake-ups is in the trace. */
	uint64_t by_thread, by_thread_ns, by_none;
};

/* A call that is an event. */
struct ct_slow_call {
	uint32_t thread, process;
	struct ct_site site;
	uint64_t start_ns, took_ns;
	int64_t bytes;             /* that were asked for; 0: free */
};

/* An arena of a process; calls that are events. */
struct ct_arena_row {
	uint32_t process;
	uint64_t arena;            /* as in CT_OBJECT_ARENA */
	bool known;                /* false: all calls of the process of which the arena is not known */
	char *label;               /* owned */
	uint64_t waits, blocked_ns, max_ns;
	uint32_t threads;          /* that waited */
	uint64_t by_thread, by_thread_ns; /* waits that another thread of the process ended: for its lock */
};

struct ct_malloc_report {
	const struct ct_model *m;
	struct ct_report *report;
	struct ct_malloc_sums sum[CT_MALLOC_PARTS];
	uint32_t slow_most;                     /* at most so many are kept */
	CT_ARRAY(struct ct_slow_call, slow);    /* longest first */
	CT_ARRAY(struct ct_arena_row, arena);   /* most blocked first; those not known last */
	struct ct_table arena_by_hash;
	bool arenas;                            /* any is known */
};

/* Reads the trace twice more, the second time only where it says who woke threads; slow: 0: as many as
 * are kept at most. 0, -errno. Close in either case. */
int ct_malloc_make(struct ct_malloc_report *v, struct ct_report *r, struct ct_reader *reader, uint32_t slow);
void ct_malloc_close(struct ct_malloc_report *v);
/* enum ct_malloc_part; -1: something else. */
int ct_malloc_part_of(const struct ct_model *m, uint32_t cause);

#endif
