/*
 * A trace of Perfetto's, as ui.perfetto.dev and trace_processor read it: a stream of
 * packets. The parts of the format that are written, with the public field numbers
 * (github.com/google/perfetto, protos/perfetto/trace), are those below; a reader's view
 * of the same is tests/perfetto.proto.
 *
 *   perfetto.c         clocks, processes, threads, what was lost
 *   perfetto_intern.c  texts, call stacks
 *   perfetto_waits.c   waits as slices, with flows from wakers
 *   perfetto_marks.c   the program's own regions, tasks and lines, and times that were not recorded
 *   perfetto_sched.c   the scheduler as ftrace events
 */
#ifndef CT_PERFETTO_H
#define CT_PERFETTO_H

#include "export.h"
#include "protobuf.h"
#include "timeline_source.h"

enum ct_pf_trace { PF_TRACE_PACKET = 1 };
enum ct_pf_packet {
	PF_FTRACE_EVENTS = 1, PF_CLOCK_SNAPSHOT = 6, PF_TIMESTAMP = 8, PF_SEQUENCE = 10, PF_TRACK_EVENT = 11,
	PF_INTERNED_DATA = 12, PF_SEQUENCE_FLAGS = 13, PF_FTRACE_STATS = 34, PF_CLOCK_ID = 58, PF_DEFAULTS = 59,
	PF_TRACK_DESCRIPTOR = 60,
};
enum ct_pf_sequence_flags { PF_STATE_CLEARED = 1, PF_NEEDS_STATE = 2 };
enum ct_pf_event {
	PF_EVENT_CATEGORY = 3, PF_EVENT_ANNOTATION = 4, PF_EVENT_TYPE = 9, PF_EVENT_NAME_IID = 10, PF_EVENT_TRACK = 11,
	PF_EVENT_NAME = 23, PF_EVENT_FLOW = 47, PF_EVENT_FLOW_END = 48, PF_EVENT_CALLSTACK_IID = 56,
};
enum ct_pf_type { PF_SLICE_BEGIN = 1, PF_SLICE_END = 2, PF_INSTANT = 3 };
enum ct_pf_annotation {
	PF_ANNOTATION_NAME_IID = 1, PF_ANNOTATION_UINT = 3, PF_ANNOTATION_INT = 4, PF_ANNOTATION_STRING_IID = 17,
};
enum ct_pf_interned {
	PF_CATEGORIES = 1, PF_NAMES = 2, PF_ANNOTATION_NAMES = 3, PF_FUNCTION_NAMES = 5, PF_FRAMES = 6, PF_CALLSTACKS = 7,
	PF_BUILD_IDS = 16, PF_MAPPING_PATHS = 17, PF_SOURCE_PATHS = 18, PF_MAPPINGS = 19, PF_STRING_VALUES = 29,
};

/* Interned ids of texts that are always there. */
enum ct_pf_name {
	PF_NAME_RELEASE = 1, /* by enum ct_ended, from CT_ENDED_UNKNOWN on */
	PF_NAME_SITES = 32,  /* from here on by site */
};
enum ct_pf_key {
	PF_KEY_CAUSE = 1, PF_KEY_OBJECT, PF_KEY_OWNER, PF_KEY_WAKER, PF_KEY_ENDED_BY, PF_KEY_RESULT, PF_KEY_ELAPSED,
	PF_KEY_BLOCKED, PF_KEY_READY, PF_KEY_WAITER, PF_KEY_CUT, PF_KEY_COUNT, PF_KEYS,
};
#define PF_CATEGORY_WAKE (CT_CAUSES + 1u) /* below: causes + 1 */
#define PF_CATEGORY_LOST (CT_CAUSES + 2u)
#define PF_CATEGORY_REGION (CT_CAUSES + 3u)
#define PF_CATEGORY_TASK (CT_CAUSES + 4u)
#define PF_CATEGORY_LOG (CT_CAUSES + 5u)

struct ct_pf_cpu;

/* What a site is told with: interned ids. */
struct ct_pf_site {
	uint32_t object, callstack;
	bool known;
};

/* The frames of a place, inlined ones too: their interned ids. */
struct ct_pf_place {
	uint32_t first, count;
};

struct ct_perfetto {
	struct ct_export *e;
	struct ct_timeline_source source;
	struct ct_buf out;               /* packets that are not in the file yet */
	uint64_t track;                  /* uuid of the first track; see perfetto.c */
	bool *told;                      /* by thread: its track is in the file */
	CT_ARRAY(uint32_t, outsider);    /* by outsider: likewise, 1 */
	uint64_t flows, tasks;
	/* Interned: 0 where it is not in the file yet. */
	uint64_t strings;
	uint32_t *thread_string;         /* by thread: its label */
	CT_ARRAY(uint32_t, outsider_string);
	uint32_t cause_string[CT_CAUSES], ended_string[CT_ENDED_KINDS];
	CT_ARRAY(struct ct_pf_site, site);
	CT_ARRAY(uint32_t, callstack);   /* by call stack of the source */
	CT_ARRAY(struct ct_pf_place, place);
	struct ct_table place_by_hash;   /* index + 1; key as in perfetto_intern.c */
	CT_ARRAY(struct ct_place, place_key);
	bool *mapping;                   /* by file */
	uint64_t frames;
	/* The scheduler. */
	struct ct_table cpu_by_number;
	CT_ARRAY(struct ct_pf_cpu *, cpu);
	int64_t boot_ns;                 /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC; 0: not known */
	CT_ARRAY(uint64_t, track_told);  /* uuids of tracks with a name of their own */
};

/* A packet is what is written to out between the two. 0, or an error as a taker
 * returns it: 1 when nobody reads on. */
size_t ct_pf_begin(struct ct_perfetto *p);
int ct_pf_end(struct ct_perfetto *p, size_t begin);
/* A packet with an event; returns where the event begins. */
size_t ct_pf_begin_event(struct ct_perfetto *p, size_t *ret_packet, uint64_t ns, enum ct_pf_type type, uint64_t track);
int ct_pf_end_event(struct ct_perfetto *p, size_t packet, size_t event);

/* uuids of tracks. */
uint64_t ct_pf_thread_track(const struct ct_perfetto *p, uint32_t waker);
uint64_t ct_pf_lost_track(const struct ct_perfetto *p, uint32_t cpu); /* CT_NO: of all CPUs */
uint64_t ct_pf_process_track(const struct ct_perfetto *p, uint32_t process);
uint64_t ct_pf_task_track(const struct ct_perfetto *p, uint64_t number);
/* Describes the track of a thread, or outsider, if it is not yet. 0 or an error. */
int ct_pf_tell_thread(struct ct_perfetto *p, uint32_t waker);
/* A track that is described once only. */
int ct_pf_put_track(struct ct_perfetto *p, uint64_t uuid, uint64_t parent, const char *name);
/* A track with a name of its own. */
int ct_pf_tell_track(struct ct_perfetto *p, uint64_t uuid, uint64_t parent, const char *name);

/* What the first packets intern. */
int ct_pf_intern_fixed(struct ct_perfetto *p);
/* Interned ids; *ret is 0 where there is nothing to tell. 0 or an error. */
int ct_pf_site(struct ct_perfetto *p, uint32_t site, const struct ct_pf_site **ret);
int ct_pf_stack(struct ct_perfetto *p, uint32_t stack, uint32_t *ret); /* of the model, or CT_NO */
int ct_pf_waker(struct ct_perfetto *p, uint32_t waker, uint32_t *ret); /* thread, outsider or CT_NO */
void ct_pf_intern_free(struct ct_perfetto *p);

void ct_pf_annotate_string(struct ct_buf *b, enum ct_pf_key key, uint64_t iid);
void ct_pf_annotate_uint(struct ct_buf *b, enum ct_pf_key key, uint64_t value);
void ct_pf_annotate_int(struct ct_buf *b, enum ct_pf_key key, int64_t value);

int ct_pf_waits(struct ct_perfetto *p);
int ct_pf_marks(struct ct_perfetto *p);
int ct_pf_sched(struct ct_perfetto *p);
void ct_pf_sched_free(struct ct_perfetto *p);

#endif
