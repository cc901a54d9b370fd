/*
 * The collector on a region whose owner writes what it likes: fuzz.h, for a program of its own.
 *
 * An input is a list of acts: bytes anywhere in the region, threads, events, waits, entries of the
 * tables, counters of the header, and between them what the collector does: passes, changes of
 * what is recorded, its commands. Numbers that run out are 0.
 *
 * Beside it a second process is traced that behaves. All chunks must be readable, and its events,
 * and nobody else's, be in them as they were written.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "atomics.h"
#include "fuzz.h"
#include "process.h"
#include "ticks.h"

#define NOBODY      0x3ffffff0 /* a pid that no process has */
#define SLOTS       CT_SLOTS_MIN
#define ACTS_MAX    512u
#define MS          1000000ull
#define GUARD       4096u

/* --- the input --- */

struct input {
	const uint8_t *p, *end;
};

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t v = 0;
	size_t left = (size_t)(in->end - in->p), n = bytes < left ? bytes : left;

	if (n)
		memcpy(&v, in->p, n);
	in->p += n;
	return v;
}

/* Most numbers are small, and some are not. */
static uint64_t number(struct input *in)
{
	uint8_t first = (uint8_t)take(in, 1);

	return first < 224 ? first : first < 232 ? take(in, 2) : first < 240 ? take(in, 4) : first < 248 ? take(in, 8) : UINT64_MAX - (255u - first);
}

static void fill(struct input *in, void *to, size_t bytes)
{
	size_t left = (size_t)(in->end - in->p), n = bytes < left ? bytes : left;

	if (n)
		memcpy(to, in->p, n);
	in->p += n;
}

/* --- processes --- */

static struct ct_clock clock_;

static struct ct_region *make_region(void)
{
	uint8_t *memory = mmap(NULL, CT_REGION_BYTES(SLOTS) + GUARD, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory + CT_REGION_BYTES(SLOTS), GUARD, PROT_NONE))
		abort();
	return (struct ct_region *)memory;
}

static struct ct_process *attach(struct ct_trace *t, struct ct_region *r, uint64_t start, uint64_t start_ns, uint32_t clock, pid_t pid)
{
	struct ct_header h = {
		.region_bytes = CT_REGION_BYTES(SLOTS),
		.slot_count = SLOTS,
		.start = start,
		.start_ns = start_ns,
		.ticks_per_ms = 2000000,
		.min_ticks = 1000,
		.features = CT_FEATURE_OFF_CPU,
		.pid = (uint32_t)pid,
		.clock = clock,
		.calls = CT_CALL_COUNT,
		.executable = "fuzzed",
	};
	struct ct_process *p;

	if (ct_process_start(t, r, &h, pid, -1, &p))
		abort();
	ct_recording_begin(t, p, NULL);
	return p;
}

static uint64_t ticks_now(const struct ct_process *p)
{
	return p->clock == CT_CLOCK_TSC ? ct_read_ticks_ordered() : ct_now_ns();
}

static void claim(struct ct_region *r, uint32_t slot, uint32_t state, uint32_t tid, uint64_t start)
{
	struct ct_slot *s = &r->slots[slot];

	s->tid = tid;
	s->start = start;
	if (r->slots_used <= slot)
		r->slots_used = slot + 1;
	r->slot_state[slot] = state;
}

static void publish(struct ct_region *r, struct ct_slot *s, const struct ct_event *e)
{
	uint64_t n = s->reserved_events++;
	bool large = n & CT_ON_LARGE && s->large && s->large <= CT_LARGE_RINGS;
	struct ct_event *to = large ? &r->large[s->large - 1][n % CT_LARGE_EVENTS] : &s->ring[n % CT_RING_EVENTS];

	*to = *e;
	to->seq = (n & ~CT_ON_LARGE) + 1;
}

/* --- acts --- */

static void act_event(struct input *in, struct ct_process *p)
{
	uint64_t now = ticks_now(p);
	uint32_t slot = (uint32_t)take(in, 1) % SLOTS, times = (uint32_t)take(in, 1);
	struct ct_event e = {
		.kind = (uint8_t)take(in, 1),
		.cause = (uint8_t)take(in, 1),
		.call = (uint16_t)take(in, 2),
		.flags = (uint8_t)take(in, 1),
		.object_kind = (uint8_t)take(in, 1),
		.object = number(in),
		.aux = number(in),
		.result = (int64_t)number(in),
		.stack = (uint32_t)number(in),
		.owner = (uint32_t)number(in),
	};

	e.start = now - number(in);
	e.end = e.start + number(in);
	for (uint32_t i = 0; i <= times; i++) {
		publish(p->region, &p->region->slots[slot], &e);
		e.start += 1 + i % 3;
		e.end += 2;
	}
}

static void act_wait(struct input *in, struct ct_process *p)
{
	struct ct_slot *s = &p->region->slots[take(in, 1) % SLOTS];
	struct ct_wait w = {
		.seq = (uint32_t)take(in, 1),
		.call = (uint16_t)take(in, 2),
		.cause = (uint8_t)take(in, 1),
		.object_kind = (uint8_t)take(in, 1),
		.object = number(in),
		.aux = number(in),
		.ip = number(in),
		.stack = (uint32_t)number(in),
		.owner = (uint32_t)number(in),
	};
	uint64_t before = number(in);

	w.start = before == 1 ? 0 : ticks_now(p) - before * 1000000u;
	s->wait = w;
}

static void act_table(struct input *in, struct ct_region *r)
{
	uint8_t which = (uint8_t)take(in, 1);
	uint64_t at = number(in);

	switch (which % 6) {
	case 0:
		fill(in, &r->modules[at % CT_MODULES], 96);
		break;
	case 1:
		r->descriptors[at % CT_DESCRIPTORS].id = take(in, 1) & 1 ? at : number(in);
		fill(in, (uint64_t *)&r->descriptors[at % CT_DESCRIPTORS] + 1, 96);
		break;
	case 2:
		fill(in, &r->names[at % CT_NAMES], 24);
		break;
	case 3:
		fill(in, &r->hot[at % CT_HOT_LOCKS], sizeof(r->hot[0]));
		r->hot_filter[ct_hot_hash(r->hot[at % CT_HOT_LOCKS].word >> 16)].hot++;
		break;
	case 4:
		fill(in, &r->stack_arena[at % CT_STACK_WORDS], 8 * (1 + take(in, 1) % 8));
		break;
	case 5: {
		struct ct_slot *s = &r->slots[at % SLOTS];
		uint32_t call = (uint32_t)number(in) % CT_CALLS_MAX;

		s->calls[call] = number(in);
		fill(in, &s->short_[call], 32);
		s->dropped += number(in);
		break;
	}
	}
}

static void act_header(struct input *in, struct ct_region *r)
{
	uint64_t *const words[] = { &r->stack_words, &r->stacks_lost, &r->modules_used, &r->descriptors_used, &r->threads_lost };
	uint8_t which = (uint8_t)take(in, 1);

	if (which < 5)
		*words[which] = number(in);
	else if (which == 5)
		r->epoch = (uint32_t)number(in);
	else if (which == 6)
		r->slots_used = (uint32_t)number(in);
	else if (which == 7)
		r->pid = (uint32_t)number(in);
	else if (which == 8) {
		struct ct_slot *s = &r->slots[take(in, 1) % SLOTS];

		s->large = number(in);
		s->reserved_events |= CT_ON_LARGE;
		r->large_taken |= (uint32_t)take(in, 2);
	} else
		fill(in, &r->live, sizeof(r->live));
}

static void act_anywhere(struct input *in, struct ct_region *r)
{
	size_t n = 1 + take(in, 1) % 64, at = take(in, 4) % (CT_REGION_BYTES(SLOTS) - n);

	fill(in, (uint8_t *)r + at, n);
}

static void act_collector(struct input *in, struct ct_trace *t, struct ct_process *p, uint64_t now_ns)
{
	struct ct_recording wanted = { .off = (uint32_t)take(in, 1) & CT_FAMILIES_ALL, .min_ns = number(in), .stacks = take(in, 1) % CT_STACKS_KINDS };
	struct ct_holder holder[4];
	struct ct_wait w;

	switch (take(in, 1) % 5) {
	case 0:
		ct_recording_set(t, p, &wanted);
		break;
	case 1:
		t->generation++;
		break;
	case 2:
		ct_waiting_now(t, p, now_ns);
		break;
	case 3:
		ct_process_flush(t, p);
		break;
	case 4:
		for (uint32_t i = 0; i < SLOTS; i++)
			if (p->threads[i] && ct_drain_waiting(t, p, p->threads[i], &w))
				ct_waiting_holders(p, &w, holder, 4);
	}
}

static void act(struct input *in, struct ct_trace *t, struct ct_process *p, struct ct_process *victim, uint64_t *now_ns)
{
	uint8_t what = (uint8_t)take(in, 1);

	switch (what % 8) {
	case 0:
		act_anywhere(in, p->region);
		break;
	case 1: {
		uint32_t slot = (uint32_t)take(in, 1) % SLOTS, state = (uint32_t)take(in, 1);

		uint32_t tid = (uint32_t)number(in);

		claim(p->region, slot, state, tid == 1 ? (uint32_t)getpid() : tid, ticks_now(p) - number(in));
		break;
	}
	case 2:
		act_event(in, p);
		break;
	case 3:
		act_wait(in, p);
		break;
	case 4:
		act_table(in, p->region);
		break;
	case 5:
		act_header(in, p->region);
		break;
	case 6:
		act_collector(in, t, p, *now_ns);
		break;
	case 7:
		*now_ns += (what / 8) * 100 * MS;
		t->synced = false;
		ct_process_pass(t, p, *now_ns);
		t->synced = false;
		ct_process_pass(t, victim, *now_ns);
	}
}

/* --- what came of it --- */

static void must(bool holds)
{
	if (!holds)
		abort();
}

#define VICTIM_EVENTS 3u
#define VICTIM_OBJECT 0x7163740000ull

static uint32_t check_events(struct ct_span payload)
{
	struct ct_events_decoder d = { 0 };
	struct ct_events_cursor cursor;
	uint32_t victims = 0;

	must(!ct_events_open(&d, payload));
	ct_events_cursor(&d, &cursor);
	for (uint32_t i = 0; i < d.batch_count; i++) {
		cursor.end_ns = d.base_ns;
		for (uint32_t k = 0; k < d.batch[i].events; k++) {
			must(!ct_events_next(&cursor) && cursor.site < d.site_count);
			const struct ct_site *s = &d.site[cursor.site];

			must(s->cause < CT_CAUSE_COUNT && s->call < CT_CALL_COUNT && cursor.start_ns <= cursor.end_ns);
			victims += s->object == VICTIM_OBJECT + cursor.result && d.batch[i].thread == 1;
		}
	}
	ct_events_close(&d);
	return victims;
}

/* Reads all chunks; how many of the victim's events are there. */
static uint32_t check_chunks(const struct ct_chunks *c)
{
	static uint8_t raw[CT_CHUNK_RAW_MAX];
	size_t room = c->piece_bytes - sizeof(struct ct_piece_of_chunks), n = 0;
	uint8_t *all = malloc(c->bytes + 1);
	uint32_t victims = 0;

	must(all);
	for (const struct ct_piece_of_chunks *p = c->first; p; p = p->next, n += room)
		memcpy(all + n, p->data, c->bytes - n < room ? c->bytes - n : room);
	for (size_t at = 0; at < c->bytes;) {
		struct ct_chunk_header h;
		struct ct_record record;

		memcpy(&h, all + at, sizeof(h));
		at += sizeof(h);
		must(h.magic == CT_CHUNK_MAGIC && h.stored_bytes <= c->bytes - at && h.raw_bytes <= sizeof(raw));
		if (h.codec == CT_CODEC_RAW)
			memcpy(raw, all + at, h.raw_bytes);
		else
			must(ZSTD_decompress(raw, sizeof(raw), all + at, h.stored_bytes) == h.raw_bytes);
		at += h.stored_bytes;
		struct ct_span payload = { raw, raw + h.raw_bytes };

		if (h.kind == CT_CHUNK_EVENTS) {
			uint32_t found = check_events(payload);

			victims += h.process == 1 ? found : 0;
			continue;
		}
		while (payload.p < payload.end)
			must(ct_get_record(&payload, &record) > 0);
	}
	free(all);
	return victims;
}

static void victim_event(struct ct_process *victim, uint32_t i)
{
	uint64_t now = ticks_now(victim);

	publish(victim->region, &victim->region->slots[0], &(struct ct_event){
		.start = now - 1000,
		.end = now,
		.object = VICTIM_OBJECT + i,
		.result = (int64_t)i,
		.kind = CT_EVENT_INTERVAL,
		.call = CT_CALL_pthread_mutex_lock,
		.cause = CT_CAUSE_MUTEX,
		.object_kind = CT_OBJECT_ADDRESS,
	});
}

static void run(struct input in)
{
	struct ct_chunks chunks = { .piece_bytes = 64u << 10 };
	struct ct_trace t = { .clock = clock_ };
	uint64_t now_ns = ct_now_ns();
	struct ct_region *mine = make_region(), *victims = make_region();

	must(!ct_writer_open_memory(&t.writer, &chunks));
	struct ct_process *victim = attach(&t, victims, ct_read_ticks_ordered(), now_ns, CT_CLOCK_TSC, getpid());

	/* It lives as long as we do. */
	claim(victims, 0, CT_SLOT_LIVE, (uint32_t)getpid(), ct_read_ticks_ordered());
	ct_process_pass(&t, victim, now_ns);
	uint8_t how = (uint8_t)take(&in, 1);
	bool tsc = how & 1;
	struct ct_process *p = attach(&t, mine, how & 2 ? number(&in) : tsc ? ct_read_ticks_ordered() : now_ns, how & 4 ? number(&in) : now_ns,
				      tsc ? CT_CLOCK_TSC : CT_CLOCK_MONOTONIC, how & 128 ? getpid() : NOBODY);

	for (uint32_t i = 0; i < ACTS_MAX && in.p < in.end; i++) {
		if (i < VICTIM_EVENTS)
			victim_event(victim, i);
		act(&in, &t, p, victim, &now_ns);
		must(!t.writer.error);
	}
	ct_process_finish(&t, p, how / 8 % 3 == 0 ? CT_END_EXEC : how / 8 % 3 == 1 ? CT_END_TRACE : CT_END_EXIT, ct_now_ns(), -1);
	for (uint32_t i = victims->slots[0].reserved_events; i < VICTIM_EVENTS; i++)
		victim_event(victim, i);
	ct_process_finish(&t, victim, CT_END_EXIT, ct_now_ns(), 0);
	ct_writer_close(&t.writer);
	must(check_chunks(&chunks) == VICTIM_EVENTS);
	ct_chunks_free(&chunks);
	ct_ends_free(&t.ends);
	munmap((uint8_t *)mine + CT_REGION_BYTES(SLOTS), GUARD);
	munmap((uint8_t *)victims + CT_REGION_BYTES(SLOTS), GUARD);
	clock_ = t.clock;
}

/* --- fuzz.h --- */

void fuzz_open(const char *only)
{
	(void)only;
	if (ct_clock_init(&clock_))
		abort();
}

uint32_t fuzz_count(void)
{
	return 1;
}

void fuzz_run(const uint8_t *data, size_t size, uint32_t line)
{
	(void)line;
	run((struct input){ data, data + size });
}

void fuzz_codec(const uint8_t *data, size_t size)
{
	fuzz_run(data, size, 0);
}
