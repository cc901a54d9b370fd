/* What --flight and --trigger say. Shared by ctrace-run, which refuses what makes no sense, and the collector. */
#ifndef CT_FLIGHT_OPTIONS_H
#define CT_FLIGHT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define CT_TRIGGERS_MAX    16u
#define CT_FLIGHT_WRONG    192u
#define CT_FLIGHT_BYTES_MIN (1ull << 20)
#define CT_FLIGHT_SPAN_MIN  1000000000ull

enum ct_trigger_kind {
	CT_TRIGGER_WAIT,     /* wait>DURATION [cause=NAME,...] [thread=PATTERN] */
	CT_TRIGGER_DEADLOCK, /* deadlock */
	CT_TRIGGER_LOST,     /* lost>COUNT */
};

struct ct_trigger {
	enum ct_trigger_kind kind;
	uint64_t more_than;  /* ns, or events */
	bool any_cause, cause[CT_CAUSE_COUNT];
	char thread[64];     /* of its name, as fnmatch(3), or its tid; "": any */
	char text[128];      /* as it was given */
};

struct ct_flight_options {
	bool on;
	uint64_t span_ns;    /* 0: as far as the bytes go */
	uint64_t bytes;
	struct ct_trigger trigger[CT_TRIGGERS_MAX];
	uint32_t trigger_count;
	uint32_t max_snapshots; /* by triggers; 0: without bound */
	uint64_t pause_ns;   /* between two of those */
	bool at_end;
	char text[64];       /* the bounds as they were given */
};

/* All: 0, or -1 and what is wrong. */

/* "30s,256M", "30s" or "256M". */
int ct_flight_parse(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG]);
/* One trigger, or several with ';' between them. */
int ct_trigger_parse(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG]);
int ct_flight_parse_max(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG]);
int ct_flight_parse_pause(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG]);
/* What holds where nothing is said. */
void ct_flight_defaults(struct ct_flight_options *o);
#endif
