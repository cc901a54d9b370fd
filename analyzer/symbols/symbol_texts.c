/* See symbol_texts.h. */
#include "symbol_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "demangle.h"

/* What was made of a text: part of the key by which it is found again. */
enum use {
	AS_TEXT,
	AS_NAME,
	AS_PATH,
};

const char *ct_symbol_keep(struct ct_symbols *s, char *text)
{
	char **place = text ? CT_APPEND(s, text) : NULL;

	if (place)
		*place = text;
	else
		free(text);
	return place ? text : NULL;
}

static uint64_t key_of(const char *text, const char *folder, enum use use)
{
	return ct_mix((uint64_t)(uintptr_t)text ^ (uint64_t)use << 56) ^ (uint64_t)(uintptr_t)folder;
}

static const char *known(const struct ct_symbols *s, uint64_t key)
{
	uint32_t at = ct_table_get(&s->text_by_source, key);

	return at ? s->text[at - 1] : NULL;
}

static const char *keep_as(struct ct_symbols *s, uint64_t key, char *text)
{
	const char *kept = ct_symbol_keep(s, text);

	/* Without memory it is made again when it is next asked for. */
	if (kept)
		ct_table_put(&s->text_by_source, key, s->text_count);
	return kept;
}

const char *ct_symbol_text(struct ct_symbols *s, const char *text)
{
	uint64_t key = key_of(text, NULL, AS_TEXT);
	const char *found = text ? known(s, key) : NULL;

	if (!text || found)
		return found;
	return keep_as(s, key, ct_clean(text, strlen(text)));
}

/* Without "." and "..". */
static void straighten(char *path)
{
	char *to = path;

	for (char *part = path; *part;) {
		size_t n = strcspn(part + 1, "/") + 1;

		if (n == 3 && !strncmp(part, "/..", 3)) {
			while (to > path && *--to != '/')
				;
		} else if (n > 1 && !(n == 2 && part[1] == '.')) {
			memmove(to, part, n);
			to += n;
		}
		part += n;
	}
	*to = 0;
}

const char *ct_symbol_path(struct ct_symbols *s, const char *path, const char *folder)
{
	uint64_t key = key_of(path, folder, AS_PATH);
	const char *found = path ? known(s, key) : NULL;
	char *joined, *clean;

	if (!path || found)
		return found;
	if (path[0] == '/' || !folder || folder[0] != '/')
		joined = strdup(path);
	else if (asprintf(&joined, "%s/%s", folder, path) < 0)
		joined = NULL;
	if (joined && joined[0] == '/')
		straighten(joined);
	clean = joined ? ct_clean(joined, strlen(joined)) : NULL;
	free(joined);
	return keep_as(s, key, clean);
}

const char *ct_symbol_name(struct ct_symbols *s, const char *name)
{
	uint64_t key = key_of(name, NULL, AS_NAME);
	const char *found = name ? known(s, key) : NULL;

	if (!name || found)
		return found;
	/* "read@@GLIBC_2.2.5" */
	size_t n = *name ? strcspn(name + 1, "@") + 1 : 0;
	char *bare = name[n] ? strndup(name, n) : NULL, *plain = ct_demangle(bare ? bare : name);
	const char *shown = plain ? plain : bare ? bare : name;
	char *clean = ct_clean(shown, strlen(shown));

	free(plain);
	free(bare);
	return keep_as(s, key, clean);
}
