/*
 * Traces in the formats of other tools: a file and a row in export_formats each.
 * A format is written in a stream: what it keeps in memory grows with threads, objects
 * and distinct stacks, not with events.
 */
#ifndef CT_EXPORT_H
#define CT_EXPORT_H

#include "commands.h"

struct ct_export {
	struct ct_context *context;
	const char *profile; /* --profile; "all" if it is not given */
	const char *path;    /* --output; NULL: standard output */
	FILE *file;          /* opened for it; NULL: the format opens path itself */
};

struct ct_export_format {
	const char *name;
	const char *help;    /* part of a line */
	bool own_file;       /* the format opens path itself, and needs one */
	bool profiles;       /* --profile means something to it */
	/* As a command: 0; -EINVAL, context->usage says why; -errno. */
	int (*write)(struct ct_export *e);
};

int ct_export_sqlite(struct ct_export *e);
int ct_export_chrome(struct ct_export *e);
int ct_export_perfetto(struct ct_export *e);

extern const struct ct_export_format ct_export_formats[]; /* up to one without a name */

/* Opens the file, unless the format does that itself, writes, and closes it. As write. */
int ct_export_run(struct ct_export *e, int (*write)(struct ct_export *e), bool own_file);

int ct_export_pprof(struct ct_export *e);
int ct_export_folded(struct ct_export *e);

#endif
