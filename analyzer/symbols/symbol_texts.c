/* See symbol_texts.h. */
#include "symbol_texts.h"

#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

/* Keeps a text for as long as s lives; takes it over. */
static const char *keep(struct ct_symbols *s, char *text)
{
	char **place = text ? CT_APPEND(s, text) : NULL;

	if (place)
		*place = text;
	else
		free(text);
	return place ? text : NULL;
}

const char *ct_symbol_text(struct ct_symbols *s, const char *text)
{
	return text ? keep(s, ct_clean(text, strlen(text))) : NULL;
}

const char *ct_symbol_path(struct ct_symbols *s, const char *path, const char *folder)
{
	char *joined, *to, *clean;

	if (!path)
		return NULL;
	if (path[0] == '/' || !folder || folder[0] != '/')
		joined = strdup(path);
	else if (asprintf(&joined, "%s/%s", folder, path) < 0)
		joined = NULL;
	if (joined && joined[0] == '/') {
		to = joined;
		for (char *part = joined; *part;) {
			size_t n = strcspn(part + 1, "/") + 1;

			if (n == 3 && !strncmp(part, "/..", 3)) {
				while (to > joined && *--to != '/')
					;
			} else if (n > 1 && !(n == 2 && part[1] == '.')) {
				memmove(to, part, n);
				to += n;
			}
			part += n;
		}
		*to = 0;
	}
	clean = joined ? ct_clean(joined, strlen(joined)) : NULL;
	free(joined);
	return keep(s, clean);
}

const char *ct_symbol_name(struct ct_symbols *s, const char *name)
{
	if (!name)
		return NULL;
	char *plain = cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
	const char *kept = ct_symbol_text(s, plain ? plain : name);

	free(plain);
	return kept;
}
