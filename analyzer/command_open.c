/* Opening traces. See commands.h. */
#include <errno.h>
#include <string.h>

#include "commands.h"

const char *ct_open_error(const struct ct_reader *r, int error, char *to, size_t bytes)
{
	switch (error) {
	case CT_READER_EMPTY:
		return "empty file";
	case CT_READER_NO_TRACE:
		return "not a trace";
	case CT_READER_KIND:
		return "not a regular file";
	case CT_READER_VERSION:
		if (r->header.version == CT_TRACE_VERSION)
			return "needs features that this version of ctrace does not have";
		snprintf(to, bytes, "version %u is not supported by this version of ctrace, which reads version %u",
			 r->header.version, CT_TRACE_VERSION);
		return to;
	}
	return strerror(-error);
}

int ct_command_open(struct ct_context *c, const char *file)
{
	char text[160];
	int error = ct_reader_open(&c->reader, file);

	if (!error)
		return 0;
	snprintf(c->usage, sizeof(c->usage), "%.60s: %s", file, ct_open_error(&c->reader, error, text, 60));
	c->reader = (struct ct_reader){ .fd = -1 };
	c->unfinished = true;
	return -EINVAL;
}
