/* See defaults.h. */
#include "defaults.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64u << 10)
#define OPTIONS_MAX 128u

struct taking {
	const struct ct_defaults *d;
	void *self;
	bool done[OPTIONS_MAX]; /* as in d->options */
};

__attribute__((format(printf, 2, 3))) static void complain(const struct taking *t, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "ctrace-%s: ", t->d->tool);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void ct_defaults_variable(const char *prefix, const char *option, char *to, size_t size)
{
	size_t n = (size_t)snprintf(to, size, "%s%s", prefix,
				    !strcmp(prefix, "CTRACE_") && !strcmp(option, "output") ? "out" : option);

	for (size_t i = 0; i < n && i < size; i++)
		to[i] = to[i] == '-' ? '_' : (char)toupper((unsigned char)to[i]);
}

static int truth(const char *value)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(value, words[i]))
			return (int)(i & 1);
	return -1;
}

/* where: the variable, or file and line. */
static void take(struct taking *t, size_t at, const char *where, const char *value)
{
	const struct ct_defaults *d = t->d;
	const char *option = d->options[at];
	char wrong[CT_DEFAULTS_WRONG] = "";
	int kind = d->kind(t->self, option);

	if (kind < 0) {
		complain(t, "%s: --%s has no default", where, option);
		return;
	}
	t->done[at] = true;
	if (d->settled(t->self, option))
		return;
	if (!kind && truth(value) < 0)
		complain(t, "%s: %s is yes or no", where, option);
	else if ((kind || truth(value)) && d->take(t->self, option, kind ? value : NULL, wrong))
		complain(t, "%s: %s", where, wrong);
}

/* --- the file --- */

/* Reads it whole; the texts in it are used as long as the tool runs. NULL: there is none, or
 * it may not be believed. */
static char *read_file(const struct taking *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0) {
		/* A home that is closed to us is another user's, as under sudo -u. */
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			complain(t, "%s: %s", path, strerror(errno));
		return NULL;
	}
	const char *wrong = fstat(fd, &st) ? strerror(errno)
			    : !S_ISREG(st.st_mode) ? "is no file"
			    : st.st_uid != geteuid() ? "belongs to another user"
			    : st.st_mode & 022 ? "others may write it"
			    : st.st_size > FILE_MAX ? "is too long" : NULL;
	char *text = wrong ? NULL : malloc(FILE_MAX + 1);
	ssize_t n = text ? read(fd, text, FILE_MAX) : -1;

	close(fd);
	if (wrong)
		complain(t, "%s: %s", path, wrong);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	if (strlen(text) == (size_t)n)
		return text;
	complain(t, "%s: is no text", path);
	free(text);
	return NULL;
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]);)
		s[--n] = 0;
	return s;
}

static void take_line(struct taking *t, const char *where, char *line)
{
	static const char *const tools[] = { "run", "analyze", "ctl", "top" };
	char *value = strchr(line, '='), *option = strchr(line, '.');
	size_t i = 0;

	if (!value || !option || option > value) {
		complain(t, "%s: a line is TOOL.OPTION = VALUE", where);
		return;
	}
	*value++ = 0;
	*option++ = 0;
	line = trim(line);
	option = trim(option);
	while (i < sizeof(tools) / sizeof(tools[0]) && strcmp(tools[i], line))
		i++;
	if (i == sizeof(tools) / sizeof(tools[0])) {
		complain(t, "%s: there is no tool %.50s (run, analyze, ctl, top)", where, line);
		return;
	}
	if (strcmp(line, t->d->tool))
		return;
	for (i = 0; t->d->options[i] && strcmp(t->d->options[i], option);)
		i++;
	if (!t->d->options[i])
		complain(t, "%s: there is no option --%.50s", where, option);
	else if (i < OPTIONS_MAX && !t->done[i])
		take(t, i, where, trim(value));
}

static void take_file(struct taking *t)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[PATH_MAX], where[PATH_MAX + 32];
	unsigned int number = 0;
	bool given = config && *config == '/';

	if (!given && (!home || *home != '/'))
		return;
	if (snprintf(path, sizeof(path), "%s%s/ctrace/config", given ? config : home, given ? "" : "/.config") >= (int)sizeof(path))
		return;
	for (char *rest = read_file(t, path), *line; (line = strsep(&rest, "\n"));) {
		number++;
		line[strcspn(line, "#")] = 0;
		line = trim(line);
		snprintf(where, sizeof(where), "%s:%u", path, number);
		if (*line)
			take_line(t, where, line);
	}
}

void ct_defaults_take(const struct ct_defaults *d, void *self)
{
	struct taking t = { .d = d, .self = self };
	char variable[64];

	for (size_t i = 0; d->options[i] && i < OPTIONS_MAX; i++) {
		ct_defaults_variable(d->prefix, d->options[i], variable, sizeof(variable));
		const char *value = getenv(variable);

		if (value && d->kind(self, d->options[i]) >= 0)
			take(&t, i, variable, value);
	}
	take_file(&t);
}
