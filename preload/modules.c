/* Notes shared objects. See modules.h. */
#include "modules.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "state.h"

/* Whether the bytes lie in a segment that is mapped readable. */
static bool is_mapped(const ElfW(Phdr) *p, int count, const ElfW(Phdr) *part)
{
	for (int i = 0; i < count; i++)
		if (p[i].p_type == PT_LOAD && (p[i].p_flags & PF_R) && part->p_vaddr >= p[i].p_vaddr &&
		    part->p_vaddr + part->p_filesz <= p[i].p_vaddr + p[i].p_filesz)
			return true;
	return false;
}

static void copy_build_id(struct ct_module *m, const ElfW(Ehdr) *elf)
{
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)(elf + 1);

	/* Tools that rewrite executables move the headers to where we could not
	 * be sure that they are mapped. */
	if (elf->e_phoff != sizeof(*elf) || elf->e_phentsize != sizeof(*p) ||
	    sizeof(*elf) + elf->e_phnum * sizeof(*p) > 4096)
		return;
	for (int i = 0; i < elf->e_phnum; i++) {
		if (p[i].p_type != PT_NOTE || !is_mapped(p, elf->e_phnum, &p[i]))
			continue;
		const char *note = (const char *)m->bias + p[i].p_vaddr, *end = note + p[i].p_filesz;

		while (end - note >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)note;
			const char *name = note + sizeof(*n), *id = name + ((n->n_namesz + 3) & ~3u);

			if (id > end || n->n_descsz > (size_t)(end - id))
				break;
			if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp(name, "GNU", 4) &&
			    n->n_descsz <= sizeof(m->build_id)) {
				memcpy(m->build_id, id, n->n_descsz);
				m->build_id_bytes = n->n_descsz;
				return;
			}
			note = id + ((n->n_descsz + 3) & ~3u);
		}
	}
}

static void copy_path(struct ct_module *m, const struct link_map *map)
{
	const char *name = map->l_name;
	size_t i = 0;

	if (!name || !*name) /* the program itself */
		name = ct_state.region->executable;
	if (*name != '/' && strchr(name, '/') && !ct_state.no_syscalls) { /* relative: as of now */
		long n = ct_sys(SYS_getcwd, m->path, sizeof(m->path) / 2);

		if (n > 1) {
			i = (size_t)n - 1;
			m->path[i++] = '/';
		}
	}
	for (; *name && i < sizeof(m->path) - 1; i++)
		m->path[i] = *name++;
	m->path[i] = 0;
}

void ct_module_seen(const struct dl_find_object *object)
{
	struct ct_region *r = ct_state.region;

	if (!r)
		return;
	uint64_t start = (uint64_t)object->dlfo_map_start, end = (uint64_t)object->dlfo_map_end;
	uint64_t used = ct_load(&r->modules_used);
	uint32_t epoch = ct_load(&r->epoch);

	/* Newest first: an older one may have had the same place. An entry whose
	 * object was reloaded there is the same only with the same build-id,
	 * which the path stands for here. */
	for (uint64_t i = used < CT_MODULES ? used : CT_MODULES; i--;) {
		struct ct_module *m = &r->modules[i];

		if (!ct_load_acquire(&m->ready) || m->start != start || m->end != end)
			continue;
		if (m->epoch_last == epoch)
			return;
		const char *name = object->dlfo_link_map->l_name;

		if (!name || !*name || !strcmp(name, m->path)) {
			ct_store(&m->epoch_last, epoch);
			return;
		}
		break;
	}
	uint64_t index = ct_fetch_add(&r->modules_used, 1);

	if (index >= CT_MODULES)
		return;
	struct ct_module *m = &r->modules[index];
	const ElfW(Ehdr) *elf = object->dlfo_map_start;

	m->epoch_first = m->epoch_last = epoch;
	m->start = start;
	m->end = end;
	m->bias = object->dlfo_link_map->l_addr;
	copy_path(m, object->dlfo_link_map);
	if (!memcmp(elf->e_ident, ELFMAG, SELFMAG))
		copy_build_id(m, elf);
	ct_store_release(&m->ready, 1);
}

void ct_modules_changed(void)
{
	struct ct_region *r = ct_state.region;

	if (r)
		__atomic_fetch_add(&r->epoch, 1, __ATOMIC_RELAXED);
}
