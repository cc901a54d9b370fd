/*
 * By libiberty. A short name can stand for one of any length (each substitution
 * may double it), and files are not trusted: the name is taken piece by piece and
 * given up where it gets too long. libiberty keeps all that it needs on the stack, so
 * that it can be left by longjmp.
 */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MANGLED_MAX 8192u  /* libiberty's stack: about 100 bytes for each of these */
#define PLAIN_MAX   65536u
#define PIECES_MAX  1000000u
#define D_REFERENCES_MAX 32u

struct plain {
	jmp_buf leave;
	char *text;
	size_t size, room, pieces;
};

static void take(const char *piece, size_t n, void *data)
{
	struct plain *p = data;

	if (n > PLAIN_MAX - p->size || ++p->pieces > PIECES_MAX)
		longjmp(p->leave, 1);
	if (p->size + n + 1 > p->room) {
		size_t room = (p->size + n + 1) * 2;
		char *larger = realloc(p->text, room);

		if (!larger)
			longjmp(p->leave, 1);
		p->text = larger;
		p->room = room;
	}
	memcpy(p->text + p->size, piece, n);
	p->size += n;
	p->text[p->size] = 0;
}

/* Both schemes of Rust, then C++: the older one of Rust looks like C++. */
static bool demangle_into(struct plain *p, const char *name)
{
	const int options = DMGL_PARAMS | DMGL_ANSI;

	if (setjmp(p->leave))
		return false;
	if (rust_demangle_callback(name, options, take, p))
		return true;
	p->size = 0;
	/* Without a limit of its own: ours is larger, as names of templates are long. */
	return cplus_demangle_v3_callback(name, options | DMGL_NO_RECURSE_LIMIT, take, p);
}

/* Which has no way to be left. Only back references make a text longer than the name:
 * where each step doubles it, two of them are needed for a step. */
static char *demangle_d(const char *name)
{
	unsigned int references = 0;

	for (const char *p = strchr(name, 'Q'); p; p = strchr(p + 1, 'Q'))
		references++;
	return references > D_REFERENCES_MAX ? NULL : dlang_demangle(name, DMGL_PARAMS | DMGL_ANSI);
}

char *ct_demangle(const char *name)
{
	struct plain p = { .text = NULL };
	size_t n = strnlen(name, MANGLED_MAX + 1);

	if (n > MANGLED_MAX)
		return NULL;
	if (name[0] != '_')
		return NULL;
	if (name[1] == 'D')
		return demangle_d(name);
	if (demangle_into(&p, name) && p.size)
		return p.text;
	free(p.text);
	return NULL;
}
