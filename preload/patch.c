/*
 * Leads the calls of loaded modules to the wrappers: by their global offset tables, where a
 * library that came too late for the search order finds them. A slot is changed only where
 * what stands in it is the function that the wrapper goes on to, or where it would be found
 * by the slot's first use; so nothing of the program's own way to bind names is lost.
 */
#include "late.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/mman.h>

#include "real.h"
#include "state.h"

#if defined(__x86_64__)
#define JUMP_SLOT R_X86_64_JUMP_SLOT
#define GLOB_DAT  R_X86_64_GLOB_DAT
#else
#define JUMP_SLOT R_AARCH64_JUMP_SLOT
#define GLOB_DAT  R_AARCH64_GLOB_DAT
#endif

#define PAGE 4096ull

static const struct row {
	const char *name, *version; /* NULL: the current one */
	uint32_t real;              /* offset in struct ct_real */
	bool is_heap;
} rows[] = {
#define HEAP_(family) (sizeof(#family) == 5 && #family[0] == 'h' && #family[1] == 'e' && #family[2] == 'a')
#define CT_CALL(name_, family, cause, flags) { #name_, NULL, offsetof(struct ct_real, name_), HEAP_(family) },
#define CT_ALIAS(symbol, name_)              { #symbol, NULL, offsetof(struct ct_real, symbol), false },
#define CT_COMPAT(symbol, version, name_)    { #symbol, #version, offsetof(struct ct_real, CT_COMPAT_NAME(symbol)), false },
#include "symbols.def"
#undef CT_CALL
#undef CT_ALIAS
#undef CT_COMPAT
};

#define ROWS  (sizeof(rows) / sizeof(rows[0]))
#define INDEX 2048u
_Static_assert(ROWS < INDEX / 2, "room in the index");

static uint64_t wrapper[ROWS];  /* 0: none */
static uint16_t index_of[INDEX]; /* row + 1; rows of one name stand one after the other */

static uint64_t real_of(size_t row)
{
	uint64_t p;

	memcpy(&p, (const char *)&ct_real + rows[row].real, sizeof(p));
	return p;
}

static bool is_ours(uint64_t p)
{
	return p >= ct_state.own_start && p < ct_state.own_end;
}

static uint32_t hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s; s++)
		h = h * 33 + (unsigned char)*s;
	return h;
}

void ct_patch_prepare(void)
{
	struct dl_find_object own;

	if (_dl_find_object((void *)ct_state.own_start, &own))
		return;
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t p = (uint64_t)(rows[i].version ? dlvsym(own.dlfo_link_map, rows[i].name, rows[i].version)
							: ct_real.dlsym(own.dlfo_link_map, rows[i].name));

		wrapper[i] = is_ours(p) && !is_ours(real_of(i)) ? p : 0;
		uint32_t at = hash(rows[i].name) % INDEX;

		while (index_of[at])
			at = (at + 1) % INDEX;
		index_of[at] = (uint16_t)(i + 1);
	}
}

/* --- a module --- */

struct module {
	struct link_map *map;
	uint64_t base, start, end;
	const ElfW(Rela) *table[2];
	size_t count[2];
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint16_t *versions;
	const char *needed; /* versions that it needs of others */
	bool own_first;     /* its own symbols come before the program's */
};

/* A page that was not writable. */
struct window {
	uint64_t page;      /* 0: none */
	int protection;     /* before */
};

/* Of the last mapping that was asked for. */
struct known {
	uint64_t start, end;
	int protection;
};

static const void *pointer(const struct module *m, const ElfW(Dyn) *d)
{
	/* Glibc relocates the section in place, unless it is read-only. */
	return (const void *)(d->d_un.d_ptr < m->base ? d->d_un.d_ptr + m->base : d->d_un.d_ptr);
}

static bool read_module(struct link_map *map, struct module *m)
{
	struct dl_find_object object;

	*m = (struct module){ .map = map, .base = map->l_addr };
	if (!map->l_ld || _dl_find_object(map->l_ld, &object) || object.dlfo_link_map != map)
		return false;
	m->start = (uint64_t)object.dlfo_map_start;
	m->end = (uint64_t)object.dlfo_map_end;
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_JMPREL:
			m->table[0] = pointer(m, d);
			break;
		case DT_PLTRELSZ:
			m->count[0] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_RELA:
			m->table[1] = pointer(m, d);
			break;
		case DT_RELASZ:
			m->count[1] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_SYMTAB:
			m->symbols = pointer(m, d);
			break;
		case DT_STRTAB:
			m->strings = pointer(m, d);
			break;
		case DT_VERSYM:
			m->versions = pointer(m, d);
			break;
		case DT_VERNEED:
			m->needed = pointer(m, d);
			break;
		case DT_PLTREL:
			if (d->d_un.d_val != DT_RELA)
				return false;
			break;
		case DT_SYMBOLIC:
			m->own_first = true;
			break;
		case DT_FLAGS:
			m->own_first |= (d->d_un.d_val & DF_SYMBOLIC) != 0;
			break;
		}
	}
	return m->symbols && m->strings;
}

/* The version by which the module refers to a symbol; NULL: by none. */
static const char *version_of(const struct module *m, size_t symbol)
{
	if (!m->versions || !m->needed)
		return NULL;
	uint16_t wanted = m->versions[symbol] & 0x7fff;
	const ElfW(Verneed) *n = (const void *)m->needed;

	for (;; n = (const void *)((const char *)n + n->vn_next)) {
		const ElfW(Vernaux) *a = (const void *)((const char *)n + n->vn_aux);

		for (uint16_t i = 0; i < n->vn_cnt; i++, a = (const void *)((const char *)a + a->vna_next))
			if ((a->vna_other & 0x7fff) == wanted)
				return m->strings + a->vna_name;
		if (!n->vn_next)
			return NULL;
	}
}

/* A slot that has not been used yet leads back into the module. The first use would find what
 * the program's scope has; or, if the module was loaded so, what its own has. Of the latter not all
 * can be told: so no allocator's function is taken from here, which must not be another one's. The
 * search begins from the program's map: those of its libraries may have no list to search. */
static bool would_find(const struct module *m, const ElfW(Sym) *s, size_t symbol, size_t row)
{
	if (m->own_first || s->st_shndx != SHN_UNDEF || rows[row].is_heap)
		return false;
	const char *version = version_of(m, symbol);
	bool old = rows[row].version && version && !strcmp(version, rows[row].version);

	if ((rows[row].version != NULL) != old)
		return false;
	for (size_t i = 0; !rows[row].version && i < ROWS; i++)
		if (rows[i].version && version && !strcmp(rows[i].name, rows[row].name) && !strcmp(rows[i].version, version))
			return false;
	void *found = version ? dlvsym(ct_main_map(), rows[row].name, version) : ct_real.dlsym(ct_main_map(), rows[row].name);

	return (uint64_t)found == real_of(row);
}

/* What is to stand in the slot; 0: what stands there. */
static uint64_t wanted(const struct module *m, const ElfW(Rela) *r, uint64_t value, bool to)
{
	size_t symbol = ELF64_R_SYM(r->r_info);
	const ElfW(Sym) *s = &m->symbols[symbol];
	const char *name = m->strings + s->st_name;
	bool jump = ELF64_R_TYPE(r->r_info) == JUMP_SLOT, lazy = jump && value >= m->start && value < m->end;

	if (!to && !is_ours(value))
		return 0;
	for (uint32_t at = hash(name) % INDEX; index_of[at]; at = (at + 1) % INDEX) {
		size_t row = index_of[at] - 1u;

		if (!wrapper[row] || strcmp(rows[row].name, name))
			continue;
		if (!to) {
			if (value == wrapper[row])
				return real_of(row);
		} else if (!jump && rows[row].is_heap) {
			/* Here stand pointers that are kept and compared, of these functions most of all. */
			return 0;
		} else if (value == real_of(row) || (lazy && would_find(m, s, symbol, row))) {
			return wrapper[row];
		}
	}
	return 0;
}

static void close_window(struct window *w)
{
	if (w->page)
		ct_sys(SYS_mprotect, w->page, PAGE, w->protection);
	w->page = 0;
}

/* Writes a slot, which others may be reading. */
static bool set(uint64_t *slot, uint64_t value, struct known *k, struct window *w)
{
	uint64_t at = (uint64_t)slot, page = at & ~(PAGE - 1);

	if (at & 7)
		return false;
	if (w->page && w->page != page) {
		close_window(w);
		k->end = 0;
	}
	if (!w->page) {
		if ((at < k->start || at >= k->end) && !ct_mapping_at(at, &k->start, &k->end, &k->protection)) {
			k->end = 0;
			return false;
		}
		if (!(k->protection & PROT_READ))
			return false;
		if (!(k->protection & PROT_WRITE)) {
			if (ct_sys(SYS_mprotect, page, PAGE, k->protection | PROT_WRITE))
				return false;
			*w = (struct window){ page, k->protection };
		}
	}
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	return true;
}

static void patch_module(const struct module *m, bool to, struct ct_patched *p)
{
	struct window window = { 0 };
	struct known known = { 0 };

	for (int t = 0; t < 2; t++)
		for (size_t i = 0; m->table[t] && i < m->count[t]; i++) {
			const ElfW(Rela) *r = &m->table[t][i];
			uint64_t type = ELF64_R_TYPE(r->r_info), *slot = (uint64_t *)(m->base + r->r_offset);

			if ((type != JUMP_SLOT && type != GLOB_DAT) || !ELF64_R_SYM(r->r_info))
				continue;
			if ((uint64_t)slot < m->start || (uint64_t)slot >= m->end)
				continue;
			uint64_t value = wanted(m, r, __atomic_load_n(slot, __ATOMIC_RELAXED), to);

			if (!value)
				continue;
			if (set(slot, value, &known, &window))
				p->done++;
			else
				p->left++;
		}
	close_window(&window);
}

/* The map that an address lies in. */
static struct link_map *map_of(const void *address)
{
	struct dl_find_object object;

	return _dl_find_object((void *)address, &object) ? NULL : object.dlfo_link_map;
}

struct ct_patched ct_patch(bool to)
{
	const struct link_map *own = map_of((void *)ct_state.own_start), *libc = map_of((void *)gnu_get_libc_version);
	const struct link_map *loader = map_of((void *)_r_debug.r_ldbase);
	struct ct_patched p = { 0, 0 };
	struct module m;

	for (struct link_map *map = _r_debug.r_map; map; map = map->l_next)
		if (map != own && map != libc && map != loader && read_module(map, &m))
			patch_module(&m, to, &p);
	return p;
}

/* --- mappings --- */

struct reader {
	int fd;
	size_t at, n;
	char bytes[1024];
};

static int next(struct reader *r)
{
	if (r->at == r->n) {
		long n = ct_sys(SYS_read, r->fd, r->bytes, sizeof(r->bytes));

		if (n <= 0)
			return -1;
		r->n = (size_t)n;
		r->at = 0;
	}
	return (unsigned char)r->bytes[r->at++];
}

static int read_hex(struct reader *r, uint64_t *ret)
{
	int c;

	for (*ret = 0; (c = next(r)) >= 0;) {
		if (c >= '0' && c <= '9')
			*ret = *ret << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*ret = *ret << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	return c;
}

bool ct_mapping_at(uint64_t address, uint64_t *ret_start, uint64_t *ret_end, int *ret_protection)
{
	struct reader r = { .fd = -1, .at = 0, .n = 0 };
	uint64_t start, end;
	bool found = false;

	r.fd = (int)ct_sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return false;
	while (!found && read_hex(&r, &start) == '-' && read_hex(&r, &end) == ' ') {
		int protection = 0, c = next(&r);

		protection |= c == 'r' ? PROT_READ : 0;
		protection |= next(&r) == 'w' ? PROT_WRITE : 0;
		protection |= next(&r) == 'x' ? PROT_EXEC : 0;
		if (address >= start && address < end) {
			*ret_start = start;
			*ret_end = end;
			*ret_protection = protection;
			found = true;
		}
		while (!found && (c = next(&r)) >= 0 && c != '\n')
			;
	}
	ct_sys(SYS_close, r.fd);
	return found;
}
