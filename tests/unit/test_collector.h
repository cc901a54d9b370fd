/*
 * What the collector's tests share: a process that behaves as libctrace.so
 * would, the collector as a process, and a trace file taken apart.
 * Everything here fails the test when it cannot do its work.
 */
#ifndef CT_TEST_COLLECTOR_H
#define CT_TEST_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "codec.h"
#include "control.h"
#include "region.h"

/* --- the collector --- */

struct tc_collector {
	pid_t pid;
	int control;
	char name[64], out[128];
};

/* CTRACE_TEST_COLLECTOR, or the one of this build. */
const char *tc_collector_path(void);
/* Starts it with a control descriptor and waits for READY. file_limit: its
 * RLIMIT_FSIZE, 0: none. */
void tc_start(struct tc_collector *c, const char *out, uint64_t file_limit);
/* Says that the program ended; takes the answer and the collector's exit status. */
struct ct_control tc_stop(struct tc_collector *c);
/* One message from the collector. false: it has closed. */
bool tc_hear(struct tc_collector *c, struct ct_control *ret);

/* --- a traced process --- */

struct tc_region_options {
	uint32_t slots;
	bool unsealed;
	int64_t size_error;  /* added to the size of the memory */
	uint32_t version;    /* 0: ours */
};

/* Makes a region and says hello. NULL: the connection failed. */
struct ct_region *tc_attach(const char *name, const struct tc_region_options *o);
/* Connects and says so many bytes, with so many descriptors. The connection: -1 if there is none. */
int tc_babble(const char *name, const void *text, size_t bytes, unsigned int descriptors);
/* Claims a slot for this thread. */
struct ct_slot *tc_claim(struct ct_region *r, uint32_t slot, const char *name);
/* Leaves it, as a thread that is about to end. */
void tc_leave(struct ct_region *r, uint32_t slot);
/* Writes an event that ends now and lasted ticks, or counts it as dropped. */
bool tc_event(struct ct_slot *s, uint64_t ticks, const struct ct_event *fields);
/* Gives the slot a large ring: from now on its events stand there. */
void tc_grow(struct ct_region *r, struct ct_slot *s, uint32_t place);
void tc_wait(struct ct_slot *s, const struct ct_wait *fields);
/* Interns a stack. */
uint32_t tc_stack(struct ct_region *r, const uint64_t *frames, uint32_t depth);
uint64_t tc_ticks(void);

/* --- a trace --- */

struct tc_event_seen {
	uint32_t process, thread;
	struct ct_site site;
	uint64_t start_ns, end_ns;
	int64_t result;
};

struct tc_trace {
	struct tc_event_seen *event;
	size_t events;
	struct ct_record *record;
	size_t records;
	uint8_t *payload[4096]; /* records point into them */
	size_t payloads;
	bool complete;          /* with index, trailer and END */
	uint64_t bytes;         /* up to the last whole chunk */
};

/* Reads all whole chunks and checks that whatever an event refers to came
 * before it, that the index is right, and that times are in order. */
void tc_read(struct tc_trace *t, const char *path);
void tc_free(struct tc_trace *t);
/* The next record of a type from *position on; NULL: none. */
const struct ct_record *tc_next(const struct tc_trace *t, size_t *position, enum ct_record_type type);
size_t tc_count(const struct tc_trace *t, enum ct_record_type type);
/* Sum of LOSS.count. */
uint64_t tc_lost(const struct tc_trace *t, enum ct_loss what);

#endif
