/* The channels that descriptors of traced processes are ends of. See ends.c; abi/channels.h has their numbers. */
#ifndef CT_ENDS_H
#define CT_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "channels.h"
#include "map.h"
#include "region.h"

struct ct_trace;
struct ct_process;
struct ct_thread;
struct ct_descriptor_seen;

struct ct_channel_seen {
	bool taken;    /* a descriptor was seen that takes from it */
	bool blocked;  /* a thread waited for room in it */
	bool called;   /* of a socket that listens: somebody in the trace has connected to it */
	uint32_t accepted; /* likewise: sockets with its address that were written to */
};

struct ct_ends {
	struct ct_map by_number;
	struct ct_channel_seen *channel; /* owned */
	uint32_t count, room;
	uint32_t changes;      /* grows when a process may have to be told something */
	bool blocked;          /* one of them is */
	int diag;              /* see peers.h */
};

void ct_ends_free(struct ct_ends *c);
/* Fills in the channels that the process could not know. */
void ct_ends_resolve(struct ct_trace *t, const struct ct_process *p, struct ct_descriptor *d);
/* A descriptor is seen for the first time; listener: of its peer's address. */
void ct_ends_add(struct ct_trace *t, struct ct_process *p, struct ct_descriptor_seen *seen, uint64_t listener);
/* An event on a descriptor; ns: how long it took. */
void ct_ends_event(struct ct_trace *t, struct ct_process *p, const struct ct_event *e, uint64_t ns);
/* Looks at a thread's wait in progress. */
void ct_ends_waiting(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint64_t now_ns);
/* Tells the process what has changed. */
void ct_ends_pass(struct ct_trace *t, struct ct_process *p);

#endif
