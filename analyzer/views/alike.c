/* See alike.h. */
#include "alike.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t hash_frames(const struct ct_frame *frames, uint32_t count)
{
	uint64_t h = count + 1u;

	for (uint32_t i = 0; i < count; i++) {
		for (const char *p = frames[i].function; p && *p; p++)
			h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
		h = ct_mix(h ^ (uint64_t)frames[i].line);
	}
	return h;
}

static int find(struct ct_alikes *a, struct ct_alike *of, uint32_t *ret)
{
	uint64_t key = hash_frames(of->frames, of->count);
	uint32_t at;

	for (; (at = ct_table_get(&a->by_frames, key)); key++) {
		const struct ct_alike *x = &a->alike[at - 1];

		if (x->count == of->count && ct_frames_alike(x->frames, of->frames, of->count)) {
			*ret = x->callstack;
			return 0;
		}
	}
	struct ct_alike *x = CT_APPEND(a, alike);

	if (!x || ct_table_put(&a->by_frames, key, a->alike_count))
		return -ENOMEM;
	*x = *of;
	of->frames = NULL;
	*ret = of->callstack;
	return 0;
}

int ct_alike_of(struct ct_alikes *a, const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack,
		uint32_t *ret)
{
	struct ct_alike of = { .callstack = callstack };
	uint32_t at = callstack == CT_NO ? 0 : ct_table_get(&a->by_callstack, callstack + 1ull);
	int error;

	*ret = at ? at - 1 : callstack;
	if (at || callstack == CT_NO)
		return 0;
	error = ct_callstack_frames(c, s, callstack, &of.frames, &of.count);
	if (!error && of.count)
		error = find(a, &of, ret);
	free(of.frames);
	return error ? error : ct_table_put(&a->by_callstack, callstack + 1ull, *ret + 1);
}

void ct_alikes_free(struct ct_alikes *a)
{
	for (uint32_t i = 0; i < a->alike_count; i++)
		free(a->alike[i].frames);
	free(a->alike);
	ct_table_free(&a->by_frames);
	ct_table_free(&a->by_callstack);
	*a = (struct ct_alikes){ 0 };
}
