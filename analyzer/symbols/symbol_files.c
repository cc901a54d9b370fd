/* Files by path and build-id, here, in other folders, and from debuginfod. See symbol_files.h. */
#include "symbol_files.h"

#include <elfutils/libdw.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Notes of their own; of more files one note says how many. */
#define NOTES_MAX   3u
/* So long servers of debug files may keep us waiting for nothing. */
#define IN_VAIN_NS  3000000000ull
#define BUILD_ID    (2 * sizeof(((struct ct_file_info *)0)->build_id) + 1)

/* --- notes --- */

/* Replaces the note, or adds one: its index + 1. */
__attribute__((format(printf, 3, 4))) static uint32_t put_note(struct ct_symbols *s, uint32_t at,
							       const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int n = vasprintf(&text, format, args);

	va_end(args);
	char **note = n < 0 ? NULL : at ? &s->note[at - 1] : CT_APPEND(s, note);

	if (!note) {
		if (n >= 0)
			free(text);
		return at;
	}
	free(*note);
	*note = text;
	return at ? at : s->note_count;
}

static void note_missing(struct ct_symbols *s, const char *path, const char *why)
{
	if (++s->missing <= NOTES_MAX)
		put_note(s, 0, "%s: %s: no symbols", path, why);
	else
		s->missing_note = put_note(s, s->missing_note, "%u more file%s without symbols: see stats",
					   s->missing - NOTES_MAX, s->missing == NOTES_MAX + 1 ? "" : "s");
}

void ct_symbol_nameless(struct ct_symbols *s, uint32_t index)
{
	struct ct_symbol_file *file = &s->file[index];
	const char *name = ct_base_name(s->model->file[index].path);

	/* In the C library that is what starts threads, which is of no interest. */
	if (file->nameless || file->source != CT_SYMBOLS_DYNAMIC || !strncmp(name, "libc.so", 7))
		return;
	file->nameless = true;
	if (!s->nameless++)
		s->nameless_note = put_note(s, 0, "%s: stripped, and no debug file found: not all functions have names",
					    name);
	else
		s->nameless_note = put_note(s, s->nameless_note, "%s and %u other%s: stripped, and no debug file found: "
					    "not all functions have names", name, s->nameless - 1,
					    s->nameless == 2 ? "" : "s");
}

/* --- debuginfod --- */

/* Of the whole process, as is the environment variable that the client goes by. */
static _Atomic uint64_t in_vain_ns;

static bool servers_given(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	return urls && *urls;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As libdwfl does, but servers that do not answer are not asked again. */
static int find_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *path,
			   const char *link, GElf_Word crc, char **ret_path)
{
	bool asks = servers_given();
	uint64_t start_ns = asks ? now_ns() : 0;
	int fd = dwfl_standard_find_debuginfo(module, data, name, base, path, link, crc, ret_path);

	if (!asks || fd >= 0)
		return fd;
	in_vain_ns += now_ns() - start_ns;
	if (in_vain_ns >= IN_VAIN_NS)
		unsetenv("DEBUGINFOD_URLS");
	return fd;
}

static void note_servers(struct ct_symbols *s)
{
	if (in_vain_ns < IN_VAIN_NS || s->asked_in_vain)
		return;
	s->asked_in_vain = true;
	put_note(s, 0, "no answer from DEBUGINFOD_URLS in time: not asked any more (DEBUGINFOD_TIMEOUT=SECONDS waits longer)");
}

/* --- folders --- */

static void add_debug_folder(struct ct_symbols *s, const char *folder)
{
	char *longer;

	if (s->debug_path && asprintf(&longer, "%s:%s", s->debug_path, folder) >= 0) {
		free(s->debug_path);
		s->debug_path = longer;
	}
}

int ct_symbol_folders(struct ct_symbols *s)
{
	const char *option = s->model->options->symbols, *environment = getenv("CTRACE_SYMBOLS");
	char *list, *rest = NULL, *to, *rooted;

	/* What is found by build-id, or named by a debug link, is looked for by libdwfl: beside
	 * the file, and in these folders. */
	if (asprintf(&list, "%s:%s", option ? option : "", environment ? environment : "") < 0)
		return -ENOMEM;
	s->folders = to = calloc(1, strlen(list) + 2);
	s->debug_path = strdup("+:.debug");
	for (char *folder = strtok_r(list, ":", &rest); to && folder; folder = strtok_r(NULL, ":", &rest)) {
		/* A relative one means something else to libdwfl. */
		char *absolute = realpath(folder, NULL);

		to = stpcpy(to, folder) + 1;
		if (absolute)
			add_debug_folder(s, absolute);
		if (absolute && asprintf(&rooted, "%s/usr/lib/debug", absolute) >= 0) {
			add_debug_folder(s, rooted);
			free(rooted);
		}
		free(absolute);
	}
	add_debug_folder(s, "/usr/lib/debug");
	free(list);
	if (!s->folders || !s->debug_path)
		return -ENOMEM;
	/* A server that does not answer must not hold up a report for its default of 90 s, thrice. */
	setenv("DEBUGINFOD_TIMEOUT", "5", 0);
	setenv("DEBUGINFOD_RETRY_LIMIT", "0", 0);
	return 0;
}

static void put_build_id(const struct ct_file_info *f, char text[BUILD_ID])
{
	for (uint32_t i = 0; i < f->build_id_bytes; i++)
		sprintf(text + 2 * i, "%02x", f->build_id[i]);
	text[2 * f->build_id_bytes] = 0;
}

/* --- opening --- */

/* Whether the file is the one that was traced; without a build-id nobody can say. */
static bool same_build(Dwfl_Module *module, const struct ct_file_info *f)
{
	const unsigned char *bits;
	GElf_Addr at;
	int n = dwfl_module_build_id(module, &bits, &at);

	return !f->build_id_bytes ||
	       (n > 0 && (uint32_t)n == f->build_id_bytes && !memcmp(bits, f->build_id, f->build_id_bytes));
}

static Dwfl *begin(struct ct_symbols *s)
{
	static const Dwfl_Callbacks plain = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_debug_file,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl_Callbacks *callbacks = s->callbacks;

	if (!callbacks) {
		callbacks = s->callbacks = malloc(sizeof(*callbacks));
		if (!callbacks)
			return NULL;
		*callbacks = plain;
		callbacks->debuginfo_path = &s->debug_path;
	}
	Dwfl *dwfl = dwfl_begin(callbacks);

	if (dwfl)
		dwfl_report_begin(dwfl);
	return dwfl;
}

/* Why a path of the trace cannot be opened, or NULL. Opening a pipe would wait for its
 * other end, and a device can do anything. */
static const char *refusal(const char *path)
{
	struct stat st;

	if (stat(path, &st) || access(path, R_OK))
		return strerror(errno);
	return S_ISREG(st.st_mode) ? NULL : "not a regular file";
}

/* Opens path, or fd, as the file. *ret_why says why not. */
static bool open_as(struct ct_symbols *s, uint32_t index, const char *path, int fd, const char **ret_why)
{
	struct ct_symbol_file *file = &s->file[index];
	const struct ct_file_info *f = &s->model->file[index];
	GElf_Addr bias;

	*ret_why = fd < 0 ? refusal(path) : NULL;
	if (*ret_why)
		return false;
	file->dwfl = begin(s);
	/* With a base of 0 its addresses are those in the file. */
	file->module = file->dwfl ? dwfl_report_elf(file->dwfl, path, path, fd, 0, true) : NULL;
	if (file->dwfl)
		dwfl_report_end(file->dwfl, NULL, NULL);
	if (!file->module || !dwfl_module_getelf(file->module, &bias))
		*ret_why = dwfl_errmsg(-1);
	else if (!same_build(file->module, f))
		*ret_why = "has been replaced since it was traced";
	else
		return true;
	if (file->dwfl)
		dwfl_end(file->dwfl);
	file->dwfl = NULL;
	file->module = NULL;
	return false;
}

/* In a folder: by path, by build-id, by name. */
static bool open_under(struct ct_symbols *s, uint32_t index, const char *folder)
{
	const struct ct_file_info *f = &s->model->file[index];
	char id[BUILD_ID], *path;
	const char *why;
	bool found = false;

	put_build_id(f, id);
	for (int form = 0; form < 4 && !found; form++) {
		int n = -1;

		if (form == 0)
			n = asprintf(&path, "%s%s", folder, f->path);
		else if (form == 3)
			n = asprintf(&path, "%s/%s", folder, ct_base_name(f->path));
		else if (f->build_id_bytes > 1) /* the second is how perf keeps files */
			n = asprintf(&path, "%s/.build-id/%.2s/%s%s", folder, id, id + 2, form == 2 ? "/elf" : "");
		if (n < 0)
			continue;
		found = open_as(s, index, path, -1, &why);
		free(path);
	}
	return found;
}

/* The debug file alone, where the file itself is not to be had. */
static bool open_debug_file(struct ct_symbols *s, uint32_t index)
{
	const struct ct_file_info *f = &s->model->file[index];
	Dwfl *dwfl = f->build_id_bytes ? begin(s) : NULL;
	Dwfl_Module *module = dwfl ? dwfl_report_module(dwfl, f->path, 0, 4096) : NULL;
	char *path = NULL;
	const char *why;
	bool found = false;
	int fd = -1;

	if (dwfl)
		dwfl_report_end(dwfl, NULL, NULL);
	if (module && !dwfl_module_report_build_id(module, f->build_id, f->build_id_bytes, 0))
		fd = find_debug_file(module, NULL, f->path, 0, NULL, NULL, 0, &path);
	if (fd >= 0 && !(found = open_as(s, index, path ? path : f->path, fd, &why)))
		close(fd);
	free(path);
	if (dwfl)
		dwfl_end(dwfl);
	return found;
}

static bool open_somewhere(struct ct_symbols *s, uint32_t index)
{
	const struct ct_file_info *f = &s->model->file[index];
	const char *why = NULL;

	for (const char *folder = s->folders; *folder; folder += strlen(folder) + 1)
		if (open_under(s, index, folder))
			return true;
	if (open_as(s, index, f->path, -1, &why) || open_debug_file(s, index))
		return true;
	note_missing(s, f->path, why ? why : "cannot be read");
	return false;
}

struct ct_symbol_file *ct_symbol_file(struct ct_symbols *s, uint32_t index)
{
	struct ct_symbol_file *file = &s->file[index];

	if (file->source)
		return file;
	if (s->model->file[index].path[0] != '/') {
		file->source = CT_SYMBOLS_VIRTUAL; /* such as [vdso] */
		return file;
	}
	file->source = CT_SYMBOLS_MISSING;
	if (!open_somewhere(s, index)) {
		note_servers(s);
		return file;
	}
	/* Without memory for them it is as if they were not there. */
	if (ct_elf_symbols_read(&file->symbols, file->module))
		ct_elf_symbols_free(&file->symbols);
	if (ct_units_read(&file->units, file->module))
		ct_units_free(&file->units);
	file->source = file->units.range_count ? CT_SYMBOLS_DEBUG : file->symbols.whole ? CT_SYMBOLS_TABLE : CT_SYMBOLS_DYNAMIC;
	note_servers(s);
	return file;
}

void ct_symbol_file_close(struct ct_symbol_file *file)
{
	ct_elf_symbols_free(&file->symbols);
	ct_units_free(&file->units);
	if (file->dwfl)
		dwfl_end(file->dwfl);
}
