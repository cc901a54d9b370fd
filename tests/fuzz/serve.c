/* What the page of serve asks for, without a server. What is a program of its own there (the
 * views) is run as a command line of ours. */
#include <string.h>

#include "api.h"
#include "fuzz_parts.h"

#define KEYS 6

struct made {
	const char *path;
	const char *key[KEYS], *value[KEYS];
};

static const struct made requests[] = {
	{ "api/trace", { NULL }, { NULL } },
	{ "api/lanes", { "from", "to", "pieces", "lanes" }, { "0", "10000000", "100", "0,1,2" } },
	{ "api/lanes", { "pieces" }, { "7" } },
	{ "api/lanes", { "from" }, { "1000" } },
	{ "api/load", { "pieces" }, { "50" } },
	{ "api/load", { "from", "to" }, { "0", "10000000" } },
	{ "api/site", { "id" }, { "0" } },
	{ "api/site", { "id" }, { "1" } },
	{ "api/wait", { "lane", "start", "end" }, { "0", "1000", "2000000" } },
	{ "api/notes", { "from", "to", "pieces", "lanes" }, { "0", "10000000", "2000", "0,1,2" } },
	{ "api/notes", { "pieces", "lanes" }, { "7", "0,1,1,0" } },
	{ "api/notes", { "from", "to", "pieces", "lanes" }, { "1000000", "1010000", "2000", "0" } },
	{ "api/lines", { NULL }, { NULL } },
	{ "api/lines", { "lane", "from", "to" }, { "1", "0", "1000000" } },
	{ "api/known", { "ids" }, { "0" } },
	{ "api/wait", { "lane" }, { "1" } },
	{ "api/before", { "lane" }, { "0" } },
	{ "api/before", { "lane", "time" }, { "1", "5000000" } },
};

static const char *made_value(const struct ct_request *r, const char *key)
{
	const struct made *m = r->of;

	for (uint32_t i = 0; i < KEYS && m->key[i]; i++)
		if (!strcmp(m->key[i], key))
			return m->value[i];
	return NULL;
}

int fuzz_serve(struct ct_context *c)
{
	struct ct_served s = { 0 };
	int error = ct_served_open(&s, c);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && !error; i++) {
		struct ct_request r = { requests[i].path, made_value, (void *)(uintptr_t)&requests[i] };
		struct ct_answer a = { 0 };

		ct_api_answer(&s, &r, &a);
		ct_answer_free(&a);
	}
	ct_served_close(&s);
	return error;
}
