/*
 * The trace file. docs/trace-format.md is the specification; this header is
 * its counterpart in C, and a test compares the two.
 *
 *   file header | chunk | chunk | ... | INDEX chunk | trailer
 *
 * Every integer is little-endian. A chunk stands for itself: a file cut at any
 * byte is readable up to its last whole chunk, and the index can be rebuilt by
 * a scan.
 */
#ifndef CT_TRACE_H
#define CT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define CT_TRACE_MAGIC   0x0a1a0d4543415254ull /* "TRACE\r\x1a\n" */
#define CT_TRACE_VERSION 1u
#define CT_CHUNK_MAGIC   0x4b4e4843u /* "CHNK" */
#define CT_TRAILER_MAGIC 0x58444e49u /* "INDX" */

struct ct_file_header {
	uint64_t magic;
	uint32_t version;      /* readers refuse another one */
	uint32_t header_bytes; /* where the first chunk begins */
	uint64_t start_ns;     /* CLOCK_MONOTONIC when the trace was begun */
	uint64_t start_real_ns;/* CLOCK_REALTIME at the same moment, since 1970 */
	uint32_t must_know;    /* bit set of features that a reader must know; none so far */
	uint32_t may_know;     /* bit set of features that a reader may ignore; none so far */
	uint32_t reserved[5];
	uint32_t crc;          /* CRC-32C of the bytes before it */
};
_Static_assert(sizeof(struct ct_file_header) == 64, "layout of ct_file_header");
_Static_assert(offsetof(struct ct_file_header, crc) == 60, "layout of ct_file_header");

enum ct_chunk_kind {
	CT_CHUNK_NONE,
	CT_CHUNK_RECORDS, /* records.def, in the order in which things happened */
	CT_CHUNK_EVENTS,  /* events of one process: see below */
	CT_CHUNK_INDEX,   /* where the chunks are */
	CT_CHUNK_SWITCHES, /* when threads had a CPU: see below */
	CT_CHUNK_KINDS
};

#define CT_CODEC_RAW  0u
#define CT_CODEC_ZSTD 1u

struct ct_chunk_header {
	uint32_t magic;
	uint16_t kind;         /* enum ct_chunk_kind; unknown kinds are skipped */
	uint16_t codec;        /* CT_CODEC_* */
	uint32_t process;      /* EVENTS: whose; otherwise 0 */
	uint32_t stored_bytes; /* bytes that follow this header */
	uint32_t raw_bytes;    /* after decompression */
	uint32_t count;        /* records, events, index entries or slices in it */
	uint64_t first_ns;     /* EVENTS, SWITCHES: earliest start; RECORDS: when written */
	uint64_t last_ns;      /* EVENTS, SWITCHES: latest end; RECORDS: when written */
	uint32_t stored_crc;   /* CRC-32C of the stored bytes */
	uint32_t crc;          /* CRC-32C of the header before it */
};
_Static_assert(sizeof(struct ct_chunk_header) == 48, "layout of ct_chunk_header");
_Static_assert(offsetof(struct ct_chunk_header, first_ns) == 24, "layout of ct_chunk_header");

#define CT_CHUNK_RAW_MAX (16u << 20) /* no chunk decompresses to more */

/* INDEX payload: count of these. */
struct ct_index_entry {
	uint64_t offset;   /* of the chunk header in the file */
	uint16_t kind;
	uint16_t reserved;
	uint32_t process;
	uint32_t count;
	uint32_t raw_bytes;
	uint64_t first_ns;
	uint64_t last_ns;
};
_Static_assert(sizeof(struct ct_index_entry) == 40, "layout of ct_index_entry");

/* The last bytes of a complete file. */
struct ct_trailer {
	uint64_t index_offset; /* of the INDEX chunk's header */
	uint64_t file_bytes;   /* with this trailer */
	uint32_t magic;        /* CT_TRAILER_MAGIC */
	uint32_t crc;          /* CRC-32C of the bytes before it */
};
_Static_assert(sizeof(struct ct_trailer) == 24, "layout of ct_trailer");

/*
 * EVENTS payload:
 *
 *   base:    varint, ns: where each batch's times begin
 *   sites:   count, then for each: kind, cause, flags, object_kind (a byte
 *            each), then varints call, object, aux, stack, owner
 *   batches: count, then for each: varints thread, events
 *   columns: for each of the four below: length in bytes, then one varint an
 *            event, batch after batch
 *     0 site      index into sites
 *     1 gap       zigzag: start minus the end of the batch's event before it
 *                 (for its first event: minus base)
 *     2 duration  end minus start
 *     3 result    zigzag
 *
 * Within a batch the events stand in the order in which they ended, so that an
 * interval stands after those that are nested in it.
 */
enum ct_column {
	CT_COLUMN_SITE,
	CT_COLUMN_GAP,
	CT_COLUMN_DURATION,
	CT_COLUMN_RESULT,
	CT_COLUMNS
};

/*
 * SWITCHES payload: slices, each a time in which a thread had a CPU.
 *
 *   unit:    varint, ns: all times below are in it
 *   base:    varint: where the times of every CPU begin
 *   tasks:   count, then for each: varints pid, tid, text name
 *   cpus:    count, then their numbers
 *   gaps:    count, then for each: varint index into cpus, zigzag from - base,
 *            varints duration, records lost
 *   columns: for each of the seven below: length in bytes, then varints
 *     0 task      index into tasks
 *     1 cpu       index into cpus
 *     2 how       enum ct_slice_end + flags << CT_SLICE_FLAG_SHIFT
 *     3 gap       zigzag: start minus the end of the CPU's slice before it
 *                 (for its first slice: minus base)
 *     4 duration  end minus start
 *     5 delay     start minus when it was woken; only of slices with CT_SL_WOKEN
 *     6 waker     index into tasks: who woke it; likewise
 *
 * Slices stand in the order of their ends, over all SWITCHES chunks of a file, but for
 * those with CT_SL_LATE.
 */
enum ct_slice_column {
	CT_SLICES_TASK,
	CT_SLICES_CPU,
	CT_SLICES_HOW,
	CT_SLICES_GAP,
	CT_SLICES_DURATION,
	CT_SLICES_DELAY,
	CT_SLICES_WAKER,
	CT_SLICES_COLUMNS
};

/* How a slice ended. */
enum ct_slice_end {
	CT_SLICE_BLOCKED,   /* the thread went to sleep */
	CT_SLICE_PREEMPTED, /* it could have gone on: another thread got the CPU */
	CT_SLICE_EXITED,    /* the thread ended */
	CT_SLICE_CONTINUED, /* not at all: its next part begins here */
	CT_SLICE_LOST,      /* in the gap that begins here */
	CT_SLICE_TRACE,     /* had not ended when the trace did */
	CT_SLICE_KINDS
};

#define CT_SLICE_FLAG_SHIFT 3

/* Slice flags. */
#define CT_SL_WOKEN    0x01u /* when it was woken before this slice, and by whom, is known */
#define CT_SL_SOFTIRQ  0x02u /* woken by a software interrupt on the waker's time */
#define CT_SL_HARDIRQ  0x04u /* woken by a hardware interrupt: the waker happened to run there */
#define CT_SL_NO_START 0x08u /* began before: in the gap that ends at start, or before the trace */
#define CT_SL_LATE     0x10u /* ended before slices that stand before it: its CPU's record came late, or its clock lags */

/* LOSS.what */
enum ct_loss {
	CT_LOSS_EVENTS,      /* events that found their ring full (thread: whose) */
	CT_LOSS_STACKS,      /* stacks that found no room */
	CT_LOSS_THREADS,     /* threads that found no slot: they are not in the trace */
	CT_LOSS_MODULES,     /* shared objects that found no room */
	CT_LOSS_DAMAGED,     /* events in shared memory that made no sense */
	CT_LOSS_SWITCHES,    /* context-switch records: gaps of SWITCHES chunks say when */
	CT_LOSS_KINDS
};

/* COST.what: what ctrace does for the program, or on its time */
enum ct_cost {
	CT_COST_CLOCK,       /* a time stamp is taken; contained in the others */
	CT_COST_COUNTED,     /* a call that is only counted */
	CT_COST_TIMED,       /* a call whose time is taken, written or not */
	CT_COST_WRITTEN,     /* an event, beside that */
	CT_COST_STACK,       /* an event's stack */
	CT_COST_SWITCH,      /* a context switch that is recorded: the kernel's work */
	CT_COST_THREAD,      /* a thread begins and ends */
	CT_COST_PROCESS,     /* a program is begun */
	CT_COST_KINDS
};

/* PROCESS_END.how and THREAD_END.how */
enum ct_end {
	CT_END_EXIT,   /* ended */
	CT_END_EXEC,   /* process: replaced by another program */
	CT_END_TRACE,  /* still alive when the trace ended */
	CT_END_KINDS
};

#endif
