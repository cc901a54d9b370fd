/*
 * The loader: files are read and constructors run under its lock. What glibc
 * finds depends on who asks: the address that dlopen and dlsym return to. So a
 * call is passed on by a jump where our address instead of the caller's would
 * make a difference, and is then not timed.
 */
#include "wrap.h"

#include <iconv.h>
#include <link.h>
#include <locale.h>
#include <string.h>

#include "entries.h"
#include "late.h"
#include "modules.h"

#define DEFAULT_LIBRARIES_ONLY 0x800 /* DF_1_NODEFLIB */

/* What of an object's dynamic section steers searches that start from it. */
static void steers(const ElfW(Dyn) *d, bool *ret_rpath, bool *ret_other)
{
	bool rpath = false, other = false;

	for (; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RPATH)
			rpath = true;
		else if (d->d_tag == DT_RUNPATH || (d->d_tag == DT_FLAGS_1 && (d->d_un.d_val & DEFAULT_LIBRARIES_ONLY)))
			other = true;
	}
	*ret_rpath = rpath && !other; /* a RUNPATH puts it out of force */
	*ret_other = other;
}

struct rpaths {
	unsigned long long loads; /* objects ever loaded when it was found */
	bool any, counted;
};

/* The chain of those that loaded each other is private to glibc, and a search
 * follows each one's RPATH: does any object but the program have one? */
static int note_rpath(struct dl_phdr_info *info, size_t size, void *result)
{
	struct rpaths *r = result;
	bool rpath, other;

	(void)size;
	if (!r->counted) {
		r->counted = true;
		if (r->loads == info->dlpi_adds)
			return 1;
		r->loads = info->dlpi_adds;
		r->any = false;
		return 0; /* the program comes first: its RPATH is always searched */
	}
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		steers((const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr), &rpath, &other);
		r->any |= rpath;
	}
	return 0;
}

static bool some_rpath(void)
{
	static __thread struct rpaths known __attribute__((tls_model("initial-exec")));

	known.counted = false;
	ct_real.dl_iterate_phdr(note_rpath, &known);
	return known.any;
}

/* Whether glibc would look elsewhere for path, or for what it needs, if we asked. */
bool ct_dlopen_depends(const char *path, const void *caller)
{
	struct dl_find_object object;
	bool rpath, other;

	if (!path || !*path || strchr(path, '$'))
		return true; /* short, or relative to the caller */
	if (_dl_find_object((void *)caller, &object) || !object.dlfo_link_map->l_ld)
		return true;
	steers(object.dlfo_link_map->l_ld, &rpath, &other);
	return rpath || (other && !strchr(path, '/')) || some_rpath();
}

void *ct_dlopen_timed(const char *path, int mode)
{
	struct ct_interval v;

	ct_begin_wait(&v, CT_CALL_dlopen, CT_CAUSE_LOADER, CT_OBJECT_NONE, 0);
	void *r = ct_real.dlopen(path, mode);

	ct_end(&v, r != NULL);
	if (CT_UNLIKELY(ct_state.late) && r)
		ct_late_loaded();
	return r;
}

void *ct_dlsym_timed(void *handle, const char *name)
{
	struct ct_interval v;

	ct_begin(&v, CT_CALL_dlsym, CT_CAUSE_LOADER, CT_OBJECT_NONE, 0);
	void *r = ct_real.dlsym(handle, name);

	ct_end(&v, r != NULL);
	return r;
}

CT_EXPORT int dlclose(void *handle)
{
	const struct link_map *map = handle;
	void *part = ct_given(map) ? map->l_ld : NULL;
	struct dl_find_object object;
	struct ct_interval v;

	ct_begin(&v, CT_CALL_dlclose, CT_CAUSE_LOADER, CT_OBJECT_NONE, 0);
	int r = ct_real.dlclose(handle);

	ct_end(&v, r);
	/* Most calls only give up one of several references. */
	if (part && _dl_find_object(part, &object))
		ct_modules_changed();
	return r;
}

/* Unwinders built before gcc 12 come here for each exception, and queue. The
 * leak sanitizer comes here from a task that runs on another thread's
 * thread-local storage, while that thread stands still. */
CT_EXPORT int dl_iterate_phdr(int each(struct dl_phdr_info *, size_t, void *), void *argument)
{
	struct ct_interval v;

	if (CT_UNLIKELY(ct_state.sanitized))
		return ct_real.dl_iterate_phdr(each, argument);
	ct_begin(&v, CT_CALL_dl_iterate_phdr, CT_CAUSE_LOADER, CT_OBJECT_NONE, 0);
	int r = ct_real.dl_iterate_phdr(each, argument);

	ct_end(&v, r);
	return r;
}

CT_WRAP_PLAIN(CT_CAUSE_LOADER, int, dladdr, dladdr, (const void *address, Dl_info *info), address, info)
CT_WRAP_PLAIN(CT_CAUSE_LOADER, int, dladdr1, dladdr, (const void *address, Dl_info *info, void **extra, int flags),
	      address, info, extra, flags)

/* These load modules and data files inside of glibc. */
CT_WRAP_POINTER(CT_CAUSE_LOADER, char *, setlocale, setlocale, (int category, const char *name), category, name)
CT_WRAP_POINTER(CT_CAUSE_LOADER, locale_t, newlocale, setlocale, (int mask, const char *name, locale_t base), mask,
		name, base)
CT_WRAP(ct_begin, CT_CAUSE_LOADER, CT_OBJECT_NONE, 0, iconv_t, iconv_open, iconv_open,
	r == (iconv_t)-1 ? -(int64_t)errno : 0, (const char *to, const char *from), to, from)
