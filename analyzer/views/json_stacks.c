/* Call stacks as JSON. See json_parts.h. */
#include <stdlib.h>

#include "json_parts.h"

json_t *ct_json_stack(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack)
{
	json_t *array = json_array();
	struct ct_frame *frames;
	uint32_t count;

	if (ct_callstack_frames(c, s, callstack, &frames, &count))
		ct_json_fail();
	for (uint32_t i = 0; i < count; i++) {
		json_t *o = json_object();

		ct_json_text(o, "function", frames[i].function);
		ct_json_text(o, "file", frames[i].file);
		ct_json_number(o, "line", (uint64_t)(frames[i].line > 0 ? frames[i].line : 0));
		ct_json_text(o, "module", frames[i].module);
		ct_json_number(o, "offset", frames[i].offset);
		ct_json_set(o, "inlined", json_boolean(frames[i].inlined));
		ct_json_append(array, o);
	}
	free(frames);
	return array;
}
