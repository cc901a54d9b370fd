/* See filter.h. */
#include "filter.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callstacks.h"
#include "objects.h"

enum decision {
	OPEN,
	NO,
	YES,
};

struct decided_object {
	uint32_t process;
	uint8_t kind, cause;
	bool chosen;
	uint64_t object, epoch;
};

/* A lock waited for at a stack. */
struct noted_wait {
	uint32_t process, stack;
	uint8_t cause;
	uint64_t address;
};

struct ct_filter {
	const struct ct_model *m;
	bool has_object, has_site;
	regex_t object, site;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
	uint8_t *by_stack;        /* enum decision, by stack of the model */
	CT_ARRAY(struct decided_object, decided);
	CT_ARRAY(struct noted_wait, noted);
	struct ct_table decided_by_hash, noted_by_hash; /* 1 + index; equal hashes at the next free keys */
	struct ct_table lock_by_hash; /* 1 + index in decided: locks that a place has chosen */
};

static bool matches(const regex_t *regex, const char *text)
{
	return text && !regexec(regex, text, 0, NULL, 0);
}

/* --- stacks --- */

static bool frame_matches(const regex_t *regex, const struct ct_frame *frame)
{
	char place[4096];

	if (matches(regex, frame->function))
		return true;
	if (frame->file)
		snprintf(place, sizeof(place), "%s:%d", frame->file, frame->line);
	else
		snprintf(place, sizeof(place), "%s+0x%llx", frame->module ? ct_base_name(frame->module) : "",
			 (unsigned long long)frame->offset);
	return matches(regex, place);
}

static int decide_stack(struct ct_filter *f, uint32_t stack)
{
	struct ct_frame *frames;
	uint32_t callstack, count;
	bool found = false;
	int error = ct_callstack_of(&f->callstacks, stack, &callstack);

	if (!error)
		error = ct_callstack_frames(&f->callstacks, &f->symbols, callstack, &frames, &count);
	if (error)
		return error;
	uint32_t shown = ct_frames_shown(frames, count);

	for (uint32_t i = 0; i < shown && !found; i++)
		found = frame_matches(&f->site, &frames[i]);
	free(frames);
	f->by_stack[stack] = found ? YES : NO;
	return 0;
}

int ct_filter_stack(struct ct_filter *f, uint32_t stack)
{
	if (!f->has_site)
		return 1;
	if (stack == CT_NO)
		return 0;
	if (f->by_stack[stack] == OPEN && decide_stack(f, stack))
		return -ENOMEM;
	return f->by_stack[stack] == YES;
}

bool ct_filter_has_site(const struct ct_filter *f)
{
	return f && f->has_site;
}

/* --- objects --- */

static struct decided_object *find_object(const struct ct_filter *f, const struct decided_object *like,
					  uint64_t *ret_key)
{
	uint64_t key = ct_mix(like->object ^ ct_mix(ct_pair(like->process, (uint32_t)like->cause << 8 | like->kind)) ^
			      ct_mix(like->epoch));
	uint32_t at;

	for (; (at = ct_table_get(&f->decided_by_hash, key)); key++) {
		struct decided_object *d = &f->decided[at - 1];

		if (d->process == like->process && d->kind == like->kind && d->cause == like->cause &&
		    d->object == like->object && d->epoch == like->epoch)
			return d;
	}
	*ret_key = key;
	return NULL;
}

static uint64_t lock_key(uint32_t process, uint64_t address)
{
	return ct_mix(address ^ ct_mix(process + 1ull));
}

static int decide_object(struct ct_filter *f, uint32_t process, const struct ct_site *site)
{
	struct ct_site_info info = { process, *site };
	char *label = ct_object_label(&f->symbols, f->m, &info);
	bool chosen = label && *label && matches(&f->object, label);

	if (!label)
		return -ENOMEM;
	free(label);
	if (!chosen && site->object_kind == CT_OBJECT_ADDRESS && ct_is_lock(f->m, site->cause))
		chosen = ct_table_get(&f->lock_by_hash, lock_key(process, site->object)) != 0;
	return chosen;
}

int ct_filter_object(struct ct_filter *f, uint32_t process, const struct ct_site *site)
{
	if (!f->has_object)
		return 1;
	if (site->object_kind == CT_OBJECT_NONE)
		return 0;
	uint32_t stack = ct_model_stack(f->m, process, site->stack);
	struct decided_object like = { .process = process, .kind = site->object_kind, .cause = site->cause,
				       .object = site->object, .epoch = stack == CT_NO ? 0 : f->m->stack[stack].epoch };
	uint64_t key;
	struct decided_object *d = find_object(f, &like, &key);

	if (d)
		return d->chosen;
	int chosen = decide_object(f, process, site);

	if (chosen < 0)
		return chosen;
	d = CT_APPEND(f, decided);
	if (!d || ct_table_put(&f->decided_by_hash, key, f->decided_count))
		return -ENOMEM;
	like.chosen = chosen;
	*d = like;
	return chosen;
}

int ct_filter_site(struct ct_filter *f, uint32_t process, const struct ct_site *site)
{
	int chosen = ct_filter_object(f, process, site);

	if (chosen > 0)
		chosen = ct_filter_stack(f, ct_model_stack(f->m, process, site->stack));
	return chosen;
}

/* --- the places of locks --- */

static bool is_noted(struct ct_filter *f, const struct noted_wait *w, uint64_t *ret_key)
{
	uint64_t key = ct_mix(w->address ^ ct_mix(ct_pair(w->process, w->stack)) ^ w->cause);
	uint32_t at;

	for (; (at = ct_table_get(&f->noted_by_hash, key)); key++) {
		const struct noted_wait *n = &f->noted[at - 1];

		if (n->address == w->address && n->process == w->process && n->stack == w->stack && n->cause == w->cause)
			return true;
	}
	*ret_key = key;
	return false;
}

static int note_site(struct ct_filter *f, uint32_t process, const struct ct_site *s)
{
	const struct ct_model *m = f->m;
	struct noted_wait w = { process, ct_model_stack(m, process, s->stack), s->cause, s->object };
	uint64_t key;

	if (s->kind != CT_EVENT_INTERVAL || s->object_kind != CT_OBJECT_ADDRESS || w.stack == CT_NO ||
	    !ct_is_lock(m, s->cause) || is_noted(f, &w, &key) ||
	    ct_model_module_at(m, process, s->object, m->stack[w.stack].epoch) != CT_NO)
		return 0;
	struct noted_wait *n = CT_APPEND(f, noted);

	if (!n || ct_table_put(&f->noted_by_hash, key, f->noted_count))
		return -ENOMEM;
	*n = w;
	char *name = ct_lock_name(&f->callstacks, &f->symbols, m, process, s->cause, s->object, w.stack);
	bool chosen = matches(&f->object, name);

	if (!name)
		return -ENOMEM;
	free(name);
	return chosen ? ct_table_put(&f->lock_by_hash, lock_key(process, s->object), f->noted_count) : 0;
}

/* Reads which sites there are. Damage is counted where the events are read. */
static int note_sites(struct ct_filter *f, const struct ct_reader *reader)
{
	struct ct_events_decoder d = { 0 };
	struct ct_reader r;
	struct ct_chunk c;
	struct ct_span payload;
	int found = 0, error = ct_reader_dup(&r, reader);

	if (error)
		return error;
	while (!error && (found = ct_reader_next(&r, &c)) > 0) {
		uint32_t process = ct_table_get(&f->m->process_by_id, c.header.process) - 1;

		if (c.header.kind != CT_CHUNK_EVENTS || process == CT_NO || !f->m->process[process].selected)
			continue;
		error = ct_reader_payload(&r, &c, &payload);
		if (!error)
			error = ct_events_open(&d, payload);
		for (uint32_t i = 0; i < d.site_count && !error; i++)
			error = note_site(f, process, &d.site[i]);
		if (error == -EBADMSG || error == -ENOTSUP)
			error = 0;
	}
	ct_events_close(&d);
	ct_reader_close(&r);
	return error ? error : found;
}

/* --- the whole --- */

static int compile(regex_t *regex, bool *has, const char *text)
{
	*has = text && !regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	return text && !*has ? -ENOMEM : 0;
}

int ct_filter_open(struct ct_filter **ret, const struct ct_model *m, const struct ct_reader *reader,
		   const char *object, const char *site)
{
	struct ct_filter *f = calloc(1, sizeof(*f));

	*ret = NULL;
	if (!f)
		return -ENOMEM;
	f->m = m;
	f->by_stack = calloc(m->stack_count + 1u, 1);
	int error = f->by_stack ? compile(&f->object, &f->has_object, object) : -ENOMEM;

	if (!error)
		error = compile(&f->site, &f->has_site, site);
	if (!error)
		error = ct_symbols_open(&f->symbols, m);
	if (!error)
		error = ct_callstacks_open(&f->callstacks, m);
	if (!error && object)
		error = note_sites(f, reader);
	if (error)
		ct_filter_close(f);
	else
		*ret = f;
	return error;
}

void ct_filter_close(struct ct_filter *f)
{
	if (!f)
		return;
	if (f->has_object)
		regfree(&f->object);
	if (f->has_site)
		regfree(&f->site);
	ct_callstacks_close(&f->callstacks);
	if (f->symbols.model)
		ct_symbols_close(&f->symbols);
	free(f->by_stack);
	free(f->decided);
	free(f->noted);
	ct_table_free(&f->decided_by_hash);
	ct_table_free(&f->noted_by_hash);
	ct_table_free(&f->lock_by_hash);
	free(f);
}
