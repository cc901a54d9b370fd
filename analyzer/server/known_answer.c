/* What is known of the places that are drawn: see known.h. GET api/known?ids=, see api.h. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "json_parts.h"
#include "known.h"
#include "objects.h"

#define IDS_MOST 512u

const struct ct_known *ct_api_known_of(struct ct_served *s, const struct ct_site_info *info)
{
	uint32_t stack = info->site.stack ? ct_model_stack(&s->m, info->process, info->site.stack) : CT_NO, callstack, count = 0;
	const struct ct_known *known = NULL;
	struct ct_frame *frames = NULL;
	char *object;

	bool failed = ct_names_use(s->names, &s->m);

	object = failed ? NULL : ct_object_label(&s->names->symbols, &s->m, info);
	if (!failed && !ct_callstack_of(&s->names->callstacks, stack, &callstack) && callstack != CT_NO &&
	    !ct_callstack_frames(&s->names->callstacks, &s->names->symbols, callstack, &frames, &count))
		known = ct_known_find(frames, count, object ? object : "", ct_model_cause_name(&s->m, info->site.cause));
	free(frames);
	ct_names_done(s->names);
	free(object);
	return known;
}

json_t *ct_api_known_json(const struct ct_known *known)
{
	json_t *o = json_object();

	ct_json_text(o, "what", known->what);
	ct_json_set(o, "contention", json_boolean(known->contention));
	return o;
}

void ct_api_known(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	const char *text = r->value(r, "ids");
	json_t *o = json_object();

	ct_json_begin();
	for (uint32_t n = 0; text && *text; n++) {
		struct ct_site_info info;
		char *end, key[24];
		unsigned long id = strtoul(text, &end, 10);
		const struct ct_known *known;

		if (*text < '0' || *text > '9' || (*end && *end != ',') || n == IDS_MOST || !ct_trace_map_site(&s->map, id, &info)) {
			json_decref(o);
			ct_api_say(ret, 400, "ids make no sense");
			return;
		}
		known = ct_api_known_of(s, &info);
		snprintf(key, sizeof(key), "%lu", id);
		if (known)
			ct_json_set(o, key, ct_api_known_json(known));
		text = *end ? end + 1 : end;
	}
	ct_api_json(ret, o);
}
