/* Makes traces for the analyzer's tests and benchmarks: valid ones, and with
 * the bytes in memory whatever damage a test wants. Aborts without memory. */
#ifndef MAKE_TRACE_H
#define MAKE_TRACE_H

#include "codec.h"

struct make_trace {
	struct ct_buf file, records, index;
	struct ct_events_encoder encoder;
	uint32_t record_count, index_count;
	uint64_t now_ns; /* in the headers of RECORDS chunks */
	uint64_t events;
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

/* A small trace with something of everything: two processes, five threads. */
void make_small(struct make_trace *t);
/* Many events of 8 threads, as a busy program with contended locks makes them. */
void make_large(struct make_trace *t, uint64_t events);
/* 0 or -errno. */
int make_write(const struct make_trace *t, const char *path);

#endif
