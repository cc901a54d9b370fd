/* export: finds the format and opens the file. See export.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"

const struct ct_export_format ct_export_formats[] = {
	{ "chrome", "waits and wakers as JSON for speedscope, ui.perfetto.dev and others", false, false, ct_export_chrome },
	{ "perfetto", "waits, wakers, CPUs for ui.perfetto.dev and trace_processor", false, false, ct_export_perfetto },
	{ NULL, NULL, false, false, NULL },
};

static const char *const profiles[] = { "all", "sync", "io", "syscall", "sched", "malloc" };

static bool is_profile(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (!strcmp(name, profiles[i]))
			return true;
	return false;
}

static const struct ct_export_format *find_format(const char *name)
{
	for (const struct ct_export_format *f = ct_export_formats; f->name; f++)
		if (name && !strcmp(f->name, name))
			return f;
	return NULL;
}

static int refuse(struct ct_context *c, const char *what, const char *which)
{
	snprintf(c->usage, sizeof(c->usage), "export: %s%s; see ctrace-analyze export --help", what, which);
	return -EINVAL;
}

int ct_cmd_export(struct ct_context *c)
{
	const struct ct_options *o = c->options;
	const struct ct_export_format *f = find_format(o->format);
	struct ct_export e = { .context = c, .profile = o->profile ? o->profile : "all", .path = o->output };

	if (!o->format)
		return refuse(c, "no --format", "");
	if (!f)
		return refuse(c, "unknown format ", o->format);
	if (o->profile && !f->profiles)
		return refuse(c, "no --profile in the format ", f->name);
	if (!is_profile(e.profile))
		return refuse(c, "unknown profile ", e.profile);
	if (e.path && !strcmp(e.path, "-"))
		e.path = NULL;
	if (f->own_file && !e.path)
		return refuse(c, "needs --output FILE: the format ", f->name);
	if (!e.path)
		e.file = c->out.file;
	else if (!f->own_file)
		e.file = fopen(e.path, "we");
	if (!e.file && !f->own_file) {
		int error = errno;

		snprintf(c->usage, sizeof(c->usage), "%.80s: %s", e.path, strerror(error));
		return -EINVAL;
	}
	int error = f->write(&e);

	if (e.path && e.file) {
		bool failed = ferror(e.file);

		if ((fclose(e.file) || failed) && !error) {
			snprintf(c->usage, sizeof(c->usage), "%.80s: %s", e.path, strerror(errno ? errno : EIO));
			error = -EINVAL;
		}
	}
	return error;
}
