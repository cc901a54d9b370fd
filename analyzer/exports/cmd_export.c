/* export: finds the format and opens the file. See export.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"

const struct ct_export_format ct_export_formats[] = {
	{ "chrome", "waits and wakers as JSON for speedscope, ui.perfetto.dev and others", false, false, ct_export_chrome },
	{ "perfetto", "waits, wakers, CPUs for ui.perfetto.dev and trace_processor", false, false, ct_export_perfetto },
	{ "pprof", "waits by call stack, for go tool pprof, Pyroscope, Parca (gzip)", false, true, ct_export_pprof },
	{ "folded", "folded stacks in ns, for flamegraph.pl and speedscope; see --by", false, false,
	  ct_export_folded },
	{ "sqlite", "a database: tables as in docs/sql.md; see also sql", true, false, ct_export_sqlite },
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

/* Opening it for writing would empty it. */
static bool is_trace(const struct ct_context *c, const char *path)
{
	struct stat file, trace;

	return !stat(path, &file) && !fstat(c->reader.fd, &trace) && file.st_dev == trace.st_dev &&
	       file.st_ino == trace.st_ino;
}

/* A file that was not written to its end misleads; a device stays. */
static void drop(const char *path)
{
	struct stat st;

	if (path && !lstat(path, &st) && S_ISREG(st.st_mode))
		unlink(path);
}

/* A new file is for its owner, as the trace is; one that is there keeps the rights that somebody gave it. */
static FILE *open_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

int ct_export_run(struct ct_export *e, int (*write)(struct ct_export *e), bool own_file)
{
	struct ct_context *c = e->context;

	if (e->path && !strcmp(e->path, "-"))
		e->path = NULL;
	if (e->path && is_trace(c, e->path)) {
		snprintf(c->usage, sizeof(c->usage), "%.80s: is the trace itself", e->path);
		return -EINVAL;
	}
	if (!e->path)
		e->file = c->out.file;
	else if (!own_file)
		e->file = open_private(e->path);
	if (!e->file && !own_file) {
		snprintf(c->usage, sizeof(c->usage), "%.80s: %s", e->path, strerror(errno));
		return -EINVAL;
	}
	int error = write(e);

	if (e->path && e->file) {
		bool failed = ferror(e->file);

		if ((fclose(e->file) || failed) && !error) {
			snprintf(c->usage, sizeof(c->usage), "%.80s: %s", e->path, strerror(errno ? errno : EIO));
			error = -EINVAL;
		}
	}
	if (error && e->file)
		drop(e->path);
	return error;
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
	if (o->by && f->write != ct_export_folded)
		return refuse(c, "no --by in the format ", f->name);
	if (o->group_by && f->write != ct_export_folded)
		return refuse(c, "no --group-by in the format ", f->name);
	if (f->own_file && (!e.path || !strcmp(e.path, "-")))
		return refuse(c, "needs --output FILE: the format ", f->name);
	return ct_export_run(&e, f->write, f->own_file);
}
