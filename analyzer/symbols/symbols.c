/* Symbols and lines. See symbols.h. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit_names.h"
#include "symbol_files.h"
#include "symbol_texts.h"

int ct_symbols_open(struct ct_symbols *s, const struct ct_model *m)
{
	*s = (struct ct_symbols){ .model = m };
	s->file = calloc(m->file_count + 1u, sizeof(*s->file));
	s->file_count = m->file_count;
	return s->file ? ct_symbol_folders(s) : -ENOMEM;
}

int ct_symbols_follow(struct ct_symbols *s, const struct ct_model *m)
{
	s->model = m;
	if (m->file_count <= s->file_count)
		return 0;
	struct ct_symbol_file *grown = realloc(s->file, (m->file_count + 1u) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->file = grown;
	memset(grown + s->file_count, 0, (m->file_count + 1u - s->file_count) * sizeof(*grown));
	s->file_count = m->file_count;
	return 0;
}

void ct_symbols_close(struct ct_symbols *s)
{
	for (uint32_t i = 0; s->file && i < s->file_count; i++)
		ct_symbol_file_close(&s->file[i]);
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
	free(s->folders);
	free(s->debug_path);
	free(s->callbacks);
	ct_table_free(&s->frames_by_hash);
	ct_table_free(&s->text_by_source);
	*s = (struct ct_symbols){ 0 };
}

const char *ct_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

enum ct_symbol_source ct_symbols_source(struct ct_symbols *s, uint32_t file)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	char *kept = urls ? strdup(urls) : NULL;

	/* Only files are fetched whose frames are shown. */
	unsetenv("DEBUGINFOD_URLS");
	enum ct_symbol_source source = ct_symbol_file(s, file)->source;

	if (kept)
		setenv("DEBUGINFOD_URLS", kept, 1);
	free(kept);
	return source;
}

/* Functions that only their unit sees have no linkage name in some debug data; the symbol says in
 * which namespace they are. symbol: of the place, NULL where it is of another function. */
static const char *name_of_die(struct ct_symbols *s, Dwarf_Die *die, const struct ct_elf_symbol *symbol)
{
	Dwarf_Attribute attribute;
	const char *linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

	if (!linkage)
		linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
	if (!linkage && symbol && (!strncmp(symbol->name, "_Z", 2) || !strncmp(symbol->name, "_R", 2)))
		linkage = symbol->name;
	return linkage ? ct_symbol_name(s, linkage) : ct_symbol_text(s, dwarf_diename(die));
}

static struct ct_frame *add_frame(struct ct_frames *f, const struct ct_frame *frame)
{
	struct ct_frame *larger = realloc(f->frame, (f->count + 1) * sizeof(*larger));

	if (!larger)
		return NULL;
	f->frame = larger;
	f->frame[f->count] = *frame;
	return &f->frame[f->count++];
}

/* Where an inlined function was called. */
static void call_site(struct ct_symbols *s, struct ct_unit *unit, Dwarf_Die *die, struct ct_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	Dwarf_Files *files;
	size_t count;

	frame->file = NULL;
	frame->line = 0;
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &value) && value <= INT32_MAX)
		frame->line = (int)value;
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &value) &&
	    !dwarf_getsrcfiles(&unit->functions, &files, &count) && value < count)
		frame->file = ct_symbol_path(s, dwarf_filesrc(files, value, NULL, NULL), unit->folder);
}

static void line_of(struct ct_symbols *s, struct ct_unit *unit, Dwarf_Addr address, struct ct_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);

	if (!line)
		return;
	frame->file = ct_symbol_path(s, dwarf_linesrc(line, NULL, NULL), unit->folder);
	if (dwarf_lineno(line, &frame->line))
		frame->line = 0;
}

/* Adds a frame for each function that is inlined at the address and one for
 * that in which they are; frame holds the line. False: there is no such debug data. */
static bool add_functions(struct ct_symbols *s, struct ct_symbol_file *file, struct ct_unit *unit, uint64_t address,
			  struct ct_frames *f, struct ct_frame frame)
{
	Dwarf_Die die[CT_INLINED_MAX];
	uint32_t n = ct_unit_functions(&file->units, unit, address, die);
	const struct ct_elf_symbol *symbol = n ? ct_elf_symbols_at(&file->symbols, address, true) : NULL;

	for (uint32_t i = 0; i < n; i++) {
		frame.inlined = i + 1 < n;
		frame.function = name_of_die(s, &die[i], frame.inlined ? NULL : symbol);
		/* Only a part of the chain is known: better none of it. */
		if (!frame.function || !add_frame(f, &frame)) {
			f->count = 0;
			return false;
		}
		call_site(s, unit, &die[i], &frame);
	}
	return n > 0;
}

static int look_up(struct ct_symbols *s, uint32_t index, uint64_t address, struct ct_frames *f)
{
	struct ct_frame frame = { .offset = address };
	uint64_t call = address - 1; /* a return address stands behind its call */

	if (index == CT_NO)
		return add_frame(f, &frame) ? 0 : -ENOMEM;
	frame.module = s->model->file[index].path;
	if (s->model->file[index].code) {
		ct_jit_frame(s, index, call, &frame);
		return add_frame(f, &frame) ? 0 : -ENOMEM;
	}
	struct ct_symbol_file *file = ct_symbol_file(s, index);
	struct ct_unit *unit = ct_units_at(&file->units, call);

	if (unit) {
		line_of(s, unit, call - file->units.bias, &frame);
		if (add_functions(s, file, unit, call, f, frame))
			return 0;
	}
	const struct ct_elf_symbol *symbol = ct_elf_symbols_at(&file->symbols, call, true);

	if (symbol)
		frame.function = ct_symbol_name(s, symbol->name);
	else
		ct_symbol_nameless(s, index);
	return add_frame(f, &frame) ? 0 : -ENOMEM;
}

const struct ct_frames *ct_symbols_frames(struct ct_symbols *s, uint32_t file, uint64_t address)
{
	uint32_t at;
	uint64_t key = ct_mix(address ^ ct_mix(file));

	for (; (at = ct_table_get(&s->frames_by_hash, key)); key++) {
		const struct ct_frames *f = &s->frames[at - 1];

		if (f->file == file && f->frame[0].offset == address)
			return f;
	}
	struct ct_frames found = { .file = file };

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

char *ct_symbols_variable(struct ct_symbols *s, uint32_t index, uint64_t address)
{
	const struct ct_elf_symbol *symbol = s->model->file[index].code ? NULL :
		ct_elf_symbols_at(&ct_symbol_file(s, index)->symbols, address, false);
	const char *name = symbol ? ct_symbol_name(s, symbol->name) : NULL;
	uint64_t offset = symbol ? address - symbol->start : 0;
	char *text;
	int n = !name ? -1 : offset ? asprintf(&text, "%s+0x%lx", name, (unsigned long)offset) :
				      asprintf(&text, "%s", name);

	return n < 0 ? NULL : text;
}

bool ct_symbols_segment(struct ct_symbols *s, uint32_t file, struct ct_segment *ret)
{
	Dwfl_Module *module = ct_symbol_file(s, file)->module;
	GElf_Addr bias;
	Elf *elf = module ? dwfl_module_getelf(module, &bias) : NULL;
	const uint64_t page = 4095;
	size_t n;

	if (!elf || elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X))
			continue;
		*ret = (struct ct_segment){ p.p_vaddr & ~page, (p.p_vaddr + p.p_memsz + page) & ~page,
					    p.p_offset & ~page };
		return true;
	}
	return false;
}
