/* See make_trace.h. */
#include "make_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void need(int ok)
{
	if (!ok)
		abort();
}

void make_chunk(struct make_trace *t, uint16_t kind, uint32_t process, uint32_t count, uint64_t first_ns,
		uint64_t last_ns, const void *payload, size_t bytes)
{
	size_t bound = ZSTD_compressBound(bytes);
	uint8_t *out = malloc(bound + 1);

	need(out != NULL);
	size_t n = ZSTD_compress(out, bound, payload, bytes, 1);
	struct ct_chunk_header h = {
		.magic = CT_CHUNK_MAGIC,
		.kind = kind,
		.codec = CT_CODEC_ZSTD,
		.process = process,
		.raw_bytes = (uint32_t)bytes,
		.count = count,
		.first_ns = first_ns,
		.last_ns = last_ns,
	};

	if (ZSTD_isError(n) || n >= bytes) {
		h.codec = CT_CODEC_RAW;
		n = bytes;
		memcpy(out, payload, bytes);
	}
	h.stored_bytes = (uint32_t)n;
	h.stored_crc = ct_crc32c(out, n);
	h.crc = ct_crc32c(&h, offsetof(struct ct_chunk_header, crc));
	if (kind != CT_CHUNK_INDEX) {
		struct ct_index_entry e = { t->file.size, kind, 0, process, count, h.raw_bytes, first_ns, last_ns };

		ct_put_bytes(&t->index, &e, sizeof(e));
		t->index_count++;
	}
	ct_put_bytes(&t->file, &h, sizeof(h));
	ct_put_bytes(&t->file, out, n);
	free(out);
}

void make_record(struct make_trace *t, const struct ct_record *record)
{
	ct_put_record(&t->records, record);
	t->record_count++;
}

void make_records_chunk(struct make_trace *t)
{
	if (!t->record_count)
		return;
	make_chunk(t, CT_CHUNK_RECORDS, 0, t->record_count, t->now_ns, t->now_ns, t->records.data, t->records.size);
	ct_buf_clear(&t->records);
	t->record_count = 0;
}

void make_events_chunk(struct make_trace *t, uint32_t process)
{
	struct ct_buf payload = { 0 };
	uint32_t count = t->encoder.count;

	make_records_chunk(t);
	if (!count)
		return;
	need(!ct_events_finish(&t->encoder, &payload));
	make_chunk(t, CT_CHUNK_EVENTS, process, count, t->encoder.first_ns, t->encoder.last_ns, payload.data,
		   payload.size);
	t->events += count;
	ct_events_reset(&t->encoder);
	ct_buf_free(&payload);
}

void make_meta(struct make_trace *t, const char *key, const char *value)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_META, .meta = {
		.key = ct_text_of(key), .value = ct_text_of(value) } });
}

static uint32_t task_of(struct make_trace *t, uint32_t tid)
{
	for (uint32_t i = 0; i < t->switches.task_count; i++)
		if (t->task[i] == tid)
			return i;
	need(t->switches.task_count < MAKE_TASKS);
	t->task[t->switches.task_count] = tid;
	return ct_switches_task(&t->switches, tid < 200 ? 100 : 200, tid, ct_text_of("task"));
}

static void begin_switches(struct make_trace *t)
{
	if (!t->switches.unit_ns)
		ct_switches_reset(&t->switches, 1);
}

void make_slice(struct make_trace *t, struct make_slice s)
{
	begin_switches(t);
	struct ct_slice slice = {
		.task = task_of(t, s.tid),
		.cpu = s.cpu,
		.end = s.how,
		.flags = s.flags,
		.start_ns = MAKE_START_NS + s.start,
		.end_ns = MAKE_START_NS + s.end,
	};

	if (s.woken) {
		slice.flags |= CT_SL_WOKEN;
		slice.woken_ns = MAKE_START_NS + s.woken;
		slice.waker = task_of(t, s.waker);
	}
	ct_switches_add(&t->switches, &slice);
	t->slices++;
}

void make_gap(struct make_trace *t, uint32_t cpu, uint64_t from, uint64_t to, uint64_t lost)
{
	struct ct_gap gap = { cpu, MAKE_START_NS + from, MAKE_START_NS + to, lost };

	begin_switches(t);
	ct_switches_gap(&t->switches, &gap);
	t->lost += lost;
}

void make_switches_chunk(struct make_trace *t)
{
	struct ct_buf payload = { 0 };
	struct ct_switches_encoder *e = &t->switches;

	if (!e->count && !e->gap_count)
		return;
	need(!ct_switches_finish(e, &payload));
	make_chunk(t, CT_CHUNK_SWITCHES, 0, e->count, e->first_ns, e->last_ns, payload.data, payload.size);
	ct_switches_reset(e, 1);
	ct_buf_free(&payload);
	if (t->lost)
		make_record(t, &(struct ct_record){ .type = CT_RECORD_LOSS, .loss = {
			.what = CT_LOSS_SWITCHES, .count = t->lost } });
	t->lost = 0;
}

void make_run(struct make_trace *t, struct make_life *l, uint64_t ns, uint32_t how)
{
	make_slice(t, (struct make_slice){ l->tid, l->cpu, l->now, l->now + ns, how, l->woken, 1, 0 });
	l->now += ns;
	l->woken = 0;
}

void make_off(struct make_life *l, uint64_t asleep, uint64_t ready, int wakes)
{
	l->now += asleep;
	l->woken = wakes ? l->now : 0;
	l->now += ready;
}

static void put_tables(struct make_trace *t)
{
#define CT_CAUSE(id_, name_, category_, text_) \
	make_record(t, &(struct ct_record){ .type = CT_RECORD_CAUSE, .cause = { \
		.id = CT_CAUSE_##id_, .name = ct_text_of(name_), .category = ct_text_of(category_), \
		.text = ct_text_of(text_) } });
#include "causes.def"
#undef CT_CAUSE
#define CT_CALL(name_, family_, cause_, flags_) \
	make_record(t, &(struct ct_record){ .type = CT_RECORD_CALL, .call = { \
		.id = CT_CALL_##name_, .name = ct_text_of(#name_), .family = ct_text_of(#family_), \
		.cause = CT_CAUSE_##cause_, .flags = flags_ } });
#define CT_ALIAS(symbol, name)
#define CT_COMPAT(symbol, version, name)
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
}

void make_begin(struct make_trace *t)
{
	struct ct_file_header h = {
		.magic = CT_TRACE_MAGIC,
		.version = CT_TRACE_VERSION,
		.header_bytes = sizeof(h),
		.start_ns = MAKE_START_NS,
		.start_real_ns = 1700000000000000000ull,
	};

	h.crc = ct_crc32c(&h, offsetof(struct ct_file_header, crc));
	ct_put_bytes(&t->file, &h, sizeof(h));
	t->now_ns = MAKE_START_NS;
	put_tables(t);
}

void make_end(struct make_trace *t, uint64_t end_ns)
{
	struct ct_trailer trailer = { .magic = CT_TRAILER_MAGIC };

	make_record(t, &(struct ct_record){ .type = CT_RECORD_END, .end = {
		.end_ns = MAKE_START_NS + end_ns, .events = t->events, .collector_cpu_ns = 1234567,
		.slices = t->slices } });
	make_records_chunk(t);
	trailer.index_offset = t->file.size;
	make_chunk(t, CT_CHUNK_INDEX, 0, t->index_count, 0, 0, t->index.data, t->index.size);
	trailer.file_bytes = t->file.size + sizeof(trailer);
	trailer.crc = ct_crc32c(&trailer, offsetof(struct ct_trailer, crc));
	ct_put_bytes(&t->file, &trailer, sizeof(trailer));
	need(!t->file.failed);
}

void make_free(struct make_trace *t)
{
	ct_buf_free(&t->file);
	ct_buf_free(&t->records);
	ct_buf_free(&t->index);
	ct_events_free(&t->encoder);
	ct_switches_free(&t->switches);
}

void make_process(struct make_trace *t, uint32_t id, uint32_t pid, const char *command)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_PROCESS_START, .process_start = {
		.process = id, .pid = pid, .parent_pid = 1, .start_ns = MAKE_START_NS,
		.executable = ct_text_of("/nowhere/program"), .command = ct_text_of(command),
		.ticks_per_ms = 1000000, .min_ns = 10000 } });
}

void make_thread(struct make_trace *t, uint32_t id, uint32_t process, uint32_t tid, uint64_t start, const char *name)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_THREAD_START, .thread_start = {
		.thread = id, .process = process, .tid = tid, .start_ns = MAKE_START_NS + start,
		.pthread = 0x7f0000000000ull + tid, .name = ct_text_of(name) } });
}

void make_thread_end(struct make_trace *t, uint32_t id, uint64_t end, uint64_t cpu_ns, uint64_t run_delay_ns)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_THREAD_END, .thread_end = {
		.thread = id, .end_ns = MAKE_START_NS + end, .cpu_ns = cpu_ns, .run_delay_ns = run_delay_ns } });
}

void make_stack(struct make_trace *t, uint32_t id, uint32_t process, const uint64_t *frames, size_t depth)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_STACK, .stack = {
		.stack = id, .process = process, .frames = { .v = frames, .n = depth } } });
}

void make_wait(struct make_trace *t, uint32_t thread, struct ct_site site, uint64_t start, uint64_t end)
{
	if (!site.kind)
		site.kind = CT_EVENT_INTERVAL;
	ct_events_add(&t->encoder, thread, &site, MAKE_START_NS + start, MAKE_START_NS + end, 0);
}

static void put_module(struct make_trace *t, uint32_t id, uint32_t process, uint64_t start, const char *path)
{
	make_record(t, &(struct ct_record){ .type = CT_RECORD_MODULE, .module = {
		.module = id, .process = process, .start = start, .end = start + 0x10000, .bias = start,
		.epoch_last = 5, .path = ct_text_of(path), .build_id = ct_text_of("12345678901234567890") } });
}

void make_small(struct make_trace *t)
{
	const uint64_t ms = 1000000;
	const uint64_t stack[] = { 0x400100, 0x400200, 0x400300 }, moved[] = { 0x500100, 0x500200, 0x500300 };
	const struct ct_site lock = { .cause = CT_CAUSE_MUTEX, .object_kind = CT_OBJECT_ADDRESS, .object = 0x408000,
				      .call = CT_CALL_pthread_mutex_lock, .stack = 1, .owner = 101 };
	const struct ct_site pipe = { .cause = CT_CAUSE_PIPE, .object_kind = CT_OBJECT_FD, .object = 1,
				      .call = CT_CALL_read, .stack = 2 };
	const struct ct_site poll = { .cause = CT_CAUSE_POLL, .call = CT_CALL_poll };
	struct ct_site site;

	make_begin(t);
	make_process(t, 1, 100, "program --with arguments");
	make_process(t, 2, 200, "program child");
	put_module(t, 1, 1, 0x400000, "/nowhere/program");
	put_module(t, 2, 2, 0x500000, "/nowhere/program");
	make_thread(t, 1, 1, 100, 0, "main");
	make_thread(t, 2, 1, 101, 10 * ms, "worker-1");
	make_thread(t, 3, 1, 102, 10 * ms, "worker-2");
	make_thread(t, 4, 2, 200, 0, "child");
	make_thread(t, 5, 2, 201, 0, "open");
	make_stack(t, 1, 1, stack, 3);
	make_stack(t, 2, 1, stack, 2);
	make_stack(t, 1, 2, moved, 3);
	make_record(t, &(struct ct_record){ .type = CT_RECORD_DESCRIPTOR, .descriptor = {
		.descriptor = 1, .process = 1, .fd = 5, .kind = CT_FD_PIPE, .label = ct_text_of("pipe:[77]") } });
	make_record(t, &(struct ct_record){ .type = CT_RECORD_META, .meta = {
		.key = ct_text_of("host"), .value = ct_text_of("test") } });

	make_wait(t, 3, lock, 20 * ms, 30 * ms);
	make_wait(t, 3, lock, 40 * ms, 45 * ms);
	site = lock;
	site.flags = CT_EV_ABANDONED;
	make_wait(t, 3, site, 50 * ms, 50 * ms);
	/* Two pipe reads nested in a poll that a handler interrupted. */
	make_wait(t, 2, pipe, 21 * ms, 22 * ms);
	make_wait(t, 2, pipe, 23 * ms, 24 * ms);
	make_wait(t, 2, poll, 20 * ms, 30 * ms);
	site = lock;
	site.kind = CT_EVENT_HOLD;
	site.owner = 0;
	make_wait(t, 2, site, 19 * ms, 30 * ms);
	make_events_chunk(t, 1);
	site = lock;
	site.owner = 0;
	site.object = 0x508000;
	make_wait(t, 4, site, 10 * ms, 17 * ms);
	site = (struct ct_site){ .cause = CT_CAUSE_SLEEP, .call = CT_CALL_nanosleep, .flags = CT_EV_OPEN };
	make_wait(t, 5, site, 60 * ms, 100 * ms);
	make_events_chunk(t, 2);
	make_chunk(t, 77, 0, 1, 0, 0, "of a kind that nobody knows", 27);

	make_record(t, &(struct ct_record){ .type = CT_RECORD_LOCK, .lock = {
		.process = 1, .address = 0x408000, .cause = CT_CAUSE_MUTEX, .acquisitions = 20, .hold_ns = 12 * ms } });
	make_record(t, &(struct ct_record){ .type = CT_RECORD_COUNTERS, .counters = {
		.thread = 2, .call = CT_CALL_read, .calls = 50, .short_ns = 60000 } });
	make_record(t, &(struct ct_record){ .type = CT_RECORD_THREAD_NAME, .thread_name = {
		.thread = 4, .name = ct_text_of("child\x1b[31m\xff") } });
	make_thread_end(t, 1, 100 * ms, 40 * ms, 5 * ms);
	make_thread_end(t, 2, 90 * ms, 30 * ms, 1 * ms);
	make_thread_end(t, 3, 90 * ms, 1000 * ms, 1 * ms);
	make_thread_end(t, 4, 80 * ms, 10 * ms, 1000 * ms);
	make_record(t, &(struct ct_record){ .type = CT_RECORD_PROCESS_END, .process_end = {
		.process = 2, .end_ns = MAKE_START_NS + 100 * ms, .how = CT_END_TRACE, .status = -1 } });
	make_end(t, 100 * ms);
}

void make_scheduled(struct make_trace *t)
{
	const uint64_t ms = 1000000;
	const struct ct_site lock = { .cause = CT_CAUSE_MUTEX, .object_kind = CT_OBJECT_ADDRESS, .object = 0x408000,
				      .call = CT_CALL_pthread_mutex_lock, .owner = 101, .flags = CT_EV_OFF_CPU };
	const struct ct_site nap = { .cause = CT_CAUSE_SLEEP, .call = CT_CALL_nanosleep, .flags = CT_EV_OFF_CPU };

	make_begin(t);
	make_meta(t, "sched", "switches");
	make_meta(t, "wakes", "sched_waking");
	make_process(t, 1, 100, "program with slices");
	make_thread(t, 1, 1, 100, 0, "main");
	make_thread(t, 2, 1, 101, 10 * ms, "worker");
	make_thread(t, 3, 1, 102, 10 * ms, "silent");
	make_records_chunk(t);
	/* In the order of their ends. */
	make_slice(t, (struct make_slice){ 100, 0, 0, 20 * ms, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(t, (struct make_slice){ 101, 1, 10 * ms, 25 * ms, CT_SLICE_PREEMPTED, 10 * ms, 100, 0 });
	make_slice(t, (struct make_slice){ 102, 1, 25 * ms, 26 * ms, CT_SLICE_BLOCKED, 10 * ms, 100, 0 });
	make_slice(t, (struct make_slice){ 101, 1, 28 * ms, 40 * ms, CT_SLICE_BLOCKED, 0, 0, 0 });
	make_slice(t, (struct make_slice){ 100, 0, 43 * ms, 50 * ms, CT_SLICE_LOST, 40 * ms, 101, 0 });
	make_gap(t, 0, 50 * ms, 55 * ms, 7);
	make_slice(t, (struct make_slice){ 100, 0, 55 * ms, 60 * ms, CT_SLICE_BLOCKED, 0, 0, CT_SL_NO_START });
	make_slice(t, (struct make_slice){ 101, 1, 61 * ms, 62 * ms, CT_SLICE_EXITED, 61 * ms, 9, CT_SL_HARDIRQ });
	make_switches_chunk(t);
	make_slice(t, (struct make_slice){ 100, 0, 80 * ms, 100 * ms, CT_SLICE_TRACE, 79 * ms, 0, 0 });
	make_switches_chunk(t);
	make_wait(t, 1, lock, 18 * ms, 44 * ms);
	make_wait(t, 1, nap, 60 * ms, 80 * ms);
	make_wait(t, 2, nap, 39 * ms, 61 * ms);
	make_events_chunk(t, 1);
	make_thread_end(t, 1, 100 * ms, 50 * ms, 5 * ms);
	make_thread_end(t, 2, 90 * ms, 28 * ms, 3 * ms);
	make_thread_end(t, 3, 100 * ms, 1 * ms, 15 * ms);
	make_end(t, 100 * ms);
}

void make_large(struct make_trace *t, uint64_t events)
{
	uint64_t state = 42, now[8] = { 0 }, frames[12];
	char name[16];

	make_begin(t);
	make_process(t, 1, 100, "large");
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "worker-%u", i);
		make_thread(t, i + 1, 1, 100 + i, 0, name);
	}
	for (uint32_t i = 0; i < 400; i++) {
		for (uint32_t k = 0; k < 12; k++)
			frames[k] = 0x400000 + i * 4096 + k * 64;
		make_stack(t, i + 1, 1, frames, 12);
	}
	for (uint64_t n = 0; n < events;) {
		uint32_t thread = (uint32_t)(n / 2000 % 8);

		for (uint32_t k = 0; k < 2000 && n < events; k++, n++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			uint32_t r = (uint32_t)(state >> 40), which = r % 100 < 80 ? r % 10 : r % 300;
			uint64_t start = now[thread] + 200 + (state >> 33) % 30000;
			struct ct_site s = {
				.cause = which % 3 ? CT_CAUSE_MUTEX : CT_CAUSE_SOCKET,
				.call = which % 3 ? CT_CALL_pthread_mutex_lock : CT_CALL_recv,
				.object_kind = which % 3 ? CT_OBJECT_ADDRESS : CT_OBJECT_NONE,
				.object = which % 3 ? 0x600000 + 64 * (which % 20) : 0,
				.owner = which % 3 ? 100 + which % 8 : 0,
				.stack = 1 + which,
				.flags = CT_EV_OFF_CPU,
			};

			now[thread] = start + 10000 + (state >> 20) % 60000;
			make_wait(t, thread + 1, s, start, now[thread]);
			if (t->encoder.count >= 32768)
				make_events_chunk(t, 1);
		}
	}
	make_events_chunk(t, 1);
	uint64_t last = 0;

	for (uint32_t i = 0; i < 8; i++) {
		last = now[i] > last ? now[i] : last;
		make_thread_end(t, i + 1, now[i], now[i] / 4, now[i] / 100);
	}
	make_end(t, last);
}

void make_busy(struct make_trace *t, uint64_t events)
{
	const uint64_t turn = 4000, round = 8 * turn;
	uint64_t rounds = events / 8, frames[12] = { 0x400000 };
	char name[16];

	make_begin(t);
	make_meta(t, "sched", "switches");
	make_meta(t, "wakes", "sched_waking");
	make_process(t, 1, 100, "busy");
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "worker-%u", i);
		make_thread(t, i + 1, 1, 100 + i, 0, name);
	}
	make_stack(t, 1, 1, frames, 1);
	for (uint64_t r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < 8; i++) {
			uint64_t start = r * round + i * turn;

			make_slice(t, (struct make_slice){ 100 + i, i % 2, start, start + turn - 500, CT_SLICE_BLOCKED,
							   start > 1200 ? start - 700 - r % 500 : 0, 100 + (i + 7) % 8, 0 });
		}
		if (t->switches.count >= 32768)
			make_switches_chunk(t);
		/* Events of the last rounds, thread by thread. */
		if (r % 4096 && r + 1 < rounds)
			continue;
		for (uint32_t i = 0; i < 8; i++) {
			struct ct_site s = { .cause = CT_CAUSE_MUTEX, .call = CT_CALL_pthread_mutex_lock,
					     .object_kind = CT_OBJECT_ADDRESS, .stack = 1, .flags = CT_EV_OFF_CPU };

			for (uint64_t k = r ? (r - 1) / 4096 * 4096 : 0; k < r; k++) {
				s.object = 0x600000 + 64 * (k % 20);
				make_wait(t, i + 1, s, k * round + i * turn + 1000, (k + 1) * round + i * turn + 200);
				if (t->encoder.count >= 32768)
					make_events_chunk(t, 1);
			}
		}
	}
	make_switches_chunk(t);
	make_events_chunk(t, 1);
	for (uint32_t i = 0; i < 8; i++)
		make_thread_end(t, i + 1, rounds * round, 1, 1);
	make_end(t, rounds * round);
}

int make_write(const struct make_trace *t, const char *path)
{
	FILE *f = fopen(path, "wb");

	if (!f)
		return -errno;
	size_t n = fwrite(t->file.data, 1, t->file.size, f);

	return fclose(f) || n != t->file.size ? -EIO : 0;
}
