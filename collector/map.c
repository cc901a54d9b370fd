/* Open addressing, linear probing. See map.h. */
#include "map.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(key >> 32);
}

static struct ct_map_entry *find(const struct ct_map *m, uint64_t key)
{
	for (uint32_t h = hash(key);; h++) {
		struct ct_map_entry *e = &m->entry[h & (m->size - 1)];

		if (!e->id || e->key == key)
			return e;
	}
}

uint32_t ct_map_get(const struct ct_map *m, uint64_t key)
{
	return m->size ? find(m, key)->id : 0;
}

struct ct_map_entry *ct_map_find(const struct ct_map *m, uint64_t key)
{
	struct ct_map_entry *e = m->size ? find(m, key) : NULL;

	return e && e->id ? e : NULL;
}

static int grow(struct ct_map *m)
{
	struct ct_map larger = { .count = m->count, .size = m->size ? m->size * 2 : 256 };

	larger.entry = calloc(larger.size, sizeof(*larger.entry));
	if (!larger.entry)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->size; i++)
		if (m->entry[i].id)
			*find(&larger, m->entry[i].key) = m->entry[i];
	free(m->entry);
	*m = larger;
	return 0;
}

int ct_map_put(struct ct_map *m, uint64_t key, uint32_t id)
{
	if (m->count * 2 >= m->size && grow(m))
		return -ENOMEM;
	*find(m, key) = (struct ct_map_entry){ key, id, 0 };
	m->count++;
	return 0;
}

void ct_map_free(struct ct_map *m)
{
	free(m->entry);
	*m = (struct ct_map){ 0 };
}
