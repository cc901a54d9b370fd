/* Symbols and lines. See symbols.h. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbol_texts.h"

struct ct_symbol_file {
	bool tried;
	Dwfl *dwfl;
	Dwfl_Module *module; /* NULL: no symbols */
};

int ct_symbols_open(struct ct_symbols *s, const struct ct_model *m)
{
	*s = (struct ct_symbols){ .model = m };
	s->file = calloc(m->file_count + 1u, sizeof(*s->file));
	/* debuginfod is asked only if DEBUGINFOD_URLS is set; a server that
	 * does not answer must not hold up a report for its default 90 s. */
	setenv("DEBUGINFOD_TIMEOUT", "10", 0);
	return s->file ? 0 : -ENOMEM;
}

void ct_symbols_close(struct ct_symbols *s)
{
	for (uint32_t i = 0; s->file && i < s->model->file_count; i++)
		if (s->file[i].dwfl)
			dwfl_end(s->file[i].dwfl);
	free(s->file);
	for (uint32_t i = 0; i < s->frames_count; i++)
		free(s->frames[i].frame);
	free(s->frames);
	for (uint32_t i = 0; i < s->text_count; i++)
		free(s->text[i]);
	free(s->text);
	for (uint32_t i = 0; i < s->note_count; i++)
		free(s->note[i]);
	free(s->note);
	ct_table_free(&s->frames_by_hash);
	*s = (struct ct_symbols){ 0 };
}

const char *ct_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

__attribute__((format(printf, 2, 3))) static void add_note(struct ct_symbols *s, const char *format, ...)
{
	char **note = CT_APPEND(s, note);
	va_list args;

	if (!note)
		return;
	va_start(args, format);
	if (vasprintf(note, format, args) < 0) {
		*note = NULL;
		s->note_count--;
	}
	va_end(args);
}

/* --- files --- */

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* Whether the file is the one that was traced; without build-ids nobody can say. */
static bool same_build(Dwfl_Module *module, const struct ct_file_info *f)
{
	const unsigned char *bits;
	GElf_Addr at;
	int n = dwfl_module_build_id(module, &bits, &at);

	return n <= 0 || !f->build_id_bytes ||
	       ((uint32_t)n == f->build_id_bytes && !memcmp(bits, f->build_id, f->build_id_bytes));
}

static Dwfl_Module *open_module(struct ct_symbols *s, uint32_t index)
{
	struct ct_symbol_file *file = &s->file[index];
	const struct ct_file_info *f = &s->model->file[index];
	GElf_Addr bias;

	if (f->path[0] != '/')
		return NULL; /* such as [vdso] */
	if (access(f->path, R_OK)) {
		add_note(s, "%s: %s: no symbols", f->path, strerror(errno));
		return NULL;
	}
	file->dwfl = dwfl_begin(&callbacks);
	if (!file->dwfl)
		return NULL;
	dwfl_report_begin(file->dwfl);
	/* With a base of 0 its addresses are those in the file. */
	Dwfl_Module *module = dwfl_report_elf(file->dwfl, f->path, f->path, -1, 0, true);

	dwfl_report_end(file->dwfl, NULL, NULL);
	if (!module || !dwfl_module_getelf(module, &bias)) {
		add_note(s, "%s: %s: no symbols", f->path, dwfl_errmsg(-1));
		return NULL;
	}
	if (!same_build(module, f)) {
		add_note(s, "%s: has been replaced since it was traced: no symbols", f->path);
		return NULL;
	}
	return module;
}

static Dwfl_Module *module_of(struct ct_symbols *s, uint32_t file)
{
	if (!s->file[file].tried) {
		s->file[file].tried = true;
		s->file[file].module = open_module(s, file);
	}
	return s->file[file].module;
}

/* --- names --- */

static const char *folder_of(Dwarf_Die *unit)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
}

static const char *name_of_die(struct ct_symbols *s, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

	if (!linkage)
		linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
	return linkage ? ct_symbol_name(s, linkage) : ct_symbol_text(s, dwarf_diename(die));
}

/* --- frames --- */

static struct ct_frame *add_frame(struct ct_frames *f, const struct ct_frame *frame)
{
	struct ct_frame *larger = realloc(f->frame, (f->count + 1) * sizeof(*larger));

	if (!larger)
		return NULL;
	f->frame = larger;
	f->frame[f->count] = *frame;
	return &f->frame[f->count++];
}

/* The compilation unit of an address. Some compilers write no .debug_aranges:
 * then every unit is asked. */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *ret_bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, ret_bias);

	if (unit)
		return unit;
	while ((unit = dwfl_module_nextcu(module, unit, ret_bias)))
		if (dwarf_haspc(unit, address - *ret_bias) > 0)
			return unit;
	return NULL;
}

/* Where an inlined function was called. */
static void call_site(struct ct_symbols *s, Dwarf_Die *unit, Dwarf_Die *die, struct ct_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	Dwarf_Files *files;
	size_t count;

	frame->file = NULL;
	frame->line = 0;
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &value))
		frame->line = (int)value;
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &value) &&
	    !dwarf_getsrcfiles(unit, &files, &count) && value < count)
		frame->file = ct_symbol_path(s, dwarf_filesrc(files, value, NULL, NULL), folder_of(unit));
}

/* Adds a frame for each function that is inlined at the address and one for
 * that in which they are; frame holds the line. False: no such debug data. */
static bool add_inlined(struct ct_symbols *s, Dwfl_Module *module, Dwarf_Addr address, struct ct_frames *f,
			struct ct_frame frame)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = unit_of(module, address, &bias), *scopes = NULL, innermost;
	int n = unit ? dwarf_getscopes(unit, address - bias, &scopes) : 0;

	if (n <= 0)
		return false;
	/* The scopes of the code, not those of the inlined function's source. */
	innermost = scopes[0];
	free(scopes);
	scopes = NULL;
	n = dwarf_getscopes_die(&innermost, &scopes);

	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		frame.function = name_of_die(s, &scopes[i]);
		frame.inlined = tag == DW_TAG_inlined_subroutine;
		if (!frame.function || !add_frame(f, &frame))
			break;
		if (!frame.inlined)
			break;
		call_site(s, unit, &scopes[i], &frame);
	}
	free(scopes);
	return f->count && !f->frame[f->count - 1].inlined;
}

static int look_up(struct ct_symbols *s, uint32_t file, uint64_t address, struct ct_frames *f)
{
	struct ct_frame frame = { .offset = address };
	Dwfl_Module *module = file == CT_NO ? NULL : module_of(s, file);

	if (file != CT_NO)
		frame.module = s->model->file[file].path;
	if (module) {
		Dwarf_Addr call = address - 1; /* a return address stands behind its call */
		GElf_Off offset;
		GElf_Sym symbol;
		Dwfl_Line *line = dwfl_module_getsrc(module, call);
		const char *source = line ? dwfl_lineinfo(line, NULL, &frame.line, NULL, NULL, NULL) : NULL;

		frame.file = ct_symbol_path(s, source, line ? dwfl_line_comp_dir(line) : NULL);
		if (add_inlined(s, module, call, f, frame))
			return 0;
		/* Only a part of the chain was found: better none of it. */
		f->count = 0;
		frame.function = ct_symbol_name(s, dwfl_module_addrinfo(module, call, &offset, &symbol, NULL, NULL, NULL));
	}
	return add_frame(f, &frame) ? 0 : -ENOMEM;
}

const struct ct_frames *ct_symbols_frames(struct ct_symbols *s, uint32_t file, uint64_t address)
{
	uint32_t at;
	uint64_t key = ct_mix(address ^ ct_mix(file));

	for (; (at = ct_table_get(&s->frames_by_hash, key)); key++) {
		const struct ct_frames *f = &s->frames[at - 1];
		const char *module = file == CT_NO ? NULL : s->model->file[file].path;

		/* Paths of one file are one text. */
		if (f->frame[0].offset == address && f->frame[0].module == module)
			return f;
	}
	struct ct_frames found = { 0 };

	if (look_up(s, file, address, &found)) {
		free(found.frame);
		return NULL;
	}
	struct ct_frames *place = CT_APPEND(s, frames);

	if (!place || ct_table_put(&s->frames_by_hash, key, s->frames_count)) {
		free(found.frame);
		return NULL;
	}
	*place = found;
	return place;
}

char *ct_symbols_variable(struct ct_symbols *s, uint32_t file, uint64_t address)
{
	Dwfl_Module *module = module_of(s, file);
	GElf_Off offset;
	GElf_Sym symbol;
	char *text;
	const char *name = module ?
		dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL) : NULL;

	/* The nearest symbol before it says nothing if it ends before it. */
	if (!name || (offset && offset >= symbol.st_size) || GELF_ST_TYPE(symbol.st_info) == STT_FUNC)
		return NULL;
	name = ct_symbol_name(s, name);
	int n = !name ? -1 : offset ? asprintf(&text, "%s+0x%lx", name, (unsigned long)offset) :
				      asprintf(&text, "%s", name);

	return n < 0 ? NULL : text;
}
