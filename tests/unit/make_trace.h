/* Makes traces for the analyzer's tests and benchmarks: valid ones, and with
 * the bytes in memory whatever damage a test wants. Aborts without memory. */
#ifndef MAKE_TRACE_H
#define MAKE_TRACE_H

#include "switches.h"

#define MAKE_TASKS 32

struct make_trace {
	struct ct_buf file, records, index;
	struct ct_events_encoder encoder;
	uint32_t record_count, index_count;
	uint64_t now_ns; /* in the headers of RECORDS chunks */
	uint64_t events;
	struct ct_switches_encoder switches;
	uint32_t task[MAKE_TASKS]; /* tids of the chunk's tasks */
	uint64_t slices, lost;
};

#define MAKE_START_NS 1000000000000ull

/* Zero-initialise. Begins a file: header, causes of this version, calls of symbols.def. */
void make_begin(struct make_trace *t);
void make_record(struct make_trace *t, const struct ct_record *record);
/* Writes what was gathered as a chunk. */
void make_records_chunk(struct make_trace *t);
void make_events_chunk(struct make_trace *t, uint32_t process);
/* Any chunk, also of unknown kinds. */
void make_chunk(struct make_trace *t, uint16_t kind, uint32_t process, uint32_t count, uint64_t first_ns,
		uint64_t last_ns, const void *payload, size_t bytes);
/* END record, index and trailer. */
void make_end(struct make_trace *t, uint64_t end_ns);
void make_free(struct make_trace *t);

/* Shorter ways to say the usual things; times are ns after MAKE_START_NS. */
void make_process(struct make_trace *t, uint32_t id, uint32_t pid, const char *command);
void make_thread(struct make_trace *t, uint32_t id, uint32_t process, uint32_t tid, uint64_t start, const char *name);
void make_thread_end(struct make_trace *t, uint32_t id, uint64_t end, uint64_t cpu_ns, uint64_t run_delay_ns);
void make_stack(struct make_trace *t, uint32_t id, uint32_t process, const uint64_t *frames, size_t depth);
void make_wait(struct make_trace *t, uint32_t thread, struct ct_site site, uint64_t start, uint64_t end);

/* A time in which a thread had a CPU. woken: when it became ready, by waker; 0: not known. */
struct make_slice {
	uint32_t tid, cpu;
	uint64_t start, end;
	uint32_t how;           /* enum ct_slice_end */
	uint64_t woken;
	uint32_t waker, flags;
};
void make_slice(struct make_trace *t, struct make_slice slice);
void make_gap(struct make_trace *t, uint32_t cpu, uint64_t from, uint64_t to, uint64_t lost);
void make_switches_chunk(struct make_trace *t);
void make_meta(struct make_trace *t, const char *key, const char *value);

/* The states of a thread one by one: runs on CPU 0 until it blocks, is ready, or
 * ends. Begin with tid, cpu and now. */
struct make_life {
	uint32_t tid, cpu;
	uint64_t now, woken;
};
void make_run(struct make_trace *t, struct make_life *l, uint64_t ns, uint32_t how);
/* Asleep, then ready for so long. wakes: the trace says when it was woken. */
void make_off(struct make_life *l, uint64_t asleep, uint64_t ready, int wakes);

/* A small trace with slices: main works and waits for a worker that is preempted
 * in a call; a gap; a thread without events. */
void make_scheduled(struct make_trace *t);

/* A small trace with something of everything: two processes, five threads. */
void make_small(struct make_trace *t);
/* Many events of 8 threads, as a busy program with contended locks makes them. */
void make_large(struct make_trace *t, uint64_t events);
/* The same with a slice before each event: 8 threads take turns on two CPUs. */
void make_busy(struct make_trace *t, uint64_t events);
/* 0 or -errno. */
int make_write(const struct make_trace *t, const char *path);

#endif
