/* See page.h. */
#include "page.h"

#include <string.h>

#include "api.h"

static const char missing[] =
	"<!doctype html><meta charset=utf-8><title>ctrace</title><p>This ctrace was built without npm: it has no page. "
	"What the page would show is at <code>api/trace</code> and <code>api/view/NAME</code>, NAME being a command of "
	"ctrace-analyze.";

bool ct_page_file(const char *path, struct ct_answer *ret)
{
	if (!*path)
		path = "index.html";
	for (const struct ct_page_part *p = ct_page_parts; p->name; p++)
		if (!strcmp(p->name, path)) {
			*ret = (struct ct_answer){ .status = 200, .type = p->type, .fixed = p->data, .fixed_bytes = p->bytes,
						   .gzip = true };
			return true;
		}
	if (strcmp(path, "index.html"))
		return false;
	*ret = (struct ct_answer){ .status = 200, .type = "text/html; charset=utf-8", .fixed = missing,
				   .fixed_bytes = sizeof(missing) - 1 };
	return true;
}
