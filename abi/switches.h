/*
 * Encoding and decoding of SWITCHES chunks: when threads had a CPU. See trace.h
 * and docs/trace-format.md. Decoders treat their input as hostile: see codec.h.
 */
#ifndef CT_SWITCHES_H
#define CT_SWITCHES_H

#include "codec.h"

/* A time in which a thread had a CPU. */
struct ct_slice {
	uint32_t task;     /* index into the chunk's tasks */
	uint32_t cpu;      /* its number */
	uint32_t waker;    /* index into the chunk's tasks; with CT_SL_WOKEN */
	uint32_t end;      /* enum ct_slice_end */
	uint32_t flags;    /* CT_SL_* */
	uint64_t start_ns, end_ns;
	uint64_t woken_ns; /* with CT_SL_WOKEN: not after start */
};

/* Records of a CPU that were lost. */
struct ct_gap {
	uint32_t cpu;      /* its number */
	uint64_t from_ns, to_ns;
	uint64_t lost;
};

/* Builds one SWITCHES chunk. Zero-initialise, then ct_switches_reset before
 * each chunk. Times are rounded down to multiples of unit_ns. */
struct ct_switches_encoder {
	struct ct_buf tasks, cpus, gaps, columns[CT_SLICES_COLUMNS];
	uint32_t *cpu_index;   /* number -> 1 + index; owned */
	uint64_t *cpu_end;     /* number -> end of its last slice, in units; owned */
	uint32_t cpu_room;
	uint32_t task_count, cpu_count, gap_count;
	uint32_t count;        /* slices so far */
	uint64_t unit_ns;
	uint64_t base;         /* in units */
	bool based;
	uint64_t first_ns, last_ns;
	bool failed;
};

void ct_switches_reset(struct ct_switches_encoder *e, uint64_t unit_ns);
void ct_switches_free(struct ct_switches_encoder *e);
/* Adds a task to the chunk; returns its index. The caller remembers it. */
uint32_t ct_switches_task(struct ct_switches_encoder *e, uint32_t pid, uint32_t tid, struct ct_text name);
/* Adds a slice. Slices come in the order of their ends, but for late ones. */
void ct_switches_add(struct ct_switches_encoder *e, const struct ct_slice *slice);
void ct_switches_gap(struct ct_switches_encoder *e, const struct ct_gap *gap);
/* Appends the payload to out. -ENOMEM or 0. The chunk header takes first_ns and
 * last_ns. The encoder must be reset before its next use. */
int ct_switches_finish(struct ct_switches_encoder *e, struct ct_buf *out);

struct ct_switches_task {
	uint32_t pid, tid;
	struct ct_text name; /* into the payload */
};

struct ct_switches_cpu {
	uint32_t number;
	uint64_t end;        /* of its last slice, in units; the cursor's */
};

/* Reads one SWITCHES payload, which must outlive the decoder. Zero-initialise;
 * can be opened again and again. */
struct ct_switches_decoder {
	struct ct_switches_task *task; /* task_count of them; owned, reused */
	struct ct_switches_cpu *cpu;
	struct ct_gap *gap;
	uint32_t task_count, task_room, cpu_count, cpu_room, gap_count, gap_room;
	uint64_t unit_ns, base;
	struct ct_span first[CT_SLICES_COLUMNS]; /* the columns */
	struct ct_span columns[CT_SLICES_COLUMNS]; /* what is left of them */
};

/* Reads all but the slices, and counts these. 0, -EBADMSG, -ENOMEM. */
int ct_switches_open(struct ct_switches_decoder *d, struct ct_span payload);
/* The next slice: 1; 0 behind the last; -EBADMSG. */
int ct_switches_next(struct ct_switches_decoder *d, struct ct_slice *ret);
/* Begins again with the first slice. */
void ct_switches_rewind(struct ct_switches_decoder *d);
/* Whether all slices can be read, and how many there are. Rewinds. 0, -EBADMSG. */
int ct_switches_count(struct ct_switches_decoder *d, uint64_t *ret);
void ct_switches_close(struct ct_switches_decoder *d);

#endif
