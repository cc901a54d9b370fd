/* Texts and call stacks, each in the file once, before it is referred to. See perfetto.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "perfetto.h"
#include "report_wakers.h"

/* Of InternedString, EventName, EventCategory, DebugAnnotationName, Mapping, Frame, Callstack. */
enum { IID = 1, TEXT = 2 };
enum { MAPPING_BUILD_ID = 2, MAPPING_START = 4, MAPPING_END = 5, MAPPING_PATH = 7 };
enum { FRAME_FUNCTION = 2, FRAME_MAPPING = 3, FRAME_PC = 4, FRAME_SOURCE = 5, FRAME_LINE = 6 };
enum { CALLSTACK_FRAME = 2 };

static void put_entry(struct ct_buf *b, uint32_t field, uint64_t iid, const void *text, size_t n)
{
	size_t entry = ct_pb_begin(b, field);

	ct_pb_uint(b, IID, iid);
	ct_pb_bytes(b, TEXT, text, n);
	ct_pb_end(b, entry);
}

static void put_text(struct ct_buf *b, uint32_t field, uint64_t iid, const char *text)
{
	put_entry(b, field, iid, text, strlen(text));
}

static size_t begin(struct ct_perfetto *p, size_t *ret_packet)
{
	*ret_packet = ct_pf_begin(p);
	return ct_pb_begin(&p->out, PF_INTERNED_DATA);
}

static int end(struct ct_perfetto *p, size_t packet, size_t data)
{
	ct_pb_end(&p->out, data);
	return ct_pf_end(p, packet);
}

int ct_pf_intern_fixed(struct ct_perfetto *p)
{
	static const char *const keys[PF_KEYS] = {
		[PF_KEY_CAUSE] = "cause",	[PF_KEY_OBJECT] = "object",	[PF_KEY_OWNER] = "owner",
		[PF_KEY_WAKER] = "waker",	[PF_KEY_ENDED_BY] = "ended_by",	[PF_KEY_RESULT] = "result",
		[PF_KEY_ELAPSED] = "elapsed_ns", [PF_KEY_BLOCKED] = "blocked_ns", [PF_KEY_READY] = "ready_ns",
		[PF_KEY_WAITER] = "waiter",	[PF_KEY_CUT] = "cut",		[PF_KEY_COUNT] = "count",
	};
	static const char *const names[CT_ENDED_KINDS] = {
		[CT_ENDED_RELEASE] = "release", [CT_ENDED_WAKE] = "wake",	[CT_ENDED_ARRIVAL] = "arrive",
		[CT_ENDED_EXIT] = "exit",	[CT_ENDED_KERNEL] = "wake",	[CT_ENDED_TIME] = "time",
	};
	const struct ct_model *m = &p->source.m;
	size_t packet, data = begin(p, &packet);

	for (uint32_t i = 1; i < PF_KEYS; i++)
		put_text(&p->out, PF_ANNOTATION_NAMES, i, keys[i]);
	for (uint32_t i = 0; i < CT_ENDED_KINDS; i++) {
		if (names[i])
			put_text(&p->out, PF_NAMES, PF_NAME_RELEASE + i, names[i]);
		p->ended_string[i] = (uint32_t)++p->strings;
		put_text(&p->out, PF_STRING_VALUES, p->strings, ct_ended_name((enum ct_ended)i));
	}
	for (uint32_t i = 0; i < CT_CAUSES; i++) {
		if (!m->cause[i].name)
			continue;
		p->cause_string[i] = (uint32_t)++p->strings;
		put_text(&p->out, PF_STRING_VALUES, p->strings, m->cause[i].name);
		put_text(&p->out, PF_CATEGORIES, i + 1, ct_model_category(m, i));
	}
	put_text(&p->out, PF_CATEGORIES, PF_CATEGORY_WAKE, "wake");
	put_text(&p->out, PF_CATEGORIES, PF_CATEGORY_LOST, "lost");
	put_text(&p->out, PF_CATEGORIES, PF_CATEGORY_REGION, "region");
	put_text(&p->out, PF_CATEGORIES, PF_CATEGORY_TASK, "task");
	put_text(&p->out, PF_CATEGORIES, PF_CATEGORY_LOG, "log");
	return end(p, packet, data);
}

/* --- call stacks --- */

static void put_mapping(struct ct_perfetto *p, uint32_t file)
{
	const struct ct_model *m = &p->source.m;
	const struct ct_file_info *f = &m->file[file];
	/* A reader puts a slash before each part of a path. */
	const char *path = f->path + (f->path[0] == '/');
	static const char hex[] = "0123456789abcdef";
	char id[2 * sizeof(f->build_id)];
	uint32_t module = 0;

	for (uint32_t i = 0; i < f->build_id_bytes; i++) {
		id[2 * i] = hex[f->build_id[i] >> 4];
		id[2 * i + 1] = hex[f->build_id[i] & 15];
	}
	while (module < m->module_count && m->module[module].file != file)
		module++;
	put_text(&p->out, PF_MAPPING_PATHS, file + 1ull, path);
	if (f->build_id_bytes)
		put_entry(&p->out, PF_BUILD_IDS, file + 1ull, id, 2 * f->build_id_bytes);
	size_t mapping = ct_pb_begin(&p->out, PF_MAPPINGS);

	ct_pb_uint(&p->out, IID, file + 1ull);
	if (f->build_id_bytes)
		ct_pb_uint(&p->out, MAPPING_BUILD_ID, file + 1ull);
	if (module < m->module_count && m->module[module].start <= m->module[module].end) {
		ct_pb_uint(&p->out, MAPPING_START, m->module[module].start);
		ct_pb_uint(&p->out, MAPPING_END, m->module[module].end);
	}
	ct_pb_uint(&p->out, MAPPING_PATH, file + 1ull);
	ct_pb_end(&p->out, mapping);
}

static void put_frame(struct ct_perfetto *p, const struct ct_frame *f, const struct ct_place *place)
{
	uint64_t iid = ++p->frames;
	char name[128];
	size_t frame;

	snprintf(name, sizeof(name), "%.100s%s0x%llx", f->module ? ct_base_name(f->module) : "", f->module ? "+" : "",
		 (unsigned long long)f->offset);
	put_text(&p->out, PF_FUNCTION_NAMES, iid, f->function ? f->function : name);
	if (f->file)
		put_text(&p->out, PF_SOURCE_PATHS, iid, f->file);
	frame = ct_pb_begin(&p->out, PF_FRAMES);
	ct_pb_uint(&p->out, IID, iid);
	ct_pb_uint(&p->out, FRAME_FUNCTION, iid);
	if (place->file != CT_NO) {
		/* The call's address: the one that is kept is behind it. */
		ct_pb_uint(&p->out, FRAME_MAPPING, place->file + 1ull);
		ct_pb_uint(&p->out, FRAME_PC, place->address - 1);
	}
	if (f->file) {
		ct_pb_uint(&p->out, FRAME_SOURCE, iid);
		ct_pb_uint(&p->out, FRAME_LINE, f->line > 0 ? (uint64_t)f->line : 0);
	}
	ct_pb_end(&p->out, frame);
}

/* The frames of a place, inlined ones too. NULL without memory. */
static const struct ct_pf_place *find_place(struct ct_perfetto *p, const struct ct_place *place)
{
	uint64_t key = ct_mix(place->address ^ ct_mix(place->file + 1ull));
	uint32_t at;

	for (; (at = ct_table_get(&p->place_by_hash, key)); key++)
		if (p->place_key[at - 1].file == place->file && p->place_key[at - 1].address == place->address)
			return &p->place[at - 1];
	const struct ct_frames *frames = ct_symbols_frames(&p->source.symbols, place->file, place->address);
	struct ct_place *kept = frames ? CT_APPEND(p, place_key) : NULL;
	struct ct_pf_place *new = kept ? CT_APPEND(p, place) : NULL;

	if (!new || ct_table_put(&p->place_by_hash, key, p->place_count))
		return NULL;
	*kept = *place;
	*new = (struct ct_pf_place){ (uint32_t)p->frames + 1, frames->count };
	if (place->file != CT_NO && !p->mapping[place->file]) {
		p->mapping[place->file] = true;
		put_mapping(p, place->file);
	}
	for (uint32_t i = 0; i < frames->count; i++)
		put_frame(p, &frames->frame[i], place);
	return new;
}

/* Frames first, for the message of the call stack cannot be interrupted by them. */
static int put_callstack(struct ct_perfetto *p, uint32_t callstack)
{
	const struct ct_callstacks *c = &p->source.callstacks;
	const struct ct_callstack *s = &c->callstack[callstack];
	size_t packet, data = begin(p, &packet);

	for (uint32_t i = 0; i < s->depth; i++)
		if (!find_place(p, &c->place[s->first + i]))
			return -ENOMEM;
	size_t message = ct_pb_begin(&p->out, PF_CALLSTACKS);

	ct_pb_uint(&p->out, IID, callstack + 1ull);
	/* Outermost first. */
	for (uint32_t i = s->depth; i--;) {
		const struct ct_pf_place *place = find_place(p, &c->place[s->first + i]);

		for (uint32_t k = place ? place->count : 0; k--;)
			ct_pb_uint(&p->out, CALLSTACK_FRAME, place->first + k);
	}
	ct_pb_end(&p->out, message);
	return end(p, packet, data);
}

static int intern_callstack(struct ct_perfetto *p, uint32_t callstack, uint32_t *ret)
{
	*ret = 0;
	if (callstack == CT_NO)
		return 0;
	while (p->callstack_count <= callstack)
		if (!CT_APPEND(p, callstack))
			return -ENOMEM;
	int error = p->callstack[callstack] ? 0 : put_callstack(p, callstack);

	p->callstack[callstack] = *ret = callstack + 1;
	return error;
}

int ct_pf_stack(struct ct_perfetto *p, uint32_t stack, uint32_t *ret)
{
	uint32_t callstack;
	int error = ct_callstack_of(&p->source.callstacks, stack, &callstack);

	*ret = 0;
	return error ? error : intern_callstack(p, callstack, ret);
}

/* --- sites and threads --- */

static int put_string(struct ct_perfetto *p, const char *text, uint32_t *ret)
{
	size_t packet, data = begin(p, &packet);

	*ret = (uint32_t)++p->strings;
	put_text(&p->out, PF_STRING_VALUES, *ret, text);
	return end(p, packet, data);
}

static int put_site(struct ct_perfetto *p, uint32_t site, struct ct_pf_site *s)
{
	char *name = ct_source_name(&p->source, site);
	const char *object = name ? ct_source_object(&p->source, site) : NULL;
	size_t packet, data;
	uint32_t callstack;

	if (!object) {
		free(name);
		return -ENOMEM;
	}
	data = begin(p, &packet);
	put_text(&p->out, PF_NAMES, (uint64_t)PF_NAME_SITES + site, name);
	free(name);
	if (*object) {
		s->object = (uint32_t)++p->strings;
		put_text(&p->out, PF_STRING_VALUES, s->object, object);
	}
	int error = end(p, packet, data);

	if (!error)
		error = ct_source_callstack(&p->source, site, &callstack);
	if (!error)
		error = intern_callstack(p, callstack, &s->callstack);
	s->known = true;
	return error;
}

int ct_pf_site(struct ct_perfetto *p, uint32_t site, const struct ct_pf_site **ret)
{
	while (p->site_count <= site)
		if (!CT_APPEND(p, site))
			return -ENOMEM;
	*ret = &p->site[site];
	return p->site[site].known ? 0 : put_site(p, site, &p->site[site]);
}

int ct_pf_waker(struct ct_perfetto *p, uint32_t waker, uint32_t *ret)
{
	uint32_t *iid = NULL;

	*ret = 0;
	if (waker == CT_NO)
		return 0;
	if (waker < CT_OUTSIDE) {
		iid = &p->thread_string[waker];
	} else {
		while (p->outsider_string_count <= waker - CT_OUTSIDE)
			if (!CT_APPEND(p, outsider_string))
				return -ENOMEM;
		iid = &p->outsider_string[waker - CT_OUTSIDE];
	}
	if (!*iid) {
		char *label = ct_waker_label(&p->source.wakes, waker);
		int error = label ? put_string(p, label, iid) : -ENOMEM;

		free(label);
		if (error)
			return error;
	}
	*ret = *iid;
	return 0;
}

void ct_pf_intern_free(struct ct_perfetto *p)
{
	free(p->thread_string);
	free(p->outsider_string);
	free(p->site);
	free(p->callstack);
	free(p->place);
	free(p->place_key);
	free(p->mapping);
	ct_table_free(&p->place_by_hash);
}
