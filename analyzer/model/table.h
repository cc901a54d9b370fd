/*
 * Small containers: a hash table from 64-bit keys to 32-bit values, and
 * growing arrays. Nothing here is safe for use by several threads.
 */
#ifndef CT_TABLE_H
#define CT_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. Values are never 0: 0 says that the key is not there. */
struct ct_table {
	uint64_t *keys;
	uint32_t *values;
	uint32_t count;
	uint32_t size; /* a power of two, or 0 */
};

uint32_t ct_table_get(const struct ct_table *t, uint64_t key);
/* Sets or replaces. 0 or -ENOMEM. */
int ct_table_put(struct ct_table *t, uint64_t key, uint32_t value);
void ct_table_free(struct ct_table *t);

/* The last step of a hash: spreads all bits of v over the result. */
static inline uint64_t ct_mix(uint64_t v)
{
	v = (v ^ v >> 32) * 0x9e3779b97f4a7c15ull;
	return v ^ v >> 29;
}

/* A key for an id that is unique in its process only. */
static inline uint64_t ct_pair(uint32_t process, uint32_t id)
{
	return (uint64_t)process << 32 | id;
}

/* Makes room for need elements of size bytes: returns the array, which may
 * have moved, or NULL with the old one intact. */
void *ct_grow(void *array, uint32_t *capacity, uint64_t need, size_t size);

/* Members of a struct that are an array which grows. */
#define CT_ARRAY(type, name) \
	type *name;          \
	uint32_t name##_count, name##_capacity

/* Appends one zeroed element to s->name, s->name_count, s->name_capacity and
 * gives a pointer to it, or NULL without memory. */
#define CT_APPEND(s, name) \
	((typeof((s)->name))ct_append((void **)&(s)->name, &(s)->name##_count, &(s)->name##_capacity, \
				      sizeof(*(s)->name)))
void *ct_append(void **array, uint32_t *count, uint32_t *capacity, size_t size);

#endif
