/* Labels of objects. See objects.h. */
#include "marks.h"
#include "objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int n = vasprintf(&text, format, args);

	va_end(args);
	return n < 0 ? NULL : text;
}

const char *ct_fd_kind_name(uint64_t kind)
{
	static const char *const names[CT_FD_KINDS] = {
		[CT_FD_UNKNOWN] = "descriptor", [CT_FD_FILE] = "file",	 [CT_FD_DIR] = "directory",
		[CT_FD_PIPE] = "pipe",		[CT_FD_SOCKET] = "socket", [CT_FD_TTY] = "terminal",
		[CT_FD_CHAR] = "device",	[CT_FD_BLOCK] = "disk",	 [CT_FD_ANON] = "anonymous",
	};

	return kind < CT_FD_KINDS ? names[kind] : names[CT_FD_UNKNOWN];
}

char *ct_thread_label(const struct ct_model *m, uint32_t process, uint64_t tid)
{
	uint32_t at = ct_model_tid(m, process, tid);

	/* The holder of a lock in shared memory can be in another process. */
	for (uint32_t i = 0; at == CT_NO && i < m->process_count; i++)
		at = ct_model_tid(m, i, tid);
	if (at == CT_NO || !m->thread[at].name[0])
		return text_of("thread %llu", (unsigned long long)tid);
	return text_of("%s (%llu)", m->thread[at].name, (unsigned long long)tid);
}

char *ct_lock_label(struct ct_symbols *s, const struct ct_model *m, uint32_t process, uint32_t cause,
		    uint64_t address, uint32_t stack)
{
	uint64_t epoch = stack == CT_NO ? UINT64_MAX : m->stack[stack].epoch;
	uint32_t at = s ? ct_model_module_at(m, process, address, epoch) : CT_NO;
	const char *kind = m->cause[cause].name ? m->cause[cause].name : "object";

	if (at != CT_NO) {
		const struct ct_module_info *module = &m->module[at];
		char *name = ct_symbols_variable(s, module->file, address - module->bias);

		if (name)
			return name;
		return text_of("%s %s+0x%llx", kind, ct_base_name(m->file[module->file].path),
			       (unsigned long long)(address - module->bias));
	}
	return text_of("%s 0x%llx", kind, (unsigned long long)address);
}

/* Causes whose objects somebody holds. By name: numbers are the trace's. */
bool ct_is_lock(const struct ct_model *m, uint32_t cause)
{
	static const char *const names[] = { "mutex", "rwlock", "spin", "futex" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(ct_model_cause_name(m, cause), names[i]))
			return true;
	return false;
}

char *ct_lock_name(struct ct_callstacks *c, struct ct_symbols *symbols, const struct ct_model *m, uint32_t process,
		   uint32_t cause, uint64_t address, uint32_t first_stack)
{
	uint64_t epoch = first_stack == CT_NO ? UINT64_MAX : m->stack[first_stack].epoch;
	uint32_t callstack;
	char *text = NULL, *place = NULL;

	if (first_stack == CT_NO || ct_model_module_at(m, process, address, epoch) != CT_NO)
		return ct_lock_label(symbols, m, process, cause, address, first_stack);
	if (!ct_callstack_of(c, first_stack, &callstack))
		place = ct_callstack_text(c, symbols, callstack, false);
	if (place && !*place)
		text = ct_lock_label(symbols, m, process, cause, address, first_stack);
	else if (place && asprintf(&text, "%s of %s", ct_model_cause_name(m, cause), place) < 0)
		text = NULL;
	free(place);
	return text;
}

static char *descriptor_label(const struct ct_model *m, uint32_t process, uint64_t id)
{
	uint32_t at = ct_model_descriptor(m, process, id);

	if (at == CT_NO)
		return strdup(id ? "unknown descriptor" : "descriptor not known");
	const struct ct_descriptor_info *d = &m->descriptor[at];

	/* A path says it all; "pipe:[123]" and addresses do with their kind. */
	if (d->label[0] == '/')
		return strdup(d->label);
	if (d->label[0])
		return text_of("%s %s", d->kind == CT_FD_ANON ? "fd" : ct_fd_kind_name(d->kind), d->label);
	return text_of("%s %lld", d->kind == CT_FD_UNKNOWN ? "fd" : ct_fd_kind_name(d->kind), (long long)d->fd);
}

char *ct_object_label(struct ct_symbols *s, const struct ct_model *m, const struct ct_site_info *info)
{
	const struct ct_site *site = &info->site;
	uint32_t thread;

	switch (site->object_kind) {
	case CT_OBJECT_NONE:
		return strdup("");
	case CT_OBJECT_ADDRESS:
		return ct_lock_label(s, m, info->process, site->cause, site->object,
				     ct_model_stack(m, info->process, site->stack));
	case CT_OBJECT_FD:
		return descriptor_label(m, info->process, site->object);
	case CT_OBJECT_THREAD:
		thread = ct_model_pthread(m, info->process, site->object);
		return thread == CT_NO ? text_of("thread 0x%llx", (unsigned long long)site->object) :
					 ct_thread_label(m, info->process, m->thread[thread].tid);
	case CT_OBJECT_PID:
		return site->object ? text_of("process %lld", (long long)site->object) : strdup("any child");
	case CT_OBJECT_ARENA:
		if (site->object == CT_ARENA_MAIN)
			return strdup("main arena");
		if (site->object == CT_ARENA_MAPPED)
			return strdup("a mapping of its own");
		return text_of("arena 0x%llx", (unsigned long long)site->object);
	case CT_OBJECT_NAME:
		return strdup(m->name_count ? m->name[ct_model_name(m, site->object)].text : "");
	case CT_OBJECT_ID:
		return text_of("%s %llu", m->cause[site->cause].name ? m->cause[site->cause].name : "object",
			       (unsigned long long)site->object);
	}
	return text_of("object 0x%llx", (unsigned long long)site->object);
}
