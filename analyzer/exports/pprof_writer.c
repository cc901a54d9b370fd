/* See pprof_writer.h. */
#include "pprof_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES (64u << 10)

static void fail(struct ct_pprof_writer *w, int error)
{
	if (!w->error)
		w->error = error;
}

/* --- the stream --- */

static void compress_bytes(struct ct_pprof_writer *w, uint8_t *data, size_t n, int flush)
{
	uint8_t out[OUT_BYTES];

	w->z.next_in = data;
	w->z.avail_in = (uInt)n;
	do {
		w->z.next_out = out;
		w->z.avail_out = sizeof(out);
		if (deflate(&w->z, flush) == Z_STREAM_ERROR) {
			fail(w, -EIO);
			return;
		}
		size_t done = sizeof(out) - w->z.avail_out;

		/* What fails here is looked at where the file is closed. */
		if (fwrite(out, 1, done, w->file) != done)
			return;
	} while (!w->z.avail_out);
}

void ct_pprof_put(struct ct_pprof_writer *w, const ct_pprof_message *part)
{
	size_t n = perftools__profiles__profile__get_packed_size(part);

	ct_buf_clear(&w->message);
	if (n > UINT32_MAX || !ct_buf_reserve(&w->message, n + 1)) {
		fail(w, -ENOMEM);
		return;
	}
	perftools__profiles__profile__pack(part, w->message.data);
	compress_bytes(w, w->message.data, n, Z_NO_FLUSH);
}

/* --- texts and functions --- */

static void put_text(struct ct_pprof_writer *w, char *text)
{
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

	part.n_string_table = 1;
	part.string_table = &text;
	ct_pprof_put(w, &part);
}

uint32_t ct_pprof_text(struct ct_pprof_writer *w, const char *text)
{
	uint64_t key = 0x6c62272e07bb0142ull;
	uint32_t at;

	for (const char *p = text; *p; p++)
		key = (key ^ (uint8_t)*p) * 0x100000001b3ull;
	for (key = ct_mix(key); (at = ct_table_get(&w->text_by_hash, key)); key++)
		if (!strcmp(w->text[at - 1], text))
			return at - 1;
	char *copy = strdup(text), **place = copy ? CT_APPEND(w, text) : NULL;

	if (!place || ct_table_put(&w->text_by_hash, key, w->text_count)) {
		if (place)
			w->text_count--;
		free(copy);
		fail(w, -ENOMEM);
		return 0;
	}
	*place = copy;
	put_text(w, copy);
	return w->text_count - 1;
}

/* The id of a function. */
static uint64_t function_of(struct ct_pprof_writer *w, const char *name, const char *file)
{
	struct ct_pprof_function f = { ct_pprof_text(w, name), file ? ct_pprof_text(w, file) : 0 };
	uint64_t key = ct_pair(f.name, f.file);
	uint32_t at = ct_table_get(&w->function_by_key, key);

	if (at)
		return at;
	struct ct_pprof_function *new = CT_APPEND(w, function);

	if (!new || ct_table_put(&w->function_by_key, key, w->function_count)) {
		fail(w, -ENOMEM);
		return 1;
	}
	*new = f;
	Perftools__Profiles__Function message = PERFTOOLS__PROFILES__FUNCTION__INIT, *messages = &message;
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

	message.id = w->function_count;
	message.name = message.system_name = f.name;
	message.filename = f.file;
	part.n_function = 1;
	part.function = &messages;
	ct_pprof_put(w, &part);
	return w->function_count;
}

/* --- locations --- */

/* The id of a location; *ret_new: it has to be written. 0 without memory. */
static uint64_t find_location(struct ct_pprof_writer *w, uint32_t file, uint64_t address, bool named, bool *ret_new)
{
	uint64_t key = ct_mix(address ^ ct_mix(file) ^ (named ? 1ull << 63 : 0));
	struct ct_pprof_location l = { named ? CT_NO - 1 : file, address };
	uint32_t at;

	*ret_new = false;
	for (; (at = ct_table_get(&w->location_by_hash, key)); key++)
		if (w->location[at - 1].file == l.file && w->location[at - 1].address == address)
			return at;
	struct ct_pprof_location *new = CT_APPEND(w, location);

	if (!new || ct_table_put(&w->location_by_hash, key, w->location_count)) {
		fail(w, -ENOMEM);
		return 0;
	}
	*new = l;
	*ret_new = true;
	return w->location_count;
}

static void add_frame(struct ct_pprof_writer *w, uint64_t id)
{
	uint64_t *frame = CT_APPEND(w, frame);

	if (frame)
		*frame = id;
	else
		fail(w, -ENOMEM);
}

/* Writes a location with its lines. */
static void put_location(struct ct_pprof_writer *w, Perftools__Profiles__Location *message,
			 const struct ct_frame *frames, uint32_t count)
{
	Perftools__Profiles__Line *lines = calloc(count, sizeof(*lines)), **pointers = calloc(count, sizeof(*pointers));
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;

	if (!lines || !pointers) {
		fail(w, -ENOMEM);
	} else {
		for (uint32_t i = 0; i < count && frames[i].function; i++) {
			perftools__profiles__line__init(&lines[i]);
			lines[i].function_id = function_of(w, frames[i].function, frames[i].file);
			lines[i].line = frames[i].line;
			pointers[message->n_line++] = &lines[i];
		}
		message->line = pointers;
		part.n_location = 1;
		part.location = &message;
		ct_pprof_put(w, &part);
	}
	free(lines);
	free(pointers);
}

static void note_mapping(struct ct_pprof_mapping *mapping, const struct ct_frames *f)
{
	mapping->used = true;
	for (uint32_t i = 0; i < f->count; i++) {
		mapping->unnamed |= !f->frame[i].function;
		mapping->unfiled |= !f->frame[i].file;
		mapping->inlined |= f->frame[i].inlined;
	}
}

static void add_place(struct ct_pprof_writer *w, const struct ct_place *p)
{
	bool new;
	uint64_t id = find_location(w, p->file, p->address, false, &new);

	if (id)
		add_frame(w, id);
	if (!new)
		return;
	const struct ct_frames *found = ct_symbols_frames(w->symbols, p->file, p->address);
	Perftools__Profiles__Location message = PERFTOOLS__PROFILES__LOCATION__INIT;

	if (!found) {
		fail(w, -ENOMEM);
		return;
	}
	message.id = id;
	message.mapping_id = p->file == CT_NO ? 0 : p->file + 1ull;
	/* Return addresses stand behind the call. */
	message.address = p->address - 1;
	if (p->file != CT_NO)
		note_mapping(&w->mapping[p->file], found);
	put_location(w, &message, found->frame, found->count);
}

void ct_pprof_stack(struct ct_pprof_writer *w, const struct ct_callstacks *c, uint32_t callstack)
{
	const struct ct_callstack *stack = &c->callstack[callstack];

	for (uint32_t i = 0; i < stack->depth; i++)
		add_place(w, &c->place[stack->first + i]);
}

void ct_pprof_named(struct ct_pprof_writer *w, const char *name)
{
	Perftools__Profiles__Location message = PERFTOOLS__PROFILES__LOCATION__INIT;
	struct ct_frame frame = { .function = name };
	bool new;

	message.id = find_location(w, CT_NO, ct_pprof_text(w, name), true, &new);
	if (message.id)
		add_frame(w, message.id);
	if (new)
		put_location(w, &message, &frame, 1);
}

/* --- mappings --- */

static const char *build_id(const struct ct_file_info *f, char to[65])
{
	for (uint32_t i = 0; i < f->build_id_bytes && i < 32; i++)
		snprintf(to + 2 * i, 3, "%02x", f->build_id[i]);
	to[f->build_id_bytes ? 2 * f->build_id_bytes : 0] = 0;
	return to;
}

static void put_mapping(struct ct_pprof_writer *w, uint32_t file, uint32_t module)
{
	Perftools__Profiles__Mapping message = PERFTOOLS__PROFILES__MAPPING__INIT, *messages = &message;
	const struct ct_pprof_mapping *mapping = &w->mapping[file];
	ct_pprof_message part = PERFTOOLS__PROFILES__PROFILE__INIT;
	struct ct_segment segment;
	char text[65];

	message.id = file + 1ull;
	if (ct_symbols_segment(w->symbols, file, &segment)) {
		message.memory_start = segment.start;
		message.memory_limit = segment.end;
		message.file_offset = segment.offset;
	} else if (module != CT_NO) {
		message.memory_start = w->m->module[module].start - w->m->module[module].bias;
		message.memory_limit = w->m->module[module].end - w->m->module[module].bias;
	}
	message.filename = ct_pprof_text(w, w->m->file[file].path);
	message.build_id = ct_pprof_text(w, build_id(&w->m->file[file], text));
	message.has_functions = mapping->used && !mapping->unnamed;
	message.has_filenames = message.has_line_numbers = message.has_functions && !mapping->unfiled;
	message.has_inline_frames = mapping->inlined || message.has_filenames;
	part.n_mapping = 1;
	part.mapping = &messages;
	ct_pprof_put(w, &part);
}

/* The first mapping is the program's: pprof names the profile by it. */
static void put_mappings(struct ct_pprof_writer *w)
{
	const struct ct_model *m = w->m;
	uint32_t *module_of = malloc((m->file_count + 1u) * sizeof(*module_of));
	uint32_t main_file = CT_NO;

	if (!module_of) {
		fail(w, -ENOMEM);
		return;
	}
	memset(module_of, 0xff, (m->file_count + 1u) * sizeof(*module_of));
	for (uint32_t i = m->module_count; i-- > 0;)
		module_of[m->module[i].file] = i;
	for (uint32_t i = 0; i < m->process_count && main_file == CT_NO; i++)
		for (uint32_t k = 0; k < m->file_count && m->process[i].selected && main_file == CT_NO; k++)
			if (!strcmp(m->file[k].path, m->process[i].executable))
				main_file = k;
	if (main_file != CT_NO)
		put_mapping(w, main_file, module_of[main_file]);
	for (uint32_t i = 0; i < m->file_count; i++)
		if (w->mapping[i].used && i != main_file)
			put_mapping(w, i, module_of[i]);
	free(module_of);
}

/* --- begin and end --- */

int ct_pprof_open(struct ct_pprof_writer *w, const struct ct_model *m, struct ct_symbols *symbols, FILE *file)
{
	*w = (struct ct_pprof_writer){ .m = m, .symbols = symbols, .file = file };
	w->mapping = calloc(m->file_count + 1u, sizeof(*w->mapping));
	/* 16 more: with gzip's header. */
	if (!w->mapping || deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8,
					Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	w->open = true;
	ct_pprof_text(w, "");
	return w->error;
}

int ct_pprof_finish(struct ct_pprof_writer *w)
{
	put_mappings(w);
	if (!w->error)
		compress_bytes(w, NULL, 0, Z_FINISH);
	return w->error;
}

void ct_pprof_close(struct ct_pprof_writer *w)
{
	if (w->open)
		deflateEnd(&w->z);
	for (uint32_t i = 0; i < w->text_count; i++)
		free(w->text[i]);
	free(w->text);
	free(w->function);
	free(w->location);
	free(w->frame);
	free(w->mapping);
	ct_table_free(&w->text_by_hash);
	ct_table_free(&w->function_by_key);
	ct_table_free(&w->location_by_hash);
	ct_buf_free(&w->message);
	*w = (struct ct_pprof_writer){ 0 };
}
