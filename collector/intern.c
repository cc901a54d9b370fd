/* Stacks, modules, descriptors, names: written once, before the first event that needs them. */
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "process.h"

#define BARE_FDS_MAX 65536u
/* As many as a process can intern, and as many places of waits without a stack: then it lies. */
#define STACKS_MAX   (2 * CT_STACKS)
/* Keys of stacks that are one address: no arena word is that large. */
#define IP_KEY       (1ull << 63)

/* --- modules --- */

static void write_module(struct ct_trace *t, struct ct_process *p, uint32_t id, const struct ct_module *m)
{
	struct ct_record r = { .type = CT_RECORD_MODULE, .module = {
		.module = id,
		.process = p->id,
		.start = m->start,
		.end = m->end,
		.bias = m->bias,
		.epoch_first = m->epoch_first,
		.epoch_last = m->epoch_last,
		.path = { m->path, strnlen(m->path, sizeof(m->path)) },
		.build_id = { (const char *)m->build_id, m->build_id_bytes },
	} };

	if (m->build_id_bytes > sizeof(m->build_id))
		r.module.build_id.n = 0;
	ct_writer_record(&t->writer, &r);
}

static bool module_is_sound(const struct ct_module *m)
{
	return m->start < m->end && m->epoch_first <= m->epoch_last;
}

void ct_intern_modules(struct ct_trace *t, struct ct_process *p, uint32_t epoch)
{
	uint64_t used = ct_load_acquire(&p->region->modules_used);

	if (used > CT_MODULES)
		used = CT_MODULES;
	if (p->modules_generation != t->generation) {
		/* All of them again, with their ids. */
		p->modules_generation = t->generation;
		p->modules_seen = p->modules_epoch = 0;
	}
	if (used == p->modules_seen && epoch <= p->modules_epoch && epoch != UINT32_MAX)
		return;
	bool all = true;

	for (uint32_t i = 0; i < used; i++) {
		const struct ct_module *shared = &p->region->modules[i];
		struct ct_module_seen *seen = &p->modules[i];

		if (!ct_load_acquire(&shared->ready)) {
			all = false;
			continue;
		}
		uint32_t last = ct_load(&shared->epoch_last);

		if (seen->id && seen->generation == t->generation && (last <= seen->epoch_last || epoch <= seen->epoch_last))
			continue;
		struct ct_module m;

		memcpy(&m, shared, sizeof(m));
		m.epoch_last = last;
		if (!module_is_sound(&m)) {
			p->damaged += !seen->bad;
			seen->bad = true;
			continue;
		}
		if (!seen->id)
			seen->id = ++t->last_module;
		seen->epoch_last = last;
		seen->generation = t->generation;
		write_module(t, p, seen->id, &m);
	}
	if (all)
		p->modules_seen = (uint32_t)used;
	if (epoch > p->modules_epoch && epoch != UINT32_MAX)
		p->modules_epoch = epoch;
}

/* --- names --- */

uint32_t ct_intern_name(struct ct_trace *t, struct ct_process *p, uint64_t place)
{
	if (!place || place >= CT_NAMES)
		return 0;
	if (!p->names)
		p->names = calloc(CT_NAMES, sizeof(*p->names));
	if (!p->names)
		return 0;
	struct ct_name_seen *seen = &p->names[place];
	const struct ct_name *name = &p->region->names[place];

	if (seen->id && seen->generation == t->generation)
		return seen->id;
	if (!seen->id) {
		if ((ct_load_acquire(&name->state) & CT_NAME_READY) != CT_NAME_READY)
			return 0;
		for (unsigned int i = 0; i < CT_NAME_TEXT; i++)
			seen->text[i] = ct_load(&name->text[i]);
		seen->id = ++t->last_name;
	}
	seen->generation = t->generation;
	struct ct_record r = { .type = CT_RECORD_NAME, .name = {
		.name = seen->id,
		.text = { seen->text, strnlen(seen->text, sizeof(seen->text)) },
	} };

	ct_writer_record(&t->writer, &r);
	return seen->id;
}

/* --- stacks --- */

/* e: its entry, if it was declared in an earlier generation. */
static uint32_t write_stack(struct ct_trace *t, struct ct_process *p, struct ct_map_entry *e, uint64_t key,
			    uint32_t epoch, const uint64_t *frames, uint32_t depth)
{
	struct ct_record r = { .type = CT_RECORD_STACK, .stack = {
		.stack = e ? e->id : t->last_stack + 1,
		.process = p->id,
		.epoch = epoch,
		.frames = { .v = frames, .n = depth },
	} };

	if (!e) {
		if (p->stacks.count >= STACKS_MAX || ct_map_put(&p->stacks, key, t->last_stack + 1)) {
			p->damaged++;
			return 0;
		}
		t->last_stack++;
		e = ct_map_find(&p->stacks, key);
		ct_codes_seen(p, frames, depth);
	}
	e->mark = t->generation;
	ct_intern_modules(t, p, epoch);
	ct_writer_record(&t->writer, &r);
	return (uint32_t)r.stack.stack;
}

uint32_t ct_intern_stack(struct ct_trace *t, struct ct_process *p, uint32_t word)
{
	uint64_t frames[CT_STACK_DEPTH];

	if (!word)
		return 0;
	struct ct_map_entry *e = ct_map_find(&p->stacks, word);

	if (e && e->mark == t->generation)
		return e->id;
	const uint64_t *arena = p->region->stack_arena;
	uint64_t words = ct_load_acquire(&p->region->stack_words);

	if (words > CT_STACK_WORDS)
		words = CT_STACK_WORDS;
	if (word >= words) {
		p->damaged++;
		return 0;
	}
	uint64_t head = ct_load(&arena[word]);
	uint32_t depth = (uint32_t)head, epoch = (uint32_t)(head >> 32);

	if (!depth || depth > CT_STACK_DEPTH || depth > words - word - 1) {
		p->damaged++;
		return 0;
	}
	for (uint32_t i = 0; i < depth; i++)
		frames[i] = ct_load(&arena[word + 1 + i]);
	return write_stack(t, p, e, word, epoch, frames, depth);
}

uint32_t ct_intern_ip(struct ct_trace *t, struct ct_process *p, uint64_t ip)
{
	if (!ip || ip & IP_KEY)
		return 0;
	struct ct_map_entry *e = ct_map_find(&p->stacks, ip | IP_KEY);

	if (e && e->mark == t->generation)
		return e->id;
	return write_stack(t, p, e, ip | IP_KEY, ct_load(&p->region->epoch), &ip, 1);
}

/* --- descriptors --- */

static void write_descriptor(struct ct_trace *t, struct ct_process *p, uint32_t id, const struct ct_descriptor *d)
{
	struct ct_record r = { .type = CT_RECORD_DESCRIPTOR, .descriptor = {
		.descriptor = id,
		.process = p->id,
		.fd = d->fd,
		.kind = d->kind < CT_FD_KINDS ? d->kind : CT_FD_UNKNOWN,
		.device = d->device,
		.inode = d->inode,
		.label = { d->label, strnlen(d->label, sizeof(d->label)) },
		.in = d->in,
		.out = d->out,
		.listener = d->listener,
	} };

	ct_writer_record(&t->writer, &r);
}

/* A descriptor of which the process knew only the number. */
static uint32_t bare_descriptor(struct ct_trace *t, struct ct_process *p, int32_t fd)
{
	if (fd < 0)
		return 0;
	uint64_t key = (uint64_t)fd + 1;
	struct ct_map_entry *e = ct_map_find(&p->bare_fds, key);

	if (e && e->mark == t->generation)
		return e->id;
	if (!e) {
		if (p->bare_fds.count >= BARE_FDS_MAX || ct_map_put(&p->bare_fds, key, t->last_descriptor + 1))
			return 0;
		t->last_descriptor++;
		e = ct_map_find(&p->bare_fds, key);
	}
	e->mark = t->generation;
	write_descriptor(t, p, e->id, &(struct ct_descriptor){ .fd = fd });
	return e->id;
}

/* What the process says of a descriptor, if it still does. */
static void copy_descriptor(struct ct_process *p, uint32_t number, int32_t fd, struct ct_descriptor *ret)
{
	const struct ct_descriptor *shared = &p->region->descriptors[number % CT_DESCRIPTORS];
	uint64_t before = ct_load_acquire(&shared->id);

	memcpy(ret, shared, sizeof(*ret));
	ct_fence_read();
	/* Reused by a later descriptor: what this one was is gone. */
	if (before != number || ct_load(&shared->id) != before)
		*ret = (struct ct_descriptor){ .fd = fd };
}

uint32_t ct_intern_descriptor(struct ct_trace *t, struct ct_process *p, uint64_t object)
{
	uint32_t number = (uint32_t)(object >> 32);
	int32_t fd = (int32_t)(uint32_t)object;

	if (!number)
		return bare_descriptor(t, p, fd);
	struct ct_descriptor_seen *seen = &p->descriptors[number % CT_DESCRIPTORS];
	bool known = seen->id && seen->descriptor == number;

	if (known && seen->generation == t->generation)
		return seen->id;
	struct ct_descriptor d;

	copy_descriptor(p, number, fd, &d);
	if (known) {
		/* As in the generation before. */
		d.in = seen->in;
		d.out = seen->out;
		seen->generation = t->generation;
		write_descriptor(t, p, seen->id, &d);
		return seen->id;
	}
	ct_ends_resolve(t, p, &d);
	uint32_t id = ++t->last_descriptor;

	write_descriptor(t, p, id, &d);
	/* The later one stays where both want the place. */
	if (!seen->id || seen->descriptor < number) {
		*seen = (struct ct_descriptor_seen){ .descriptor = number, .id = id, .generation = t->generation, .in = d.in,
						    .out = d.out, .own_listener = d.own_listener, .fd = d.fd };
		ct_ends_add(t, p, seen, d.listener);
	}
	return id;
}

void ct_intern_descriptors(struct ct_trace *t, struct ct_process *p)
{
	uint64_t used = ct_load_acquire(&p->region->descriptors_used);

	if (used > UINT32_MAX)
		return;
	if (used > CT_DESCRIPTORS && p->descriptors_done < used - CT_DESCRIPTORS)
		p->descriptors_done = used - CT_DESCRIPTORS;
	while (p->descriptors_done < used && !(p->descriptors_done % 64 == 63 && ct_process_is_late(p))) {
		uint64_t next = p->descriptors_done + 1;
		const struct ct_descriptor *d = &p->region->descriptors[next % CT_DESCRIPTORS];
		uint64_t id = ct_load_acquire(&d->id);

		/* Still being written; a later one may have taken the place. */
		if (id < next)
			return;
		if (id == next)
			ct_intern_descriptor(t, p, next << 32 | (uint32_t)ct_load(&d->fd));
		p->descriptors_done = next;
	}
}
