/* Hash table and growing arrays. See table.h. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const struct ct_table *t, uint64_t key)
{
	uint32_t i = (uint32_t)ct_mix(key) & (t->size - 1);

	while (t->values[i] && t->keys[i] != key)
		i = (i + 1) & (t->size - 1);
	return i;
}

uint32_t ct_table_get(const struct ct_table *t, uint64_t key)
{
	return t->size ? t->values[slot_of(t, key)] : 0;
}

static int grow(struct ct_table *t)
{
	struct ct_table larger = { .size = t->size ? t->size * 2 : 64, .count = t->count };

	if (!larger.size)
		return -ENOMEM;
	larger.keys = malloc(larger.size * sizeof(*larger.keys));
	larger.values = calloc(larger.size, sizeof(*larger.values));
	if (!larger.keys || !larger.values) {
		ct_table_free(&larger);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < t->size; i++) {
		if (!t->values[i])
			continue;
		uint32_t to = slot_of(&larger, t->keys[i]);

		larger.keys[to] = t->keys[i];
		larger.values[to] = t->values[i];
	}
	free(t->keys);
	free(t->values);
	*t = larger;
	return 0;
}

int ct_table_put(struct ct_table *t, uint64_t key, uint32_t value)
{
	/* At most five eighths full, so that probes stay short. */
	if ((uint64_t)t->count * 8 >= (uint64_t)t->size * 5) {
		int error = grow(t);

		if (error)
			return error;
	}
	uint32_t i = slot_of(t, key);

	t->count += !t->values[i];
	t->keys[i] = key;
	t->values[i] = value;
	return 0;
}

void ct_table_free(struct ct_table *t)
{
	free(t->keys);
	free(t->values);
	*t = (struct ct_table){ 0 };
}

void *ct_grow(void *array, uint32_t *capacity, uint64_t need, size_t size)
{
	if (array && need <= *capacity)
		return array;
	uint64_t n = *capacity ? (uint64_t)*capacity + *capacity / 2 : 16;

	if (n < need)
		n = need;
	if (n > UINT32_MAX)
		return NULL;
	void *larger = realloc(array, n * size);

	if (larger)
		*capacity = (uint32_t)n;
	return larger;
}

void *ct_append(void **array, uint32_t *count, uint32_t *capacity, size_t size)
{
	void *grown = ct_grow(*array, capacity, (uint64_t)*count + 1, size);

	if (!grown)
		return NULL;
	*array = grown;
	void *element = (char *)grown + (size_t)*count * size;

	memset(element, 0, size);
	++*count;
	return element;
}
