/* A hash table from 64-bit keys (not 0) to 32-bit ids (not 0). Zero-initialise. */
#ifndef CT_MAP_H
#define CT_MAP_H

#include <stdint.h>

struct ct_map_entry {
	uint64_t key;
	uint32_t id;
	uint32_t mark; /* the caller's; 0 at first */
};

struct ct_map {
	struct ct_map_entry *entry; /* owned */
	uint32_t count, size;       /* size: a power of two, at most half in use */
};

/* The id of key, 0: not there. */
uint32_t ct_map_get(const struct ct_map *m, uint64_t key);
/* Its entry, until the next key is added; NULL: not there. */
struct ct_map_entry *ct_map_find(const struct ct_map *m, uint64_t key);
/* Adds a key that is not there. -ENOMEM, and nothing added. */
int ct_map_put(struct ct_map *m, uint64_t key, uint32_t id);
void ct_map_free(struct ct_map *m);

#endif
