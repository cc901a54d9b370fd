/*
 * The channels of all processes: who has been seen at which end. From that the
 * processes are told what they need not write, and what they should: see quiet,
 * room and look in abi/region.h.
 *
 * quiet: so many WAKEs were written to a channel, and no traced thread has been
 * seen at its other end: none has waited there, nor written back. Should one be
 * seen, the writers are told at once. Of a socket that listens: so many connections
 * were accepted, and no traced thread has called connect for it.
 */
#include "ends.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomics.h"
#include "peers.h"
#include "process.h"

#define QUIET_WAKES  128u
#define OUTSIDERS    64u
#define BLOCKED_NS   500000u /* a write that took so long waited for room */
#define CHANNELS_MAX 1000000u
#define LOOK_NS      50000000u /* for the descriptor of one wait, through all of them */

static struct ct_channel_seen *channel_of(struct ct_ends *c, uint64_t number)
{
	uint32_t at = number > CT_CHANNEL_LATER ? ct_map_get(&c->by_number, number) : 0;

	if (at || number <= CT_CHANNEL_LATER || c->count >= CHANNELS_MAX)
		return at ? &c->channel[at - 1] : NULL;
	if (c->count == c->room) {
		uint32_t room = c->room ? c->room * 2 : 64;
		struct ct_channel_seen *larger = realloc(c->channel, room * sizeof(*larger));

		if (!larger)
			return NULL;
		c->channel = larger;
		c->room = room;
	}
	if (ct_map_put(&c->by_number, number, c->count + 1))
		return NULL;
	c->channel[c->count] = (struct ct_channel_seen){ 0 };
	return &c->channel[c->count++];
}

void ct_ends_free(struct ct_ends *c)
{
	free(c->channel);
	ct_map_free(&c->by_number);
	if (c->diag > 0)
		close(c->diag - 1);
}

void ct_ends_resolve(struct ct_trace *t, const struct ct_process *p, struct ct_descriptor *d)
{
	if (d->kind == CT_FD_ANON && d->in) {
		uint64_t number = ct_eventfd_number(p->pid, d->fd);

		if (number)
			d->in = d->out = ct_channel(CT_CHANNEL_EVENTFD, number, 0);
	}
	if (d->out == CT_CHANNEL_LATER) {
		uint32_t peer = ct_peer_inode(&t->ends.diag, (uint32_t)d->inode);

		d->out = peer ? ct_channel(CT_CHANNEL_UNIX, peer, 0) : 0;
	}
}

static struct ct_descriptor *shared_of(struct ct_process *p, const struct ct_descriptor_seen *seen)
{
	return &p->region->descriptors[seen->descriptor % CT_DESCRIPTORS];
}

/* Not if another descriptor has got its place. */
static void set_quiet(struct ct_process *p, struct ct_descriptor_seen *seen, bool quiet)
{
	seen->quiet = quiet;
	if (ct_load(&shared_of(p, seen)->id) == seen->descriptor)
		ct_store(&shared_of(p, seen)->quiet, quiet);
}

static bool is_taken(const struct ct_ends *e, uint64_t number)
{
	uint32_t at = number > CT_CHANNEL_LATER ? ct_map_get(&e->by_number, number) : 0;

	return at && e->channel[at - 1].taken;
}

/* One of the sockets that a socket which listens has accepted, from outside the trace as far as is known. */
static bool is_outsiders(struct ct_trace *t, const struct ct_descriptor_seen *seen)
{
	struct ct_channel_seen *c = is_taken(&t->ends, seen->own_listener) ? channel_of(&t->ends, seen->own_listener) : NULL;

	if (!c || c->called || c->accepted >= OUTSIDERS)
		return c && !c->called;
	c->accepted++;
	t->ends.changes += c->accepted == OUTSIDERS;
	return false;
}

void ct_ends_add(struct ct_trace *t, struct ct_process *p, struct ct_descriptor_seen *seen, uint64_t listener)
{
	/* What was accepted did not connect. */
	struct ct_channel_seen *c = is_taken(&t->ends, seen->own_listener) ? NULL : channel_of(&t->ends, listener);

	if (c && !c->called) {
		c->called = true;
		t->ends.changes++;
	}
	if (is_outsiders(t, seen) && !is_taken(&t->ends, seen->out))
		set_quiet(p, seen, true);
	/* Or its other end could not be found. */
	if (!seen->out || is_taken(&t->ends, seen->out))
		ct_store(&shared_of(p, seen)->wanted, 1);
	c = channel_of(&t->ends, seen->in);
	ct_store(&shared_of(p, seen)->room, c && c->blocked);
	if (!c || c->taken)
		return;
	c->taken = true;
	t->ends.changes++;
}

/* A thread waited for room in a channel. */
static void block(struct ct_trace *t, const struct ct_descriptor_seen *seen)
{
	struct ct_channel_seen *c = channel_of(&t->ends, seen->out);

	if (!c || c->blocked)
		return;
	c->blocked = true;
	t->ends.blocked = true;
	t->ends.changes++;
}

static bool writes(uint32_t call)
{
	switch (call) {
	case CT_CALL_write:
	case CT_CALL_writev:
	case CT_CALL_send:
	case CT_CALL_sendto:
	case CT_CALL_sendmsg:
	case CT_CALL_sendmmsg:
	case CT_CALL_sendfile:
	case CT_CALL_vmsplice:
	case CT_CALL_eventfd_write:
	case CT_CALL_fwrite:
	case CT_CALL_fflush:
	case CT_CALL_fclose:
	case CT_CALL_fputs:
	case CT_CALL_puts:
	case CT_CALL_fputc:
	case CT_CALL_printf:
	case CT_CALL_fprintf:
	case CT_CALL_dprintf:
		return true;
	}
	return false;
}

static struct ct_descriptor_seen *seen_of(struct ct_process *p, uint64_t object)
{
	uint32_t number = (uint32_t)(object >> 32);
	struct ct_descriptor_seen *seen = &p->descriptors[number % CT_DESCRIPTORS];

	return number && seen->id && seen->descriptor == number ? seen : NULL;
}

void ct_ends_event(struct ct_trace *t, struct ct_process *p, const struct ct_event *e, uint64_t ns)
{
	struct ct_descriptor_seen *seen = seen_of(p, e->object);

	if (!seen || !seen->out)
		return;
	if (e->kind == CT_EVENT_INTERVAL && ns >= BLOCKED_NS && writes(e->call))
		block(t, seen);
	if (e->kind != CT_EVENT_WAKE || ++seen->wakes % QUIET_WAKES || seen->quiet || e->flags)
		return;
	const struct ct_channel_seen *c = channel_of(&t->ends, seen->out);

	if (c && !c->taken)
		set_quiet(p, seen, true);
}

void ct_ends_waiting(struct ct_trace *t, struct ct_process *p, struct ct_thread *th, uint64_t now_ns)
{
	const struct ct_wait *w = &p->region->slots[th->slot].wait;
	uint64_t start = ct_load(&w->start);

	/* The same wait as in the pass before. */
	if (!writes(ct_load(&w->call)) || ct_load(&w->object_kind) != CT_OBJECT_FD || start != th->blocked_start) {
		th->blocked_start = start;
		th->look_ns = 0;
		return;
	}
	if (now_ns < th->look_ns)
		return;
	th->look_ns = now_ns + LOOK_NS;
	int32_t fd = (int32_t)(uint32_t)ct_load(&w->object);
	struct ct_descriptor_seen *last = NULL;

	for (uint32_t i = 0; i < CT_DESCRIPTORS && i <= p->descriptors_done; i++)
		if (p->descriptors[i].id && p->descriptors[i].fd == fd &&
		    (!last || p->descriptors[i].descriptor > last->descriptor))
			last = &p->descriptors[i];
	if (last)
		block(t, last);
}

/* Of a socket that listens: whether all that it accepts is from outside the trace. */
static bool hears_outsiders(const struct ct_ends *e, const struct ct_descriptor_seen *seen)
{
	uint32_t at = seen->in > CT_CHANNEL_LATER && !seen->out ? ct_map_get(&e->by_number, seen->in) : 0;

	return at && e->channel[at - 1].accepted >= OUTSIDERS && !e->channel[at - 1].called;
}

void ct_ends_pass(struct ct_trace *t, struct ct_process *p)
{
	struct ct_ends *e = &t->ends;

	if (p->ends_changes == e->changes)
		return;
	p->ends_changes = e->changes;
	ct_store(&p->region->look, e->blocked);
	for (uint32_t i = 0; i < CT_DESCRIPTORS && i <= p->descriptors_done; i++) {
		struct ct_descriptor_seen *seen = &p->descriptors[i];
		struct ct_descriptor *d = &p->region->descriptors[i];
		bool outsiders = hears_outsiders(e, seen);
		uint32_t at;

		if (!seen->id)
			continue;
		if (is_taken(e, seen->out)) {
			ct_store(&d->wanted, 1);
			outsiders = false;
		} else if (seen->out) {
			outsiders = seen->quiet;
		}
		if (outsiders != seen->quiet)
			set_quiet(p, seen, outsiders);
		if (e->blocked && seen->in && (at = ct_map_get(&e->by_number, seen->in)) && e->channel[at - 1].blocked)
			ct_store(&d->room, 1);
	}
}
